//! An endpoint that answers by a script: a function from the request of a chat completion to the text of its answer.
//!
//! For what the simulated model never does, such as an answer without a verdict at one place of a run. It answers one
//! request after another, streams in one piece where a stream is asked for, and ends with the test.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// The endpoint, while it listens.
#[derive(Debug)]
pub(crate) struct ScriptedEndpoint {
    /// Such as `http://127.0.0.1:40001/v1`.
    pub(crate) url: String,
    address: std::net::SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ScriptedEndpoint {
    /// An endpoint that answers in the name of the model that is asked.
    pub(crate) fn start(script: impl FnMut(&Value) -> String + Send + 'static) -> Self {
        Self::start_as(None, script)
    }

    /// An endpoint that counts so many tokens in every prompt.
    pub(crate) fn start_counting(
        prompt_tokens: u64,
        script: impl FnMut(&Value) -> String + Send + 'static,
    ) -> Self {
        Self::start_with(None, Some(prompt_tokens), script)
    }

    /// An endpoint that answers in the name of `model`, whatever is asked.
    pub(crate) fn start_as(
        model: Option<&'static str>,
        script: impl FnMut(&Value) -> String + Send + 'static,
    ) -> Self {
        Self::start_with(model, None, script)
    }

    fn start_with(
        model: Option<&'static str>,
        prompt_tokens: Option<u64>,
        mut script: impl FnMut(&Value) -> String + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                // A client that goes away is not the endpoint's failure.
                let _ = answer(stream, model, prompt_tokens, &mut script);
            }
        });
        Self { url: format!("http://{address}/v1"), address, ended, thread: Some(thread) }
    }
}

impl Drop for ScriptedEndpoint {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads one request, answers it, and closes the connection.
fn answer(
    mut stream: TcpStream,
    model: Option<&str>,
    prompt_tokens: Option<u64>,
    script: &mut impl FnMut(&Value) -> String,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = script(&request);
    let (kind, body) = if request["stream"] == true {
        let choice = json!({ "index": 0, "delta": { "content": text }, "finish_reason": "stop" });
        ("text/event-stream", format!("data: {}\n\ndata: [DONE]\n\n", json!({ "choices": [choice] })))
    } else {
        let message = json!({ "role": "assistant", "content": text });
        let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
        let model = model.map_or_else(|| request["model"].clone(), Value::from);
        let mut body = json!({ "model": model, "choices": [choice] });
        if let Some(tokens) = prompt_tokens {
            body["usage"] = json!({ "prompt_tokens": tokens, "completion_tokens": 20 });
        }
        ("application/json", body.to_string())
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

/// What a request asks for, as a model would see it: the first line of its last turn.
pub(crate) fn asks_for(request: &Value) -> &str {
    let turns = request["messages"].as_array().expect("messages");
    let last = turns.last().and_then(|turn| turn["content"].as_str()).unwrap_or_default();
    last.lines().next().unwrap_or_default()
}
