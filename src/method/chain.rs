//! One prompt's chain in the making: its draft, its revisions with their gates, retries and roll-back, its records.

use super::asking::{Answered, Asking};
use super::criticise::Judged;
use super::{Ask, MethodContext, Stop};
use crate::constitution::Principle;
use crate::dataset::gates::{Candidate, Verdict as Gate, check_response};
use crate::model::{Outcome, Role};
use crate::prompt::{Message, Prompt};
use crate::transcript::{Critique, Ended, Response, Revision, RevisionFate, Transcript, Verdict};

/// A transcript that still grows. Its last response is the one that stands.
#[derive(Debug)]
pub(super) struct Chain<'a, A> {
    pub(super) asking: Asking<'a, A>,
    pub(super) responses: Vec<Response>,
    critiques: Vec<Critique>,
    revisions: Vec<Revision>,
}

/// A revision to ask for.
#[derive(Debug)]
pub(super) struct Wanted<'w, 'p> {
    pub(super) round: u32,
    /// How often the same was wanted before.
    pub(super) sample: u32,
    /// The conversation that ends in the request.
    pub(super) messages: Vec<Message>,
    /// What the critics said, and of which principles.
    pub(super) objections: Vec<&'w Judged<'p>>,
    /// What is known of the response that stands: these principles are asked about again, and none of those that held
    /// may be violated. Empty for a revision that is taken as it comes.
    pub(super) known: Vec<&'w Judged<'p>>,
}

/// What came of asking for a revision.
#[derive(Debug)]
pub(super) enum Revised<'p> {
    /// It stands now; what is known of it, and its place among the revisions.
    Kept(Vec<Judged<'p>>, usize),
    /// The response before it stands; why.
    Failed(Ended),
}

/// A text that passed its gates, or the reason why not.
type Passed = Result<(String, Vec<String>), String>;

impl<'a, A: Ask> Chain<'a, A> {
    pub(super) fn new(ask: &'a A, cx: &'a MethodContext, prompt: &'a Prompt) -> Self {
        let asking = Asking::new(ask, cx, prompt);
        Self { asking, responses: Vec::new(), critiques: Vec::new(), revisions: Vec::new() }
    }

    /// The response that stands.
    pub(super) fn current(&self) -> &str {
        self.responses.last().map_or("", |response| &response.text)
    }

    /// The draft, as number `sample` of several; `Err` is the reason why there is none.
    pub(super) async fn draft(&mut self, sample: u32) -> Result<Result<(), String>, Stop> {
        let messages = self.asking.cx.opening(self.asking.prompt);
        let mut reason = String::new();
        for draw in self.asking.draws(sample) {
            let answered = self.asking.answer(Role::Generator, messages.clone(), draw, None).await?;
            match self.passes_gates(&answered, None) {
                Ok((text, repairs)) => {
                    self.responses.push(response(text, 0, &answered, repairs));
                    return Ok(Ok(()));
                }
                Err(why) => reason = why,
            }
            if is_final(&answered.answer.outcome) {
                break;
            }
        }
        Ok(Err(reason))
    }

    /// Asks for a revision, and again when it fails a gate, changes nothing or makes things worse.
    pub(super) async fn revise<'p>(&mut self, wanted: Wanted<'_, 'p>) -> Result<Revised<'p>, Stop> {
        let mut failed = Ended::RolledBack;
        for draw in self.asking.draws(wanted.sample) {
            let answered = self.asking.answer(Role::Reviser, wanted.messages.clone(), draw, None).await?;
            let passed = self.passes_gates(&answered, Some(&wanted));
            let (text, repairs) = match passed {
                Ok(passed) => passed,
                Err(reason) => {
                    self.record_revision(
                        &wanted,
                        &answered.answer.text,
                        RevisionFate::Rejected(reason.clone()),
                    );
                    failed = Ended::RevisionFailed(reason);
                    if is_final(&answered.answer.outcome) {
                        break;
                    }
                    continue;
                }
            };
            if text.trim() == self.current().trim() {
                self.record_revision(&wanted, &text, RevisionFate::Unchanged);
                failed = Ended::RevisionFailed("unchanged".into());
                if wanted.objections.iter().all(|judged| !judged.objects()) {
                    break; // Nothing was objected to: leaving it as it was is right, and asking again is not.
                }
                continue;
            }
            if self.responses.iter().any(|earlier| earlier.text.trim() == text.trim()) {
                self.record_revision(&wanted, &text, RevisionFate::Rejected("oscillation".into()));
                return Ok(Revised::Failed(Ended::Oscillation));
            }
            let principles: Vec<&Principle> = wanted.known.iter().map(|judged| judged.principle).collect();
            let checks = if principles.is_empty() {
                Vec::new()
            } else {
                self.asking.judge(&text, &principles).await?
            };
            let broken = broken(&wanted.known, &checks);
            if broken.is_empty() {
                let kept = RevisionFate::Kept(self.responses.len());
                let revision = self.record_revision(&wanted, &text, kept);
                self.responses.push(response(text, wanted.round, &answered, repairs));
                return Ok(Revised::Kept(checks, revision));
            }
            let revision = self.record_revision(&wanted, &text, RevisionFate::RolledBack(broken));
            self.record_recheck(&checks, wanted.round, revision);
            failed = Ended::RolledBack;
        }
        Ok(Revised::Failed(failed))
    }

    /// What may be used of an answer, or the reason code why nothing may.
    fn passes_gates(&self, answered: &Answered, wanted: Option<&Wanted<'_, '_>>) -> Passed {
        let Some(text) = answered.answer.complete() else {
            return Err(answered.answer.outcome.as_str().into());
        };
        let objections = wanted.map_or(&[][..], |wanted| &wanted.objections);
        let critiques: Vec<&str> = objections.iter().map(|judged| judged.critique.text.as_str()).collect();
        let shown = objections.iter().filter(|_| self.asking.cx.settings.examples);
        let examples: Vec<&str> = shown
            .flat_map(|judged| &judged.principle.examples)
            .flat_map(|example| [Some(example.response.as_str()), example.revision.as_deref()])
            .flatten()
            .collect();
        let candidate = Candidate {
            text,
            prompt: self.asking.prompt.last_user_turn(),
            original: wanted.map(|_| self.current()),
            critiques: &critiques,
            examples: &examples,
        };
        match check_response(&candidate, &self.asking.cx.gates) {
            Gate::Pass => Ok((text.to_owned(), Vec::new())),
            Gate::Repair { text, codes } => Ok((text, codes.iter().map(ToString::to_string).collect())),
            Gate::Retry(code) | Gate::Reject(code) => Err(code.as_str().into()),
        }
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
        let response = self.responses.len().saturating_sub(1);
        self.critiques.extend(judged.iter().map(|judged| Critique {
            round,
            response,
            revision,
            recheck,
            ..judged.critique.clone()
        }));
    }

    fn record_revision(&mut self, wanted: &Wanted<'_, '_>, text: &str, fate: RevisionFate) -> usize {
        self.revisions.push(Revision {
            round: wanted.round,
            from: self.responses.len().saturating_sub(1),
            principles: wanted.objections.iter().map(|judged| judged.principle.id.clone()).collect(),
            text: text.to_owned(),
            fate,
        });
        self.revisions.len() - 1
    }

    /// The finished transcript.
    pub(super) fn end(self, method: &str, ended: Ended) -> Transcript {
        let (tally, models) = self.asking.counts();
        Transcript {
            prompt: self.asking.prompt.clone(),
            method: method.into(),
            last: self.responses.len().saturating_sub(1),
            responses: self.responses,
            critiques: self.critiques,
            revisions: self.revisions,
            comparisons: Vec::new(),
            ended,
            tally,
            models,
        }
    }
}

/// After every attempt of the layers below, there is no answer; asking for another draw would not bring one.
fn is_final(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(_))
}

fn response(text: String, round: u32, answered: &Answered, repairs: Vec<String>) -> Response {
    let Answered { answer, model, fallback } = answered;
    let tokens = answer.usage.completion;
    Response { text, round, model: model.clone(), fallback: *fallback, tokens, repairs }
}

/// The principles that held before and are violated now.
fn broken(before: &[&Judged<'_>], after: &[Judged<'_>]) -> Vec<String> {
    let pairs = before.iter().zip(after);
    pairs
        .filter(|(before, after)| before.holds() && after.verdict == Verdict::Violates)
        .map(|(_, after)| after.principle.id.clone())
        .collect()
}
