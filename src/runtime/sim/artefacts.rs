//! What the simulated model writes that is no clean answer, and how its critic knows such a text when it is asked.

use super::draw::Draw;
use super::mark::Mark;

/// Things that servers and scripts leave in place of a response.
const SENTINELS: [&str; 6] =
    ["No revisions needed.", "N/A", "[ERROR] upstream timed out", "null", "<|endoftext|>", "[INST]"];

/// Talk before a revision. The gates know its kinds.
const PREAMBLES: [&str; 4] = [
    "Sure, here is the revised response:",
    "Here's a revised version of my response that keeps the principle:",
    "Revised response:",
    "Certainly! Below is the rewritten answer.",
];

/// Remarks after a revision, in words that no rule of the gates knows: only a reader sees that they are none of the answer.
const ASIDES: [&str; 4] = [
    "Said more softly than a moment ago, and without the part that somebody minded.",
    "There: gentler now, and nobody should have anything to hold against it any more.",
    "That should be closer to what was wanted when this came back for another go.",
    "The middle stands as it stood; only the two ends were touched this time.",
];

fn one_of(texts: &'static [&'static str], draw: &Draw, name: &str) -> &'static str {
    texts.get(draw.below(name, texts.len())).copied().unwrap_or_default()
}

pub(super) fn sentinel(draw: &Draw) -> &'static str {
    one_of(&SENTINELS, draw, "sentinel text")
}

pub(super) fn preamble(draw: &Draw) -> &'static str {
    one_of(&PREAMBLES, draw, "preamble text")
}

pub(super) fn aside(draw: &Draw) -> &'static str {
    one_of(&ASIDES, draw, "aside text")
}

/// Whether a response is an answer and nothing else: none of the above stands in it, and no critique.
fn is_clean(response: &str) -> bool {
    let text = Mark::strip(response).trim();
    let is_critique = text.lines().any(|line| line.starts_with("Verdict: "));
    !(is_critique
        || SENTINELS.contains(&text)
        || PREAMBLES.iter().any(|talk| text.starts_with(talk))
        || ASIDES.iter().any(|aside| text.contains(aside)))
}

/// What the critic says when it is asked whether a revision is a clean answer.
pub(super) fn confirmation(response: &str) -> &'static str {
    if is_clean(response) { "Yes." } else { "No, it says more than the answer to the user." }
}
