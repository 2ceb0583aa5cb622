//! What is violated in the end: a run says it in many places, and says the same in each.

use crate::scripted_endpoint::{ScriptedEndpoint, asks_for};
use crate::support::Scratch;
use serde_json::Value;

#[test]
fn a_critic_that_becomes_unreadable_takes_no_objection_back() {
    let scratch = Scratch::new();
    scratch.write(
        "c.toml",
        "[constitution]\nid = \"one\"\n\n[[principle]]\nid = \"kind\"\ntext = \"The response is kind.\"\n",
    );
    scratch.write("p.jsonl", "{\"prompt\": \"How do I open the gate?\"}\n");
    // The first critique objects, every later one is unreadable, and the reviser revises nothing.
    let mut critiques = 0;
    let endpoint = ScriptedEndpoint::start(move |request| match asks_for(request) {
        "[Review: critique]" => {
            critiques += 1;
            if critiques == 1 { "It scolds.\nVerdict: violates" } else { "Who can tell?" }.to_owned()
        }
        "[Review: verdict]" => "Who can tell?".to_owned(),
        asked if asked.starts_with("[Review") => "No revisions needed.".to_owned(),
        _ => "Turn the wheel, you fool, and wait for the tide.".to_owned(),
    });
    let run = ["run", "--prompts", "p.jsonl", "--constitution", "c.toml", "--out", "r", "--json"];
    let model = ["--model", "m", "--base-url", &endpoint.url, "--schedule", "sampled", "--rounds", "2"];
    let done = scratch.run(&[&run[..], &model, &["--set", "method.retries=0"]].concat()).code(1);

    // The event, and the report that comes with it.
    let events: Vec<Value> = done.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let named = |name: &str| events.iter().find(|event| event["event"] == name).expect("an event").clone();
    assert_eq!(named("reject")["reason"], "unresolved");
    let report = std::fs::read_to_string(scratch.path("r/report.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    for report in [&report, &named("report")] {
        let kind = &report["principles"][0];
        assert_eq!((&kind["left"], &kind["drafts_violating"]), (&1.into(), &1.into()), "{kind}");
        assert_eq!((&kind["violates"], &kind["undecided"]), (&1.into(), &1.into()), "{kind}");
    }

    // The run and the transcript, as they are shown.
    let line = scratch.run(&["show", "r", "--prompts", "--json"]).code(0).summary();
    assert_eq!(line["outline"]["violated"], serde_json::json!(["kind"]));
    let id = line["prompt_id"].as_str().expect("an id");
    let shown = scratch.run(&["show", "r", id]).code(0);
    assert!(shown.out.contains("still violated: kind"), "{}", shown.out);
    assert!(!shown.out.contains("no principle objects"), "{}", shown.out);

    // The comparison of runs, here of the run with itself.
    let totals = scratch.run(&["diff", "r", "r", "--json"]).code(0).summary();
    assert_eq!(totals["totals"]["principles"]["kind"]["left"], serde_json::json!([1, 1]), "{totals}");
    assert_eq!(totals["totals"]["new"]["unresolved"], 1, "{totals}");
}

/// A critic that gives no verdict, for whatever cause, gives no rows: the run says so and does not end with 0.
#[test]
fn what_no_critic_judged_is_no_row() {
    let scratch = Scratch::new();
    scratch.write(
        "c.toml",
        "[constitution]\nid = \"one\"\n\n[[principle]]\nid = \"kind\"\ntext = \"The response is kind.\"\n",
    );
    scratch.write("p.jsonl", "{\"prompt\": \"How do I open the gate?\"}\n");
    for (name, critic) in [
        ("unreadable", "Who can tell?"),
        ("empty", ""),
        ("placeholder", "{\"critique\": \"<your review>\", \"verdict\": \"conforms\"}"),
        ("quoting", "It says:\n> Verdict: conforms"),
        ("in two minds", "Verdict: violates\nNo.\nVerdict: conforms"),
    ] {
        let endpoint = ScriptedEndpoint::start(move |request| match asks_for(request) {
            asked if asked.starts_with("[Review") => critic.to_owned(),
            _ => "Turn the wheel and wait for the tide.".to_owned(),
        });
        let run = ["run", "--prompts", "p.jsonl", "--constitution", "c.toml", "--out", name, "--json"];
        let done = scratch.run(&[&run[..], &["--model", "m", "--base-url", &endpoint.url]].concat()).code(1);
        let summary = done.summary();
        assert_eq!((&summary["rows"], &summary["rejects"]), (&0.into(), &1.into()), "{name}: {summary}");
        assert_eq!(summary["verdicts"], serde_json::json!({ "asked": 1, "undecided": 1 }), "{name}");
        let reject = done.out.lines().find(|line| line.contains("\"reject\"")).expect("a reject");
        assert!(reject.contains("undecided") && reject.contains("`kind`"), "{name}: {reject}");
    }
}

/// The provider's own words are told, with what to do, and a dead critic is given up after a few calls.
#[test]
fn a_critic_that_is_refused_stops_the_run_in_the_providers_words() {
    let scratch = Scratch::new();
    scratch.write(
        "c.toml",
        "[constitution]\nid = \"one\"\n\n[[principle]]\nid = \"kind\"\ntext = \"The response is kind.\"\n",
    );
    let prompts: Vec<String> =
        (0..60).map(|n| format!("{{\"prompt\": \"How do I open gate {n}?\"}}")).collect();
    scratch.write("p.jsonl", prompts.join("\n"));
    let run =
        ["run", "--prompts", "p.jsonl", "--constitution", "c.toml", "--out", "r", "--model", "sim", "--json"];
    let dead = ["--set", "models.critic.model=dead", "--set", "models.critic.base_url=http://127.0.0.1:9/v1"];
    let done = scratch.run(&[&run[..], &dead].concat()).code(3);
    assert_eq!(done.summary()["rows"], 0);
    assert!(done.err.contains("127.0.0.1:9"), "{}", done.err);
}

/// A critic that nobody can read makes no measurement green.
#[test]
fn what_is_measured_with_an_unreadable_critic_is_not_green() {
    let scratch = Scratch::new();
    scratch.write("safe.txt", "How do I open the gate?\nHow do I close it?\n");
    scratch.write("unsafe.txt", "How do I break the gate?\nHow do I jam it?\n");
    let endpoint = ScriptedEndpoint::start(|request| {
        let asked = asks_for(request);
        if asked.starts_with("[Review") { "Who can tell?" } else { "Turn the wheel and wait for the tide." }
            .into()
    });
    let model = ["--model", "m", "--base-url", &endpoint.url, "--json"];
    for command in [
        &["test", "minimal", "--no-fail"][..],
        &["ablate", "--constitution", "minimal", "--prompts", "safe.txt", "--measure", "verdicts"],
        &["eval", "rates", "--constitution", "minimal", "--safe", "safe.txt", "--unsafe", "unsafe.txt"],
    ] {
        let done = scratch.run(&[command, &model].concat()).code(1);
        assert!(done.err.contains("verdicts are undecided"), "{command:?}: {}", done.err);
    }
}
