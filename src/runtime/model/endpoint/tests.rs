//! A server on this machine that sends exactly the bytes it is told to.

use super::*;
use crate::pure::call::Role;
use crate::pure::recipe::{Model, Models};
use crate::runtime::model::Delta;
use std::sync::atomic::AtomicUsize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const BODY: &str = r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"cost":7}"#;

/// What the server does after it has read a request.
#[derive(Clone)]
enum Does {
    /// Sends these bytes and closes.
    Sends(String),
    /// Closes without a byte.
    Resets,
    /// Sends these bytes and then nothing, for ever.
    Stalls(String),
}

struct Server {
    url: String,
    hits: Arc<AtomicUsize>,
    seen: Arc<Mutex<String>>,
    /// Ends with the test.
    _tasks: JoinSet<()>,
}

async fn serve(does: Does) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/", listener.local_addr().unwrap());
    let (hits, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(String::new())));
    let mut tasks = JoinSet::new();
    let (counter, last) = (hits.clone(), seen.clone());
    tasks.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            answer(stream, &does, &last).await;
        }
    });
    Server { url, hits, seen, _tasks: tasks }
}

async fn answer(mut stream: TcpStream, does: &Does, seen: &Mutex<String>) {
    let mut request = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let n = stream.read(&mut piece).await.unwrap();
        request.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            *seen.lock().unwrap() = text;
            break;
        }
    }
    match does {
        Does::Sends(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
        Does::Resets => {}
        Does::Stalls(bytes) => {
            stream.write_all(bytes.as_bytes()).await.unwrap();
            // Until the other side gives up.
            let _ = stream.read(&mut [0; 16]).await;
        }
    }
}

/// A response with a body of that type.
fn response(status: &str, kind: &str, headers: &str, body: &str) -> Does {
    let length = body.len();
    Does::Sends(format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    ))
}

/// A stream of these chunks, closed after them.
fn events(chunks: &[&str]) -> Does {
    let events = chunks.iter().fold(String::new(), |events, chunk| events + "data: " + chunk + "\n\n");
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n\r\n";
    Does::Sends(format!("{head}{events}"))
}

fn model(url: &str) -> ResolvedModel {
    let default = Model { model: Some("m".into()), base_url: Some(url.into()), ..Model::default() };
    Models { default, ..Models::default() }.resolve(Role::Generator).unwrap()
}

fn http(key: &'static str) -> Http {
    Http::new(Arc::new(move |name| (name == "OPENAI_API_KEY").then(|| SecretString::from(key))))
}

async fn send(server: &Server) -> Result<Reply, Fault> {
    let request = Request { model: model(&server.url), body: json!({ "model": "m", "messages": [] }) };
    http("sk-secret").send(&request, None).await
}

async fn stream(server: &Server) -> (Result<Reply, Fault>, Vec<Delta>) {
    let deltas = Mutex::new(Vec::new());
    let request = Request { model: model(&server.url), body: json!({ "model": "m", "messages": [] }) };
    let on_delta = |delta| deltas.lock().unwrap().push(delta);
    let reply = http("").send(&request, Some(&on_delta)).await;
    (reply, deltas.into_inner().unwrap())
}

fn reply(status: u16, retry_after_s: Option<f64>, body: &str) -> Reply {
    Reply { status, retry_after_s, rate_reset_s: None, body: body.into() }
}

#[tokio::test]
async fn a_body_arrives_as_it_was_sent() {
    let server = serve(response("200 OK", "application/json", "", BODY)).await;
    assert_eq!(send(&server).await, Ok(reply(200, None, BODY)));
    let seen = server.seen.lock().unwrap().clone();
    assert!(seen.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("authorization: Bearer sk-secret\r\n"), "{seen}");
    assert!(seen.ends_with(r#"{"model":"m","messages":[]}"#), "{seen}");
}

#[tokio::test]
async fn every_failure_keeps_its_status_and_is_one_hit() {
    let json = r#"{"error":{"code":400,"message":"m"}}"#;
    let date = "date: Mon, 23 Nov 2026 12:00:00 GMT\r\nretry-after: Mon, 23 Nov 2026 12:01:30 GMT\r\n";
    for (does, expected) in [
        (response("502 Bad Gateway", "text/html", "", "<html>"), reply(502, None, "<html>")),
        (response("400 Bad Request", "application/json", "", json), reply(400, None, json)),
        (response("413 Too Large", "text/html", "", "<html>"), reply(413, None, "<html>")),
        (response("200 OK", "text/html", "", "<html>"), reply(200, None, "<html>")),
        (response("204 No Content", "text/html", "", ""), reply(204, None, "")),
        (response("429 Slow", "text/plain", "retry-after: 7\r\n", "no"), reply(429, Some(7.0), "no")),
        (response("429 Slow", "text/plain", date, "no"), reply(429, Some(90.0), "no")),
        (
            response("503 Busy", "text/plain", "retry-after: 9\r\nretry-after-ms: 250\r\n", ""),
            reply(503, Some(0.25), ""),
        ),
        (response("429 Slow", "text/plain", "retry-after: soon\r\n", "no"), reply(429, None, "no")),
        (response("307 Moved", "text/plain", "location: http://127.0.0.1:1/\r\n", ""), reply(307, None, "")),
        (response("401 No", "text/plain", "", "bad key sk-secret!"), reply(401, None, "bad key [key]!")),
    ] {
        let server = serve(does).await;
        assert_eq!(send(&server).await, Ok(expected));
        assert_eq!(server.hits.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_broken_connection_is_a_fault_and_one_hit() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{\"choices\"";
    for does in [Does::Resets, Does::Sends(head.into()), Does::Sends("SSH-2.0-OpenSSH\r\n".into())] {
        let server = serve(does).await;
        let fault = send(&server).await.unwrap_err();
        assert!(matches!(fault, Fault::Lost(_)), "{fault:?}");
        assert_eq!(server.hits.load(Ordering::SeqCst), 1);
    }
    let closed = { TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap() };
    let request = Request { model: model(&format!("http://u:p@{closed}/v1?k=v")), body: json!({}) };
    let fault = http("").send(&request, None).await.unwrap_err();
    let Fault::Connect(message) = &fault else { panic!("{fault:?}") };
    assert!(message.starts_with(&format!("`http://{closed}/v1`: ")), "{message}");
}

#[tokio::test]
async fn a_stall_can_be_given_up() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{";
    let server = serve(Does::Stalls(head.into())).await;
    let stalled = tokio::time::timeout(Duration::from_millis(200), send(&server)).await;
    assert!(stalled.is_err());
}

#[tokio::test]
async fn a_stream_is_put_together() {
    let chunks = [
        r#"{"id":"1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"h"}}]}"#,
        r#"{"id":"1","choices":[{"index":0,"delta":{"content":"i"}}]}"#,
        r#"{"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"id":"1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#,
        "[DONE]",
    ];
    let server = serve(events(&chunks)).await;
    let (reply, deltas) = stream(&server).await;
    let answer = crate::runtime::model::wire::read(&reply.unwrap().body);
    assert_eq!((answer.complete(), answer.usage.prompt), (Some("hi"), 3));
    assert_eq!(deltas, [Delta::Text("h".into()), Delta::Text("i".into())]);
    let seen = server.seen.lock().unwrap().clone();
    assert!(seen.contains(r#""stream":true"#) && !seen.contains("authorization"), "{seen}");

    // Without usage or `[DONE]`, but with its end: whole. With `[DONE]` alone: whole too.
    for whole in [&chunks[..3], &[chunks[0], chunks[4]]] {
        assert_eq!(stream(&serve(events(whole)).await).await.0.unwrap().status, 200);
    }
    // Cut before its end.
    for cut in [&chunks[..2], &[]] {
        let fault = stream(&serve(events(cut)).await).await.0.unwrap_err();
        assert_eq!(fault, Fault::Lost("the stream ended before the answer did".into()));
    }
    let fault = stream(&serve(events(&["not JSON"])).await).await.0.unwrap_err();
    assert_eq!(fault, Fault::Lost("a piece of the response is not JSON".into()));
}

const LONG_KEY: &str = "sk-0123456789/abc";

/// Whatever echoes the key, whole, streamed or escaped, it goes no further. A key that is a word stays where it is one.
#[tokio::test]
async fn a_key_that_is_echoed_is_cut_out() {
    let request = |server: &Server| Request { model: model(&server.url), body: json!({}) };
    for echo in [LONG_KEY, "sk-0123456789\\/abc"] {
        let body = BODY.replace("hi", &format!("your key is {echo}"));
        let server = serve(response("200 OK", "application/json", "", &body)).await;
        let reply = http(LONG_KEY).send(&request(&server), None).await.unwrap();
        assert_eq!(reply.body, BODY.replace("hi", "your key is [key]"));
        let error = format!("{{\"error\":{{\"message\":\"bad key {echo}\"}}}}");
        let server = serve(response("401 No", "application/json", "", &error)).await;
        let reply = http(LONG_KEY).send(&request(&server), None).await.unwrap();
        assert!(reply.body.contains("bad key [key]"), "{}", reply.body);
    }
    // In a stream the key comes in pieces.
    let piece = |text: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#);
    let (first, second) = LONG_KEY.split_at(5);
    let server = serve(events(&[&piece(first), &piece(second), "[DONE]"])).await;
    let reply = http(LONG_KEY).send(&request(&server), Some(&|_| {})).await.unwrap();
    assert!(reply.body.contains("[key]") && !reply.body.contains(LONG_KEY), "{}", reply.body);
    // The value of a header that came from the environment is a secret as well.
    let mut with_header = request(&serve(response("200 OK", "application/json", "", BODY)).await);
    let header = HeaderSource::Env("OPENAI_API_KEY".into());
    let echo = BODY.replace("hi", LONG_KEY);
    let server = serve(response("200 OK", "application/json", "", &echo)).await;
    with_header.model.base_url = Some(server.url.clone());
    with_header.model.api_key_env = "NONE".into();
    with_header.model.headers.insert("api-key".into(), header);
    let reply = http(LONG_KEY).send(&with_header, None).await.unwrap();
    assert_eq!(reply.body, BODY.replace("hi", "[key]"));

    let server = serve(response("200 OK", "application/json", "", BODY)).await;
    let reply = http("hi").send(&request(&server), None).await.unwrap();
    assert_eq!(reply.body, BODY);
}

#[tokio::test]
async fn a_body_far_larger_than_what_was_asked_for_is_cut_off() {
    let body = BODY.replace("hi", &"long ".repeat(300_000));
    let server = serve(response("200 OK", "application/json", "", &body)).await;
    let request =
        |max_tokens: u32| Request { model: model(&server.url), body: json!({ "max_tokens": max_tokens }) };
    let fault = http("").send(&request(100), None).await.unwrap_err();
    assert!(matches!(&fault, Fault::Lost(why) if why.contains("larger than 1.1 MiB")), "{fault:?}");
    assert_eq!(http("").send(&request(10_000), None).await.unwrap().body, body);
}

#[tokio::test]
async fn an_endpoint_that_does_not_stream_is_read_all_the_same() {
    let server = serve(response("200 OK", "application/json", "", BODY)).await;
    assert_eq!(stream(&server).await.0, Ok(reply(200, None, BODY)));
    let server = serve(response("429 Slow", "application/json", "retry-after: 3\r\n", "{}")).await;
    assert_eq!(stream(&server).await.0, Ok(reply(429, Some(3.0), "{}")));
}

#[tokio::test]
async fn models_are_listed() {
    let list = r#"{"object":"list","data":[{"id":"a"},{"id":"b","max_model_len":9},{"name":"c"}]}"#;
    let server = serve(response("200 OK", "application/json", "", list)).await;
    assert_eq!(http("").models(&model(&server.url)).await.unwrap(), ["a", "b"]);
    assert!(server.seen.lock().unwrap().starts_with("GET /v1/models "));
}

#[tokio::test]
async fn what_cannot_work_is_said_before_anything_is_sent() {
    let check = async |url: &str, key: &'static str, part: &str| {
        let request = Request { model: model(url), body: json!({}) };
        let fault = http(key).send(&request, None).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unusable(message) if message.contains(part)), "{fault:?}");
    };
    check("localhost:8000/v1", "", "begins with neither").await;
    check("not a url", "", "is not a URL").await;
    check("http://localhost:1/v1", "two\nlines", "characters no key has").await;
    let mut bad = model("https://localhost:1/v1");
    bad.ca_bundle = Some("/nonexistent.pem".into());
    let fault = http("").send(&Request { model: bad, body: json!({}) }, None).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Unusable(message) if message.contains("cannot read `ca_bundle`")),
        "{fault:?}"
    );
}

#[test]
fn shown_urls_hold_no_credentials() {
    for (url, shown) in [
        ("http://user:pass@host:1/v1/?key=x#y", "http://host:1/v1"),
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("http://host", "http://host"),
        ("nonsense", "nonsense"),
    ] {
        assert_eq!(shown_url(url), shown);
    }
}

#[test]
fn only_this_machine_is_never_proxied() {
    for (url, local) in [
        ("http://localhost:1/", true),
        ("http://127.0.0.9/", true),
        ("http://[::1]:8/", true),
        ("http://localhost.example.com/", false),
        ("https://api.example.com/", false),
    ] {
        assert_eq!(is_this_machine(&reqwest::Url::parse(url).unwrap()), local, "{url}");
    }
}

#[test]
fn a_rate_that_is_used_up_says_when_it_is_filled_again() {
    let check = |pairs: &[(&'static str, &'static str)], expected: Option<f64>| {
        let headers = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        assert_eq!(rate_reset(&headers.collect()), expected, "{pairs:?}");
    };
    check(&[], None);
    check(&[("x-ratelimit-remaining-requests", "12"), ("x-ratelimit-reset-requests", "6s")], None);
    check(&[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "6m0.5s")], Some(360.5));
    check(&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "120ms")], Some(0.12));
    check(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000000")], None);
    check(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2")], Some(2.0));
    check(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "soon")], None);
}
