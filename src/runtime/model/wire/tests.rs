//! Bodies as servers send them, and what they must be read as.

use super::*;
use crate::pure::answer::{Answer, Malformed, Outcome, Usage};
use crate::pure::call::{Purpose, ResponseFormat, Role, Sampling};
use crate::pure::prompt::{Message, Prompt};
use crate::pure::recipe::{Model, Models};
use proptest::prelude::*;

fn call() -> Call {
    Call {
        prompt_id: Prompt::single("hello").id,
        role: Role::Generator,
        purpose: Purpose::Draft { sample: 0 },
        model: "m".into(),
        sampling: Sampling::default(),
        messages: vec![Message::user("hello")],
        draw: 0,
        seed: u64::MAX,
        format: None,
        fallback: false,
    }
}

fn model(of: Model) -> ResolvedModel {
    let of = Model { model: Some("m".into()), ..of };
    Models { default: of, ..Models::default() }.resolve(Role::Generator).unwrap()
}

#[test]
fn a_request_holds_what_was_asked_and_no_more() {
    let plain = body(&call(), &model(Model { send_seed: Some(false), ..Model::default() }));
    let expected =
        r#"{"model":"m","messages":[{"role":"user","content":"hello"}],"temperature":1.0,"max_tokens":1024}"#;
    assert_eq!(plain.to_string(), expected);

    let tiered = Model { send_seed: Some(false), service_tier: Some("flex".into()), ..Model::default() };
    let tiered = body(&call(), &model(tiered));
    assert_eq!(tiered.to_string(), expected.replace("1024}", r#"1024,"service_tier":"flex"}"#));

    let mut call = call();
    call.sampling.temperature = None;
    call.sampling.top_p = Some(0.5);
    call.sampling.top_logprobs = Some(5);
    call.format = Some(ResponseFormat { name: "verdict".into(), schema: json!({ "type": "object" }) });
    call.sampling.extra =
        json!({ "top_k": 4, "stream": true, "n": 7, "messages": [] }).as_object().unwrap().clone();
    let field = Some(crate::pure::recipe::MaxTokensField::MaxCompletionTokens);
    let full = body(&call, &model(Model { max_tokens_field: field, ..Model::default() }));
    let expected = json!({
        "model": "m", "messages": [{ "role": "user", "content": "hello" }], "top_p": 0.5,
        "max_completion_tokens": 1024, "seed": 0x7fff_ffff, "logprobs": true, "top_logprobs": 5,
        "response_format": { "type": "json_schema",
            "json_schema": { "name": "verdict", "schema": { "type": "object" }, "strict": true } },
        "top_k": 4,
    });
    assert_eq!(full, expected);
}

/// A body with one choice.
fn choice(choice: &Value) -> String {
    json!({ "choices": [choice] }).to_string()
}

fn check(body: &str, outcome: &Outcome, text: &str, reasoning: Option<&str>) {
    let answer = read(body);
    assert_eq!((&answer.outcome, answer.text.as_str()), (outcome, text), "{body}");
    assert_eq!(answer.reasoning.as_deref(), reasoning, "{body}");
}

#[test]
fn outcomes_are_typed() {
    let malformed = Outcome::Malformed;
    let stop = |message: Value| choice(&json!({ "message": message, "finish_reason": "stop" }));
    let ends = |reason: Value| choice(&json!({ "message": { "content": "hi" }, "finish_reason": reason }));

    // Plain, and the ways to say that it ended.
    check(&stop(json!({ "content": "hi" })), &Outcome::Complete, "hi", None);
    check(&ends(json!("end_turn")), &Outcome::Complete, "hi", None);
    for silent in [Value::Null, json!(""), json!({ "type": "stop" })] {
        check(&ends(silent), &malformed(Malformed::NoFinish), "hi", None);
    }
    let counted = r#"{"choices":[{"message":{"content":"hi"}}],"usage":{"completion_tokens":1}}"#;
    check(counted, &Outcome::Complete, "hi", None);
    check(&ends(json!("model_context_window_exceeded")), &Outcome::Truncated, "hi", None);
    check(&ends(json!("Max-Tokens")), &Outcome::Truncated, "hi", None);
    check(&ends(json!("FinishReason.STOP")), &Outcome::Complete, "hi", None);
    check(&ends(json!("guardrail_intervened")), &Outcome::Filtered, "hi", None);
    check(&ends(json!("TOXIC_CONTENT")), &Outcome::Filtered, "hi", None);
    check(&ends(json!("length")), &Outcome::Truncated, "hi", None);
    check(&ends(json!("MAX_TOKENS")), &Outcome::Truncated, "hi", None);
    check(&ends(json!("content_filter")), &Outcome::Filtered, "hi", None);
    check(&ends(json!("SAFETY")), &Outcome::Filtered, "hi", None);
    check(&ends(json!("abort")), &malformed(Malformed::Aborted), "hi", None);
    check(&ends(json!("error")), &malformed(Malformed::Aborted), "hi", None);
    check(&ends(json!("insufficient_system_resource")), &malformed(Malformed::Aborted), "hi", None);
    check(&ends(json!("never heard of")), &malformed(Malformed::Aborted), "hi", None);

    // vLLM: a stop token as a number beside the reason, and fields we do not know.
    let vllm = json!({ "message": { "content": "hi", "tool_calls": [] }, "finish_reason": "stop", "stop_reason": 13 });
    check(&choice(&vllm), &Outcome::Complete, "hi", None);

    // Nothing said.
    check(&stop(json!({ "content": null })), &Outcome::Empty, "", None);
    check(&stop(json!({ "content": " \n" })), &Outcome::Empty, " \n", None);
    check(&stop(json!({})), &Outcome::Empty, "", None);
    check(&stop(json!({ "content": 7 })), &Outcome::Empty, "", None);
    let tools = json!({ "message": { "content": null, "tool_calls": [{}] }, "finish_reason": "tool_calls" });
    check(&choice(&tools), &Outcome::Empty, "", None);

    // Refusals in their field.
    check(&stop(json!({ "content": null, "refusal": "I can't." })), &Outcome::Refused, "I can't.", None);
    check(&stop(json!({ "content": "hi", "refusal": null })), &Outcome::Complete, "hi", None);
    check(&stop(json!({ "content": "hi", "refusal": "" })), &Outcome::Complete, "hi", None);
    check(&ends(json!("refusal")), &Outcome::Refused, "hi", None);

    // Parts.
    let parts = json!([{ "type": "text", "text": "a" }, { "type": "output_text", "text": "b" }]);
    check(&stop(json!({ "content": parts })), &Outcome::Complete, "ab", None);
    let parts =
        json!([{ "type": "thinking", "thinking": [{ "type": "text", "text": "t" }] }, { "text": "a" }]);
    check(&stop(json!({ "content": parts })), &Outcome::Complete, "a", Some("t"));
    let parts = json!([{ "type": "refusal", "refusal": "no" }]);
    check(&stop(json!({ "content": parts })), &Outcome::Refused, "no", None);
}

#[test]
fn a_body_is_read_by_what_it_is() {
    let stream = r#"data: {"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"Bread "}]}}]}

data: {"choices":[{"index":0,"delta":{"content":"rises."},"finish_reason":null}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: [DONE]
"#;
    check(stream, &Outcome::Complete, "Bread rises.", None);
    let listed = r#"[{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}]"#;
    check(listed, &Outcome::Complete, "hi", None);
    let half =
        r#"{"choices":[{"message":{"content":"half \ud83d of it"},"finish_reason":"stop","score":NaN}]}"#;
    check(half, &Outcome::Complete, "half \u{fffd} of it", None);
}

#[test]
fn marks_of_a_chat_template_never_reach_a_method() {
    let stop = |text: &str| choice(&json!({ "message": { "content": text }, "finish_reason": "stop" }));
    check(&stop("hi<|im_end|>"), &Outcome::Complete, "hi", None);
    let channels =
        "<|channel|>analysis<|message|>t<|end|><|start|>assistant<|channel|>final<|message|>hi<|return|>";
    check(&stop(channels), &Outcome::Complete, "hi", Some("t"));
    check(&stop("<|plan|>hi"), &Outcome::Malformed(Malformed::UnknownMark), "<|plan|>hi", None);
}

#[test]
fn reasoning_is_kept_apart() {
    let with = |reason: &str, message: Value| choice(&json!({ "message": message, "finish_reason": reason }));
    let stop = |message| with("stop", message);
    let open = Outcome::Malformed(Malformed::OpenReasoning);
    let apart = json!({ "content": "hi", "reasoning_content": "t" });
    check(&stop(apart), &Outcome::Complete, "hi", Some("t"));
    check(&stop(json!({ "content": "hi", "reasoning": "t" })), &Outcome::Complete, "hi", Some("t"));
    let both = json!({ "content": "hi", "reasoning": "t", "reasoning_content": "t" });
    check(&stop(both), &Outcome::Complete, "hi", Some("t"));
    check(&stop(json!({ "content": "hi", "reasoning": {} })), &Outcome::Complete, "hi", None);
    check(&stop(json!({ "content": "<think>t</think>\nhi" })), &Outcome::Complete, "hi", Some("t"));
    check(&stop(json!({ "content": "<think>t" })), &open, "", Some("t"));
    check(&with("length", json!({ "content": "<think>t" })), &Outcome::Truncated, "", Some("t"));
    check(&stop(json!({ "content": "<think>t</think>" })), &Outcome::Empty, "", Some("t"));
    check(&stop(json!({ "content": "", "reasoning_content": "t" })), &Outcome::Empty, "", Some("t"));
}

#[test]
fn what_is_no_completion_is_malformed() {
    for body in ["", "<html>502</html>", "null", "[]", "7", "\"text\"", "{\"choices\":"] {
        check(body, &Outcome::Malformed(Malformed::Body), "", None);
    }
    let cut = r#"data: {"choices":[{"index":0,"delta":{"content":"Bread rises"},"finish_reason":""}]}"#;
    for body in ["data: [DONE]", cut, "data: {\"choices\": [{\"del"] {
        check(body, &Outcome::Malformed(Malformed::CutStream), "", None);
    }
    for body in
        ["{}", r#"{"choices":[]}"#, r#"{"choices":null}"#, r#"{"choices":[null]}"#, r#"{"error":"x"}"#]
    {
        check(body, &Outcome::Malformed(Malformed::NoChoice), "", None);
    }
}

#[test]
fn counts_and_logprobs_are_read_where_they_stand() {
    let usage = |usage: Value| read(&json!({ "usage": usage, "choices": [{}] }).to_string()).usage;
    let openai = json!({ "prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": { "cached_tokens": 8 } });
    assert_eq!(usage(openai), Usage { prompt: 9, cached: 8, completion: 3 });
    let null = json!({ "prompt_tokens": 9.0, "completion_tokens": null, "prompt_tokens_details": null });
    assert_eq!(usage(null), Usage { prompt: 9, cached: 0, completion: 0 });
    let deepseek = json!({ "prompt_tokens": 9, "completion_tokens": 3, "prompt_cache_hit_tokens": 4 });
    assert_eq!(usage(deepseek), Usage { prompt: 9, cached: 4, completion: 3 });
    assert_eq!(usage(json!({ "prompt_tokens": -1 })), Usage::default());
    assert_eq!(usage(Value::Null), Usage::default());

    let top = json!([{ "token": "A", "logprob": -0.1 }, { "token": "B", "logprob": null }]);
    let content = json!([{ "token": "A", "logprob": -0.1, "bytes": [65], "top_logprobs": top }]);
    let body = choice(&json!({ "message": { "content": "A" }, "logprobs": { "content": content } }));
    let tokens = read(&body).logprobs.unwrap();
    assert_eq!((tokens[0].token.as_str(), tokens[0].top.len(), tokens[0].top[0].logprob), ("A", 1, -0.1));
    assert_eq!(read(&choice(&json!({ "logprobs": { "content": [] } }))).logprobs, None);
    assert_eq!(read(&choice(&json!({ "logprobs": null }))).logprobs, None);
}

#[test]
fn errors_are_found_wherever_servers_put_them() {
    let check = |body: Value, status: Option<u16>, code: &str, message: &str| {
        let error = error_in(&body.to_string()).unwrap();
        assert_eq!(
            (error.status, error.code.as_str(), error.message.as_str()),
            (status, code, message),
            "{body}"
        );
    };
    let openai = json!({ "error": { "message": "m", "type": "insufficient_quota", "param": null, "code": "insufficient_quota" } });
    check(openai, None, "insufficient_quota insufficient_quota", "m");
    check(json!({ "error": { "message": "m", "code": 400 } }), Some(400), "400", "m");
    let azure = json!({ "error": { "message": "m", "code": "content_filter",
        "innererror": { "code": "ResponsibleAIPolicyViolation" } } });
    check(azure, None, "content_filter responsibleaipolicyviolation", "m");
    check(json!({ "error": "model 'x' not found" }), None, "", "model 'x' not found");
    check(
        json!({ "object": "error", "message": "m", "type": "NotFoundError", "code": 404 }),
        Some(404),
        "404 notfounderror",
        "m",
    );
    check(json!({ "detail": [{ "msg": "field required" }] }), None, "", "field required");
    check(json!({ "detail": "Not Found" }), None, "", "Not Found");
    check(json!([{ "error": { "code": 429, "message": "m" } }]), Some(429), "429", "m");
    check(json!({ "choices": [{ "error": { "code": 502, "message": "m" } }] }), Some(502), "502", "m");
    for body in ["", "<html>", "{}", r#"{"choices":[]}"#, r#"{"error":null,"choices":[{}]}"#, "[]"] {
        assert_eq!(error_in(body), None, "{body}");
    }
}

/// Cuts an answer into chunks as a server streams it.
fn chunks(text: &str, reasoning: &str, finish: &str, cut: usize) -> Vec<Value> {
    let pieces = |text: &str, name: &str| -> Vec<Value> {
        let chars: Vec<char> = text.chars().collect();
        chars.chunks(cut).map(|c| json!({ name: c.iter().collect::<String>() })).collect()
    };
    let deltas = [pieces(reasoning, "reasoning_content"), pieces(text, "content")].concat();
    let head =
        json!({ "id": "1", "model": "m", "choices": [{ "index": 0, "delta": { "role": "assistant" } }] });
    let tail = json!({ "id": "1", "choices": [{ "index": 0, "delta": {}, "finish_reason": finish }] });
    let usage = json!({ "id": "1", "choices": [], "usage": { "prompt_tokens": 5, "completion_tokens": 2 } });
    let other = json!({ "id": "1", "choices": [{ "index": 1, "delta": { "content": "not ours" } }] });
    let middle = deltas.into_iter().map(|d| json!({ "id": "1", "choices": [{ "index": 0, "delta": d }] }));
    [head, other].into_iter().chain(middle).chain([tail, usage]).collect()
}

fn assembled(chunks: &[Value]) -> (Answer, Vec<crate::runtime::model::Delta>) {
    let mut assembly = Assembly::default();
    let shown = chunks.iter().flat_map(|chunk| assembly.push(chunk)).collect();
    assert!(assembly.is_finished());
    (read(&assembly.into_body()), shown)
}

#[test]
fn a_stream_that_reports_an_error_is_that_error() {
    let mut assembly = Assembly::default();
    assembly.push(&json!({ "choices": [{ "index": 0, "delta": { "content": "hal" } }] }));
    assert!(!assembly.is_finished());
    assembly.push(&json!({ "error": { "code": 503, "message": "overloaded" } }));
    assert!(assembly.is_finished());
    assert_eq!(error_in(&assembly.into_body()).unwrap().status, Some(503));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_stream_reads_as_the_whole_body(text in "(<think>|</think>|\\PC|\n){0,40}", reasoning in "\\PC{0,20}",
                                        finish in "stop|length|content_filter|abort", cut in 1_usize..9) {
        let (streamed, shown) = assembled(&chunks(&text, &reasoning, &finish, cut));
        let message = json!({ "role": "assistant", "content": text, "reasoning_content": reasoning });
        let body = json!({ "id": "1", "model": "m", "choices": [{ "index": 0, "message": message, "finish_reason": finish }],
            "usage": { "prompt_tokens": 5, "completion_tokens": 2 } });
        prop_assert_eq!(streamed, read(&body.to_string()));
        let seen: String = shown.iter().filter_map(|d| match d {
            crate::runtime::model::Delta::Text(piece) => Some(piece.as_str()),
            crate::runtime::model::Delta::Reasoning(_) | crate::runtime::model::Delta::Restart => None,
        }).collect();
        prop_assert_eq!(seen, text);
    }

    #[test]
    fn any_text_can_be_read(body in "\\PC{0,60}|\\{\"choices\":\\[\\{\"message\":\\PC{0,30}\\}\\]\\}") {
        let answer = read(&body);
        prop_assert!(answer.complete().is_none_or(|text| !text.trim().is_empty()));
        let _ = error_in(&body);
    }
}

#[test]
fn a_folded_system_turn_stands_before_the_first_user_turn() {
    let folded = |messages: Value| {
        let mut body = json!({ "messages": messages });
        fold_system(body.as_object_mut().unwrap());
        body["messages"].clone()
    };
    let turn = |role: &str, content: &str| json!({ "role": role, "content": content });
    let conversation = json!([
        turn("system", "Be brief."),
        turn("user", "Hi"),
        turn("assistant", "Hello"),
        turn("user", "Why?")
    ]);
    let expected = json!([turn("user", "Be brief.\n\nHi"), turn("assistant", "Hello"), turn("user", "Why?")]);
    assert_eq!(folded(conversation), expected);
    // What has none stays, folded once or twice.
    assert_eq!(folded(expected.clone()), expected);
    assert_eq!(folded(json!([turn("system", "Alone.")])), json!([turn("system", "Alone.")]));
}
