//! What a run's verdicts and preferences are worth: how often a judge follows the order, the length or the author instead
//! of the principle, which principles never speak, which revisions were needless, which principles undo each other.
//!
//! Pure, over finished transcripts, one at a time: what is kept grows with the number of principles and models, not
//! with the number of prompts.

use super::examination::Examination;
use super::refusals_seen::{RefusalSums, RefusalsSeen};
use super::statistics::{Mean, Rate, Summing};
use super::style_report::{StyleReport, StyleSums};
use crate::pure::call::Role;
use crate::pure::constitution::Constitution;
use crate::pure::pairing::judge;
use crate::pure::prompt::GivenLabel;
use crate::pure::reason::Reason;
use crate::pure::recipe::Pairs;
use crate::pure::text::share_changed;
use crate::pure::transcript::{
    CallFailure, Comparison, Critique, CutPrompt, CutPrompts, How, Revision, RevisionFate, Substitute,
    Transcript, Verdict,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Causes of failed calls that are told apart.
const CAUSES: usize = 200;

/// Rounds that are told apart; later ones count with the last.
const ROUNDS: usize = 16;

/// The report of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct JudgeReport {
    /// What the critic made of test cases whose right verdict is known, before the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examination: Option<Examination>,
    /// Shards that the run lacks, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
    /// Transcripts seen.
    pub transcripts: u64,
    /// The judge's comparisons.
    pub comparisons: Comparing,
    /// How the labels agree with those that the input had already.
    pub agreement: Rate,
    /// Of every prompt × principle, those about which a critic or a judge was asked and said something.
    pub coverage: Rate,
    /// Each principle, in the order of the constitution; then those that only transcripts name.
    pub principles: Vec<PrincipleReport>,
    /// Principles that no prompt touched: never asked about, or never of any bearing.
    pub dead: Vec<String>,
    /// Critiques without a verdict.
    pub undecided: Rate,
    /// What became of revisions.
    pub revisions: Revising,
    /// Pairs of principles of which a revision for the first broke the second, most often first.
    pub undoes: Vec<Undoing>,
    /// What screening misses, where it was measured.
    pub screening: Screening,
    /// Drafts first, then the response of each round.
    pub by_round: Vec<RoundReport>,
    /// How often drafts and final responses refuse.
    pub refusals: RefusalsSeen,
    /// Styled answers, by style.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub styles: Vec<StyleReport>,
    /// Calls that gave nothing usable, by role and cause, most often first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<CallFailure>,
    /// Models that answered in the place of others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub substitutes: Vec<Substitute>,
    /// Calls whose prompts the endpoint cut, by role and model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cut_prompts: Vec<CutPrompt>,
}

/// How a judge compares.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Comparing {
    /// Comparisons, and those of them without a label.
    pub undecided: Rate,
    /// Those whose choice changes when the options are swapped.
    pub flips: Rate,
    /// How much likelier an answer is for being shown first: mean P((A)), less one half.
    pub position_bias: Mean,
    /// Those in which the longer response wins.
    pub longer_wins: Rate,
    /// How much likelier the longer response is preferred than one half.
    pub length_bias: Mean,
    /// The same for a response that the judge's own model wrote, against one that it did not.
    pub self_preference: Mean,
    /// How labels were read.
    pub how: BTreeMap<How, u64>,
}

/// What a principle came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PrincipleReport {
    /// Its id.
    pub id: String,
    /// Prompts on whose responses it was asked.
    pub prompts: u64,
    /// Prompts about which it had something to say: a verdict that it bears on the response, or a preference.
    pub spoke: u64,
    /// Prompts whose draft violates it.
    pub drafts_violating: u64,
    /// Prompts whose final response violates it.
    pub left: u64,
    /// Verdicts over all responses.
    pub violates: u64,
    /// Verdicts over all responses.
    pub conforms: u64,
    /// Verdicts over all responses.
    pub not_applicable: u64,
    /// Critiques without a verdict.
    pub undecided: u64,
    /// Comparisons under it.
    pub comparisons: u64,
    /// Those of them that agree with the label that the input had already.
    pub agreement: Rate,
}

/// What became of revisions.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Revising {
    /// Revisions tried.
    pub tried: u64,
    /// Kept.
    pub kept: u64,
    /// Rolled back, because a principle that held was violated.
    pub rolled_back: u64,
    /// Given back as it was.
    pub unchanged: u64,
    /// Rejected, by reason.
    pub rejected: BTreeMap<Reason, u64>,
    /// Of responses to which nothing objected and which were to be revised all the same: those that were changed.
    pub needless: Rate,
}

/// A principle whose revisions break another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undoing {
    /// The principle that was revised for.
    pub revised: String,
    /// The principle that held before, and was violated then.
    pub broken: String,
    /// How often.
    pub times: u64,
    /// Whether it also happens the other way round.
    pub mutual: bool,
}

/// What screening misses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Screening {
    /// Violations that full criticism found, and those of them that screening had passed over.
    pub missed: Rate,
    /// What screening sent to criticism, and what of it criticism did not object to.
    pub needless: Rate,
}

/// The responses of one round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct RoundReport {
    /// Responses with a verdict, and those of them that violate a principle.
    pub violating: Rate,
    /// Principles violated per response.
    pub violations: Mean,
    /// Length in characters.
    pub length: Mean,
    /// Share of words that differ from the response before, counted as bags: small when revisions are minimal.
    pub changed: Mean,
}

/// Reads transcripts and makes the report.
#[derive(Debug, Clone)]
pub struct JudgeReporter<'c> {
    constitution: &'c Constitution,
    sums: Sums,
}

#[derive(Debug, Clone, Default)]
struct Sums {
    transcripts: u64,
    agreement: (u64, u64),
    comparing: ComparingSums,
    principles: BTreeMap<String, PrincipleReport>,
    critiques: u64,
    undecided: u64,
    revising: Revising,
    needless: (u64, u64),
    styles: StyleSums,
    undoes: BTreeMap<(String, String), u64>,
    screen_missed: (u64, u64),
    screen_needless: (u64, u64),
    rounds: Vec<RoundSums>,
    refusals: RefusalSums,
    failures: BTreeMap<(Role, Reason, String), u64>,
    substitutes: BTreeSet<Substitute>,
    cut_prompts: CutPrompts,
}

/// Counts how a judge compares.
#[derive(Debug, Clone, Default)]
pub struct ComparingSums {
    all: u64,
    undecided: u64,
    flips: (u64, u64),
    position: Summing,
    longer: (u64, u64),
    length: Summing,
    own: Summing,
    how: BTreeMap<How, u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct RoundSums {
    violating: (u64, u64),
    violations: Summing,
    length: Summing,
    changed: Summing,
}

/// How much likelier an answer is for being shown first: the mean of P((A)) over both orders, less one half.
pub fn estimate_position_bias<'c>(comparisons: impl IntoIterator<Item = &'c Comparison>) -> Mean {
    let mut sum = Summing::default();
    comparisons.into_iter().filter_map(position).for_each(|value| sum.add(value));
    sum.finish()
}

/// P((A)) is `p_ab` in one order and `1 - p_ba` in the other.
fn position(comparison: &Comparison) -> Option<f64> {
    comparison.p_ab.zip(comparison.p_ba).map(|(forth, back)| (forth - back) / 2.0)
}

impl<'c> JudgeReporter<'c> {
    /// A report about nothing yet. The constitution names the principles of which no transcript tells.
    pub fn new(constitution: &'c Constitution) -> Self {
        Self { constitution, sums: Sums::default() }
    }

    /// Adds a transcript.
    pub fn add(&mut self, transcript: &Transcript) {
        self.sums.add(transcript);
        if transcript.prompt.given.iter().any(|given| given.label.is_some()) {
            for pair in judge(transcript, self.constitution, Pairs::All, false).pairs {
                let agrees = agrees(transcript, pair.chosen, pair.rejected);
                count(&mut self.sums.agreement, agrees == Some(true), agrees.is_some());
            }
        }
    }

    /// The report.
    pub fn finish(self) -> JudgeReport {
        self.sums.finish(self.constitution)
    }
}

/// Whether the input, too, says that the first of two responses is the better one.
fn agrees(transcript: &Transcript, better: usize, worse: usize) -> Option<bool> {
    let label = |n: usize| transcript.prompt.given.get(n)?.label;
    match (label(better)?, label(worse)?) {
        (GivenLabel::Chosen, GivenLabel::Rejected) => Some(true),
        (GivenLabel::Rejected, GivenLabel::Chosen) => Some(false),
        (GivenLabel::Chosen, GivenLabel::Chosen) | (GivenLabel::Rejected, GivenLabel::Rejected) => None,
    }
}

impl Sums {
    fn add(&mut self, transcript: &Transcript) {
        self.transcripts += 1;
        for comparison in &transcript.comparisons {
            let agrees = comparison.p.filter(|p| (p - 0.5).abs() > 1e-9).and_then(|p| {
                let (better, worse) =
                    if p > 0.5 { (comparison.a, comparison.b) } else { (comparison.b, comparison.a) };
                agrees(transcript, better, worse)
            });
            let principle = self.principle(&comparison.principle);
            principle.comparisons += 1;
            principle.agreement.count += u64::from(agrees == Some(true));
            principle.agreement.of += u64::from(agrees.is_some());
            self.comparing.add(comparison, transcript);
        }
        transcript.critiques.iter().for_each(|critique| self.add_critique(critique));
        self.add_coverage(transcript);
        self.add_screening(transcript);
        transcript.revisions.iter().for_each(|revision| self.add_revision(revision, transcript));
        self.add_rounds(transcript);
        self.refusals.add(transcript);
        self.styles.add(transcript);
        transcript.failures.iter().for_each(|failure| self.add_failure(failure));
        self.substitutes.extend(transcript.substitutes.iter().cloned());
        transcript.cut_prompts.iter().for_each(|cut| self.cut_prompts.add(cut));
    }

    /// Adds calls that failed. Beyond so many causes the rest is counted together, so that memory is bounded.
    fn add_failure(&mut self, failure: &CallFailure) {
        let CallFailure { role, reason, message, calls } = failure;
        let cause = (*role, reason.clone(), message.clone());
        let is_listed = self.failures.len() < CAUSES || self.failures.contains_key(&cause);
        let cause = if is_listed { cause } else { (*role, reason.clone(), "other causes".into()) };
        *self.failures.entry(cause).or_default() += calls;
    }

    fn principle(&mut self, id: &str) -> &mut PrincipleReport {
        self.principles
            .entry(id.to_owned())
            .or_insert_with(|| PrincipleReport { id: id.into(), ..PrincipleReport::default() })
    }

    fn add_critique(&mut self, critique: &Critique) {
        self.critiques += 1;
        let principle = self.principle(&critique.principle);
        match critique.verdict {
            Verdict::Violates => principle.violates += 1,
            Verdict::Conforms => principle.conforms += 1,
            Verdict::NotApplicable => principle.not_applicable += 1,
            Verdict::Undecided => {
                principle.undecided += 1;
                self.undecided += 1;
            }
        }
    }

    fn add_coverage(&mut self, transcript: &Transcript) {
        let mut asked: BTreeMap<&str, bool> = BTreeMap::new();
        for critique in &transcript.critiques {
            let bears = matches!(critique.verdict, Verdict::Violates | Verdict::Conforms);
            *asked.entry(&critique.principle).or_default() |= bears;
        }
        for comparison in &transcript.comparisons {
            *asked.entry(&comparison.principle).or_default() |= comparison.p.is_some();
        }
        for (id, spoke) in asked {
            let principle = self.principle(id);
            principle.prompts += 1;
            principle.spoke += u64::from(spoke);
        }
        for id in transcript.objections(0) {
            self.principle(id).drafts_violating += 1;
        }
        for id in transcript.objections(transcript.last) {
            self.principle(id).left += 1;
        }
    }

    fn add_screening(&mut self, transcript: &Transcript) {
        let holds = |verdict| matches!(verdict, Verdict::Conforms | Verdict::NotApplicable);
        let criticised = || transcript.critiques.iter().filter(|c| c.screen.is_some() && !c.model.is_empty());
        // Criticism of what screening passed over is there only where screening is measured.
        let measured = criticised().any(|critique| critique.screen.is_some_and(holds));
        for critique in criticised() {
            let passed = critique.screen.is_some_and(holds);
            let violates = critique.verdict == Verdict::Violates;
            count(&mut self.screen_missed, passed, measured && violates);
            count(&mut self.screen_needless, holds(critique.verdict), !passed);
        }
    }

    fn add_revision(&mut self, revision: &Revision, transcript: &Transcript) {
        self.revising.tried += 1;
        let before = transcript.standing_verdicts(revision.from);
        let verdict = |id: &str| before.iter().find(|(known, _)| *known == id).map(|(_, verdict)| *verdict);
        let objected = revision.principles.iter().any(|id| verdict(id) == Some(Verdict::Violates));
        let judged = revision
            .principles
            .iter()
            .all(|id| verdict(id).is_some_and(|verdict| verdict != Verdict::Undecided));
        let changed = matches!(revision.fate, RevisionFate::Kept(_) | RevisionFate::RolledBack(_));
        let answered = changed || revision.fate == RevisionFate::Unchanged;
        // A styled answer is revised for what its grade lacks.
        let is_styled = transcript.styled.is_some();
        count(&mut self.needless, changed, !objected && judged && answered && !is_styled);
        let mut broken: Vec<String> = Vec::new();
        match &revision.fate {
            RevisionFate::Kept(n) => {
                self.revising.kept += 1;
                let after = transcript.standing_verdicts(*n).into_iter();
                let held = |id: &str| matches!(verdict(id), Some(Verdict::Conforms | Verdict::NotApplicable));
                broken.extend(
                    after.filter(|(id, v)| *v == Verdict::Violates && held(id)).map(|(id, _)| id.to_owned()),
                );
            }
            RevisionFate::RolledBack(principles) => {
                self.revising.rolled_back += 1;
                broken.clone_from(principles);
            }
            RevisionFate::Unchanged => self.revising.unchanged += 1,
            RevisionFate::Rejected(reason) => {
                *self.revising.rejected.entry(reason.clone()).or_default() += 1;
            }
        }
        for revised in &revision.principles {
            for broken in broken.iter().filter(|broken| *broken != revised) {
                *self.undoes.entry((revised.clone(), broken.clone())).or_default() += 1;
            }
        }
    }

    fn add_rounds(&mut self, transcript: &Transcript) {
        for (n, response) in transcript.responses.iter().enumerate() {
            let round = (response.round as usize).min(ROUNDS);
            if self.rounds.len() <= round {
                self.rounds.resize(round + 1, RoundSums::default());
            }
            let Some(sums) = self.rounds.get_mut(round) else { continue };
            sums.length.add(response.text.chars().count() as f64);
            if let Some(before) = n.checked_sub(1).and_then(|n| transcript.responses.get(n)) {
                sums.changed.add(share_changed(&before.text, &response.text));
            }
            let verdicts = transcript.standing_verdicts(n);
            let violations = verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Violates).count();
            if !verdicts.is_empty() {
                count(&mut sums.violating, violations > 0, true);
                sums.violations.add(violations as f64);
            }
        }
    }

    fn finish(mut self, constitution: &Constitution) -> JudgeReport {
        for principle in &constitution.principles {
            self.principle(&principle.id);
        }
        let place = |id: &str| constitution.principles.iter().position(|p| p.id == id).unwrap_or(usize::MAX);
        let mut principles: Vec<PrincipleReport> = self.principles.into_values().collect();
        principles.sort_by_key(|principle| place(&principle.id));
        for principle in &mut principles {
            principle.agreement = Rate::new(principle.agreement.count, principle.agreement.of);
        }
        let touched = |p: &PrincipleReport| p.violates + p.conforms + p.undecided + p.comparisons > 0;
        let dead = principles.iter().filter(|p| !touched(p)).map(|p| p.id.clone()).collect();
        let mut undoes: Vec<Undoing> = self
            .undoes
            .iter()
            .map(|((revised, broken), times)| Undoing {
                mutual: self.undoes.contains_key(&(broken.clone(), revised.clone())),
                revised: revised.clone(),
                broken: broken.clone(),
                times: *times,
            })
            .collect();
        undoes.sort_by_key(|undoing| std::cmp::Reverse(undoing.times));
        let spoke = principles.iter().map(|principle| principle.spoke).sum();
        let coverage = Rate::new(spoke, self.transcripts * principles.len() as u64);
        JudgeReport {
            examination: None,
            gaps: Vec::new(),
            transcripts: self.transcripts,
            comparisons: self.comparing.finish(),
            agreement: rate(self.agreement),
            coverage,
            principles,
            dead,
            undecided: Rate::new(self.undecided, self.critiques),
            revisions: Revising { needless: rate(self.needless), ..self.revising },
            undoes,
            screening: Screening { missed: rate(self.screen_missed), needless: rate(self.screen_needless) },
            by_round: self.rounds.into_iter().map(RoundSums::finish).collect(),
            refusals: self.refusals.finish(),
            styles: self.styles.finish(),
            failures: most_frequent(self.failures),
            substitutes: self.substitutes.into_iter().collect(),
            cut_prompts: self.cut_prompts.into_vec(),
        }
    }
}

fn most_frequent(failures: BTreeMap<(Role, Reason, String), u64>) -> Vec<CallFailure> {
    let mut failures: Vec<CallFailure> = failures
        .into_iter()
        .map(|((role, reason, message), calls)| CallFailure { role, reason, message, calls })
        .collect();
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.calls));
    failures
}

impl ComparingSums {
    /// Counts one comparison of a transcript's responses.
    pub fn add(&mut self, comparison: &Comparison, transcript: &Transcript) {
        self.all += 1;
        self.undecided += u64::from(comparison.p.is_none());
        let Some((forth, back)) = comparison.p_ab.zip(comparison.p_ba) else { return };
        *self.how.entry(comparison.how.clone()).or_default() += 1;
        self.position.add((forth - back) / 2.0);
        let chooses = |p: f64| if p > 0.5 { Some(true) } else { (p < 0.5).then_some(false) };
        if let Some((forth, back)) = chooses(forth).zip(chooses(back)) {
            count(&mut self.flips, forth != back, true);
        }
        let p = f64::midpoint(forth, back);
        let of = |n: usize| transcript.responses.get(n);
        let Some((a, b)) = of(comparison.a).zip(of(comparison.b)) else { return };
        let (long_a, long_b) = (a.text.chars().count(), b.text.chars().count());
        if long_a != long_b {
            let longer = if long_a > long_b { p } else { 1.0 - p };
            self.length.add(longer - 0.5);
            if let Some(wins) = chooses(longer) {
                count(&mut self.longer, wins, true);
            }
        }
        let own = |model: &str| model == comparison.model;
        if own(&a.model) != own(&b.model) {
            self.own.add(if own(&a.model) { p } else { 1.0 - p } - 0.5);
        }
    }

    /// The figures.
    pub fn finish(self) -> Comparing {
        Comparing {
            undecided: Rate::new(self.undecided, self.all),
            flips: rate(self.flips),
            position_bias: self.position.finish(),
            longer_wins: rate(self.longer),
            length_bias: self.length.finish(),
            self_preference: self.own.finish(),
            how: self.how,
        }
    }
}

impl RoundSums {
    fn finish(self) -> RoundReport {
        RoundReport {
            violating: rate(self.violating),
            violations: self.violations.finish(),
            length: self.length.finish(),
            changed: self.changed.finish(),
        }
    }
}

/// Counts one of `of` that are looked at.
fn count((hits, of): &mut (u64, u64), hit: bool, looked_at: bool) {
    *of += u64::from(looked_at);
    *hits += u64::from(looked_at && hit);
}

fn rate((count, of): (u64, u64)) -> Rate {
    Rate::new(count, of)
}
