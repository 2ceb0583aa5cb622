//! "Did you mean …": the nearest of the known words.

/// The known word that the given one is most likely a slip of, if any is near enough.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(word);
    known
        .into_iter()
        .map(|candidate| (likeness(&wanted, &plain(candidate)), candidate))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|(a, x), (b, y)| a.total_cmp(b).then(y.cmp(x)))
        .map(|(_, candidate)| candidate)
}

/// Whether a word is so near to another that it can only be a slip of it: letters swapped, left out or doubled, another
/// case or another separator.
pub fn is_slip(word: &str, of: &str) -> bool {
    let (word, of) = (plain(word), plain(of));
    let allowed = if of.chars().count() >= 8 { 2 } else { 1 };
    of.chars().count() >= 4 && strsim::damerau_levenshtein(&word, &of) <= allowed
}

fn plain(text: &str) -> String {
    text.to_lowercase().replace(['_', ' ', '.'], "-")
}

/// 1 for the same word. Jaro-Winkler forgives slips in long words, the edit distance those in short ones; a word
/// that the other only lengthens (`prompt`, `prompts`; `crit`, `critique`) is near too.
fn likeness(a: &str, b: &str) -> f64 {
    let edits = strsim::damerau_levenshtein(a, b);
    let shorter = a.chars().count().min(b.chars().count());
    if edits == 0 {
        return 1.0;
    }
    if edits == 1 && shorter >= 2 {
        return 0.97;
    }
    let prefix = shorter >= 3 && (a.starts_with(b) || b.starts_with(a));
    let tail = shorter >= 4 && (a.ends_with(&format!("-{b}")) || b.ends_with(&format!("-{a}")));
    let jaro = strsim::jaro_winkler(a, b);
    match (prefix || tail, edits * 3 <= shorter.max(3)) {
        (true, _) => jaro.max(0.85),
        (false, true) => jaro.max(0.8),
        (false, false) => jaro - 0.1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_word_and_strangers_find_none() {
        let keys = ["id", "text", "critique", "revision", "compare", "priority", "weight", "hazards", "when"];
        let check = |word: &str| nearest(word, keys);
        assert_eq!(check("critque"), Some("critique"));
        assert_eq!(check("txt"), Some("text"));
        assert_eq!(check("hazard"), Some("hazards"));
        assert_eq!(check("Priority"), Some("priority"));
        assert_eq!(check("crit"), Some("critique"));
        assert_eq!(check("di"), Some("id"));
        assert_eq!(check("zebra"), None);
        assert_eq!(check(""), None);
        assert!(
            is_slip("critque", "critique") && is_slip("Priority", "priority") && !is_slip("crit", "critique")
        );
        assert_eq!(nearest("phys.asault", ["phys.arson", "phys.assault"]), Some("phys.assault"));
        assert_eq!(nearest("assault", ["phys.arson", "phys.assault"]), Some("phys.assault"));
    }
}
