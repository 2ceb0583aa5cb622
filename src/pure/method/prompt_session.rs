//! Asks on behalf of one prompt: counts calls, gives a truncated answer more room, goes to a role's fallback, and lets
//! only a text that passes its gates become a response.
//!
//! It decides when asking again may help, not what an answer means.

use super::MethodContext;
use crate::pure::answer::{Answer, Outcome};
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Call, Purpose, ResponseFormat, Role};
use crate::pure::constitution::Principle;
use crate::pure::gates::{Candidate, Verdict as Gate, check_response};
use crate::pure::prompt::{Message, Prompt};
use crate::pure::reason::Reason;
use crate::pure::recipe::is_simulated;
use crate::pure::transcript::{CallFailure, CutPrompt, CutPrompts, Response, Substitute, Tally};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Asks about one prompt.
#[derive(Debug)]
pub(super) struct Asking<'a, A> {
    ask: &'a A,
    pub(super) cx: &'a MethodContext,
    pub(super) prompt: &'a Prompt,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default, Clone)]
struct Counts {
    tally: Tally,
    models: BTreeSet<(Role, String)>,
    failures: BTreeMap<(Role, Reason, String), u64>,
    substitutes: BTreeSet<Substitute>,
    cut_prompts: CutPrompts,
}

/// What the calls of a prompt were and came to.
#[derive(Debug)]
pub(super) struct Spent {
    pub(super) tally: Tally,
    /// The models that answered, by role.
    pub(super) models: Vec<(Role, String)>,
    /// Calls that gave nothing usable.
    pub(super) failures: Vec<CallFailure>,
    /// Models that answered in the place of others.
    pub(super) substitutes: Vec<Substitute>,
    /// Calls whose prompts were cut.
    pub(super) cut_prompts: Vec<CutPrompt>,
}

/// What a revision revises and answers: its text must not copy from these.
#[derive(Debug)]
pub(super) struct Revises<'a> {
    /// The response that it revises.
    pub(super) original: &'a str,
    /// The critiques that it answers.
    pub(super) critiques: Vec<&'a str>,
    /// The principles that it was asked for.
    pub(super) principles: Vec<&'a Principle>,
    /// The turn that asked for it.
    pub(super) request: &'a str,
}

/// An answer, and who gave it.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) model: String,
    pub(super) fallback: bool,
}

impl<'a, A: Ask> Asking<'a, A> {
    pub(super) fn new(ask: &'a A, cx: &'a MethodContext, prompt: &'a Prompt) -> Self {
        Self { ask, cx, prompt, counts: Mutex::default() }
    }

    /// One answer to a conversation.
    pub(super) async fn answer(
        &self,
        purpose: Purpose,
        messages: Vec<Message>,
        draw: u32,
        format: Option<ResponseFormat>,
    ) -> Result<Answered, Stop> {
        self.answer_call(Call { format, ..self.cx.call(self.prompt, purpose, messages, draw) }).await
    }

    /// One answer to a call: of the role's model, with twice the room if the first was cut off; of the role's fallback,
    /// if there is one and the model refused, was filtered or still had too little room.
    pub(super) async fn answer_call(&self, call: Call) -> Result<Answered, Stop> {
        let own = self.with_room(call.clone()).await?;
        let unwilling =
            matches!(own.answer.outcome, Outcome::Refused | Outcome::Filtered | Outcome::Truncated);
        match self.cx.fallback(self.prompt, &call).filter(|_| unwilling) {
            Some(other) => self.with_room(other).await,
            None => Ok(own),
        }
    }

    /// A draft, the `sample`-th of several; `Err` says why there is none.
    pub(super) async fn draft(&self, sample: u32) -> Result<Result<Response, Reason>, Stop> {
        let messages = self.cx.opening(self.prompt);
        let mut reason = Reason::Empty;
        for draw in self.draws(sample) {
            let answered = self.answer(Purpose::Draft { sample }, messages.clone(), draw, None).await?;
            match self.passes_gates(&answered, None) {
                Ok((text, repairs)) => return Ok(Ok(response(text, 0, &answered, repairs))),
                Err(why) => reason = why,
            }
            if is_final(&answered.answer) {
                break;
            }
        }
        Ok(Err(reason))
    }

    /// What may be used of an answer, and what was repaired in it; or why nothing may be used.
    pub(super) fn passes_gates(
        &self,
        answered: &Answered,
        revises: Option<&Revises<'_>>,
    ) -> Result<(String, Vec<Reason>), Reason> {
        let text = answered.answer.usable()?;
        let shown =
            revises.filter(|_| self.cx.settings.examples).map_or(&[][..], |revises| &revises.principles);
        let examples: Vec<&str> = shown
            .iter()
            .flat_map(|principle| &principle.examples)
            .flat_map(|example| [Some(example.response.as_str()), example.revision.as_deref()])
            .flatten()
            .collect();
        let candidate = Candidate {
            text,
            prompt: self.prompt.last_user_turn(),
            original: revises.map(|revises| revises.original),
            critiques: revises.map_or(&[], |revises| &revises.critiques),
            examples: &examples,
            request: revises.map(|revises| revises.request),
        };
        match check_response(&candidate, &self.cx.gates) {
            Gate::Pass => Ok((text.to_owned(), Vec::new())),
            Gate::Repair { text, codes } => Ok((text, codes)),
            Gate::Retry(code) | Gate::Reject(code) => Err(code),
        }
    }

    /// The draws that the `sample`-th answer to the same conversation may use: each has its own, so that asking one
    /// again never gives another.
    pub(super) fn draws(&self, sample: u32) -> std::ops::RangeInclusive<u32> {
        let retries = self.cx.settings.retries;
        let first = sample * (retries + 1);
        first..=first + retries
    }

    /// The same, going on to the next draw while answers are empty or malformed.
    pub(super) async fn answer_of_any_draw(
        &self,
        purpose: &Purpose,
        messages: &[Message],
        sample: u32,
        format: Option<ResponseFormat>,
    ) -> Result<Answered, Stop> {
        let draws = self.draws(sample);
        let mut draw = *draws.start();
        loop {
            let answered = self.answer(purpose.clone(), messages.to_vec(), draw, format.clone()).await?;
            let worth_another = matches!(answered.answer.outcome, Outcome::Empty | Outcome::Malformed(_));
            if !worth_another || draw == *draws.end() {
                return Ok(answered);
            }
            draw += 1;
        }
    }

    async fn with_room(&self, call: Call) -> Result<Answered, Stop> {
        let (asked, fallback) = (call.model.clone(), call.fallback);
        let mut answer = self.once(call.clone()).await?;
        if answer.outcome == Outcome::Truncated && !answer.fills_the_window() {
            let mut larger = call;
            larger.sampling.max_tokens = larger.sampling.max_tokens.saturating_mul(2);
            answer = self.once(larger).await?;
        }
        Ok(Answered { model: who_answered(asked, &answer), answer, fallback })
    }

    /// Every call goes through here and is counted.
    pub(super) async fn once(&self, call: Call) -> Result<Answer, Stop> {
        let (role, asked) = (call.role, call.model.clone());
        let answer = self.ask.ask(call.clone()).await?;
        let cut = CutPrompt::of(&call, answer.usage);
        let substitute = substitute(role, &asked, &answer);
        let by = (role, who_answered(asked, &answer));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.tally.calls += 1;
        counts.tally.usage.prompt += answer.usage.prompt;
        counts.tally.usage.completion += answer.usage.completion;
        counts.models.insert(by);
        counts.substitutes.extend(substitute);
        if let Some(cut) = &cut {
            counts.cut_prompts.add(cut);
        }
        if let (Some(message), Some(reason)) = (answer.trouble(), answer.outcome.reason()) {
            *counts.failures.entry((role, reason, message)).or_default() += 1;
        }
        Ok(answer)
    }

    /// Keeps why an answer that came could not be used, for whoever looks for the cause.
    pub(super) fn note(&self, role: Role, reason: Reason, message: String) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.failures.entry((role, reason, message)).or_default() += 1;
    }

    /// What was asked so far, whom, and what failed.
    pub(super) fn spent(&self) -> Spent {
        let Counts { tally, models, failures, substitutes, cut_prompts } =
            self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let failure = |((role, reason, message), calls)| CallFailure { role, reason, message, calls };
        Spent {
            tally,
            models: models.into_iter().collect(),
            failures: failures.into_iter().map(failure).collect(),
            substitutes: substitutes.into_iter().collect(),
            cut_prompts: cut_prompts.into_vec(),
        }
    }
}

/// The model as the recipe names it, unless another one answered in its name: that must not be taken for it.
pub(super) fn who_answered(asked: String, answer: &Answer) -> String {
    let simulated = answer.model.as_deref().filter(|named| is_simulated(named));
    match simulated.or_else(|| answer.substitute_for(&asked)) {
        Some(other) => other.to_owned(),
        None => asked,
    }
}

/// The model that answered in the place of the one asked. A simulated one says in its name what it is.
fn substitute(role: Role, asked: &str, answer: &Answer) -> Option<Substitute> {
    let answered = answer.substitute_for(asked).filter(|named| !is_simulated(named))?;
    Some(Substitute { role, asked: asked.to_owned(), answered: answered.to_owned() })
}

/// Whether asking for another draw would not bring an answer: every attempt of the layers below failed, or the context
/// window is full.
pub(super) fn is_final(answer: &Answer) -> bool {
    matches!(answer.outcome, Outcome::Failed(_)) || answer.fills_the_window()
}

/// A response, and who wrote it.
pub(super) fn response(text: String, round: u32, answered: &Answered, repairs: Vec<Reason>) -> Response {
    let Answered { answer, model, fallback } = answered;
    let tokens = answer.usage.completion;
    Response { text, round, model: model.clone(), fallback: *fallback, tokens, repairs }
}
