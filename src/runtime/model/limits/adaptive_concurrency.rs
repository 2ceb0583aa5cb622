//! How many calls to have in flight when nobody says: find out, and keep finding out.
//!
//! Three signals. The endpoint pushes back (429, 5xx, timeouts): fewer, by a third, once per round. It answers and
//! calls are waiting: more, doubling each round at first, later one per round. And more calls in flight that bring no
//! more tokens per second only make each one slower, so that growth is taken back: servers that queue without end
//! never push back, they just time out. Latency alone says little, as it follows the length of answers.

use std::time::Duration;
use tokio::time::Instant;

/// Calls in flight to begin with.
const START: f64 = 8.0;
/// Most calls in flight that are ever tried.
const MOST: f64 = 512.0;
/// What remains after a push back.
const CUT: f64 = 0.7;
/// Growth from which throughput is compared.
const STEP: f64 = 1.25;
/// Share of that growth that throughput must follow with.
const WORTH: f64 = 0.2;

#[derive(Debug)]
pub(super) struct Adapt {
    fixed: Option<u32>,
    limit: f64,
    /// Below this the limit doubles each round; above it grows by one.
    knee: f64,
    last_cut: Option<Instant>,
    round: Option<Round>,
    /// The last limit that was worth it, and its tokens per second.
    proven: Option<(f64, f64)>,
}

/// As many answers as may be in flight, and what they brought.
#[derive(Debug)]
struct Round {
    began: Instant,
    limit: f64,
    answers: f64,
    tokens: f64,
}

impl Adapt {
    pub(super) fn fixed(n: u32) -> Self {
        Self { fixed: Some(n.max(1)), ..Self::auto() }
    }

    pub(super) fn auto() -> Self {
        Self { fixed: None, limit: START, knee: MOST, last_cut: None, round: None, proven: None }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 512")]
    pub(super) fn limit(&self) -> u32 {
        self.fixed.unwrap_or(self.limit as u32)
    }

    /// A call that began at `started` was answered. `waiting`: the limit is what held others back.
    pub(super) fn answered(&mut self, started: Instant, now: Instant, tokens: u64, waiting: bool) {
        let limit = self.limit;
        let round = self.round.get_or_insert(Round { began: started, limit, answers: 0.0, tokens: 0.0 });
        round.answers += 1.0;
        round.tokens += tokens as f64;
        let over = round.answers >= round.limit.max(16.0);
        if waiting {
            let step = if self.limit < self.knee { 1.0 } else { 1.0 / self.limit.max(16.0) };
            self.limit = (self.limit + step).min(MOST);
        }
        if over {
            self.end_round(now);
        }
    }

    /// A call that began at `started` was refused, or timed out.
    pub(super) fn pushed_back(&mut self, started: Instant, now: Instant) {
        // Calls sent before the last cut say nothing about the limit after it.
        if self.last_cut.is_some_and(|cut| started < cut) {
            return;
        }
        self.limit = (self.limit * CUT).max(1.0);
        self.knee = self.limit;
        self.last_cut = Some(now);
        self.round = None;
        self.proven = None;
    }

    fn end_round(&mut self, now: Instant) {
        let Some(round) = self.round.take() else { return };
        let took = now.duration_since(round.began);
        if took < Duration::from_millis(1) {
            return;
        }
        let rate = round.tokens / took.as_secs_f64();
        let Some((limit, proven)) = self.proven else {
            self.proven = Some((round.limit, rate));
            return;
        };
        let growth = round.limit / limit;
        if growth < STEP {
            // The same limit, measured again.
            self.proven = Some((limit, 0.5 * proven + 0.5 * rate));
        } else if rate >= proven * (1.0 + WORTH * (growth - 1.0)) {
            self.proven = Some((round.limit, rate));
        } else {
            self.limit = limit.max(1.0);
            self.knee = self.limit;
        }
    }
}
