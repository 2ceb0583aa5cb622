//! The stack below the memo: limits, retry and transport for all roles.
//!
//! One [`Client`] serves a run. It does not know the journal; the caller records what [`Client::ask`] gives, and drops
//! the [`Permit`] when that is durable, so that at most the calls in flight are ever asked twice (law 1).

use super::recorded::{Failure, Recorded};
use super::transport::{Fault, OnDelta, Request, Transport};
use super::{Call, ResolvedModel, Role, limits::Permit, wire};
use crate::method::Stop;
use crate::recipe::Limits;
use std::sync::Arc;
use std::time::Duration;

/// An attempt failed and will be made again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retrying {
    /// Who was asked.
    pub role: Role,
    /// What went wrong, such as `429` or `timeout`.
    pub cause: String,
    /// Time until the next attempt.
    pub wait: Duration,
}

/// Hears of every attempt that will be made again.
pub type OnRetry = Arc<dyn Fn(Retrying) + Send + Sync>;

/// Asks models, within limits, as often as it takes.
pub struct Client<T> {
    transport: T,
    limits: Limits,
    on_retry: OnRetry,
}

impl<T> std::fmt::Debug for Client<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl<T: Transport> Client<T> {
    /// A client over a transport.
    pub fn new(transport: T, limits: Limits, on_retry: OnRetry) -> Self {
        Self { transport, limits, on_retry }
    }

    /// Asks one call. `turn` is the place of the call's prompt in the run: when calls must wait, those of older prompts go
    /// first. An answer that went wrong is an `Ok` with its failure recorded; `Err` ends the run.
    ///
    /// The caller keeps the permit until the record is durable.
    pub async fn ask(
        &self,
        call: &Call,
        model: &ResolvedModel,
        turn: u64,
        on_delta: Option<OnDelta<'_>>,
    ) -> Result<(Recorded, Permit), Stop> {
        let _ = (turn, &self.on_retry);
        let request = Request { model: model.clone(), body: wire::body(call, model) };
        let sent = self.transport.send(&request, on_delta);
        let timeout = Duration::from_secs_f64(self.limits.timeout_s);
        let reply = tokio::time::timeout(timeout, sent).await.unwrap_or(Err(Fault::Timeout));
        let recorded = match reply {
            Ok(reply) if reply.status == 200 => {
                Recorded { status: 200, body: Some(reply.body), failure: None, attempts: 1, latency_ms: 0 }
            }
            Ok(reply) => failed(reply.status, format!("status {}", reply.status)),
            Err(fault) => failed(0, fault.to_string()),
        };
        Ok((recorded, Permit::default()))
    }
}

fn failed(status: u16, message: String) -> Recorded {
    let failure = Some(Failure { message, filtered: false, transient: true });
    Recorded { status, body: None, failure, attempts: 1, latency_ms: 0 }
}
