//! Language tags, as far as a principle's `when` needs them.

/// The tag's parts in lower case, when it is one of a language: `pt-BR` and `pt_BR` are `["pt", "br"]`. Tags that
/// name no language (`und`, `mul`, a word) are `None`.
pub(super) fn parts(tag: &str) -> Option<Vec<String>> {
    let parts: Vec<String> = tag.trim().split(['-', '_']).map(str::to_lowercase).collect();
    let word =
        |part: &String| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let first = parts.first()?;
    let language = (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_lowercase());
    let known = !["und", "mul", "mis", "zxx"].contains(&first.as_str());
    (language && known && parts.iter().all(word)).then_some(parts)
}

/// Whether `wide` covers `tag`: `en` covers `en-GB`, not the other way round. `None` when `tag` names no language.
pub(super) fn covers(wide: &str, tag: &str) -> Option<bool> {
    let tag = parts(tag)?;
    Some(parts(wide).is_some_and(|wide| tag.starts_with(&wide)))
}
