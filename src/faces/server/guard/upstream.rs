//! The model behind the guard: a request goes there as it came, and its response comes back in pieces. Dropping the pieces gives
//! the request up.

use super::shared::Shared;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use futures::stream::{BoxStream, StreamExt as _, unfold};
use std::sync::Arc;
use tokio::time::timeout;

/// What comes from an upstream.
#[derive(Debug)]
pub(super) enum FromUpstream {
    /// The head of its response, first.
    Head(StatusCode, HeaderMap),
    /// Bytes of the body.
    Bytes(Bytes),
    /// The body is at its end.
    End,
    /// There is no response, or it broke off; why, without a text of anybody.
    Failed(String),
}

enum At {
    Start { body: Bytes, authorization: Option<HeaderValue> },
    Body(reqwest::Response),
    Over,
}

/// Sends a chat completion, and gives what comes of it. Nothing is sent before the first poll.
pub(super) fn ask(
    shared: Arc<Shared>,
    body: Bytes,
    authorization: Option<HeaderValue>,
) -> BoxStream<'static, FromUpstream> {
    let start = (shared, At::Start { body, authorization });
    unfold(start, |(shared, at)| async move {
        let (item, at) = next(&shared, at).await?;
        Some((item, (shared, at)))
    })
    .boxed()
}

async fn next(shared: &Shared, at: At) -> Option<(FromUpstream, At)> {
    let silent = || {
        let seconds = shared.patience.as_secs();
        (FromUpstream::Failed(format!("nothing came for {seconds} s")), At::Over)
    };
    let next = match at {
        At::Start { body, authorization } => {
            let json = HeaderValue::from_static("application/json");
            let sent =
                shared.upstream.send(Method::POST, "/v1/chat/completions", body, Some(json), authorization);
            match timeout(shared.patience, sent).await {
                Ok(Ok(response)) => {
                    let head = FromUpstream::Head(response.status(), response.headers().clone());
                    (head, At::Body(response))
                }
                Ok(Err(fault)) => (FromUpstream::Failed(fault.to_string()), At::Over),
                Err(_) => silent(),
            }
        }
        At::Body(mut response) => match timeout(shared.patience, response.chunk()).await {
            Ok(Ok(Some(bytes))) => (FromUpstream::Bytes(bytes), At::Body(response)),
            Ok(Ok(None)) => (FromUpstream::End, At::Over),
            Ok(Err(_)) => (FromUpstream::Failed("the response broke off".into()), At::Over),
            Err(_) => silent(),
        },
        At::Over => return None,
    };
    Some(next)
}
