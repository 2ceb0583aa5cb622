//! The stack below the memo: limits, retry and transport for all roles.
//!
//! One [`Client`] serves a run. It does not know the journal; the caller records what [`Client::ask`] gives, and drops
//! the [`Permit`] when that is durable, so that a kill loses no more than the [`Permit`] says (law 1).

mod asking;
mod known_endpoint;
mod news;

use asking::Asking;
use known_endpoint::{Endpoint, Station};
pub use news::{ClientNews, ConcurrencyChange, OnNews, Outage, Retrying};

use super::limits::{LimitChange, Limiter, Permit, Size};
use super::presence::{GivenUp, Meaning, Miss, Presence};
use super::raw_response::{Failure, Recorded};
use super::retry::{Next, SYSTEM_TURN, Trouble, TroubleKind, backoff, jitter, judge};
use super::transport::{Delta, Fault, OnDelta, Request, Transport};
use super::wire;
use crate::pure::answer::{Answer, Usage};
use crate::pure::ask::Stop;
use crate::pure::call::Call;
use crate::pure::digest::Parts;
use crate::pure::recipe::ResolvedModel;
use crate::pure::recipe::{Concurrency, Limits, Patience, SIM, Tuning, is_simulated};
use crate::pure::transcript::CutPrompt;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// Attempts at an endpoint that cannot be reached and never replied.
const ATTEMPTS_AT_A_STRANGER: u32 = 3;

/// Prompts worked on side by side before it is known how many calls an endpoint bears.
const PROMPTS_AT_FIRST: usize = 256;

/// Asks models, within limits, as often as it takes.
pub struct Client<T> {
    transport: T,
    limits: Limits,
    /// What was changed of the limits since.
    tuned: Mutex<Tuning>,
    on_news: OnNews,
    endpoints: Mutex<BTreeMap<(String, String), Arc<Endpoint>>>,
    /// Cancelled when calls that wait for their turn are to give up.
    draining: CancellationToken,
    /// The number of calls in flight of an endpoint changed.
    grown: Arc<Notify>,
    /// A model is back at an endpoint.
    back: Notify,
    /// Calls that wait for their next attempt.
    apart: AtomicUsize,
}

impl<T> std::fmt::Debug for Client<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Whether a call may go on where it is.
enum Admitted<'a> {
    /// It may, perhaps as a probe.
    Here(Option<SemaphorePermit<'a>>),
    /// It goes elsewhere: the model is away here and is there.
    Elsewhere,
}

impl<T: Transport> Client<T> {
    /// A client over a transport.
    pub fn new(transport: T, limits: Limits, on_news: OnNews) -> Self {
        Self {
            transport,
            limits,
            tuned: Mutex::default(),
            on_news,
            endpoints: Mutex::default(),
            draining: CancellationToken::new(),
            grown: Arc::default(),
            back: Notify::new(),
            apart: AtomicUsize::new(0),
        }
    }

    /// The same client, whose waiting calls give up when the token is cancelled. A call in flight goes on.
    #[must_use]
    pub fn that_drains(self, draining: CancellationToken) -> Self {
        Self { draining, ..self }
    }

    /// Changes the limits of every endpoint, those that are met later too.
    pub fn tune(&self, tuning: Tuning) {
        {
            let mut tuned = self.tuned.lock().unwrap_or_else(PoisonError::into_inner);
            *tuned = tuned.then(tuning);
        }
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        for endpoint in endpoints.values() {
            endpoint.limiter.tune(tuning);
        }
        drop(endpoints);
        self.grown.notify_one();
    }

    fn tuned(&self) -> Tuning {
        *self.tuned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bottom layer.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Asks one call. `turn` is the place of the call's prompt in the run: when calls must wait, those of older prompts go
    /// first. An answer that went wrong is an `Ok` with its failure recorded; `Err` ends the run.
    ///
    /// The caller keeps the permit until the record is durable. Between attempts the permit is given back, and while the
    /// model is away nobody holds one but the call that probes.
    pub async fn ask(
        &self,
        call: &Call,
        model: &ResolvedModel,
        turn: u64,
        on_delta: Option<OnDelta<'_>>,
    ) -> Result<(Recorded, Permit), Stop> {
        let bytes = call.messages.iter().map(|message| message.content.len() as u64).sum();
        let size = Size { bytes, max_tokens: call.sampling.max_tokens };
        let mut asking = Asking {
            call,
            key: call.key(),
            request: Request { model: model.clone(), body: wire::body(call, model) },
            stations: self.stations(call, model),
            at: 0,
            left: 0,
            attempts: 0,
            counted: 0,
            spent: Duration::ZERO,
        };
        loop {
            asking.settle();
            if let Some(done) = self.ask_here(&mut asking, turn, size, on_delta).await? {
                return Ok(done);
            }
        }
    }

    /// Asks at the station where the call is. `None` when it goes on at another one.
    async fn ask_here(
        &self,
        asking: &mut Asking<'_>,
        turn: u64,
        size: Size,
        on_delta: Option<OnDelta<'_>>,
    ) -> Result<Option<(Recorded, Permit)>, Stop> {
        let Station { endpoint, line, presence, .. } = asking.station().clone();
        for field in endpoint.refused_by(&asking.request.model.model) {
            asking.go_on_without(field);
        }
        let _place = self.unless_draining(line.enter()).await?.map_err(Stop::Provider)?;
        loop {
            let Admitted::Here(probe) = self.admit(asking, &presence).await? else { return Ok(None) };
            let permit = self.unless_draining(endpoint.limiter.acquire(turn, size)).await?;
            if probe.is_none() && presence.is_away() {
                continue;
            }
            let attempt = tracing::debug_span!("attempt", n = asking.attempts + 1);
            match self.attempt(asking, &permit, on_delta).instrument(attempt).await? {
                Step::Done(recorded) => return Ok(Some((recorded, permit))),
                Step::Wait(wait) => {
                    drop((permit, probe));
                    let waiting = self.wait_apart(wait);
                    self.unless_draining(sleep(wait)).await?;
                    drop(waiting);
                    asking.spent += wait;
                    if let Some(on_delta) = on_delta {
                        on_delta(Delta::Restart);
                    }
                    if asking.prefers_another() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Waits until the call may go on where it is, or can go on elsewhere.
    async fn admit<'p>(&self, asking: &Asking<'_>, presence: &'p Presence) -> Result<Admitted<'p>, Stop> {
        let mut back = std::pin::pin!(self.back.notified());
        back.as_mut().enable();
        if !presence.is_away() {
            return Ok(Admitted::Here(None));
        }
        if asking.is_another_there() {
            return Ok(presence.try_probe().map_or(Admitted::Elsewhere, |probe| Admitted::Here(Some(probe))));
        }
        if asking.has_strangers_only() {
            return Err(Stop::Provider(unreachable(&presence.last_message(), false)));
        }
        let entered = presence.enter(seconds(self.limits.outage_s));
        let entered = async {
            tokio::select! {
                biased;
                () = back, if asking.stations.len() > 1 => None,
                entered = entered => Some(entered),
            }
        };
        match self.unless_draining(entered).await? {
            None => Ok(Admitted::Elsewhere),
            Some(entered) => Ok(Admitted::Here(entered.map_err(|given_up| asking.gives_up(&given_up))?)),
        }
    }

    /// Where a call can be asked. Each prompt has its own order of the endpoints (rendezvous hashing): its calls share a prefix
    /// cache, and when an endpoint comes or goes, no other prompt moves.
    fn stations(&self, call: &Call, model: &ResolvedModel) -> Vec<Station> {
        let station = |url: Option<&str>| {
            let endpoint = self.endpoint(url, &model.api_key_env);
            let (line, presence) = (endpoint.line(call), endpoint.presence(&model.model));
            Station { url: url.map(str::to_owned), endpoint, line, presence }
        };
        let mut urls = model.base_urls();
        if urls.len() < 2 {
            return vec![station(model.base_url.as_deref())];
        }
        urls.sort_by_cached_key(|url| Parts::new("replica").with(&call.prompt_id.0).with(url).uniform());
        urls.into_iter().map(|url| station(Some(url))).collect()
    }

    /// Waits for a turn, unless nothing new is to be asked.
    async fn unless_draining<R>(&self, turn: impl Future<Output = R>) -> Result<R, Stop> {
        tokio::select! {
            biased;
            () = self.draining.cancelled() => Err(Stop::Interrupted),
            ready = turn => Ok(ready),
        }
    }

    /// Refuses the answer of another model than the one asked, or to a prompt that was cut, where the recipe says so.
    ///
    /// # Errors
    ///
    /// The stop of the run, with both names or both counts.
    pub fn check_answer(&self, call: &Call, answer: &Answer) -> Result<(), Stop> {
        if let Some(cut) = self.limits.refuse_cut_prompts.then(|| CutPrompt::of(call, answer.usage)).flatten()
        {
            return Err(Stop::Provider(format!("{}; give the server a longer context", cut.told())));
        }
        let other = answer.substitute_for(&call.model).filter(|named| !is_simulated(named));
        match other.filter(|_| self.limits.refuse_other_models) {
            None => Ok(()),
            Some(answered) => Err(Stop::Provider(format!(
                "the {} asks `{}` and `{answered}` answers; load the right model, or name this one in the recipe",
                call.role.as_str(),
                call.model
            ))),
        }
    }

    /// Makes one attempt and says what comes next.
    async fn attempt(
        &self,
        asking: &mut Asking<'_>,
        permit: &Permit,
        on_delta: Option<OnDelta<'_>>,
    ) -> Result<Step, Stop> {
        let began = Instant::now();
        let time = seconds(self.patience(asking).attempt_s).min(self.time_left(asking));
        let sent = timeout(time, self.transport.send(&asking.request, on_delta)).await;
        let result = sent.unwrap_or(Err(Fault::Timeout));
        let took = began.elapsed();
        asking.spent += took;
        asking.attempts += 1;
        let (status, body) = match &result {
            Ok(reply) => {
                asking.station().endpoint.has_replied.store(true, Ordering::Relaxed);
                (reply.status, Some(reply.body.clone()))
            }
            Err(_) => (0, None),
        };
        let recorded = Recorded {
            status,
            body: None,
            failure: None,
            attempts: asking.attempts,
            latency_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        };
        let next = judge(result, &asking.request);
        tracing::debug!(status, took_ms = recorded.latency_ms, next = next.as_str(), "attempted");
        match next {
            Next::Answer(answer) => {
                permit.answered(answer.usage);
                asking.station().line.answers();
                if let Some(lasted) = asking.station().presence.answers() {
                    tracing::info!(model = asking.request.model.model, ?lasted, "the model is back");
                    self.back.notify_waiters();
                    (self.on_news)(ClientNews::Outage(Outage::Ends { place: asking.place(), lasted }));
                }
                Ok(Step::Done(Recorded { body, ..recorded }))
            }
            Next::Fail(failure) => {
                permit.answered(Usage::default());
                if !failure.filtered && !failure.is_about_prompt {
                    asking.count_failure(&failure.message, true)?;
                }
                Ok(Step::Done(Recorded { failure: Some(failure), ..recorded }))
            }
            Next::Without { field, .. } => {
                permit.answered(Usage::default());
                asking.go_on_without(field);
                if asking.station().endpoint.refuses(&asking.request.model.model, field) {
                    let cause = if field == SYSTEM_TURN {
                        "a system turn is refused, so it stands before the first user turn".to_owned()
                    } else {
                        format!("`{field}` is refused, so it is left out")
                    };
                    tracing::info!(model = asking.request.model.model, field, "the endpoint refuses a field");
                    (self.on_news)(ClientNews::Retry(Retrying {
                        role: asking.call.role,
                        cause,
                        wait: Duration::ZERO,
                        refused: Some(field),
                    }));
                }
                Ok(Step::Wait(Duration::ZERO))
            }
            Next::Stop(message) => Err(Stop::Provider(message)),
            Next::Again(Trouble { kind: TroubleKind::Unknown, message, .. })
                if !asking.station().presence.has_answered() =>
            {
                Err(Stop::Provider(message))
            }
            Next::Again(trouble) => {
                if self.is_away(asking, &trouble)? {
                    asking.spent = asking.spent.saturating_sub(took);
                    return Ok(Step::Wait(Duration::ZERO));
                }
                if let Some(wait) = self.next_wait(asking, permit, &trouble)? {
                    return Ok(Step::Wait(wait));
                }
                asking.count_failure(&trouble.message, false)?;
                // What came is kept for a better parser, even if it is no answer to this one.
                let body = body.filter(|_| trouble.kind == TroubleKind::Unreadable);
                let failure = Failure::transient(trouble.message);
                Ok(Step::Done(Recorded { body, failure: Some(failure), ..recorded }))
            }
        }
    }

    /// Whether the trouble is that the model is away, so that all its calls wait for it.
    fn is_away(&self, asking: &Asking<'_>, trouble: &Trouble) -> Result<bool, Stop> {
        let presence = &asking.station().presence;
        let miss = match trouble.kind {
            TroubleKind::Unknown => Miss::Gone,
            TroubleKind::Unreachable if presence.has_answered() || asking.stations.len() > 1 => Miss::Gone,
            TroubleKind::Gateway => Miss::Gateway,
            TroubleKind::Unreachable
            | TroubleKind::Slow
            | TroubleKind::Overload
            | TroubleKind::Unreadable => return Ok(false),
        };
        let patience = seconds(self.limits.outage_s);
        match presence.misses(miss, &trouble.message, patience) {
            Meaning::Chance => Ok(false),
            Meaning::GoesOn => Ok(true),
            Meaning::Begins => {
                let (place, message) = (asking.place(), trouble.message.clone());
                tracing::info!(place, message, "the model is away, so its calls wait or go elsewhere");
                let others = asking.others_there();
                (self.on_news)(ClientNews::Outage(Outage::Begins { place, message, patience, others }));
                Ok(true)
            }
            Meaning::TooLong(_) if asking.is_another_there() => Ok(true),
            Meaning::TooLong(lasted) => {
                Err(asking.gives_up(&GivenUp { lasted, message: trouble.message.clone() }))
            }
        }
    }

    /// How long to wait before the next attempt; `None` when there is none.
    fn next_wait(
        &self,
        asking: &mut Asking<'_>,
        permit: &Permit,
        trouble: &Trouble,
    ) -> Result<Option<Duration>, Stop> {
        let endpoint = Arc::clone(&asking.station().endpoint);
        if matches!(trouble.kind, TroubleKind::Overload | TroubleKind::Gateway) {
            asking.left += 1;
        }
        if matches!(trouble.kind, TroubleKind::Slow | TroubleKind::Overload | TroubleKind::Gateway) {
            permit.refused(trouble.after);
        }
        if let Some(after) = trouble.after {
            if after > seconds(self.patience(asking).call_s) {
                return Err(Stop::Provider(format!(
                    "{} asks to wait {} s, longer than `limits.elapsed_s` allows ({}); run again later to go on",
                    asking.shown_url(),
                    after.as_secs(),
                    trouble.message
                )));
            }
            if trouble.is_about_all {
                endpoint.limiter.pause(after);
            }
        }
        // An endpoint that answered before is being restarted, perhaps: that takes time, not attempts.
        let was_there = asking.station().presence.has_answered();
        let is_counted = match trouble.kind {
            TroubleKind::Slow => false,
            TroubleKind::Unreachable => !was_there,
            TroubleKind::Unknown | TroubleKind::Gateway | TroubleKind::Overload | TroubleKind::Unreadable => {
                true
            }
        };
        asking.counted += u32::from(is_counted);
        let backoff = backoff(&asking.key, asking.attempts);
        let wait = match trouble.after {
            // Not all at once when the pause ends, and not at a gallop when it is zero.
            Some(after) => {
                after + backoff.min(Duration::from_secs(1)).mul_f64(jitter(&asking.key, asking.attempts))
            }
            None => backoff,
        };
        let attempts = match trouble.kind {
            // Where nobody ever replied, nobody is likely to: the user should hear of it within seconds.
            TroubleKind::Unreachable if !endpoint.has_replied.load(Ordering::Relaxed) => {
                self.limits.attempts.min(ATTEMPTS_AT_A_STRANGER)
            }
            TroubleKind::Unreachable
            | TroubleKind::Slow
            | TroubleKind::Unknown
            | TroubleKind::Gateway
            | TroubleKind::Overload
            | TroubleKind::Unreadable => self.limits.attempts,
        };
        if asking.counted >= attempts.max(1) || wait >= self.time_left(asking) {
            return match trouble.kind {
                TroubleKind::Unreachable => Err(Stop::Provider(unreachable(&trouble.message, was_there))),
                TroubleKind::Slow
                | TroubleKind::Unknown
                | TroubleKind::Gateway
                | TroubleKind::Overload
                | TroubleKind::Unreadable => Ok(None),
            };
        }
        let cause = trouble.cause.clone();
        tracing::info!(cause, message = trouble.message, wait_ms = wait.as_millis(), "the attempt failed");
        (self.on_news)(ClientNews::Retry(Retrying { role: asking.call.role, cause, wait, refused: None }));
        Ok(Some(wait))
    }

    fn patience(&self, asking: &Asking<'_>) -> Patience {
        self.limits.patience(&asking.request.model)
    }

    fn time_left(&self, asking: &Asking<'_>) -> Duration {
        seconds(self.patience(asking).call_s).saturating_sub(asking.spent)
    }

    /// The limits of a new endpoint, which tell and log how many calls they allow.
    fn limiter(&self, url: Option<&str>) -> Limiter {
        let name = url.map_or_else(|| SIM.to_owned(), super::endpoint::shown_url);
        let (on_news, grown) = (Arc::clone(&self.on_news), Arc::clone(&self.grown));
        let on_limit = Box::new(move |LimitChange { calls, before, reason }| {
            tracing::debug!(endpoint = name, calls, before, reason = reason.as_str(), "calls in flight");
            let change = ConcurrencyChange { endpoint: name.clone(), calls, before, reason };
            on_news(ClientNews::Concurrency(change));
            grown.notify_one();
        });
        let limiter = Limiter::new(&self.limits, on_limit);
        limiter.tune(self.tuned());
        limiter
    }

    /// Counts a call that waits for its next attempt, for as long as what is given lives: others go meanwhile.
    fn wait_apart(&self, wait: Duration) -> WaitApart<'_> {
        self.apart.fetch_add(1, Ordering::Relaxed);
        if !wait.is_zero() {
            self.grown.notify_one();
        }
        WaitApart(&self.apart)
    }

    /// How many prompts keep all calls in flight that may be: some more than there may be calls, as prompts wait for the
    /// journal in between, and one more for each that waits for its next attempt.
    pub fn prompts_wanted(&self) -> usize {
        let apart = self.apart.load(Ordering::Relaxed);
        let concurrency = self.tuned().concurrency.unwrap_or(self.limits.concurrency);
        if let Concurrency::Fixed(n) = concurrency {
            let calls = usize::try_from(n).unwrap_or(usize::MAX);
            return calls.saturating_add(apart).min(concurrency.width());
        }
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let calls: u64 = endpoints.values().map(|endpoint| u64::from(endpoint.limiter.allowed())).sum();
        usize::try_from(calls + calls / 4).unwrap_or(usize::MAX).saturating_add(apart).max(PROMPTS_AT_FIRST)
    }

    /// Waits until more or fewer calls may be in flight than before. For one listener.
    pub async fn prompts_wanted_changes(&self) {
        self.grown.notified().await;
    }

    fn endpoint(&self, url: Option<&str>, api_key_env: &str) -> Arc<Endpoint> {
        let name = (url.unwrap_or(SIM).to_owned(), api_key_env.to_owned());
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Endpoint {
                limiter: self.limiter(url),
                presences: Mutex::default(),
                has_replied: AtomicBool::new(false),
                lines: Mutex::default(),
                refused: Mutex::default(),
            })
        };
        endpoints.entry(name).or_insert_with(new).clone()
    }
}

/// A call that waits for its next attempt, which others need not wait for.
struct WaitApart<'a>(&'a AtomicUsize);

impl Drop for WaitApart<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What comes after an attempt.
enum Step {
    Done(Recorded),
    Wait(Duration),
}

fn unreachable(message: &str, was_there: bool) -> String {
    if was_there {
        format!("{message}; it answered before, so run again when it is back")
    } else {
        format!("{message}; is the server running, and is `base_url` right?")
    }
}

/// Seconds of a recipe as a duration; what makes no sense as one means no limit.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(u64::from(u32::MAX)))
}

#[cfg(test)]
mod replica_tests;
#[cfg(test)]
mod stack_tests;
#[cfg(test)]
mod tests;
