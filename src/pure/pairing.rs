//! Pairs: which of two responses is better, how surely, and who says so.
//!
//! A pair is made from comparisons or from objections. Which verdicts count is not decided here but by
//! [`Transcript::standing_verdicts`].

use crate::pure::call::Role;
use crate::pure::constitution::Constitution;
use crate::pure::grade::{Grade, Styled};
use crate::pure::reason::Reason;
use crate::pure::recipe::Pairs;
use crate::pure::transcript::{Comparison, Ended, How, Transcript};
use std::collections::{BTreeMap, BTreeSet};

/// Where a pair's label comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelOrigin {
    /// A judge was asked, and read so.
    Judge(How),
    /// The critiques decide.
    Verdicts,
    /// The grades of styled answers decide.
    Grades,
}

impl LabelOrigin {
    /// The name in the rows of pairs.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Judge(how) => how.as_str(),
            Self::Verdicts => "verdicts",
            Self::Grades => "grades",
        }
    }
}

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
    /// Where the label comes from.
    pub source: LabelOrigin,
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
    /// Why comparisons and steps give no label.
    pub dropped: Vec<Reason>,
}

/// Judges a transcript's responses: by its comparisons where there are any, else by its verdicts. With `confirm` the
/// verdicts of a chain say which response is better, and its comparisons must agree.
pub fn judge(transcript: &Transcript, constitution: &Constitution, which: Pairs, confirm: bool) -> Judged {
    if let Some(styled) = &transcript.styled {
        return by_grades(transcript, styled, which);
    }
    let compared_only = transcript.ended == Ended::Labelled;
    if confirm && !compared_only {
        confirmed(by_verdicts(transcript, which), &labels(transcript, constitution))
    } else if !transcript.comparisons.is_empty() {
        by_comparisons(transcript, constitution)
    } else if compared_only {
        Judged { pairs: Vec::new(), dropped: vec![not_compared(transcript)] }
    } else {
        by_verdicts(transcript, which)
    }
}

/// The pairs with which the judge agrees; its label is theirs then.
fn confirmed(by_verdicts: Judged, labels: &Labels<'_>) -> Judged {
    let Judged { pairs, mut dropped } = by_verdicts;
    let mut kept = Vec::new();
    for pair in pairs {
        let (low, high) = (pair.chosen.min(pair.rejected), pair.chosen.max(pair.rejected));
        let Some(label) = labels.get(&(low, high)).and_then(Option::as_ref) else {
            dropped.push(Reason::JudgeUndecided);
            continue;
        };
        let towards_chosen = |p: f64| if pair.chosen == low { p } else { 1.0 - p };
        let p = towards_chosen(label.p);
        if p - 0.5 < LEAST {
            dropped.push(Reason::JudgeDisagrees);
            continue;
        }
        kept.push(Pair {
            p: p.clamp(1e-6, 1.0 - 1e-6),
            p_raw: Some(towards_chosen(label.raw)),
            source: LabelOrigin::Judge(label.by.how.clone()),
            judge: Some(label.by.model.clone()),
            ..pair
        });
    }
    Judged { pairs: kept, dropped }
}

/// Why responses that were to be compared were not.
fn not_compared(transcript: &Transcript) -> Reason {
    let texts: BTreeSet<&str> = transcript.responses.iter().map(|response| response.text.trim()).collect();
    match (transcript.responses.len(), texts.len()) {
        (0 | 1, _) => Reason::OneResponse,
        (_, 1) => Reason::Equal,
        (_, _) => Reason::NoPrinciple,
    }
}

/// What one comparison says of a pair.
#[derive(Debug, Clone, Copy)]
struct Voice {
    /// Whether the principle is hard, then its priority: what ranks higher is heard first.
    rank: (bool, i32),
    weight: f64,
    /// P(the pair's first response is better), and the same before any clamp.
    p: f64,
    raw: f64,
}

/// A rank decides when its weighted mean is at least this far from one half.
const SURE: f64 = 0.1;

/// A label that is no further from one half is a tie.
const LEAST: f64 = 1e-9;

/// What the comparisons of one pair say together.
struct Label<'t> {
    /// P(the response with the lower index is better), and the same before any clamp.
    p: f64,
    raw: f64,
    /// The last comparison that decided: it says how, and who.
    by: &'t Comparison,
    principles: Vec<String>,
}

/// By pair, the lower index first; `None` where nothing is decided.
type Labels<'t> = BTreeMap<(usize, usize), Option<Label<'t>>>;

/// The comparisons of each pair as one label. Undecided ones have no say.
fn labels<'t>(transcript: &'t Transcript, constitution: &Constitution) -> Labels<'t> {
    let mut of_pairs: BTreeMap<(usize, usize), Vec<&Comparison>> = BTreeMap::new();
    for comparison in transcript.comparisons.iter().filter(|c| c.a != c.b) {
        let pair = (comparison.a.min(comparison.b), comparison.a.max(comparison.b));
        of_pairs.entry(pair).or_default().push(comparison);
    }
    let label = |low: usize, comparisons: Vec<&'t Comparison>| {
        let decided: Vec<&Comparison> =
            comparisons.into_iter().filter(|c| c.p.is_some_and(f64::is_finite)).collect();
        let voices: Vec<Voice> = decided.iter().filter_map(|c| voice(c, low, constitution)).collect();
        let (by, (p, raw)) = decided.last().zip(weigh(&voices))?;
        Some(Label { p, raw, by, principles: decided.iter().map(|c| c.principle.clone()).collect() })
    };
    of_pairs.into_iter().map(|(pair, comparisons)| (pair, label(pair.0, comparisons))).collect()
}

fn by_comparisons(transcript: &Transcript, constitution: &Constitution) -> Judged {
    let mut judged = Judged::default();
    for ((low, high), label) in labels(transcript, constitution) {
        let Some(Label { p, raw, by, principles }) = label else {
            judged.dropped.push(Reason::Undecided);
            continue;
        };
        if (p - 0.5).abs() < LEAST {
            judged.dropped.push(Reason::Tie);
            continue;
        }
        let (chosen, rejected) = if p > 0.5 { (low, high) } else { (high, low) };
        judged.pairs.push(Pair {
            chosen,
            rejected,
            p: p.max(1.0 - p).clamp(1e-6, 1.0 - 1e-6),
            p_raw: Some(if p > 0.5 { raw } else { 1.0 - raw }),
            source: LabelOrigin::Judge(by.how.clone()),
            judge: Some(by.model.clone()),
            principles,
        });
    }
    judged
}

fn voice(comparison: &Comparison, low: usize, constitution: &Constitution) -> Option<Voice> {
    let principle = constitution.principles.iter().find(|p| p.id == comparison.principle);
    let p = comparison.p?;
    let orders: Vec<f64> = [comparison.p_ab, comparison.p_ba].into_iter().flatten().collect();
    let raw = if orders.is_empty() { p } else { orders.iter().sum::<f64>() / orders.len() as f64 };
    let towards_low = |p: f64| if comparison.a == low { p } else { 1.0 - p };
    Some(Voice {
        rank: principle.map_or((false, 0), |p| (p.hard, p.priority)),
        weight: principle.map_or(1.0, |p| p.weight),
        p: towards_low(p),
        raw: towards_low(raw),
    })
}

/// One label out of an ensemble: the highest rank that is sure enough decides, hard principles before all others, so that
/// none of them is traded against a lower one; within a rank, weights. When no rank is sure, all of them are averaged.
fn weigh(voices: &[Voice]) -> Option<(f64, f64)> {
    let ranks: BTreeSet<(bool, i32)> = voices.iter().map(|voice| voice.rank).collect();
    let of_rank = |rank: (bool, i32)| mean(voices, |voice| voice.rank == rank);
    let sure = ranks.into_iter().rev().filter_map(of_rank).find(|(p, _)| (p - 0.5).abs() >= SURE);
    sure.or_else(|| mean(voices, |_| true))
}

/// The weighted mean of labels, and of labels before any clamp; `None` without weight.
fn mean(voices: &[Voice], heard: impl Fn(&Voice) -> bool) -> Option<(f64, f64)> {
    let sum = |of: fn(&Voice) -> f64| {
        voices.iter().filter(|voice| heard(voice)).map(|voice| voice.weight * of(voice)).sum::<f64>()
    };
    let weights = sum(|_| 1.0);
    (weights > 0.0).then(|| (sum(|voice| voice.p) / weights, sum(|voice| voice.raw) / weights))
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
        let (against_before, against_after) = (transcript.objections(before), transcript.objections(after));
        if !transcript.has_direction(before, after) {
            judged.dropped.push(Reason::NoDirection);
            continue;
        }
        let (votes, counter) = (against_before.len() as f64, against_after.len() as f64);
        let critic = transcript.critiques.iter().find(|c| !c.model.is_empty()).map(|c| c.model.clone());
        judged.pairs.push(Pair {
            chosen: after,
            rejected: before,
            p: (votes + 1.0) / (votes + counter + 2.0),
            p_raw: None,
            source: LabelOrigin::Verdicts,
            judge: critic,
            principles: against_before.into_iter().map(str::to_owned).collect(),
        });
    }
    judged
}

/// Pairs styled answers by their grades: never two of one grade, and none whose better one is not acceptable. Each step between
/// the grades is a vote: `p = (steps + 1) / (steps + 2)`.
fn by_grades(transcript: &Transcript, styled: &Styled, which: Pairs) -> Judged {
    let mut judged = Judged::default();
    let (last, count) = (transcript.last, transcript.responses.len());
    let meetings: Vec<(usize, usize)> = match which {
        Pairs::FirstLast | Pairs::FirstBest => vec![(0, last)],
        Pairs::Steps => (1..count).map(|k| (k - 1, k)).collect(),
        Pairs::All => (1..count).flat_map(|k| (0..k).map(move |j| (j, k))).collect(),
    };
    let critic =
        transcript.models.iter().find(|(role, _)| *role == Role::Critic).map(|(_, model)| model.clone());
    for (a, b) in meetings.into_iter().filter(|(a, b)| a != b) {
        let (Some(of_a), Some(of_b)) = (styled.grade_of(a), styled.grade_of(b)) else { continue };
        let ((chosen, best), (rejected, worst)) =
            if of_a > of_b { ((a, of_a), (b, of_b)) } else { ((b, of_b), (a, of_a)) };
        if !worst.is_decided() {
            judged.dropped.push(Reason::Undecided);
        } else if best == worst {
            judged.dropped.push(Reason::NoDirection);
        } else if best < Grade::Acceptable {
            judged.dropped.push(Reason::BelowGrade);
        } else {
            let steps = f64::from(best as u8 - worst as u8);
            judged.pairs.push(Pair {
                chosen,
                rejected,
                p: (steps + 1.0) / (steps + 2.0),
                p_raw: None,
                source: LabelOrigin::Grades,
                judge: critic.clone(),
                principles: Vec::new(),
            });
        }
    }
    judged
}

/// The response with the fewest objections, the latest of equals. One that nobody criticised is not known to be good.
fn best(transcript: &Transcript, last: usize) -> usize {
    let met = |k: usize| transcript.critiques_of(k).next().is_some();
    (1..=last).rev().filter(|k| met(*k)).min_by_key(|k| transcript.objections(*k).len()).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hard_principles_and_priorities_are_heard_before_weights() {
        let voice = |hard: bool, priority: i32, weight: f64, p: f64| Voice {
            rank: (hard, priority),
            weight,
            p,
            raw: p,
        };
        let check = |voices: &[Voice], expected: Option<f64>| {
            let found = weigh(voices).map(|(p, _)| p);
            assert!(
                found.zip(expected).map_or(found == expected, |(a, b)| (a - b).abs() < 1e-12),
                "{found:?}"
            );
        };
        check(&[], None);
        check(&[voice(false, 0, 0.0, 0.9)], None);
        check(&[voice(false, 0, 1.0, 0.9), voice(false, 0, 3.0, 0.3)], Some(0.45));
        // A hard principle is not outvoted; one that sees no difference leaves it to the others.
        check(&[voice(true, 0, 1.0, 0.2), voice(false, 9, 50.0, 0.9)], Some(0.2));
        check(&[voice(true, 0, 1.0, 0.5), voice(false, 9, 1.0, 0.9)], Some(0.9));
        check(&[voice(false, 5, 1.0, 0.3), voice(false, 1, 9.0, 1.0)], Some(0.3));
        check(&[voice(false, 5, 1.0, 0.45), voice(false, 1, 3.0, 0.55)], Some(0.525));
    }
}
