//! `amend label` over the simulated judge, whose truth is planted: pairs of a file in, labels and the judge's report out.

use crate::support::{Scratch, Sim, adds_up, bytes};
use amend::runtime::sim::{Mark, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const KIND: &str =
    "[constitution]\nid = \"one\"\n[[principle]]\nid = \"kind\"\ntext = \"The response is kind.\"\n";

/// Two responses to question `n`, the one that the simulated world holds for kinder first.
fn pair(n: usize) -> [String; 2] {
    let text = |which: &str| format!("Answer {which} to question {n}. ⟦sim p={n:016x} d={which}{n:x}⟧");
    let world = amend::pure::recipe::Sim::default();
    let mark = |text: &str| Mark::find(text).expect("a mark");
    let (one, two) = (text("a"), text("b"));
    if World::new(&world).better("kind", &mark(&one), &mark(&two)) > 0.5 { [one, two] } else { [two, one] }
}

/// Labelled pairs of which every `wrong`-th calls the worse response chosen.
pub(crate) fn labelled(scratch: &Scratch, count: usize, wrong: usize) {
    let row = |n: usize| {
        let [mut chosen, mut rejected] = pair(n);
        if n.is_multiple_of(wrong) {
            std::mem::swap(&mut chosen, &mut rejected);
        }
        json!({ "prompt": format!("Question {n}?"), "chosen": chosen, "rejected": rejected }).to_string()
            + "\n"
    };
    scratch.write("pairs.jsonl", (0..count).map(row).collect::<String>());
    scratch.write("kind.toml", KIND);
}

fn label<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = ["label", "pairs.jsonl", "--constitution", "kind.toml", "--out", out, "--json"];
    [&args[..], more].concat()
}

fn report(scratch: &Scratch, run: &str) -> Value {
    let text = std::fs::read_to_string(scratch.path(run).join("report.json")).expect("a report");
    serde_json::from_str(&text).expect("JSON")
}

/// The rows of `preference`, all splits.
pub(crate) fn preferences(scratch: &Scratch, run: &str) -> Vec<Value> {
    let read = |split: &str| {
        let name = format!("{run}/dataset/jsonl/preference_{split}.jsonl");
        std::fs::read_to_string(scratch.path(&name)).unwrap_or_default()
    };
    let all = ["train", "validation", "test"].map(read).concat();
    all.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn labels_are_the_planted_truth_and_agreement_is_told() {
    let scratch = Scratch::new();
    labelled(&scratch, 100, 5);
    let done = scratch.run(&label("r", &["--model", "sim"])).code(0);
    adds_up(&done.summary());
    assert_eq!(
        (done.summary()["rows"].as_u64(), done.summary()["calls"]["asked"].as_u64()),
        (Some(100), Some(200))
    );
    let rows = preferences(&scratch, "r");
    assert_eq!(rows.len(), 100);
    for row in &rows {
        let text = row["chosen"][0]["content"].as_str().expect("a text");
        let n: usize = text.split(['.', ' ']).nth(4).and_then(|n| n.parse().ok()).expect("a number");
        assert_eq!(text, pair(n)[0]);
        assert_eq!(row["given_label"], if n.is_multiple_of(5) { "rejected" } else { "chosen" });
        assert_eq!((&row["label_source"], &row["model"]), (&"logprobs".into(), &"given".into()));
    }
    let report = report(&scratch, "r");
    let agreement = &report["agreement"];
    assert_eq!((&agreement["count"], &agreement["of"]), (&80.into(), &100.into()), "{report}");
    assert_eq!(report["principles"][0]["agreement"]["count"], 80);
    // The event is the file, and the summary comes last.
    let events: Vec<Value> = done.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [.., told, summary] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&told["event"], &summary["event"]), (&"report".into(), &"summary".into()));
    assert_eq!(told["agreement"], *agreement);
    let again =
        [&["label", "pairs.jsonl", "--constitution", "kind.toml", "--out", "r", "--model", "sim"][..]]
            .concat();
    let said = scratch.run(&again).code(0).out;
    assert!(said.contains("labels agree with the input's own on 80 % of 100 (71–87 %)"), "{said}");
    assert!(
        scratch.run(&["show", "r"]).code(0).out.contains("agrees with the input   80 % of 100"),
        "shown too"
    );
    let card = std::fs::read_to_string(scratch.path("r/dataset/README.md")).expect("a card");
    assert!(card.contains("| agreement with given labels | 0.8 | 0.7112 to 0.8666 | 100 |"), "{card}");
}

#[test]
fn what_the_file_says_changes_no_label() {
    let scratch = Scratch::new();
    let labels = |run: &str, wrong: usize| {
        labelled(&scratch, 30, wrong);
        scratch.run(&label(run, &["--model", "sim", "--set", "sim.judge=position"])).code(0);
        let rows = preferences(&scratch, run).into_iter();
        rows.map(|row| (row["chosen"].to_string(), row["p_chosen"].to_string())).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(labels("right", 1000), labels("wrong", 1));
    assert_eq!(report(&scratch, "wrong")["agreement"]["count"], 0);
    assert_eq!(report(&scratch, "right")["agreement"]["count"], 29, "the first is always called wrong");
}

#[test]
fn killed_and_started_again_it_is_the_labelling_that_was_not() {
    let scratch = Scratch::new();
    labelled(&scratch, 60, 3);
    let http = |sim: &Sim| ["--model".to_owned(), "judge".into(), "--base-url".into(), sim.url.clone()];
    let calm = Sim::start(&scratch, &[]);
    let model = http(&calm);
    let model: Vec<&str> = model.iter().map(String::as_str).collect();
    scratch.run(&label("calm", &model)).code(0);
    let sim = Sim::start(&scratch, &["--latency-ms", "15"]);
    let model = http(&sim);
    let more: Vec<&str> = model.iter().map(String::as_str).chain(["--concurrency", "8"]).collect();
    let kills = sim.kill_at(&scratch, &label("killed", &more), &[10, 30, 31, 70]);
    assert!(kills >= 2, "it was too fast to be killed: {kills}");
    let last = scratch.run(&label("killed", &more)).code(0).summary();
    adds_up(&last);
    assert_eq!(last["rows"], 60);
    assert_eq!(bytes(&scratch.path("calm/dataset")), bytes(&scratch.path("killed/dataset")));
    assert_eq!(report(&scratch, "calm"), report(&scratch, "killed"));
    let repeats = sim.stats()["repeats"].as_u64().expect("a count");
    assert!(repeats <= kills * 8, "{repeats} calls were paid twice in {kills} kills");
}

#[test]
fn bad_rows_are_rejects_and_undecided_is_no_label() {
    let scratch = Scratch::new();
    labelled(&scratch, 3, 2);
    let mut rows = std::fs::read_to_string(scratch.path("pairs.jsonl")).expect("pairs");
    rows += "{\"prompt\":\"Q?\",\"chosen\":\"Same.\",\"rejected\":\"Same.\"}\n{\"prompt\":\"Q?\",\"chosen\":\"One.\"}\n\
             {\"prompt\":\"Q?\",\"chosen\":\"One.\",\"rejected\":\" \"}\nnot json\n";
    let first = rows.lines().next().expect("a row").to_owned();
    scratch.write("pairs.jsonl", format!("{rows}{first}\n"));
    let done = scratch.run(&label("r", &["--model", "sim"])).code(1);
    adds_up(&done.summary());
    assert_eq!((done.summary()["rows"].as_u64(), done.summary()["rejects"].as_u64()), (Some(3), Some(5)));
    let shown = scratch.run(&["show", "r", "--rejects"]).code(0).out;
    for (line, reason) in [
        (4, "equal-responses"),
        (5, "missing-response"),
        (6, "empty-response"),
        (7, "bad-json"),
        (8, "duplicate"),
    ] {
        assert!(shown.contains(&format!("pairs.jsonl:{line}  {reason}")), "{line} {reason}: {shown}");
    }
    let done = scratch.run(&label("mute", &["--model", "sim", "--set", "sim.judge=malformed"])).code(1);
    adds_up(&done.summary());
    assert_eq!((done.summary()["rows"].as_u64(), preferences(&scratch, "mute").len()), (Some(0), 0));
    assert!(scratch.run(&["show", "mute", "--rejects"]).code(0).out.contains("undecided"));
    let undecided = &report(&scratch, "mute")["comparisons"]["undecided"];
    assert_eq!((&undecided["count"], &undecided["of"]), (&3.into(), &3.into()));

    scratch.write("pairs.jsonl", "{\"prompt\":\"Q?\",\"good\":\"One.\",\"bad\":\"Two.\"}\n");
    let done = scratch.run(&label("none", &["--model", "sim"])).code(2);
    assert!(done.err.contains("`good`") && done.err.contains("--responses"), "{}", done.err);
    let done = scratch.run(&label("none", &["--model", "sim", "--responses", "good,badd"])).code(2);
    assert!(done.err.contains("`badd`") && done.err.contains("Did you mean `bad`?"), "{}", done.err);
    scratch.run(&label("named", &["--model", "sim", "--responses", "good,bad"])).code(0);
}

#[test]
fn what_a_judge_is_worth_is_told_where_it_is_worth_little() {
    let scratch = Scratch::new();
    labelled(&scratch, 80, 2);
    let told = |run: &str, set: &str| {
        let args = ["label", "pairs.jsonl", "--constitution", "kind.toml", "--model", "sim", "--out", run];
        let done = scratch.run(&[&args[..], &["--set", set, "--set", "limits.attempts=1"]].concat());
        assert!(done.out.lines().all(|line| line.chars().count() <= 80), "{}", done.out);
        (done.out, report(&scratch, run))
    };
    let (sound, report) = told("sound", "sim.judge=perfect");
    assert!(!sound.contains("flips") && !sound.contains("favours"), "{sound}");
    assert_eq!(report["comparisons"]["flips"]["count"], 0);
    let (position, report) = told("position", "sim.judge=position");
    assert!(position.contains("favours what it is shown first: +0.30 ± 0.00"), "{position}");
    assert!(position.contains("choice flips with the order"), "{position}");
    let off = report["comparisons"]["position_bias"]["mean"].as_f64().expect("a bias");
    assert!((off - 0.3).abs() < 0.002, "{off}");
    let (unreadable, report) = told("mute", "sim.unreadable=0.9");
    assert!(unreadable.contains("comparisons without a label"), "{unreadable}");
    assert!(report["comparisons"]["undecided"]["count"].as_u64() > Some(10), "{report}");
}

const THREE: &str = "[constitution]\nid = \"three\"\n[[principle]]\nid = \"kind\"\ntext = \"The response is kind.\"\n\
                     [[principle]]\nid = \"honest\"\ntext = \"The response is true.\"\n[[principle]]\nid = \
                     \"short\"\ntext = \"The response is short.\"\n";

/// A run of the simulated world over some prompts, with settings of it.
fn run(scratch: &Scratch, out: &str, sets: &[&str]) -> (String, Value) {
    scratch.write("three.toml", THREE);
    let prompt = |n: usize| format!("How do I mend gate number {n}?");
    scratch.write("prompts.txt", (0..60).map(prompt).collect::<Vec<_>>().join("\n"));
    let args =
        ["run", "--constitution", "three.toml", "--model", "sim", "--prompts", "prompts.txt", "--out", out];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let done = scratch.run(&[&args[..], &sets].concat());
    assert!(done.out.lines().all(|line| line.chars().count() <= 80), "{}", done.out);
    (done.out, report(scratch, out))
}

/// Why rows of `preference` were left out, and how many.
fn left_out(scratch: &Scratch, run: &str) -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(scratch.path(run).join("dataset/stats.json")).expect("statistics");
    let stats: Value = serde_json::from_str(&text).expect("JSON");
    serde_json::from_value(stats["dropped"]["preference"].clone()).unwrap_or_default()
}

#[test]
fn a_judge_confirms_what_critics_say_or_the_pair_is_left_out() {
    let scratch = Scratch::new();
    // Every objection is true: a violation mended is better under the principle that objected, and the judge knows.
    let sound = ["sim.violations=0.5", "sim.false_alarms=0", "gates.confirm=true"];
    run(&scratch, "sound", &sound);
    let (kept, dropped) = (preferences(&scratch, "sound"), left_out(&scratch, "sound"));
    assert!(kept.len() > 30 && !dropped.contains_key("judge-disagrees"), "{} {dropped:?}", kept.len());
    assert!(kept.iter().all(|row| row["label_source"] == "logprobs" && row["p_chosen"].as_f64() > Some(0.5)));
    // None is: what is revised was as good as it became, and the judge says so about as often as not.
    let alarmed = ["sim.violations=0", "sim.false_alarms=0.5", "gates.confirm=true"];
    run(&scratch, "alarmed", &alarmed);
    let (kept, dropped) = (preferences(&scratch, "alarmed").len() as u64, left_out(&scratch, "alarmed"));
    assert!(dropped["judge-disagrees"] > 10 && kept > 10, "{kept} {dropped:?}");
    run(&scratch, "trusted", &["sim.violations=0", "sim.false_alarms=0.5"]);
    assert_eq!(preferences(&scratch, "trusted").len() as u64, kept + dropped["judge-disagrees"]);
    // Unknown confirms nothing, and a row of `sft` does not depend on it.
    let (told, _) = run(&scratch, "mute", &[&sound[..], &["sim.judge=malformed"]].concat());
    assert_eq!(preferences(&scratch, "mute").len(), 0, "{told}");
    assert!(left_out(&scratch, "mute")["judge-undecided"] > 30 && told.contains("judge-undecided"), "{told}");
}

#[test]
fn labels_of_a_chain_are_about_what_was_revised() {
    let scratch = Scratch::new();
    run(
        &scratch,
        "chain",
        &["label.source=chain", "sim.violations=0.5", "sim.false_alarms=0", "export.pairs=all"],
    );
    let rows = preferences(&scratch, "chain");
    assert!(rows.len() > 30, "{}", rows.len());
    // Of a principle that was violated and mended the judge is sure; of any other the two would be nearly equal.
    assert!(rows.iter().all(|row| row["p_chosen"].as_f64() > Some(0.9) && row["round"] != 0), "{rows:?}");
}

#[test]
fn the_report_tells_what_was_planted() {
    let scratch = Scratch::new();
    let (told, report) =
        run(&scratch, "dead", &["sim.not_applicable=1", "sim.violations=0", "sim.false_alarms=0"]);
    assert!(told.contains("never of any bearing: 3 of 3 principles: kind, honest, short"), "{told}");
    assert_eq!(report["dead"].as_array().map(Vec::len), report["principles"].as_array().map(Vec::len));

    let (told, report) = run(&scratch, "mute", &["sim.unreadable=0.8"]);
    assert!(told.contains("critiques without a verdict"), "{told}");
    assert!(report["undecided"]["share"].as_f64() > Some(0.2), "{report}");

    // A reviser that breaks what it was not asked about.
    let (_, report) = run(&scratch, "breaks", &["sim.breaks=0.5", "sim.violations=0.5"]);
    assert!(report["revisions"]["rolled_back"].as_u64() > Some(5), "{report}");
    assert!(
        report["undoes"][0]["times"].as_u64() > Some(2) && report["undoes"][0]["mutual"] == true,
        "{report}"
    );
    assert!(scratch.run(&["show", "breaks"]).code(0).out.contains("and the other way round"));

    // The paper's way revises what nothing objects to; the world says how often that changes the response.
    let paper =
        ["method.schedule=sampled", "method.revise_always=true", "sim.needless=0.4", "sim.violations=0.1"];
    let (told, report) = run(&scratch, "paper", &paper);
    assert!(told.contains("changed although nothing objected"), "{told}");
    let needless = report["revisions"]["needless"].clone();
    assert!(needless["low"].as_f64() < Some(0.4) && needless["high"].as_f64() > Some(0.4), "{needless}");

    let (told, report) = run(&scratch, "sound", &[]);
    assert!(!told.contains("own report"), "nothing to tell: {told}");
    assert_eq!(report["transcripts"], 60);
}

#[test]
fn what_the_dataset_leaves_out_is_told_and_adds_up() {
    let scratch = Scratch::new();
    labelled(&scratch, 20, 4);
    // The same pairs with a label of hazard are other items, and the same rows of `preference`.
    let rows = std::fs::read_to_string(scratch.path("pairs.jsonl")).expect("pairs");
    let again = rows.replace("{\"prompt\"", "{\"hazard\":\"x\",\"prompt\"");
    scratch.write("pairs.jsonl", format!("{rows}{again}"));
    let done = scratch.run(&label("r", &["--model", "sim"])).code(0);
    let events = done.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let exported = events.into_iter().find(|event| event["event"] == "exported").expect("the event");
    assert_eq!(exported["left_out"], json!([["preference", "repeat", 20]]));
    assert_eq!((&exported["rows"][0], &done.summary()["rows"]), (&json!(["preference", 20]), &json!(40)));
    let args = label("r", &["--model", "sim"]);
    let said = scratch.run(&args.into_iter().filter(|arg| *arg != "--json").collect::<Vec<_>>()).code(0).out;
    assert!(said.contains("left out of preference: 20 repeat"), "{said}");
}

/// Puts an artefact into a text.
type Spoil = fn(&str) -> String;

/// Anybody's pairs come as they are: a response with what a template left in it, or without an end, is never chosen.
#[test]
fn a_response_with_an_artefact_is_never_chosen() {
    let scratch = Scratch::new();
    scratch.write("kind.toml", KIND);
    let spoilt: [(&str, Spoil); 4] = [
        ("think-tag", |text| format!("<think>What do they want?</think>{text}")),
        ("role-tag", |text| format!("{text}<|im_end|>")),
        ("preamble", |text| format!("Here is the revised response:\n\n{text}")),
        ("truncation-signs", |text| format!("```\n{text}")),
    ];
    let mut rows = String::new();
    for n in 0..12 {
        let [better, worse] = pair(n);
        let (_, spoil) = spoilt[n % 4];
        // Of three pairs of a kind, two have it in the better response.
        let (a, b) = if n < 8 { (spoil(&better), worse) } else { (better, spoil(&worse)) };
        rows += &(json!({ "prompt": format!("Question {n}?"), "response_a": a, "response_b": b })
            .to_string()
            + "\n");
    }
    scratch.write("pairs.jsonl", rows);
    let done = scratch.run(&label("given", &["--model", "sim"])).code(1);
    let rejects = rows_of(&done.out, "reject");
    // The judge may prefer the worse one now and then, and is not followed there either.
    for (code, _) in spoilt {
        let count = rejects.iter().filter(|reject| reject["reason"] == code).count();
        assert!((2..=3).contains(&count), "{code}: {rejects:?}");
    }
    let kept = preferences(&scratch, "given");
    assert_eq!(kept.len() + rejects.len(), 12);
    assert!(kept.len() >= 2, "{rejects:?}");
    for row in kept {
        let chosen = row["chosen"][0]["content"].as_str().expect("a text");
        assert!(
            !["<think>", "<|im_end|>", "revised response", "```"].iter().any(|mark| chosen.contains(mark)),
            "{chosen}"
        );
    }
}

/// The events of a kind.
fn rows_of(out: &str, event: &str) -> Vec<Value> {
    let all = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    all.filter(|row| row["event"] == event).collect()
}
