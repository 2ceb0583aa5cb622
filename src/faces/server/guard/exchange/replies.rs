//! What a client gets of an exchange: the upstream's bytes, a styled text, a closing sentence, an error.

use super::super::outlet::Head;
use super::Exchange;
use crate::faces::server::guard::incoming::Incoming;
use crate::pure::guard::finding::Grounds;
use crate::pure::guard::flow::Decision;
use crate::pure::guard::sse::write_event;
use crate::pure::guard::styled::{self, Signature};
use crate::pure::guard::wording::Wording;
use crate::pure::recipe::AnswerAs;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

const JSON: &str = "application/json";
/// What a client is told where the model fails.
const FAILED: &str = "The model behind the guard gave no answer that can be used.";

const EVENTS: &str = "text/event-stream";

impl Exchange {
    pub(super) async fn release(&mut self, bytes: Bytes, decision: &'static str) {
        self.begin(decision);
        self.record.left();
        if !bytes.is_empty() {
            self.outlet.send(bytes).await;
        }
    }

    /// Sends the head of the upstream's response, with what is decided now.
    pub(super) fn begin(&mut self, decision: &'static str) {
        if self.outlet.has_begun() {
            return;
        }
        let mut headers = self.headers.clone();
        if !headers.contains_key(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        self.start(self.status, headers, decision);
    }

    fn start(&mut self, status: StatusCode, mut headers: HeaderMap, decision: &'static str) {
        if let Ok(id) = HeaderValue::from_str(&self.incoming.id) {
            headers.insert("x-amend-id", id);
        }
        // What only looks on decides nothing, and a client need not know of it.
        if !self.shared.is_shadow() {
            headers.insert("x-amend-decision", HeaderValue::from_static(decision));
        }
        self.outlet.begin(Head { status, headers });
    }

    /// A styled text in place of everything; where bytes have left already, there is no room for one.
    pub(super) async fn style(&mut self, grounds: &Grounds, decision: &'static str) {
        self.record.ground(grounds);
        let not_judged = decision == Decision::CouldNotJudge.as_str();
        let grounds = self.record.grounds().cloned().unwrap_or_default();
        let wording = self.wording();
        let words = if not_judged { wording.not_judged() } else { wording.declined(&grounds) };
        let as_error = self.shared.settings.answer.form == AnswerAs::Error;
        let (status, kind, body) = match (as_error, not_judged, self.incoming.chat.stream) {
            (true, false, _) => (400, JSON, styled::error(&words, "invalid_request_error", "content_filter")),
            (true, true, _) => (503, JSON, styled::error(&words, "server_error", "could_not_judge")),
            (false, _, true) => (200, EVENTS, styled::streamed(self.signature(), &words)),
            (false, _, false) => (200, JSON, styled::message(self.signature(), &words)),
        };
        self.answer(status, kind, body, decision).await;
    }

    /// The upstream's own error where it gave one, else one of ours. What has begun is broken off.
    pub(super) async fn fail(&mut self, decision: &'static str) {
        if self.outlet.has_begun() {
            // A stream can say that it goes no further; a body cannot, and in shadow no byte is ours.
            if self.incoming.chat.stream && !self.shared.is_shadow() {
                let event = styled::error(FAILED, "server_error", "upstream_failed");
                self.outlet.send(write_event(&String::from_utf8_lossy(&event))).await;
            } else {
                self.is_broken = true;
            }
            return;
        }
        if let Some(body) = self.error.take() {
            self.begin(decision);
            self.outlet.send(Bytes::from(body)).await;
        } else {
            let body = styled::error(FAILED, "server_error", "upstream_failed");
            self.answer(502, JSON, body, decision).await;
        }
    }

    async fn answer(&mut self, status: u16, kind: &'static str, body: Bytes, decision: &'static str) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
        self.start(status, headers, decision);
        self.outlet.send(body).await;
    }

    pub(super) fn wording(&self) -> Wording<'_> {
        self.policy.wording(&self.shared.settings.answer, &self.incoming.chat.turns)
    }

    pub(super) fn signature(&self) -> Signature<'_> {
        let Incoming { id, chat, .. } = &*self.incoming;
        Signature { id, model: &chat.model, created: self.shared.seconds() }
    }
}
