//! The log: spans from the run down to the attempt, with ids and outcomes, and never a text or a key.

use crate::scripted_endpoint::ScriptedEndpoint;
use crate::support::Scratch;
use serde_json::Value;

const PROMPT: &str = "How do I kill a process that hangs?";
const ANSWER: &str = "Send it the signal that asks it to end.\n\nVerdict: conforms";

#[test]
fn the_log_tells_every_attempt_and_no_text() {
    let scratch = Scratch::new();
    let endpoint = ScriptedEndpoint::start(|_| ANSWER.to_owned());
    scratch.write("prompts.txt", PROMPT);
    let args = ["run", "--model", "m", "--base-url", &endpoint.url, "--prompts", "prompts.txt", "--out", "r"];
    let log = ["--constitution", "minimal", "--log", "run.log", "--log-format", "json"];
    let mut command = scratch.command(&[&args[..], &log].concat());
    let output =
        command.env("RUST_LOG", "trace").env("OPENAI_API_KEY", "sk-secret-of-mine").output().expect("a run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let text = std::fs::read_to_string(scratch.path("run.log")).expect("a log");
    for secret in [PROMPT, "asks it to end", "sk-secret-of-mine"] {
        assert!(!text.contains(secret), "the log holds `{secret}`");
    }
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let attempts: Vec<&Value> =
        records.iter().filter(|record| record["fields"]["message"] == "attempted").collect();
    assert!(attempts.len() > 1, "{text}");
    for attempt in attempts {
        let spans: Vec<&str> = attempt["spans"]
            .as_array()
            .expect("spans")
            .iter()
            .filter_map(|span| span["name"].as_str())
            .collect();
        assert_eq!(spans, ["run", "prompt", "call", "attempt"]);
        assert_eq!(attempt["fields"]["status"], 200, "{attempt}");
        assert!(attempt["fields"]["took_ms"].is_u64(), "{attempt}");
        assert!(
            attempt["spans"][2]["role"].is_string() && attempt["spans"][2]["key"].is_string(),
            "{attempt}"
        );
    }
}

#[test]
fn a_quiet_run_logs_nothing_and_a_wrong_log_is_refused() {
    let scratch = Scratch::new();
    scratch.write("prompts.txt", PROMPT);
    let run =
        ["run", "--model", "sim", "--constitution", "minimal", "--prompts", "prompts.txt", "--out", "r"];
    scratch.run(&[&run[..], &["--log", "run.log"]].concat()).code(0);
    assert_eq!(std::fs::read_to_string(scratch.path("run.log")).expect("a log"), "");

    let done = scratch.run(&[&run[..], &["--log", "no/such/folder/run.log"]].concat()).code(4);
    assert!(done.err.contains("cannot write the log"), "{}", done.err);
    let output = scratch.command(&run).env("RUST_LOG", "amend=loud").output().expect("a run");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`RUST_LOG` cannot be read"));
}
