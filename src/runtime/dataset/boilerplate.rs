//! Phrases that chosen replies have far more often than rejected ones: what a model would learn to say, whatever the
//! prompt. Counted over the first pairs; these come in the order of content hashes, so they are a fair sample.

use crate::pure::text::{ngrams, words};
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
pub(in crate::runtime) struct Phrases {
    pairs: u64,
    counts: BTreeMap<String, [u64; 2]>,
}

impl Phrases {
    /// Counts one pair.
    pub(in crate::runtime) fn add(&mut self, chosen: &str, rejected: &str) {
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

    /// Whether no more pairs are counted.
    pub(super) fn is_full(&self) -> bool {
        self.pairs >= PAIRS
    }

    /// The phrases that stand in more than the share `most` of chosen replies, and what share of the pairs that teach them
    /// may stay: so many that they are that share of the pairs there were. (Of those that are left would be none where
    /// every reply says the phrase.)
    pub(super) fn boilerplate(&self, most: f64) -> Boilerplate {
        let total = self.pairs.max(1) as f64;
        let found = self.found().into_iter().map(|(phrase, [chosen, _])| {
            let share = *chosen as f64 / total;
            (format!(" {phrase} "), most / share)
        });
        Boilerplate(found.filter(|(_, kept)| *kept < 1.0).collect())
    }

    /// The phrases found, the commonest first.
    fn found(&self) -> Vec<(&String, &[u64; 2])> {
        let total = self.pairs.max(1) as f64;
        let boilerplate = |[chosen, rejected]: &[u64; 2]| {
            let common = *chosen >= FEWEST && *chosen as f64 >= SHARE * total;
            common && *chosen as f64 >= RATIO * (*rejected).max(1) as f64
        };
        let mut found: Vec<(&String, &[u64; 2])> =
            self.counts.iter().filter(|(_, count)| boilerplate(count)).collect();
        found.sort_by_key(|(phrase, [chosen, _])| (std::cmp::Reverse(*chosen), phrase.as_str()));
        found
    }

    /// The phrases found, the commonest first; of those that overlap, the first. Each with the pairs whose chosen reply has
    /// it, and those whose rejected one has.
    pub(in crate::runtime) fn distinct(&self) -> Vec<(String, u64, u64)> {
        let mut said: Vec<BTreeSet<&str>> = Vec::new();
        let mut out = Vec::new();
        for (phrase, [chosen, rejected]) in self.found() {
            let spoken: BTreeSet<&str> = phrase.split(' ').collect();
            let overlaps = said.iter().any(|other| other.intersection(&spoken).count() + 2 >= WORDS);
            said.push(spoken);
            if !overlaps && out.len() < REPORTED {
                out.push((phrase.clone(), *chosen, *rejected));
            }
        }
        out
    }

    /// The same as the statistics of a dataset have it.
    pub(super) fn to_json(&self) -> Json {
        let phrase =
            |(phrase, chosen, rejected)| json!({ "phrase": phrase, "chosen": chosen, "rejected": rejected });
        json!({ "pairs": self.pairs, "phrases": self.distinct().into_iter().map(phrase).collect::<Vec<_>>() })
    }
}

/// Phrases that too many chosen replies would teach; none unless the recipe caps them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Boilerplate(Vec<(String, f64)>);

impl Boilerplate {
    /// The share of pairs like this one that may stay: 1 unless the chosen reply says such a phrase and the rejected one
    /// does not.
    pub fn share_kept(&self, chosen: &str, rejected: &str) -> f64 {
        if self.0.is_empty() {
            return 1.0;
        }
        let spoken = |text: &str| format!(" {} ", words(text).join(" "));
        let (chosen, rejected) = (spoken(chosen), spoken(rejected));
        let taught =
            self.0.iter().filter(|(phrase, _)| chosen.contains(phrase) && !rejected.contains(phrase));
        taught.map(|(_, kept)| *kept).fold(1.0, f64::min)
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

    #[test]
    fn as_many_pairs_that_teach_a_phrase_stay_as_are_allowed() {
        let plain = |n: usize| format!("Question {n} is answered at the office, in room {n}.");
        let spread = |n: usize| format!("{} Remember that you are valued and never alone in this.", plain(n));
        let mut phrases = Phrases::default();
        for n in 0..1000 {
            phrases.add(&if n % 5 < 2 { spread(n) } else { plain(n) }, &plain(n + 5000));
        }
        assert_eq!(phrases.boilerplate(0.5), Boilerplate::default(), "40 % is below the cap");
        let boilerplate = phrases.boilerplate(0.1);
        let kept = boilerplate.share_kept(&spread(7), &plain(8));
        // 400 of 1,000 pairs say it; 100 of them may stay.
        assert!((kept - 0.25).abs() < 1e-9, "{kept}");
        for (chosen, rejected) in [(plain(7), plain(8)), (spread(7), spread(8)), (plain(7), spread(8))] {
            assert!((boilerplate.share_kept(&chosen, &rejected) - 1.0).abs() < 1e-9, "{chosen} | {rejected}");
        }
    }
}
