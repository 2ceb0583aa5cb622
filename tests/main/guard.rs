//! `amend guard` as clients meet it: what passes, what does not, and what is written down.

use crate::guard_support::{
    END, Guarding, RawUpstream, begin_stream, chat_body, chunk, done, judge, question, respond, whole,
};
use crate::scripted_endpoint::ScriptedEndpoint;
use crate::support::Scratch;
use std::io::{BufRead as _, Read as _, Write as _};
use std::sync::mpsc;

const KIND: &str = "I can help with lamps, and I would be glad to.";

#[test]
fn guard_passes_what_conforms_byte_for_byte() {
    let scratch = Scratch::new();
    let judge = judge(KIND);
    let odd = "{ \"choices\":[ {\"index\":0,\r\n \"message\":{\"role\":\"assistant\",\"content\":\"Gr\\u00fc\\u00df dich 😀\"}, \
               \"later\":{\"field\":1} } ], \"usage\" : null }\n";
    let upstream = RawUpstream::that_says("application/json; charset=utf-8", odd);
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &[]);
    let response = guard.chat("Hello", false);
    assert_eq!((response.status, response.text().as_str()), (200, odd));
    assert_eq!(response.header("x-amend-decision"), Some("answered"));
    assert_eq!(response.header("x-upstream"), Some("yes"));
    assert_eq!(response.header("content-type"), Some("application/json; charset=utf-8"));
    assert!(response.header("x-amend-id").is_some_and(|id| id.starts_with('g')));
    drop(guard);

    let words: String = (0..90).map(|n| chunk(&format!("wörd{n} "))).collect();
    let stream = format!(": hello\r\n\r\n{words}event: x\nid: 7\n\n{END}");
    let upstream = RawUpstream::that_says("text/event-stream", stream.clone());
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &[]);
    let response = guard.chat("Hello", true);
    assert_eq!(response.text(), stream);
    assert!(response.is_whole);
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    let audit = done(&scratch);
    assert_eq!(audit.len(), 2);
    for line in &audit {
        assert_eq!(line["decision"], "answered", "{line}");
        assert_eq!(line["input"]["verdict"], "conforms", "{line}");
        let checks = line["output"]["checks"].as_array().expect("checks");
        assert_eq!(
            checks.last().map(|check| &check["upto"]),
            Some(&line["output"]["released_before"]),
            "{line}"
        );
    }
}

#[test]
fn guard_declines_a_request_and_waits_for_no_model() {
    let scratch = Scratch::new();
    let judge = judge(KIND);
    let (gone, hears) = mpsc::channel();
    let upstream = RawUpstream::start(move |_, _, stream| {
        // It never answers: what ends its wait is that the guard goes away.
        let _ = stream.read(&mut [0; 64]);
        let _ = gone.send(());
    });
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &[]);
    let response = guard.chat("Do a BAD thing", false);
    assert_eq!((response.status, response.header("x-amend-decision")), (200, Some("answered-by-style")));
    assert!(response.content().contains("outside what I can help with"), "{}", response.text());
    assert_eq!(response.json()["choices"][0]["finish_reason"], "stop");
    hears.recv().expect("the model's request was given up");
    let response = guard.chat("Do a BAD thing", true);
    assert!(response.streamed().contains("outside what I can help with"), "{}", response.text());
    assert!(response.text().ends_with("data: [DONE]\n\n"));
    for word in ["stays-on-the-product", "Lumo", "principle", "BAD"] {
        assert!(!response.text().contains(word) && !response.head.contains(&word.to_lowercase()), "{word}");
    }
    drop(guard);
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &["--set", "guard.answer.as=error"]);
    let response = guard.chat("Do a BAD thing", true);
    assert_eq!((response.status, &response.json()["error"]["code"]), (400, &"content_filter".into()));
    let line = done(&scratch).pop().expect("a line");
    assert_eq!(line["input"]["principles"][0], "stays-on-the-product");
    assert_eq!((&line["hazard"], &line["output"]["verdict"]), (&"appl.scope".into(), &"not-scanned".into()));
}

#[test]
fn guard_revises_an_answer_and_judges_the_revision_once() {
    let scratch = Scratch::new();
    let kind = judge(KIND);
    let upstream = RawUpstream::start(|_, request, stream| {
        if request["stream"] == true {
            begin_stream(stream);
            let _ = stream.write_all(format!("{}{END}", chunk("A BAD answer.")).as_bytes());
        } else {
            respond(stream, 200, "application/json", whole("A BAD answer.").as_bytes());
        }
    });
    let full = ["--set", "guard.output.hold=full"];
    let guard = Guarding::start(&scratch, &upstream.url, &kind.url, &full);
    let response = guard.chat("Hello", false);
    assert_eq!((response.content().as_str(), response.header("x-amend-decision")), (KIND, Some("revised")));
    let response = guard.chat("Hello", true);
    assert_eq!((response.streamed().as_str(), response.header("x-amend-decision")), (KIND, Some("revised")));
    assert!(response.text().ends_with("data: [DONE]\n\n"));
    drop(guard);
    let stubborn = judge("A BAD revision, as before.");
    let guard = Guarding::start(&scratch, &upstream.url, &stubborn.url, &full);
    let response = guard.chat("Hello", false);
    assert_eq!(response.header("x-amend-decision"), Some("replaced"));
    assert!(response.content().contains("outside what I can help with"), "{}", response.text());
    for line in done(&scratch) {
        assert_eq!(line["output"]["released_before"], 0, "{line}");
        assert_eq!(line["output"]["checks"].as_array().map(Vec::len), Some(2), "{line}");
    }
}

#[test]
fn guard_stops_a_stream_behind_what_a_check_has_passed() {
    let scratch = Scratch::new();
    let (asked, hears) = mpsc::channel();
    let judge = ScriptedEndpoint::start(move |request| {
        let (what, text) = question(request).expect("a question of the guard");
        if what == "answer" {
            let _ = asked.send(());
        }
        if text.contains("BAD") { "[stays-on-the-product] violates".into() } else { "none".into() }
    });
    let good: String = "word ".repeat(24);
    let part = chunk(&good);
    let upstream = RawUpstream::start({
        let part = part.clone();
        move |_, _, stream| {
            begin_stream(stream);
            let _ = stream.write_all(part.as_bytes());
            // The rest comes when the first part is being judged.
            hears.recv().expect("a check");
            let bad = chunk(&format!("{} BAD", "more ".repeat(60)));
            let _ = stream.write_all(format!("{bad}{END}").as_bytes());
        }
    });
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &[]);
    let response = guard.chat("Hello", true);
    assert_eq!(response.header("x-amend-decision"), Some("forwarded"));
    let text = response.text();
    assert!(text.starts_with(&part), "{text}");
    assert!(!text.contains("BAD") && !text.contains("more"), "{text}");
    assert!(
        text.contains("\"finish_reason\":\"content_filter\"") && text.ends_with("data: [DONE]\n\n"),
        "{text}"
    );
    assert!(response.is_whole);
    let line = done(&scratch).pop().expect("a line");
    assert_eq!(
        (&line["decision"], &line["output"]["released_before"]),
        (&"stopped".into(), &30.into()),
        "{line}"
    );
}

#[test]
fn guard_in_shadow_gives_the_upstreams_bytes_and_says_what_it_would_do() {
    let scratch = Scratch::new();
    let judge = judge(KIND);
    let stream = format!(": aside\n\n{}{END}", chunk("A BAD answer."));
    let upstream = RawUpstream::that_says("text/event-stream", stream.clone());
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &["--mode", "shadow"]);
    let response = guard.chat("Hello", true);
    assert_eq!((response.text(), response.header("x-amend-decision")), (stream.clone(), None));
    assert_eq!(guard.chat("Do a BAD thing", true).text(), stream);
    drop(upstream);
    let (code, _) = guard.end();
    assert_eq!(code, Some(0), "what looks on is drained too");
    let found: Vec<_> = done(&scratch)
        .iter()
        .map(|line| (line["decision"].as_str().map(str::to_owned), line["would"].as_str().map(str::to_owned)))
        .collect();
    let would = |would: &str| (Some("answered".to_owned()), Some(would.to_owned()));
    assert!(found.contains(&would("revised")) && found.contains(&would("answered-by-style")), "{found:?}");
}

#[test]
fn guard_takes_what_nobody_could_judge_for_fine_only_below_severity_3() {
    let scratch = Scratch::new();
    let judge = judge(KIND);
    let upstream = RawUpstream::that_says("application/json", whole("GARBAGE in, garbage out."));
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &[]);
    let response = guard.chat("Hello", false);
    assert_eq!(response.header("x-amend-decision"), Some("could-not-judge"));
    assert!(response.content().contains("try again"), "{}", response.text());
    drop(guard);
    let mild = "[constitution]\nid = \"mild\"\nversion = \"1.0.0\"\ntitle = \"Mild\"\n\
                [[principle]]\nid = \"short\"\ntext = \"The response is short.\"\n";
    scratch.write("mild.toml", mild);
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &["--constitution", "mild.toml"]);
    assert_eq!(guard.chat("Hello", false).header("x-amend-decision"), Some("answered"));
    drop(guard);
    let long = RawUpstream::that_says("application/json", whole(&"long ".repeat(300)));
    let guard = Guarding::start(&scratch, &long.url, &judge.url, &["--set", "guard.output.max_held_kib=1"]);
    assert_eq!(guard.chat("Hello", false).header("x-amend-decision"), Some("could-not-judge"));
    let line = done(&scratch).pop().expect("a line");
    assert_eq!(line["why"], "the answer is longer than may be held back", "{line}");
    drop(guard);
    // A judge that is not there is no other than one that talks nonsense.
    let nobody = "http://127.0.0.1:9/v1";
    let guard = Guarding::start(&scratch, &upstream.url, nobody, &["--set", "guard.answer.as=error"]);
    let response = guard.chat("Hello", false);
    assert_eq!((response.status, &response.json()["error"]["code"]), (503, &"could_not_judge".into()));
    assert!(guard.metric("amend_guard_undecided_total{stage=\"output\",acted=\"closed\"}") > 0.0);
}

#[test]
fn guard_keeps_texts_and_keys_out_of_everything_but_the_way() {
    let scratch = Scratch::new();
    let judge = judge(KIND);
    let (keys, heard) = mpsc::channel();
    let upstream = RawUpstream::start(move |head, request, stream| {
        let key =
            head.lines().find(|line| line.to_lowercase().starts_with("authorization")).map(str::to_owned);
        let _ = keys.send(key);
        let text = request["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        respond(stream, 200, "application/json", whole(&text).as_bytes());
    });
    let more = ["--set", "guard.upstream.pass_key=true"];
    let env = [("RUST_LOG", "debug"), ("OPENAI_API_KEY", "sk-canary-own-key")];
    let guard = Guarding::start_with(&scratch, &upstream.url, &judge.url, &more, &env);
    for text in ["canary-text", "canary-text BAD", "canary-text GARBAGE"] {
        let key = "authorization: Bearer canary-key\r\n";
        guard.request("POST", "/v1/chat/completions", key, &chat_body(text, false));
    }
    let key = heard.recv().expect("a request").expect("a key");
    assert!(key.ends_with("Bearer canary-key"), "the client's key, and not the guard's: {key}");
    let metrics = guard.metrics();
    let (_, told) = guard.end();
    let audit = std::fs::read_to_string(scratch.path("audit.jsonl")).expect("the audit");
    assert!(audit.contains("sha256") && told.contains("DEBUG"), "{told}");
    for (place, text) in [("audit", audit), ("metrics", metrics), ("log", told)] {
        assert!(!text.contains("canary"), "{place}: {text}");
    }
}

#[test]
fn guard_books_agree() {
    let scratch = Scratch::new();
    let judge = judge(KIND);
    let upstream = RawUpstream::start(|_, request, stream| {
        let asked = request["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        match asked.as_str() {
            "down" => respond(stream, 503, "text/html", b"<h1>down</h1>"),
            "html" => respond(stream, 200, "text/html", b"<h1>hello</h1>"),
            "spoilt" => respond(stream, 200, "application/json", whole("BAD").as_bytes()),
            _ => respond(stream, 200, "application/json", whole("Fine.").as_bytes()),
        }
    });
    let guard =
        Guarding::start(&scratch, &upstream.url, &judge.url, &["--set", "guard.output.on_violation=replace"]);
    let mut expected = std::collections::BTreeMap::<&str, usize>::new();
    for (text, decision, status) in [
        ("Hello", "answered", 200),
        ("BAD", "answered-by-style", 200),
        ("spoilt", "replaced", 200),
        ("down", "upstream-failed", 503),
        ("html", "upstream-failed", 502),
        ("Hello", "answered", 200),
    ] {
        let response = guard.chat(text, false);
        assert_eq!(
            (response.status, response.header("x-amend-decision")),
            (status, Some(decision)),
            "{text}"
        );
        *expected.entry(decision).or_default() += 1;
    }
    let metrics = guard.metrics();
    let audit = std::fs::read_to_string(scratch.path("audit.jsonl")).expect("the audit");
    assert_eq!(audit.matches("\"event\":\"received\"").count(), 6);
    for (decision, n) in expected {
        let line = format!("amend_guard_requests_total{{decision=\"{decision}\",route=\"chat\"}} {n}");
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
        assert_eq!(done(&scratch).iter().filter(|line| line["decision"] == decision).count(), n);
    }
    assert!(metrics.contains("amend_guard_held_bytes 0\n"), "{metrics}");
}

#[test]
fn guard_lets_nothing_through_that_it_does_not_check_unless_it_is_named() {
    let scratch = Scratch::new();
    let judge = judge(KIND);
    let upstream = RawUpstream::start(|head, _, stream| {
        let line = head.lines().next().unwrap_or_default().to_owned();
        respond(stream, 200, "text/plain", line.as_bytes());
    });
    let named =
        ["--set", "guard.unguarded.paths=[\"/v1/embeddings\"]", "--set", "guard.input.max_body_kib=1"];
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &named);
    let passed = guard.request("POST", "/v1/embeddings?a=b", "", "{}");
    assert_eq!(passed.text(), "POST /v1/embeddings?a=b HTTP/1.1");
    assert_eq!(guard.request("GET", "/v1/models", "", "").text(), "GET /v1/models HTTP/1.1");
    for path in ["/v1/responses", "/v1/embeddings/", "/v1/chat/completions/", "//v1/chat/completions"] {
        let refused = guard.request("POST", path, "", "{}");
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.text().contains("under `[guard]`"), "{}", refused.text());
    }
    assert_eq!(guard.chat(&"x".repeat(2_000), false).status, 413);
    let parts = "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"u\"}}]}]}";
    let refused = guard.request("POST", "/v1/chat/completions", "", parts);
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &"unscannable_content".into()));
    assert_eq!(guard.request("POST", "/v1/chat/completions", "", "{").status, 400);
    assert_eq!(guard.request("GET", "/healthz", "", "").text(), "ok\n");
    assert_eq!(guard.request("GET", "/readyz", "", "").status, 200);
    let moderated = guard.request("POST", "/v1/moderations", "", "{\"input\":[\"BAD\",\"fine\"]}").json();
    assert_eq!(
        (&moderated["results"][0]["flagged"], &moderated["results"][1]["flagged"]),
        (&true.into(), &false.into())
    );
    assert_eq!(moderated["results"][0]["categories"]["appl.scope"], true);
}

#[test]
fn guard_wants_a_token_where_others_can_reach_it() {
    let scratch = Scratch::new();
    let judge = judge(KIND);
    let upstream = RawUpstream::that_says("application/json", whole("Fine."));
    let recipe = ["guard", "--model", "m", "--base-url", &judge.url, "--listen", "0.0.0.0:0"];
    let done = scratch.run(&[&recipe[..], &["--constitution", "minimal"]].concat()).code(2);
    assert!(done.err.contains("--token-env"), "{}", done.err);
    let done =
        scratch.run(&[&recipe[..], &["--constitution", "minimal", "--token-env", "NONE"]].concat()).code(2);
    assert!(done.err.contains("`NONE` is not set"), "{}", done.err);
    let env = [("TOKEN", "open-sesame")];
    let guard = Guarding::start_with(&scratch, &upstream.url, &judge.url, &["--token-env", "TOKEN"], &env);
    assert_eq!(guard.chat("Hello", false).status, 401);
    assert_eq!(guard.request("GET", "/metrics", "", "").status, 401);
    assert_eq!(guard.request("GET", "/healthz", "", "").status, 200);
    for header in ["authorization: Bearer open-sesame\r\n", "x-amend-token: open-sesame\r\n"] {
        let body = chat_body("Hello", false);
        assert_eq!(
            guard.request("POST", "/v1/chat/completions", header, &body).content(),
            "Fine.",
            "{header}"
        );
    }
}

#[test]
fn guard_reads_its_constitution_again_and_keeps_the_old_one_where_the_new_is_bad() {
    let scratch = Scratch::new();
    let judge = judge(KIND);
    let upstream = RawUpstream::that_says("application/json", whole("Fine."));
    let file = |version: &str| {
        format!(
            "[constitution]\nid = \"mine\"\nversion = \"{version}\"\ntitle = \"Mine\"\n\
             [[principle]]\nid = \"short\"\ntext = \"The response is short.\"\n"
        )
    };
    scratch.write("mine.toml", file("1.0.0"));
    let mut guard = Guarding::start(&scratch, &upstream.url, &judge.url, &["--constitution", "mine.toml"]);
    let hear = |guard: &mut Guarding, word: &str| {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert!(guard.stderr.read_line(&mut line).expect("a line") > 0, "{word} was never said");
        }
    };
    hear(&mut guard, "guards");
    scratch.write("mine.toml", file("2.0.0"));
    guard.signal("-HUP");
    hear(&mut guard, "now guards by `mine 2.0.0`");
    assert!(guard.metrics().contains("constitution=\"mine 2.0.0\""));
    scratch.write("mine.toml", "[constitution]\nidd = 3\n");
    guard.signal("-HUP");
    hear(&mut guard, "stays in force");
    assert!(guard.metrics().contains("constitution=\"mine 2.0.0\""));
    assert!((guard.metric("amend_guard_reload_failed_total") - 1.0).abs() < 0.1);
    guard.chat("Hello", false);
    assert_eq!(done(&scratch).pop().expect("a line")["constitution"], "mine 2.0.0");
}

#[test]
fn guard_tells_a_client_when_the_upstream_fails() {
    let scratch = Scratch::new();
    let (asked, hears) = mpsc::channel();
    let judge = ScriptedEndpoint::start(move |request| {
        if question(request).is_some_and(|(what, _)| what == "answer") {
            let _ = asked.send(());
        }
        "none".into()
    });
    let upstream = RawUpstream::start(move |_, request, stream| {
        if request["stream"] == true {
            begin_stream(stream);
            let _ = stream.write_all(chunk(&"word ".repeat(24)).as_bytes());
            hears.recv().expect("a check");
            // The connection ends, and the answer does not.
        } else {
            respond(stream, 429, "application/json", b"{\"error\":{\"message\":\"slow down\"}}");
        }
    });
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &[]);
    let response = guard.chat("Hello", false);
    assert_eq!((response.status, response.text().as_str()), (429, "{\"error\":{\"message\":\"slow down\"}}"));
    let response = guard.chat("Hello", true);
    let text = response.text();
    assert!(text.contains("upstream_failed") && !text.contains("[DONE]"), "{response:?}");
    assert_eq!(done(&scratch).pop().expect("a line")["decision"], "upstream-failed");
    drop(upstream);
    let response = guard.chat("Hello", false);
    assert_eq!((response.status, &response.json()["error"]["code"]), (502, &"upstream_failed".into()));
}

#[test]
fn guard_gives_a_request_up_when_its_client_is_gone() {
    let scratch = Scratch::new();
    let judge = judge(KIND);
    let (to_test, hears) = mpsc::channel();
    let upstream = RawUpstream::start(move |_, _, stream| {
        begin_stream(stream);
        let _ = to_test.send("asked");
        let _ = stream.read(&mut [0; 64]);
        let _ = to_test.send("gone");
    });
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &[]);
    let client = guard.connect("POST", "/v1/chat/completions", "", &chat_body("Hello", true));
    assert_eq!(hears.recv(), Ok("asked"));
    drop(client);
    assert_eq!(hears.recv(), Ok("gone"), "the model's request is given up");
    assert_eq!(guard.end().0, Some(0));
    assert_eq!(done(&scratch).pop().expect("a line")["decision"], "cancelled");
}

#[test]
fn guard_steers_what_the_recipe_names_and_checks_endpoints_first() {
    let scratch = Scratch::new();
    let judge = judge(KIND);
    let upstream = RawUpstream::start(|head, request, stream| {
        let messages = request["messages"].as_array().map_or(0, Vec::len);
        let text = if head.starts_with("GET") {
            "{\"data\":[]}".to_owned()
        } else {
            whole(&format!("{messages} turns"))
        };
        respond(stream, 200, "application/json", text.as_bytes());
    });
    let steers = ["--set", "guard.steer.hazards=[\"appl\"]"];
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &steers);
    let response = guard.chat("Do a BAD thing", false);
    assert_eq!(response.header("x-amend-decision"), Some("answered"));
    assert_eq!(response.content(), "2 turns", "a hint stands before the request");
    drop(guard);
    let check = ["guard", "--constitution", "minimal", "--model", "m", "--base-url", &judge.url, "--check"];
    let done = scratch.run(&[&check[..], &["--upstream", &upstream.url]].concat()).code(0);
    assert!(done.out.contains("judge") && done.out.contains("upstream"), "{}", done.out);
    let done = scratch.run(&[&check[..], &["--upstream", "http://127.0.0.1:9/v1"]].concat()).code(3);
    assert!(done.err.contains("the upstream does not answer"), "{}", done.err);
    let done = scratch.run(&["guard", "--constitution", "minimal", "--model", "sim"]).code(2);
    assert!(done.err.contains("there is no model to guard"), "{}", done.err);
    let done = scratch.run(&[&check[..], &["--set", "guard.output.hold=ful"]].concat()).code(2);
    assert!(done.err.contains("did you mean `full`?"), "{}", done.err);
}

#[test]
fn guard_finishes_what_is_in_flight_and_a_kill_leaves_what_was_received() {
    let scratch = Scratch::new();
    let judge = judge(KIND);
    let (go_on, waits) = mpsc::channel();
    let (to_test, hears) = mpsc::channel();
    let upstream = RawUpstream::start(move |_, _, stream| {
        begin_stream(stream);
        let _ = to_test.send(());
        let _ = waits.recv();
        let _ = stream.write_all(format!("{}{END}", chunk("Fine.")).as_bytes());
    });
    let mut guard = Guarding::start(&scratch, &upstream.url, &judge.url, &[]);
    let mut client = guard.connect("POST", "/v1/chat/completions", "", &chat_body("Hello", true));
    hears.recv().expect("the model is asked");
    guard.signal("-TERM");
    go_on.send(()).expect("the model answers");
    let mut text = String::new();
    client.read_to_string(&mut text).expect("an answer");
    assert!(text.contains("Fine.") && text.contains("[DONE]"), "{text}");
    assert_eq!(guard.child.wait().expect("its end").code(), Some(0));
    assert_eq!(done(&scratch).len(), 1);

    let mut guard = Guarding::start(&scratch, &upstream.url, &judge.url, &[]);
    let _client = guard.connect("POST", "/v1/chat/completions", "", &chat_body("Hello", true));
    hears.recv().expect("the model is asked");
    guard.child.kill().expect("killed");
    guard.child.wait().expect("its end");
    go_on.send(()).expect("the model answers nobody");
    let audit = std::fs::read_to_string(scratch.path("audit.jsonl")).expect("the audit");
    assert_eq!(audit.matches("\"event\":\"received\"").count(), 2, "written before the model is asked");
    assert_eq!(done(&scratch).len(), 1);
}
