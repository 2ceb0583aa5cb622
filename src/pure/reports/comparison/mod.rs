//! How one prompt ends in two runs: whether its final text and its verdicts are the same, and where the two transcripts
//! first parted ways.
//!
//! Both are walked side by side for as long as their responses are the same text; only there can a verdict, a revision or
//! a re-check of one be held against that of the other. Where they part, the principles that did it are named. Pure: how
//! a difference is shown is the caller's. What two whole runs come to is in [`Totals`].

mod totals;

pub use totals::{OfPrinciple, Side, Totals};

use crate::pure::transcript::{Critique, MethodName, Revision, RevisionFate, Transcript, Verdict};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How the ends of two transcripts of one prompt compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// The same text and the same verdicts.
    Same,
    /// The same text, but not the same verdicts.
    OtherVerdicts,
    /// Another text, or a text in one only.
    OtherText,
}

/// A verdict that is not the same about the same text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerdictChange {
    /// The response that it is about, by its index in the first run and in the second; the text is the same.
    pub responses: [usize; 2],
    /// The principle's id.
    pub principle: String,
    /// The first run's verdict; `None` where it did not ask.
    pub old: Option<Verdict>,
    /// The second run's.
    pub new: Option<Verdict>,
}

/// What differs where two transcripts part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The draft: no principle has a part in it.
    Draft,
    /// Verdicts about the same response.
    Verdict,
    /// Which principle was asked about the same response.
    Asked,
    /// The words of the critiques that the revision answers.
    Critique,
    /// The revision, of the same response for the same critiques.
    Revision,
    /// Verdicts about the same revision, which was kept in one run only.
    Recheck,
    /// What a gate said of the same revision.
    Gate,
    /// How often it was tried: rounds or retries.
    Tries,
    /// Which of the same responses is the final one.
    Choice,
}

/// Where two transcripts part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parted {
    /// What differs.
    pub step: Step,
    /// The last response that both have, by index; 0 too where the drafts differ.
    pub response: usize,
    /// The principles that caused it, by name; none where no principle has a part in it.
    pub principles: Vec<String>,
}

/// How one prompt ends in two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// How the ends compare.
    pub ends: Ends,
    /// Where the two part, when they end in different texts.
    pub parted: Option<Parted>,
    /// Verdicts that differ about the same text.
    pub verdicts: Vec<VerdictChange>,
}

impl Difference {
    /// The principles that made the difference, by name.
    pub fn causes(&self) -> Vec<&str> {
        let of_verdicts = || self.verdicts.iter().map(|change| change.principle.as_str());
        let causes: BTreeSet<&str> = match &self.parted {
            Some(parted) => parted.principles.iter().map(String::as_str).collect(),
            None => of_verdicts().collect(),
        };
        causes.into_iter().collect()
    }
}

/// Compares two transcripts of one prompt. `edited` are the principles that are not the same in the two constitutions: a
/// revision that answers several is blamed on those of them, where there are any.
pub fn transcripts(old: &Transcript, new: &Transcript, edited: &BTreeSet<String>) -> Difference {
    let final_text = |of: &Transcript| of.final_response().map(|response| response.text.clone());
    let same_text = final_text(old) == final_text(new);
    let shared = old.responses.iter().zip(&new.responses).take_while(|(a, b)| a.text == b.text).count();
    let mut verdicts: Vec<VerdictChange> = (0..shared).flat_map(|at| changed(old, at, new, at)).collect();
    if same_text && (old.last >= shared || new.last != old.last) {
        verdicts.extend(changed(old, old.last, new, new.last));
    }
    let ends = match (same_text, verdicts.is_empty()) {
        (false, _) => Ends::OtherText,
        (true, false) => Ends::OtherVerdicts,
        (true, true) => Ends::Same,
    };
    let parted = (!same_text).then(|| parting(old, new, shared, edited));
    Difference { ends, parted, verdicts }
}

/// The verdicts that differ about one text. A principle that only one run asked about is no news while it does not object.
fn changed(old: &Transcript, at: usize, new: &Transcript, there: usize) -> Vec<VerdictChange> {
    let quiet = |verdict: Verdict| matches!(verdict, Verdict::Conforms | Verdict::NotApplicable);
    let (olds, news) = (old.standing_verdicts(at), new.standing_verdicts(there));
    let of = |all: &[(&str, Verdict)], id: &str| all.iter().find(|(name, _)| *name == id).map(|(_, v)| *v);
    let ids: BTreeSet<&str> = olds.iter().chain(&news).map(|(principle, _)| *principle).collect();
    let change = |id: &str| {
        let (old, new) = (of(&olds, id), of(&news, id));
        let differs = match (old, new) {
            (Some(old), Some(new)) => old != new,
            (Some(only), None) | (None, Some(only)) => !quiet(only),
            (None, None) => false,
        };
        differs.then(|| VerdictChange { responses: [at, there], principle: id.to_owned(), old, new })
    };
    ids.into_iter().filter_map(change).collect()
}

/// Where two transcripts with different ends part, of which the first `shared` responses are the same.
fn parting(old: &Transcript, new: &Transcript, shared: usize, edited: &BTreeSet<String>) -> Parted {
    let Some(last) = shared.checked_sub(1) else {
        return Parted { step: Step::Draft, response: 0, principles: Vec::new() };
    };
    let parted = (0..shared).find_map(|response| {
        let (step, principles) = objections(old, new, response)
            .or_else(|| attempts(old, new, response, edited))
            .or_else(|| asked(old, new, response))?;
        Some(Parted { step, response, principles: principles.into_iter().collect() })
    });
    parted.unwrap_or(Parted { step: Step::Choice, response: last, principles: Vec::new() })
}

type Cause = (Step, BTreeSet<String>);

/// Principles that object to a response in one run and not in the other. Where principles are asked one after another,
/// an objection decides what is asked next, so only the first of each run counts.
fn objections(old: &Transcript, new: &Transcript, response: usize) -> Option<Cause> {
    // In the order of the method, which `Transcript::objections` does not keep.
    let of = |transcript: &Transcript| -> Vec<String> {
        let verdicts = transcript.standing_verdicts(response).into_iter();
        verdicts.filter(|(_, verdict)| *verdict == Verdict::Violates).map(|(id, _)| id.to_owned()).collect()
    };
    let (olds, news) = (of(old), of(new));
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|id| !those.contains(id)).cloned().collect()
    };
    let (gone, came) = (only(&olds, &news), only(&news, &olds));
    let together = old.method == MethodName::Panel && new.method == MethodName::Panel;
    let most = if together { usize::MAX } else { 1 };
    let principles: BTreeSet<String> =
        gone.into_iter().take(most).chain(came.into_iter().take(most)).collect();
    (!principles.is_empty()).then_some((Step::Verdict, principles))
}

/// The revisions tried of one response, side by side, up to the first that differs.
fn attempts(old: &Transcript, new: &Transcript, response: usize, edited: &BTreeSet<String>) -> Option<Cause> {
    let (olds, news) = (revisions_of(old, response), revisions_of(new, response));
    for (a, b) in olds.iter().zip(&news) {
        if a.1.text != b.1.text || a.1.principles != b.1.principles {
            return Some(reviser(old, new, a.1, b.1, edited));
        }
        if std::mem::discriminant(&a.1.fate) != std::mem::discriminant(&b.1.fate) {
            return Some(fate((old, a.0), (new, b.0)));
        }
    }
    // One of them was tried more often.
    let longer = olds.get(news.len()).or_else(|| news.get(olds.len()))?;
    Some((Step::Tries, longer.1.principles.iter().cloned().collect()))
}

fn revisions_of(transcript: &Transcript, response: usize) -> Vec<(usize, &Revision)> {
    transcript.revisions.iter().enumerate().filter(|(_, revision)| revision.from == response).collect()
}

/// Why two revisions of one response differ: they answer other principles, other words, or the reviser wrote otherwise.
fn reviser(
    old: &Transcript,
    new: &Transcript,
    a: &Revision,
    b: &Revision,
    edited: &BTreeSet<String>,
) -> Cause {
    let of = |revision: &Revision| revision.principles.iter().cloned().collect::<BTreeSet<_>>();
    let (olds, news) = (of(a), of(b));
    if olds != news {
        return (Step::Asked, olds.symmetric_difference(&news).cloned().collect());
    }
    let (old_words, new_words) = (words(old, a), words(new, b));
    let reworded: BTreeSet<String> =
        olds.iter().filter(|id| old_words.get(id.as_str()) != new_words.get(id.as_str())).cloned().collect();
    let blamed = |all: BTreeSet<String>| {
        let known: BTreeSet<String> = all.intersection(edited).cloned().collect();
        if known.is_empty() { all } else { known }
    };
    if reworded.is_empty() { (Step::Revision, blamed(olds)) } else { (Step::Critique, blamed(reworded)) }
}

/// What the critiques say that a revision answers, by principle.
fn words<'a>(transcript: &'a Transcript, revision: &Revision) -> BTreeMap<&'a str, &'a str> {
    let critiques = transcript.standing_critiques(revision.from).into_iter();
    critiques.map(|critique| (critique.principle.as_str(), critique.text.as_str())).collect()
}

/// Why the same revision was kept in one run and not in the other.
fn fate((old, a): (&Transcript, usize), (new, b): (&Transcript, usize)) -> Cause {
    let checked = |transcript: &Transcript, at: usize| -> BTreeMap<String, Verdict> {
        let of = |critique: &&Critique| critique.revision == Some(at);
        let checks = transcript.critiques.iter().filter(of);
        checks.map(|critique| (critique.principle.clone(), critique.verdict)).collect()
    };
    let is_gate = |transcript: &Transcript, at: usize| {
        matches!(transcript.revisions.get(at).map(|r| &r.fate), Some(RevisionFate::Rejected(_)))
    };
    if is_gate(old, a) || is_gate(new, b) {
        return (Step::Gate, BTreeSet::new());
    }
    let (olds, news) = (checked(old, a), checked(new, b));
    let ids: BTreeSet<&String> = olds.keys().chain(news.keys()).collect();
    let objects = |all: &BTreeMap<String, Verdict>, id: &String| all.get(id) == Some(&Verdict::Violates);
    let differ = ids.into_iter().filter(|id| objects(&olds, id) != objects(&news, id));
    (Step::Recheck, differ.cloned().collect())
}

/// Which principle was asked: in the paper's method, the draw.
fn asked(old: &Transcript, new: &Transcript, response: usize) -> Option<Cause> {
    let of = |transcript: &Transcript| -> BTreeSet<String> {
        transcript.standing_verdicts(response).into_iter().map(|(id, _)| id.to_owned()).collect()
    };
    let (olds, news) = (of(old), of(new));
    let differ: BTreeSet<String> = olds.symmetric_difference(&news).cloned().collect();
    let sampled = old.method == MethodName::Sampled || new.method == MethodName::Sampled;
    (sampled && !differ.is_empty()).then_some((Step::Asked, differ))
}

#[cfg(test)]
mod tests;
