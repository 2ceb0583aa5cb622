//! The wire format: a [`Call`] to a request body, and a response body to an `Answer`.
//!
//! Pure. The journal keeps raw bodies, so `read` must be able to read any body that any server ever sent; where a
//! field has another type than expected it counts as absent. What a status means is decided in `retry`.

mod model_marks;
mod read;
mod stream;

pub use model_marks::ReasoningSplitter;
pub use read::{WireError, error_in, read};
pub use stream::Assembly;

use crate::pure::call::Call;
use crate::pure::recipe::{MaxTokensField, ResolvedModel, SystemTurn};
use serde_json::{Map, Value, json};

/// Fields of a request that `extra` cannot change: they would change what the answer means to us.
const RESERVED: [&str; 5] = ["model", "messages", "n", "stream", "stream_options"];

/// The request body: the same bytes for the same call, at every attempt.
pub fn body(call: &Call, model: &ResolvedModel) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("model", json!(call.model));
    put(
        "messages",
        call.messages.iter().map(|m| json!({ "role": m.role.as_str(), "content": m.content })).collect(),
    );
    if model.system == SystemTurn::Fold {
        fold_system(&mut body);
    }
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    let sampling = &call.sampling;
    if let Some(temperature) = sampling.temperature {
        put("temperature", json!(temperature));
    }
    if let Some(top_p) = sampling.top_p {
        put("top_p", json!(top_p));
    }
    let max_tokens = match model.max_tokens_field {
        MaxTokensField::MaxTokens => "max_tokens",
        MaxTokensField::MaxCompletionTokens => "max_completion_tokens",
    };
    put(max_tokens, json!(sampling.max_tokens));
    if model.send_seed {
        // 31 bits, because servers differ in what they take: 64 signed, 32 unsigned, 32 signed.
        put("seed", json!(call.seed & 0x7fff_ffff));
    }
    if let Some(top) = sampling.top_logprobs {
        put("logprobs", json!(true));
        put("top_logprobs", json!(top));
    }
    if let Some(format) = &call.format {
        let schema = json!({ "name": format.name, "schema": format.schema, "strict": true });
        put("response_format", json!({ "type": "json_schema", "json_schema": schema }));
    }
    for (name, value) in &sampling.extra {
        if !RESERVED.contains(&name.as_str()) {
            put(name, value.clone());
        }
    }
    if let Some(tier) = &model.service_tier {
        put("service_tier", json!(tier));
    }
    Value::Object(body)
}

/// Puts the system turn of a request before its first user turn, for chat templates that know no system role.
pub fn fold_system(body: &mut Map<String, Value>) {
    let Some(messages) = body.get_mut("messages").and_then(Value::as_array_mut) else { return };
    let is = |message: &Value, role: &str| message["role"] == role;
    if messages.len() < 2 || !is(&messages[0], "system") {
        return;
    }
    let Some(at) = messages.iter().position(|message| is(message, "user")) else { return };
    let content = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
    let folded = format!("{}\n\n{}", content(&messages[0]), content(&messages[at]));
    messages[at]["content"] = folded.into();
    messages.remove(0);
}

#[cfg(test)]
mod tests;
