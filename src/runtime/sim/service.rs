//! What both shells share: counting, the slots, the rate limit, the prefix cache and the number of the attempt.
//!
//! Memory is bounded: of a request only 64 bits are kept, of a number of requests that is capped.

use super::asker::{CLASSIFIER, role_of};
use super::cache::PrefixCache;
use super::conversation::Turn;
use super::requests::Requests;
use super::simulate::{ErrorReply, Moderated, Plan, Planned, plan, plan_moderation};
use super::wire::{Choice, Completion, Wanted};
use crate::pure::digest::Parts;
use crate::pure::recipe::{Busy, Sim};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Bodies remembered for `repeats` and for numbering attempts; beyond that they are not told apart any more.
const REMEMBERED: usize = 4_000_000;

/// What the simulated model was asked so far: the JSON of `GET /stats`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests for a completion, whatever became of them.
    pub requests: u64,
    /// Requests that got their answer.
    pub answered: u64,
    /// Requests whose body was answered before. A client that went away was not answered.
    pub repeats: u64,
    /// Requests not yet done with, those that wait for a slot included.
    pub in_flight: u64,
    /// The most of them at any time.
    pub max_in_flight: u64,
    /// The most requests served at any time.
    pub max_served: u64,
    /// Tokens of the requests answered.
    pub prompt_tokens: u64,
    /// Those of them that the prefix cache had.
    pub cached_tokens: u64,
    /// Tokens of the answers.
    pub completion_tokens: u64,
    /// Clients that went away before their answer.
    pub abandoned: u64,
    /// The same by who was asked, as far as a request tells: whoever answers a person is the `generator`.
    pub abandoned_by_role: BTreeMap<&'static str, u64>,
    /// Faults by kind, those of attempts and those of answers.
    pub faults: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default)]
struct State {
    stats: Stats,
    served: u64,
    answered: HashSet<u64>,
    /// Attempts that met a planted fault, for bodies not answered yet.
    attempts: HashMap<u64, u32>,
    cache: PrefixCache,
    /// When the requests of the last minute came, for `rpm`.
    recent: VecDeque<Instant>,
}

/// The simulated model behind a shell.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) sim: Sim,
    requests: Option<Requests>,
    state: Mutex<State>,
    slots: Option<Arc<Semaphore>>,
}

/// One request being served. Dropped before [`Ticket::answered`], it was abandoned.
#[derive(Debug)]
pub(super) struct Ticket {
    service: Arc<Service>,
    body: u64,
    role: &'static str,
    slot: Option<OwnedSemaphorePermit>,
    serving: bool,
    done: bool,
}

/// What a shell has to send.
#[derive(Debug)]
pub(super) enum Outgoing {
    Answer { completion: Completion, cached: u64, first: Duration, per_token: Duration },
    Error { reply: ErrorReply, after: Duration },
    Reset { partial: String, after: Duration },
    Stall { until_closed: Duration },
}

impl Service {
    pub(super) fn new(sim: Sim, requests: Option<Requests>) -> Arc<Self> {
        let slots = sim.slots.map(|n| Arc::new(Semaphore::new(n as usize)));
        let cache = PrefixCache::new(sim.cache_blocks as usize);
        Arc::new(Self { sim, requests, state: Mutex::new(State { cache, ..State::default() }), slots })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is counts; a panic elsewhere leaves them as right as they were.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stats(&self) -> Stats {
        self.state().stats.clone()
    }

    /// Takes a request in: what to send, once there is a slot for it.
    pub(super) async fn take(self: &Arc<Self>, body: &Value) -> (Ticket, Outgoing) {
        let hash = body_hash(body);
        let mut ticket = self.enter(hash, role_of(body));
        if let Some(seconds) = self.over_rate() {
            return (ticket, self.turn_away("rpm", ErrorReply::too_many(seconds)));
        }
        match self.slot().await {
            Ok(slot) => ticket.serve(slot),
            Err(reply) => return (ticket, self.turn_away("busy", reply)),
        }
        let attempt = self.state().attempts.get(&hash).copied().unwrap_or(0);
        let Plan { first, per_token, outcome, faults } =
            plan(&self.sim, self.requests.as_ref(), body, hash, attempt);
        self.count(&faults);
        let send = match outcome {
            Planned::Answer(completion) => {
                let cached = self.cached(body, &completion);
                Outgoing::Answer { completion, cached, first, per_token }
            }
            Planned::Error(reply) => Outgoing::Error { reply, after: first },
            Planned::Reset(partial) => Outgoing::Reset { partial, after: first },
            Planned::Stall => Outgoing::Stall { until_closed: Duration::from_millis(self.sim.stall_ms) },
        };
        if !matches!(send, Outgoing::Answer { .. }) {
            self.next_attempt(hash);
        }
        (ticket, send)
    }

    /// Takes a request to moderate texts in: the answer or the error, and after how long.
    pub(super) async fn take_moderation(
        self: &Arc<Self>,
        body: &Value,
    ) -> (Ticket, Duration, Result<String, ErrorReply>) {
        let hash = body_hash(body);
        let mut ticket = self.enter(hash, CLASSIFIER);
        if let Some(seconds) = self.over_rate() {
            self.count(&["rpm"]);
            return (ticket, Duration::ZERO, Err(ErrorReply::too_many(seconds)));
        }
        match self.slot().await {
            Ok(slot) => ticket.serve(slot),
            Err(reply) => {
                self.count(&["busy"]);
                return (ticket, Duration::ZERO, Err(reply));
            }
        }
        let attempt = self.state().attempts.get(&hash).copied().unwrap_or(0);
        let (after, moderated): (Duration, Moderated) =
            plan_moderation(&self.sim, self.requests.as_ref(), body, hash, attempt);
        let told = moderated.map_err(|(reply, fault)| {
            self.count(fault.as_slice());
            self.next_attempt(hash);
            reply
        });
        (ticket, after, told)
    }

    fn enter(self: &Arc<Self>, body: u64, role: &'static str) -> Ticket {
        let mut state = self.state();
        let repeat = state.answered.contains(&body);
        let stats = &mut state.stats;
        stats.requests += 1;
        stats.repeats += u64::from(repeat);
        stats.in_flight += 1;
        stats.max_in_flight = stats.max_in_flight.max(stats.in_flight);
        Ticket { service: Arc::clone(self), body, role, slot: None, serving: false, done: false }
    }

    fn turn_away(&self, why: &'static str, reply: ErrorReply) -> Outgoing {
        self.count(&[why]);
        Outgoing::Error { reply, after: Duration::ZERO }
    }

    fn count(&self, faults: &[&'static str]) {
        let mut state = self.state();
        for fault in faults {
            *state.stats.faults.entry(fault).or_default() += 1;
        }
    }

    fn next_attempt(&self, body: u64) {
        let mut state = self.state();
        if state.attempts.len() >= REMEMBERED {
            state.attempts.clear();
        }
        *state.attempts.entry(body).or_default() += 1;
    }

    /// Seconds to wait when this request is one too many in the last minute.
    fn over_rate(&self) -> Option<f64> {
        let most = self.sim.rpm? as usize;
        let (now, minute) = (Instant::now(), Duration::from_secs(60));
        let mut state = self.state();
        while state.recent.front().is_some_and(|at| now.duration_since(*at) >= minute) {
            state.recent.pop_front();
        }
        if state.recent.len() < most {
            state.recent.push_back(now);
            return None;
        }
        state.recent.front().map(|at| minute.saturating_sub(now.duration_since(*at)).as_secs_f64())
    }

    async fn slot(&self) -> Result<Option<OwnedSemaphorePermit>, ErrorReply> {
        let Some(slots) = &self.slots else { return Ok(None) };
        let free = match self.sim.busy {
            Busy::Wait => Arc::clone(slots).acquire_owned().await.ok(),
            Busy::TooMany | Busy::Unavailable => Arc::clone(slots).try_acquire_owned().ok(),
        };
        match (free, self.sim.busy) {
            (Some(slot), _) => Ok(Some(slot)),
            (None, Busy::TooMany) => Err(ErrorReply::too_many(self.sim.retry_after_s)),
            (None, Busy::Wait | Busy::Unavailable) => Err(ErrorReply::unavailable(self.sim.retry_after_s)),
        }
    }

    fn cached(&self, body: &Value, completion: &Completion) -> u64 {
        let turns: Vec<Turn> = Wanted::read(body).map(|wanted| wanted.turns()).unwrap_or_default();
        let answer = completion.choices.first().and_then(Choice::text).unwrap_or_default();
        self.state().cache.pass(&turns, &answer)
    }
}

impl Ticket {
    fn serve(&mut self, slot: Option<OwnedSemaphorePermit>) {
        self.slot = slot;
        self.serving = true;
        let mut state = self.service.state();
        state.served += 1;
        state.stats.max_served = state.stats.max_served.max(state.served);
    }

    /// The answer was handed over.
    pub(super) fn answered(self, completion: &Completion, cached: u64) {
        self.settle([completion.prompt_tokens, cached, completion.completion_tokens()]);
    }

    /// An answer without tokens was handed over.
    pub(super) fn told(self) {
        self.settle([0; 3]);
    }

    fn settle(mut self, [prompt, cached, completion]: [u64; 3]) {
        self.done = true;
        let mut state = self.service.state();
        let stats = &mut state.stats;
        stats.answered += 1;
        stats.prompt_tokens += prompt;
        stats.cached_tokens += cached;
        stats.completion_tokens += completion;
        state.attempts.remove(&self.body);
        if state.answered.len() < REMEMBERED {
            state.answered.insert(self.body);
        }
    }

    /// The request ended without an answer, as planned.
    pub(super) fn turned_away(mut self) {
        self.done = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.service.state();
        state.stats.in_flight -= 1;
        state.served -= u64::from(self.serving);
        if !self.done {
            state.stats.abandoned += 1;
            *state.stats.abandoned_by_role.entry(self.role).or_default() += 1;
        }
    }
}

/// A body's hash. How it is streamed is no part of it.
fn body_hash(body: &Value) -> u64 {
    let Some(fields) = body.as_object() else {
        return Parts::new("sim body").with(body.to_string()).uniform();
    };
    let counted = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "stream" | "stream_options"));
    counted
        .fold(Parts::new("sim body"), |parts, (name, value)| parts.with(name).with(value.to_string()))
        .uniform()
}
