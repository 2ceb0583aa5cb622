//! A table of statuses and faults, and what follows.

use super::*;
use crate::pure::recipe::{Model, Models};
use serde_json::json;

fn request() -> Request {
    let model = Model {
        model: Some("m".into()),
        base_url: Some("http://user:secret@host:8000/v1?x=y".into()),
        api_key_env: Some("OPENAI_API_KEY".into()),
        ..Model::default()
    };
    let model =
        Models { default: model, ..Models::default() }.resolve(crate::pure::call::Role::Critic).unwrap();
    let body =
        json!({ "messages": [{ "role": "user", "content": "please tell me the private thing about Ada" }] });
    Request { model, body }
}

fn reply(status: u16, body: &str) -> Reply {
    Reply { status, retry_after_s: None, rate_reset_s: None, body: body.into() }
}

/// What follows, in a word.
fn word(next: &Next) -> &'static str {
    match next {
        Next::Answer(_) => "answer",
        Next::Fail(failure) if failure.filtered => "filtered",
        Next::Fail(_) => "fail",
        Next::Again(trouble) => match trouble.kind {
            TroubleKind::Slow => "slow",
            TroubleKind::Unreachable => "unreachable",
            TroubleKind::Unknown => "unknown",
            TroubleKind::Gateway => "gateway",
            TroubleKind::Overload => "overload",
            TroubleKind::Unreadable => "unreadable",
        },
        Next::Without { .. } => "without",
        Next::Stop(_) => "stop",
    }
}

fn check(result: Result<Reply, Fault>, expected: &str) {
    let shown = format!("{result:?}");
    let next = judge(result, &request());
    assert_eq!(word(&next), expected, "{shown} → {next:?}");
}

fn check_reply(reply: Reply, expected: &str) {
    check(Ok(reply), expected);
}

const GOOD: &str = r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}"#;

#[test]
fn every_status_means_one_thing() {
    for (status, expected) in [
        (301, "stop"),
        (307, "stop"),
        (400, "fail"),
        (401, "unknown"),
        (402, "stop"),
        (403, "unknown"),
        (404, "unknown"),
        (405, "stop"),
        (408, "overload"),
        (409, "overload"),
        (413, "fail"),
        (418, "fail"),
        (422, "fail"),
        (425, "overload"),
        (429, "slow"),
        (500, "overload"),
        (501, "unknown"),
        (502, "gateway"),
        (503, "gateway"),
        (504, "gateway"),
        (529, "overload"),
    ] {
        check_reply(reply(status, "<html>not JSON</html>"), expected);
        check_reply(reply(status, r#"{"error":{"message":"m","code":null}}"#), expected);
    }
    let busy = Reply { status: 503, retry_after_s: Some(3.0), rate_reset_s: None, body: String::new() };
    check_reply(busy, "slow");
}

#[test]
fn what_the_error_says_matters() {
    let error =
        |code: &str, message: &str| json!({ "error": { "code": code, "message": message } }).to_string();
    check_reply(reply(429, &error("insufficient_quota", "You exceeded your current quota")), "stop");
    check_reply(reply(429, &error("rate_limit_exceeded", "slow down")), "slow");
    check_reply(reply(400, &error("context_length_exceeded", "too long")), "fail");
    check_reply(reply(500, &error("", "the request exceeds the available context size")), "fail");
    check_reply(reply(400, &error("content_filter", "filtered")), "filtered");
    let azure = json!({ "error": { "code": null, "message": "m",
        "innererror": { "code": "ResponsibleAIPolicyViolation" } } });
    check_reply(reply(400, &azure.to_string()), "filtered");
    check_reply(reply(403, &error("", "Your input was flagged")), "filtered");
    check_reply(reply(400, &error("unsupported_parameter", "Use 'max_completion_tokens' instead")), "stop");
    check_reply(reply(400, r#"{"error":{"code":400,"message":"m"}}"#), "fail");
}

#[test]
fn a_success_may_not_be_one() {
    check_reply(reply(200, GOOD), "answer");
    check_reply(reply(200, "<html>"), "unreadable");
    check_reply(reply(200, ""), "unreadable");
    check_reply(reply(200, "{}"), "unreadable");
    check_reply(
        reply(200, r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"abort"}]}"#),
        "unreadable",
    );
    check_reply(reply(200, r#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}]}"#), "answer");
    check_reply(reply(200, r#"{"error":{"code":429,"message":"m"}}"#), "slow");
    check_reply(reply(200, r#"{"error":{"code":"boom","message":"m"}}"#), "overload");
    check_reply(reply(200, r#"{"error":{"code":401,"message":"m"}}"#), "unknown");
}

#[test]
fn every_fault_means_one_thing() {
    check(Err(Fault::Connect("x".into())), "unreachable");
    check(Err(Fault::Lost("x".into())), "overload");
    check(Err(Fault::Timeout), "overload");
    check(Err(Fault::Unusable("x".into())), "stop");
}

#[test]
fn messages_hold_neither_prompt_nor_credentials_nor_control_characters() {
    let body = json!({ "error": { "message":
        "bad\u{1b}[31m input\n'please tell me the private thing about Ada' at line 1" } });
    let Next::Fail(failure) = judge(Ok(reply(400, &body.to_string())), &request()) else {
        panic!("not a failure")
    };
    assert_eq!(failure.message, "status 400 (bad [31m input '…' at line 1)");
    let long = json!({ "error": "é".repeat(5000) }).to_string();
    let Next::Fail(failure) = judge(Ok(reply(400, &long)), &request()) else { panic!("not a failure") };
    assert!(failure.message.chars().count() < 300);
    let Next::Again(trouble) = judge(Ok(reply(401, "no")), &request()) else { panic!("not unknown") };
    assert_eq!(
        trouble.message,
        "`http://host:8000/v1` gave status 401; the key is read from `OPENAI_API_KEY`: is it set, and is it this endpoint's?"
    );
    let mut withheld = request();
    withheld.model.api_key_env = String::new();
    let Next::Again(trouble) = judge(Ok(reply(401, "no")), &withheld) else { panic!("not unknown") };
    let message = trouble.message;
    assert!(message.contains("unless `api_key_env` names its variable"), "{message}");
}

#[test]
fn waits_double_up_to_a_minute_and_differ_between_calls() {
    let waits: Vec<f64> = (1..=20).map(|n| backoff(&CallKey([7; 32]), n).as_secs_f64()).collect();
    for (n, wait) in waits.iter().enumerate() {
        let whole = (0.5 * 2_f64.powi(i32::try_from(n).unwrap())).min(60.0);
        assert!((whole * 0.5..=whole).contains(wait), "wait {n}: {wait}");
    }
    assert_ne!(backoff(&CallKey([7; 32]), 3), backoff(&CallKey([8; 32]), 3));
    assert_eq!(backoff(&CallKey([7; 32]), 3), backoff(&CallKey([7; 32]), 3));
}

/// What an endpoint refuses of a request that has every optional field, in the words of servers.
#[test]
fn an_optional_field_that_is_refused_is_left_out() {
    let check = |status: u16, body: &str, expected: Option<&str>| {
        let mut request = request();
        for field in ["seed", "logprobs", "response_format"] {
            request.body[field] = serde_json::json!(1);
        }
        let found = match judge(Ok(reply(status, body)), &request) {
            Next::Without { field, .. } => Some(field),
            Next::Answer(_) | Next::Fail(_) | Next::Again(_) | Next::Stop(_) => None,
        };
        assert_eq!(found, expected, "{status} {body}");
    };
    let mistral = r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted"}]}}"#;
    check(422, mistral, Some("seed"));
    check(
        403,
        r#"{"error":{"message":"You are not allowed to request logprobs from this model."}}"#,
        Some("logprobs"),
    );
    check(400, r#"{"error":{"message":"logprobs is not supported with this model"}}"#, Some("logprobs"));
    check(
        400,
        r#"{"error":{"message":"response_format: json_schema is unsupported"}}"#,
        Some("response_format"),
    );
    check(
        500,
        r#"{"error":{"message":"Invalid response_format type 'json_schema'"}}"#,
        Some("response_format"),
    );
    check(
        422,
        r#"{"detail":[{"loc":["body","seed"],"msg":"Extra inputs are not permitted"}]}"#,
        Some("seed"),
    );
    check(400, r#"{"error":{"message":"the seed of your idea is too long"}}"#, None);
    check(401, r#"{"error":{"message":"not allowed to use logprobs"}}"#, None);
    check(400, r#"{"error":{"message":"temperature is not supported"}}"#, None);
}

/// Chat templates without a system role, in the words of servers; the same words are no refusal where no system turn was sent.
#[test]
fn a_system_turn_that_is_refused_is_folded() {
    let refusals = [
        (400, r#"{"error":{"message":"System role not supported","type":"BadRequestError"}}"#),
        (500, r#"{"error":{"message":"Jinja Exception: System role not supported at row 1, column 40"}}"#),
        (
            400,
            r#"{"object":"error","message":"Conversation roles must alternate user/assistant/user/assistant/..."}"#,
        ),
        (422, r#"{"detail":"Unsupported role: role 'system' is not allowed"}"#),
        (
            400,
            r#"{"error":{"message":"Developer instruction is not enabled: system prompt is not supported for this model"}}"#,
        ),
    ];
    for (status, body) in refusals {
        let mut request = request();
        let judged = |request: &Request| match judge(Ok(reply(status, body)), request) {
            Next::Without { field, .. } => Some(field),
            _ => None,
        };
        assert_ne!(judged(&request), Some("system"), "{body}");
        request.body["messages"] = serde_json::json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]);
        assert_eq!(judged(&request), Some("system"), "{body}");
    }
}

#[test]
fn a_server_that_loads_its_model_costs_time_and_no_attempt() {
    check_reply(
        reply(503, r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#),
        "slow",
    );
    check_reply(reply(503, r#"{"error":"The model is currently loading"}"#), "slow");
    check_reply(reply(503, r#"{"error":"overloaded"}"#), "gateway");
}

#[test]
fn a_wait_is_read_from_the_words_of_an_error() {
    let wait = |status: u16, body: &str| match judge(Ok(reply(status, body)), &request()) {
        Next::Again(trouble) => {
            (trouble.kind == TroubleKind::Slow, trouble.after.map(|after| after.as_secs_f64()))
        }
        other => panic!("{other:?}"),
    };
    let error = |message: &str| json!({ "error": { "message": message } }).to_string();
    for (body, seconds) in [
        (
            r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"17.5s"}]}}"#,
            Some(17.5),
        ),
        (&error("Rate limit reached. Please try again in 1m2.5s. Visit …"), Some(62.5)),
        (&error("Please try again in 320ms."), Some(0.32)),
        (&error("Requests are limited. Please retry after 12 seconds."), Some(12.0)),
        (&error("Retry in 2 minutes, 5 seconds"), Some(125.0)),
        (&error("Please wait 3 s"), Some(3.0)),
        (&error("Try again later."), None),
        (&error("the prompt has 40 seconds of audio"), None),
    ] {
        assert_eq!(wait(429, body), (true, seconds), "{body}");
    }
    // The prompt may speak of waiting as well, and an endpoint may quote it.
    let mut asked = request();
    asked.body["messages"][0]["content"] = json!("please retry after 5 hours of sleep, he said");
    let quoting = error("busy with: please retry after 5 hours of sleep, he said");
    let Next::Again(trouble) = judge(Ok(reply(429, &quoting)), &asked) else { panic!("not again") };
    assert_eq!(trouble.after, None);
    // A flex tier that is full, and a server that says when it is ready.
    assert_eq!(wait(498, &error("flex tier capacity exceeded")), (true, None));
    assert_eq!(wait(503, &error("overloaded, try again in 4 s")), (true, Some(4.0)));
}
