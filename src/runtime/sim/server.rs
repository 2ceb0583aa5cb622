//! The simulated model as an OpenAI-compatible HTTP server: a thin shell, like the one in process.

use super::requests::Requests;
use super::service::{Outgoing, Service, Stats, Ticket};
use super::simulate::ErrorReply;
use super::stream::{Packet, packets};
use super::transport::whole;
use super::wire::{Completion, Wanted, error};
use crate::pure::recipe::Sim;
use crate::runtime::http_server::{Bounds, serve};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// The largest request that is read: more than any context window of text.
const BODY_LIMIT: usize = 8 << 20;

/// A server that listens, and serves once it is [run](Self::run).
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
    key: Option<SecretString>,
}

#[derive(Debug, Clone)]
struct Shared {
    service: Arc<Service>,
    key: Arc<Option<SecretString>>,
}

impl Server {
    /// Listens on the address; port 0 picks a free one. With a key, requests without it get a 401.
    pub async fn bind(settings: Sim, host: &str, port: u16, key: Option<SecretString>) -> io::Result<Self> {
        Self::bind_in_world(settings, None, (host, port), key).await
    }

    /// The same in a world of harmful and harmless requests.
    pub async fn bind_in_world(
        settings: Sim,
        requests: Option<Requests>,
        (host, port): (&str, u16),
        key: Option<SecretString>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((host, port)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, service: Service::new(settings, requests), key })
    }

    /// What a client takes as its base URL.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Serves until `stop` is ready; requests in flight then have a moment to finish.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) {
        let shared = Shared { service: self.service, key: Arc::new(self.key) };
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/v1/moderations", post(moderate))
            .route("/v1/models", get(models))
            .route("/stats", get(stats))
            .fallback(unknown_path)
            .layer(middleware::from_fn_with_state(shared.clone(), only_with_key))
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .with_state(shared);
        serve(self.listener, router, Bounds::default(), stop).await;
    }
}

/// Turns a request without the key away before its body is read.
async fn only_with_key(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    match shared.key.as_ref() {
        Some(key) if bearer(request.headers()) != Some(key.expose_secret()) => failed(ErrorReply::bad_key()),
        Some(_) | None => next.run(request).await,
    }
}

fn json_of(body: &[u8]) -> Result<Value, ErrorReply> {
    serde_json::from_slice(body)
        .map_err(|error| ErrorReply::bad_request(&format!("the body is not JSON: {error}")))
}

async fn moderate(State(shared): State<Shared>, body: Bytes) -> Response {
    let body = match json_of(&body) {
        Ok(body) => body,
        Err(reply) => return failed(reply),
    };
    let (ticket, after, told) = shared.service.take_moderation(&body).await;
    tokio::time::sleep(after).await;
    match told {
        Ok(body) => {
            ticket.told();
            respond(200, "application/json", Body::from(body), &[])
        }
        Err(reply) => {
            ticket.turned_away();
            failed(reply)
        }
    }
}

async fn complete(State(shared): State<Shared>, body: Bytes) -> Response {
    let body = match json_of(&body) {
        Ok(body) => body,
        Err(reply) => return failed(reply),
    };
    let (ticket, outgoing) = shared.service.take(&body).await;
    match outgoing {
        Outgoing::Answer { completion, cached, first, per_token } => {
            tokio::time::sleep(first).await;
            if Wanted::read(&body).is_ok_and(|wanted| wanted.stream()) {
                return streamed(Stream::new(&shared.service.sim, ticket, completion, cached, per_token));
            }
            tokio::time::sleep(whole(&completion, per_token)).await;
            let reply = completion.body(cached);
            ticket.answered(&completion, cached);
            respond(200, "application/json", Body::from(reply), &[])
        }
        Outgoing::Error { reply, after } => {
            tokio::time::sleep(after).await;
            ticket.turned_away();
            failed(reply)
        }
        Outgoing::Reset { partial, after } => {
            tokio::time::sleep(after).await;
            ticket.turned_away();
            respond(200, "application/json", broken_off(partial), &[])
        }
        Outgoing::Stall { until_closed } => {
            tokio::time::sleep(until_closed).await;
            ticket.turned_away();
            respond(200, "application/json", broken_off(String::new()), &[])
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// A body that ends in a connection reset.
fn broken_off(partial: String) -> Body {
    let pieces = [Ok(Bytes::from(partial)), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
    Body::from_stream(futures::stream::iter(pieces))
}

fn failed(reply: ErrorReply) -> Response {
    let kind = if reply.html { "text/html" } else { "application/json" };
    let wait = reply.retry_after_s.map(|seconds| {
        [
            ("retry-after", seconds.ceil().to_string()),
            ("retry-after-ms", (seconds * 1000.0).ceil().to_string()),
        ]
    });
    respond(reply.status, kind, Body::from(reply.body), wait.as_ref().map_or(&[], |wait| wait.as_slice()))
}

fn respond(status: u16, kind: &str, body: Body, more: &[(&str, String)]) -> Response {
    let mut response = Response::builder().status(status).header(header::CONTENT_TYPE, kind);
    for (name, value) in more {
        response = response.header(*name, value);
    }
    // The parts are our own, so this cannot fail; if it does, an empty 500 says so.
    response.body(body).unwrap_or_else(|_| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// A streamed answer: its packets, and the ticket that is settled with the last of them.
#[derive(Debug)]
struct Stream {
    packets: VecDeque<Packet>,
    settle: Option<(Ticket, Completion, u64)>,
    per_token: Duration,
}

impl Stream {
    fn new(sim: &Sim, ticket: Ticket, completion: Completion, cached: u64, per_token: Duration) -> Self {
        let packets = packets(sim, &completion, cached).into();
        Self { packets, settle: Some((ticket, completion, cached)), per_token }
    }

    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        let Packet { bytes, tokens } = self.packets.pop_front()?;
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        tokio::time::sleep(self.per_token.saturating_mul(tokens)).await;
        if self.packets.is_empty()
            && let Some((ticket, completion, cached)) = self.settle.take()
        {
            ticket.answered(&completion, cached);
        }
        Some((Ok(Bytes::from(bytes)), self))
    }
}

fn streamed(stream: Stream) -> Response {
    let body = Body::from_stream(futures::stream::unfold(stream, Stream::next));
    respond(200, "text/event-stream", body, &[("cache-control", "no-cache".to_owned())])
}

async fn models(State(shared): State<Shared>) -> Response {
    let names = match shared.service.sim.model.as_slice() {
        [] => vec!["sim".to_owned()],
        named => named.to_vec(),
    };
    let entry = |name: &String| json!({ "id": name, "object": "model", "created": 0, "owned_by": "amend" });
    let body = json!({ "object": "list", "data": names.iter().map(entry).collect::<Vec<_>>() });
    respond(200, "application/json", Body::from(body.to_string()), &[])
}

async fn stats(State(shared): State<Shared>) -> Response {
    let stats: Stats = shared.service.stats();
    match serde_json::to_string(&stats) {
        Ok(body) => respond(200, "application/json", Body::from(body), &[]),
        Err(error) => failed(ErrorReply::new(500, error.to_string())),
    }
}

async fn unknown_path() -> Response {
    failed(ErrorReply::new(404, error("There is nothing at this path.", "invalid_request_error", None)))
}
