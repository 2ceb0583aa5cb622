//! Puts a stream of chunks together into the body that the same request without `stream` would have got.

use crate::runtime::model::Delta;
use serde_json::{Map, Value, json};

/// A response under construction.
#[derive(Debug, Default)]
pub struct Assembly {
    /// `id`, `created`, `model` and the like, as the first chunk that has them says.
    head: Map<String, Value>,
    content: Option<String>,
    reasoning: Option<String>,
    refusal: Option<String>,
    logprobs: Vec<Value>,
    finish_reason: Option<Value>,
    usage: Option<Value>,
    error: Option<Value>,
}

impl Assembly {
    /// Adds one chunk, and gives what a viewer may show of it.
    pub fn push(&mut self, chunk: &Value) -> Vec<Delta> {
        if !chunk["error"].is_null() {
            self.error = Some(chunk["error"].clone());
        }
        for name in ["id", "created", "model", "system_fingerprint"] {
            if let Some(value) = chunk.get(name).filter(|v| !v.is_null()) {
                self.head.entry(name).or_insert_with(|| value.clone());
            }
        }
        if chunk["usage"].is_object() {
            self.usage = Some(chunk["usage"].clone());
        }
        let choices = chunk["choices"].as_array().into_iter().flatten();
        choices
            .filter(|choice| choice["index"].as_u64().unwrap_or(0) == 0)
            .flat_map(|c| self.choice(c))
            .collect()
    }

    fn choice(&mut self, choice: &Value) -> Vec<Delta> {
        // Some servers put an empty `finish_reason` into every chunk: that says nothing.
        if choice["finish_reason"].as_str().is_some_and(|reason| !reason.trim().is_empty()) {
            self.finish_reason = Some(choice["finish_reason"].clone());
        }
        self.logprobs.extend(choice["logprobs"]["content"].as_array().into_iter().flatten().cloned());
        let delta = &choice["delta"];
        let mut shown = Vec::new();
        // A gateway that gives whole messages in its chunks gives `message` for `delta`.
        let delta = if delta.is_object() { delta } else { &choice["message"] };
        let (listed_text, listed_reasoning) = listed(&delta["content"]);
        let reasoning = delta["reasoning_content"].as_str().or_else(|| delta["reasoning"].as_str());
        if let Some(text) = append(&mut self.reasoning, reasoning.or(listed_reasoning.as_deref())) {
            shown.push(Delta::Reasoning(text));
        }
        if let Some(text) = append(&mut self.content, delta["content"].as_str().or(listed_text.as_deref())) {
            shown.push(Delta::Text(text));
        }
        if let Some(text) = append(&mut self.refusal, delta["refusal"].as_str()) {
            shown.push(Delta::Text(text));
        }
        shown
    }

    /// Whether the endpoint said how the answer ended. A stream that ends before is a lost connection.
    pub fn is_finished(&self) -> bool {
        self.finish_reason.is_some() || self.error.is_some()
    }

    /// The whole body.
    pub fn into_body(self) -> String {
        if let Some(error) = self.error {
            return json!({ "error": error }).to_string();
        }
        let mut message = Map::new();
        message.insert("role".into(), json!("assistant"));
        message.insert("content".into(), json!(self.content));
        for (name, text) in [("reasoning_content", self.reasoning), ("refusal", self.refusal)] {
            if let Some(text) = text {
                message.insert(name.into(), json!(text));
            }
        }
        let mut choice = json!({ "index": 0, "message": message, "finish_reason": self.finish_reason });
        if !self.logprobs.is_empty() {
            choice["logprobs"] = json!({ "content": self.logprobs });
        }
        let mut body = self.head;
        body.insert("object".into(), json!("chat.completion"));
        body.insert("choices".into(), json!([choice]));
        // Counts of a stream that did not say how it ended are those of a part.
        if let Some(usage) = self.usage.filter(|_| self.finish_reason.is_some()) {
            body.insert("usage".into(), usage);
        }
        Value::Object(body).to_string()
    }
}

/// The text and the reasoning of a content that is a list of parts.
fn listed(content: &Value) -> (Option<String>, Option<String>) {
    let Some(parts) = content.as_array() else { return (None, None) };
    let (mut text, mut reasoning) = (String::new(), String::new());
    for part in parts {
        let kind = part["type"].as_str().unwrap_or("text");
        let is_reasoning = matches!(kind, "thinking" | "reasoning");
        let inner = if is_reasoning { &part[kind] } else { &part["text"] };
        let said = match inner.as_array() {
            Some(list) => list.iter().filter_map(|piece| piece["text"].as_str()).collect(),
            None => inner.as_str().or_else(|| part.as_str()).unwrap_or_default().to_owned(),
        };
        if is_reasoning { reasoning.push_str(&said) } else { text.push_str(&said) }
    }
    (Some(text).filter(|text| !text.is_empty()), Some(reasoning).filter(|text| !text.is_empty()))
}

/// Appends a piece, and gives it back if it is worth showing.
fn append(to: &mut Option<String>, piece: Option<&str>) -> Option<String> {
    let piece = piece?;
    to.get_or_insert_default().push_str(piece);
    (!piece.is_empty()).then(|| piece.to_owned())
}
