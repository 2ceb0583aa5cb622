//! The bottom layer: one attempt at one request, over HTTP or in process.
//!
//! A transport does not retry, wait, limit or journal; it carries a request body there and a response body back.
//! What a status or fault means is decided in `retry`, what a body means in `wire`.

use crate::pure::recipe::ResolvedModel;

/// One attempt at a chat completion.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where to and as whom.
    pub model: ResolvedModel,
    /// The JSON body, the same bytes for every attempt.
    pub body: serde_json::Value,
}

/// A response with any status.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Seconds that the server asked to wait (`Retry-After`, `retry-after-ms`), if it did.
    pub retry_after_s: Option<f64>,
    /// Seconds until a rate is filled up again that the server says is used up (`x-ratelimit-remaining-…: 0` with
    /// `x-ratelimit-reset-…`), if it says so.
    pub rate_reset_s: Option<f64>,
    /// The body, unread. A stream is put together into the body that the same request without `stream` would get.
    pub body: String,
}

/// No response, or not a whole one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing listens there, or the name is unknown.
    #[error("cannot connect to {0}")]
    Connect(String),
    /// The connection broke before the response was whole.
    #[error("connection lost: {0}")]
    Lost(String),
    /// The per-call timeout passed.
    #[error("no answer in time")]
    Timeout,
    /// The request cannot be made at all (bad URL, bad key characters).
    #[error("{0}")]
    Unusable(String),
}

/// A piece of an answer as it streams in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// Answer text.
    Text(String),
    /// Reasoning text.
    Reasoning(String),
    /// The attempt broke off and another begins: what was shown so far is void.
    Restart,
}

/// Receives the pieces of an answer as they arrive; for people who watch, never for the method.
pub type OnDelta<'a> = &'a (dyn Fn(Delta) + Send + Sync);

/// Carries a request to a model and the response back.
pub trait Transport: Send + Sync {
    /// Makes one attempt. With `on_delta` the answer is streamed.
    fn send(
        &self,
        request: &Request,
        on_delta: Option<OnDelta<'_>>,
    ) -> impl Future<Output = Result<Reply, Fault>> + Send;
}
