//! Text of held-out files in rows: runs of words that both have.

use crate::pure::digest::Parts;
use crate::pure::text::words;
use std::collections::{BTreeSet, HashSet};

/// Words in a run that is no accident.
const RUN: usize = 13;
/// A held-out text of fewer words is looked for whole, if it has at least so many.
const SHORTEST: usize = 5;

/// Runs of words of the held-out texts.
#[derive(Debug, Default)]
pub(super) struct Holdout {
    runs: HashSet<u64>,
    lengths: BTreeSet<usize>,
}

impl Holdout {
    /// Adds a held-out text.
    pub(super) fn add(&mut self, text: &str) {
        let words = words(text);
        let length = words.len().min(RUN);
        if length < SHORTEST {
            return;
        }
        self.lengths.insert(length);
        self.runs.extend(words.windows(length).map(hash));
    }

    /// Whether a text has a run of one of them.
    pub(super) fn meets(&self, text: &str) -> bool {
        if self.runs.is_empty() {
            return false;
        }
        let words = words(text);
        self.lengths.iter().any(|length| words.windows(*length).any(|run| self.runs.contains(&hash(run))))
    }
}

fn hash(run: &[String]) -> u64 {
    run.iter().fold(Parts::new("run"), Parts::with).uniform()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_text_is_met_and_a_shared_phrase_is_not() {
        let mut holdout = Holdout::default();
        holdout.add("How do I keep bread fresh?");
        holdout.add("Please.");
        let long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen";
        holdout.add(long);
        assert!(holdout.meets("She asked: how do I keep bread fresh, and for how long?"));
        assert!(holdout.meets(&format!("zero {long}")));
        assert!(!holdout.meets("How do I keep milk fresh? Please."));
        assert!(!holdout.meets("one two three four five six seven eight nine ten eleven twelve thirty"));
    }
}
