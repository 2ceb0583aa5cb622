//! A request for a chat completion as a guard reads it: all its turns, and what in it is no text.

use super::answer_text::collect;
use crate::pure::method::GuardTurn;
use serde::Deserialize;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;

/// A request for a chat completion.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// The model that is asked for.
    pub model: String,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The conversation, as the judge sees it.
    pub turns: Vec<GuardTurn>,
    /// Kinds of content that nobody can read here, such as `image_url`.
    pub unscannable: Vec<String>,
}

/// Reads a request; `Err` says what is wrong with it, without its text.
pub fn read_request(body: &[u8]) -> Result<ChatRequest, String> {
    let not_json = |error: serde_json::Error| {
        format!("the body is not JSON (line {}, column {})", error.line(), error.column())
    };
    let read: Value = serde_json::from_slice(body).map_err(not_json)?;
    if serde_json::from_slice::<Once>(body).is_err_and(|error| error.to_string().contains("duplicate field"))
    {
        return Err("a field stands there twice, and servers differ in which one they take".into());
    }
    let body = read;
    let messages = body.get("messages").and_then(Value::as_array).filter(|messages| !messages.is_empty());
    let messages = messages.ok_or("`messages` is not a list of messages")?;
    let mut unscannable = Vec::new();
    let mut turns = Vec::new();
    for message in messages {
        let role = message.get("role").and_then(Value::as_str).ok_or("a message has no `role`")?;
        let mut content = content_text(message.get("content").unwrap_or(&Value::Null), &mut unscannable);
        for field in ["refusal", "reasoning_content", "reasoning", "tool_calls", "function_call"] {
            collect(message.get(field).unwrap_or(&Value::Null), &mut |text| add_line(&mut content, text));
        }
        turns.push(GuardTurn { role: role.to_owned(), content });
    }
    unscannable.sort();
    unscannable.dedup();
    let stream = match body.get("stream") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(stream)) => *stream,
        Some(_) => return Err("`stream` is neither true nor false".into()),
    };
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(ChatRequest { model, stream, turns, unscannable })
}

/// The fields that may stand there once only: which of two counts is for each server to say, so the judge could be shown one
/// and the model the other.
#[derive(Deserialize)]
#[expect(dead_code, reason = "it is read for the error of a field that stands there twice")]
struct Once {
    messages: Vec<OnceInMessage>,
    model: Option<IgnoredAny>,
    stream: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "as above")]
struct OnceInMessage {
    role: Option<IgnoredAny>,
    content: Option<OnceInContent>,
    tool_calls: Option<IgnoredAny>,
}

/// A text, or parts of which each has a type and a text.
struct OnceInContent;

impl<'de> Deserialize<'de> for OnceInContent {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Parts;
        impl<'de> Visitor<'de> for Parts {
            type Value = OnceInContent;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text, or parts")
            }

            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<OnceInContent, E> {
                Ok(OnceInContent)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<OnceInContent, A::Error> {
                while parts.next_element::<OnceInPart>()?.is_some() {}
                Ok(OnceInContent)
            }
        }
        from.deserialize_any(Parts)
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "as above")]
struct OnceInPart {
    #[serde(rename = "type")]
    kind: Option<IgnoredAny>,
    text: Option<IgnoredAny>,
}

/// The text of a message's content, and the kinds of its parts that are none.
fn content_text(content: &Value, unscannable: &mut Vec<String>) -> String {
    let mut text = String::new();
    match content {
        Value::Null => {}
        Value::String(said) => text.push_str(said),
        Value::Array(parts) => {
            for part in parts {
                let kind = part.get("type").and_then(Value::as_str).unwrap_or("unknown");
                let said = match part {
                    Value::String(said) => Some(said.as_str()),
                    _ => ["text", "refusal"].iter().find_map(|field| part.get(*field)?.as_str()),
                };
                match said.filter(|_| part.is_string() || matches!(kind, "text" | "input_text" | "refusal")) {
                    Some(said) => add_line(&mut text, said),
                    None => unscannable.push(safe_name(kind)),
                }
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => unscannable.push("unknown".into()),
    }
    text
}

/// A kind as it may be told and counted: a client's word for it may be anything.
fn safe_name(kind: &str) -> String {
    match kind {
        "image_url" | "input_image" | "input_audio" | "audio" | "file" | "input_file" | "video_url" => {
            kind.to_owned()
        }
        _ => "unknown".to_owned(),
    }
}

fn add_line(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push('\n');
    }
    text.push_str(more);
}

/// The request of a model under a hint: the hint is a system turn behind those that are there.
pub fn with_hint(body: &[u8], hint: &str) -> Option<Vec<u8>> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let messages = body.get_mut("messages")?.as_array_mut()?;
    let is_system = |turn: &Value| matches!(turn["role"].as_str(), Some("system" | "developer"));
    match messages.iter_mut().take_while(|turn| is_system(turn)).last() {
        // Many templates take one system turn only.
        Some(turn) if turn["content"].is_string() => {
            let text = format!("{}\n\n{hint}", turn["content"].as_str().unwrap_or_default());
            turn["content"] = Value::String(text);
        }
        Some(_) | None => messages.insert(0, serde_json::json!({ "role": "system", "content": hint })),
    }
    serde_json::to_vec(&body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(body: &Value) -> Result<ChatRequest, String> {
        read_request(body.to_string().as_bytes())
    }

    #[test]
    fn a_request_is_read_with_all_its_turns() {
        let body = json!({ "model": "m", "stream": true, "messages": [
            { "role": "system", "content": "Be kind." },
            { "role": "user", "content": [{ "type": "text", "text": "One" }, { "type": "text", "text": "two" }] },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "c1", "type": "function", "function": { "name": "look", "arguments": "{\"q\":1}" } }] },
            { "role": "tool", "tool_call_id": "c1", "content": "found" },
        ]});
        let read = request(&body).unwrap();
        let turns: Vec<_> =
            read.turns.iter().map(|turn| (turn.role.as_str(), turn.content.as_str())).collect();
        assert_eq!(
            turns,
            [
                ("system", "Be kind."),
                ("user", "One\ntwo"),
                ("assistant", "look\n{\"q\":1}"),
                ("tool", "found"),
            ]
        );
        assert!(read.stream && read.unscannable.is_empty());
    }

    #[test]
    fn what_is_no_text_is_named_and_what_is_no_request_is_told() {
        let parts = json!({ "messages": [{ "role": "user", "content": [
            { "type": "image_url", "image_url": { "url": "x" } }, { "type": "secret words" }, "plain" ] }] });
        let read = request(&parts).unwrap();
        assert_eq!(read.unscannable, ["image_url", "unknown"]);
        assert_eq!(read.turns[0].content, "plain");
        for (body, says) in [
            (json!({}), "`messages`"),
            (json!({ "messages": [] }), "`messages`"),
            (json!({ "messages": [{}] }), "`role`"),
            (json!({ "messages": [{ "role": "user" }], "stream": "yes" }), "`stream`"),
        ] {
            let told = request(&body).unwrap_err();
            assert!(told.contains(says), "{told}");
        }
        for twice in [
            r#"{"messages":[{"role":"user","content":"a"}],"messages":[{"role":"user","content":"b"}]}"#,
            r#"{"messages":[{"role":"user","content":"a","content":"b"}]}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}]}"#,
        ] {
            assert!(read_request(twice.as_bytes()).unwrap_err().contains("twice"), "{twice}");
        }
        let told = read_request(b"{ canary").unwrap_err();
        assert!(told.contains("not JSON") && !told.contains("canary"), "{told}");
    }

    #[test]
    fn a_hint_joins_the_system_turn() {
        let hinted = |messages: Value| -> Value {
            let body = json!({ "model": "m", "messages": messages }).to_string();
            serde_json::from_slice(&with_hint(body.as_bytes(), "Be careful.").unwrap()).unwrap()
        };
        let alone = hinted(json!([{ "role": "user", "content": "Hi" }]));
        assert_eq!(alone["messages"][0], json!({ "role": "system", "content": "Be careful." }));
        let joined = hinted(
            json!([{ "role": "system", "content": "You are Lumo." }, { "role": "user", "content": "Hi" }]),
        );
        assert_eq!(joined["messages"][0]["content"], "You are Lumo.\n\nBe careful.");
        assert_eq!(joined["messages"].as_array().unwrap().len(), 2);
    }
}
