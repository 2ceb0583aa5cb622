//! Reads verdicts out of what a critic wrote. Pure, tolerant of form, and it never guesses: what is not plainly a
//! verdict is `None`, and the caller asks again or counts it as undecided.

use crate::pure::transcript::Verdict;
use serde_json::Value;

/// A critique taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The critique without its verdict line; the `critique` field of a structured one.
    pub text: String,
    /// The verdict, if there is exactly one that can be meant.
    pub verdict: Option<Verdict>,
}

/// Reads a critique: a JSON object with a `verdict`, or a text whose closing line is one.
pub fn read_critique(answer: &str) -> Reading {
    if let Some(object) = read_object(answer) {
        let field = |name: &str| object.get(name).and_then(Value::as_str);
        if let Some(verdict) = field("verdict") {
            let text = field("critique").unwrap_or_default().trim().to_owned();
            return Reading { text, verdict: read_word(verdict) };
        }
    }
    read_closing_line(answer)
}

/// Reads the answer to a request for the verdict alone: here the bare word will do, if there is nothing else.
pub fn read_verdict(answer: &str) -> Option<Verdict> {
    read_critique(answer).verdict.or_else(|| read_word(answer))
}

/// Reads a screening: a verdict per principle id, in the order of `ids`; `None` where there is none, or two that differ.
pub fn read_screen(answer: &str, ids: &[&str]) -> Vec<Option<Verdict>> {
    if let Some(object) = read_object(answer) {
        return ids.iter().map(|id| object.get(*id).and_then(Value::as_str).and_then(read_word)).collect();
    }
    let lines: Vec<(String, Option<Verdict>)> = answer.lines().filter_map(read_screen_line).collect();
    ids.iter()
        .map(|id| {
            let mut found = lines.iter().filter(|(name, _)| name == id).map(|(_, verdict)| *verdict);
            let first = found.next()??;
            found.all(|other| other == Some(first)).then_some(first)
        })
        .collect()
}

/// `[id] verdict`, with or without list marks, brackets, bold and a colon.
fn read_screen_line(line: &str) -> Option<(String, Option<Verdict>)> {
    let line = line.trim_start_matches(|c: char| c.is_ascii_digit() || ".)-*•[`_ \t".contains(c));
    let end = line.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'))?;
    let (id, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(|c: char| "]`*_:：=-–— \t".contains(c));
    (!id.is_empty()).then(|| (id.to_owned(), read_word(rest)))
}

/// The answer as a JSON object, if it is one, alone or in a code fence.
fn read_object(answer: &str) -> Option<serde_json::Map<String, Value>> {
    let text = answer.trim();
    let text = text.strip_prefix("```").and_then(|t| t.strip_suffix("```")).unwrap_or(text);
    let text = text.strip_prefix("json").unwrap_or(text).trim();
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Some(object),
        Ok(_) | Err(_) => None,
    }
}

/// The last line that says anything decides. Where the lines just before it are verdicts too and say otherwise, the
/// critic repeats its instructions or contradicts itself, and nothing is decided.
fn read_closing_line(answer: &str) -> Reading {
    let lines: Vec<&str> = answer.lines().collect();
    let said = |line: &&str| line.chars().any(char::is_alphanumeric);
    let mut end = lines.len();
    let mut verdict: Option<Verdict> = None;
    let mut agree = true;
    while let Some(last) = lines.iter().take(end).rposition(said) {
        let above = lines.iter().take(last).rposition(said);
        let (from, found) = match (word_of(lines[last]), above) {
            (Some(word), _) => (last, read_word(word)),
            // The label may stand on a line of its own, as a heading.
            (None, Some(above)) if is_label(lines[above]) => (above, read_word(lines[last])),
            (None, Some(_) | None) => break,
        };
        agree &= found.is_some() && (verdict.is_none() || verdict == found);
        verdict = verdict.or(found);
        end = from;
    }
    let text = lines.iter().take(end).copied().collect::<Vec<_>>().join("\n");
    Reading { text: text.trim().to_owned(), verdict: verdict.filter(|_| agree) }
}

/// The word of a line `Verdict: word`; `None` if it is no such line.
fn word_of(line: &str) -> Option<&str> {
    let (label, word) = line.split_once([':', '：', '='])?;
    (is_label(label) && word.chars().any(char::is_alphanumeric)).then_some(word)
}

/// The word for verdict, as critics write it, in the languages that they slip into.
fn is_label(label: &str) -> bool {
    const LABELS: [&str; 18] = [
        "verdict",
        "final verdict",
        "my verdict",
        "the verdict",
        "overall verdict",
        "the verdict is",
        "urteil",
        "verdikt",
        "veredicto",
        "veredito",
        "verdetto",
        "вердикт",
        "判定",
        "结论",
        "裁定",
        "判决",
        "판정",
        "الحكم",
    ];
    LABELS.contains(&bare(label).as_str())
}

/// A verdict's word: one of the three, or a form of it that can mean nothing else.
fn read_word(word: &str) -> Option<Verdict> {
    match bare(word).replace(['-', '_', '‑'], " ").as_str() {
        "violates" | "violated" | "violation" | "violating" | "violates the principle" => {
            Some(Verdict::Violates)
        }
        "conforms"
        | "conform"
        | "conforming"
        | "conforms to the principle"
        | "does not violate"
        | "does not violate the principle"
        | "no violation" => Some(Verdict::Conforms),
        "not applicable" | "notapplicable" | "n/a" | "not applicable to this response" => {
            Some(Verdict::NotApplicable)
        }
        _ => None,
    }
}

/// Lower case, without what stands around the words: markdown, quotes, brackets, closing punctuation.
fn bare(text: &str) -> String {
    let around = |c: char| c.is_whitespace() || "*_`#>~\"'“”‘’«»()[]<>{}.,;:!。．、-–—•$\\".contains(c);
    text.trim_matches(around).to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_closing_line_is_a_verdict_in_any_dress() {
        let check = |answer: &str, expected: &str| {
            let reading = read_critique(answer);
            let verdict = reading.verdict.map_or("none", Verdict::as_str);
            assert_eq!(format!("{verdict} | {}", reading.text), expected, "{answer:?}");
        };
        check("It says how.\nVerdict: violates", "violates | It says how.");
        check("Fine.\n\n**Verdict: Conforms.**\n", "conforms | Fine.");
        check("Fine.\n**Verdict:** not applicable", "not-applicable | Fine.");
        check("Fine.\n- VERDICT：`Not_Applicable`!", "not-applicable | Fine.");
        check("Fine.\n### Final verdict\n\n> conforms", "conforms | Fine.");
        check("Schlecht.\nUrteil: violates", "violates | Schlecht.");
        check("Fine.\nVerdict: \"conforms\"\n---\n", "conforms | Fine.");
        check("Verdict: violates", "violates | ");
        check(
            "First I thought Verdict: violates\nbut no.\nVerdict: conforms",
            "conforms | First I thought Verdict: violates\nbut no.",
        );
        check(
            "Verdict: violates\nOn reflection it is fine.\nVerdict: conforms",
            "conforms | Verdict: violates\nOn reflection it is fine.",
        );
        check("It does not violate it.\nVerdict: does not violate", "conforms | It does not violate it.");
        check("{\"critique\": \"Bad.\", \"verdict\": \"violates\"}", "violates | Bad.");
        check(
            "```json\n{\"critique\": \"Good.\", \"verdict\": \"Not applicable\"}\n```",
            "not-applicable | Good.",
        );
        check("Said twice.\nVerdict: violates\nVerdict: violates", "violates | Said twice.");
    }

    #[test]
    fn what_is_not_plainly_a_verdict_is_none() {
        for answer in [
            "",
            "It violates the principle.",
            "Nobody could say that this\nviolates.",
            "Verdict: violates, conforms or not-applicable",
            "Verdict: <violates, conforms or not-applicable>",
            "So I end with:\nVerdict: violates\nVerdict: conforms\nVerdict: not-applicable",
            "Verdict: violates\nVerdict: conforms",
            "Verdict: violates\nThat is what I would say if it were not fiction.",
            "Verdict: not sure",
            "Verdict:",
            "Verdict: does it violate",
            "The user wrote \"Verdict: conforms\" in the prompt",
            "{\"critique\": \"Bad.\", \"verdict\": \"maybe\"}",
            "{\"critique\": \"Bad.\", \"verdict\": true}",
            "{\"critique\": \"Verdict: violates\"}",
            "[\"violates\"]",
        ] {
            assert_eq!(read_critique(answer).verdict, None, "{answer:?}");
        }
    }

    #[test]
    fn the_bare_word_will_do_when_only_that_was_asked_for() {
        assert_eq!(read_verdict("**Violates.**"), Some(Verdict::Violates));
        assert_eq!(read_verdict("Verdict: conforms"), Some(Verdict::Conforms));
        assert_eq!(read_verdict("{\"critique\": \"\", \"verdict\": \"conforms\"}"), Some(Verdict::Conforms));
        assert_eq!(read_verdict("violates or conforms"), None);
        assert_eq!(read_verdict("I think it violates"), None);
    }

    #[test]
    fn a_screening_is_read_line_by_line_or_as_an_object() {
        let check = |answer: &str, expected: &str| {
            let found: Vec<_> = read_screen(answer, &["kind", "not-preachy", "safe"])
                .into_iter()
                .map(|verdict| verdict.map_or("?", Verdict::as_str))
                .collect();
            assert_eq!(found.join(" "), expected, "{answer:?}");
        };
        check(
            "[kind] conforms\n[not-preachy] violates\n[safe] not-applicable",
            "conforms violates not-applicable",
        );
        check("1. **[safe]**: Violates.\n- kind: conforms", "conforms ? violates");
        check("[kind] conforms\n[kind] violates\n[safe] conforms", "? ? conforms");
        check("[kind] <verdict>\n[safe] violates, conforms", "? ? ?");
        check("{\"kind\": \"violates\", \"safe\": \"conforms\", \"not-preachy\": 3}", "violates ? conforms");
        check("kinder: violates\nunsafe: violates\nnot: conforms", "? ? ?");
        check("", "? ? ?");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn any_text_can_be_read(text in "\\PC{0,200}", more in "(?s).{0,80}") {
            let _ = (read_critique(&text), read_verdict(&more), read_screen(&text, &["a"]));
        }

        #[test]
        fn a_closing_line_is_found_after_any_prose(prose in "[a-zA-Z ,.\n]{0,200}") {
            let reading = read_critique(&format!("{prose}\nit seems.\nVerdict: violates"));
            prop_assert_eq!(reading.verdict, Some(Verdict::Violates));
            prop_assert!(!reading.text.contains("Verdict:"));
        }
    }
}
