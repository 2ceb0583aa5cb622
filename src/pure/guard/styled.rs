//! What a client gets in place of an answer, in the OpenAI form: a message, an ended stream, an error. The words are those of
//! [`super::wording`].

use super::sse::write_event;
use bytes::{BufMut as _, Bytes, BytesMut};
use serde_json::{Value, json};

/// The hint under which a model answers what would else be declined.
pub const HINT: &str = "The user's next request is a delicate one. Answer it with care: give general, well-established \
                        information only, do not judge the user's own case, give no instructions that could do harm, and \
                        say briefly which kind of professional or service can help.";

/// Who answers, when, and under which id.
#[derive(Debug, Clone, Copy)]
pub struct Signature<'a> {
    /// The id of the request, for the client and the audit.
    pub id: &'a str,
    /// The model that was asked for.
    pub model: &'a str,
    /// Seconds since 1970.
    pub created: u64,
}

/// A whole message.
pub fn message(by: Signature<'_>, text: &str) -> Bytes {
    let choice = json!({
        "index": 0,
        "message": { "role": "assistant", "content": text, "refusal": null },
        "logprobs": null,
        "finish_reason": "stop",
    });
    let usage = json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 });
    let mut body = envelope(by, "chat.completion", &[choice]);
    body["usage"] = usage;
    Bytes::from(body.to_string())
}

/// A message as a stream of its own.
pub fn streamed(by: Signature<'_>, text: &str) -> Bytes {
    let first =
        json!({ "index": 0, "delta": { "role": "assistant", "content": text }, "finish_reason": null });
    let last = json!({ "index": 0, "delta": {}, "finish_reason": "stop" });
    events(by, [vec![first], vec![last]])
}

/// The end of a stream that goes no further: a closing sentence for every choice, and why it ends.
pub fn closed(by: Signature<'_>, indices: &[u64], closing: &str) -> Bytes {
    let says =
        |index: &u64| json!({ "index": index, "delta": { "content": closing }, "finish_reason": null });
    let ends = |index: &u64| json!({ "index": index, "delta": {}, "finish_reason": "content_filter" });
    events(by, [indices.iter().map(says).collect(), indices.iter().map(ends).collect()])
}

fn events(by: Signature<'_>, chunks: [Vec<Value>; 2]) -> Bytes {
    let mut bytes = BytesMut::new();
    for choices in chunks {
        bytes.put(write_event(&envelope(by, "chat.completion.chunk", &choices).to_string()));
    }
    bytes.put(write_event("[DONE]"));
    bytes.freeze()
}

fn envelope(by: Signature<'_>, object: &str, choices: &[Value]) -> Value {
    json!({
        "id": format!("chatcmpl-{}", by.id),
        "object": object,
        "created": by.created,
        "model": by.model,
        "choices": choices,
    })
}

/// An error body as OpenAI writes them.
pub fn error(message: &str, kind: &str, code: &str) -> Bytes {
    Bytes::from(
        json!({ "error": { "message": message, "type": kind, "param": null, "code": code } }).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::guard::answer_text::AnswerText;
    use crate::pure::guard::sse::SseReader;

    const BY: Signature<'_> = Signature { id: "g1", model: "m", created: 7 };

    #[test]
    fn what_is_styled_reads_as_an_answer() {
        let mut whole = AnswerText::default();
        whole.take(&message(BY, "No.")).unwrap();
        assert_eq!((whole.only_content(), whole.has_finished()), (Some("No."), true));
        let mut reader = SseReader::default();
        let mut text = AnswerText::default();
        let events = reader.push(&streamed(BY, "No."));
        assert_eq!(events.last().unwrap().data.as_deref(), Some(b"[DONE]".as_slice()));
        for event in &events[..events.len() - 1] {
            text.take(event.data.as_deref().unwrap()).unwrap();
        }
        assert_eq!(text.only_content(), Some("No."));
    }

    #[test]
    fn every_choice_is_closed() {
        let text = String::from_utf8(closed(BY, &[0, 2], "I stop.").to_vec()).unwrap();
        assert_eq!(text.matches("content_filter").count(), 2);
        assert!(text.contains("\"index\":2") && text.ends_with("data: [DONE]\n\n"));
    }
}
