//! Where the answers of a session came from, and what they cost.

use crate::pure::answer::Usage;
use crate::pure::call::Role;
use crate::pure::recipe::Models;
use crate::pure::reports::cost_estimate::Used;
use std::collections::BTreeMap;

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerSource {
    /// A model was asked.
    Asked,
    /// The session's journal held it.
    Known,
    /// It is on the screen already, for the same prompt.
    Again,
}

/// What a session has used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SessionCost {
    /// Calls that went to a model, and their tokens, by role.
    pub(super) roles: BTreeMap<Role, (u64, Usage)>,
    /// Calls that the session's journal answered.
    pub(super) known: u64,
}

impl SessionCost {
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
        Role::ALL.iter().find_map(|role| models.price(*role))?;
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

    /// Counts a call that went to a model.
    pub(super) fn count(&mut self, role: Role, usage: Usage) {
        let (calls, sum) = self.roles.entry(role).or_default();
        *calls += 1;
        *sum += usage;
    }
}
