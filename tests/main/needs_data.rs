//! Tests over public sets that the repository does not hold. They fail where `shared/data` does not lie beside the
//! repository, so a plain `cargo test` ignores them, and `.ci/run` runs them where it does:
//! `cargo test --test main needs_data -- --ignored`. Every test that needs those sets is here, and none of another kind.

use crate::gates::{check_injected, check_left_alone};
use crate::label::preferences;
use crate::refusal::Agreement;
use crate::support::{Scratch, adds_up};
use amend::pure::gates::{Refusal, check_pair, refusal};
use amend::pure::reason::Reason;
use amend::pure::recipe::{Gates, Input};
use amend::pure::text::language::detect;
use amend::runtime::dataset::prompts::{Row, open};
use amend::runtime::dataset::readers::Source;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A file or a folder of the public sets.
#[track_caller]
fn data(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    assert!(
        path.exists(),
        "this test needs shared/data beside the repository, and {} is missing",
        path.display()
    );
    path
}

/// Replies of people's preferred and other choice: `(chosen, rejected)`. They take the place of revision and draft.
fn real_pairs() -> Vec<(String, String)> {
    let file = std::fs::File::open(data("hh-rlhf-harmless/test.jsonl.gz")).expect("a readable file");
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("text");
    let reply = |row: &Value, key: &str| {
        let whole = row[key].as_str().unwrap_or("").to_owned();
        whole.rsplit_once("\n\nAssistant:").map_or(String::new(), |(_, last)| last.trim().to_owned())
    };
    let rows = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let pairs = rows.map(|row: Value| (reply(&row, "chosen"), reply(&row, "rejected")));
    let pairs: Vec<_> =
        pairs.filter(|(a, b)| a.split_whitespace().count() > 5 && !b.is_empty()).take(300).collect();
    assert_eq!(pairs.len(), 300);
    pairs
}

#[test]
#[ignore = "needs shared/data beside the repository"]
fn artefacts_put_into_real_replies_are_found() {
    // Many of these replies were cut at a token limit when they were made: of 70 that end in a letter, 63 are.
    check_injected(&real_pairs(), |code| if *code == Reason::TruncationSigns { 0.05 } else { 0.01 });
}

#[test]
#[ignore = "needs shared/data beside the repository"]
fn pair_gates_on_real_pairs() {
    let pairs = real_pairs();
    let gates = Gates::default();
    let objection = |a: &str, b: &str| check_pair(a, b, &gates).objection();
    let mut counts = BTreeMap::new();
    for (chosen, rejected) in &pairs {
        *counts.entry(objection(chosen, rejected)).or_insert(0) += 1;
        assert_eq!(objection(chosen, &chosen.to_uppercase().replace(' ', "  ")), Some(Reason::Equal));
    }
    println!("{counts:?} of {}", pairs.len());
    assert!(!counts.contains_key(&Some(Reason::LengthRatio)));
}

/// Rows of one of XSTest's files of completions: the completion and its label.
fn xstest_completions(path: &Path) -> Vec<(String, String)> {
    let mut reader = csv::Reader::from_path(path).expect("a readable file");
    let columns = reader.headers().expect("a header").clone();
    let column = |name: &str| columns.iter().position(|c| c == name).expect("the column");
    let (text, label) = (column("completion"), column("final_label"));
    let rows = reader.records().map(|row| row.expect("a row"));
    rows.map(|row| (row[text].trim().to_owned(), row[label].to_owned())).collect()
}

/// Answers that people call full compliance, each with another model's answer to the same question.
#[test]
#[ignore = "needs shared/data beside the repository"]
fn clean_answers_of_real_models_are_left_alone() {
    let [a, b, c] = ["gpt4", "mistralguard", "llama2new"]
        .map(|model| xstest_completions(&data(&format!("xstest/xstest_v2_completions_{model}_streval.csv"))));
    let both = a.iter().zip(&b).chain(b.iter().zip(&c)).chain(c.iter().zip(&a));
    let compliant = both.filter(|((_, label), _)| label.starts_with('1'));
    let pairs: Vec<_> = compliant.map(|((text, _), (other, _))| (text.clone(), other.clone())).collect();
    // These 38 were cut at a token limit when they were made: all of them end in the middle of a sentence or list.
    check_left_alone("compliance", &pairs, &[(Reason::TruncationSigns, 38)]);
}

#[test]
#[ignore = "needs shared/data beside the repository"]
fn the_refusal_detector_agrees_with_people_on_xstest() {
    let class = |label: &str| match label.chars().next() {
        Some('1') => Refusal::None,
        Some('3') => Refusal::Partial,
        _ => Refusal::Full,
    };
    let files = std::fs::read_dir(data("xstest")).expect("a folder");
    let paths = files.map(|file| file.expect("an entry").path());
    let mut measured = 0;
    for path in paths.filter(|path| path.to_string_lossy().contains("completions")) {
        let rows = xstest_completions(&path);
        let pairs = rows.iter().map(|(text, label)| (refusal(text), class(label)));
        let figures =
            Agreement(pairs.collect()).figures(&path.file_stem().unwrap_or_default().to_string_lossy());
        assert!(figures.f1 >= 0.945 && figures.exact >= 0.84, "{}: {figures:?}", path.display());
        measured += 1;
    }
    assert!(measured > 0, "files of completions");
}

#[test]
#[ignore = "needs shared/data beside the repository"]
fn every_row_of_the_real_sets_is_a_prompt_or_a_reject() {
    for (file, rows) in [
        ("ailuminate/prompts.jsonl", 1600),
        ("ailuminate/multilingual.jsonl", 3500),
        ("hh-rlhf-harmless/test.jsonl.gz", 2312),
        ("xstest/xstest_prompts.csv", 450),
        ("xstest/xstest_v2_completions_gpt4_streval.csv", 450),
        ("coconot/coconot_eval.jsonl", 1001),
        ("coconot/coconot_contrast_eval.jsonl", 379),
        ("benign/prompts.jsonl", 2136),
        ("benign/mt_bench_question.jsonl", 80),
        ("benign/user_oriented_instructions.jsonl", 252),
        ("benign/safe_prompts.txt", 520),
        ("benign", 80 + 2136 + 520 + 252),
    ] {
        let reader = open(vec![Source::Path(data(file))], &Input::default(), 0).expect(file);
        let expected = reader.expected();
        let (mut prompts, mut rejects) = (0, BTreeMap::new());
        for row in reader {
            match row {
                Row::Prompt { .. } => prompts += 1,
                Row::Reject(reject) => *rejects.entry(reject.reason).or_insert(0) += 1,
            }
        }
        println!("{file}: {prompts} prompts, rejects {rejects:?}");
        assert_eq!(prompts + rejects.values().sum::<u64>(), rows, "{file}");
        assert_eq!(expected, Some(rows), "{file}");
        assert!(prompts * 100 >= rows * 99, "{file}: {rejects:?}");
    }
}

/// How often the language of real prompts is told, and told rightly.
#[test]
#[ignore = "needs shared/data beside the repository"]
fn the_language_of_real_prompts_is_told() {
    let input = Input { sample: Some(700), ..Input::default() };
    let rows = open(vec![Source::Path(data("ailuminate/multilingual.jsonl"))], &input, 0).expect("opens");
    let (mut all, mut told, mut right) = (0, 0, 0);
    for row in rows {
        let Row::Prompt { prompt, .. } = row else { continue };
        // The detector takes Malay for Indonesian, and does not know Swahili.
        let label = match prompt.language.as_deref() {
            Some("ms" | "sw") | None => continue,
            Some("yue") => "zh",
            Some(label) => label,
        };
        all += 1;
        if let Some(found) = detect(prompt.last_user_turn()) {
            told += 1;
            right += u32::from(label == found.tag);
        }
    }
    println!("{all} prompts, the language of {told} told, {right} of them rightly");
    assert!(all > 400, "{all}");
    assert!(
        f64::from(told) > f64::from(all) * 0.9 && f64::from(right) > f64::from(told) * 0.99,
        "{right} of {told} of {all}"
    );
}

#[test]
#[ignore = "needs shared/data beside the repository"]
fn the_two_sides_of_xstest_and_coconot_are_read() {
    let scratch = Scratch::new();
    let path = |name: &str| data(name).display().to_string();
    let xstest = path("xstest/xstest_prompts.csv");
    let (contrast, coconot) =
        (path("coconot/coconot_contrast_eval.jsonl"), path("coconot/coconot_eval.jsonl"));
    let common = ["--model", "sim", "--rounds", "0", "--json"];
    let mixed = ["eval", "rates", "--both", &xstest, "--side", "label", "--by", "type", "--out", "x"];
    let report = scratch.run(&[&mixed[..], &common].concat()).code(0).summary();
    assert_eq!((&report["safe"]["prompts"], &report["unsafe"]["prompts"]), (&250.into(), &200.into()));
    assert_eq!(report["safe"]["categories"].as_object().map(serde_json::Map::len), Some(10));
    let two = ["eval", "rates", "--safe", &contrast, "--unsafe", &coconot, "--sample", "50", "--out", "c"];
    let report = scratch.run(&[&two[..], &common].concat()).code(0).summary();
    assert_eq!((&report["safe"]["prompts"], &report["unsafe"]["prompts"]), (&50.into(), &50.into()));
}

#[test]
#[ignore = "needs shared/data beside the repository"]
fn anthropics_own_pairs_are_read_and_labelled() {
    let scratch = Scratch::new();
    let file = data("hh-rlhf-harmless/test.jsonl.gz").display().to_string();
    let args = ["label", &file, "--model", "sim", "--limit", "200", "--out", "r", "--json"];
    let summary = scratch.run(&args).summary();
    adds_up(&summary);
    assert!(summary["rows"].as_u64() > Some(160), "{summary}");
    let rows = preferences(&scratch, "r");
    assert!(rows.iter().all(|row| row["given_label"].is_string() && row["prompt"][0]["role"] == "user"));
    assert!(rows.iter().any(|row| row["prompt"].as_array().is_some_and(|turns| turns.len() > 2)));
}

/// What is known of a public preference set, counted by others.
#[test]
#[ignore = "needs shared/data beside the repository"]
fn an_audit_of_real_pairs_counts_what_is_known_of_them() {
    let scratch = Scratch::new();
    let file = data("hh-rlhf-harmless/test.jsonl.gz");
    let done = scratch.run(&["audit", &file.display().to_string(), "--json"]).code(0);
    let report: Value = serde_json::from_str(&done.out).expect("JSON");
    let count = |code: &str| {
        let codes = report["codes"].as_array().expect("codes");
        codes
            .iter()
            .find(|entry| entry["code"] == code)
            .and_then(|entry| entry["count"].as_u64())
            .expect("a count")
    };
    assert_eq!(report["rows"], 2312);
    for (code, expected, within) in [
        ("prompts-differ", 5, 0),
        ("empty", 4, 0),
        ("equal", 0, 0),
        ("cut-equal@512", 31, 0),
        ("cut-equal@1024", 0, 0),
        ("chosen-refuses", 205, 2),
        ("rejected-refuses", 97, 2),
        ("both-refuse", 22, 2),
    ] {
        assert!(count(code).abs_diff(expected) <= within, "{code}: {}", count(code));
    }
    let auroc = report["shortcut"]["auroc"].as_f64().expect("a number");
    assert!((auroc - 0.61).abs() <= 0.02, "{auroc}");
    assert_eq!(report["length_bias"]["chosen_longer"]["count"], 1021);
}
