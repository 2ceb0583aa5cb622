//! The way to the client: a head that is sent once, then the bytes of a body. It knows when the client is gone.

use crate::pure::guard::styled::error;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use std::io;
use tokio::sync::{mpsc, oneshot};

/// Pieces of a body that may wait for a slow client.
const PIECES: usize = 16;

/// The head of a response.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

/// Where an exchange sends to.
#[derive(Debug)]
pub(super) struct Outlet {
    head: Option<oneshot::Sender<Head>>,
    body: Option<mpsc::Sender<io::Result<Bytes>>>,
}

/// Where a handler hears of it.
#[derive(Debug)]
pub(super) struct Inlet {
    head: oneshot::Receiver<Head>,
    body: mpsc::Receiver<io::Result<Bytes>>,
}

pub(super) fn outlet() -> (Outlet, Inlet) {
    let (head_to, head) = oneshot::channel();
    let (body_to, body) = mpsc::channel(PIECES);
    (Outlet { head: Some(head_to), body: Some(body_to) }, Inlet { head, body })
}

impl Outlet {
    /// Waits until the client is gone. Once everything is sent, nobody is waited for.
    pub(super) async fn gone(&mut self) {
        match (&mut self.head, &self.body) {
            (Some(head), _) => head.closed().await,
            (None, Some(body)) => body.closed().await,
            (None, None) => std::future::pending().await,
        }
    }

    /// Whether the head is sent.
    pub(super) fn has_begun(&self) -> bool {
        self.head.is_none()
    }

    pub(super) fn begin(&mut self, head: Head) {
        if let Some(to) = self.head.take() {
            // Whether somebody still listens is told by `gone`.
            let _ = to.send(head);
        }
    }

    pub(super) async fn send(&self, bytes: Bytes) {
        if let Some(to) = &self.body {
            let _ = to.send(Ok(bytes)).await;
        }
    }

    /// Breaks the body off, so that the client sees that it is not whole.
    pub(super) async fn break_off(&mut self) {
        if let Some(to) = self.body.take() {
            let _ = to.send(Err(io::ErrorKind::ConnectionReset.into())).await;
        }
    }

    /// Ends the body.
    pub(super) fn finish(&mut self) {
        self.body = None;
    }
}

impl Inlet {
    /// The response, once its head is known.
    pub(super) async fn response(self) -> Response {
        let Self { head, body } = self;
        let Ok(Head { status, headers }) = head.await else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "text/plain", Body::empty());
        };
        let pieces = futures::stream::unfold(body, async |mut body| {
            let piece = body.recv().await?;
            Some((piece, body))
        });
        let mut response = Response::new(Body::from_stream(pieces));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

/// A response of one piece.
pub(super) fn plain(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// An error of ours, in the OpenAI form.
pub(super) fn told(status: StatusCode, words: &str, code: &str) -> Response {
    let kind = if status.is_server_error() { "server_error" } else { "invalid_request_error" };
    let mut response = plain(status, "application/json", error(words, kind, code));
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// What of an upstream's headers goes on to a client: not those that are about one connection, or about bytes that may be
/// others by now.
pub(super) fn passing(headers: &HeaderMap) -> HeaderMap {
    const STAY: [HeaderName; 9] = [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::TRAILER,
        header::UPGRADE,
        header::TE,
        header::SET_COOKIE,
        header::PROXY_AUTHENTICATE,
    ];
    let named = headers.iter().filter(|(name, _)| !STAY.contains(*name) && *name != "keep-alive");
    named.map(|(name, value)| (name.clone(), value.clone())).collect()
}
