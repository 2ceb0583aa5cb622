//! `gates.confirm_revision` over the real binary: the simulated reviser ends some revisions with a remark that no rule of
//! the gates finds, and the simulated critic is asked.

use crate::support::Scratch;
use serde_json::{Value, json};

/// A part of each remark.
const REMARKS: [&str; 4] = [
    "that somebody minded",
    "anything to hold against it",
    "came back for another go",
    "were touched this time",
];

/// The summary of a run, and its report.
fn run(scratch: &Scratch, out: &str, sets: &[&str]) -> (Value, Value) {
    let prompts: Vec<String> = (0..40).map(|n| format!("How do I mend gate number {n}?")).collect();
    scratch.write("prompts.txt", prompts.join("\n"));
    let args = ["run", "--json", "--model", "sim", "--constitution", "minimal", "--prompts", "prompts.txt"];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let summary = scratch.run(&[&args[..], &["--out", out], &sets].concat()).summary();
    let report = std::fs::read_to_string(scratch.path(out).join("report.json")).expect("a report");
    (summary, serde_json::from_str(&report).expect("JSON"))
}

/// How many rows of `sft` there are, and how many of them have a remark.
fn rows_and_remarks(scratch: &Scratch, run: &str) -> (usize, usize) {
    let read = |split: &str| {
        let name = format!("{run}/dataset/jsonl/sft_{split}.jsonl");
        std::fs::read_to_string(scratch.path(&name)).unwrap_or_default()
    };
    let all = ["train", "validation", "test"].map(read).concat();
    let has_one = |row: &&str| REMARKS.iter().any(|remark| row.contains(remark));
    (all.lines().count(), all.lines().filter(has_one).count())
}

#[test]
fn what_no_rule_finds_the_critic_keeps_out() {
    let scratch = Scratch::new();
    let planted = ["sim.asides=0.5", "sim.violations=1.0", "method.retries=3"];
    let (_, report) = run(&scratch, "trusting", &planted);
    assert_eq!(report["revisions"]["rejected"], json!({}), "the other gates see none of them");
    let (rows, remarks) = rows_and_remarks(&scratch, "trusting");
    assert!(rows == 40 && remarks > 10, "{remarks} of {rows}");
    let (_, report) = run(&scratch, "asking", &[&planted[..], &["gates.confirm_revision=true"]].concat());
    let (rows, remarks) = rows_and_remarks(&scratch, "asking");
    // Other draws are asked for, so that few rows are lost.
    assert!(rows > 30 && remarks == 0, "{remarks} of {rows}");
    assert!(report["revisions"]["rejected"]["not-clean"].as_u64() > Some(10), "{report}");
}

/// Without a readable answer nothing is taken. What changed nothing is not asked about.
#[test]
fn a_critic_that_says_neither_yes_nor_no_confirms_nothing() {
    let scratch = Scratch::new();
    let mute = ["sim.violations=1.0", "sim.unreadable=1.0", "method.critique=false", "method.rounds=1"];
    let (_, report) = run(&scratch, "mute", &[&mute[..], &["gates.confirm_revision=true"]].concat());
    let revisions = &report["revisions"];
    let [tried, unchanged] = ["tried", "unchanged"].map(|key| revisions[key].as_u64().expect("a count"));
    assert_eq!(revisions["rejected"], json!({ "unconfirmed": tried - unchanged }), "{report}");
    assert!(revisions["kept"] == 0 && tried - unchanged > 40, "each is asked for again: {report}");
}

/// Turned on for a run that is finished, it asks one call for each revision that the run kept, and nothing again.
#[test]
fn turning_it_on_asks_about_the_revisions_only_and_turning_it_off_asks_nothing() {
    let scratch = Scratch::new();
    let sound = ["sim.violations=1.0", "sim.asides=0.0"];
    let count = |of: &Value, which: &str| of["calls"][which].as_u64().expect("a count");
    let (first, report) = run(&scratch, "r", &sound);
    let kept = report["revisions"]["kept"].as_u64().expect("a count");
    let (on, again) = run(&scratch, "r", &[&sound[..], &["gates.confirm_revision=true"]].concat());
    assert_eq!((count(&on, "asked"), count(&on, "from_journal")), (kept, count(&first, "asked")), "{on}");
    assert!(kept > 30 && again["revisions"] == report["revisions"], "{again}");
    assert_eq!(count(&run(&scratch, "r", &sound).0, "asked"), 0);
}
