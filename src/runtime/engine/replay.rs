//! What a method would ask now: answers that the journal holds are given to it, and where one is missing its way ends there.
//!
//! Every call that is wanted before anything new is known is counted, side by side ones too. So after an edit it is exact how many
//! calls are asked first; what follows from their answers nobody knows.

use super::memo::settles;
use crate::pure::answer::Answer;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{ByRole, Call, CallKey, Role};
use crate::pure::method::{MethodContext, make_transcript};
use crate::pure::prompt::Prompt;
use crate::runtime::journal::{JournalError, Reader};
use crate::runtime::model::Recorded;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A journal to replay prompts from.
#[derive(Debug)]
pub struct Replay {
    reader: Mutex<Reader>,
}

/// What one prompt would ask.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Calls whose answers are in the journal, by role.
    pub known: ByRole<u64>,
    /// Calls that are asked first, by role.
    pub missing: ByRole<u64>,
    /// Whether nothing is asked at all.
    pub is_done: bool,
}

impl Replay {
    /// Replays from a journal.
    pub fn new(reader: Reader) -> Self {
        Self { reader: Mutex::new(reader) }
    }

    /// Runs the method on a prompt as far as the journal goes.
    ///
    /// # Errors
    ///
    /// A journal that cannot be read; the method's own stop.
    pub fn replay(&self, cx: &MethodContext, prompt: &Prompt) -> Result<Replayed, Stop> {
        let asker = Asker { replay: self, state: Mutex::default() };
        let mut transcript = std::pin::pin!(make_transcript(&asker, cx, prompt));
        let mut context = Context::from_waker(Waker::noop());
        let is_done = loop {
            let before = asker.state().asked;
            match transcript.as_mut().poll(&mut context) {
                Poll::Ready(made) => break made.map(|_| true)?,
                // Nothing wakes it: where a poll asks nothing new, every way has ended.
                Poll::Pending if asker.state().asked == before => break false,
                Poll::Pending => {}
            }
        };
        let mut state = asker.state();
        if let Some(error) = state.failed.take() {
            return Err(super::memo::journal_stop(&error));
        }
        let mut replayed = Replayed { is_done, ..Replayed::default() };
        for (role, is_known) in state.calls.values() {
            let counts = if *is_known { &mut replayed.known } else { &mut replayed.missing };
            counts[*role] += 1;
        }
        Ok(replayed)
    }

    fn look_up(&self, key: &CallKey) -> Result<Option<Answer>, JournalError> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stored) = reader.answer(key)? else { return Ok(None) };
        let recorded = Recorded {
            status: stored.status,
            body: stored.body,
            failure: stored.failure.as_deref().map(super::memo::read_failure),
            attempts: stored.attempts,
            latency_ms: stored.latency_ms,
        };
        let answer = recorded.answer(true);
        Ok(settles(&recorded, &answer).then_some(answer))
    }
}

/// Answers one prompt's calls.
struct Asker<'a> {
    replay: &'a Replay,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: u64,
    /// Each call once, with whether its answer is known.
    calls: BTreeMap<CallKey, (Role, bool)>,
    failed: Option<JournalError>,
}

impl Asker<'_> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ask for Asker<'_> {
    async fn ask(&self, call: Call) -> Result<Answer, Stop> {
        let key = call.key();
        let found = self.replay.look_up(&key);
        {
            let mut state = self.state();
            state.asked += 1;
            match &found {
                Ok(answer) => drop(state.calls.insert(key, (call.role, answer.is_some()))),
                Err(error) => state.failed = Some(error.clone()),
            }
        }
        match found {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}
