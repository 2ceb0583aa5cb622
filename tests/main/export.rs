//! `amend export`, `amend verify` and `amend eval refusal`, over a run made of stored transcripts.

use crate::support::Scratch;
use amend::pure::prompt::Prompt;
use amend::pure::transcript::{
    Critique, Ended, MethodName, Response, Revision, RevisionFate, Tally, Transcript, Verdict,
};
use amend::runtime::journal::{Arrival, Journal, Options};
use amend::runtime::journal::{Outline, Row};
use std::path::Path;

const CONSTITUTION: &str = "[constitution]\nid = \"tiny\"\nversion = \"1.0.0\"\ntitle = \"Tiny\"\n\n[[principle]]\nid = \
                            \"kind\"\ntext = \"The response is kind.\"\nhazards = []\n";

fn transcript(n: usize) -> Transcript {
    let prompt = Prompt::single(format!("Question number {n} about the harbour?"));
    let response = |text: String, round| Response {
        text,
        round,
        model: "sim".into(),
        fallback: false,
        tokens: 7,
        repairs: Vec::new(),
    };
    let critique = |response, verdict, round| Critique {
        round,
        response,
        revision: None,
        principle: "kind".into(),
        text: "It was read with care.".into(),
        verdict,
        p_violates: None,
        undecided: None,
        recheck: false,
        screen: None,
        tokens: 5,
        model: "sim".into(),
    };
    let kind = format!("Question {n} is a good one: ask at the port office, they will gladly help you.");
    Transcript {
        prompt,
        method: MethodName::Panel,
        responses: vec![
            response(format!("Question {n} is a waste of my time, go away."), 0),
            response(kind.clone(), 1),
        ],
        critiques: vec![critique(0, Verdict::Violates, 1), critique(1, Verdict::Conforms, 2)],
        revisions: vec![Revision {
            round: 1,
            from: 0,
            principles: vec!["kind".into()],
            text: kind,
            fate: RevisionFate::Kept(1),
        }],
        comparisons: Vec::new(),
        styled: None,
        last: 1,
        ended: Ended::Conforms,
        tally: Tally::default(),
        models: Vec::new(),
        failures: Vec::new(),
        substitutes: Vec::new(),
        cut_prompts: Vec::new(),
    }
}

/// A run directory with a journal of `count` transcripts.
fn run_of(dir: &Path, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let journal = Journal::open(dir, Options::default()).expect("a journal");
        journal.begin_pass("plan").await.expect("a pass");
        for n in 0..count {
            let transcript = transcript(n);
            let id = transcript.prompt.id.clone();
            journal.admit(vec![Arrival::Prompt { id, at: format!("p.jsonl:{n}") }]).await.expect("admitted");
            journal.finish(&transcript, Outline::of(&transcript, Row::Kept), false).await.expect("stored");
        }
        journal.end_input().await.expect("the end");
    });
    std::fs::write(dir.join("constitution.toml"), CONSTITUTION).expect("a file");
    std::fs::write(
        dir.join("recipe.toml"),
        "constitution = \"constitution.toml\"\n[models.default]\nmodel = \"sim\"\n",
    )
    .expect("a file");
}

#[test]
fn a_run_is_exported_twice_to_the_same_bytes_and_verified() {
    let scratch = Scratch::new();
    run_of(&scratch.path("run"), 60);
    let first = scratch.run(&["export", "run", "--out", "one", "--configs", "all"]);
    assert_eq!(first.code, Some(0), "{}", first.err);
    assert!(first.out.contains("60 transcripts, 60 with a usable draft"), "{}", first.out);
    let second = scratch.run(&["export", "run", "--out", "two", "--configs", "all", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&second.out).expect("one JSON object");
    let train = report["rows"]["sft"]["train"].as_u64().expect("a count");
    assert!(train > 40 && train < 60, "{report}");
    let manifest = |name: &str| std::fs::read(scratch.path(name).join("manifest.json")).expect("a manifest");
    assert_eq!(manifest("one"), manifest("two"));
    assert_eq!(scratch.run(&["verify", "one"]).code, Some(0));

    let card = scratch.path("one/README.md");
    std::fs::write(&card, std::fs::read_to_string(&card).expect("a card").replace("60", "61"))
        .expect("a file");
    let damaged = scratch.run(&["verify", "one", "--json"]);
    assert_eq!(
        (damaged.code, damaged.out.contains("`README.md` has changed")),
        (Some(1), true),
        "{}",
        damaged.out
    );
}

#[test]
fn what_cannot_be_exported_is_said_and_nothing_is_touched() {
    let scratch = Scratch::new();
    run_of(&scratch.path("run"), 3);
    scratch.write("mine/notes.txt", "precious");
    for (args, said) in [
        (["export", "run", "--out", "x", "--configs", "sftt"].as_slice(), "there is no config `sftt`"),
        (&["export", "nowhere", "--out", "x"], "`nowhere` does not exist"),
        (&["export", "mine", "--out", "x"], "`mine` is not a run directory"),
        (&["export", "run", "--out", "mine"], "is not a dataset of amend"),
        (&["export", "run", "--out", "x", "--soft-labels", "expand=1"], "expand=K"),
        (&["export", "run", "--out", "mine/notes.txt"], "is not a dataset of amend"),
        (&["export", "run", "--out", "x", "--splits-of", "mine"], "`mine` is not a dataset of amend"),
        (
            &["export", "run", "--out", "x", "--batch-model", "m"],
            "the config `prompts`, which is not written",
        ),
        (&["verify", "nowhere"], "is not a folder"),
    ] {
        let done = scratch.run(args);
        assert_eq!((done.code, done.err.contains(said)), (Some(2), true), "{args:?}: {}", done.err);
    }
    assert_eq!(std::fs::read_to_string(scratch.path("mine/notes.txt")).expect("the file"), "precious");
    assert!(!scratch.path("x").exists());
}

#[test]
fn refusals_of_a_file_are_counted_against_labels() {
    let scratch = Scratch::new();
    scratch.write(
        "r.csv",
        "reply,label\n\"I'm sorry, but I can't help with that.\",2_full_refusal\n\"Boil it for ten minutes, then drain \
         it.\",1_full_compliance\n\"Use kill -9.\",2_full_refusal\n",
    );
    let done = scratch.run(&["eval", "refusal", "r.csv", "--text", "reply", "--label", "label", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&done.out).expect("one JSON object");
    assert_eq!((found["precision"].as_f64(), found["recall"].as_f64()), (Some(1.0), Some(0.5)), "{found}");
    assert_eq!(scratch.run(&["eval", "refusal", "r.csv", "--text", "replies"]).code, Some(2));
    // Broken rows and empty ones are counted apart, and a file of none is no error.
    scratch.write(
        "r.jsonl",
        "{\"a\": \"No.\"}\n{\"a\": \"  \"}\nbroken\n{\"a\": 7}\n{\"a\": \"Wait an hour.\"}\n",
    );
    let done = scratch.run(&["eval", "refusal", "r.jsonl", "--text", "a", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&done.out).expect("one JSON object");
    let counts = ["rows", "empty", "unread"].map(|name| found[name].as_u64());
    assert_eq!((done.code, counts), (Some(1), [Some(2), Some(1), Some(2)]), "{found}");
    assert_eq!(found["classes"], serde_json::json!({ "full": 1, "partial": 0, "none": 1 }));
    assert_eq!(
        scratch.run(&["eval", "refusal", "r.csv", "--text", "reply", "--label", "reply"]).code,
        Some(2)
    );
}
