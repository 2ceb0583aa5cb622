//! Criticism of one response: a verdict per principle, side by side, with or without a screening before it.

use super::prompt_session::Asking;
use super::verdict::{Reading, read_critique, read_screen, read_verdict};
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Occasion, Purpose, Role};
use crate::pure::constitution::Principle;
use crate::pure::prompt::Message;
use crate::pure::template::{screen_schema, verdict_schema};
use crate::pure::transcript::{Critique, Undecided, Verdict};
use futures::future::join_all;

/// A verdict on a response, with the conversation in which it was reached.
#[derive(Debug, Clone)]
pub(super) struct Judged<'p> {
    pub(super) principle: &'p Principle,
    pub(super) verdict: Verdict,
    /// What is kept of it; round and place are filled in when it is recorded.
    pub(super) critique: Critique,
    /// The critique call and its answer, which a revision for this principle alone extends. Empty after a screening.
    pub(super) conversation: Vec<Message>,
}

impl Judged<'_> {
    pub(super) fn objects(&self) -> bool {
        self.verdict == Verdict::Violates
    }

    pub(super) fn holds(&self) -> bool {
        matches!(self.verdict, Verdict::Conforms | Verdict::NotApplicable)
    }
}

/// What stands in a critique before it is recorded.
fn blank(principle: &Principle, verdict: Verdict, screen: Option<Verdict>) -> Critique {
    Critique {
        round: 0,
        response: 0,
        revision: None,
        principle: principle.id.clone(),
        text: String::new(),
        verdict,
        undecided: None,
        screen,
        recheck: false,
        tokens: 0,
        model: String::new(),
    }
}

impl<A: Ask> Asking<'_, A> {
    /// A verdict on the response for each principle, in their order whatever order the answers come in.
    pub(super) async fn judge<'p>(
        &self,
        response: &str,
        principles: &[&'p Principle],
        occasion: Occasion,
    ) -> Result<Vec<Judged<'p>>, Stop> {
        let screened = self.screen(response, principles, occasion).await?;
        let measured = self.measures_screen();
        let judged = principles.iter().zip(screened).map(async |(principle, screened)| match screened {
            Some(verdict @ (Verdict::Conforms | Verdict::NotApplicable)) if !measured => {
                let critique = blank(principle, verdict, Some(verdict));
                Ok(Judged { principle, verdict, critique, conversation: Vec::new() })
            }
            Some(_) | None => self.criticise(response, principle, screened, 0, occasion).await,
        });
        // All of them are waited for, also when one says stop: what is in flight is paid for.
        join_all(judged).await.into_iter().collect()
    }

    /// One call for a verdict on every principle at once; `None` where criticism has to decide.
    pub(super) async fn screen(
        &self,
        response: &str,
        principles: &[&Principle],
        occasion: Occasion,
    ) -> Result<Vec<Option<Verdict>>, Stop> {
        if !self.cx.settings.screen || principles.len() < 2 {
            return Ok(vec![None; principles.len()]);
        }
        let ids: Vec<&str> = principles.iter().map(|p| p.id.as_str()).collect();
        let format = self.cx.format(Role::Critic, "screening", || screen_schema(ids.iter().copied()));
        let request = self.cx.templates.screen(principles, format.is_some())?;
        let messages = self.cx.about(self.prompt, response, request);
        let names = principles.iter().map(|principle| principle.id.clone()).collect();
        let purpose = Purpose::Screening { principles: names, occasion };
        let answered = self.answer_of_any_draw(&purpose, &messages, 0, format).await?;
        Ok(match answered.answer.complete() {
            Some(text) => read_screen(text, &ids)
                .into_iter()
                .map(|verdict| verdict.or(Some(Verdict::Undecided)))
                .collect(),
            None => vec![Some(Verdict::Undecided); ids.len()],
        })
    }

    /// Whether this prompt is one of those whose screening is measured against full criticism.
    fn measures_screen(&self) -> bool {
        self.cx.chance("measure screening", self.prompt).unit() < self.cx.settings.screen_measured
    }

    /// One critique against one principle, the `sample`-th of the same response, with a follow-up for the verdict if none
    /// can be read.
    pub(super) async fn criticise<'p>(
        &self,
        response: &str,
        principle: &'p Principle,
        screen: Option<Verdict>,
        sample: u32,
        occasion: Occasion,
    ) -> Result<Judged<'p>, Stop> {
        let format = self.cx.format(Role::Critic, "critique", verdict_schema);
        let (examples, structured) = (self.cx.settings.examples, format.is_some());
        let request = self.cx.templates.critique(principle, examples, structured)?;
        let mut conversation = self.cx.about(self.prompt, response, request);
        let purpose = Purpose::Critique { principle: principle.id.clone(), occasion };
        let answered = self.answer_of_any_draw(&purpose, &conversation, sample, format.clone()).await?;
        let mut critique = blank(principle, Verdict::Undecided, screen);
        critique.model.clone_from(&answered.model);
        critique.tokens = answered.answer.usage.completion;
        let answer = match answered.answer.usable() {
            Ok(answer) => answer,
            Err(reason) => {
                critique.undecided = Some(Undecided::Outcome(reason));
                return Ok(Judged { principle, verdict: Verdict::Undecided, critique, conversation });
            }
        };
        conversation.push(Message::assistant(answer));
        let Reading { text, mut verdict } = read_critique(answer, response);
        critique.text = text;
        if verdict.is_none() {
            let mut follow_up = conversation.clone();
            follow_up.push(Message::user(self.cx.templates.verdict(principle, structured)?));
            let purpose = Purpose::VerdictFollowUp { principle: principle.id.clone(), occasion };
            let again = self.answer_of_any_draw(&purpose, &follow_up, sample, format).await?;
            critique.tokens += again.answer.usage.completion;
            verdict = again.answer.complete().and_then(read_verdict);
        }
        critique.undecided = verdict.is_none().then_some(Undecided::Unreadable);
        let verdict = verdict.unwrap_or(Verdict::Undecided);
        critique.verdict = verdict;
        Ok(Judged { principle, verdict, critique, conversation })
    }
}
