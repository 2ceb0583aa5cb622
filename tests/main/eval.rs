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
    (0..rows).map(|n| format!("{}\n", row(n))).collect()
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
