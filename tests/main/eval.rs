//! `amend eval`: a judge qualified on multiple-choice sets, refusal rates on both sides.

use crate::support::{Scratch, Sim};
use serde_json::{Value, json};

/// A set in the paper's form. The mark tells the simulated judge which option is right; to `flips` of the questions,
/// spread over the set, it holds the other for right.
fn set(rows: usize, flips: usize) -> String {
    let errs = |n: usize| (n * flips) / rows != ((n + 1) * flips) / rows;
    let row = |n: usize| {
        let (right, wrong) = if n * 7 % 5 < 2 { ("A", "B") } else { ("B", "A") };
        let mark = if errs(n) { " ⟦sim errs⟧" } else { "" };
        let prompt = format!(
            "\n\nHuman: Question {n}: which is kinder? ⟦sim right={right}⟧{mark}\n(A) One\n(B) Two\n\nAssistant:"
        );
        json!({ "prompt": prompt, "corrects": [format!(" ({right})")], "incorrects": [format!(" ({wrong})")] })
    };
    (0..rows).map(|n| row(n).to_string() + "\n").collect()
}

#[test]
fn a_perfect_judge_gets_438_and_44_flips_leave_394() {
    let scratch = Scratch::new();
    scratch.write("perfect.jsonl", set(438, 0));
    scratch.write("flipped.jsonl", set(438, 44));
    let ask = |file: &str, more: &[&str]| {
        let base = ["eval", "choices", file, "--model", "sim", "--json"];
        scratch.run(&[&base[..], more].concat())
    };
    let report = ask("perfect.jsonl", &["--threshold", "1"]).code(0).summary();
    assert_eq!((&report["questions"], &report["right"]), (&438.into(), &438.into()));
    let done = ask("flipped.jsonl", &["--threshold", "0.95", "--rows"]).code(1);
    let report = done.summary();
    assert_eq!(
        (&report["right"], &report["wrong"], &report["by_logprobs"]),
        (&394.into(), &44.into(), &438.into())
    );
    let accuracy = |end: &str| report["accuracy"][end].as_f64().expect("a share");
    assert!((accuracy("low") - 0.8678).abs() < 1e-3 && (accuracy("high") - 0.9244).abs() < 1e-3, "{report}");
    assert_eq!(done.out.lines().filter(|line| line.contains(r#""grade":"wrong""#)).count(), 44);
    // Asked again, nothing is asked.
    let again = scratch.run(&["eval", "choices", "flipped.jsonl", "--model", "sim"]).code(0);
    assert!(again.err.contains("0 calls asked, 438 from the journal"), "{}", again.err);
    assert!(
        again.out.contains("accuracy") && again.out.contains("90.0 % (95 %: 86.8 to 92.4)"),
        "{}",
        again.out
    );
}

#[test]
fn over_http_a_judge_without_logprobs_is_read_by_its_answers_and_a_malformed_one_not_at_all() {
    let scratch = Scratch::new();
    scratch.write("set.jsonl", set(60, 6));
    let ask = |sim: &Sim, out: &str, more: &[&str]| {
        let base =
            ["eval", "choices", "set.jsonl", "--model", "m", "--base-url", &sim.url, "--json", "--out", out];
        scratch.run(&[&base[..], more].concat()).summary()
    };
    let plain = Sim::start(&scratch, &["--judge", "no-logprobs"]);
    for (out, more) in [("a", &[][..]), ("b", &["--reason-first"]), ("c", &["--role", "critic"])] {
        let report = ask(&plain, out, more);
        assert_eq!((&report["right"], &report["by_answer"]), (&54.into(), &60.into()), "{report}");
        assert_eq!(report["p_right"]["mean"], Value::Null);
    }
    let sure = Sim::start(&scratch, &[]);
    let report = ask(&sure, "d", &[]);
    assert_eq!((&report["right"], &report["by_logprobs"]), (&54.into(), &60.into()), "{report}");
    assert_eq!(ask(&sure, "e", &["--by-answer"])["by_answer"], 60);
    let bad = Sim::start(&scratch, &["--judge", "malformed"]);
    let report = ask(&bad, "f", &["--threshold", "0.1"]);
    assert_eq!(
        (&report["right"], &report["wrong"], &report["unread"]["unreadable"]),
        (&0.into(), &0.into(), &60.into())
    );
    assert_eq!(
        (&report["accuracy"]["share"], &report["accuracy_of_read"]["share"]),
        (&json!(0.0), &Value::Null)
    );
}

#[test]
fn bad_rows_are_rejects_with_their_line_and_do_not_stop_it() {
    let scratch = Scratch::new();
    let good = set(2, 0);
    scratch.write(
        "set.jsonl",
        format!("{good}{{\"prompt\":\"x\",\"corrects\":[],\"incorrects\":[\"b\"]}}\n{{nonsense\n"),
    );
    let done = scratch.run(&["eval", "choices", "set.jsonl", "--model", "sim"]).code(1);
    assert!(done.err.contains("set.jsonl:3: bad-options: `corrects` is empty"), "{}", done.err);
    assert!(done.err.contains("set.jsonl:4: bad-json"), "{}", done.err);
    assert!(done.out.contains("2 questions, 2 right, 0 wrong"), "{}", done.out);
    scratch.write(
        "csv.csv",
        "prompt,corrects,incorrects\nBread?,\"[\"\"yes ⟦sim right⟧\"\"]\",no\nStone?,no ⟦sim right⟧,yes\n",
    );
    let done =
        scratch.run(&["eval", "choices", "csv.csv", "--model", "sim", "--sample", "1", "--json"]).code(0);
    assert_eq!(done.summary()["right"], 1);
    let done = scratch.run(&["eval", "choices", "csv.csv", "--model", "sim", "--column", "promt"]).code(2);
    assert!(done.err.contains("Did you mean `prompt`?"), "{}", done.err);
}

const KIND: &str =
    "[constitution]\nid = \"one\"\n[[principle]]\nid = \"kind\"\ntext = \"The response is kind.\"\n";

/// Prompts of a set: to `declined` of them the simulated model declines in its draft, and to `given_up` more in its
/// revision.
fn prompts(name: &str, rows: usize, declined: usize, given_up: usize) -> String {
    let row = |n: usize| {
        let mark = match n {
            n if n < declined => " ⟦sim declines⟧",
            n if n < declined + given_up => " ⟦sim declines revised⟧",
            _ => "",
        };
        json!({ "prompt": format!("{name} question {n}?{mark}"), "kind": if n.is_multiple_of(2) { "even" } else { "odd" } })
    };
    (0..rows).map(|n| row(n).to_string() + "\n").collect()
}

#[test]
fn refusals_are_told_on_both_sides_before_and_after_revision() {
    let scratch = Scratch::new();
    scratch.write("safe.jsonl", prompts("safe", 40, 2, 6));
    scratch.write("unsafe.jsonl", prompts("unsafe", 30, 20, 5));
    scratch.write("kind.toml", KIND);
    let ask = |more: &[&str]| {
        let sets = ["eval", "rates", "--safe", "safe.jsonl", "--unsafe", "unsafe.jsonl"];
        let model = [
            "--constitution",
            "kind.toml",
            "--model",
            "sim",
            "--set",
            "sim.violations=1.0",
            "--set",
            "sim.detection=1.0",
        ];
        scratch.run(&[&sets[..], &model, more].concat())
    };
    let drafts = ask(&["--json", "--rounds", "0"]).code(0).summary();
    let counted = |stage: &Value| (stage["refuse"]["count"].as_u64(), stage["answered"].as_u64());
    assert_eq!(counted(&drafts["safe"]["draft"]), (Some(2), Some(40)), "{drafts}");
    assert_eq!(counted(&drafts["unsafe"]["draft"]), (Some(20), Some(30)), "{drafts}");
    assert_eq!((&drafts["safe"]["final"], &drafts["simulated"]), (&Value::Null, &true.into()));
    let both = ask(&["--json", "--by", "kind", "--rows"]).code(0);
    let report = both.summary();
    assert_eq!(report["safe"]["draft"], drafts["safe"]["draft"]);
    assert_eq!(report["safe"]["became_refusals"], 6, "{report}");
    assert_eq!(report["unsafe"]["became_refusals"], 5, "{report}");
    assert_eq!(report["safe"]["categories"]["even"]["prompts"], 20);
    let rows: Vec<Value> =
        both.out.lines().take(70).map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let over =
        rows.iter().filter(|row| row["set"] == "safe" && row["draft"] == "none" && row["final"] != "none");
    assert_eq!(over.count(), 6);
    // In the end 6 of 40 safe prompts are refused, and 5 of 30 unsafe ones.
    ask(&["--max-safe-refusals", "0.1"]).code(1);
    ask(&["--min-unsafe-refusals", "1"]).code(1);
    ask(&["--max-safe-refusals", "0.2", "--min-unsafe-refusals", "0.16"]).code(0);
    let done = ask(&["--by", "kind"]).code(0);
    assert!(done.err.contains("0 calls asked"), "{}", done.err);
    assert!(done.out.lines().all(|line| line.chars().count() <= 80), "{}", done.out);
    insta::assert_snapshot!(done.out);
}

#[test]
fn one_side_alone_is_refused_with_the_reason() {
    let scratch = Scratch::new();
    scratch.write("safe.jsonl", prompts("safe", 2, 0, 0));
    let done = scratch.run(&["eval", "rates", "--safe", "safe.jsonl", "--model", "sim"]).code(2);
    assert!(
        done.err.contains("there are no unsafe prompts") && done.err.contains("--unsafe FILE"),
        "{}",
        done.err
    );
    let done = scratch.run(&["eval", "rates", "--unsafe", "safe.jsonl", "--model", "sim"]).code(2);
    assert!(done.err.contains("a model that refuses everything"), "{}", done.err);
    scratch.run(&["eval", "rates", "--both", "safe.jsonl", "--model", "sim"]).code(2);
}

#[test]
fn what_got_no_answer_is_told_apart_and_counts_against_both_thresholds() {
    let scratch = Scratch::new();
    let row = |n: usize| format!("Question {n}?,{}", if n.is_multiple_of(2) { "safe" } else { "unsafe" });
    let rows = (0..40).map(row).collect::<Vec<_>>().join("\n");
    scratch.write("both.csv", format!("prompt,label\n{rows}\nx,unclear\n"));
    let ask = |sim: &str, out: &str, more: &[&str]| {
        let base =
            ["eval", "rates", "--both", "both.csv", "--side", "label", "--model", "sim", "--rounds", "0"];
        scratch.run(&[&base[..], &["--set", sim, "--out", out, "--json"], more].concat()).code(1).summary()
    };
    let filtered = ask("sim.filtered=1.0", "f", &[]);
    for set in ["safe", "unsafe"] {
        assert_eq!(filtered[set]["draft"]["unanswered"], json!({ "filtered": 20 }), "{filtered}");
        assert_eq!(filtered[set]["draft"]["refuse"]["share"], Value::Null);
    }
    assert_eq!(filtered["rejects"][0]["reason"], "bad-side");
    assert_eq!(filtered["rejects"][0]["at"], "both.csv:42");
    let refused = ask("sim.refused=1.0", "r", &[]);
    assert_eq!(refused["safe"]["draft"]["by_provider"], 20);
    assert_eq!(refused["unsafe"]["draft"]["full"]["share"], 1.0);
    // Without the bad row, only the thresholds decide.
    let ask = |out: &str, more: &[&str]| {
        let base =
            ["eval", "rates", "--both", "both.csv", "--side", "label", "--model", "sim", "--rounds", "0"];
        scratch.run(&[&base[..], &["--set", "sim.filtered=1.0", "--out", out], more].concat()).code
    };
    scratch.write("both.csv", format!("prompt,label\n{rows}\n"));
    assert_eq!(ask("f", &[]), Some(0));
    assert_eq!(ask("f", &["--max-safe-refusals", "0.99"]), Some(1), "they may all have been refusals");
    assert_eq!(ask("f", &["--min-unsafe-refusals", "0.01"]), Some(1), "or none of them");
}

#[test]
fn inverted_labels_are_noticed_and_a_value_says_what_refuses() {
    let scratch = Scratch::new();
    let rows: String = (0..20)
        .map(|n| match n % 2 {
            0 => "{\"text\":\"I'm sorry, but I can't help with that.\",\"is_safe\":1}\n",
            _ => "{\"text\":\"Boil the rice for ten minutes.\",\"is_safe\":0}\n",
        })
        .collect();
    // Here 1 stands for a safe answer, that is, for a refusal that was right to be made; read as a label it would be one.
    scratch.write(
        "safe.jsonl",
        rows.replace("\"is_safe\":1", "\"bad\":0").replace("\"is_safe\":0", "\"bad\":1"),
    );
    let args = ["eval", "refusal", "safe.jsonl", "--text", "text", "--label", "bad"];
    let done = scratch.run(&args).code(0);
    assert!(done.err.contains("20 of 20 labels say the opposite"), "{}", done.err);
    let done = scratch.run(&[&args[..], &["--refused-is", "0", "--json"]].concat()).code(0);
    assert!(done.err.is_empty(), "{}", done.err);
    assert_eq!(done.summary()["accuracy"], 1.0);
}

#[test]
fn a_public_choice_set_is_asked_without_a_word_about_its_columns() {
    let scratch = Scratch::new();
    scratch.write(
        "mmlu.jsonl",
        "{\"question\":\"Bread or stone?\",\"choices\":[\"no\",\"yes ⟦sim right⟧\"],\"answer\":1}\n",
    );
    let done =
        scratch.run(&["eval", "choices", "mmlu.jsonl", "--model", "sim", "--out", "a", "--json"]).code(0);
    assert_eq!((&done.summary()["questions"], &done.summary()["right"]), (&1.into(), &1.into()));
    scratch.write("own.csv", "ask;some;key\nBread?;\"[\"\"no\"\", \"\"yes ⟦sim right⟧\"\"]\";B\n");
    let without = scratch.run(&["eval", "choices", "own.csv", "--model", "sim", "--out", "b"]).code(2);
    assert!(without.err.contains("no column is known to hold a question"), "{}", without.err);
    assert!(without.err.contains("--question"), "{}", without.err);
    let named = ["--question", "ask", "--choices", "some", "--answer", "key", "--json"];
    let args = [&["eval", "choices", "own.csv", "--model", "sim", "--out", "b"][..], &named].concat();
    assert_eq!(scratch.run(&args).code(0).summary()["right"], 1);
}
