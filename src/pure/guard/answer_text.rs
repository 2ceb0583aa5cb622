//! What an answer says so far, of all its choices.
//!
//! A judge must see every text that a client will see. So everything counts that is not known to carry no text: content,
//! refusals, reasoning, tool calls, fields of a later year. What cannot be read is an error, never passed on.

use super::schedule::tokens_of;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Fields of a body or a chunk that carry no text of an answer.
const ENVELOPE: [&str; 16] = [
    "id",
    "object",
    "created",
    "model",
    "usage",
    "system_fingerprint",
    "service_tier",
    "provider",
    "timings",
    "prompt_filter_results",
    "obfuscation",
    "x_groq",
    "stats",
    "prompt_logprobs",
    "prompt_token_ids",
    "kv_transfer_params",
];

/// Fields of a choice that carry none.
const CHOICE: [&str; 7] = [
    "index",
    "finish_reason",
    "native_finish_reason",
    "stop_reason",
    "matched_stop",
    "content_filter_results",
    "token_ids",
];

/// Hears a text of an answer: the number of its choice, its field, the text.
pub type Heard<'a> = dyn FnMut(u64, &str, &str) + 'a;

/// What an answer says so far, of all its choices.
#[derive(Debug, Default, Clone)]
pub struct AnswerText {
    choices: BTreeMap<u64, Choice>,
    chars: usize,
    finish_reasons: usize,
}

#[derive(Debug, Default, Clone)]
struct Choice {
    content: String,
    /// Other texts, by the field that they stand in.
    others: BTreeMap<String, String>,
}

impl AnswerText {
    /// Takes a chunk of a stream, or a whole body; both are read alike.
    pub fn take(&mut self, data: &[u8]) -> Result<(), String> {
        self.take_heard(data, &mut |_, _, _| {})
    }

    /// The same, and every text of it is heard with its choice and field. Tokens of log-probabilities are heard too: they say a
    /// second time what the answer says.
    pub fn take_heard(&mut self, data: &[u8], heard: &mut Heard<'_>) -> Result<(), String> {
        let body: Value =
            serde_json::from_slice(data).map_err(|_| "a piece of the answer is not JSON".to_owned())?;
        let Value::Object(body) = body else { return Err("a piece of the answer is no object".into()) };
        if body.get("error").is_some_and(|error| !error.is_null()) {
            return Err("the upstream broke off with an error".into());
        }
        for (name, value) in &body {
            match name.as_str() {
                "choices" => {
                    for (at, choice) in value.as_array().into_iter().flatten().enumerate() {
                        self.choice(at as u64, choice, heard);
                    }
                }
                name if ENVELOPE.contains(&name) => {}
                name => self.other(0, name, value, heard),
            }
        }
        Ok(())
    }

    fn choice(&mut self, at: u64, choice: &Value, heard: &mut Heard<'_>) {
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or(at);
        self.choices.entry(index).or_default();
        for (name, value) in choice.as_object().into_iter().flatten() {
            match name.as_str() {
                "delta" | "message" => {
                    for (field, value) in value.as_object().into_iter().flatten() {
                        match (field.as_str(), value) {
                            ("content", Value::String(text)) => {
                                heard(index, field, text);
                                self.chars += text.chars().count();
                                self.choices.entry(index).or_default().content.push_str(text);
                            }
                            (field, _) if MESSAGE.contains(&field) => {}
                            ("tool_calls", Value::Array(calls)) => {
                                for (at, call) in calls.iter().enumerate() {
                                    let at = call.get("index").and_then(Value::as_u64).unwrap_or(at as u64);
                                    self.other(index, &format!("tool call {at}"), call, heard);
                                }
                            }
                            (field, value) => self.other(index, field, value, heard),
                        }
                    }
                }
                "finish_reason" => self.finish_reasons += usize::from(value.is_string()),
                "logprobs" => tokens(value, &mut |token| heard(index, "logprobs", token)),
                name if CHOICE.contains(&name) => {}
                name => self.other(index, name, value, heard),
            }
        }
    }

    fn other(&mut self, index: u64, field: &str, value: &Value, heard: &mut Heard<'_>) {
        let Self { choices, chars, .. } = self;
        collect(value, &mut |text| {
            if !text.is_empty() {
                heard(index, field, text);
                *chars += text.chars().count();
                let choice = choices.entry(index).or_default();
                choice.others.entry(field.to_owned()).or_default().push_str(text);
            }
        });
    }

    /// How many characters it has: a place in it, which two pieces with text never share.
    pub fn chars(&self) -> usize {
        self.chars
    }

    /// How many tokens it is counted as.
    pub fn tokens(&self) -> usize {
        tokens_of(self.chars)
    }

    /// Whether a choice has said that it is whole.
    pub fn has_finished(&self) -> bool {
        self.finish_reasons > 0
    }

    /// The places of the choices, for an end to each.
    pub fn indices(&self) -> Vec<u64> {
        if self.choices.is_empty() { vec![0] } else { self.choices.keys().copied().collect() }
    }

    /// The one text that a revision can stand in for: the content of the only choice, and nothing beside it.
    pub fn only_content(&self) -> Option<&str> {
        let mut choices = self.choices.values();
        match (choices.next(), choices.next()) {
            (Some(only), None) if only.others.is_empty() => Some(&only.content),
            (_, _) => None,
        }
    }

    /// All that it says, for the judge.
    pub fn shown(&self) -> String {
        if let Some(content) = self.only_content() {
            return content.to_owned();
        }
        let mut shown = String::new();
        for (index, choice) in &self.choices {
            if self.choices.len() > 1 {
                let _ = writeln!(shown, "Answer {}:", index + 1);
            }
            for (field, text) in &choice.others {
                let _ = writeln!(shown, "[{field}] {text}");
            }
            let _ = writeln!(shown, "{}", choice.content);
        }
        shown
    }
}

/// Fields of a message or a delta, or below them, that carry none.
const MESSAGE: [&str; 4] = ["role", "id", "type", "index"];

/// The tokens of a choice's log-probabilities; alternatives to them are no text of the answer.
fn tokens(logprobs: &Value, found: &mut impl FnMut(&str)) {
    for list in ["content", "refusal"] {
        for token in logprobs.get(list).and_then(Value::as_array).into_iter().flatten() {
            if let Some(token) = token.get("token").and_then(Value::as_str) {
                found(token);
            }
        }
    }
}

/// Every text inside a value, but those of fields that carry none.
pub(super) fn collect(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => found(text),
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                if !MESSAGE.contains(&name.as_str()) {
                    collect(value, found);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_text_of_an_answer_counts() {
        let mut answer = AnswerText::default();
        let mut take = |chunk: Value| answer.take(chunk.to_string().as_bytes());
        take(json!({ "id": "x", "choices": [{ "index": 0, "delta": { "role": "assistant", "content": "" } }] })).unwrap();
        take(json!({ "choices": [{ "index": 0, "delta": { "content": "Hel" } }] })).unwrap();
        take(json!({ "choices": [{ "index": 0, "delta": { "content": "lo" }, "logprobs": { "content": [] } }] })).unwrap();
        take(json!({ "choices": [], "usage": { "completion_tokens": 2 } })).unwrap();
        assert_eq!((answer.shown().as_str(), answer.tokens()), ("Hello", 2));
        assert_eq!(answer.only_content(), Some("Hello"));
        let mut take = |chunk: Value| answer.take(chunk.to_string().as_bytes());
        take(json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [
            { "index": 0, "id": "c", "function": { "name": "f", "arguments": "{\"bad\"" } }] } }] }))
        .unwrap();
        take(json!({ "choices": [{ "index": 1, "delta": { "later_field": { "deep": ["word"] } } }] }))
            .unwrap();
        take(json!({ "choices": [{ "index": 1, "text": "legacy", "finish_reason": "stop" }], "note": "aside" })).unwrap();
        let shown = answer.shown();
        for part in
            ["Hello", "[tool call 0] f{\"bad\"", "[later_field] word", "[text] legacy", "[note] aside"]
        {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert_eq!(
            (answer.only_content(), answer.indices(), answer.has_finished()),
            (None, vec![0, 1], true)
        );
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for data in ["", "{", "[]", "\"text\"", "{\"error\":{\"message\":\"canary\"}}", "<html>canary</html>"]
        {
            let told = AnswerText::default().take(data.as_bytes()).unwrap_err();
            assert!(!told.contains("canary"), "{told}");
        }
    }
}
