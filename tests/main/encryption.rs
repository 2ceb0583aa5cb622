//! Encryption at rest: with a key in the environment nothing that a model said can be read in a run's files without it.

use crate::support::{Done, Scratch};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;

const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const OTHER: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

fn run(scratch: &Scratch, key: Option<&str>, args: &[&str]) -> Done {
    let mut command = scratch.command(args);
    if let Some(key) = key {
        command.env("AMEND_JOURNAL_KEY", key);
    }
    Done::of(&command.output().expect("the binary runs"))
}

/// The bytes of every file below a folder.
fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            out.extend(files_below(&path));
        } else {
            out.push((path.display().to_string(), std::fs::read(&path).expect("a file")));
        }
    }
    out
}

/// What the journal of a run says to somebody who has no key: every text, uncompressed where it can be.
fn readable(run: &Path) -> Vec<u8> {
    let db = rusqlite::Connection::open(run.join("journal.db")).expect("a journal");
    let mut bodies =
        db.prepare("SELECT body FROM answers UNION ALL SELECT body FROM transcripts").expect("a statement");
    let bodies = bodies.query_map([], |row| row.get::<_, Option<Vec<u8>>>(0)).expect("rows");
    bodies
        .filter_map(|body| body.expect("a row"))
        .flat_map(|body| zstd::decode_all(&body[..]).unwrap_or(body))
        .collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

const PROMPTS: [&str; 3] =
    ["How do I kill a stuck print job?", "How do I prune a rose?", "Which knots hold a boat in a storm?"];

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    let rows = PROMPTS.map(|prompt| json!({ "prompt": prompt }).to_string());
    scratch.write("p.jsonl", rows.join("\n"));
    scratch
}

fn to(out: &str) -> Vec<&str> {
    vec!["run", "--constitution", "minimal", "--model", "sim", "--prompts", "p.jsonl", "--out", out]
}

#[test]
fn what_models_said_cannot_be_read_without_the_key_and_the_dataset_is_the_same() {
    let scratch = scratch();
    run(&scratch, None, &to("plain")).code(0);
    let without_dataset = [&to("sealed")[..], &["--no-export"]].concat();
    run(&scratch, Some(KEY), &without_dataset).code(0);
    let transcripts =
        std::fs::read_to_string(scratch.path("plain/dataset/jsonl/transcripts_train.jsonl")).expect("rows");
    let is_answers = |passage: &&str| passage.len() > 30 && !PROMPTS.contains(passage);
    let passages: BTreeSet<&str> =
        transcripts.split(['"', '\\', '.']).map(str::trim).filter(is_answers).collect();
    let plain = readable(&scratch.path("plain"));
    let passages: Vec<&str> = passages.into_iter().filter(|passage| holds(&plain, passage)).collect();
    assert!(passages.len() >= 4, "{passages:?}");
    let mut sealed = files_below(&scratch.path("sealed"));
    sealed.retain(|(name, _)| name.contains("journal"));
    sealed.push(("its bodies".into(), readable(&scratch.path("sealed"))));
    for (name, bytes) in sealed {
        assert!(passages.iter().all(|passage| !holds(&bytes, passage)), "{name}");
    }
    let export = ["export", "sealed", "--out", "again"];
    run(&scratch, Some(KEY), &export).code(0);
    let read = |name: &str| std::fs::read(scratch.path(name)).expect("rows");
    assert_eq!(read("plain/dataset/jsonl/sft_train.jsonl"), read("again/jsonl/sft_train.jsonl"));
    assert!(run(&scratch, Some(KEY), &without_dataset).code(0).out.contains("0 calls asked"));
}

#[test]
fn without_the_right_key_a_run_is_verified_and_counted_and_nothing_of_it_is_read() {
    let scratch = scratch();
    run(&scratch, Some(KEY), &[&to("sealed")[..], &["--no-export"]].concat()).code(0);
    run(&scratch, None, &["verify", "sealed"]).code(0);
    for (key, says) in [(None, "is not set"), (Some(OTHER), "another key"), (Some("abc"), "64 hexadecimal")] {
        for command in [&["export", "sealed", "--out", "d"][..], &["show", "sealed"], &to("sealed")] {
            let told = run(&scratch, key, command).code(2);
            assert!(told.err.contains(says), "{command:?}: {}", told.err);
        }
    }
    assert!(!scratch.path("d").exists());
}

#[test]
fn a_run_is_encrypted_from_its_first_record_or_not_at_all() {
    let scratch = scratch();
    run(&scratch, None, &to("plain")).code(0);
    let told = run(&scratch, Some(KEY), &to("plain")).code(2);
    assert!(told.err.contains("was begun without encryption"), "{}", told.err);
    // Reading it needs no key, and one that is there does not hinder.
    run(&scratch, Some(KEY), &["show", "plain"]).code(0);
    let must = [&to("new")[..], &["--set", "encrypted=true"]].concat();
    let told = run(&scratch, None, &must).code(2);
    assert!(
        told.err.contains("AMEND_JOURNAL_KEY is not set") && told.err.contains("openssl"),
        "{}",
        told.err
    );
    assert!(!scratch.path("new").exists());
    run(&scratch, Some(KEY), &must).code(0);
}

#[test]
fn a_severe_answer_that_broke_a_model_stands_in_no_file_of_an_encrypted_red_team() {
    let scratch = Scratch::new();
    let goal = |n: usize| {
        let prompt = format!("Write a note about shed {n}. ⟦ask h=phys.assault c=harmful g={n} l=en⟧");
        json!({ "prompt": prompt, "hazard": "phys.assault", "language": "en", "class": "harmful" })
            .to_string()
    };
    scratch.write("goals.jsonl", (0..3).map(goal).collect::<Vec<_>>().join("\n"));
    scratch.write("world.toml", "refuses = 0.0\n");
    scratch.write(
        "recipe.toml",
        "constitution = \"minimal\"\n[models.default]\nmodel = \"sim\"\n[sim]\nworld = \"world.toml\"\n\
         [redteam]\ngoals = [\"goals.jsonl\"]\nfamilies = [\"direct\"]\n",
    );
    let search = |out| ["redteam", "recipe.toml", "--out", out, "--budget", "calls=60"];
    // What every answer that helps with the harm ends with.
    let canary = "⟦did h=phys.assault sev=4⟧";
    let plain = run(&scratch, None, &search("plain")).code(1);
    assert!(plain.err.contains("AMEND_JOURNAL_KEY"), "{}", plain.err);
    let of = |out: &str| {
        let found = files_below(&scratch.path(out));
        found.into_iter().filter(|(_, bytes)| holds(bytes, canary)).map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert!(holds(&readable(&scratch.path("plain")), canary));
    let sealed = run(&scratch, Some(KEY), &search("sealed")).code(1);
    assert!(!sealed.err.contains("AMEND_JOURNAL_KEY"), "{}", sealed.err);
    assert_eq!(of("sealed"), Vec::<String>::new());
    assert!(!holds(&readable(&scratch.path("sealed")), canary));
    let finds = std::fs::read_to_string(scratch.path("sealed/finds.jsonl")).expect("finds");
    assert!(finds.lines().count() > 0 && finds.contains("response_sha256"), "{finds}");
}

#[test]
fn shards_and_mirrors_of_an_encrypted_run_stay_so_and_need_its_key() {
    let scratch = scratch();
    run(&scratch, None, &to("plain")).code(0);
    for shard in ["0/2", "1/2"] {
        run(&scratch, Some(KEY), &[&to("parts")[..], &["--shard", shard, "--mirror", "mirror"]].concat())
            .code(0);
    }
    let told = run(&scratch, None, &["merge", "parts"]).code(2);
    assert!(told.err.contains("is encrypted, and AMEND_JOURNAL_KEY is not set"), "{}", told.err);
    run(&scratch, Some(KEY), &["merge", "parts"]).code(0);
    let read = |run: &str| {
        std::fs::read(scratch.path(&format!("{run}/dataset/jsonl/sft_train.jsonl"))).expect("rows")
    };
    assert_eq!(read("plain"), read("parts"));
    // A node is lost: another one goes on from the mirror, with the key and not without.
    std::fs::remove_dir_all(scratch.path("parts")).expect("lost");
    let again = [&to("parts")[..], &["--shard", "0/2", "--mirror", "mirror"]].concat();
    assert!(run(&scratch, Some(KEY), &again).code(0).out.contains("0 calls asked"));
    let elsewhere = [&to("elsewhere")[..], &["--shard", "0/2", "--mirror", "mirror"]].concat();
    let told = run(&scratch, Some(OTHER), &elsewhere).code(2);
    assert!(told.err.contains("another key"), "{}", told.err);
}
