//! What the tests of the guard stand on: the real binary, an upstream that sends any bytes, a judge that goes by a script.

use crate::scripted_endpoint::ScriptedEndpoint;
use crate::support::Scratch;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// An upstream: a function from a request's head and body to what is done with its connection. One request after another.
#[derive(Debug)]
pub(crate) struct RawUpstream {
    pub(crate) url: String,
    address: std::net::SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RawUpstream {
    pub(crate) fn start(mut serve: impl FnMut(&str, &Value, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (head, body) = read_request(&stream);
                serve(&head, &serde_json::from_slice(&body).unwrap_or_default(), &mut stream);
            }
        });
        Self { url: format!("http://{address}/v1"), address, ended, thread: Some(thread) }
    }

    /// One that answers every request with the same body.
    pub(crate) fn that_says(kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self::start(move |_, _, stream| respond(stream, 200, kind, &body))
    }
}

impl Drop for RawUpstream {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read_request(stream: &TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        head.push_str(&line);
    }
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    let _ = reader.read_exact(&mut body);
    (head, body)
}

pub(crate) fn respond(stream: &mut TcpStream, status: u16, kind: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} Any\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nx-upstream: yes\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body);
}

/// The head of a stream whose end is the end of the connection.
pub(crate) fn begin_stream(stream: &mut TcpStream) {
    let _ =
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n");
}

/// An event with a piece of an answer.
pub(crate) fn chunk(text: &str) -> String {
    let choice = json!({ "index": 0, "delta": { "content": text }, "finish_reason": null });
    format!(
        "data: {}\n\n",
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] })
    )
}

/// The end of a stream.
pub(crate) const END: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// The body of an answer that is not streamed.
pub(crate) fn whole(text: &str) -> String {
    json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        { "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }] })
    .to_string()
}

/// What a judge is asked: `request` or `answer`, and the text that it is about.
pub(crate) fn question(request: &Value) -> Option<(String, String)> {
    let turns = request["messages"].as_array()?;
    if !turns.first()?["content"].as_str()?.starts_with("[Guard]") {
        return None;
    }
    let shown = turns.last()?["content"].as_str()?;
    let what = shown.lines().last()?.strip_prefix("Judge the ")?.trim_end_matches('.').to_owned();
    let line = shown.lines().rfind(|line| line.starts_with('{'))?;
    let turn: Value = serde_json::from_str(line).ok()?;
    Some((what, turn["content"].as_str()?.to_owned()))
}

/// A judge to which everything with the word `BAD` violates a principle of scope, and that revises as told.
pub(crate) fn judge(revision: &'static str) -> ScriptedEndpoint {
    ScriptedEndpoint::start(move |request| match question(request) {
        Some((_, text)) if text.contains("GARBAGE") => "Well, who can say?".into(),
        Some((_, text)) if text.contains("BAD") => "[stays-on-the-product] violates".into(),
        Some(_) => "none".into(),
        None if crate::scripted_endpoint::asks_for(request).contains("critique") => {
            "It uses a word that it must not use.\nVerdict: violates".into()
        }
        None => revision.into(),
    })
}

/// `amend guard` on a free port, ended with the test.
#[derive(Debug)]
pub(crate) struct Guarding {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) stderr: BufReader<ChildStderr>,
}

impl Guarding {
    /// A guard under `support-desk`, whose upstream and judge are these.
    pub(crate) fn start(scratch: &Scratch, upstream: &str, judge: &str, more: &[&str]) -> Self {
        Self::start_with(scratch, upstream, judge, more, &[])
    }

    pub(crate) fn start_with(
        scratch: &Scratch,
        upstream: &str,
        judge: &str,
        more: &[&str],
        env: &[(&str, &str)],
    ) -> Self {
        let mut args = vec!["guard", "--model", "m", "--base-url", judge, "--upstream", upstream];
        args.extend(["--listen", "127.0.0.1:0", "--audit", "audit.jsonl"]);
        if !more.contains(&"--constitution") {
            args.extend(["--constitution", "support-desk"]);
        }
        args.extend(more);
        let mut command = scratch.command(&args);
        command.envs(env.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the guard starts");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("its stdout"));
        let mut stderr = BufReader::new(child.stderr.take().expect("its stderr"));
        out.read_line(&mut line).expect("its first line");
        let told_at = line.trim().strip_prefix("listening on http");
        let Some((_, address)) = told_at.and_then(|at| at.split_once("://")) else {
            let mut told = String::new();
            let _ = stderr.read_to_string(&mut told);
            panic!("the guard said {line:?} and {told}");
        };
        let address = address.trim_end_matches("/v1").to_owned();
        Self { child, address, stderr }
    }

    /// Makes a request, and gives the response once its connection is at its end.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> Response {
        let mut stream = self.connect(method, path, headers, body);
        let mut bytes = Vec::new();
        let is_whole = stream.read_to_end(&mut bytes).is_ok();
        Response::read(&bytes, is_whole)
    }

    pub(crate) fn connect(&self, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("the guard listens");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: guard\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        // A guard may answer before it has read all of a body that is too long.
        let _ = stream.write_all(request.as_bytes());
        stream
    }

    pub(crate) fn chat(&self, text: &str, stream: bool) -> Response {
        self.request("POST", "/v1/chat/completions", "", &chat_body(text, stream))
    }

    pub(crate) fn metrics(&self) -> String {
        self.request("GET", "/metrics", "", "").text()
    }

    /// The value of a line of metrics; 0 where there is none.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let metrics = self.metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = std::process::Command::new("kill").args([name, &pid]).status().expect("kill");
        assert!(status.success());
    }

    /// Asks it to end, and gives what it said.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        self.signal("-TERM");
        let code = self.child.wait().expect("its end").code();
        let mut told = String::new();
        self.stderr.read_to_string(&mut told).expect("its words");
        (code, told)
    }
}

impl Drop for Guarding {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn chat_body(text: &str, stream: bool) -> String {
    json!({ "model": "m", "stream": stream, "messages": [{ "role": "user", "content": text }] }).to_string()
}

/// Posts to an endpoint whose base URL is this, and gives the JSON that it answers.
pub(crate) fn post(url: &str, path: &str, body: &str) -> Value {
    let address = url.trim_start_matches("http://").trim_end_matches("/v1");
    let mut stream = TcpStream::connect(address).expect("it listens");
    let head = format!("POST /v1{path} HTTP/1.1\r\nhost: any\r\nconnection: close\r\n");
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).expect("a request");
    let mut bytes = Vec::new();
    let is_whole = stream.read_to_end(&mut bytes).is_ok();
    Response::read(&bytes, is_whole).json()
}

/// The lines of an audit that are over, by their order.
pub(crate) fn done(scratch: &Scratch) -> Vec<Value> {
    let text = std::fs::read_to_string(scratch.path("audit.jsonl")).expect("the audit");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    lines.filter(|line| line["event"] == "done").collect()
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) is_whole: bool,
}

impl Response {
    fn read(bytes: &[u8], is_whole: bool) -> Self {
        let at = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let rest = &bytes[at + 4..];
        let (body, ended) =
            if head.contains("transfer-encoding: chunked") { unchunked(rest) } else { (rest.to_vec(), true) };
        Self { status, head, body, is_whole: is_whole && ended }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn content(&self) -> String {
        self.json()["choices"][0]["message"]["content"].as_str().expect("a content").to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The contents of a stream, joined.
    pub(crate) fn streamed(&self) -> String {
        let text = self.text();
        let events =
            text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
        let chunks = events.map(|data| serde_json::from_str::<Value>(data).expect("a chunk"));
        chunks
            .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
            .collect()
    }
}

/// A chunked body, and whether its last chunk is there.
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(at) = rest.windows(2).position(|window| window == b"\r\n") {
        let size =
            std::str::from_utf8(&rest[..at]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size) = size else { break };
        if size == 0 {
            return (body, true);
        }
        let end = (at + 2 + size).min(rest.len());
        body.extend_from_slice(&rest[at + 2..end]);
        rest = rest.get(end + 2..).unwrap_or_default();
    }
    (body, false)
}
