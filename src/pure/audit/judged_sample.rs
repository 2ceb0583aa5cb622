//! What a judge makes of a dataset's own labels: how many of a random sample of pairs it holds for wrong, with what stands
//! beside that figure: the judge's flips and position bias, and the same share on both sides of length and of refusal.

use super::item::Item;
use crate::pure::digest::Parts;
use crate::pure::gates::refusal;
use crate::pure::prompt::{Given, GivenLabel, Prompt};
use crate::pure::reports::judge_report::{Comparing, ComparingSums};
use crate::pure::reports::statistics::Rate;
use crate::pure::transcript::{Comparison, Transcript};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Pairs that are listed one by one.
const LISTED: usize = 20;
/// A probability this close to one half prefers neither.
const NEITHER: f64 = 1e-9;

/// A pair of the sample.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledPair {
    /// `file:line`.
    pub place: String,
    /// The conversation, with both replies in an order that says nothing of their labels.
    pub prompt: Prompt,
    /// The sides of the report on which it counts.
    sides: Vec<&'static str>,
}

impl SampledPair {
    /// A pair to be judged; `None` of a row that has no two replies.
    pub fn of(place: String, item: &Item) -> Option<Self> {
        let [chosen, rejected] = &item.replies[..] else { return None };
        let given = |text: &str, label| Given { text: text.to_owned(), label: Some(label) };
        let mut given =
            vec![given(&chosen.text, GivenLabel::Chosen), given(&rejected.text, GivenLabel::Rejected)];
        given.sort_by_cached_key(|given| Parts::new("order of a pair").with(&given.text).uniform());
        let prompt = Prompt::new(item.turns.clone(), item.hazard.clone(), item.language.clone());
        let sides = sides(&chosen.text, &rejected.text);
        Some(Self { place, prompt: prompt.with_given(given), sides })
    }
}

/// The sides on which a pair counts.
fn sides(chosen: &str, rejected: &str) -> Vec<&'static str> {
    let length = match chosen.len().cmp(&rejected.len()) {
        std::cmp::Ordering::Less => Some("rejected longer"),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some("chosen longer"),
    };
    let refusal = match (refusal(chosen).refuses(), refusal(rejected).refuses()) {
        (true, true) => Some("both refuse"),
        (true, false) => Some("chosen refuses"),
        (false, true) => Some("rejected refuses"),
        (false, false) => Some("neither refuses"),
    };
    length.into_iter().chain(refusal).collect()
}

/// What a judge made of the sample.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SampleReport {
    /// Pairs that were shown to the judge.
    pub pairs: u64,
    /// The judge's models.
    pub models: Vec<String>,
    /// Those about which it said nothing that can be read, or preferred neither reply.
    pub undecided: Rate,
    /// Of the decided ones: those whose label the judge holds for wrong.
    pub wrong: Rate,
    /// How the judge compares: its flips, its bias for what stands first, its bias for length.
    pub judge: Comparing,
    /// The share of wrong labels by side: which reply is longer, and which refuses.
    pub sides: BTreeMap<&'static str, Rate>,
    /// The least probable labels: place, and the judge's probability that the label is right.
    pub least: Vec<(String, f64)>,
}

/// Counts judged pairs.
#[derive(Debug, Default)]
pub struct SampleTally {
    pairs: u64,
    models: BTreeSet<String>,
    judge: ComparingSums,
    decided: (u64, u64),
    sides: BTreeMap<&'static str, (u64, u64)>,
    probable: Vec<(String, f64)>,
}

impl SampleTally {
    /// Counts one pair by the transcript of its comparison.
    pub fn add(&mut self, pair: &SampledPair, judged: &Transcript) {
        self.pairs += 1;
        self.models.extend(judged.models.iter().map(|(_, model)| model.clone()));
        judged.comparisons.iter().for_each(|comparison| self.judge.add(comparison, judged));
        let Some(p) = probability_of_label(judged) else { return };
        self.probable.push((pair.place.clone(), p));
        if (p - 0.5).abs() <= NEITHER {
            return;
        }
        let count = |(wrong, of): &mut (u64, u64)| {
            *wrong += u64::from(p < 0.5);
            *of += 1;
        };
        count(&mut self.decided);
        pair.sides.iter().for_each(|side| count(self.sides.entry(side).or_default()));
    }

    /// The report.
    pub fn finish(mut self) -> SampleReport {
        self.probable.sort_by(|(a, p), (b, q)| p.total_cmp(q).then_with(|| a.cmp(b)));
        self.probable.truncate(LISTED);
        let rate = |(count, of)| Rate::new(count, of);
        SampleReport {
            pairs: self.pairs,
            models: self.models.into_iter().collect(),
            undecided: Rate::new(self.pairs - self.decided.1, self.pairs),
            wrong: rate(self.decided),
            judge: self.judge.finish(),
            sides: self.sides.into_iter().map(|(side, counts)| (side, rate(counts))).collect(),
            least: self.probable,
        }
    }
}

/// The judge's probability that the label is right, over all principles that it was asked about.
fn probability_of_label(judged: &Transcript) -> Option<f64> {
    let chosen = judged.prompt.given.iter().position(|given| given.label == Some(GivenLabel::Chosen))?;
    let of_chosen = |c: &Comparison| c.p.map(|p| if c.a == chosen { p } else { 1.0 - p });
    let decided: Vec<f64> = judged.comparisons.iter().filter_map(of_chosen).collect();
    (!decided.is_empty()).then(|| decided.iter().sum::<f64>() / decided.len() as f64)
}

/// Which of so many rows are the sample: the smallest hashes of seed and row. The same rows for the same seed.
pub fn draw_rows(eligible: impl Iterator<Item = u32>, count: usize, seed: u64) -> Vec<u32> {
    let hash = |row: u32| Parts::new("audit sample").with_u64(seed).with_u64(row.into()).uniform();
    let mut hashed: Vec<(u64, u32)> = eligible.map(|row| (hash(row), row)).collect();
    if count < hashed.len() {
        hashed.select_nth_unstable(count);
        hashed.truncate(count);
    }
    let mut rows: Vec<u32> = hashed.into_iter().map(|(_, row)| row).collect();
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_is_the_same_each_time_and_another_for_another_seed() {
        let drawn = draw_rows(0..1000, 30, 1);
        assert_eq!((drawn.len(), &drawn), (30, &draw_rows((0..1000).rev(), 30, 1)));
        assert_ne!(drawn, draw_rows(0..1000, 30, 2));
        assert_eq!(draw_rows(0..3, 30, 1), [0, 1, 2]);
    }

    #[test]
    fn every_row_is_as_likely_as_another() {
        let mut counts = [0_u32; 20];
        for seed in 0..2000 {
            for row in draw_rows(0..20, 5, seed) {
                counts[row as usize] += 1;
            }
        }
        assert!(counts.iter().all(|count| (430..=570).contains(count)), "{counts:?}");
    }
}
