//! Counts what a piece of work asks, by role, and what of it came from the journal.

use super::asking;
use crate::pure::answer::Answer;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Call, CallKey};
use crate::pure::reports::cost_estimate::{ByRole, Used, place};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// What a piece of work took.
#[derive(Debug, Default)]
pub(super) struct Seen {
    keys: BTreeSet<CallKey>,
    pub(super) used: ByRole,
    /// Calls not from the journal, and the seconds they took.
    pub(super) asked: u64,
    pub(super) waited: f64,
}

impl Seen {
    /// Calls whose answers were in the journal before. What is asked twice is counted once.
    pub(super) fn known(&self) -> u64 {
        (self.keys.len() as u64).saturating_sub(self.asked)
    }
}

/// Passes calls on and counts them; what is asked twice is paid once.
pub(super) struct Counting<'a> {
    inner: &'a asking::Ask<'a>,
    seen: Mutex<Seen>,
}

impl<'a> Counting<'a> {
    pub(super) fn new(inner: &'a asking::Ask<'a>) -> Self {
        Self { inner, seen: Mutex::default() }
    }

    pub(super) fn seen(self) -> Seen {
        self.seen.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ask for Counting<'_> {
    async fn ask(&self, call: Call) -> Result<Answer, Stop> {
        let (key, role) = (call.key(), call.role);
        let began = Instant::now();
        let answer = self.inner.ask(call).await?;
        let took = began.elapsed().as_secs_f64();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.keys.insert(key) {
            seen.used[place(role)] += Used {
                calls: 1.0,
                prompt: answer.usage.prompt as f64,
                cached: answer.usage.cached as f64,
                completion: answer.usage.completion as f64,
            };
        }
        if !answer.from_journal {
            seen.asked += 1;
            seen.waited += took;
        }
        Ok(answer)
    }
}
