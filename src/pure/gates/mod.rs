//! Gates: what may become a row. Pure functions from text to a verdict with a reason code.
//!
//! The same gates run twice. While a chain is made, a method repairs what it can, asks again where a new draw may
//! help, and gives up otherwise. At export they run once more over stored transcripts, without a call, so that a new
//! gate or threshold works on old runs. Thresholds stand in the recipe's `[gates]`.
//!
//! A gate never sees an outcome: truncated, filtered and failed calls end before it (law 2). It finds what an endpoint
//! called complete and is not a response all the same.

mod artefacts;
mod contacts;
mod cut_short;
mod ngram_overlap;
mod pattern;
mod preamble;
mod refusal;

pub use contacts::invented_contact;
pub use preamble::repair_preamble;
pub use refusal::{ByPrompt, Refusal, RefusalReading, read_refusal, read_refusal_of, refusal};

use crate::pure::reason::Reason;
use crate::pure::recipe::Gates;
use crate::pure::text::{language, words};
use artefacts::Mark;
use ngram_overlap::{edits_within, looping_tail, overlap, repeats_more_than};
use std::collections::HashSet;

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to object to.
    Pass,
    /// Good once this is cut away.
    Repair {
        /// The text to use.
        text: String,
        /// What was cut.
        codes: Vec<Reason>,
    },
    /// Not usable; another draw may be.
    Retry(Reason),
    /// Not usable, and asking again is unlikely to help.
    Reject(Reason),
}

impl Verdict {
    /// The code, when the text cannot be used as it is or repaired. Where no call can be made, retry means reject.
    pub fn objection(&self) -> Option<Reason> {
        match self {
            Self::Pass | Self::Repair { .. } => None,
            Self::Retry(code) | Self::Reject(code) => Some(code.clone()),
        }
    }
}

/// A response before it may be used, with what stood around it when it was made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Candidate<'a> {
    /// The text.
    pub text: &'a str,
    /// What the user asked; it may be repeated freely.
    pub prompt: &'a str,
    /// The response that this one revises; `None` for a draft.
    pub original: Option<&'a str>,
    /// The critiques that it answers.
    pub critiques: &'a [&'a str],
    /// Texts of the few-shot examples that were shown.
    pub examples: &'a [&'a str],
    /// The request that it answers, where an instruction of ours asked for it.
    pub request: Option<&'a str>,
}

/// Runs every gate on one response. Repairs come first, and what is left is checked again.
pub fn check_response(candidate: &Candidate<'_>, gates: &Gates) -> Verdict {
    let mut text = candidate.text.trim();
    let mut codes = Vec::new();
    if text.is_empty() {
        return Verdict::Retry(Reason::Empty);
    }
    if gates.runs(&Reason::ErrorText) && artefacts::is_error_text(text) {
        return Verdict::Retry(Reason::ErrorText);
    }
    for code in [Reason::ThinkTag, Reason::RoleTag].into_iter().filter(|code| gates.runs(code)) {
        let find = if code == Reason::ThinkTag { artefacts::think_tags } else { artefacts::role_tags };
        match find(text) {
            Mark::None => {}
            Mark::Repairable(rest) => {
                text = rest.trim();
                codes.push(code);
            }
            Mark::Broken => return Verdict::Retry(code),
        }
    }
    if gates.runs(&Reason::Preamble)
        // Where the original has such talk too, it belongs to the answer: somebody asked for a text to be rewritten.
        && candidate.original.is_some_and(|original| repair_preamble(original).is_none())
        && let Some(rest) = repair_preamble(text)
    {
        text = rest;
        codes.push(Reason::Preamble);
    }
    if let Some(code) = objection_to(text, candidate, gates).filter(|code| gates.runs(code)) {
        return Verdict::Retry(code);
    }
    if codes.is_empty() { Verdict::Pass } else { Verdict::Repair { text: text.to_owned(), codes } }
}

/// The first gate that objects to a text that can no longer be repaired.
fn objection_to(text: &str, candidate: &Candidate<'_>, gates: &Gates) -> Option<Reason> {
    let spoken = words(text);
    let known: Vec<&str> = candidate.original.into_iter().chain([candidate.prompt]).collect();
    let taken_from = |sources: &[&str], share: f64| {
        let found = overlap(&spoken, sources, &known, gates.overlap_ngram);
        found.covered >= gates.overlap_min_words && found.share >= share
    };
    let echoes = || {
        candidate.original.is_some_and(|original| is_critique(text) && !is_critique(original))
            || taken_from(candidate.critiques, gates.max_critique_overlap)
    };
    let repeats = || {
        spoken.len() >= 60 && repeats_more_than(&spoken, 8, gates.max_repeated_share)
            || looping_tail(&spoken, 6) >= 24
            || has_long_run_of_one_character(text)
    };
    let mentions_itself = || {
        candidate.original.is_some()
            && preamble::mentions_itself(text)
            && !known.iter().any(|known| preamble::mentions_itself(known))
    };
    let request: Vec<&str> = candidate.request.into_iter().collect();
    let objections: [(Reason, &dyn Fn() -> bool); 8] = [
        (Reason::Sentinel, &|| artefacts::is_sentinel(text, candidate.prompt, candidate.original.is_some())),
        (Reason::CritiqueEcho, &echoes),
        (Reason::SelfMention, &mentions_itself),
        (Reason::ExampleLeak, &|| taken_from(candidate.examples, gates.max_example_overlap)),
        (Reason::InstructionEcho, &|| taken_from(&request, gates.max_example_overlap)),
        (Reason::Repetition, &repeats),
        (Reason::TruncationSigns, &|| artefacts::looks_truncated(text)),
        (Reason::LanguageChange, &|| {
            candidate.original.is_some_and(|original| changes_language(original, text))
        }),
    ];
    objections.iter().find(|(code, objects)| gates.runs(code) && objects()).map(|(code, _)| code.clone())
}

/// Every artefact of a reply that stands alone, without what was around it when it was made.
pub fn artefacts(text: &str) -> Vec<Reason> {
    let spoken = words(text);
    let repeats = || {
        spoken.len() >= 60 && repeats_more_than(&spoken, 8, Gates::default().max_repeated_share)
            || looping_tail(&spoken, 6) >= 24
            || has_long_run_of_one_character(text)
    };
    let checks: [(Reason, &dyn Fn() -> bool); 7] = [
        (Reason::ErrorText, &|| artefacts::is_error_text(text)),
        (Reason::ThinkTag, &|| artefacts::think_tags(text) != Mark::None),
        (Reason::RoleTag, &|| artefacts::role_tags(text) != Mark::None),
        (Reason::Preamble, &|| repair_preamble(text).is_some()),
        (Reason::Sentinel, &|| artefacts::is_sentinel(text, "", false)),
        (Reason::Repetition, &repeats),
        (Reason::TruncationSigns, &|| artefacts::looks_truncated(text)),
    ];
    if text.trim().is_empty() {
        return Vec::new();
    }
    checks.into_iter().filter(|(_, found)| found()).map(|(code, _)| code).collect()
}

/// Whether a text repeats the request that it answers instead of answering it: its instruction, a placeholder of it, or an
/// example. What the request is about is `known`, and may be quoted freely.
pub fn repeats_request(text: &str, request: &str, known: &[&str]) -> bool {
    /// Long enough that two texts seldom share one by chance, short enough for a sentence of an instruction.
    const RUN: usize = 6;
    let spoken = words(text);
    let found = overlap(&spoken, &[request], known, RUN);
    found.covered >= RUN && found.share >= 0.5
}

/// Whether the text opens as a critique does, ends in a verdict line, or is a critic's JSON.
fn is_critique(text: &str) -> bool {
    let is_json = serde_json::from_str::<serde_json::Value>(text.trim())
        .is_ok_and(|json| json.get("verdict").is_some() || json.get("critique").is_some());
    if is_json || preamble::talks_about_a_response(text) {
        return true;
    }
    let text = text.trim().trim_start_matches(['*', '#', '_', ' ']).to_lowercase();
    let openings = [
        "critique:",
        "critique request",
        "revision request",
        "the response violates",
        "the assistant's response",
        "the assistant’s response",
        "the response conforms",
        "the response does not violate",
        "the response fails to",
        "the ai's response",
        "the ai’s response",
        "the model's response",
        "this response violates",
        "the draft ",
        "identify specific ways",
        "critique of the response",
        "the last response",
    ];
    let last = text.lines().last().unwrap_or("").trim().trim_matches(['*', '_', '.']);
    openings.iter().any(|opening| text.starts_with(opening))
        || ["violates", "conforms", "not-applicable"].iter().any(|verdict| {
            last.strip_prefix("verdict").is_some_and(|rest| rest.trim_matches([':', '*', ' ']) == *verdict)
        })
}

fn has_long_run_of_one_character(text: &str) -> bool {
    let mut run = 0;
    let mut last = '\0';
    text.chars().any(|c| {
        run = if c == last && c.is_alphanumeric() { run + 1 } else { 0 };
        last = c;
        run >= 40
    })
}

/// Whether two texts are surely in different languages. Short texts and code tell nothing.
pub fn changes_language(before: &str, after: &str) -> bool {
    // Detection is by far the dearest gate, and a text that shares a quarter of its words is in the same language.
    let known: HashSet<String> = words(before).into_iter().collect();
    let spoken: HashSet<String> = words(after).into_iter().collect();
    if spoken.intersection(&known).count() * 4 >= spoken.len() {
        return false;
    }
    match (language::detect(before), language::detect(after)) {
        (Some(a), Some(b)) => !language::are_close(a.tag, b.tag),
        (Some(_) | None, _) => false,
    }
}

/// Runs every gate on a pair. A pair is never repaired: it is a row or it is not.
pub fn check_pair(chosen: &str, rejected: &str, gates: &Gates) -> Verdict {
    if chosen.trim().is_empty() || rejected.trim().is_empty() {
        return Verdict::Reject(Reason::Empty);
    }
    let (a, b) = (words(chosen), words(rejected));
    if chosen.trim() == rejected.trim() || (gates.runs(&Reason::Equal) && !a.is_empty() && a == b) {
        return Verdict::Reject(Reason::Equal);
    }
    let few = (gates.min_edit_share * a.len().max(b.len()) as f64).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small share of a word count"
    )]
    let few = few.max(0.0) as usize;
    if gates.runs(&Reason::TooClose) && few > 0 && edits_within(&a, &b, few - 1).is_some() {
        return Verdict::Reject(Reason::TooClose);
    }
    if gates.runs(&Reason::BothRefuse) && [chosen, rejected].iter().all(|text| declines_fully(text)) {
        return Verdict::Reject(Reason::BothRefuse);
    }
    if gates.runs(&Reason::LengthRatio) && gates.max_length_ratio > 0.0 {
        let (a, b) = (chosen.chars().count() as f64, rejected.chars().count() as f64);
        if a.max(b) > gates.max_length_ratio * a.min(b) {
            return Verdict::Reject(Reason::LengthRatio);
        }
    }
    Verdict::Pass
}

/// Whether a response does nothing but decline, in so many words. One that moralises may still be the better answer, which
/// is what non-evasive training is about.
fn declines_fully(text: &str) -> bool {
    let reading = read_refusal(text);
    reading.class == Refusal::Full && reading.declines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision<'a>(text: &'a str, original: &'a str) -> Candidate<'a> {
        Candidate { text, original: Some(original), ..Candidate::default() }
    }

    fn check(candidate: &Candidate<'_>, want: &Verdict) {
        assert_eq!(check_response(candidate, &Gates::default()), *want, "{:?}", candidate.text);
    }

    #[test]
    fn repairs_are_made_and_named() {
        let text = "<think>so</think>Here is the revised response:\n\nYes, gladly.<|im_end|>";
        let codes = vec![Reason::ThinkTag, Reason::RoleTag, Reason::Preamble];
        check(&revision(text, "No."), &Verdict::Repair { text: "Yes, gladly.".into(), codes });
    }

    #[test]
    fn a_draft_keeps_what_only_a_revision_must_not_have() {
        let text = "Here is the revised response:\n\nDear Ms Doe, thank you for your letter.";
        check(&Candidate { text, ..Candidate::default() }, &Verdict::Pass);
    }

    #[test]
    fn critiques_and_examples_do_not_become_responses() {
        let critique = "The reply hands over a method step by step, and it says nothing about the people who could be \
                        hurt by it, so the rule about serious injury is broken in two places.";
        let echo = Candidate { critiques: &[critique], ..revision(critique, "Mix the two.") };
        check(&echo, &Verdict::Retry(Reason::CritiqueEcho));
        let example = "I'd rather not help with the lock of a house that is not yours; a locksmith can open your own \
                       door within the hour, and asks for proof.";
        let leak = Candidate { examples: &[example], ..revision(example, "Mix the two.") };
        check(&leak, &Verdict::Retry(Reason::ExampleLeak));
        check(
            &Candidate { critiques: &[critique], ..revision("Please ask a chemist.", "Mix them.") },
            &Verdict::Pass,
        );
        check(&revision("The response violates the rule.", "Mix."), &Verdict::Retry(Reason::CritiqueEcho));
        check(&revision("Sure.\nVerdict: violates", "Mix."), &Verdict::Retry(Reason::CritiqueEcho));
    }

    #[test]
    fn what_is_no_answer_does_not_become_a_revision() {
        let original = "Mix the two and wait until it foams.";
        for text in
            ["-", "None", "OK.", "Unchanged", "No response is needed.", "No further edits are required.", "…"]
        {
            check(&revision(text, original), &Verdict::Retry(Reason::Sentinel));
        }
        for text in [
            "{\"critique\": \"It is harsh.\", \"verdict\": \"violates\"}",
            "Overall, this response demonstrates care for the person.",
            "The response is respectful and offers help.",
        ] {
            check(&revision(text, original), &Verdict::Retry(Reason::CritiqueEcho));
        }
        for text in [
            "Yes.",
            "No.",
            "Lima.",
            "No reply came from the office, so ask again.",
            "The answer is 42.",
            "{\"a\": 1}",
        ] {
            check(&revision(text, original), &Verdict::Pass);
        }
    }

    #[test]
    fn a_quote_of_the_original_in_a_critique_is_no_echo() {
        let original =
            "Bread needs flour and water and salt and time, and a hot oven for the better part of an hour.";
        let critique = format!("It says: {original} That is fine.");
        check(&Candidate { critiques: &[&critique], ..revision(original, original) }, &Verdict::Pass);
    }

    #[test]
    fn a_switch_of_language_is_seen() {
        let english = "You could ask a doctor about this before you change anything, because the dose depends on weight.";
        let french = "Vous pourriez demander à un médecin avant de changer quoi que ce soit, car la dose dépend du poids.";
        check(&revision(french, english), &Verdict::Retry(Reason::LanguageChange));
        check(&revision("Oui, demandez à un médecin.", english), &Verdict::Pass);
    }

    #[test]
    fn a_gate_can_be_turned_off() {
        let gates = Gates { off: vec!["sentinel".into()], ..Gates::default() };
        assert_eq!(
            check_response(&revision("N/A", "x"), &Gates::default()),
            Verdict::Retry(Reason::Sentinel)
        );
        assert_eq!(check_response(&revision("N/A", "x"), &gates), Verdict::Pass);
    }

    #[test]
    fn pairs() {
        let gates = Gates::default();
        let long = "word ".repeat(400);
        for (chosen, rejected, want) in [
            ("Yes.", "yes", Verdict::Reject(Reason::Equal)),
            ("Yes.", " ", Verdict::Reject(Reason::Empty)),
            ("Yes.", "No.", Verdict::Pass),
            ("I can't help with that.", "Sorry, but I won't do this.", Verdict::Reject(Reason::BothRefuse)),
            ("I can't help with that.", "Mix the two and wait.", Verdict::Pass),
            (&format!("{long}end"), &format!("{long}stop"), Verdict::Reject(Reason::TooClose)),
            (&format!("{long} one two three four five six"), &long, Verdict::Pass),
        ] {
            assert_eq!(check_pair(chosen, rejected, &gates), want, "{chosen:.20} | {rejected:.20}");
        }
        let ratio = Gates { max_length_ratio: 5.0, ..gates };
        assert_eq!(check_pair(&long, "No.", &ratio), Verdict::Reject(Reason::LengthRatio));
    }
}
