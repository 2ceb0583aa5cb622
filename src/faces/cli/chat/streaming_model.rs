//! The stack of a chat: answers stream to the screen, and what was answered once in a session is not asked again.
//!
//! A session keeps its answers in memory; what is worth keeping is saved by command. Editing the constitution and going
//! again asks only the calls that the edit reaches, as a run does.

use super::critique_view::Came;
use super::screen::Screen;
use crate::pure::answer::{Answer, Usage};
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Call, CallKey, Role};
use crate::pure::recipe::Models;
use crate::pure::recipe::RoleModels;
use crate::pure::reports::cost_estimate::Used;
use crate::runtime::model::Client;
use crate::runtime::model::Recorded;
use crate::runtime::project::Transports;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most answers kept; the oldest go first. Some forty calls make one answer of a long constitution.
const KEPT: usize = 20_000;

/// What a session has used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spent {
    /// Calls that went to a model, and their tokens, by role.
    pub(super) roles: BTreeMap<Role, (u64, Usage)>,
    /// Calls answered from memory.
    pub(super) known: u64,
}

impl Spent {
    /// Calls that went to a model.
    pub(super) fn asked(&self) -> u64 {
        self.roles.values().map(|(calls, _)| calls).sum()
    }

    /// Tokens of all roles.
    pub(super) fn usage(&self) -> Usage {
        let mut sum = Usage::default();
        self.roles.values().for_each(|(_, usage)| sum += *usage);
        sum
    }

    /// What came to it since it was `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        let mut roles = self.roles.clone();
        for (role, (calls, usage)) in &mut roles {
            if let Some((earlier, used)) = before.roles.get(role) {
                *calls -= earlier;
                usage.prompt -= used.prompt;
                usage.cached -= used.cached;
                usage.completion -= used.completion;
            }
        }
        roles.retain(|_, (calls, _)| *calls > 0);
        Self { roles, known: self.known - before.known }
    }

    /// What it costs, in whatever currency the recipe's prices are; `None` where there are none, or a role that was asked
    /// has none.
    pub(super) fn money(&self, models: &Models) -> Option<f64> {
        Role::ALL.into_iter().find_map(|role| models.price(role))?;
        let cost = |(role, (calls, usage)): (&Role, &(u64, Usage))| {
            let Usage { prompt, cached, completion } = *usage;
            let used = Used {
                calls: *calls as f64,
                prompt: prompt as f64,
                cached: cached as f64,
                completion: completion as f64,
            };
            models.price(*role).map(|price| used.money(price))
        };
        self.roles.iter().map(cost).try_fold(0.0, |sum, cost| Some(sum + cost?))
    }

    fn count(&mut self, role: Role, usage: Usage) {
        let (calls, sum) = self.roles.entry(role).or_default();
        *calls += 1;
        *sum += usage;
    }
}

/// Everything answered in a session.
#[derive(Debug, Default)]
pub(super) struct Memory {
    answers: HashMap<CallKey, Recorded>,
    order: VecDeque<CallKey>,
    /// What the screen shows of the prompt at hand.
    shown: HashSet<CallKey>,
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

    /// The answer, if it is known, and whether it stands on the screen.
    fn recall(&mut self, key: CallKey) -> Option<(Answer, Came)> {
        let answer = self.answers.get(&key)?.answer(true);
        self.spent.known += 1;
        Some((answer, if self.shown.contains(&key) { Came::Again } else { Came::Known }))
    }

    /// What the session has used so far.
    pub(super) fn spent(&self) -> &Spent {
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
        self.screen.ends(&call, &answer, Came::Asked);
        let mut memory = self.memory();
        memory.spent.count(call.role, answer.usage);
        memory.shown.insert(key);
        if !recorded.is_transient() {
            memory.keep(key, recorded);
        }
        Ok(answer)
    }
}
