//! The simulated model in process: no socket, and time is tokio's, so that tests run on virtual time.

use super::requests::Requests;
use super::service::{Outgoing, Service, Stats};
use super::simulate::ErrorReply;
use super::stream::pieces;
use super::wire::{Completion, tokens};
use crate::pure::recipe::Sim;
use crate::runtime::model::{Delta, Fault, OnDelta, Reply, Request, Transport};
use std::sync::Arc;
use std::time::Duration;

/// Answers requests as `amend sim` would over HTTP, byte for byte. Clones share one service.
#[derive(Debug, Clone)]
pub struct SimTransport(Arc<Service>);

impl SimTransport {
    /// A simulated model with these settings.
    pub fn new(settings: Sim) -> Self {
        Self::in_world(settings, None)
    }

    /// The same in a world of harmful and harmless requests.
    pub fn in_world(settings: Sim, requests: Option<Requests>) -> Self {
        Self(Service::new(settings, requests))
    }

    /// What it was asked so far.
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }
}

impl Transport for SimTransport {
    async fn send(&self, request: &Request, on_delta: Option<OnDelta<'_>>) -> Result<Reply, Fault> {
        let (ticket, send) = self.0.take(&request.body).await;
        match send {
            Outgoing::Answer { completion, cached, first, per_token } => {
                tokio::time::sleep(first).await;
                match on_delta {
                    Some(on_delta) => stream(&self.0.sim, &completion, per_token, on_delta).await,
                    None => tokio::time::sleep(whole(&completion, per_token)).await,
                }
                let reply = Reply {
                    status: 200,
                    retry_after_s: None,
                    rate_reset_s: None,
                    body: completion.body(cached),
                };
                ticket.answered(&completion, cached);
                Ok(reply)
            }
            Outgoing::Error { reply, after } => {
                tokio::time::sleep(after).await;
                ticket.turned_away();
                let ErrorReply { status, retry_after_s, body, html: _ } = reply;
                Ok(Reply { status, retry_after_s, rate_reset_s: None, body })
            }
            Outgoing::Reset { after, .. } => {
                tokio::time::sleep(after).await;
                ticket.turned_away();
                Err(Fault::Lost("connection reset by the simulated model".into()))
            }
            Outgoing::Stall { until_closed } => {
                tokio::time::sleep(until_closed).await;
                ticket.turned_away();
                Err(Fault::Lost("closed after a stall by the simulated model".into()))
            }
        }
    }
}

/// How long all tokens of an answer take.
pub(super) fn whole(completion: &Completion, per_token: Duration) -> Duration {
    per_token.saturating_mul(u32::try_from(completion.completion_tokens()).unwrap_or(u32::MAX))
}

async fn stream(sim: &Sim, completion: &Completion, per_token: Duration, on_delta: OnDelta<'_>) {
    let Some(choice) = completion.choices.first() else { return };
    if let Some(reasoning) = &choice.reasoning {
        for piece in tokens(reasoning) {
            tokio::time::sleep(per_token).await;
            on_delta(Delta::Reasoning(piece.text));
        }
    }
    for (piece, tokens) in pieces(sim, &completion.id, choice.tokens.as_deref().unwrap_or_default()) {
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        tokio::time::sleep(per_token.saturating_mul(tokens)).await;
        on_delta(Delta::Text(piece));
    }
}
