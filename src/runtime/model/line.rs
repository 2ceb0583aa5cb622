//! How the calls of one line fare: one role, at one endpoint, in one shape of request.
//!
//! An endpoint can answer one role and refuse another, or take plain requests and refuse a schema. So only an answer in the
//! same line says that the line works. A line that never answered is tried with few calls at first, and is given up early:
//! what is refused for good need not be asked hundreds of times.

use crate::pure::call::{Call, Role};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Calls of a line in a row that fail before the run stops, rather than turning every prompt into a reject.
pub(super) const FAILURES_IN_A_ROW: u32 = 32;

/// The same for a line that never got an answer, and is refused for good. So many calls try it at a time.
pub(super) const REFUSALS_AT_FIRST: u32 = 8;

/// What tells the calls of one line from others at the same endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LineKey {
    role: Role,
    is_structured: bool,
    wants_logprobs: bool,
}

impl LineKey {
    pub(super) fn of(call: &Call) -> Self {
        let wants_logprobs = call.sampling.top_logprobs.is_some();
        Self { role: call.role, is_structured: call.format.is_some(), wants_logprobs }
    }
}

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    /// Places for calls until the first answer; closed from then on, which lets everybody pass.
    places: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    has_answered: bool,
    failures_in_a_row: u32,
    /// Why calls that wait for a place need not be asked any more.
    broken: Option<String>,
}

impl Default for Line {
    fn default() -> Self {
        Self { places: Semaphore::new(REFUSALS_AT_FIRST as usize), state: Mutex::default() }
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place, if the line has not answered yet. `Err` says why the line is given up.
    pub(super) async fn enter(&self) -> Result<Option<SemaphorePermit<'_>>, String> {
        if self.places.available_permits() == REFUSALS_AT_FIRST as usize {
            // Nobody is trying any more: the next call tries again, as a chat does after its server was mended.
            self.state().broken = None;
        }
        let place = self.places.acquire().await.ok();
        match &self.state().broken {
            Some(why) => Err(why.clone()),
            None => Ok(place),
        }
    }

    /// The line got an answer.
    pub(super) fn answers(&self) {
        *self.state() = State { has_answered: true, ..State::default() };
        self.places.close();
    }

    /// Counts a failure. When there are too many in a row, gives their number.
    pub(super) fn fails(&self, is_refusal: bool) -> Option<u32> {
        let mut state = self.state();
        state.failures_in_a_row += 1;
        let most = if is_refusal && !state.has_answered { REFUSALS_AT_FIRST } else { FAILURES_IN_A_ROW };
        (state.failures_in_a_row >= most).then_some(state.failures_in_a_row)
    }

    /// Gives the line up for the calls that wait for a place.
    pub(super) fn break_off(&self, why: &str) {
        self.state().broken = Some(why.to_owned());
    }
}
