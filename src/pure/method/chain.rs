//! One prompt's chain in the making: its revisions with their gates, retries and roll-back, and its records.

use super::MethodContext;
use super::confirm_revision::NotTaken;
use super::criticise::Judged;
use super::prompt_session::{Asking, Revises, Spent, is_final, response};
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Occasion, Purpose};
use crate::pure::constitution::Principle;
use crate::pure::prompt::{Message, Prompt};
use crate::pure::reason::Reason;
use crate::pure::transcript::{
    Critique, Ended, MethodName, Revision, RevisionFate, Tally, Transcript, Verdict,
};

/// A transcript that still grows. Its last response is the one that stands.
#[derive(Debug)]
pub(super) struct Chain<'a, A> {
    pub(super) asking: Asking<'a, A>,
    pub(super) transcript: Transcript,
}

/// A revision to ask for.
#[derive(Debug)]
pub(super) struct Wanted<'w, 'p> {
    pub(super) round: u32,
    /// How often the same was wanted before.
    pub(super) sample: u32,
    /// The conversation that ends in the request.
    pub(super) messages: Vec<Message>,
    /// What it answers.
    pub(super) answers: Answers<'w, 'p>,
    /// What is known of the response that stands: these principles are asked about again, and none of those that held
    /// may be violated. Empty for a revision that is taken as it comes.
    pub(super) known: Vec<&'w Judged<'p>>,
}

/// What a revision answers.
#[derive(Debug)]
pub(super) enum Answers<'w, 'p> {
    /// What critics said, and of which principles.
    Objections(Vec<&'w Judged<'p>>),
    /// The principles themselves: no critic was asked.
    Principles(Vec<&'p Principle>),
}

impl<'p> Answers<'_, 'p> {
    pub(super) fn principles(&self) -> Vec<&'p Principle> {
        match self {
            Self::Objections(judged) => judged.iter().map(|judged| judged.principle).collect(),
            Self::Principles(principles) => principles.clone(),
        }
    }

    /// The ids of those principles.
    fn ids(&self) -> Vec<String> {
        self.principles().into_iter().map(|principle| principle.id.clone()).collect()
    }

    pub(super) fn critiques(&self) -> Vec<&str> {
        match self {
            Self::Objections(judged) => judged.iter().map(|judged| judged.critique.text.as_str()).collect(),
            Self::Principles(_) => Vec::new(),
        }
    }

    /// Whether a critic asked for a change, so that a response given back as it was is worth another try.
    fn objects(&self) -> bool {
        match self {
            Self::Objections(judged) => judged.iter().any(|judged| judged.objects()),
            Self::Principles(_) => false,
        }
    }
}

/// What came of asking for a revision.
#[derive(Debug)]
pub(super) enum Revised<'p> {
    /// It stands now; what is known of it, and its place among the revisions.
    Kept(Vec<Judged<'p>>, usize),
    /// The response before it stands; why.
    Failed(Ended),
}

impl<'a, A: Ask> Chain<'a, A> {
    /// A chain without a response yet.
    pub(super) fn new(ask: &'a A, cx: &'a MethodContext, prompt: &'a Prompt, method: MethodName) -> Self {
        let transcript = Transcript {
            prompt: prompt.clone(),
            method,
            responses: Vec::new(),
            critiques: Vec::new(),
            revisions: Vec::new(),
            comparisons: Vec::new(),
            styled: None,
            last: 0,
            ended: Ended::NoDraft(Reason::Empty),
            tally: Tally::default(),
            models: Vec::new(),
            failures: Vec::new(),
            substitutes: Vec::new(),
            cut_prompts: Vec::new(),
        };
        Self { asking: Asking::new(ask, cx, prompt), transcript }
    }

    /// The response that stands.
    pub(super) fn current(&self) -> &str {
        self.transcript.responses.last().map_or("", |response| &response.text)
    }

    /// Asks for a revision, and again when it fails a gate, changes nothing or makes things worse.
    pub(super) async fn revise<'p>(&mut self, wanted: Wanted<'_, 'p>) -> Result<Revised<'p>, Stop> {
        let mut failed = Ended::RolledBack;
        let (round, ids) = (wanted.round, wanted.answers.ids());
        for draw in self.asking.draws(wanted.sample) {
            let purpose = Purpose::Revision { round, principles: ids.clone() };
            let answered = self.asking.answer(purpose, wanted.messages.clone(), draw, None).await?;
            let revises = Revises {
                original: self.current(),
                critiques: wanted.answers.critiques(),
                principles: wanted.answers.principles(),
                request: wanted.messages.last().map_or("", |turn| turn.content.as_str()),
            };
            let passed = self.asking.passes_gates(&answered, Some(&revises));
            let (text, repairs) = match passed {
                Ok(passed) => passed,
                Err(reason) => {
                    failed = self.reject_revision(&wanted, &answered.answer.text, reason);
                    if is_final(&answered.answer) {
                        break;
                    }
                    continue;
                }
            };
            if text.trim() == self.current().trim() {
                self.record_revision(&wanted, &text, RevisionFate::Unchanged);
                failed = Ended::RevisionFailed(Reason::Unchanged);
                if !wanted.answers.objects() {
                    break; // Nothing was objected to: leaving it as it was is right, and asking again is not.
                }
                continue;
            }
            if self.transcript.responses.iter().any(|earlier| earlier.text.trim() == text.trim()) {
                self.record_revision(&wanted, &text, RevisionFate::Rejected(Reason::Oscillation));
                return Ok(Revised::Failed(Ended::Oscillation));
            }
            if let Err(NotTaken { reason, is_final }) = self.asking.confirm_revision(&text).await? {
                failed = self.reject_revision(&wanted, &text, reason);
                if is_final {
                    break;
                }
                continue;
            }
            let principles: Vec<&Principle> = wanted.known.iter().map(|judged| judged.principle).collect();
            let checks = if principles.is_empty() {
                Vec::new()
            } else {
                self.asking.judge(&text, &principles, Occasion::Recheck(round)).await?
            };
            let broken = broken(&wanted.known, &checks);
            if broken.is_empty() {
                let kept = RevisionFate::Kept(self.transcript.responses.len());
                let revision = self.record_revision(&wanted, &text, kept);
                self.transcript.responses.push(response(text, wanted.round, &answered, repairs));
                return Ok(Revised::Kept(checks, revision));
            }
            let revision = self.record_revision(&wanted, &text, RevisionFate::RolledBack(broken));
            self.record_recheck(&checks, wanted.round, revision);
            failed = Ended::RolledBack;
        }
        Ok(Revised::Failed(failed))
    }

    /// Asks about response number `n` what was not asked about it yet.
    pub(super) async fn complete_verdicts(
        &mut self,
        n: usize,
        principles: &[&Principle],
    ) -> Result<(), Stop> {
        let Some(response) = self.transcript.responses.get(n) else { return Ok(()) };
        let known = self.transcript.standing_verdicts(n);
        let missing: Vec<&Principle> =
            principles.iter().filter(|p| known.iter().all(|(id, _)| *id != p.id)).copied().collect();
        if !missing.is_empty() {
            let round = response.round.max(1);
            let judged = self.asking.judge(&response.text, &missing, Occasion::Recheck(round)).await?;
            let critiques = judged.into_iter().map(|judged| judged.critique);
            self.transcript.critiques.extend(critiques.map(|critique| Critique {
                round,
                response: n,
                recheck: true,
                ..critique
            }));
        }
        Ok(())
    }

    /// Records critiques of the response that stands, which a revision may answer.
    pub(super) fn record(&mut self, judged: &[Judged<'_>], round: u32, revision: Option<usize>) {
        self.record_critiques(judged, round, revision, false);
    }

    /// Records critiques that only tell whether revision number `revision` holds.
    pub(super) fn record_recheck(&mut self, judged: &[Judged<'_>], round: u32, revision: usize) {
        self.record_critiques(judged, round, Some(revision), true);
    }

    fn record_critiques(
        &mut self,
        judged: &[Judged<'_>],
        round: u32,
        revision: Option<usize>,
        recheck: bool,
    ) {
        let response = self.transcript.responses.len().saturating_sub(1);
        self.transcript.critiques.extend(judged.iter().map(|judged| Critique {
            round,
            response,
            revision,
            recheck,
            ..judged.critique.clone()
        }));
    }

    /// Records a revision that a gate objects to, and says how its chain ends if there is no better one.
    fn reject_revision(&mut self, wanted: &Wanted<'_, '_>, text: &str, reason: Reason) -> Ended {
        self.record_revision(wanted, text, RevisionFate::Rejected(reason.clone()));
        Ended::RevisionFailed(reason)
    }

    fn record_revision(&mut self, wanted: &Wanted<'_, '_>, text: &str, fate: RevisionFate) -> usize {
        self.transcript.revisions.push(Revision {
            round: wanted.round,
            from: self.transcript.responses.len().saturating_sub(1),
            principles: wanted.answers.ids(),
            text: text.to_owned(),
            fate,
        });
        self.transcript.revisions.len() - 1
    }

    /// The finished transcript.
    pub(super) fn end(self, ended: Ended, last: usize) -> Transcript {
        let Spent { tally, models, failures, substitutes, cut_prompts } = self.asking.spent();
        Transcript { last, ended, tally, models, failures, substitutes, cut_prompts, ..self.transcript }
    }
}

/// The principles that held before and are violated now.
fn broken(before: &[&Judged<'_>], after: &[Judged<'_>]) -> Vec<String> {
    let pairs = before.iter().zip(after);
    pairs
        .filter(|(before, after)| before.holds() && after.verdict == Verdict::Violates)
        .map(|(_, after)| after.principle.id.clone())
        .collect()
}
