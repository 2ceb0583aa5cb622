//! Criticism of one response: a verdict per principle, side by side, with or without a screening before it.

use super::option_reading::{odds_of_answer, read_option};
use super::prompt_session::Asking;
use super::verdict::{Reading, read_critique, read_screen, read_verdict};
use crate::pure::answer::{Answer, Outcome};
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Call, Occasion, Purpose};
use crate::pure::constitution::Principle;
use crate::pure::gates::repeats_request;
use crate::pure::prompt::{Message, Speaker};
use crate::pure::recipe::VerdictForm;
use crate::pure::template::{CritiqueAsk, screen_schema, verdict_schema};
use crate::pure::transcript::{Critique, Undecided, Verdict};
use futures::future::join_all;

/// A verdict on a response, with the conversation in which it was reached.
#[derive(Debug, Clone)]
pub(super) struct Judged<'p> {
    pub(super) principle: &'p Principle,
    pub(super) verdict: Verdict,
    /// What is kept of it; round and place are filled in when it is recorded.
    pub(super) critique: Critique,
    /// The critique call and its answer, which a revision for this principle alone extends. Empty after a screening, and where
    /// there is no critique that can be used.
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

/// What a critic is asked: about which response, under which principle, and which of several times it is.
#[derive(Debug, Clone, Copy)]
struct Question<'q, 'p> {
    response: &'q str,
    principle: &'p Principle,
    screen: Option<Verdict>,
    sample: u32,
    occasion: Occasion,
}

/// Tokens in which a model that answers with a letter has said it, whatever stands around it.
const ROOM_FOR_A_LETTER: u32 = 8;
/// Alternatives per token that are asked for: as many as endpoints give.
const MOST_ALTERNATIVES: u8 = 20;

/// A verdict by one of two letters, in one order.
struct Letter {
    /// The probability that the response violates the principle.
    p: Option<f64>,
    /// Why there is none.
    why: Option<Undecided>,
    tokens: u64,
    model: String,
}

/// The probability that a response violates the principle, by the letter that a critic chose: (A) says so, unless the options
/// are swapped. From log-probabilities where the answer has them, else 0 or 1; `None` where it names no letter.
pub fn read_letter(answer: &Answer, swapped: bool) -> Option<f64> {
    let by_odds = odds_of_answer(answer, 2).and_then(|odds| odds.first().copied());
    let by_name = || read_option(answer.complete()?, 2).map(|letter| f64::from(u8::from(letter == 'A')));
    by_odds.or_else(by_name).map(|p| if swapped { 1.0 - p } else { p })
}

/// Why no letter can be read of an answer that was cut off, filtered or the like.
fn why_unread(answer: &Answer) -> Option<Undecided> {
    answer.usable().err().map(Undecided::Outcome)
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
        p_violates: None,
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
        let format = self.cx.critic_format("screening", || screen_schema(ids.iter().copied()));
        let messages = self.cx.screening(self.prompt, response, principles, format.is_some())?;
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

    /// One verdict about one principle, the `sample`-th of the same response, with its critique.
    pub(super) async fn criticise<'p>(
        &self,
        response: &str,
        principle: &'p Principle,
        screen: Option<Verdict>,
        sample: u32,
        occasion: Occasion,
    ) -> Result<Judged<'p>, Stop> {
        let question = Question { response, principle, screen, sample, occasion };
        match self.cx.verdict_form() {
            VerdictForm::Choice => Box::pin(self.choose(question)).await,
            VerdictForm::Auto | VerdictForm::Line | VerdictForm::Json => self.review(question).await,
        }
    }

    /// The verdict first, as one of two letters in both orders; then, of what violates the principle, the critique that a
    /// revision answers. A critique that cannot be used takes no verdict back: the revision answers the principle alone.
    async fn choose<'p>(&self, question: Question<'_, 'p>) -> Result<Judged<'p>, Stop> {
        let Question { response, principle, screen, sample, occasion } = question;
        let mut critique = blank(principle, Verdict::Undecided, screen);
        let (forth, back) = futures::join!(self.letter(question, false), self.letter(question, true));
        let (forth, back) = (forth?, back?);
        critique.model.clone_from(&forth.model);
        critique.tokens = forth.tokens + back.tokens;
        critique.p_violates = forth.p.zip(back.p).map(|(forth, back)| f64::midpoint(forth, back));
        let verdict = match critique.p_violates {
            Some(p) if p > 0.5 => Verdict::Violates,
            Some(p) if p < 0.5 => Verdict::Conforms,
            Some(_) | None => Verdict::Undecided,
        };
        if verdict == Verdict::Undecided {
            critique.undecided = Some(forth.why.or(back.why).unwrap_or(Undecided::Unreadable));
        }
        let mut conversation = Vec::new();
        if verdict == Verdict::Violates {
            let request =
                self.cx.templates.critique(principle, self.cx.settings.examples, CritiqueAsk::Why)?;
            let mut asked = self.cx.about(self.prompt, response, request);
            let purpose = Purpose::Critique { principle: principle.id.clone(), occasion };
            let answered = self.answer_of_any_draw(&purpose, &asked, sample, None).await?;
            critique.tokens += answered.answer.usage.completion;
            let said =
                answered.answer.complete().map(|answer| (answer, read_critique(answer, response).text));
            let request = asked.last().map_or("", |turn| turn.content.as_str());
            if let Some((answer, text)) =
                said.filter(|(_, text)| !self.is_parrot(text, request, response, principle))
            {
                critique.text = text;
                asked.push(Message::assistant(answer));
                conversation = asked;
            }
        }
        critique.verdict = verdict;
        Ok(Judged { principle, verdict, critique, conversation })
    }

    /// How likely the response violates the principle, by one of two letters in one order.
    async fn letter(&self, question: Question<'_, '_>, swapped: bool) -> Result<Letter, Stop> {
        let Question { response, principle, sample, occasion, .. } = question;
        let request = self.cx.templates.verdict_choice(principle, swapped)?;
        let messages = self.cx.about(self.prompt, response, request);
        let purpose = Purpose::VerdictChoice { principle: principle.id.clone(), swapped, occasion };
        let mut call = self.cx.call(self.prompt, purpose, messages, *self.draws(sample).start());
        let room = call.sampling.max_tokens;
        call.sampling.max_tokens = room.min(ROOM_FOR_A_LETTER);
        call.sampling.top_logprobs = Some(MOST_ALTERNATIVES);
        let first = self.once(call.clone()).await?;
        let model = super::prompt_session::who_answered(call.model.clone(), &first);
        let mut tokens = first.usage.completion;
        // One that talks before it answers, or that thinks, gets all the room that the critic has.
        let read = |answer: &Answer| read_letter(answer, swapped);
        if read(&first).is_some() || first.outcome != Outcome::Truncated || room <= ROOM_FOR_A_LETTER {
            return Ok(Letter { p: read(&first), why: why_unread(&first), tokens, model });
        }
        let more =
            Call { sampling: crate::pure::call::Sampling { max_tokens: room, ..call.sampling }, ..call };
        let again = self.answer_call(more).await?;
        tokens += again.answer.usage.completion;
        Ok(Letter { p: read(&again.answer), why: why_unread(&again.answer), tokens, model: again.model })
    }

    /// Whether a critique says what it was told instead of what it was asked.
    fn is_parrot(&self, text: &str, request: &str, response: &str, principle: &Principle) -> bool {
        let turns = self.prompt.messages.iter().map(|turn| turn.content.as_str());
        let rule = principle.exceptions.iter().chain([&principle.text]).map(String::as_str);
        let known: Vec<&str> = turns.chain(rule).chain([response]).collect();
        repeats_request(text, request, &known)
    }

    /// A critique and its verdict in one answer, with a follow-up for the verdict if none can be read.
    async fn review<'p>(&self, question: Question<'_, 'p>) -> Result<Judged<'p>, Stop> {
        let Question { response, principle, screen, sample, occasion } = question;
        let format = self.cx.critic_format("critique", verdict_schema);
        let structured = format.is_some();
        let ask = if structured { CritiqueAsk::Json } else { CritiqueAsk::Line };
        let request = self.cx.templates.critique(principle, self.cx.settings.examples, ask)?;
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
        let request = conversation.iter().rfind(|turn| turn.role == Speaker::User);
        if request
            .is_some_and(|request| self.is_parrot(&critique.text, &request.content, response, principle))
        {
            critique.undecided = Some(Undecided::Unreadable);
            return Ok(Judged { principle, verdict: Verdict::Undecided, critique, conversation });
        }
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
