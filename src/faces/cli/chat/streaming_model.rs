//! The stack of a chat: answers stream to the screen, and what was answered once in a session is not asked again.
//!
//! A session keeps its answers in memory; what is worth keeping is saved by command. Editing the constitution and going
//! again asks only the calls that the edit reaches, as a run does.

use super::screen::Screen;
use super::session_cost::{AnswerSource, SessionCost};
use crate::pure::answer::Answer;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Call, CallKey};
use crate::pure::recipe::RoleModels;
use crate::runtime::model::Client;
use crate::runtime::model::Recorded;
use crate::runtime::project::Transports;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most answers kept; the oldest go first. Some forty calls make one answer of a long constitution.
const KEPT: usize = 20_000;

/// Everything answered in a session.
#[derive(Debug, Default)]
pub(super) struct Memory {
    answers: HashMap<CallKey, Recorded>,
    order: VecDeque<CallKey>,
    /// What the screen shows of the prompt at hand.
    shown: HashSet<CallKey>,
    spent: SessionCost,
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

    /// The answer, if it is known, and whether it stands on the screen.
    fn recall(&mut self, key: CallKey) -> Option<(Answer, AnswerSource)> {
        let answer = self.answers.get(&key)?.answer(true);
        self.spent.known += 1;
        Some((answer, if self.shown.contains(&key) { AnswerSource::Again } else { AnswerSource::Known }))
    }

    /// What the session has used so far.
    pub(super) fn spent(&self) -> &SessionCost {
        &self.spent
    }

    /// Another prompt: what was shown is of the last one.
    pub(super) fn turn_page(&mut self) {
        self.shown.clear();
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

impl Live<'_> {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ask for Live<'_> {
    async fn ask(&self, call: Call) -> Result<Answer, Stop> {
        let key = call.key();
        self.screen.begins(&call);
        let recalled = self.memory().recall(key);
        if let Some((answer, came)) = recalled {
            self.screen.ends(&call, &answer, came);
            self.memory().shown.insert(key);
            return Ok(answer);
        }
        self.screen.waits(&call);
        let on_delta = |delta| self.screen.delta(&call, delta);
        let model = self.models.answering(&call);
        let (recorded, _permit) = self.client.ask(&call, model, 0, Some(&on_delta)).await?;
        let answer = recorded.answer(false);
        self.screen.ends(&call, &answer, AnswerSource::Asked);
        let mut memory = self.memory();
        memory.spent.count(call.role, answer.usage);
        memory.shown.insert(key);
        if !recorded.is_transient() {
            memory.keep(key, recorded);
        }
        Ok(answer)
    }
}
