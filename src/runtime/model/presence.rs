//! Whether a model is there, and how its return is waited for.
//!
//! A model that answered before and is gone (connections fail, its name or the key is unknown, a gateway stands before
//! nothing) is perhaps being restarted: that takes time, not attempts. All calls to it wait, and one after another asks
//! as a probe until one is answered. A gateway that gives 502 to 504 before the first answer is waited for as well.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

/// Calls in a row that must find nobody before it is an outage: one alone can be chance.
const MISSED_IN_A_ROW: u32 = 3;
/// The same where the endpoint is there and fails, as it may do on a certain prompt.
const FAILED_IN_A_ROW: u32 = 8;
/// The wait before the first probe; it doubles until it is [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How a call missed a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Miss {
    /// Nobody is there, or nobody who knows the model or the key.
    Gone,
    /// A gateway has nobody to pass the call on to (502 to 504).
    Gateway,
}

/// What a missed call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It may be chance: the call tries again by itself.
    Chance,
    /// An outage begins with it.
    Begins,
    /// The outage goes on.
    GoesOn,
    /// The outage has lasted longer than is waited for.
    TooLong(Duration),
}

/// What is known of one model at one endpoint.
#[derive(Debug)]
pub(super) struct Presence {
    state: Mutex<State>,
    /// An outage is over. Those who wait go on in the order in which they came.
    is_back: Notify,
    /// Whose turn it is to probe. The queue is fair, so a prompt that fails by itself does not probe for all.
    turns: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    has_answered: bool,
    missed_in_a_row: u32,
    /// When the outage began, and the probes sent since.
    outage: Option<(Instant, u32)>,
}

impl Default for Presence {
    fn default() -> Self {
        Self { state: Mutex::default(), is_back: Notify::new(), turns: Semaphore::new(1) }
    }
}

impl Presence {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_answered(&self) -> bool {
        self.state().has_answered
    }

    pub(super) fn is_away(&self) -> bool {
        self.state().outage.is_some()
    }

    /// Waits while the model is away. What is given is the right to probe, to be kept until the probe has an outcome.
    pub(super) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        let mut is_back = std::pin::pin!(self.is_back.notified());
        is_back.as_mut().enable();
        if !self.is_away() {
            return None;
        }
        let probe = async {
            let turn = self.turns.acquire().await.ok();
            sleep(self.next_wait()).await;
            turn
        };
        tokio::select! {
            biased;
            () = is_back => None,
            turn = probe => turn,
        }
    }

    fn next_wait(&self) -> Duration {
        let mut state = self.state();
        let Some((_, probes)) = &mut state.outage else { return Duration::ZERO };
        *probes += 1;
        FIRST_WAIT.saturating_mul(1 << (*probes - 1).min(8)).min(LONGEST_WAIT)
    }

    /// A call was answered. Where that ends an outage, gives how long it lasted.
    pub(super) fn answers(&self) -> Option<Duration> {
        let mut state = self.state();
        (state.has_answered, state.missed_in_a_row) = (true, 0);
        let outage = state.outage.take()?;
        self.is_back.notify_waiters();
        Some(outage.0.elapsed())
    }

    /// A call missed the model. `patience` is how long an outage may last.
    pub(super) fn misses(&self, how: Miss, patience: Duration) -> Meaning {
        let mut state = self.state();
        state.missed_in_a_row = state.missed_in_a_row.saturating_add(1);
        if let Some((since, _)) = state.outage {
            let lasted = since.elapsed();
            return if lasted >= patience { Meaning::TooLong(lasted) } else { Meaning::GoesOn };
        }
        let most = match (how, state.has_answered) {
            (Miss::Gone, _) => MISSED_IN_A_ROW,
            (Miss::Gateway, true) => FAILED_IN_A_ROW,
            (Miss::Gateway, false) => 1,
        };
        if state.missed_in_a_row < most {
            return Meaning::Chance;
        }
        state.outage = Some((Instant::now(), 0));
        if patience.is_zero() { Meaning::TooLong(Duration::ZERO) } else { Meaning::Begins }
    }
}
