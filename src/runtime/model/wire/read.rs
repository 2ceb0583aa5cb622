//! A response body to an [`Answer`].

use super::model_marks::{self, Split};
use super::stream::Assembly;
use crate::pure::answer::{Answer, Malformed, Outcome, TokenLogprob, TopLogprob, Usage};
use crate::pure::text::loose_json;
use serde_json::Value;

/// Reads the body of a chat completion. Total: any text gives an answer with a typed outcome.
pub fn read(body: &str) -> Answer {
    let body = match completion(body) {
        Ok(body) => body,
        Err(malformed) => return Answer::without_text(Outcome::Malformed(malformed)),
    };
    let usage = usage(&body["usage"]);
    let model = string(&body["model"]);
    let choice = &body["choices"][0];
    if !choice.is_object() {
        let outcome = Outcome::Malformed(Malformed::NoChoice);
        return Answer { usage, model, ..Answer::without_text(outcome) };
    }
    let parts = Parts::of(&choice["message"]);
    let split = model_marks::split(&parts.text);
    let finish_reason = string(&choice["finish_reason"]);
    let finish = match &finish_reason {
        Some(reason) => Finish::of(reason),
        // A server that counts the tokens of an answer has finished it; one that says nothing at all may have been cut.
        None if usage.completion > 0 => Finish::Stop,
        None => Finish::Missing,
    };
    let outcome = outcome(finish, &parts, &split);
    let text = if parts.text.is_empty() { parts.refusal } else { split.text.to_owned() };
    let reasoning: Vec<String> =
        parts.reasoning.into_iter().chain(split.reasoning.into_iter().map(str::to_owned)).collect();
    Answer {
        outcome,
        text,
        reasoning: Some(reasoning.join("\n\n")).filter(|text| !text.trim().is_empty()),
        logprobs: logprobs(&choice["logprobs"]["content"]),
        usage,
        finish_reason,
        model,
        attempts: 1,
        from_journal: false,
    }
}

fn outcome(finish: Finish, parts: &Parts, split: &Split<'_>) -> Outcome {
    match finish {
        Finish::Filter => Outcome::Filtered,
        Finish::Refusal => Outcome::Refused,
        Finish::Stop | Finish::Length | Finish::Unknown | Finish::Missing if !parts.refusal.is_empty() => {
            Outcome::Refused
        }
        Finish::Length => Outcome::Truncated,
        Finish::Unknown => Outcome::Malformed(Malformed::Aborted),
        Finish::Missing => Outcome::Malformed(Malformed::NoFinish),
        Finish::Stop if split.has_unknown_mark => Outcome::Malformed(Malformed::UnknownMark),
        Finish::Stop if split.is_open => Outcome::Malformed(Malformed::OpenReasoning),
        Finish::Stop if split.text.trim().is_empty() => Outcome::Empty,
        Finish::Stop => Outcome::Complete,
    }
}

/// What a `finish_reason` says.
#[derive(Clone, Copy)]
enum Finish {
    /// The model ended its answer.
    Stop,
    /// The ceiling was met.
    Length,
    /// A filter stepped in.
    Filter,
    /// The model declined.
    Refusal,
    /// Nothing says how the answer ended.
    Missing,
    /// `abort`, `error`, or a word we do not know. Unknown is not safe, so the answer does not count as whole.
    Unknown,
}

impl Finish {
    /// Servers spell one word in many ways, so case, hyphens and blanks do not count.
    fn of(reason: &str) -> Self {
        let word = reason.trim().to_ascii_lowercase().replace(['-', ' '], "_");
        let word = word.rsplit(['.', ':']).next().unwrap_or_default().trim_start_matches("finish_reason_");
        match word {
            "stop" | "stopped" | "eos" | "eos_token" | "eos_found" | "end_turn" | "end_of_turn"
            | "end_of_text" | "stop_sequence" | "stop_token" | "stop_word" | "complete" | "completed"
            | "finish" | "finished" | "done" | "normal" | "tool_call" | "tool_calls" | "tool_use"
            | "function_call" => Self::Stop,
            "length"
            | "max_tokens"
            | "max_token"
            | "max_output_tokens"
            | "max_completion_tokens"
            | "max_new_tokens"
            | "max_length"
            | "model_length"
            | "token_limit"
            | "limit"
            | "truncated"
            | "incomplete"
            | "context_length"
            | "context_limit"
            | "context_window"
            | "context_window_exceeded"
            | "context_length_exceeded"
            | "model_context_window_exceeded"
            | "max_context_length" => Self::Length,
            "refusal" | "refused" => Self::Refusal,
            word if is_filter(word) => Self::Filter,
            _ => Self::Unknown,
        }
    }
}

/// Whether a finish word says that a filter, a guardrail or a safety system stepped in.
fn is_filter(word: &str) -> bool {
    const PARTS: [&str; 13] = [
        "filter",
        "safety",
        "guardrail",
        "moderation",
        "recitation",
        "blocklist",
        "prohibited",
        "spii",
        "sensitive",
        "toxic",
        "policy",
        "blocked",
        "flagged",
    ];
    PARTS.iter().any(|part| word.contains(part))
}

/// The completion that a body holds, whatever form it came in: an object, a list of one, or a stream that nobody asked for.
fn completion(body: &str) -> Result<Value, Malformed> {
    let value = match loose_json::parse(body) {
        Ok(read) => read.value,
        Err(_) => streamed(body)?,
    };
    match value {
        Value::Object(_) => Ok(value),
        Value::Array(mut list) if list.len() == 1 && list.iter().all(Value::is_object) => Ok(list.remove(0)),
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(Malformed::Body)
        }
    }
}

/// The completion of an event stream that came as a whole body.
fn streamed(body: &str) -> Result<Value, Malformed> {
    let data: Vec<&str> = body
        .lines()
        .filter_map(|line| line.trim_start_matches('\u{feff}').strip_prefix("data:"))
        .map(str::trim)
        .collect();
    if data.is_empty() {
        return Err(Malformed::Body);
    }
    let mut assembly = Assembly::default();
    for chunk in data.iter().filter(|chunk| !chunk.is_empty() && **chunk != "[DONE]") {
        assembly.push(&loose_json::parse(chunk).map_err(|_| Malformed::CutStream)?.value);
    }
    if !assembly.is_finished() {
        return Err(Malformed::CutStream);
    }
    serde_json::from_str(&assembly.into_body()).map_err(|_| Malformed::Body)
}

/// A message taken apart.
#[derive(Default)]
struct Parts {
    text: String,
    reasoning: Vec<String>,
    refusal: String,
}

impl Parts {
    fn of(message: &Value) -> Self {
        let mut parts = Self { refusal: string(&message["refusal"]).unwrap_or_default(), ..Self::default() };
        // Two names for one thing; a server that sends both sends the same text twice.
        parts
            .reasoning
            .extend(string(&message["reasoning_content"]).or_else(|| string(&message["reasoning"])));
        match &message["content"] {
            Value::String(text) => parts.text.clone_from(text),
            Value::Array(list) => list.iter().for_each(|part| parts.add(part)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
        }
        parts
    }

    fn add(&mut self, part: &Value) {
        let kind = part["type"].as_str().unwrap_or("text");
        match kind {
            "thinking" | "reasoning" => {
                let inner = &part[kind];
                let texts = inner.as_array().into_iter().flatten().filter_map(|part| string(&part["text"]));
                self.reasoning.extend(string(inner).into_iter().chain(texts));
            }
            "refusal" => self.refusal.push_str(part["refusal"].as_str().unwrap_or("")),
            _ => self.text.push_str(part["text"].as_str().or_else(|| part.as_str()).unwrap_or("")),
        }
    }
}

/// A string that says something.
fn string(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn usage(usage: &Value) -> Usage {
    let count = |value: &Value| value.as_u64().or_else(|| value.as_f64().map(whole));
    let first = |values: [&Value; 3]| values.into_iter().find_map(count).unwrap_or(0);
    let none = &Value::Null;
    let prompt = first([&usage["prompt_tokens"], &usage["input_tokens"], none]);
    let cached = first([
        &usage["prompt_tokens_details"]["cached_tokens"],
        &usage["prompt_cache_hit_tokens"],
        &usage["cached_tokens"],
    ]);
    let completion = first([&usage["completion_tokens"], &usage["output_tokens"], none]);
    Usage { prompt, cached: cached.min(prompt), completion }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is what we want"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

fn logprobs(content: &Value) -> Option<Vec<TokenLogprob>> {
    let one = |entry: &Value| Some((entry["token"].as_str()?.to_owned(), entry["logprob"].as_f64()?));
    let tokens: Vec<_> = content
        .as_array()?
        .iter()
        .filter_map(|entry| {
            let (token, logprob) = one(entry)?;
            let top = entry["top_logprobs"].as_array().into_iter().flatten().filter_map(one);
            let top = top.map(|(token, logprob)| TopLogprob { token, logprob }).collect();
            Some(TokenLogprob { token, logprob, top })
        })
        .collect();
    (!tokens.is_empty()).then_some(tokens)
}

/// An error that an endpoint describes in a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WireError {
    /// A status that stands in the body (proxies answer 200 and put the real one there).
    pub status: Option<u16>,
    /// The error's code and type, as they came, in lower case and joined by a space.
    pub code: String,
    /// What it says. May quote the prompt.
    pub message: String,
}

/// The error that a body describes, if it describes one.
pub fn error_in(body: &str) -> Option<WireError> {
    let body = loose_json::parse(body).map(|read| read.value).or_else(|_| streamed(body)).ok()?;
    let body = match &body {
        Value::Array(list) => list.first()?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => &body,
    };
    let in_choice = &body["choices"][0]["error"];
    let error = [&body["error"], in_choice].into_iter().find(|e| e.is_object() || e.is_string());
    // vLLM's older form is the error itself at the top; FastAPI's is `detail`.
    let error = match error {
        Some(error) => error,
        None if body["choices"].is_array() => return None,
        None if !body["message"].is_null() => body,
        None if !body["detail"].is_null() => {
            return Some(WireError { message: text_of(&body["detail"]), ..WireError::default() });
        }
        None => return None,
    };
    if error.is_string() {
        return Some(WireError { message: text_of(error), ..WireError::default() });
    }
    let inner = &error["innererror"]["code"];
    let code = [&error["code"], &error["type"], inner].map(text_of).join(" ");
    Some(WireError {
        status: error["code"]
            .as_u64()
            .or_else(|| error["status"].as_u64())
            .and_then(|n| u16::try_from(n).ok()),
        code: code.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase(),
        message: text_of(&error["message"]),
    })
}

/// One entry of a validation error: where it is, and what is wrong there.
fn validation_message(entry: &Value) -> String {
    let place: Vec<&str> = entry["loc"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let message = text_of(&entry["msg"]);
    if place.is_empty() { message } else { format!("{}: {message}", place.join(".")) }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(validation_message).collect::<Vec<_>>().join("; "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
