//! Pairs: which of two responses is better, how surely, and who says so.

use crate::constitution::Constitution;
use crate::recipe::Pairs;
use crate::transcript::{RevisionFate, Transcript, Verdict};
use std::collections::BTreeSet;

/// A judged pair of responses of one transcript.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Index of the better response.
    pub chosen: usize,
    /// Index of the other.
    pub rejected: usize,
    /// P(chosen is better); always in (0, 1) and finite.
    pub p: f64,
    /// The same before any clamp; `None` when no judge was asked.
    pub p_raw: Option<f64>,
    /// `logprobs`, `votes` or `cot` when a judge was asked; `verdicts` when the critiques decide.
    pub source: String,
    /// The judge, or the critic.
    pub judge: Option<String>,
    /// The principles that speak.
    pub principles: Vec<String>,
}

impl Pair {
    /// The normalised log-probabilities of chosen and rejected; their difference is the margin.
    pub fn scores(&self) -> (f64, f64) {
        (self.p.ln(), (1.0 - self.p).ln())
    }
}

/// Pairs of one transcript, and the reasons for those that are none.
#[derive(Debug, Default)]
pub struct Judged {
    /// The pairs.
    pub pairs: Vec<Pair>,
    /// Reason codes of comparisons and steps that give no label.
    pub dropped: Vec<&'static str>,
}

/// Judges a transcript's responses: by its comparisons where there are any, else by its verdicts.
pub fn judge(transcript: &Transcript, constitution: &Constitution, which: Pairs) -> Judged {
    if transcript.comparisons.is_empty() {
        by_verdicts(transcript, which)
    } else {
        by_comparisons(transcript, constitution)
    }
}

/// Averages the comparisons of each pair over the principles, by their weights. Undecided ones have no say.
fn by_comparisons(transcript: &Transcript, constitution: &Constitution) -> Judged {
    let weight = |id: &str| constitution.principles.iter().find(|p| p.id == id).map_or(1.0, |p| p.weight);
    let mut judged = Judged::default();
    let met: BTreeSet<(usize, usize)> =
        transcript.comparisons.iter().filter(|c| c.a != c.b).map(|c| (c.a.min(c.b), c.a.max(c.b))).collect();
    for (low, high) in met {
        let (mut sum, mut sum_raw, mut weights) = (0.0, 0.0, 0.0);
        let mut principles = Vec::new();
        let mut last = None;
        for comparison in
            transcript.comparisons.iter().filter(|c| (c.a.min(c.b), c.a.max(c.b)) == (low, high))
        {
            let Some(p) = comparison.p.filter(|p| p.is_finite()) else { continue };
            let orders: Vec<f64> = [comparison.p_ab, comparison.p_ba].into_iter().flatten().collect();
            let raw = if orders.is_empty() { p } else { orders.iter().sum::<f64>() / orders.len() as f64 };
            let towards_low = |p: f64| if comparison.a == low { p } else { 1.0 - p };
            let w = weight(&comparison.principle);
            sum += w * towards_low(p);
            sum_raw += w * towards_low(raw);
            weights += w;
            principles.push(comparison.principle.clone());
            last = Some(comparison);
        }
        let Some(comparison) = last.filter(|_| weights > 0.0) else {
            judged.dropped.push("undecided");
            continue;
        };
        let (p, raw) = (sum / weights, sum_raw / weights);
        if (p - 0.5).abs() < 1e-9 {
            judged.dropped.push("tie");
            continue;
        }
        let (chosen, rejected) = if p > 0.5 { (low, high) } else { (high, low) };
        judged.pairs.push(Pair {
            chosen,
            rejected,
            p: p.max(1.0 - p).clamp(1e-6, 1.0 - 1e-6),
            p_raw: Some(if p > 0.5 { raw } else { 1.0 - raw }),
            source: comparison.how.clone(),
            judge: Some(comparison.model.clone()),
            principles,
        });
    }
    judged
}

/// Pairs the chain's responses. Every principle that objects to a response is a vote for the other one, and
/// `p = (votes for chosen + 1) / (votes + 2)`: Laplace's rule, so that few objections never make a certainty. A pair
/// in whose favour no majority speaks has no direction, and is none.
fn by_verdicts(transcript: &Transcript, which: Pairs) -> Judged {
    let mut judged = Judged::default();
    let last = transcript.last.min(transcript.responses.len().saturating_sub(1));
    if last == 0 {
        return judged;
    }
    let steps: Vec<(usize, usize)> = match which {
        Pairs::FirstLast => vec![(0, last)],
        Pairs::FirstBest => vec![(0, best(transcript, last))],
        Pairs::Steps => (1..=last).map(|k| (k - 1, k)).collect(),
        Pairs::All => (1..=last).flat_map(|k| (0..k).map(move |j| (j, k))).collect(),
    };
    for (before, after) in steps.into_iter().filter(|(before, after)| before != after) {
        let (against_before, against_after) = (objections(transcript, before), objections(transcript, after));
        if against_before.len() <= against_after.len() {
            judged.dropped.push("no-direction");
            continue;
        }
        let (votes, counter) = (against_before.len() as f64, against_after.len() as f64);
        let critic = transcript.critiques.iter().find(|c| !c.model.is_empty()).map(|c| c.model.clone());
        judged.pairs.push(Pair {
            chosen: after,
            rejected: before,
            p: (votes + 1.0) / (votes + counter + 2.0),
            p_raw: None,
            source: "verdicts".into(),
            judge: critic,
            principles: against_before.into_iter().map(str::to_owned).collect(),
        });
    }
    judged
}

/// The response with the fewest objections, the latest of equals. One that nobody criticised is not known to be good.
fn best(transcript: &Transcript, last: usize) -> usize {
    let met = |k: usize| transcript.critiques.iter().any(|c| subject(transcript, c) == Some(k));
    (1..=last).rev().filter(|k| met(*k)).min_by_key(|k| objections(transcript, *k).len()).unwrap_or(last)
}

/// The principles that response `k` violates, as the critic last found it. A later `undecided` takes nothing back.
pub fn objections(transcript: &Transcript, k: usize) -> BTreeSet<&str> {
    let mut violated = BTreeSet::new();
    for critique in transcript.critiques.iter().filter(|c| subject(transcript, c) == Some(k)) {
        match critique.verdict {
            Verdict::Violates => {
                violated.insert(critique.principle.as_str());
            }
            Verdict::Conforms | Verdict::NotApplicable => {
                violated.remove(critique.principle.as_str());
            }
            Verdict::Undecided => {}
        }
    }
    violated
}

/// The index of the response that a critique is about; `None` for a revision that was not kept.
pub(super) fn subject(transcript: &Transcript, critique: &crate::transcript::Critique) -> Option<usize> {
    match critique.revision {
        None => Some(critique.response),
        Some(at) => match &transcript.revisions.get(at)?.fate {
            RevisionFate::Kept(k) => Some(*k),
            RevisionFate::RolledBack(_) | RevisionFate::Rejected(_) | RevisionFate::Unchanged => None,
        },
    }
}
