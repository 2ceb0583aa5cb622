//! A request as it was taken in: its bytes, which go on as they came, and what was read of them.

use crate::pure::guard::chat_request::ChatRequest;
use axum::body::Bytes;
use axum::http::HeaderValue;

/// A request as it was taken in.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) id: String,
    pub(super) body: Bytes,
    pub(super) chat: ChatRequest,
    /// The client's own key, where it is the upstream's.
    pub(super) authorization: Option<HeaderValue>,
}
