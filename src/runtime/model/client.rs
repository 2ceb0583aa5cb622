//! The stack below the memo: limits, retry and transport for all roles.
//!
//! One [`Client`] serves a run. It does not know the journal; the caller records what [`Client::ask`] gives, and drops
//! the [`Permit`] when that is durable, so that a kill loses no more than the [`Permit`] says (law 1).

use super::limits::{LimitChange, LimitReason, Limiter, Permit, Size};
use super::line::{Line, LineKey};
use super::presence::{GivenUp, Meaning, Miss, Presence};
use super::raw_response::{Failure, Recorded};
use super::retry::{Next, Trouble, TroubleKind, backoff, jitter, judge};
use super::transport::{Delta, Fault, OnDelta, Request, Transport};
use super::wire;
use crate::pure::answer::{Answer, Usage};
use crate::pure::ask::Stop;
use crate::pure::call::{Call, CallKey, Role};
use crate::pure::recipe::ResolvedModel;
use crate::pure::recipe::{Concurrency, Limits, SIM, is_simulated};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// Attempts at an endpoint that cannot be reached and never replied.
const ATTEMPTS_AT_A_STRANGER: u32 = 3;

/// Prompts worked on side by side before it is known how many calls an endpoint bears.
const PROMPTS_AT_FIRST: usize = 256;

/// An attempt failed and will be made again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retrying {
    /// Who was asked.
    pub role: Role,
    /// What went wrong, such as `429` or `timeout`.
    pub cause: String,
    /// Time until the next attempt.
    pub wait: Duration,
    /// The optional field that the endpoint refuses, and that is left out from now on.
    pub refused: Option<&'static str>,
}

/// The number of calls that may be in flight at an endpoint changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConcurrencyChange {
    /// The endpoint, as it may be shown.
    pub endpoint: String,
    /// Calls in flight from now on.
    pub calls: u32,
    /// Calls in flight until now.
    pub before: u32,
    /// Why.
    pub reason: LimitReason,
}

/// An endpoint went away, or is back.
#[derive(Debug, Clone, PartialEq)]
pub enum Outage {
    /// Calls wait until it answers a probe.
    Begins {
        /// The model, at its endpoint as it may be shown.
        place: String,
        /// What the endpoint said, or what went wrong on the way to it.
        message: String,
        /// How long it is waited for.
        patience: Duration,
    },
    /// It answers again.
    Ends {
        /// The model, at its endpoint as it may be shown.
        place: String,
        /// How long it was away.
        lasted: Duration,
    },
}

/// What a client tells while it asks.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientNews {
    /// An attempt will be made again.
    Retry(Retrying),
    /// More or fewer calls may be in flight at once.
    Concurrency(ConcurrencyChange),
    /// An endpoint went away, or is back.
    Outage(Outage),
}

/// Hears what a client tells. It must not block.
pub type OnNews = Arc<dyn Fn(ClientNews) + Send + Sync>;

/// Asks models, within limits, as often as it takes.
pub struct Client<T> {
    transport: T,
    limits: Limits,
    on_news: OnNews,
    endpoints: Mutex<BTreeMap<(String, String), Arc<Endpoint>>>,
    /// Cancelled when calls that wait for their turn are to give up.
    draining: CancellationToken,
    /// The number of calls in flight of an endpoint changed.
    grown: Arc<Notify>,
    /// Calls that wait for their next attempt.
    apart: AtomicUsize,
}

impl<T> std::fmt::Debug for Client<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// What is known of one endpoint.
struct Endpoint {
    limiter: Limiter,
    /// Whether each model is there, by its name.
    presences: Mutex<BTreeMap<String, Arc<Presence>>>,
    /// Whether anything ever came from it, with whatever status.
    has_replied: AtomicBool,
    lines: Mutex<BTreeMap<LineKey, Arc<Line>>>,
    /// Optional fields of a request that a model refused, by the model's name.
    refused: Mutex<BTreeSet<(String, &'static str)>>,
}

/// One call on its way.
struct Asking<'a> {
    call: &'a Call,
    key: CallKey,
    request: Request,
    endpoint: &'a Endpoint,
    line: Arc<Line>,
    presence: Arc<Presence>,
    /// Attempts made.
    attempts: u32,
    /// Those of them that count against the limit.
    counted: u32,
    /// Time in attempts and in waits between them. Time in the queue is not the call's fault.
    spent: Duration,
}

impl<T: Transport> Client<T> {
    /// A client over a transport.
    pub fn new(transport: T, limits: Limits, on_news: OnNews) -> Self {
        Self {
            transport,
            limits,
            on_news,
            endpoints: Mutex::default(),
            draining: CancellationToken::new(),
            grown: Arc::default(),
            apart: AtomicUsize::new(0),
        }
    }

    /// The same client, whose waiting calls give up when the token is cancelled. A call in flight goes on.
    #[must_use]
    pub fn that_drains(self, draining: CancellationToken) -> Self {
        Self { draining, ..self }
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
        let endpoint = self.endpoint(model);
        let bytes = call.messages.iter().map(|message| message.content.len() as u64).sum();
        let size = Size { bytes, max_tokens: call.sampling.max_tokens };
        let mut asking = Asking {
            call,
            key: call.key(),
            request: Request { model: model.clone(), body: wire::body(call, model) },
            endpoint: &endpoint,
            line: endpoint.line(call),
            presence: endpoint.presence(&model.model),
            attempts: 0,
            counted: 0,
            spent: Duration::ZERO,
        };
        for field in endpoint.refused_by(&model.model) {
            asking.go_on_without(field);
        }
        let (line, presence) = (Arc::clone(&asking.line), Arc::clone(&asking.presence));
        let _place = self.unless_draining(line.enter()).await?.map_err(Stop::Provider)?;
        loop {
            let probe = if presence.is_away() {
                let entered = self.unless_draining(presence.enter(seconds(self.limits.outage_s))).await?;
                entered.map_err(|given_up| asking.gives_up(&given_up))?
            } else {
                None
            };
            let permit = self.unless_draining(endpoint.limiter.acquire(turn, size)).await?;
            if probe.is_none() && presence.is_away() {
                continue;
            }
            let attempt = tracing::debug_span!("attempt", n = asking.attempts + 1);
            match self.attempt(&mut asking, &permit, on_delta).instrument(attempt).await? {
                Step::Done(recorded) => return Ok((recorded, permit)),
                Step::Wait(wait) => {
                    drop((permit, probe));
                    let waiting = self.wait_apart(wait);
                    self.unless_draining(sleep(wait)).await?;
                    drop(waiting);
                    asking.spent += wait;
                    if let Some(on_delta) = on_delta {
                        on_delta(Delta::Restart);
                    }
                }
            }
        }
    }

    /// Waits for a turn, unless nothing new is to be asked.
    async fn unless_draining<R>(&self, turn: impl Future<Output = R>) -> Result<R, Stop> {
        tokio::select! {
            biased;
            () = self.draining.cancelled() => Err(Stop::Interrupted),
            ready = turn => Ok(ready),
        }
    }

    /// Refuses the answer of another model than the one asked, where the recipe says so.
    ///
    /// # Errors
    ///
    /// The stop of the run, with both names.
    pub fn check_model(&self, call: &Call, answer: &Answer) -> Result<(), Stop> {
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
        let time = seconds(self.limits.timeout_s).min(self.time_left(asking));
        let sent = timeout(time, self.transport.send(&asking.request, on_delta)).await;
        let result = sent.unwrap_or(Err(Fault::Timeout));
        let took = began.elapsed();
        asking.spent += took;
        asking.attempts += 1;
        let (status, body) = match &result {
            Ok(reply) => {
                asking.endpoint.has_replied.store(true, Ordering::Relaxed);
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
                asking.line.answers();
                if let Some(lasted) = asking.presence.answers() {
                    tracing::info!(model = asking.request.model.model, ?lasted, "the model is back");
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
                if asking.endpoint.refuses(&asking.request.model.model, field) {
                    let cause = format!("`{field}` is refused, so it is left out");
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
                if !asking.presence.has_answered() =>
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
        let presence = &asking.presence;
        let miss = match trouble.kind {
            TroubleKind::Unknown => Miss::Gone,
            TroubleKind::Unreachable if presence.has_answered() => Miss::Gone,
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
                tracing::info!(place, message, "the model is away, so its calls wait");
                (self.on_news)(ClientNews::Outage(Outage::Begins { place, message, patience }));
                Ok(true)
            }
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
        let endpoint = asking.endpoint;
        if matches!(trouble.kind, TroubleKind::Slow | TroubleKind::Overload | TroubleKind::Gateway) {
            permit.refused(trouble.after);
        }
        if let Some(after) = trouble.after {
            if after > seconds(self.limits.elapsed_s) {
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
        let was_there = asking.presence.has_answered();
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

    fn time_left(&self, asking: &Asking<'_>) -> Duration {
        seconds(self.limits.elapsed_s).saturating_sub(asking.spent)
    }

    /// The limits of a new endpoint, which tell and log how many calls they allow.
    fn limiter(&self, model: &ResolvedModel) -> Limiter {
        let url = model.base_url.as_deref();
        let name = url.map_or_else(|| SIM.to_owned(), super::endpoint::shown_url);
        let (on_news, grown) = (Arc::clone(&self.on_news), Arc::clone(&self.grown));
        let on_limit = Box::new(move |LimitChange { calls, before, reason }| {
            tracing::debug!(endpoint = name, calls, before, reason = reason.as_str(), "calls in flight");
            let change = ConcurrencyChange { endpoint: name.clone(), calls, before, reason };
            on_news(ClientNews::Concurrency(change));
            grown.notify_one();
        });
        Limiter::new(&self.limits, on_limit)
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
        if let Concurrency::Fixed(n) = self.limits.concurrency {
            return usize::try_from(n).unwrap_or(usize::MAX).saturating_add(apart);
        }
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let calls: u64 = endpoints.values().map(|endpoint| u64::from(endpoint.limiter.allowed())).sum();
        usize::try_from(calls + calls / 4).unwrap_or(usize::MAX).saturating_add(apart).max(PROMPTS_AT_FIRST)
    }

    /// Waits until more or fewer calls may be in flight than before. For one listener.
    pub async fn prompts_wanted_changes(&self) {
        self.grown.notified().await;
    }

    fn endpoint(&self, model: &ResolvedModel) -> Arc<Endpoint> {
        let name = (model.base_url.clone().unwrap_or_else(|| SIM.into()), model.api_key_env.clone());
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Endpoint {
                limiter: self.limiter(model),
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

impl Asking<'_> {
    /// Leaves a field out of the request. The call's key stays: it is what was asked for.
    fn go_on_without(&mut self, field: &str) {
        if let Some(body) = self.request.body.as_object_mut() {
            body.shift_remove(field);
            if field == "logprobs" {
                body.shift_remove("top_logprobs");
            }
        }
    }

    /// Counts a call that failed. Too many in a row stop the run, so that what is left can be asked another day.
    fn count_failure(&self, message: &str, is_refusal: bool) -> Result<(), Stop> {
        let Some(failures) = self.line.fails(is_refusal) else { return Ok(()) };
        let why = format!(
            "the {} got no answer from {} in {failures} calls in a row, the last with: {message}; run again to go on",
            self.call.role.as_str(),
            self.shown_url(),
        );
        self.line.break_off(&why);
        tracing::warn!(role = self.call.role.as_str(), failures, "a role gets no answer, so the run stops");
        Err(Stop::Provider(why))
    }

    /// The end of the run, as the model is away for too long.
    fn gives_up(&self, GivenUp { lasted, message }: &GivenUp) -> Stop {
        Stop::Provider(format!(
            "{} has been away for {:.0} s, and `limits.outage_s` allows no more; the last call ended with: {message}; run \
             again when it is back",
            self.place(),
            lasted.as_secs_f64(),
        ))
    }

    /// The model and its endpoint, as they may be shown.
    fn place(&self) -> String {
        format!("`{}` at {}", crate::pure::text::printable(&self.request.model.model), self.shown_url())
    }

    fn shown_url(&self) -> String {
        let url = self.request.model.base_url.as_deref();
        url.map_or_else(
            || "the simulated model".into(),
            |url| format!("`{}`", super::endpoint::shown_url(url)),
        )
    }
}

impl Endpoint {
    /// Notes that a model refuses a field; whether that is news.
    fn refuses(&self, model: &str, field: &'static str) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.insert((model.to_owned(), field))
    }

    /// The fields that a model refused.
    fn refused_by(&self, model: &str) -> Vec<&'static str> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.iter().filter(|(name, _)| name == model).map(|(_, field)| *field).collect()
    }

    /// What is known of whether a model is there.
    fn presence(&self, model: &str) -> Arc<Presence> {
        let mut presences = self.presences.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(presence) = presences.get(model) {
            return Arc::clone(presence);
        }
        Arc::clone(presences.entry(model.to_owned()).or_default())
    }

    /// The line that a call belongs to.
    fn line(&self, call: &Call) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lines.entry(LineKey::of(call)).or_default())
    }
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
mod stack_tests;
#[cfg(test)]
mod tests;
