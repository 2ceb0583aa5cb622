//! Reads from the messages alone what a request asks for: a draft, a critique, a revision, a comparison …
//!
//! The built-in templates open a review turn with `[Review: kind]`, and every template names its principles in lines
//! `Principle [id]: text`. Templates of a user that keep only the latter are recognised by what they ask.

use super::mark::Mark;
use crate::pure::digest::Parts;

/// One turn of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) role: String,
    pub(super) content: String,
}

/// What a user turn asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Draft,
    Critique,
    Screen,
    Verdict,
    Revision,
    MergedRevision,
    DirectRevision,
    Comparison,
    Choice,
    VerdictChoice,
    RevisionCheck,
}

/// A request, understood.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) kind: Kind,
    /// Hash of the conversation that is, or was, answered.
    pub(super) prompt: String,
    /// The user turn that is, or was, answered; it decides the language.
    pub(super) question: &'a str,
    /// The response under review, with its state.
    pub(super) response: Option<(&'a str, Mark)>,
    /// The critique that a revision or a verdict follows.
    pub(super) critique: Option<&'a str>,
    /// The principles named, in the order of the request; a hash of the request when it names none.
    pub(super) keys: Vec<String>,
    /// The last user turn.
    pub(super) text: &'a str,
}

impl<'a> Asked<'a> {
    /// Understands a request. Whatever is no review is a conversation to answer.
    pub(super) fn read(turns: &'a [Turn]) -> Self {
        let system = turns.iter().find(|turn| !is_spoken(turn)).map_or("", |turn| turn.content.as_str());
        let turns: Vec<&Turn> = turns.iter().filter(|turn| is_spoken(turn)).collect();
        let text = turns.last().map_or("", |turn| turn.content.as_str());
        let kind = kind_of(text, turns.len() > 1);
        let reviewed = match kind {
            Kind::Critique
            | Kind::Screen
            | Kind::Verdict
            | Kind::Revision
            | Kind::MergedRevision
            | Kind::VerdictChoice
            | Kind::RevisionCheck
            | Kind::DirectRevision => Reviewed::before(&turns),
            Kind::Draft | Kind::Comparison | Kind::Choice => None,
        };
        // A screening has its principles in the system turn.
        let names_none = kind == Kind::Screen && !text.lines().any(|line| principle_id(line).is_some());
        let keys = keys_of(kind, if names_none { system } else { text });
        let Some(reviewed) = reviewed else {
            let kind = match kind {
                Kind::Comparison | Kind::Choice => kind,
                Kind::Draft
                | Kind::Critique
                | Kind::Screen
                | Kind::Verdict
                | Kind::VerdictChoice
                | Kind::RevisionCheck
                | Kind::Revision
                | Kind::MergedRevision
                | Kind::DirectRevision => Kind::Draft,
            };
            let prompt =
                conversation_hash(turns.iter().map(|turn| (turn.role.as_str(), turn.content.as_str())));
            return Self { kind, prompt, question: text, response: None, critique: None, keys, text };
        };
        let before = turns.get(..reviewed.response).unwrap_or_default();
        let prompt = conversation_hash(before.iter().map(|turn| (turn.role.as_str(), turn.content.as_str())));
        let response = turns.get(reviewed.response).map_or("", |turn| turn.content.as_str());
        let mark = Mark::of(&prompt, response);
        let question = before.last().map_or("", |turn| turn.content.as_str());
        let critique = reviewed.critique.and_then(|at| turns.get(at)).map(|turn| turn.content.as_str());
        Self {
            kind,
            prompt: mark.prompt.clone(),
            question,
            response: Some((response, mark)),
            critique,
            keys,
            text,
        }
    }
}

fn is_spoken(turn: &Turn) -> bool {
    matches!(turn.role.as_str(), "user" | "assistant")
}

/// Hash of a conversation as the world knows it: system turns are no part of it.
pub(super) fn conversation_hash<'a>(turns: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    turns
        .filter(|(role, _)| matches!(*role, "user" | "assistant"))
        .fold(Parts::new("sim prompt"), |parts, (role, content)| parts.with(role).with(content))
        .short()
}

/// Where the response under review stands, and the critique of it.
#[derive(Debug)]
struct Reviewed {
    response: usize,
    critique: Option<usize>,
}

impl Reviewed {
    /// Goes back over reviews and their answers to the response that they are about.
    fn before(turns: &[&Turn]) -> Option<Self> {
        let mut critique = None;
        let mut at = turns.len().checked_sub(2)?;
        loop {
            if turns.get(at)?.role != "assistant" {
                return None;
            }
            let asked = at.checked_sub(1).and_then(|before| turns.get(before));
            match asked.map_or(Kind::Draft, |turn| kind_of(&turn.content, at > 1)) {
                Kind::Critique | Kind::Verdict | Kind::VerdictChoice | Kind::RevisionCheck | Kind::Screen => {
                    critique = critique.or(Some(at));
                    at = at.checked_sub(2)?;
                }
                Kind::Draft
                | Kind::Revision
                | Kind::MergedRevision
                | Kind::DirectRevision
                | Kind::Comparison
                | Kind::Choice => return Some(Self { response: at, critique }),
            }
        }
    }
}

pub(super) fn kind_of(text: &str, has_response: bool) -> Kind {
    let header = text.trim_start().lines().next().unwrap_or("").trim();
    match header.strip_prefix("[Review: ").and_then(|rest| rest.strip_suffix(']')) {
        Some("critique") => Kind::Critique,
        Some("screen") => Kind::Screen,
        Some("verdict") => Kind::Verdict,
        Some("verdict by choice") => Kind::VerdictChoice,
        Some("confirm revision") => Kind::RevisionCheck,
        Some("revision") => Kind::Revision,
        Some("merged revision") => Kind::MergedRevision,
        Some("direct revision") => Kind::DirectRevision,
        Some("comparison") => Kind::Comparison,
        Some("choice") => Kind::Choice,
        Some(_) | None => kind_by_form(text, has_response),
    }
}

/// For templates without the header line.
fn kind_by_form(text: &str, has_response: bool) -> Kind {
    let starts = |start: &str| text.lines().any(|line| line.starts_with(start));
    let principles = text.lines().filter_map(principle_id).count();
    if principles > 0 && starts("Response (A):") && starts("Response (B):") {
        return Kind::Comparison;
    }
    if has_response && principles == 1 && starts("(A) ") && starts("(B) ") {
        return Kind::VerdictChoice;
    }
    if !has_response || principles == 0 {
        return Kind::Draft;
    }
    let lower = text.to_lowercase();
    let verdict = lower.contains("verdict");
    match (verdict, principles) {
        (true, 1) if lower.contains("verdict alone") || lower.contains("only the verdict") => Kind::Verdict,
        (true, 1) => Kind::Critique,
        (true, _) => Kind::Screen,
        (false, 1) => Kind::Revision,
        (false, _) => Kind::MergedRevision,
    }
}

fn principle_id(line: &str) -> Option<&str> {
    line.strip_prefix("Principle [")?.split_once("]:").map(|(id, _)| id)
}

/// The principles a request names. Where it is about one, the last line counts: what stands before is quoted.
fn keys_of(kind: Kind, text: &str) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for id in text.lines().filter_map(principle_id) {
        if !keys.iter().any(|key| key == id) {
            keys.push(id.to_owned());
        }
    }
    let one = match kind {
        Kind::Screen | Kind::MergedRevision | Kind::DirectRevision => false,
        Kind::Draft
        | Kind::Critique
        | Kind::Verdict
        | Kind::VerdictChoice
        | Kind::RevisionCheck
        | Kind::Revision
        | Kind::Comparison
        | Kind::Choice => true,
    };
    if one && keys.len() > 1 {
        keys.drain(..keys.len() - 1);
    }
    if keys.is_empty() {
        keys.push(Parts::new("sim principle").with(text).short());
    }
    keys
}

/// The two responses of a comparison.
pub(super) fn pair(text: &str) -> Option<(&str, &str)> {
    let after = text.split_once("--- end of conversation ---").map_or(text, |(_, after)| after);
    let (_, rest) = after.split_once("Response (A):\n")?;
    let (a, rest) = rest.split_once("Response (B):\n")?;
    let (a, _) = a.split_once("--- end of response (A) ---").unwrap_or((a, ""));
    let end = rest.find("--- end of response (B) ---").or_else(|| rest.rfind("\nPrinciple ["));
    let b = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
    Some((a.trim(), b.trim()))
}

/// The question and the options of a multiple choice, with their letters.
pub(super) fn options(text: &str) -> Option<(&str, Vec<(char, String)>)> {
    let (question, rest) = text.rsplit_once("\nOptions:\n")?;
    let mut found: Vec<(char, String)> = Vec::new();
    for line in rest.lines().take_while(|line| !line.trim().is_empty() || line.starts_with(' ')) {
        match lettered(line) {
            Some((letter, option)) if usize::from(letter as u8 - b'A') == found.len() => {
                found.push((letter, option.to_owned()));
            }
            Some(_) | None => {
                let (_, option) = found.last_mut()?;
                option.push('\n');
                option.push_str(line);
            }
        }
    }
    (found.len() > 1).then_some((question, found))
}

fn lettered(line: &str) -> Option<(char, &str)> {
    let (letter, option) = line.strip_prefix('(')?.split_once(')')?;
    let mut letters = letter.chars();
    match (letters.next(), letters.next()) {
        (Some(letter @ 'A'..='Z'), None) => Some((letter, option.trim_start())),
        (_, _) => None,
    }
}
