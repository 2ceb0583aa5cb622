//! The OpenAI chat completion on the wire: a request read, a completion written whole or as a stream.

use super::conversation::Turn;
use super::draw::Draw;
use serde::Deserialize;
use serde_json::{Value, json};

/// The fields of a request body that the sim honours; others are accepted and ignored, as real servers do.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    pub(super) model: String,
    messages: Vec<RawTurn>,
    #[serde(default)]
    pub(super) seed: Option<u64>,
    #[serde(default)]
    pub(super) temperature: Option<f64>,
    #[serde(default)]
    n: Option<u32>,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    max_completion_tokens: Option<u32>,
    #[serde(default)]
    logprobs: Option<bool>,
    #[serde(default)]
    top_logprobs: Option<u8>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    response_format: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct RawTurn {
    role: String,
    #[serde(default)]
    content: Value,
}

impl Wanted {
    pub(super) fn read(body: &Value) -> Result<Self, String> {
        let wanted: Self = serde::Deserialize::deserialize(body).map_err(|error| error.to_string())?;
        if wanted.messages.is_empty() {
            return Err("`messages` is empty".into());
        }
        if wanted.n.is_some_and(|n| !(1..=128).contains(&n)) {
            return Err("`n` must be between 1 and 128".into());
        }
        if wanted.top_logprobs.is_some_and(|n| n > 20) {
            return Err("`top_logprobs` must be at most 20".into());
        }
        if wanted.top_logprobs.is_some() && wanted.logprobs != Some(true) {
            return Err("`top_logprobs` needs `logprobs` to be true".into());
        }
        if wanted.temperature.is_some_and(|t| !(0.0..=2.0).contains(&t)) {
            return Err("`temperature` must be between 0 and 2".into());
        }
        if wanted.max_completion_tokens.or(wanted.max_tokens) == Some(0) {
            return Err("`max_tokens` must be at least 1".into());
        }
        Ok(wanted)
    }

    pub(super) fn turns(&self) -> Vec<Turn> {
        let turn = |raw: &RawTurn| Turn { role: raw.role.clone(), content: text_of(&raw.content) };
        self.messages.iter().map(turn).collect()
    }

    pub(super) fn choices(&self) -> u32 {
        self.n.unwrap_or(1)
    }

    pub(super) fn max_tokens(&self) -> usize {
        self.max_completion_tokens.or(self.max_tokens).map_or(usize::MAX, |n| n as usize)
    }

    /// Alternatives per token, when log-probabilities are wanted.
    pub(super) fn top_logprobs(&self) -> Option<u8> {
        self.logprobs.unwrap_or(false).then(|| self.top_logprobs.unwrap_or(0))
    }

    pub(super) fn stream(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    pub(super) fn stream_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage.unwrap_or(false))
    }

    /// The JSON schema that the answer must follow; an empty one where any object will do.
    pub(super) fn schema(&self) -> Option<&Value> {
        let format = self.response_format.as_ref()?;
        match format.get("type").and_then(Value::as_str)? {
            "json_schema" => format.get("json_schema").and_then(|s| s.get("schema")),
            "json_object" => Some(&Value::Null),
            _ => None,
        }
    }
}

/// Content is a text, or a list of parts of which some are text.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str));
            texts.collect::<Vec<_>>().join("\n")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

/// One token of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) text: String,
    /// Probabilities of this place, likeliest first, where they are planted; chosen from chance otherwise.
    pub(super) odds: Vec<(String, f64)>,
}

/// Cuts a text into tokens of at most six characters, white space leading.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    let mut open = false;
    let mut length = 0;
    for c in text.chars() {
        let starts_word = c.is_whitespace() && length > 0;
        if !open || length >= 6 || starts_word {
            found.push(Token { text: String::new(), odds: Vec::new() });
            length = 0;
        }
        if let Some(last) = found.last_mut() {
            last.text.push(c);
        }
        open = true;
        length += 1;
    }
    found
}

/// One choice of a completion.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice {
    /// Answer text; `None` where the endpoint gives `null`.
    pub(super) tokens: Option<Vec<Token>>,
    pub(super) reasoning: Option<String>,
    pub(super) refusal: Option<String>,
    pub(super) finish_reason: &'static str,
}

impl Choice {
    pub(super) fn text(&self) -> Option<String> {
        self.tokens.as_ref().map(|tokens| tokens.iter().map(|token| token.text.as_str()).collect())
    }

    fn count(&self) -> u64 {
        let words = |text: &Option<String>| text.as_deref().map_or(0, |text| tokens(text).len());
        let answer = self.tokens.as_ref().map_or(0, Vec::len);
        (answer + words(&self.reasoning) + words(&self.refusal)) as u64
    }
}

/// A completion, ready to be written in either form.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Completion {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) choices: Vec<Choice>,
    /// Alternatives per token; `None` when no log-probabilities are given.
    pub(super) top_logprobs: Option<u8>,
    pub(super) prompt_tokens: u64,
    pub(super) stream_usage: bool,
}

impl Completion {
    pub(super) fn completion_tokens(&self) -> u64 {
        self.choices.iter().map(Choice::count).sum()
    }

    fn usage(&self, cached: u64) -> Value {
        let completion = self.completion_tokens();
        let reasoning: usize =
            self.choices.iter().filter_map(|c| c.reasoning.as_deref()).map(|text| tokens(text).len()).sum();
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "prompt_tokens_details": { "cached_tokens": cached },
            "completion_tokens_details": { "reasoning_tokens": reasoning },
        })
    }

    fn envelope(&self, object: &str, choices: &[Value]) -> Value {
        json!({
            "id": self.id,
            "object": object,
            "created": 0,
            "model": self.model,
            "choices": choices,
        })
    }

    /// The body of an answer that is not streamed.
    pub(super) fn body(&self, cached: u64) -> String {
        let choice = |(index, choice): (usize, &Choice)| {
            let mut message = json!({ "role": "assistant", "content": choice.text() });
            put(&mut message, "refusal", choice.refusal.as_deref());
            put(&mut message, "reasoning_content", choice.reasoning.as_deref());
            json!({
                "index": index,
                "message": message,
                "logprobs": self.logprobs(choice.tokens.as_deref().unwrap_or_default()),
                "finish_reason": choice.finish_reason,
            })
        };
        let choices: Vec<Value> = self.choices.iter().enumerate().map(choice).collect();
        let mut body = self.envelope("chat.completion", &choices);
        if let Some(fields) = body.as_object_mut() {
            fields.insert("usage".into(), self.usage(cached));
        }
        body.to_string()
    }

    /// The chunks of a streamed answer, each with the number of tokens in it. The choices come one after another.
    pub(super) fn chunks(&self, cached: u64) -> Vec<(Value, usize)> {
        let mut chunks = Vec::new();
        let mut push = |index: usize, delta: Value, logprobs: Value, finish: Option<&str>, count: usize| {
            let choice =
                json!({ "index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish });
            chunks.push((self.envelope("chat.completion.chunk", &[choice]), count));
        };
        for (index, choice) in self.choices.iter().enumerate() {
            push(index, json!({ "role": "assistant", "content": "" }), Value::Null, None, 0);
            if let Some(reasoning) = &choice.reasoning {
                for piece in tokens(reasoning).chunks(4) {
                    push(index, json!({ "reasoning_content": join(piece) }), Value::Null, None, piece.len());
                }
            }
            for piece in choice.tokens.as_deref().unwrap_or_default().chunks(4) {
                push(index, json!({ "content": join(piece) }), self.logprobs(piece), None, piece.len());
            }
            if let Some(refusal) = &choice.refusal {
                push(index, json!({ "refusal": refusal }), Value::Null, None, 1);
            }
            push(index, json!({}), Value::Null, Some(choice.finish_reason), 0);
        }
        if self.stream_usage {
            let mut last = self.envelope("chat.completion.chunk", &[]);
            if let Some(fields) = last.as_object_mut() {
                fields.insert("usage".into(), self.usage(cached));
            }
            chunks.push((last, 0));
        }
        chunks
    }

    fn logprobs(&self, tokens: &[Token]) -> Value {
        let Some(top) = self.top_logprobs else { return Value::Null };
        let content: Vec<Value> = tokens.iter().map(|token| logprob(token, top)).collect();
        json!({ "content": content, "refusal": null })
    }
}

fn logprob(token: &Token, top: u8) -> Value {
    let draw = Draw::new("logprob").with(&token.text);
    let planted = token.odds.iter().find(|(text, _)| *text == token.text).map(|(_, p)| *p);
    let p = planted.unwrap_or_else(|| 0.5 + 0.499 * draw.unit("p"));
    let ln = |p: f64| p.max(1e-12).ln();
    let alternatives: Vec<(String, f64)> = if token.odds.is_empty() {
        let other = ["the", "a", "and", "it", "so"];
        let others = other.iter().enumerate().map(|(n, word)| {
            let share = (1.0 - p) * 0.5_f64.powi(i32::try_from(n).unwrap_or(0) + 1);
            (format!(" {word}"), share)
        });
        std::iter::once((token.text.clone(), p)).chain(others).collect()
    } else {
        token.odds.clone()
    };
    let entry = |text: &str, p: f64| json!({ "token": text, "logprob": ln(p), "bytes": text.as_bytes() });
    let top: Vec<Value> =
        alternatives.iter().take(usize::from(top)).map(|(text, p)| entry(text, *p)).collect();
    let mut whole = entry(&token.text, p);
    if let Some(fields) = whole.as_object_mut() {
        fields.insert("top_logprobs".into(), Value::Array(top));
    }
    whole
}

fn put(message: &mut Value, field: &str, value: Option<&str>) {
    if let (Some(fields), Some(value)) = (message.as_object_mut(), value) {
        fields.insert(field.into(), value.into());
    }
}

fn join(tokens: &[Token]) -> String {
    tokens.iter().map(|token| token.text.as_str()).collect()
}

/// The name that an answer gives for the model that was asked: nobody takes the simulated one for it.
pub(super) fn answering_model(asked: &str) -> String {
    if asked.starts_with("sim") { asked.to_owned() } else { format!("sim/{asked}") }
}

/// An error body as OpenAI writes them.
pub(super) fn error(message: &str, kind: &str, code: Option<&str>) -> String {
    json!({ "error": { "message": message, "type": kind, "param": null, "code": code } }).to_string()
}
