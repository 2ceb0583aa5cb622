//! The memo: an answer is looked up in the journal, else asked for and recorded before the method sees it (law 1).
//!
//! The same call asked side by side, as two principles of one wording would, is asked once: what the method is given is
//! always what the journal holds.
//!
//! Somebody may watch what goes to a model, and hear an answer while it comes: see [`CallWatcher`]. The method and the
//! journal get the same as without.
//!
//! A call that failed is no answer. Its raw body is kept where there is one, for a better parser; the prompt it belongs to is
//! *troubled*, so that its transcript is made anew in the next pass, which asks the call again.

use super::{CallCounts, CallWatcher, Phase, Shutdown, Spending};
use crate::pure::answer::{Answer, Outcome, Usage};
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Call, CallKey};
use crate::pure::prompt::PromptId;
use crate::pure::recipe::{RoleModels, Tuning};
use crate::runtime::journal::{Journal, JournalError, StoredAnswer};
use crate::runtime::model::{Client, Failure, OnDelta, Recorded, Transport};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedMutexGuard;
use tracing::Instrument as _;

/// Answers calls from the journal, or from models.
#[derive(Debug)]
pub struct Memo<T> {
    journal: Journal,
    client: Client<T>,
    models: RoleModels,
    shutdown: Shutdown,
    spending: Spending,
    asked_before: AtomicU64,
    asked: AtomicU64,
    from_journal: AtomicU64,
    retried: AtomicU64,
    usage: Mutex<Usage>,
    /// Calls being looked up or asked, each with whoever waits for it.
    busy: Mutex<HashMap<CallKey, Arc<tokio::sync::Mutex<()>>>>,
}

impl<T: Transport> Memo<T> {
    /// A memo over a journal and a client. What is spent is that of all passes of a run.
    pub fn new(
        journal: Journal,
        client: Client<T>,
        models: RoleModels,
        shutdown: Shutdown,
        spending: Spending,
    ) -> Self {
        let client = client.that_drains(shutdown.draining());
        Self {
            journal,
            client,
            models,
            shutdown,
            spending,
            asked_before: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            from_journal: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            usage: Mutex::default(),
            busy: Mutex::default(),
        }
    }

    /// Says how many calls earlier passes asked: they count towards the budget.
    pub fn count_asked_before(&self, calls: u64) {
        self.asked_before.store(calls, Ordering::Relaxed);
    }

    /// How many calls earlier passes asked.
    pub fn asked_before(&self) -> u64 {
        self.asked_before.load(Ordering::Relaxed)
    }

    /// Where answers came from so far.
    pub fn counts(&self) -> CallCounts {
        CallCounts {
            asked: self.asked.load(Ordering::Relaxed),
            from_journal: self.from_journal.load(Ordering::Relaxed),
            retried: self.retried.load(Ordering::Relaxed),
        }
    }

    /// Tokens of the calls asked so far.
    pub fn usage(&self) -> Usage {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many prompts, worked on side by side, keep as many calls in flight as may be.
    pub fn prompts_wanted(&self) -> usize {
        self.client.prompts_wanted()
    }

    /// Waits until [`Self::prompts_wanted`] changes.
    pub async fn prompts_wanted_changes(&self) {
        self.client.prompts_wanted_changes().await;
    }

    /// Counts calls that a finished transcript in the journal stands for.
    pub fn count_journalled(&self, calls: u64) {
        self.from_journal.fetch_add(calls, Ordering::Relaxed);
    }

    /// The model of every role.
    pub fn models(&self) -> &RoleModels {
        &self.models
    }

    /// Changes the limits of calls that are not sent yet.
    pub fn tune(&self, tuning: Tuning) {
        self.client.tune(tuning);
    }

    /// The journal below.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What one prompt asks. `turn` is its place in the run: when calls must wait, those of older prompts go first.
    pub fn at(&self, turn: u64) -> MemoAt<'_, T> {
        MemoAt { memo: self, turn, watcher: None, troubled: AtomicBool::new(false) }
    }

    async fn look_up(&self, key: CallKey, prompt: &PromptId) -> Result<Option<Recorded>, Stop> {
        let stored = self.journal.answer_about(key, prompt).await.map_err(|error| journal_stop(&error))?;
        Ok(stored.map(|answer| Recorded {
            status: answer.status,
            body: answer.body,
            failure: answer.failure.as_deref().map(read_failure),
            attempts: answer.attempts,
            latency_ms: answer.latency_ms,
        }))
    }

    async fn record(&self, key: CallKey, call: &Call, recorded: &Recorded) -> Result<(), Stop> {
        let failure =
            recorded.failure.as_ref().map(|failure| serde_json::to_string(failure).unwrap_or_default());
        let stored = StoredAnswer {
            prompt_id: call.prompt_id.clone(),
            role: call.role,
            model: call.model.clone(),
            status: recorded.status,
            body: recorded.body.clone(),
            failure,
            attempts: recorded.attempts,
            latency_ms: recorded.latency_ms,
        };
        self.journal.record(key, stored).await.map_err(|error| journal_stop(&error))
    }

    /// Waits until nobody else is busy with the same call.
    async fn alone_with(&self, key: CallKey) -> Alone<'_, T> {
        let mutex = {
            let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(busy.entry(key).or_default())
        };
        // The guard is in place before the wait, so that whoever gives up waiting leaves nothing behind.
        let mut alone = Alone { memo: self, key, held: None };
        alone.held = Some(mutex.lock_owned().await);
        alone
    }

    /// Takes one call from the budget.
    fn spend(&self) -> Result<(), Stop> {
        let before = self.asked_before() + self.asked.fetch_add(1, Ordering::Relaxed);
        self.spending.check(before).inspect_err(|_| self.give_back())
    }

    /// A call that was not made after all.
    fn give_back(&self) {
        self.asked.fetch_sub(1, Ordering::Relaxed);
    }

    fn count(&self, call: &Call, recorded: &Recorded, answer: &Answer) {
        self.spending.add_answer(call, answer);
        self.retried.fetch_add(u64::from(recorded.attempts.saturating_sub(1)), Ordering::Relaxed);
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) += answer.usage;
    }
}

pub(super) fn read_failure(text: &str) -> Failure {
    let unread = |_| Failure { message: text.to_owned(), ..Failure::default() };
    serde_json::from_str(text).unwrap_or_else(unread)
}

/// A journal that cannot go on ends the run.
pub fn journal_stop(error: &JournalError) -> Stop {
    Stop::Journal(format!("{error}; {}", error.hint()))
}

/// The memo as one prompt's method sees it.
#[derive(Debug)]
pub struct MemoAt<'a, T> {
    memo: &'a Memo<T>,
    turn: u64,
    watcher: Option<&'a dyn CallWatcher>,
    troubled: AtomicBool,
}

impl<'a, T> MemoAt<'a, T> {
    /// The same for somebody who watches: what this prompt asks of a model is recorded and streamed.
    #[must_use]
    pub fn watched_by(mut self, watcher: &'a dyn CallWatcher) -> Self {
        self.watcher = Some(watcher);
        self
    }

    /// Whether a call of this prompt failed, which another day may mend: its transcript is then provisional.
    pub fn troubled(&self) -> bool {
        self.troubled.load(Ordering::Relaxed)
    }
}

impl<T: Transport> Ask for MemoAt<'_, T> {
    async fn ask(&self, call: Call) -> Result<Answer, Stop> {
        let key = call.key();
        let span = tracing::debug_span!(
            "call",
            %key,
            prompt = %call.prompt_id.0,
            role = call.role.as_str(),
            purpose = call.purpose.as_str(),
            principles = ?call.purpose.principles(),
        );
        async {
            let result = self.look_up_or_ask(call, key).await;
            log_answer(&result);
            result
        }
        .instrument(span)
        .await
    }
}

/// Logs how a call ended: never what it said.
fn log_answer(result: &Result<Answer, Stop>) {
    match result {
        Ok(answer) => match &answer.outcome {
            Outcome::Failed(why) => tracing::info!(why, attempts = answer.attempts, "the call failed"),
            outcome => tracing::debug!(
                outcome = outcome.as_str(),
                from_journal = answer.from_journal,
                attempts = answer.attempts,
                "answered"
            ),
        },
        Err(stop) => tracing::info!(%stop, "the call ends the run"),
    }
}

impl<T: Transport> MemoAt<'_, T> {
    async fn look_up_or_ask(&self, call: Call, key: CallKey) -> Result<Answer, Stop> {
        let memo = self.memo;
        let _alone = memo.alone_with(key).await;
        if let Some(recorded) = memo.look_up(key, &call.prompt_id).await? {
            let answer = recorded.answer(true);
            if settles(&recorded, &answer) {
                memo.from_journal.fetch_add(1, Ordering::Relaxed);
                return Ok(answer);
            }
        }
        if memo.shutdown.phase() >= Phase::Draining {
            return Err(Stop::Interrupted);
        }
        memo.spend()?;
        let model = memo.models.answering(&call);
        let watched = self.watcher.map(|watcher| (watcher, watcher.wants_pieces(&call)));
        let hears = |delta| {
            if let Some((watcher, _)) = watched {
                watcher.hears(&call, delta);
            }
        };
        let on_delta: Option<OnDelta<'_>> = match watched {
            Some((watcher, wants_pieces)) => {
                watcher.asks(&call);
                if wants_pieces { Some(&hears) } else { None }
            }
            None => None,
        };
        let asked = tokio::select! {
            biased;
            // What cannot be kept is not paid for.
            error = memo.journal.died() => Err(journal_stop(&error)),
            asked = memo.client.ask(&call, model, self.turn, on_delta) => asked,
            () = memo.shutdown.reaches(Phase::Now) => Err(Stop::Interrupted),
        };
        // The permit is held until the answer is durable: at most the calls in flight are ever asked twice.
        let (recorded, _permit) = asked.inspect_err(|_| memo.give_back())?;
        let answer = recorded.answer(false);
        memo.client.check_answer(&call, &answer).inspect_err(|_| memo.give_back())?;
        memo.count(&call, &recorded, &answer);
        let settled = settles(&recorded, &answer);
        if settled || recorded.body.is_some() {
            memo.record(key, &call, &recorded).await?;
        }
        if !settled {
            self.troubled.store(true, Ordering::Relaxed);
        }
        Ok(answer)
    }
}

/// Whether a record is the call's answer for good. A failure is not, unless this parser can read what earlier ones could not.
pub(super) fn settles(recorded: &Recorded, answer: &Answer) -> bool {
    match &answer.outcome {
        Outcome::Complete => true,
        Outcome::Failed(_) => false,
        Outcome::Truncated
        | Outcome::Filtered
        | Outcome::Refused
        | Outcome::Empty
        | Outcome::Malformed(_) => !recorded.is_transient(),
    }
}

/// Nobody else is busy with the call while this lives.
struct Alone<'a, T> {
    memo: &'a Memo<T>,
    key: CallKey,
    held: Option<OwnedMutexGuard<()>>,
}

impl<T> Drop for Alone<'_, T> {
    fn drop(&mut self) {
        let mut busy = self.memo.busy.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.held.take());
        // Whoever waits holds another reference, and cleans up in turn.
        if busy.get(&self.key).is_some_and(|mutex| Arc::strong_count(mutex) == 1) {
            busy.remove(&self.key);
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
