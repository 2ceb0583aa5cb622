//! Phrases that chosen replies have far more often than rejected ones: what a model would learn to say, whatever the
//! prompt. Counted over the first pairs; these come in the order of content hashes, so they are a fair sample.

use crate::text::{ngrams, words};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// Words in a phrase.
const WORDS: usize = 5;
/// Pairs looked at.
const PAIRS: u64 = 4000;
/// Pairs after which phrases met but once are forgotten, so that memory stays small.
const PRUNE_EVERY: u64 = 200;
/// A phrase is reported from this share of chosen replies on …
const SHARE: f64 = 0.02;
/// … when it is so many times as common there as in rejected ones …
const RATIO: f64 = 5.0;
/// … and stands in so many of them.
const FEWEST: u64 = 10;
/// Phrases reported at most.
const REPORTED: usize = 20;

/// Counts of phrases.
#[derive(Debug, Default)]
pub(super) struct Phrases {
    pairs: u64,
    counts: BTreeMap<String, [u64; 2]>,
}

impl Phrases {
    /// Counts one pair.
    pub(super) fn add(&mut self, chosen: &str, rejected: &str) {
        if self.pairs >= PAIRS {
            return;
        }
        self.pairs += 1;
        for (side, text) in [chosen, rejected].into_iter().enumerate() {
            let spoken = words(text);
            let phrases: BTreeSet<String> =
                ngrams(&spoken, WORDS).filter(|run| run.len() == WORDS).map(|run| run.join(" ")).collect();
            for phrase in phrases {
                if let Some(count) = self.counts.entry(phrase).or_default().get_mut(side) {
                    *count += 1;
                }
            }
        }
        if self.pairs.is_multiple_of(PRUNE_EVERY) {
            self.counts.retain(|_, [chosen, rejected]| *chosen + *rejected > 1);
        }
    }

    /// Whether any pair was counted.
    pub(super) fn is_counted(&self) -> bool {
        self.pairs > 0
    }

    /// The phrases found, the commonest first; of those that overlap, the first.
    pub(super) fn to_json(&self) -> Json {
        let total = self.pairs.max(1) as f64;
        let boilerplate = |[chosen, rejected]: &[u64; 2]| {
            let common = *chosen >= FEWEST && *chosen as f64 >= SHARE * total;
            common && *chosen as f64 >= RATIO * (*rejected).max(1) as f64
        };
        let mut found: Vec<(&String, &[u64; 2])> =
            self.counts.iter().filter(|(_, count)| boilerplate(count)).collect();
        found.sort_by_key(|(phrase, [chosen, _])| (std::cmp::Reverse(*chosen), phrase.as_str()));
        let mut said: Vec<BTreeSet<&str>> = Vec::new();
        let mut out = Vec::new();
        for (phrase, [chosen, rejected]) in found {
            let spoken: BTreeSet<&str> = phrase.split(' ').collect();
            let overlaps = said.iter().any(|other| other.intersection(&spoken).count() + 2 >= WORDS);
            said.push(spoken);
            if !overlaps && out.len() < REPORTED {
                out.push(json!({ "phrase": phrase, "chosen": chosen, "rejected": rejected }));
            }
        }
        json!({ "pairs": self.pairs, "phrases": out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_that_spreads_is_found_once() {
        let mut phrases = Phrases::default();
        for n in 0..500 {
            let chosen = format!("Answer {n} of {n}. Remember that you are valued and never alone in this.");
            phrases.add(
                if n % 3 == 0 { &chosen } else { "Ask at the office and wait." },
                &format!("Go away {n}, and stay there."),
            );
        }
        let found = phrases.to_json();
        let listed: Vec<&str> =
            found["phrases"].as_array().unwrap().iter().map(|p| p["phrase"].as_str().unwrap()).collect();
        assert!(listed.iter().filter(|phrase| phrase.contains("valued")).count() == 1, "{listed:?}");
        assert!(listed.iter().all(|phrase| !phrase.contains("away")), "{listed:?}");
    }
}
