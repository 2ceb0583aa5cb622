//! So much per minute, in every minute: no window of 60 seconds, wherever it begins, holds more than the limit.
//!
//! A token bucket would let nearly twice the limit through when it is full at first, so what was taken is kept
//! with its time, and leaves a minute later.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// How much longer one request may be on its way than another: a window at the endpoint holds what arrived in it, and not
/// what was sent in it.
const ON_THE_WAY: Duration = Duration::from_millis(200);

/// A limit per minute, spread over the minute: endpoints often enforce shorter windows than they state, and a run that
/// spends its minute in one second looks stuck for the other 59.
#[derive(Debug)]
pub(super) struct Pace {
    minute: Window,
    ten_seconds: Window,
    next_id: u64,
}

impl Pace {
    pub(super) fn per_minute(limit: u32) -> Self {
        let limit = f64::from(limit.max(1));
        Self {
            minute: Window::new(limit, Duration::from_secs(60) + ON_THE_WAY),
            ten_seconds: Window::new((limit / 6.0).ceil(), Duration::from_secs(10) + ON_THE_WAY),
            next_id: 0,
        }
    }

    /// Another limit from now on; what was taken within the last minute counts.
    pub(super) fn set_limit(&mut self, limit: u32) {
        let Self { minute, ten_seconds, .. } = Self::per_minute(limit);
        (self.minute.limit, self.ten_seconds.limit) = (minute.limit, ten_seconds.limit);
    }

    /// When `amount` can be taken, if not now. More than the whole limit can be taken when nothing else is.
    pub(super) fn ready(&mut self, amount: f64, now: Instant) -> Option<Instant> {
        self.minute.ready(amount, now).max(self.ten_seconds.ready(amount, now))
    }

    /// Takes `amount`, and gives the entry's id for [`Pace::settle`].
    pub(super) fn take(&mut self, amount: f64, now: Instant) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.minute.take(id, now, amount);
        self.ten_seconds.take(id, now, amount);
        id
    }

    /// Replaces what an entry reserved by what it came to.
    pub(super) fn settle(&mut self, id: u64, amount: f64) {
        self.minute.settle(id, amount);
        self.ten_seconds.settle(id, amount);
    }
}

#[derive(Debug)]
struct Taken {
    id: u64,
    at: Instant,
    amount: f64,
}

#[derive(Debug)]
struct Window {
    limit: f64,
    span: Duration,
    log: VecDeque<Taken>,
    /// What the log adds up to.
    sum: f64,
}

impl Window {
    fn new(limit: f64, span: Duration) -> Self {
        Self { limit, span, log: VecDeque::new(), sum: 0.0 }
    }

    fn take(&mut self, id: u64, at: Instant, amount: f64) {
        self.log.push_back(Taken { id, at, amount });
        self.sum += amount;
    }

    fn ready(&mut self, amount: f64, now: Instant) -> Option<Instant> {
        while let Some(old) = self.log.front().filter(|taken| taken.at + self.span <= now) {
            self.sum -= old.amount;
            self.log.pop_front();
        }
        if self.log.is_empty() {
            // Fractions of tokens do not add up exactly; here they may start anew.
            self.sum = 0.0;
        }
        let mut over = self.sum + amount - self.limit;
        let mut when = None;
        for taken in &self.log {
            if over <= 0.0 {
                break;
            }
            over -= taken.amount;
            when = Some(taken.at + self.span);
        }
        when
    }

    fn settle(&mut self, id: u64, amount: f64) {
        // Ids grow, so the entry is found by search; one that has left the window no longer counts.
        if let Ok(index) = self.log.binary_search_by_key(&id, |taken| taken.id)
            && let Some(taken) = self.log.get_mut(index)
        {
            self.sum += amount - taken.amount;
            taken.amount = amount;
        }
    }
}
