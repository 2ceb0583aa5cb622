//! The calls of a chat, shown while they are answered.
//!
//! Answering is the memo's: it looks into the journal of the session, else asks and records. This shows what the memo
//! does, and counts what it cost.

use super::screen::Screen;
use super::session_cost::{AnswerSource, SessionCost};
use crate::pure::answer::Answer;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Call, CallKey, Purpose};
use crate::runtime::engine::CallWatcher;
use crate::runtime::engine::memo::Memo;
use crate::runtime::model::Delta;
use crate::runtime::project::Transports;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// What a session asked so far.
#[derive(Debug, Default)]
pub(super) struct CallLedger(Mutex<Ledger>);

#[derive(Debug, Default)]
struct Ledger {
    /// The calls whose answers the screen shows, of the prompt at hand.
    shown: HashSet<CallKey>,
    cost: SessionCost,
}

impl CallLedger {
    /// What the session has used so far.
    pub(super) fn cost(&self) -> SessionCost {
        self.lock().cost.clone()
    }

    /// Another prompt: what was shown is of the last one.
    pub(super) fn turn_page(&self) {
        self.lock().shown.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters an answer, and says where it came from.
    fn enter(&self, call: &Call, answer: &Answer) -> AnswerSource {
        let mut ledger = self.lock();
        let is_first = ledger.shown.insert(call.key());
        if !answer.from_journal {
            ledger.cost.count(call.role, answer.usage);
            return AnswerSource::Asked;
        }
        ledger.cost.known += 1;
        if is_first { AnswerSource::Known } else { AnswerSource::Again }
    }
}

/// Asks, shows and counts.
///
/// Calls made side by side line up in the order in which the method makes them, whatever the journal takes to look each
/// up, so that critiques come in the order of the principles and a session reads the same each time.
#[derive(Debug)]
pub(super) struct ShownCalls<'a> {
    memo: &'a Memo<Transports>,
    screen: &'a Screen,
    ledger: &'a CallLedger,
    line: Arc<tokio::sync::Mutex<()>>,
}

impl<'a> ShownCalls<'a> {
    /// What one prompt asks.
    pub(super) fn new(memo: &'a Memo<Transports>, screen: &'a Screen, ledger: &'a CallLedger) -> Self {
        Self { memo, screen, ledger, line: Arc::default() }
    }
}

impl Ask for ShownCalls<'_> {
    async fn ask(&self, call: Call) -> Result<Answer, Stop> {
        self.screen.begins(&call);
        let first_in_line = Arc::clone(&self.line).lock_owned().await;
        let shown = ShownCall { screen: self.screen, first_in_line: Mutex::new(Some(first_in_line)) };
        let answer = self.memo.at(0).watched_by(&shown).ask(call.clone()).await?;
        let source = self.ledger.enter(&call, &answer);
        self.screen.ends(&call, &answer, source);
        Ok(answer)
    }
}

/// One call, which leaves the line when a model is asked.
#[derive(Debug)]
struct ShownCall<'a> {
    screen: &'a Screen,
    first_in_line: Mutex<Option<OwnedMutexGuard<()>>>,
}

impl CallWatcher for ShownCall<'_> {
    fn wants_pieces(&self, call: &Call) -> bool {
        matches!(call.purpose, Purpose::Draft { .. } | Purpose::Revision { .. })
    }

    fn asks(&self, call: &Call) {
        self.first_in_line.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.screen.waits(call);
    }

    fn hears(&self, call: &Call, delta: Delta) {
        self.screen.delta(call, delta);
    }
}
