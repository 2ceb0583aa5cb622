//! Counts what a piece of work asks, by role, and what of it came from the journal.

use crate::pure::answer::Answer;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Call, CallKey};
use crate::pure::reports::cost_estimate::{Used, UsedByRole};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// What a piece of work took.
#[derive(Debug, Default)]
pub struct MeteredCalls {
    keys: BTreeSet<CallKey>,
    /// Calls and tokens by role. What is asked twice is counted once.
    pub used: UsedByRole,
    /// Calls not from the journal.
    pub asked: u64,
    /// Seconds that those took, one after another.
    pub waited: f64,
}

impl MeteredCalls {
    /// Calls whose answers were in the journal before. What is asked twice is counted once.
    pub fn known(&self) -> u64 {
        (self.keys.len() as u64).saturating_sub(self.asked)
    }
}

/// Passes calls on and counts them; what is asked twice is paid once.
#[derive(Debug)]
pub struct CallMeter<'a, A> {
    inner: &'a A,
    calls: Mutex<MeteredCalls>,
}

impl<'a, A> CallMeter<'a, A> {
    /// A meter that has counted nothing yet.
    pub fn new(inner: &'a A) -> Self {
        Self { inner, calls: Mutex::default() }
    }

    /// What was counted.
    pub fn finish(self) -> MeteredCalls {
        self.calls.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Ask> Ask for CallMeter<'_, A> {
    async fn ask(&self, call: Call) -> Result<Answer, Stop> {
        let (key, role) = (call.key(), call.role);
        let began = Instant::now();
        let answer = self.inner.ask(call).await?;
        let took = began.elapsed().as_secs_f64();
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.keys.insert(key) {
            calls.used[role] += Used {
                calls: 1.0,
                prompt: answer.usage.prompt as f64,
                cached: answer.usage.cached as f64,
                completion: answer.usage.completion as f64,
            };
        }
        if !answer.from_journal {
            calls.asked += 1;
            calls.waited += took;
        }
        Ok(answer)
    }
}
