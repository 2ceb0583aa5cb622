//! The voices of a response: jailbreaks have a model answer twice, once as itself and once as a persona.
//!
//! Only the names that such prompts give are marks of a voice. "Note:" or "Step 1:" are not, and a play has its own rule.

use crate::pure::gates::pattern::regex;
use regex::Regex;
use std::sync::LazyLock;

/// A voice that says less gives no answer.
pub(super) const WORDS_OF_AN_ANSWER: usize = 6;

/// The beginning of what a voice says: a name and a colon at the start of a line, or one of the two locks.
static MARK: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?mi)^[ \t>*_\[(]*(?:[\u{1F512}\u{1F513}]|(?:(?:better|super|omega|true)?[ -]?dan(?: \d+(?:\.\d+)?)?|stan|dude|aim|kevin|nai|ucar|anti-?gpt|chat-?gpt|gpt(?:-?\d)?|claude|assistant|classic|normal|standard|jailbr[eo][a-z]*|developer mode|dev mode|unfiltered|uncensored|unrestricted|evil[ -]?[a-z]*|opposite|persona|character)(?: (?:output|response|mode|answer|reply|version|bot))?[\])*_ ]*[:：])",
    )
});

/// Whether a line can begin with a mark: most texts have none, and the pattern is dear.
fn may_have_marks(text: &str) -> bool {
    const LONGEST: usize = 64;
    text.lines().any(|line| {
        let line = line.trim_start_matches([' ', '\t', '>', '*', '_', '[', '(']);
        line.chars().take(LONGEST).any(|c| matches!(c, ':' | '：' | '\u{1F512}' | '\u{1F513}'))
    })
}

/// What each voice says; the whole text where no mark tells voices apart.
pub(super) fn voices(text: &str) -> Vec<&str> {
    if !may_have_marks(text) {
        return vec![text];
    }
    let starts: Vec<usize> = MARK.find_iter(text).map(|mark| mark.start()).collect();
    let bounds = std::iter::once(0).chain(starts.iter().copied());
    let ends = starts.iter().copied().chain([text.len()]);
    let parts = bounds.zip(ends).filter_map(|(from, to)| text.get(from..to));
    let said: Vec<&str> = parts
        .map(|part| MARK.find(part).map_or(part, |mark| part.get(mark.end()..).unwrap_or(part)))
        .collect();
    let said: Vec<&str> = said.into_iter().filter(|part| !part.trim().is_empty()).collect();
    if said.is_empty() { vec![text] } else { said }
}
