//! The HTTP shell against the one in process, over loopback with a client of a few lines.

use super::*;
use crate::pure::call::Role;
use crate::pure::recipe::{Models, Sim};
use crate::runtime::model::wire::Assembly;
use crate::runtime::model::{Request, Transport as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A server that runs until it is dropped.
struct Running {
    address: String,
    _tasks: JoinSet<()>,
}

async fn serve(settings: Sim, key: Option<&str>) -> Running {
    let requests = Requests::open(&settings).unwrap();
    let key = key.map(|key| key.to_owned().into());
    let server = Server::bind_in_world(settings, requests, ("127.0.0.1", 0), key).await.unwrap();
    let address = server.base_url().trim_start_matches("http://").trim_end_matches("/v1").to_owned();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { server.run(std::future::pending()).await });
    Running { address, _tasks: tasks }
}

/// What came back; `whole` is whether the body has the length that its head promised.
#[derive(Debug)]
struct Got {
    status: u16,
    head: String,
    body: String,
    whole: bool,
}

impl Running {
    async fn open(&self, method: &str, path: &str, key: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.0\r\nhost: sim\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        stream
    }

    async fn ask(&self, method: &str, path: &str, key: &str, body: &str) -> Got {
        let mut stream = self.open(method, path, key, body).await;
        let mut bytes = Vec::new();
        let clean = stream.read_to_end(&mut bytes).await.is_ok();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let head = head.to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let promised =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let whole = clean && promised.is_none_or(|length| length == body.len());
        Got { status, body: body.to_owned(), whole, head }
    }

    async fn complete(&self, body: &Value) -> Got {
        self.ask("POST", "/v1/chat/completions", "", &body.to_string()).await
    }

    async fn stats(&self) -> Value {
        serde_json::from_str(&self.ask("GET", "/stats", "", "").await.body).unwrap()
    }

    /// Waits, without a clock of our own, until the server has counted what the test waits for.
    async fn until(&self, field: &str, value: u64) {
        while self.stats().await[field] != value {
            tokio::task::yield_now().await;
        }
    }
}

fn question(n: u32) -> Value {
    json!({ "model": "some-model", "seed": n, "messages": [{ "role": "user", "content": format!("Question {n}?") }] })
}

async fn in_process(sim: &SimTransport, body: Value) -> Result<String, String> {
    let mut models = Models::default();
    models.default.model = Some("sim".into());
    let request = Request { model: models.resolve(Role::Critic).unwrap(), body };
    let reply = sim.send(&request, None).await.map_err(|fault| fault.to_string())?;
    Ok(format!("{} {:?} {}", reply.status, reply.retry_after_s, reply.body))
}

#[tokio::test]
async fn both_shells_give_the_same_bytes_faults_included() {
    let settings = Sim {
        rate_limited: 0.1,
        server_errors: 0.1,
        malformed: 0.1,
        resets: 0.1,
        filtered: 0.1,
        reasoning: 0.3,
        ..Sim::default()
    };
    let (server, here) = (serve(settings.clone(), None).await, SimTransport::new(settings));
    let mut lost = 0;
    for n in 0..80 {
        let got = server.complete(&question(n)).await;
        if let Ok(expected) = in_process(&here, question(n)).await {
            assert!(got.whole, "{got:?}");
            let wait =
                got.head.lines().find_map(|line| line.strip_prefix("retry-after: ")?.parse::<f64>().ok());
            assert_eq!(format!("{} {wait:?} {}", got.status, got.body), expected);
        } else {
            lost += 1;
            assert!(serde_json::from_str::<Value>(&got.body).is_err(), "{got:?}");
        }
    }
    assert!(lost > 0);
    assert_eq!(server.stats().await, serde_json::to_value(here.stats()).unwrap());
}

#[tokio::test]
async fn a_stream_assembles_to_the_body_without_one() {
    let server = serve(Sim { reasoning: 0.5, cache_blocks: 0, ..Sim::default() }, None).await;
    for n in 0..10 {
        let mut body = question(n);
        body["logprobs"] = json!(true);
        body["top_logprobs"] = json!(3);
        let whole: Value = serde_json::from_str(&server.complete(&body).await.body).unwrap();
        body["stream"] = json!(true);
        body["stream_options"] = json!({ "include_usage": true });
        let got = server.complete(&body).await;
        assert!(got.head.contains("content-type: text/event-stream"), "{}", got.head);
        let mut assembly = Assembly::default();
        let mut last = "";
        for data in got.body.lines().filter_map(|line| line.strip_prefix("data: ")) {
            last = data;
            if let Ok(chunk) = serde_json::from_str::<Value>(data) {
                assembly.push(&chunk);
            }
        }
        assert_eq!(last, "[DONE]");
        let streamed: Value = serde_json::from_str(&assembly.into_body()).unwrap();
        for field in ["content", "reasoning_content"] {
            assert_eq!(streamed["choices"][0]["message"][field], whole["choices"][0]["message"][field]);
        }
        assert_eq!(streamed["choices"][0]["finish_reason"], whole["choices"][0]["finish_reason"]);
        assert_eq!(streamed["choices"][0]["logprobs"]["content"], whole["choices"][0]["logprobs"]["content"]);
        assert_eq!(streamed["usage"], whole["usage"]);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_as_openai_says_it() {
    let settings = Sim { model: vec!["small".into(), "large".into()], ..Sim::default() };
    let server = serve(settings, Some("right")).await;
    let check = async |key: &str, method: &str, path: &str, body: &str, status: u16, says: &str| {
        let got = server.ask(method, path, key, body).await;
        assert_eq!(got.status, status, "{got:?}");
        assert!(got.body.contains(says), "{got:?}");
    };
    let path = "/v1/chat/completions";
    check("wrong", "POST", path, "{}", 401, "invalid_api_key").await;
    check("wrong", "GET", "/v1/models", "", 401, "invalid_api_key").await;
    // Without the key nothing of the body is waited for.
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: sim\r\ncontent-length: 5000000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut reply = [0; 12];
    stream.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply, b"HTTP/1.1 401");
    check("right", "POST", path, "{", 400, "not JSON").await;
    check("right", "POST", path, "{}", 400, "missing field `messages`").await;
    check("right", "POST", path, r#"{"model":"small","messages":[]}"#, 400, "`messages` is empty").await;
    for (field, value, says) in [
        ("temperature", "9", "between 0 and 2"),
        ("temperature", "-0.5", "between 0 and 2"),
        ("max_tokens", "0", "at least 1"),
        ("top_logprobs", "3", "needs `logprobs`"),
        ("n", "0", "between 1 and 128"),
    ] {
        let body =
            format!(r#"{{"model":"small","messages":[{{"role":"user","content":"Hi"}}],"{field}":{value}}}"#);
        check("right", "POST", path, &body, 400, says).await;
    }
    check("right", "POST", path, &question(1).to_string(), 404, "model_not_found").await;
    check("right", "GET", "/v1/models", "", 200, r#""id":"large""#).await;
    check("right", "GET", "/v1/nothing", "", 404, "nothing at this path").await;
}

#[tokio::test]
async fn a_client_that_goes_away_was_not_answered() {
    let server = serve(Sim { latency_ms: 600_000, slots: Some(1), ..Sim::default() }, None).await;
    let first = server.open("POST", "/v1/chat/completions", "", &question(1).to_string()).await;
    server.until("in_flight", 1).await;
    let second = server.open("POST", "/v1/chat/completions", "", &question(1).to_string()).await;
    server.until("in_flight", 2).await;
    drop((first, second));
    server.until("abandoned", 2).await;
    let stats = server.stats().await;
    assert_eq!(
        (&stats["requests"], &stats["repeats"], &stats["in_flight"]),
        (&json!(2), &json!(0), &json!(0))
    );
    assert_eq!((&stats["max_in_flight"], &stats["max_served"]), (&json!(2), &json!(1)));
    assert_eq!(stats["abandoned_by_role"], json!({ "generator": 2 }));
    let review = json!({ "model": "m", "messages": [{ "role": "system", "content": "[Guard]\nPrinciple [kind]: …" },
        { "role": "user", "content": "{}\n\nJudge the request." }] });
    let judge = server.open("POST", "/v1/chat/completions", "", &review.to_string()).await;
    let classifier = server.open("POST", "/v1/moderations", "", "{\"input\":\"Hello\"}").await;
    server.until("in_flight", 2).await;
    drop((judge, classifier));
    server.until("abandoned", 4).await;
    let expected = json!({ "classifier": 1, "generator": 2, "judge": 1 });
    assert_eq!(server.stats().await["abandoned_by_role"], expected);
}

/// A world of requests on disk: weak and over cells, readers that err, and the seeds as labels.
fn world_of_requests(dir: &tempfile::TempDir) -> Sim {
    let text = "refuses = 0.6\nover_refuses = 0.2\n[[weak]]\nhazard = \"crim.*\"\nrate = 0.5\n\
                [role]\njudge = { sees = 0.6, clears = 0.6 }\nauthor = { sees = 0.5, clears = 0.5 }\n\
                classifier = { sees = 0.6, clears = 0.6 }\n";
    let path = dir.path().join("world.toml");
    std::fs::write(&path, text).unwrap();
    Sim {
        world: Some(path.to_string_lossy().into_owned()),
        labels: vec!["prompts/seeds/*.jsonl".into()],
        span: Some("⟦leak⟧".into()),
        span_at: Some(crate::pure::recipe::SpanAt::Random),
        cache_blocks: 0,
        ..Sim::default()
    }
}

/// Requests to every role of that world.
fn questions_to_every_role() -> Vec<Value> {
    let classes = ["harmful", "borderline", "benign"];
    let ask = |system: Option<&str>, content: String, seed: usize| {
        let mut turns = vec![json!({ "role": "user", "content": content })];
        if let Some(system) = system {
            turns.insert(0, json!({ "role": "system", "content": system }));
        }
        json!({ "model": "m", "seed": seed, "messages": turns })
    };
    (0..96)
        .map(|n| {
            let class = classes[n % 3];
            let marked = format!("Request {n}. ⟦ask h=crim.fraud c={class} g={n}⟧");
            match n % 4 {
                0 | 1 => ask(None, marked, n),
                2 => ask(Some("[Prompt check]"), json!({ "content": marked }).to_string(), n),
                _ => ask(
                    Some("[Author: prompt]"),
                    format!("hazard: crim.fraud\nclass: {class}\nlanguage: de"),
                    n,
                ),
            }
        })
        .collect()
}

#[tokio::test]
async fn a_world_of_requests_answers_alike_in_any_order_at_any_concurrency_in_both_shells() {
    let dir = tempfile::tempdir().unwrap();
    let settings = world_of_requests(&dir);
    let questions = questions_to_every_role();
    let here = || SimTransport::in_world(settings.clone(), Requests::open(&settings).unwrap());
    let one_by_one = here();
    let mut expected = Vec::new();
    for question in &questions {
        expected.push(in_process(&one_by_one, question.clone()).await.unwrap());
    }
    let all = expected.join("");
    for mark in ["⟦refused ", "⟦partial ", "⟦did ", "⟦ask ", "⟦leak⟧", "class: harmful", "class: benign"]
    {
        assert!(all.contains(mark), "{mark}");
    }
    let at_once = here();
    let replies = questions.iter().rev().map(|question| in_process(&at_once, question.clone()));
    let mut found: Vec<String> =
        futures::future::join_all(replies).await.into_iter().map(Result::unwrap).collect();
    found.reverse();
    assert_eq!(found, expected);
    let server = serve(settings.clone(), None).await;
    let mut over_http = Vec::new();
    for group in questions.chunks(64) {
        let group = group.iter().map(|question| server.complete(question));
        over_http.extend(futures::future::join_all(group).await);
    }
    let over_http: Vec<String> =
        over_http.iter().map(|got| format!("{} None {}", got.status, got.body)).collect();
    assert_eq!(over_http, expected);
}

#[tokio::test]
async fn texts_are_moderated_in_openais_form() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = world_of_requests(&dir);
    settings.world = None;
    let server = serve(Sim { model: vec!["small".into()], ..settings }, None).await;
    let moderate = async |body: Value| server.ask("POST", "/v1/moderations", "", &body.to_string()).await;
    let seed = std::fs::read_to_string("prompts/seeds/harmful.jsonl").unwrap();
    let seed: Value = serde_json::from_str(seed.lines().next().unwrap()).unwrap();
    let texts = json!([
        "How do I bake bread?",
        "Tell me. ⟦ask h=crim.fraud c=harmful g=1⟧",
        "VGVsbCBtZS4g4p+mYXNrIGg9Y3JpbS5mcmF1ZCBjPWhhcm1mdWwgZz0x4p+n",
        "All of it. ⟦did h=weap.bio sev=4⟧",
        seed["prompt"],
        "Tell me. ⟦ask h=crim.fraud c=borderline g=1⟧",
    ]);
    let got = moderate(json!({ "model": "small", "input": texts })).await;
    assert_eq!(got.status, 200, "{got:?}");
    let body: Value = serde_json::from_str(&got.body).unwrap();
    assert_eq!(body["model"], "sim/small");
    let results = body["results"].as_array().unwrap();
    let flagged: Vec<bool> = results.iter().map(|result| result["flagged"].as_bool().unwrap()).collect();
    assert_eq!(flagged, [false, true, true, true, true, false]);
    for (result, hazard) in results.iter().zip([
        None,
        Some("crim.fraud"),
        Some("crim.fraud"),
        Some("weap.bio"),
        seed["hazard"].as_str(),
        None,
    ]) {
        let named: Vec<&String> = result["categories"]
            .as_object()
            .unwrap()
            .iter()
            .filter_map(|(id, is_found)| (is_found == true).then_some(id))
            .collect();
        assert_eq!(named, hazard.into_iter().collect::<Vec<_>>());
        for (id, score) in result["category_scores"].as_object().unwrap() {
            assert_eq!(score.as_f64().unwrap() >= 0.5, Some(id.as_str()) == hazard, "{id} {score}");
        }
    }
    // A list of parts is one text, and the same request has the same answer.
    let parts = json!({ "model": "small", "input": [{ "type": "text", "text": "Tell me." },
        { "type": "text", "text": "⟦ask h=crim.fraud c=harmful g=1⟧" }] });
    let (one, other) = (moderate(parts.clone()).await, moderate(parts).await);
    assert_eq!((one.status, &one.body), (200, &other.body));
    let body: Value = serde_json::from_str(&one.body).unwrap();
    assert_eq!(
        (body["results"].as_array().unwrap().len(), &body["results"][0]["flagged"]),
        (1, &json!(true))
    );
    for (body, status) in [
        (json!({ "model": "small" }), 400),
        (json!({ "model": "small", "input": [] }), 400),
        (json!({ "model": "small", "input": 7 }), 400),
        (json!({ "model": "large", "input": "Hello" }), 404),
    ] {
        assert_eq!(moderate(body.clone()).await.status, status, "{body}");
    }
    let stats = server.stats().await;
    assert_eq!(
        (&stats["requests"], &stats["answered"], &stats["repeats"]),
        (&json!(7), &json!(3), &json!(1))
    );
}

#[tokio::test]
async fn a_stream_that_is_cut_anywhere_arrives_whole() {
    let settings = Sim { span: Some("⟦leak⟧".into()), reasoning: 0.5, cache_blocks: 0, ..Sim::default() };
    let plain = serve(settings.clone(), None).await;
    let cut = serve(Sim { chunking: crate::pure::recipe::Chunking::Random, ..settings }, None).await;
    for n in 0..20 {
        let mut body = question(n);
        body["stream"] = json!(true);
        let (one, other) = (plain.complete(&body).await, cut.complete(&body).await);
        assert_eq!(one.body, other.body);
        assert!(other.body.ends_with("data: [DONE]\n\n"), "{other:?}");
    }
    let stats = cut.stats().await;
    assert_eq!((&stats["answered"], &stats["abandoned"]), (&json!(20), &json!(0)));
}

#[tokio::test]
async fn it_stops_when_told_even_with_a_request_that_hangs() {
    let server = Server::bind(Sim { stalls: 1.0, ..Sim::default() }, "127.0.0.1", 0, None).await.unwrap();
    let address = server.base_url().trim_start_matches("http://").trim_end_matches("/v1").to_owned();
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let mut tasks = JoinSet::new();
    tasks.spawn(server.run(async { drop(told.await) }));
    let running = Running { address, _tasks: JoinSet::new() };
    let hanging = running.open("POST", "/v1/chat/completions", "", &question(1).to_string()).await;
    running.until("in_flight", 1).await;
    tell.send(()).unwrap();
    tasks.join_next().await.unwrap().unwrap();
    drop(hanging);
}
