//! How hard an endpoint is pressed: calls in flight, requests and tokens per minute, pauses it asks for.
//!
//! One [`Limiter`] per endpoint. Whoever waits stands in one queue, ordered by the turn of its prompt and then by
//! arrival, so that a chain begun is finished before new ones get their first call. Only the head of the queue may go;
//! it sleeps until it can, and wakes the next. No task of its own runs here, and time is tokio's, so tests run on
//! virtual time.

mod adaptive_concurrency;
mod sliding_window;

use crate::pure::answer::Usage;
use crate::pure::recipe::{Concurrency, Limits, PerMinute, Tuning};
pub use adaptive_concurrency::LimitReason;
use adaptive_concurrency::{ConcurrencyController, SendTime};
use sliding_window::Pace;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// What one call will take, as far as that is known before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Bytes of the request's messages.
    pub(super) bytes: u64,
    /// The ceiling of the answer's tokens.
    pub(super) max_tokens: u32,
}

/// How many calls may be in flight at an endpoint, and how many might before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LimitChange {
    /// Calls in flight from now on.
    pub(super) calls: u32,
    /// Calls in flight until now.
    pub(super) before: u32,
    /// Why.
    pub(super) reason: LimitReason,
}

/// Hears of changes of the number of calls in flight. It must not block, and not ask the limiter.
pub(super) type OnLimit = Box<dyn Fn(LimitChange) + Send + Sync>;

/// The limits of one endpoint.
#[derive(Debug, Clone)]
pub(super) struct Limiter(Arc<Mutex<State>>);

/// Refusals in a row after which a wait that an endpoint asks for is everybody's.
const REFUSED_IN_A_ROW: u32 = 4;

/// A change by less than this share is not told.
const TOLD_SHARE: f64 = 0.1;

/// A waiter's place: the turn of its prompt, then its arrival.
type Place = (u64, u64);

struct State {
    epoch: Instant,
    concurrency: ConcurrencyController,
    /// Calls sent and not answered.
    in_flight: u32,
    /// Calls answered whose answer is not durable yet.
    unsaved: u32,
    /// Refusals since the last answer.
    refused_in_a_row: u32,
    on_limit: OnLimit,
    /// The number of calls in flight that was told last.
    told: u32,
    requests: Option<Pace>,
    tokens: Option<Pace>,
    /// Nothing is sent before this: the endpoint asked for a pause.
    not_before: Option<Instant>,
    queue: BTreeMap<Place, Arc<Notify>>,
    arrivals: u64,
    /// Prompt tokens per byte, learnt from what the endpoint counts.
    tokens_per_byte: f64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("concurrency", &self.concurrency).finish_non_exhaustive()
    }
}

/// What the head of the queue is told.
enum Gate {
    Go(Permit),
    /// Nothing changes before this.
    Until(Instant),
    /// Someone will wake it.
    Wait,
}

impl Limiter {
    pub(super) fn new(limits: &Limits, on_limit: OnLimit) -> Self {
        let concurrency = match limits.concurrency {
            Concurrency::Auto => ConcurrencyController::auto(),
            Concurrency::Fixed(n) => ConcurrencyController::fixed(n),
        };
        Self(Arc::new(Mutex::new(State {
            epoch: Instant::now(),
            told: concurrency.target(),
            concurrency,
            in_flight: 0,
            unsaved: 0,
            refused_in_a_row: 0,
            on_limit,
            requests: limits.rpm.map(Pace::per_minute),
            tokens: limits.tpm.map(Pace::per_minute),
            not_before: None,
            queue: BTreeMap::new(),
            arrivals: 0,
            tokens_per_byte: 0.25,
        })))
    }

    /// Waits until a call may be sent. Dropping the future leaves the queue.
    pub(super) async fn acquire(&self, turn: u64, size: Size) -> Permit {
        let place = self.line_up(turn);
        loop {
            match self.try_go(place.place, size, Instant::now()) {
                Gate::Go(permit) => return permit,
                Gate::Until(when) => {
                    tokio::select! {
                        biased;
                        () = sleep_until(when) => {}
                        () = place.woken.notified() => {}
                    }
                }
                Gate::Wait => place.woken.notified().await,
            }
        }
    }

    /// Sends nothing for a while: the endpoint asked for it.
    pub(super) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.lock();
        state.not_before = state.not_before.max(Some(until));
    }

    /// Changes the limits for calls that are not sent yet.
    pub(super) fn tune(&self, tuning: Tuning) {
        let mut state = self.lock();
        let (now, in_flight) = (state.seconds(Instant::now()), state.in_flight);
        match tuning.concurrency {
            Some(Concurrency::Auto) => state.concurrency.set_auto(now, in_flight),
            Some(Concurrency::Fixed(n)) => state.concurrency.set_fixed(n),
            None => {}
        }
        state.told = state.concurrency.target();
        let State { requests, tokens, .. } = &mut *state;
        for (pace, limit) in [(requests, tuning.rpm), (tokens, tuning.tpm)] {
            match (limit.map(PerMinute::limit), &mut *pace) {
                (Some(Some(limit)), Some(pace)) => pace.set_limit(limit),
                (Some(limit), _) => *pace = limit.map(Pace::per_minute),
                (None, _) => {}
            }
        }
        state.wake_head();
    }

    /// Calls that may be in flight.
    pub(super) fn allowed(&self) -> u32 {
        self.lock().concurrency.target()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line_up(&self, turn: u64) -> InLine {
        let woken = Arc::new(Notify::new());
        let mut state = self.lock();
        let place = (turn, state.arrivals);
        state.arrivals += 1;
        state.queue.insert(place, woken.clone());
        drop(state);
        InLine { limiter: self.clone(), place, woken }
    }

    fn try_go(&self, place: Place, size: Size, now: Instant) -> Gate {
        let mut state = self.lock();
        let is_head = state.queue.first_key_value().is_some_and(|(head, _)| *head == place);
        if !is_head {
            return Gate::Wait;
        }
        let (at, in_flight) = (state.seconds(now), state.in_flight);
        match state.concurrency.admits(at, in_flight) {
            SendTime::Now => {}
            SendTime::At(when) => {
                return Gate::Until(state.epoch + Duration::try_from_secs_f64(when).unwrap_or_default());
            }
            SendTime::Later => return Gate::Wait,
        }
        if state.unsaved >= state.concurrency.target() {
            return Gate::Wait;
        }
        let reserved = size.bytes as f64 * state.tokens_per_byte + f64::from(size.max_tokens);
        let State { requests, tokens, not_before, .. } = &mut *state;
        let ready = [
            *not_before,
            requests.as_mut().and_then(|pace| pace.ready(1.0, now)),
            tokens.as_mut().and_then(|pace| pace.ready(reserved, now)),
        ];
        if let Some(when) = ready.into_iter().flatten().max().filter(|when| *when > now) {
            return Gate::Until(when);
        }
        if let Some(pace) = requests {
            pace.take(1.0, now);
        }
        let entry = tokens.as_mut().map(|pace| pace.take(reserved, now));
        state.in_flight += 1;
        state.concurrency.sent(at);
        state.queue.remove(&place);
        state.wake_head();
        Gate::Go(Permit {
            limiter: self.clone(),
            started: now,
            bytes: size.bytes,
            entry,
            has_outcome: AtomicBool::new(false),
            is_answered: AtomicBool::new(false),
        })
    }
}

impl State {
    /// Seconds since the limiter was made, as the controller counts them.
    fn seconds(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.epoch).as_secs_f64()
    }

    /// Tells of a number of calls in flight that is not about the one that was told last.
    fn tell_limit(&mut self) {
        let Some(reason) = self.concurrency.take_change() else { return };
        let (calls, before) = (self.concurrency.target(), self.told);
        if f64::from(calls.abs_diff(before)) >= (TOLD_SHARE * f64::from(before)).max(1.0) {
            self.told = calls;
            (self.on_limit)(LimitChange { calls, before, reason });
        }
    }

    fn wake_head(&self) {
        if let Some((_, head)) = self.queue.first_key_value() {
            head.notify_one();
        }
    }
}

/// A place in the queue, given up when dropped.
struct InLine {
    limiter: Limiter,
    place: Place,
    woken: Arc<Notify>,
}

impl Drop for InLine {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        state.queue.remove(&self.place);
        state.wake_head();
    }
}

/// The right to have one call in flight; given back when the call has an outcome, or is dropped.
///
/// Whoever asked keeps it until the answer is durable. Meanwhile the next call may go, and no more than as many answers as
/// there may be calls in flight wait for durability: so a kill loses at most twice that many.
#[derive(Debug)]
pub struct Permit {
    limiter: Limiter,
    started: Instant,
    bytes: u64,
    /// The reservation of tokens, to be put right when the endpoint has counted.
    entry: Option<u64>,
    has_outcome: AtomicBool,
    is_answered: AtomicBool,
}

impl Permit {
    /// The call was answered.
    pub(super) fn answered(&self, usage: Usage) {
        if self.has_outcome.swap(true, Ordering::Relaxed) {
            return;
        }
        self.is_answered.store(true, Ordering::Relaxed);
        let now = Instant::now();
        let mut state = self.limiter.lock();
        let (sent, at) = (state.seconds(self.started), state.seconds(now));
        state.in_flight = state.in_flight.saturating_sub(1);
        state.unsaved += 1;
        state.refused_in_a_row = 0;
        state.concurrency.answered(sent, at, usage.completion.max(1));
        if usage.prompt > 0 && self.bytes > 0 {
            let seen = usage.prompt as f64 / self.bytes as f64;
            state.tokens_per_byte = 0.9 * state.tokens_per_byte + 0.1 * seen;
        }
        let counted = usage.prompt + usage.completion;
        if let (Some(entry), Some(pace), true) = (self.entry, &mut state.tokens, counted > 0) {
            pace.settle(entry, counted as f64);
        }
        state.tell_limit();
        state.wake_head();
    }

    /// The endpoint could not keep up, and asked to wait for `after`. When it does nothing but refuse, everybody waits.
    pub(super) fn refused(&self, after: Option<Duration>) {
        if self.has_outcome.swap(true, Ordering::Relaxed) {
            return;
        }
        let now = Instant::now();
        let mut state = self.limiter.lock();
        let (sent, at) = (state.seconds(self.started), state.seconds(now));
        state.in_flight = state.in_flight.saturating_sub(1);
        state.refused_in_a_row += 1;
        state.concurrency.refused(sent, at);
        if let Some(after) = after
            && state.refused_in_a_row >= REFUSED_IN_A_ROW
        {
            state.not_before = state.not_before.max(Some(now + after));
        }
        state.tell_limit();
        state.wake_head();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        if self.is_answered.load(Ordering::Relaxed) {
            state.unsaved = state.unsaved.saturating_sub(1);
        } else if !self.has_outcome.load(Ordering::Relaxed) {
            state.in_flight = state.in_flight.saturating_sub(1);
            let at = state.seconds(Instant::now());
            state.concurrency.dropped(at);
        }
        state.wake_head();
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod worlds;
