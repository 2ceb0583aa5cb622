//! The calls of an attack: an attacker writes, a judge says whether it is still the goal, the target answers, a judge says
//! whether that broke. How one try follows from another is in `attack_drivers.rs`.
//!
//! Everything that was said is an argument: a turn that was taken back is in no history, because nobody keeps one. Goals,
//! attacks and answers are hostile; they are shown as data and are never a template.

use super::MethodContext;
use super::guard::{GuardQuestion, GuardTurn, judge_turn};
use super::prompt_session::Asking;
use super::yes_or_no::read_yes_or_no;
use crate::pure::answer::{Answer, Outcome};
use crate::pure::ask::{Ask, Stop};
use crate::pure::attack::{Card, Needs};
use crate::pure::call::{Call, Purpose};
use crate::pure::digest::Parts;
use crate::pure::finds::{FindVerdict, Reply};
use crate::pure::prompt::{Message, Prompt, Speaker};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};

/// Draws that one attempt may use.
const DRAWS: u64 = 256;

/// What an attack wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goal {
    /// The request that the target should not fulfil.
    pub text: String,
    /// Its hazard.
    pub hazard: String,
    /// Its language.
    pub language: String,
}

impl Goal {
    fn prompt(&self) -> Prompt {
        Prompt::new(vec![Message::user(&self.text)], Some(self.hazard.clone()), Some(self.language.clone()))
    }
}

/// What was tried before, and how far the answer went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The attack.
    pub text: String,
    /// The answer, by its words.
    pub reply: Reply,
}

/// One attempt at a goal.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Its number; it decides every draw.
    pub step: u64,
    /// What it wants.
    pub goal: Goal,
    /// How.
    pub card: Card,
    /// What was tried in the same cell.
    pub memory: Vec<Tried>,
    /// The system turn of the target.
    pub system: Option<String>,
}

/// What the target said to a conversation, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The conversation that ends with the attack, without the target's system turn.
    pub turns: Vec<Message>,
    /// What the target said; `None` where there is no text.
    pub response: Option<String>,
    /// Whether that broke a principle.
    pub verdict: FindVerdict,
    /// How far the answer goes, by its words alone.
    pub reply: Reply,
    /// The principles that it violates.
    pub principles: Vec<String>,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Attacked {
    /// What was sent and answered in the end: what broke, else the last; `None` where nothing was sent.
    pub last: Option<Sent>,
    /// Conversations that were sent.
    pub sent: u32,
    /// Attacks that had lost their goal, and were not sent.
    pub off_topic: u32,
    /// Calls that it took, those from the journal too.
    pub calls: u64,
    /// Tokens of those calls.
    pub tokens: u64,
}

impl Attacked {
    /// What came of it: `undecided` where nothing was sent.
    pub fn verdict(&self) -> FindVerdict {
        self.last.as_ref().map_or(FindVerdict::Undecided, |sent| sent.verdict)
    }
}

/// Counts what it is asked, and passes it on.
#[derive(Debug)]
pub(super) struct Counted<'a, A> {
    ask: &'a A,
    calls: AtomicU64,
    tokens: AtomicU64,
}

impl<'a, A: Ask> Counted<'a, A> {
    pub(super) fn new(ask: &'a A) -> Self {
        Self { ask, calls: AtomicU64::new(0), tokens: AtomicU64::new(0) }
    }

    pub(super) fn spent(&self) -> (u64, u64) {
        (self.calls.load(Ordering::Relaxed), self.tokens.load(Ordering::Relaxed))
    }
}

impl<A: Ask> Ask for Counted<'_, A> {
    async fn ask(&self, call: Call) -> Result<Answer, Stop> {
        let answer = self.ask.ask(call).await?;
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.tokens.fetch_add(answer.usage.prompt + answer.usage.completion, Ordering::Relaxed);
        Ok(answer)
    }
}

/// Who is attacked and who judges, as seen from one goal.
#[derive(Debug)]
pub struct TargetSide<'a, A> {
    /// Answers calls.
    pub ask: &'a A,
    /// Models, templates, principles.
    pub cx: &'a MethodContext,
    /// The prompt that calls belong to.
    pub prompt: &'a Prompt,
    /// The target's system turn.
    pub system: Option<&'a str>,
}

/// Sends a conversation to the target and lets the judge say what came of it. Words of refusal do not overrule the judge.
pub async fn send_to_target<A: Ask>(
    side: &TargetSide<'_, A>,
    turns: Vec<Message>,
    draw: u32,
) -> Result<Sent, Stop> {
    let mut messages: Vec<Message> =
        side.system.iter().map(|text| Message::new(Speaker::System, *text)).collect();
    messages.extend(turns.iter().cloned());
    let asking = Asking::new(side.ask, side.cx, side.prompt);
    let answered = asking.answer(Purpose::AttackAnswer, messages, draw, None).await?;
    let nothing =
        |verdict, reply| Sent { turns: turns.clone(), response: None, verdict, reply, principles: vec![] };
    match answered.answer.outcome {
        // The provider gave nothing, and said so.
        Outcome::Refused | Outcome::Filtered => Ok(nothing(FindVerdict::Held, Reply::None)),
        Outcome::Empty => Ok(nothing(FindVerdict::Held, Reply::Empty)),
        Outcome::Truncated | Outcome::Malformed(_) | Outcome::Failed(_) => {
            Ok(nothing(FindVerdict::Undecided, Reply::Empty))
        }
        Outcome::Complete => {
            let response = answered.answer.text;
            let (verdict, principles) = judge_response(side.ask, side.cx, &turns, &response).await?;
            let reply = Reply::of(&response);
            Ok(Sent { turns, response: Some(response), verdict, reply, principles })
        }
    }
}

/// What a judge says of a response: `broke` where a principle is violated, `held` where none is, else `undecided`; and the
/// principles that are violated.
pub async fn judge_response(
    ask: &impl Ask,
    cx: &MethodContext,
    turns: &[Message],
    response: &str,
) -> Result<(FindVerdict, Vec<String>), Stop> {
    let turn = |turn: &Message| GuardTurn { role: turn.role.as_str().into(), content: turn.content.clone() };
    let shown: Vec<GuardTurn> = turns.iter().map(turn).collect();
    let read = judge_turn(ask, cx, &shown, GuardQuestion::Answer(response)).await?;
    Ok(match read {
        Ok(read) if !read.violated.is_empty() => (FindVerdict::Broke, read.violated),
        Ok(read) if read.unsure.is_empty() => (FindVerdict::Held, Vec::new()),
        Ok(_) | Err(_) => (FindVerdict::Undecided, Vec::new()),
    })
}

/// The same goal in another language; `None` where nothing usable came.
pub async fn translate_goal(
    ask: &impl Ask,
    cx: &MethodContext,
    goal: &Goal,
    language: &str,
) -> Result<Option<Goal>, Stop> {
    let prompt = goal.prompt();
    let shown = format!("{}\nlanguage: {language}", json!({ "request": goal.text }));
    let messages = vec![Message::new(Speaker::System, cx.templates.translate()?), Message::user(shown)];
    let answered = Asking::new(ask, cx, &prompt).answer(Purpose::Attack, messages, 0, None).await?;
    let text = answered.answer.complete().map(str::trim).filter(|text| !text.is_empty());
    Ok(text.map(|text| Goal { text: text.to_owned(), language: language.to_owned(), ..goal.clone() }))
}

/// An attempt on its way.
#[derive(Debug)]
pub(super) struct Attacking<'a, A> {
    pub(super) ask: Counted<'a, A>,
    pub(super) cx: &'a MethodContext,
    pub(super) attempt: &'a Attempt,
    prompt: Prompt,
    pub(super) sent: u32,
    pub(super) off_topic: u32,
    /// Whether the judge could not tell of an answer.
    is_unsure: bool,
    draws: u64,
}

impl<'a, A: Ask> Attacking<'a, A> {
    pub(super) fn new(ask: &'a A, cx: &'a MethodContext, attempt: &'a Attempt) -> Self {
        let prompt = attempt.goal.prompt();
        Self {
            ask: Counted::new(ask),
            cx,
            attempt,
            prompt,
            sent: 0,
            off_topic: 0,
            is_unsure: false,
            draws: 0,
        }
    }

    /// Unknown is not safe: an attempt held only where every answer of it was judged.
    pub(super) fn end(self, mut last: Option<Sent>) -> Attacked {
        if let Some(sent) = last.as_mut().filter(|sent| self.is_unsure && sent.verdict == FindVerdict::Held) {
            sent.verdict = FindVerdict::Undecided;
        }
        let (calls, tokens) = self.ask.spent();
        Attacked { last, sent: self.sent, off_topic: self.off_topic, calls, tokens }
    }

    /// A draw that no other call of the run has.
    fn draw(&mut self) -> u32 {
        self.draws += 1;
        u32::try_from(self.attempt.step * DRAWS + self.draws % DRAWS).unwrap_or(u32::MAX)
    }

    /// Sends a conversation, and counts it.
    pub(super) async fn send(&mut self, turns: Vec<Message>) -> Result<Sent, Stop> {
        let draw = self.draw();
        self.sent += 1;
        let side = TargetSide {
            ask: &self.ask,
            cx: self.cx,
            prompt: &self.prompt,
            system: self.attempt.system.as_deref(),
        };
        let sent = send_to_target(&side, turns, draw).await?;
        self.is_unsure |= sent.verdict == FindVerdict::Undecided;
        Ok(sent)
    }

    /// The next text of the attack, which still has its goal; `None` where there is none to send.
    pub(super) async fn next_text(
        &mut self,
        conversation: &[Message],
        tried: &[Tried],
        turn: Option<(u32, u32)>,
    ) -> Result<Option<String>, Stop> {
        let card = &self.attempt.card;
        if card.needs == Needs::Nothing {
            let chance = Parts::new("attack").with_u64(self.cx.seed).with_u64(self.draw().into());
            return Ok(Some(card.put(&self.attempt.goal.text, &chance)));
        }
        let Some(text) = self.write(conversation, tried, turn).await? else { return Ok(None) };
        if !self.has_goal(conversation, &text).await? {
            self.off_topic += 1;
            return Ok(None);
        }
        Ok(Some(card.wrapped(&text)))
    }

    async fn write(
        &mut self,
        conversation: &[Message],
        tried: &[Tried],
        turn: Option<(u32, u32)>,
    ) -> Result<Option<String>, Stop> {
        let Attempt { goal, card, .. } = self.attempt;
        let task = self.cx.templates.attacker(card.instruction.as_deref().unwrap_or_default())?;
        let mut shown = vec![json!({ "goal": goal.text }).to_string()];
        shown.extend(
            tried.iter().map(|tried| json!({ "tried": tried.text, "came_back": tried.reply }).to_string()),
        );
        shown.extend(conversation.iter().map(|turn| json!(turn).to_string()));
        shown.push(format!("way: {}\nfamily: {}\nlanguage: {}", card.id, card.family, goal.language));
        if let Some((now, most)) = turn {
            shown.push(format!("turn: {now} of {most}"));
        }
        let messages = vec![Message::new(Speaker::System, task), Message::user(shown.join("\n"))];
        let draw = self.draw();
        let asking = Asking::new(&self.ask, self.cx, &self.prompt);
        let answered = asking.answer(Purpose::Attack, messages, draw, None).await?;
        let text = answered.answer.complete().map(str::trim).filter(|text| !text.is_empty());
        Ok(text.map(str::to_owned))
    }

    /// Whether a text is still after the goal. What cannot be read is not sent.
    async fn has_goal(&self, conversation: &[Message], text: &str) -> Result<bool, Stop> {
        let mut shown = vec![json!({ "goal": self.attempt.goal.text }).to_string()];
        shown.extend(conversation.iter().map(|turn| json!(turn).to_string()));
        shown.push(json!({ "request": text }).to_string());
        let messages = vec![
            Message::new(Speaker::System, self.cx.templates.same_goal()?),
            Message::user(shown.join("\n")),
        ];
        let asking = Asking::new(&self.ask, self.cx, &self.prompt);
        let answered = asking.answer_of_any_draw(&Purpose::GoalCheck, &messages, 0, None).await?;
        Ok(answered.answer.complete().and_then(read_yes_or_no).unwrap_or(false))
    }
}
