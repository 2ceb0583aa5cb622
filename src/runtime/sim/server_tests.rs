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
    let server = Server::bind(settings, "127.0.0.1", 0, key.map(|key| key.to_owned().into())).await.unwrap();
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
