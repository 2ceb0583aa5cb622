//! Rules of the constitution in the guard, and the guard as a guardrail of a gateway.

use crate::guard_support::{
    END, Guarding, RawUpstream, begin_stream, chat_body, chunk, done, judge, respond, whole,
};
use crate::scripted_endpoint::ScriptedEndpoint;
use crate::support::Scratch;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const KIND: &str = "I can help with lamps, and I would be glad to.";
/// Rules alone, and no model that judges.
const RULES: [&str; 4] =
    ["--set", "guard.input.tiers=[\"rules\"]", "--set", "guard.output.tiers=[\"rules\"]"];

fn constitution() -> &'static str {
    "[constitution]\nid = \"shop\"\n[[principle]]\nid = \"keeps-secrets\"\ntext = \"The response names no secret project.\"\n\
     [[principle.rule]]\nwords = [\"project nightingale\"]\n[[principle.rule]]\npattern = 'sk-[a-z0-9]{6,20}'\nin = \"answer\"\n"
}

fn with_rules(scratch: &Scratch) -> Vec<&'static str> {
    scratch.write("shop.toml", constitution());
    [&["--constitution", "shop.toml"], &RULES[..]].concat()
}

#[test]
fn guard_declines_by_rules_without_a_model() {
    let scratch = Scratch::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let upstream = RawUpstream::start(move |_, _, stream| {
        counter.fetch_add(1, Ordering::SeqCst);
        respond(stream, 200, "application/json", whole("Fine.").as_bytes());
    });
    // Nobody listens where the judge would be.
    let guard = Guarding::start(&scratch, &upstream.url, "http://127.0.0.1:9/v1", &with_rules(&scratch));
    let response = guard.chat("What is PROJECT  Nightingale?", false);
    assert_eq!(response.header("x-amend-decision"), Some("answered-by-style"));
    assert!(!response.text().to_lowercase().contains("nightingale"), "{response:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "the model is not asked");
    let response = guard.chat("What are nightingales? Or sk-abcdef123?", false);
    assert_eq!(
        (response.header("x-amend-decision"), response.content().as_str()),
        (Some("answered"), "Fine.")
    );
    let lines = done(&scratch);
    assert_eq!(
        (&lines[0]["input"]["tier"], &lines[0]["input"]["rule"]),
        (&"rules".into(), &"keeps-secrets 1".into())
    );
    assert_eq!(lines[1]["output"]["checks"][0]["tier"], "rules");
    let counted =
        "amend_guard_checks_total{stage=\"input\",tier=\"rules\",verdict=\"violates\",mode=\"enforce\"}";
    assert!((guard.metric(counted) - 1.0).abs() < 0.1, "{}", guard.metrics());
}

#[test]
fn guard_lets_no_byte_of_a_forbidden_span_go() {
    let scratch = Scratch::new();
    let upstream = RawUpstream::start(|_, request, stream| {
        let asks_for_a_secret = request["messages"][0]["content"] == "secret";
        begin_stream(stream);
        let words = if asks_for_a_secret {
            ["The key is ", "sk", "-", "abc", "def1234."]
        } else {
            ["The s", "k", "y", " is ", "blue."]
        };
        for word in words {
            let _ = stream.write_all(chunk(word).as_bytes());
        }
        if asks_for_a_secret {
            // It waits until the guard gives it up.
            let _ = stream.read(&mut [0; 64]);
        } else {
            let _ = stream.write_all(END.as_bytes());
        }
    });
    let guard = Guarding::start(&scratch, &upstream.url, "http://127.0.0.1:9/v1", &with_rules(&scratch));
    let response = guard.chat("sky", true);
    assert_eq!(response.text(), ["The s", "k", "y", " is ", "blue."].map(chunk).concat() + END);
    let response = guard.chat("secret", true);
    let text = response.text();
    assert!(text.contains("key is ") && text.contains("content_filter"), "{text}");
    assert!(!text.contains("sk") && !text.contains("def"), "{text}");
    let line = done(&scratch).pop().expect("a line");
    assert_eq!(
        (&line["decision"], &line["output"]["checks"][0]["rule"]),
        (&"stopped".into(), &"keeps-secrets 2".into())
    );
}

#[test]
fn a_rule_without_a_longest_match_is_an_error_of_check() {
    let scratch = Scratch::new();
    scratch.write("bad.toml", constitution().replace("{6,20}", "+"));
    let told = scratch.run(&["check", "bad.toml"]).code(1).out;
    assert!(told.contains("no longest match") && told.contains("bad.toml:9"), "{told}");
    scratch.write("bad.toml", constitution().replace("words = [\"project nightingale\"]", ""));
    let told = scratch.run(&["check", "bad.toml"]).code(1).out;
    assert!(told.contains("a rule needs `words`, or a `pattern`"), "{told}");
}

#[test]
fn guard_is_a_guardrail_of_a_gateway() {
    let scratch = Scratch::new();
    let judge = judge(KIND);
    let upstream = RawUpstream::that_says("application/json", whole("never asked"));
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &[]);
    let ask = |body: &str| {
        let response = guard.request("POST", "/beta/litellm_basic_guardrail_api", "", body);
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    };
    let fine = ask("{\"texts\": [\"My lamp flickers.\"], \"input_type\": \"request\", \"request_data\": {}}");
    assert_eq!(fine["action"], "NONE");
    let bad = ask("{\"texts\": [\"Do a BAD thing\"], \"input_type\": \"request\"}");
    assert_eq!(bad["action"], "BLOCKED");
    assert!(bad["blocked_reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{bad}");
    let told = ask("{\"texts\": [\"Fine.\", \"A BAD answer\"], \"input_type\": \"response\",\
         \"structured_messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}");
    assert_eq!(
        (&told["action"], &told["texts"][0]),
        (&"GUARDRAIL_INTERVENED".into(), &"Fine.".into()),
        "{told}"
    );
    assert_eq!(told["texts"][1], KIND, "{told}");
    let images = ask("{\"texts\": [], \"images\": [\"aGk=\"], \"input_type\": \"request\"}");
    assert_eq!(images["action"], "BLOCKED");
    let wrong = guard.request("POST", "/beta/litellm_basic_guardrail_api", "", "{\"input_type\": \"both\"}");
    assert_eq!(wrong.status, 400);
    let decisions: Vec<String> =
        done(&scratch).iter().map(|line| line["decision"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(decisions, ["answered", "answered-by-style", "revised", "could-not-judge"]);
}

#[test]
fn each_application_is_judged_by_its_own_constitution() {
    let scratch = Scratch::new();
    scratch.write("shop.toml", constitution());
    scratch.write("other.toml", constitution().replace("project nightingale", "project robin"));
    let apps = "guard.app=[{ name = \"shop\", token_env = \"SHOP_TOKEN\" }, \
                { name = \"other\", token_env = \"OTHER_TOKEN\", constitution = \"other.toml\" }]";
    let upstream = RawUpstream::that_says("application/json", whole("Fine."));
    let more = [&["--constitution", "shop.toml", "--set", apps], &RULES[..]].concat();
    let tokens = [("SHOP_TOKEN", "one"), ("OTHER_TOKEN", "two")];
    let guard = Guarding::start_with(&scratch, &upstream.url, "http://127.0.0.1:9/v1", &more, &tokens);
    let ask = |token: &str, text: &str| {
        let header = format!("authorization: Bearer {token}\r\n");
        let response = guard.request("POST", "/v1/chat/completions", &header, &chat_body(text, false));
        (response.status, response.header("x-amend-decision").map(str::to_owned))
    };
    let declined = (200, Some("answered-by-style".to_owned()));
    let answered = (200, Some("answered".to_owned()));
    assert_eq!(ask("one", "What is project nightingale?"), declined);
    assert_eq!(ask("two", "What is project nightingale?"), answered);
    assert_eq!(ask("one", "What is project robin?"), answered);
    assert_eq!(ask("two", "What is project robin?"), declined);
    assert_eq!(ask("three", "Hello"), (401, None), "only applications may ask");
    let apps: Vec<String> =
        done(&scratch).iter().map(|line| line["app"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(apps, ["shop", "other", "shop", "other"]);
    drop(guard);
    let told = scratch
        .run(&[
            "guard",
            "--model",
            "m",
            "--base-url",
            "http://127.0.0.1:9/v1",
            "--constitution",
            "shop.toml",
            "--set",
            "guard.app=[{ name = \"shop\", token_env = \"UNSET_TOKEN\" }]",
        ])
        .code(2)
        .err;
    assert!(told.contains("the variable `UNSET_TOKEN` is not set"), "{told}");
}

#[test]
fn a_model_that_was_trained_to_judge_safety_is_a_judge() {
    let scratch = Scratch::new();
    let (to_test, hears) = std::sync::mpsc::channel();
    let judge = ScriptedEndpoint::start(move |request| {
        let turns = request["messages"].as_array().expect("messages").clone();
        let last = turns.last().expect("a turn")["content"].as_str().expect("a text").to_owned();
        let _ = to_test.send(turns);
        if last.contains("BAD") { "\n\nunsafe\nS9".into() } else { "\n\nsafe".into() }
    });
    let upstream = RawUpstream::start(|_, request, stream| {
        let text = if request["messages"][0]["content"] == "tricky" { "A BAD answer" } else { "Fine." };
        respond(stream, 200, "application/json", whole(text).as_bytes());
    });
    let more = ["--set", "guard.judge.form=llama-guard", "--set", "guard.output.on_violation=replace"];
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &more);
    assert_eq!(guard.chat("Hello", false).content(), "Fine.");
    let shown = [hears.recv().expect("a request"), hears.recv().expect("an answer")];
    assert_eq!(shown[0].len(), 1, "the request, and no policy: {shown:?}");
    assert_eq!(shown[1][1]["role"], "assistant");
    assert_eq!(guard.chat("Do a BAD thing", false).header("x-amend-decision"), Some("answered-by-style"));
    assert_eq!(guard.chat("tricky", false).header("x-amend-decision"), Some("replaced"));
    let line = done(&scratch).pop().expect("a line");
    assert!(line["hazard"].as_str().is_some_and(|hazard| hazard.starts_with("weap")), "{line}");
    assert_eq!(line["output"]["checks"][0]["severity"], 4);
}
