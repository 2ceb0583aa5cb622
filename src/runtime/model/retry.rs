//! What a status or a fault means: the answer, another attempt, the end of this call, or the end of the run.
//!
//! The one place that decides it. Pure: waiting is done in `client`. Messages made here are shown and stored, so they
//! hold neither the prompt nor control characters; endpoints like to quote the prompt in their errors.

use super::raw_response::Failure;
use super::transport::{Fault, Reply, Request};
use super::wire::{self, WireError};
use crate::pure::answer::{Answer, Malformed, Outcome};
use crate::pure::call::CallKey;
use crate::pure::digest::Parts;
use regex::Regex;
use std::sync::OnceLock;
use std::time::Duration;

/// What follows from one attempt.
#[derive(Debug, PartialEq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(super) enum Next {
    /// The body is an answer.
    Answer(Answer),
    /// This call will never be answered; others may.
    Fail(Failure),
    /// The attempt may succeed when made again.
    Again(Trouble),
    /// The endpoint refuses a field that the call can do without.
    Without {
        /// The field's name.
        field: &'static str,
        /// What the endpoint said.
        message: String,
    },
    /// No call will be answered until the user does something.
    Stop(String),
}

impl Next {
    /// What follows, in one word, for the log.
    pub(super) fn as_str(&self) -> &'static str {
        self.into()
    }
}

/// Why an attempt is made again.
#[derive(Debug, PartialEq)]
pub(super) struct Trouble {
    /// In one word, for events: `429`, `timeout`, `connect`.
    pub(super) cause: String,
    /// In a sentence, for the record, should no attempt succeed.
    pub(super) message: String,
    /// How long the endpoint asked to wait.
    pub(super) after: Option<Duration>,
    /// Whether that wait is about every call at the endpoint: it names a rate. Else it is about this call.
    pub(super) is_about_all: bool,
    /// What kind of trouble, which decides how patient to be.
    pub(super) kind: TroubleKind,
}

/// Kinds of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TroubleKind {
    /// Told to slow down. That is no failure, so it does not count as an attempt; only time limits it.
    Slow,
    /// There is nobody to talk to.
    Unreachable,
    /// The endpoint knows nothing of the key or of the model (401, 403, 404).
    Unknown,
    /// A gateway has nobody to pass the call on to (502 to 504).
    Gateway,
    /// The endpoint, or the way to it, failed while under load.
    Overload,
    /// The response could not be read. What came is kept.
    Unreadable,
}

/// Decides what an attempt means.
pub(super) fn judge(result: Result<Reply, Fault>, request: &Request) -> Next {
    match result {
        Ok(reply) => judge_reply(&reply, request),
        Err(Fault::Unusable(message)) => Next::Stop(message),
        Err(fault) => {
            let (cause, kind) = match &fault {
                Fault::Connect(_) => ("connect", TroubleKind::Unreachable),
                Fault::Timeout => ("timeout", TroubleKind::Overload),
                Fault::Lost(_) | Fault::Unusable(_) => ("lost", TroubleKind::Overload),
            };
            let message = clean(&fault.to_string());
            Next::Again(Trouble { cause: cause.into(), message, after: None, is_about_all: false, kind })
        }
    }
}

fn judge_reply(reply: &Reply, request: &Request) -> Next {
    let error = wire::error_in(&reply.body);
    // Some proxies answer 200 and put the real status into the body.
    let in_body = error.as_ref().and_then(|e| e.status).filter(|status| *status >= 300);
    let status = match (reply.status, &error) {
        (200..=299, None) => return judge_body(reply),
        (200..=299, Some(_)) => in_body.unwrap_or(500),
        (status, _) => status,
    };
    let error = error.unwrap_or_default();
    judge_error(status, reply, &error, request)
}

fn judge_body(reply: &Reply) -> Next {
    let answer = wire::read(&reply.body);
    let why = match &answer.outcome {
        Outcome::Malformed(Malformed::Body) => "the response is not JSON of a chat completion".to_owned(),
        Outcome::Malformed(Malformed::NoChoice) => "the response holds no answer".to_owned(),
        Outcome::Malformed(Malformed::CutStream) => "the response was cut".to_owned(),
        Outcome::Malformed(Malformed::NoFinish) => {
            "the endpoint gave no `finish_reason` and no token counts, so nothing says that the answer is whole".to_owned()
        }
        Outcome::Malformed(Malformed::Aborted) => {
            let reason = clean(answer.finish_reason.as_deref().unwrap_or("?"));
            format!("the endpoint ended the answer with `{reason}`")
        }
        // Asking again gives the same again: what it means is for the method to decide.
        Outcome::Malformed(Malformed::OpenReasoning | Malformed::UnknownMark)
        | Outcome::Complete
        | Outcome::Truncated
        | Outcome::Filtered
        | Outcome::Refused
        | Outcome::Empty
        | Outcome::Failed(_) => return Next::Answer(answer),
    };
    let kind = TroubleKind::Unreadable;
    Next::Again(Trouble { cause: "unreadable".into(), message: why, after: None, is_about_all: false, kind })
}

fn judge_error(status: u16, reply: &Reply, error: &WireError, request: &Request) -> Next {
    let retry_after_s = reply.retry_after_s;
    let has = |words: &[&str]| {
        let message = error.message.to_lowercase();
        words.iter().any(|word| error.code.contains(word) || message.contains(word))
    };
    let model = &request.model;
    let url = super::endpoint::shown_url(model.base_url.as_deref().unwrap_or(crate::pure::recipe::SIM));
    let said = short_message(status, error, request);
    let in_words = wait_asked_for(&reply.body, &said);
    let fail = |filtered, is_about_prompt| {
        Next::Fail(Failure { message: said.clone(), filtered, is_about_prompt, transient: false })
    };
    let again = |kind| {
        // What is left of a rate, in headers or in words, holds for every call until it is filled up again.
        let is_about_all = status == 429 && (reply.rate_reset_s.is_some() || has(&RATES));
        let reset = reply.rate_reset_s.filter(|_| status == 429);
        let told = [reset, retry_after_s].into_iter().flatten().reduce(f64::max);
        // Where no header says how long to wait, the words may.
        let seconds = told.or_else(|| in_words.filter(|_| matches!(status, 429 | 498 | 503)));
        let after = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
        Next::Again(Trouble { cause: status.to_string(), message: said.clone(), after, is_about_all, kind })
    };
    let unknown = |message| {
        let (cause, kind) = (status.to_string(), TroubleKind::Unknown);
        Next::Again(Trouble { cause, message, after: None, is_about_all: false, kind })
    };
    let is_filter =
        has(&["content_filter", "responsibleaipolicy", "content_policy", "content management policy"])
            || (status == 403 && has(&["flagged", "moderation"]));
    let is_too_long =
        has(&["context_length", "context length", "context size", "maximum context", "too many tokens"]);
    if let Some(field) = refused_field(status, error, request) {
        return Next::Without { field, message: said };
    }
    // A server that loads its model needs time, not attempts.
    if matches!(status, 500 | 502..=504)
        && has(&["loading model", "model is loading", "is loading", "currently loading"])
    {
        let after = retry_after_s.and_then(|s| Duration::try_from_secs_f64(s).ok()).or(Some(LOADING));
        return Next::Again(Trouble {
            cause: "loading".into(),
            message: said,
            after,
            is_about_all: true,
            kind: TroubleKind::Slow,
        });
    }
    match status {
        300..=399 | 405 => {
            Next::Stop(format!("`{url}` gave {said}; is `base_url` right? It often ends in `/v1`"))
        }
        _ if is_filter && status < 500 => fail(true, true),
        _ if is_too_long && (status < 429 || status == 500) => fail(false, true),
        401 | 403 if model.api_key_env.is_empty() => unknown(format!(
            "`{url}` gave {said}; no key is sent over plain http to another machine unless `api_key_env` names its variable"
        )),
        401 | 403 => unknown(format!(
            "`{url}` gave {said}; the key is read from `{}`: is it set, and is it this endpoint's?",
            model.api_key_env
        )),
        // A flex tier without room says so; the words may name billing, as such an attempt costs nothing.
        429 | 498 | 503 if has(&["resource_unavailable"]) => again(TroubleKind::Slow),
        402 => Next::Stop(format!("`{url}` gave {said}; the account cannot pay for calls")),
        429 if has(&["insufficient_quota", "billing"]) => {
            Next::Stop(format!("`{url}` gave {said}; the account's quota is used up"))
        }
        404 => unknown(format!(
            "`{url}` gave {said}; does it serve `{}`, and does `base_url` end where `/chat/completions` begins?",
            model.model
        )),
        501 => unknown(format!(
            "`{url}` gave {said}; is `base_url` that of an OpenAI-compatible server? It often ends in `/v1`"
        )),
        // 498: a flex tier is full (Groq).
        429 | 498 => again(TroubleKind::Slow),
        503 if retry_after_s.is_some() || in_words.is_some() => again(TroubleKind::Slow),
        502..=504 => again(TroubleKind::Gateway),
        408 | 409 | 425 | 500 | 506..=599 => again(TroubleKind::Overload),
        400 | 422
            if has(&[
                "unsupported_parameter",
                "unknown_parameter",
                "unsupported_value",
                "unsupported parameter",
            ]) =>
        {
            Next::Stop(format!(
                "`{url}` gave {said}; `max_tokens_field`, `temperature = -1`, `send_seed` and `structured` say what is sent"
            ))
        }
        _ => fail(false, false),
    }
}

/// The wait before attempt `attempt + 1`: doubling, with half of it by chance, which is a hash of the call.
pub(super) fn backoff(key: &CallKey, attempt: u32) -> Duration {
    let doubled = 0.5 * 2_f64.powi(i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX).min(16));
    let seconds = doubled.min(60.0);
    Duration::from_secs_f64(seconds * (0.5 + 0.5 * jitter(key, attempt)))
}

/// Chance in `[0, 1)` for one attempt of one call.
pub(super) fn jitter(key: &CallKey, attempt: u32) -> f64 {
    Parts::new("retry").with(key.0).with_u64(attempt.into()).unit()
}

/// `404 (the endpoint's words)`, without anything that stands in the prompt.
fn short_message(status: u16, error: &WireError, request: &Request) -> String {
    let messages = request.body["messages"].as_array().into_iter().flatten();
    let texts: Vec<&str> = messages.filter_map(|message| message["content"].as_str()).collect();
    let words = clean(&without_quotes_of(&error.message, &texts));
    match (words.is_empty(), error.code.is_empty()) {
        (false, _) => format!("status {status} ({words}){}", setting_for(status, &words)),
        (true, false) => format!("status {status} ({})", clean(&error.code)),
        (true, true) => format!("status {status}"),
    }
}

/// Words of an error that names a rate.
const RATES: [&str; 8] =
    ["per minute", "per min", "per second", "per hour", "per day", "(rpm)", "(tpm)", "tokens per"];

/// Seconds that an error asks to wait: Google's `retryDelay` in its body, or words such as "try again in 1m3.5s" in its
/// message, from which quotes of the prompt are taken out.
fn wait_asked_for(body: &str, message: &str) -> Option<f64> {
    static DELAY: OnceLock<Option<Regex>> = OnceLock::new();
    static WORDS: OnceLock<Option<Regex>> = OnceLock::new();
    const UNITS: [(&str, &str); 12] = [
        ("milliseconds", "ms"),
        ("millisecond", "ms"),
        ("seconds", "s"),
        ("second", "s"),
        ("secs", "s"),
        ("sec", "s"),
        ("minutes", "m"),
        ("minute", "m"),
        ("mins", "m"),
        ("min", "m"),
        ("hours", "h"),
        ("hour", "h"),
    ];
    let units = UNITS.map(|(long, _)| long).join("|");
    let length = format!(r"(?<length>(?:\d+(?:\.\d+)?\s*(?:{units}|ms|s|m|h)?[\s,]*)+)");
    let found = |cell: &'static OnceLock<Option<Regex>>, before: &str, text: &str| {
        let pattern = cell.get_or_init(|| Regex::new(&format!("(?i){before}{length}")).ok()).as_ref()?;
        Some(pattern.captures(text)?["length"].to_lowercase())
    };
    let spelt = found(&DELAY, r#"retry_?delay\\?"?\s*:\s*\\?"?"#, body)
        .or_else(|| found(&WORDS, "(?:try again|retry|wait)(?: again)?(?: after| in| for)?:? ", message))?;
    let spelt: String = spelt.split([' ', ',']).collect();
    let short = UNITS.iter().fold(spelt, |text, (long, short)| text.replace(long, short));
    super::endpoint::spelt_seconds(short.trim())
}

/// How long to leave a server alone that says that it loads its model.
const LOADING: Duration = Duration::from_secs(2);

/// Fields that a call can do without, by what servers call them. Without a seed, draws of one conversation differ by chance;
/// without log-probabilities, votes are counted; without a schema, the answer is read as the text asks for it.
const OPTIONAL_FIELDS: [(&str, &[&str]); 3] = [
    ("seed", &["seed"]),
    ("logprobs", &["logprobs", "top_logprobs", "log probabilities", "logprob"]),
    ("response_format", &["response_format", "json_schema", "json_object", "structured output", "guided"]),
];

/// The system turn, as [`Next::Without`] calls it: it is folded into the first user turn.
pub(super) const SYSTEM_TURN: &str = "system";

/// How servers call a system turn that the chat template of a model refuses.
const SYSTEM_ROLE: [&str; 7] = [
    "system role",
    "role system",
    "role 'system'",
    "role \"system\"",
    "system message",
    "system prompt",
    // Templates that want user and assistant in turn say so where a system turn comes first.
    "roles must alternate",
];

/// The optional field of a request that an endpoint refuses, if that is what its error says.
fn refused_field(status: u16, error: &WireError, request: &Request) -> Option<&'static str> {
    const REFUSES: [&str; 17] = [
        "must alternate",
        "not permitted",
        "not supported",
        "unsupported",
        "extra_forbidden",
        "unknown",
        "unrecognized",
        "unrecognised",
        "unexpected",
        "not allowed",
        "not available",
        "unavailable",
        "does not support",
        "doesn't support",
        "forbidden",
        "cannot be used",
        "invalid",
    ];
    if !matches!(status, 400 | 403 | 404 | 422 | 500 | 501) {
        return None;
    }
    let words = format!("{} {}", error.code, error.message).to_lowercase();
    let is_refusal = REFUSES.iter().any(|refuses| words.contains(refuses));
    let has_system = request.body["messages"][0]["role"] == "system";
    if is_refusal && has_system && SYSTEM_ROLE.iter().any(|name| words.contains(name)) {
        return Some(SYSTEM_TURN);
    }
    let named = OPTIONAL_FIELDS.iter().find(|(field, names)| {
        !request.body[*field].is_null() && names.iter().any(|name| words.contains(name))
    });
    named.map(|(field, _)| *field).filter(|_| is_refusal)
}

/// The recipe's setting that a refusal is about, as the end of a sentence; nothing where no setting is known to help.
fn setting_for(status: u16, words: &str) -> &'static str {
    const SETTINGS: [(&[&str], &str); 8] = [
        (
            &["service_tier", "service tier"],
            "; `service_tier` under `[models]` names a tier that is not there",
        ),
        (&["temperature"], "; `temperature = -1` leaves it to the endpoint, a number above 0 sends that"),
        (&["top_p"], "; leave `top_p` out of the recipe"),
        (
            &["max_tokens", "max_completion_tokens"],
            "; `max_tokens_field` names the field, `max_tokens` its number",
        ),
        (&["seed"], "; `send_seed = false` leaves it out"),
        (&["logprobs"], "; `[label] how = \"votes\"` does without log-probabilities"),
        (
            &["response_format", "json_schema", "json_object", "guided"],
            "; `structured = false` does without a schema",
        ),
        (
            &["system role", "system message", "system prompt", "roles must alternate"],
            "; the model's chat template refuses the conversation; `system = \"fold\"` does without a system turn",
        ),
    ];
    if !matches!(status, 400 | 403 | 404 | 422 | 500 | 501) {
        return "";
    }
    let words = words.to_lowercase();
    let about = |names: &[&str]| names.iter().any(|name| words.contains(name));
    SETTINGS.iter().find(|(names, _)| about(names)).map_or("", |(_, setting)| setting)
}

/// Replaces every stretch of 12 characters or more that also stands in one of the texts.
fn without_quotes_of(message: &str, texts: &[&str]) -> String {
    const STRETCH: usize = 12;
    let message: Vec<char> = message.chars().take(600).collect();
    let mut quoted = vec![false; message.len()];
    for (start, stretch) in message.windows(STRETCH).enumerate() {
        let stretch: String = stretch.iter().collect();
        if texts.iter().any(|text| text.contains(&stretch)) {
            quoted.iter_mut().skip(start).take(STRETCH).for_each(|q| *q = true);
        }
    }
    let mut out = String::new();
    for (c, quoted) in message.iter().zip(quoted) {
        match quoted {
            false => out.push(*c),
            true if out.ends_with('…') => {}
            true => out.push('…'),
        }
    }
    out
}

/// One line of at most 240 characters, without control characters.
fn clean(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = line.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(240) {
        None => line,
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;
