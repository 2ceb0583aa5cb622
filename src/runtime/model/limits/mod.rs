//! How hard an endpoint is pressed: calls in flight, requests and tokens per minute, pauses it asks for.
//!
//! One [`Limiter`] per endpoint. Whoever waits stands in one queue, ordered by the turn of its prompt and then by
//! arrival, so that a chain begun is finished before new ones get their first call. Only the head of the queue may go;
//! it sleeps until it can, and wakes the next. No task of its own runs here, and time is tokio's, so tests run on
//! virtual time.

mod adaptive_concurrency;
mod sliding_window;

use crate::pure::answer::Usage;
use crate::pure::recipe::{Concurrency, Limits};
use adaptive_concurrency::Adapt;
use sliding_window::Pace;
use std::collections::BTreeMap;
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

/// The limits of one endpoint.
#[derive(Debug, Clone)]
pub(super) struct Limiter(Arc<Mutex<State>>);

/// A waiter's place: the turn of its prompt, then its arrival.
type Place = (u64, u64);

#[derive(Debug)]
struct State {
    concurrency: Adapt,
    in_flight: u32,
    requests: Option<Pace>,
    tokens: Option<Pace>,
    /// Nothing is sent before this: the endpoint asked for a pause.
    not_before: Option<Instant>,
    queue: BTreeMap<Place, Arc<Notify>>,
    arrivals: u64,
    /// Prompt tokens per byte, learnt from what the endpoint counts.
    tokens_per_byte: f64,
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
    pub(super) fn new(limits: &Limits) -> Self {
        let concurrency = match limits.concurrency {
            Concurrency::Auto => Adapt::auto(),
            Concurrency::Fixed(n) => Adapt::fixed(n),
        };
        Self(Arc::new(Mutex::new(State {
            concurrency,
            in_flight: 0,
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
        if !is_head || state.in_flight >= state.concurrency.limit() {
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
        state.queue.remove(&place);
        state.wake_head();
        Gate::Go(Permit { limiter: self.clone(), started: now, bytes: size.bytes, entry })
    }
}

impl State {
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

/// The right to have one call in flight; given back when dropped.
///
/// Whoever asked keeps it until the answer is durable, so that "in flight" covers every answer that a kill could lose.
#[derive(Debug)]
pub struct Permit {
    limiter: Limiter,
    started: Instant,
    bytes: u64,
    /// The reservation of tokens, to be put right when the endpoint has counted.
    entry: Option<u64>,
}

impl Permit {
    /// The call was answered.
    pub(super) fn answered(&self, usage: Usage) {
        let now = Instant::now();
        let mut state = self.limiter.lock();
        let waiting = !state.queue.is_empty() || state.in_flight >= state.concurrency.limit();
        state.concurrency.answered(self.started, now, usage.completion.max(1), waiting);
        if usage.prompt > 0 && self.bytes > 0 {
            let seen = usage.prompt as f64 / self.bytes as f64;
            state.tokens_per_byte = 0.9 * state.tokens_per_byte + 0.1 * seen;
        }
        let counted = usage.prompt + usage.completion;
        if let (Some(entry), Some(pace), true) = (self.entry, &mut state.tokens, counted > 0) {
            pace.settle(entry, counted as f64);
        }
        state.wake_head();
    }

    /// The endpoint could not keep up.
    pub(super) fn pushed_back(&self) {
        self.limiter.lock().concurrency.pushed_back(self.started, Instant::now());
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.wake_head();
    }
}

#[cfg(test)]
mod tests;
