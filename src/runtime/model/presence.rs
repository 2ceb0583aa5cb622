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

/// Why a call waits no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GivenUp {
    /// How long the model has been away.
    pub(super) lasted: Duration,
    /// What the last call met.
    pub(super) message: String,
}

/// What is known of one model at one endpoint.
#[derive(Debug)]
pub(super) struct Presence {
    state: Mutex<State>,
    /// An outage is over, or is waited for no longer. Those who wait hear it in the order in which they came.
    is_over: Notify,
    /// Whose turn it is to probe. The queue is fair, so a prompt that fails by itself does not probe for all.
    turns: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    has_answered: bool,
    missed_in_a_row: u32,
    outage: Option<Outage>,
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    /// When the last probe was sent.
    probed: Instant,
    /// Probes sent.
    probes: u32,
    /// What the last call met.
    message: String,
}

impl Outage {
    /// The wait before the next probe.
    fn wait(&self) -> Duration {
        FIRST_WAIT.saturating_mul(1 << self.probes.min(8)).min(LONGEST_WAIT)
    }

    fn is_probe_due(&self) -> bool {
        self.probed.elapsed() >= self.wait()
    }
}

impl Default for Presence {
    fn default() -> Self {
        Self { state: Mutex::default(), is_over: Notify::new(), turns: Semaphore::new(1) }
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

    /// Waits while the model is away, `patience` at most. What is given is the right to probe, to be kept until the probe
    /// has an outcome.
    pub(super) async fn enter(&self, patience: Duration) -> Result<Option<SemaphorePermit<'_>>, GivenUp> {
        let mut is_over = std::pin::pin!(self.is_over.notified());
        is_over.as_mut().enable();
        if !self.is_away() {
            return Ok(None);
        }
        let probe = async {
            let turn = self.turns.acquire().await.ok();
            sleep(self.next_wait(patience)).await;
            turn
        };
        tokio::select! {
            biased;
            () = is_over => self.given_up().map_or(Ok(None), Err),
            turn = probe => Ok(turn),
        }
    }

    /// Whether it is time to look if the model is back, and nobody does: for calls that others answer meanwhile.
    pub(super) fn is_probe_due(&self) -> bool {
        self.turns.available_permits() > 0 && self.state().outage.as_ref().is_some_and(Outage::is_probe_due)
    }

    /// The right to probe, where it is time to. It is kept until the probe has an outcome.
    pub(super) fn try_probe(&self) -> Option<SemaphorePermit<'_>> {
        let turn = self.turns.try_acquire().ok()?;
        let mut state = self.state();
        let outage = state.outage.as_mut().filter(|outage| outage.is_probe_due())?;
        outage.probes += 1;
        outage.probed = Instant::now();
        Some(turn)
    }

    /// What the last call met in an outage.
    pub(super) fn last_message(&self) -> String {
        self.state().outage.as_ref().map_or_else(String::new, |outage| outage.message.clone())
    }

    /// Why nobody waits any longer; `None` when the model is back.
    fn given_up(&self) -> Option<GivenUp> {
        let state = self.state();
        let Outage { since, message, .. } = state.outage.as_ref()?;
        Some(GivenUp { lasted: since.elapsed(), message: message.clone() })
    }

    /// The last probe is sent when the patience ends. Who comes later, as a person in a chat does, probes at once.
    fn next_wait(&self, patience: Duration) -> Duration {
        let mut state = self.state();
        let Some(outage) = &mut state.outage else { return Duration::ZERO };
        let wait = outage.wait();
        outage.probes += 1;
        outage.probed = Instant::now() + wait;
        wait.min(patience.saturating_sub(outage.since.elapsed()))
    }

    /// A call was answered. Where that ends an outage, gives how long it lasted.
    pub(super) fn answers(&self) -> Option<Duration> {
        let mut state = self.state();
        (state.has_answered, state.missed_in_a_row) = (true, 0);
        let outage = state.outage.take()?;
        self.is_over.notify_waiters();
        Some(outage.since.elapsed())
    }

    /// A call missed the model, for the reason given. `patience` is how long an outage may last.
    pub(super) fn misses(&self, how: Miss, message: &str, patience: Duration) -> Meaning {
        let mut state = self.state();
        let most = match (how, state.has_answered) {
            (Miss::Gone, _) => MISSED_IN_A_ROW,
            (Miss::Gateway, true) => FAILED_IN_A_ROW,
            (Miss::Gateway, false) => 1,
        };
        state.missed_in_a_row = state.missed_in_a_row.saturating_add(1);
        let begins = state.outage.is_none();
        if begins && state.missed_in_a_row < most {
            return Meaning::Chance;
        }
        let now = Instant::now();
        let new = || Outage { since: now, probed: now, probes: 0, message: String::new() };
        let outage = state.outage.get_or_insert_with(new);
        message.clone_into(&mut outage.message);
        let lasted = outage.since.elapsed();
        if lasted >= patience {
            self.is_over.notify_waiters();
            return Meaning::TooLong(lasted);
        }
        if begins { Meaning::Begins } else { Meaning::GoesOn }
    }
}
