//! Overlaps of words: what the gates count with. Pure, and linear in the length of the text.

use crate::pure::text::words;
use std::collections::{HashMap, HashSet};

/// How much of a text is found elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Overlap {
    /// Words covered by shared n-grams.
    pub(super) covered: usize,
    /// They, as a share of the text's words.
    pub(super) share: f64,
}

/// How many words of `text` stand in runs of `n` that also occur in one of `sources` and in none of `known`.
/// What is `known` (the prompt, the text revised) may be repeated freely.
pub(super) fn overlap(text: &[String], sources: &[&str], known: &[&str], n: usize) -> Overlap {
    let none = Overlap { covered: 0, share: 0.0 };
    if sources.is_empty() || text.len() < n || n == 0 {
        return none;
    }
    // The text's own runs are few; the sources are streamed past them, so that nothing is copied.
    let own: HashSet<&[String]> = text.windows(n).collect();
    let met_in = |texts: &[&str]| -> HashSet<&[String]> {
        let met = texts.iter().flat_map(|source| {
            let spoken = words(source);
            spoken.windows(n).filter_map(|run| own.get(run).copied()).collect::<Vec<_>>()
        });
        met.collect()
    };
    let foreign = met_in(sources);
    if foreign.is_empty() {
        return none;
    }
    let known = met_in(known);
    let mut covered = vec![false; text.len()];
    for (at, run) in text.windows(n).enumerate() {
        if foreign.contains(run) && !known.contains(run) {
            covered.iter_mut().skip(at).take(n).for_each(|c| *c = true);
        }
    }
    let covered = covered.into_iter().filter(|c| *c).count();
    Overlap { covered, share: covered as f64 / text.len() as f64 }
}

/// Whether more than this share of the text's runs of `n` words were there before: few in fresh text, most in a loop.
pub(super) fn repeats_more_than(text: &[String], n: usize, share: f64) -> bool {
    if text.len() < n || n == 0 {
        return false;
    }
    let total = text.len() + 1 - n;
    let most = share * total as f64;
    // A repeated run begins with a repeated word: where few words repeat, few runs can.
    let distinct: HashSet<&str> = text.iter().map(String::as_str).collect();
    if (text.len() - distinct.len()) as f64 <= most {
        return false;
    }
    let mut seen = HashSet::new();
    let repeated = text.windows(n).filter(|run| !seen.insert(*run)).count();
    repeated as f64 > most
}

/// How many words at the end are one unit said over and over (at least `times` times, units up to 40 words).
pub(super) fn looping_tail(text: &[String], times: usize) -> usize {
    let looped = |unit: usize| {
        let tail = text.iter().rev();
        let run = tail.clone().zip(tail.skip(unit)).take_while(|(a, b)| a == b).count();
        if run + unit >= unit * times { run + unit } else { 0 }
    };
    (1..=40.min(text.len() / times.max(1))).map(looped).max().unwrap_or(0)
}

/// The number of word edits (insert, delete, replace) between two texts, if it is at most `most`.
/// Only the band of the table that can matter is filled, so the cost is length × `most`.
pub(super) fn edits_within(a: &[String], b: &[String], most: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    // Small numbers compare faster than words, row after row.
    let mut number = HashMap::new();
    let mut numbered = |text: &[String]| -> Vec<usize> {
        text.iter()
            .map(|w| {
                let next = number.len();
                *number.entry(w.clone()).or_insert(next)
            })
            .collect()
    };
    let (a, b) = (numbered(a), numbered(b));
    let far = most + 1;
    let mut row: Vec<usize> = (0..=b.len()).map(|j| j.min(far)).collect();
    for (i, word) in a.iter().enumerate() {
        let low = (i + 1).saturating_sub(most);
        let high = (i + 1 + most).min(b.len());
        let mut next = vec![far; b.len() + 1];
        if low == 0 {
            next[0] = (i + 1).min(far);
        }
        for j in low.max(1)..=high {
            let replace = row[j - 1] + usize::from(*word != b[j - 1]);
            next[j] = replace.min(row[j] + 1).min(next[j - 1] + 1).min(far);
        }
        row = next;
    }
    row.last().copied().filter(|edits| *edits <= most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn full_table(a: &[String], b: &[String]) -> usize {
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.iter().enumerate() {
            let mut next = vec![i + 1];
            for (j, y) in b.iter().enumerate() {
                next.push((row[j] + usize::from(x != y)).min(row[j + 1] + 1).min(next[j] + 1));
            }
            row = next;
        }
        row[b.len()]
    }

    #[test]
    fn a_loop_is_seen_and_a_refrain_is_not() {
        let stuck = words(&format!("The answer is plain. {}", "and so on it goes ".repeat(30)));
        assert!(looping_tail(&stuck, 6) >= 140 && repeats_more_than(&stuck, 8, 0.8));
        let verse = words(
            "row row row your boat gently down the stream merrily merrily merrily merrily life is but a dream",
        );
        assert_eq!(looping_tail(&verse, 6), 0);
    }

    #[test]
    fn what_is_known_is_no_overlap() {
        let source = "the quick brown fox jumps over the lazy dog again";
        let text = words(source);
        assert_eq!(overlap(&text, &[source], &[], 5).covered, 10);
        assert_eq!(overlap(&text, &[source], &[source], 5).covered, 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_band_agrees_with_the_full_table(a in "[ab ]{0,24}", b in "[ab ]{0,24}", most in 0_usize..8) {
            let (a, b) = (words(&a), words(&b));
            let exact = full_table(&a, &b);
            prop_assert_eq!(edits_within(&a, &b, most), (exact <= most).then_some(exact));
        }
    }
}
