//! One row as the audit sees it, and what is found in it without looking at any other.

use super::code::{Code, CodeSet, Cuts, Name};
use super::secrets::{Secret, secrets_in};
use super::shape::Shape;
use crate::pure::gates::{Refusal, Verdict, artefacts, changes_language, check_pair, read_refusal};
use crate::pure::prompt::Message;
use crate::pure::reason::Reason;
use crate::pure::recipe::Gates;
use crate::pure::text::language;

/// A reply, and the conversation that it ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// Its text.
    pub text: String,
    /// The whole conversation as the file has it, with the reply: what a trainer cuts.
    pub whole: String,
}

/// A row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// What the user says last; the text itself in documents.
    pub prompt: String,
    /// The conversation before the reply.
    pub turns: Vec<Message>,
    /// Everything that the user says, for families of prompts.
    pub said: String,
    /// Chosen and rejected; or the one reply; or none.
    pub replies: Vec<Reply>,
    /// Whether the conversations before the replies differ.
    pub prompts_differ: bool,
    /// Whether the turns are out of order, or one before the last is empty.
    pub bad_roles: bool,
    /// The hazard that the row names.
    pub hazard: Option<String>,
    /// The language that the row names.
    pub language: Option<String>,
    /// Whether the file has a column for labels, and the row has none.
    pub unlabelled: bool,
    /// With [`Shape::Kto`]: whether the reply is wanted.
    pub wanted: Option<bool>,
}

/// What a row's texts have in common up to a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Tokens after which it is cut.
    pub tokens: u32,
    /// Bytes that are the same.
    pub same_bytes: usize,
}

/// What was found in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The codes.
    pub codes: CodeSet,
    /// Cuts after which both texts are the same.
    pub cuts: Vec<Cut>,
    /// Keys.
    pub secrets: Vec<Secret>,
    /// How each reply refuses.
    pub refusals: Vec<Refusal>,
    /// Whether the reply that is taught is prose without an end. In a set whose replies end as prose does it was cut.
    pub lacks_end: bool,
}

/// What a code alone does not say, as JSON: how many bytes two texts share, and of which kind a key is. An empty object where
/// there is nothing more to say.
pub fn findings_detail(found: &Found) -> serde_json::Value {
    let mut detail = serde_json::Map::new();
    for Cut { tokens, same_bytes } in &found.cuts {
        detail.insert(format!("cut-equal@{tokens}"), serde_json::json!({ "same_bytes": same_bytes }));
    }
    if !found.secrets.is_empty() {
        let told: Vec<_> = found
            .secrets
            .iter()
            .map(|secret| serde_json::json!({ "kind": secret.kind, "tail": secret.tail }))
            .collect();
        detail.insert(Code::Secret.as_str().to_owned(), told.into());
    }
    serde_json::Value::Object(detail)
}

/// A ratio of lengths from which a pair teaches length above all, where the recipe's gates set none.
const MANY_TIMES: f64 = 10.0;

/// What is found in one row.
pub fn findings(item: &Item, shape: Shape, cuts: &Cuts) -> Found {
    let mut found = Found::default();
    let mut add = |code: Code, is_there: bool| {
        if is_there && code.applies_to(shape) {
            found.codes.insert(Name::Code(code));
        }
    };
    let texts = || item.replies.iter().map(|reply| reply.text.as_str());
    let all = || texts().chain([item.said.as_str(), item.prompt.as_str()]);
    add(Code::Empty, texts().any(|text| text.trim().is_empty()) || item.prompt.trim().is_empty());
    add(Code::Roles, item.bad_roles);
    add(Code::PromptsDiffer, item.prompts_differ);
    add(Code::Unlabelled, item.unlabelled);
    add(Code::Control, all().any(has_control));
    let secrets: Vec<Secret> = all().flat_map(secrets_in).collect();
    add(Code::Secret, !secrets.is_empty());
    let mut lacks_end = false;
    // The first reply is the one that is taught: chosen, or the only one.
    if let Some(taught) = item.replies.first().map(|reply| reply.text.as_str()) {
        for reason in artefacts(taught) {
            if let Some(code) = code_of(&reason) {
                add(code, true);
            }
        }
        add(Code::LanguageChange, is_in_another_language(item, taught));
        lacks_end = has_no_end(taught);
    }
    let refusals: Vec<Refusal> = texts().map(|text| read_refusal(text).class).collect();
    if let ([chosen, rejected], [chosen_is, rejected_is]) = (&item.replies[..], &refusals[..]) {
        // Here these two say less than the gates: `equal` is byte for byte, and a pair both sides of which refuse in any way is
        // worth a look.
        let off = vec![Reason::Equal.as_str().to_owned(), Reason::BothRefuse.as_str().to_owned()];
        let gates = Gates { max_length_ratio: MANY_TIMES, off, ..Gates::default() };
        add(Code::BothRefuse, chosen_is.refuses() && rejected_is.refuses());
        if let Verdict::Reject(reason) | Verdict::Retry(reason) =
            check_pair(&chosen.text, &rejected.text, &gates)
            && let Some(code) = code_of(&reason)
        {
            add(code, true);
        }
        add(Code::ChosenRefuses, chosen_is.refuses() && !rejected_is.refuses());
        add(Code::RejectedRefuses, rejected_is.refuses() && !chosen_is.refuses());
        let cuts = equal_after(&chosen.whole, &rejected.whole, cuts);
        for (place, cut) in &cuts {
            found.codes.insert(Name::CutEqual { place: *place, tokens: cut.tokens });
        }
        found.cuts = cuts.into_iter().map(|(_, cut)| cut).collect();
    }
    Found { secrets, refusals, lacks_end, ..found }
}

/// The code of an audit that says what a gate says.
fn code_of(reason: &Reason) -> Option<Code> {
    reason.as_str().parse().ok()
}

/// The cuts after which two texts that differ are the same.
fn equal_after(a: &str, b: &str, cuts: &Cuts) -> Vec<(usize, Cut)> {
    if a == b {
        return Vec::new();
    }
    let same_bytes = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let is_cut = |(_, (_, bytes)): &(usize, (u32, usize))| same_bytes >= *bytes;
    let cut = |(place, (tokens, bytes)): (usize, (u32, usize))| {
        (place, Cut { tokens, same_bytes: same_bytes.min(bytes) })
    };
    cuts.iter().enumerate().filter(is_cut).map(cut).collect()
}

/// Whether the reply that is taught is surely in another language than the prompt. A short prompt does not tell its language; then
/// the row's label, or the other reply, does.
fn is_in_another_language(item: &Item, taught: &str) -> bool {
    if language::detect(&item.prompt).is_some() {
        return changes_language(&item.prompt, taught);
    }
    let named =
        item.language.as_deref().and_then(|tag| tag.split(['-', '_']).next()).filter(|tag| *tag != "und");
    match (named, item.replies.get(1)) {
        (Some(tag), _) => {
            language::detect(taught).is_some_and(|spoken| !language::are_close(spoken.tag, tag))
        }
        (None, Some(other)) => changes_language(&other.text, taught),
        (None, None) => false,
    }
}

/// Whether a text is prose of some length whose last line ends in a letter or a comma.
fn has_no_end(text: &str) -> bool {
    let last_line = text.trim_end().lines().last().unwrap_or_default().trim();
    let is_prose = last_line.split_whitespace().nth(5).is_some()
        && !last_line.starts_with(['-', '*', '•', '#', '>', '|', '`']);
    is_prose && last_line.ends_with(|c: char| c.is_alphanumeric() || matches!(c, ',' | ';' | '-'))
}

/// Whether a text holds characters that hide or reorder what a person reads. What was no text in the file stands here as
/// U+FFFD.
fn has_control(text: &str) -> bool {
    text.chars().any(|c| {
        c.is_control() && !matches!(c, '\n' | '\r' | '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffd}')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(prompt: &str, chosen: &str, rejected: &str) -> Item {
        let reply = |text: &str| Reply { text: text.into(), whole: format!("{prompt}\n\n{text}") };
        Item {
            prompt: prompt.into(),
            said: prompt.into(),
            replies: vec![reply(chosen), reply(rejected)],
            ..Item::default()
        }
    }

    fn codes(item: &Item, shape: Shape) -> String {
        let cuts = Cuts::new(vec![16], 4);
        let names = findings(item, shape, &cuts).codes.names(&cuts);
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_kind_of_fault_has_its_code() {
        let prompt = "How do I get wine out of a carpet?";
        let good = "Dab it with cold water and salt, and let it dry before you brush it out.";
        let check = |chosen: &str, rejected: &str, expected: &str| {
            assert_eq!(
                codes(&pair(prompt, chosen, rejected), Shape::Pairs),
                expected,
                "{chosen:?} {rejected:?}"
            );
        };
        check(good, "Throw the carpet away.", "");
        check(good, "", "empty");
        check("Throw the carpet away.", "Throw the carpet away. ", "equal");
        check("Throw the carpet away.", "throw the carpet away", "too-close");
        check(
            "I'm sorry, but I can't help with that.",
            "Sorry, I cannot assist with this request.",
            "both-refuse",
        );
        check("I'm sorry, but I can't help with that.", good, "chosen-refuses");
        check(good, "I'm sorry, but I can't help with that.", "rejected-refuses");
        check("<think>hm</think>", good, "think-tag");
        check(&format!("{good} <|im_end|> And"), "Throw the carpet away.", "role-tag");
        check(&format!("{good}\u{202e}"), "Throw the carpet away.", "control");
        check(
            &"Dab it with cold water, and let it dry well. ".repeat(12),
            "No idea at all.",
            "length-ratio repetition",
        );
        let long = "a b c d e f g h i j k l m n o p q r s t u v w x y z";
        check(&format!("{long} {long} one"), &format!("{long} {long} two"), "cut-equal@16");
    }

    #[test]
    fn what_does_not_belong_to_a_shape_is_not_said_of_it() {
        let item = Item { prompt: "N/A".into(), said: "N/A".into(), bad_roles: true, ..Item::default() };
        assert_eq!(codes(&item, Shape::Prompts), "");
        assert_eq!(codes(&Item::default(), Shape::Documents), "empty");
    }
}
