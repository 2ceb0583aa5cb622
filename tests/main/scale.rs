//! Shards and their merge, with the real binary: the dataset is that of one process, byte for byte.

use crate::support::{Scratch, Sim, bytes};
use serde_json::json;

/// Prompts with exact and near duplicates, and rows that cannot be read.
fn prompts(count: usize) -> String {
    let mut lines: Vec<String> = (0..count)
        .map(|n| {
            let please = if n % 3 == 0 { ", please" } else { "" };
            let text = format!(
                "How do I open harbour gate number {} in the early morning when nobody is there{please}?",
                n / 3
            );
            json!({ "prompt": text }).to_string()
        })
        .collect();
    lines.insert(count / 2, "not json".into());
    lines.push(json!({ "question": 1 }).to_string());
    lines.join("\n")
}

fn run<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["run", "--constitution", "minimal", "--prompts", "p.jsonl", "--model", "sim"];
    args.extend(["--set", "sim.empty=0.15", "--out", out]);
    args.extend(more);
    args
}

fn same_bytes(count: usize, numbers: &[u32]) {
    let scratch = Scratch::new();
    scratch.write("p.jsonl", prompts(count));
    scratch.run(&run("one", &[]));
    let one = bytes(&scratch.path("one/dataset"));
    for number in numbers {
        let out = format!("of-{number}");
        // In an order of its own: the last shard comes first.
        for index in (0..*number).rev() {
            let shard = format!("{index}/{number}");
            scratch.run(&run(&out, &["--shard", &shard]));
        }
        assert!(!scratch.path(&format!("{out}/shard-0000-of-{number:04}/dataset")).exists());
        scratch.run(&["merge", &out]).code(0);
        assert_eq!(one, bytes(&scratch.path(&format!("{out}/dataset"))), "{number} shards");
        // It is an ordinary run: whole, and nothing is asked again.
        scratch.run(&["verify", &out]).code(0);
        let again = scratch.run(&run(&out, &["--json"])).summary();
        assert_eq!(again["calls"]["asked"], 0);
        assert_eq!(one, bytes(&scratch.path(&format!("{out}/dataset"))));
    }
}

#[test]
fn any_number_of_shards_in_any_order_gives_the_bytes_of_one_process() {
    same_bytes(150, &[1, 3]);
}

#[test]
#[ignore = "takes minutes"]
fn slow_sixty_four_shards_give_the_bytes_of_one_process() {
    same_bytes(1500, &[1, 3, 64]);
}

#[test]
fn shards_that_are_killed_and_started_again_lose_nothing() {
    let scratch = Scratch::new();
    scratch.write("p.jsonl", prompts(90));
    let sim = Sim::start(&scratch, &["--latency-ms", "10"]);
    let served = "models.default.model=\"sim-http\"";
    let endpoint = ["--base-url", sim.url.as_str(), "--set", served, "--concurrency", "4"];
    scratch.run(&run("one", &endpoint));
    let before = sim.stats()["repeats"].as_u64().expect("a count");
    let mut kills = 0;
    for index in 0..3 {
        let shard = format!("{index}/3");
        let args = run("shards", &[&endpoint[..], &["--shard", &shard]].concat());
        kills += sim.kill_at(&scratch, &args, &[12, 30]);
        scratch.run(&args);
    }
    assert!(kills >= 3, "the shards were too fast to be killed: {kills}");
    scratch.run(&["merge", "shards"]).code(0);
    assert_eq!(bytes(&scratch.path("one/dataset")), bytes(&scratch.path("shards/dataset")));
    // Each call of the shards was answered before, for the run in one; more than that are those in flight at a kill.
    let asked_by_one =
        scratch.run(&run("one", &[&endpoint[..], &["--json"]].concat())).summary()["calls"]["from_journal"]
            .as_u64();
    let repeats = sim.stats()["repeats"].as_u64().expect("a count") - before;
    let most = asked_by_one.expect("a count") + kills * 8;
    assert!(repeats <= most, "{repeats} calls, at most {most}");
}

#[test]
fn what_is_missing_or_different_is_named() {
    let scratch = Scratch::new();
    scratch.write("p.jsonl", prompts(30));
    for shard in ["0/3", "1/3"] {
        scratch.run(&run("s", &["--shard", shard]));
    }
    let told = scratch.run(&["merge", "s"]).code(2);
    assert!(told.err.contains("shard 2/3 is not there"), "{}", told.err);
    scratch.run(&run("s", &["--shard", "2/3", "--max-calls", "9"]));
    let told = scratch.run(&["merge", "s"]).code(2);
    assert!(told.err.contains("shard 2/3 is not finished"), "{}", told.err);
    let told = scratch.run(&["merge", "s", "--partial"]).code(0);
    assert!(told.out.contains("shard 2/3 is not finished"), "{}", told.out);
    scratch.run(&run("s", &["--shard", "2/3", "--seed", "5"]));
    let told = scratch.run(&["merge", "s"]).code(2);
    assert!(told.err.contains("shard 2/3 is of another plan than shard 0/3"), "{}", told.err);
    scratch.run(&run("s", &["--shard", "0/2"]));
    let told = scratch.run(&["merge", "s"]).code(2);
    assert!(told.err.contains("has shards of 2 and of 3"), "{}", told.err);
    scratch.run(&["merge", "."]).code(2);
    for wrong in ["3/3", "x", "auto"] {
        scratch.run(&run("w", &["--shard", wrong])).code(2);
    }
    assert!(!scratch.path("w").exists());
    // A run of one process is not merged over.
    scratch.run(&run("whole", &[]));
    let told = scratch.run(&["merge", "s", "--partial", "--out", "whole"]).code(2);
    assert!(told.err.contains("has shards of"), "{}", told.err);
}
