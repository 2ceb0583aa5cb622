//! The core: a request body and the number of the attempt → what becomes of it. Pure.
//!
//! Faults of an attempt are decided by (body, attempt): they leave when asked again. Faults of an answer are decided by
//! the conversation and the seed in the body: they leave with another draw.

use super::answer;
use super::conversation::Asked;
use super::draw::Draw;
use super::moderation;
use super::requests::Requests;
use super::wire::{Completion, Wanted, answering_model, error};
use crate::pure::recipe::{Judge, Sim};
use serde_json::Value;
use std::time::Duration;

/// What becomes of one attempt.
#[derive(Debug)]
pub(super) struct Plan {
    /// Until the first byte.
    pub(super) first: Duration,
    /// Per token after that.
    pub(super) per_token: Duration,
    pub(super) outcome: Planned,
    /// Names of the faults planted, for the statistics.
    pub(super) faults: Vec<&'static str>,
}

#[derive(Debug)]
pub(super) enum Planned {
    Answer(Completion),
    /// A response that is no answer.
    Error(ErrorReply),
    /// The connection breaks after a part of the body.
    Reset(String),
    /// Nothing comes.
    Stall,
}

/// A response with an error status, or a body that is no completion.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ErrorReply {
    pub(super) status: u16,
    pub(super) retry_after_s: Option<f64>,
    pub(super) html: bool,
    pub(super) body: String,
}

impl ErrorReply {
    pub(super) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, retry_after_s: None, html: false, body: body.into() }
    }

    #[must_use]
    pub(super) fn retry_after(mut self, seconds: f64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// An error that is not the attempt's but the request's: asking again changes nothing.
    pub(super) fn bad_request(message: &str) -> Self {
        Self::new(400, error(message, "invalid_request_error", None))
    }

    pub(super) fn unknown_model(model: &str) -> Self {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        Self::new(404, error(&message, "invalid_request_error", Some("model_not_found")))
    }

    pub(super) fn bad_key() -> Self {
        Self::new(401, error("Incorrect API key provided.", "invalid_request_error", Some("invalid_api_key")))
    }

    pub(super) fn too_many(seconds: f64) -> Self {
        let body =
            error("Rate limit reached. Please try again later.", "requests", Some("rate_limit_exceeded"));
        Self::new(429, body).retry_after(seconds)
    }

    pub(super) fn unavailable(seconds: f64) -> Self {
        let body = error("The engine is currently overloaded.", "server_error", None);
        Self::new(503, body).retry_after(seconds)
    }
}

/// Plans one attempt.
pub(super) fn plan(
    sim: &Sim,
    requests: Option<&Requests>,
    body: &Value,
    body_hash: u64,
    attempt: u32,
) -> Plan {
    let at_once = |reply: ErrorReply| Plan {
        first: Duration::ZERO,
        per_token: Duration::ZERO,
        outcome: Planned::Error(reply),
        faults: Vec::new(),
    };
    let wanted = match Wanted::read(body) {
        Ok(wanted) => wanted,
        Err(message) => return at_once(ErrorReply::bad_request(&message)),
    };
    if !sim.model.is_empty() && !sim.model.contains(&wanted.model) {
        return at_once(ErrorReply::unknown_model(&wanted.model));
    }
    let draw = Draw::new("attempt").with_u64(sim.seed).with_u64(body_hash).with_u64(attempt.into());
    let (outcome, faults) = outcome(sim, requests, &wanted, &draw, body_hash);
    let (first, per_token) = (delay(sim, &draw, sim.latency_ms as f64), delay(sim, &draw, sim.token_ms));
    Plan { first, per_token, outcome, faults }
}

fn delay(sim: &Sim, draw: &Draw, ms: f64) -> Duration {
    let factor = 1.0 + sim.jitter * (2.0 * draw.unit("jitter") - 1.0);
    Duration::from_secs_f64((ms * factor / 1000.0).max(0.0))
}

/// What becomes of one attempt to have texts moderated: the answer, or an error with the name of its fault.
pub(super) type Moderated = Result<String, (ErrorReply, Option<&'static str>)>;

/// Plans one attempt to have texts moderated, and says when it is answered.
pub(super) fn plan_moderation(
    sim: &Sim,
    requests: Option<&Requests>,
    body: &Value,
    body_hash: u64,
    attempt: u32,
) -> (Duration, Moderated) {
    let (model, texts) = match moderation::read(body) {
        Ok(read) => read,
        Err(message) => return (Duration::ZERO, Err((ErrorReply::bad_request(&message), None))),
    };
    if !sim.model.is_empty() && !sim.model.contains(&model) {
        return (Duration::ZERO, Err((ErrorReply::unknown_model(&model), None)));
    }
    let draw = Draw::new("attempt").with_u64(sim.seed).with_u64(body_hash).with_u64(attempt.into());
    let answer = match turned_away(sim, &draw) {
        Some((reply, fault)) => Err((reply, Some(fault))),
        None => Ok(moderation::answer(sim, requests, &model, &texts, body_hash).to_string()),
    };
    (delay(sim, &draw, sim.latency_ms as f64), answer)
}

/// The fault that keeps an attempt from being worked on, where one is planted.
fn turned_away(sim: &Sim, draw: &Draw) -> Option<(ErrorReply, &'static str)> {
    if draw.happens("rate_limited", sim.rate_limited) {
        return Some((ErrorReply::too_many(sim.retry_after_s), "rate_limited"));
    }
    draw.happens("server_errors", sim.server_errors).then(|| (server_error(sim, draw), "server_errors"))
}

fn outcome(
    sim: &Sim,
    requests: Option<&Requests>,
    wanted: &Wanted,
    draw: &Draw,
    body_hash: u64,
) -> (Planned, Vec<&'static str>) {
    if let Some((reply, fault)) = turned_away(sim, draw) {
        return (Planned::Error(reply), vec![fault]);
    }
    if draw.happens("stalls", sim.stalls) {
        return (Planned::Stall, vec!["stalls"]);
    }
    let (completion, faults) = complete(sim, requests, wanted, body_hash);
    if draw.happens("resets", sim.resets) {
        let body = completion.body(0);
        return (Planned::Reset(body.chars().take(body.chars().count() / 2).collect()), vec!["resets"]);
    }
    if draw.happens("malformed", sim.malformed) {
        return (Planned::Error(malformed(&completion, draw)), vec!["malformed"]);
    }
    (Planned::Answer(completion), faults)
}

fn server_error(sim: &Sim, draw: &Draw) -> ErrorReply {
    match draw.below("status", 3) {
        0 => ErrorReply::new(
            500,
            error("The server had an error while processing your request.", "server_error", None),
        ),
        1 => ErrorReply {
            html: true,
            ..ErrorReply::new(
                502,
                "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
            )
        },
        _ => ErrorReply::unavailable(sim.retry_after_s),
    }
}

/// A body with status 200 that is no completion.
fn malformed(completion: &Completion, draw: &Draw) -> ErrorReply {
    let whole = completion.body(0);
    let cut: String = whole.chars().take(whole.chars().count() * 2 / 3).collect();
    match draw.below("malformed kind", 5) {
        0 => ErrorReply::new(200, cut),
        1 => ErrorReply { html: true, ..ErrorReply::new(200, "<!doctype html><title>Sign in</title>") },
        2 => ErrorReply::new(200, r#"{"object":"chat.completion","choices":[]}"#),
        3 => ErrorReply::new(200, error("upstream connect error", "server_error", None)),
        _ => ErrorReply::new(200, ""),
    }
}

fn complete(
    sim: &Sim,
    requests: Option<&Requests>,
    wanted: &Wanted,
    body_hash: u64,
) -> (Completion, Vec<&'static str>) {
    let turns = wanted.turns();
    let asked = Asked::read(&turns);
    let mut faults = Vec::new();
    let choices = (0..wanted.choices())
        .map(|index| {
            let (choice, found) =
                answer::choice(sim, requests, wanted, &asked, &answer::draw_of(sim, wanted, index));
            faults.extend(found);
            choice
        })
        .collect();
    let silent = sim.no_logprobs || sim.judge == Judge::NoLogprobs;
    let completion = Completion {
        id: format!("sim-{body_hash:016x}"),
        model: answering_model(&wanted.model),
        choices,
        top_logprobs: wanted.top_logprobs().filter(|_| !silent),
        prompt_tokens: prompt_bytes(&turns).div_ceil(4),
        stream_usage: wanted.stream_usage(),
    };
    (completion, faults)
}

/// Bytes of the conversation as the prefix cache sees it; four make a token.
fn prompt_bytes(turns: &[super::conversation::Turn]) -> u64 {
    turns.iter().map(|turn| (turn.role.len() + turn.content.len() + 4) as u64).sum()
}
