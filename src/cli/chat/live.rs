//! The stack of a chat: answers stream to the screen, and what was answered once in a session is not asked again.
//!
//! A session keeps its answers in memory; what is worth keeping is saved by command. Editing the constitution and going
//! again asks only the calls that the edit reaches, as a run does.

use super::screen::Screen;
use crate::method::{Ask, RoleModels, Stop};
use crate::model::{Answer, Call, CallKey, Client, Recorded, Transports, Usage};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Most answers kept; the oldest go first. Some forty calls make one answer of a long constitution.
const KEPT: usize = 20_000;

/// What a session has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spent {
    /// Calls that went to a model.
    pub(super) asked: u64,
    /// Calls answered from memory.
    pub(super) from_memory: u64,
    /// Tokens of the calls asked.
    pub(super) usage: Usage,
}

/// Everything answered in a session.
#[derive(Debug, Default)]
pub(super) struct Memory {
    answers: HashMap<CallKey, Recorded>,
    order: std::collections::VecDeque<CallKey>,
    spent: Spent,
}

impl Memory {
    fn keep(&mut self, key: CallKey, recorded: Recorded) {
        if self.answers.insert(key, recorded).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }

    /// What the session has used so far.
    pub(super) fn spent(&self) -> Spent {
        self.spent
    }
}

/// Asks, shows and remembers.
#[derive(Debug)]
pub(super) struct Live<'a> {
    pub(super) client: &'a Client<Transports>,
    pub(super) models: &'a RoleModels,
    pub(super) memory: &'a Mutex<Memory>,
    pub(super) screen: &'a Screen,
}

impl Ask for Live<'_> {
    async fn ask(&self, call: Call) -> Result<Answer, Stop> {
        let key = call.key();
        if let Some(answer) = self.remembered(key) {
            self.screen.begins(&call);
            self.screen.ends(&call, &answer, false);
            return Ok(answer);
        }
        self.screen.begins(&call);
        let on_delta = |delta| self.screen.delta(&call, &delta);
        let model = self.models.answering(&call);
        let (recorded, _permit) = self.client.ask(&call, model, 0, Some(&on_delta)).await?;
        let answer = recorded.answer(false);
        {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.spent.asked += 1;
            memory.spent.usage += answer.usage;
            if !recorded.is_transient() {
                memory.keep(key, recorded);
            }
        }
        self.screen.ends(&call, &answer, true);
        Ok(answer)
    }
}

impl Live<'_> {
    fn remembered(&self, key: CallKey) -> Option<Answer> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = memory.answers.get(&key)?.answer(true);
        memory.spent.from_memory += 1;
        Some(answer)
    }
}
