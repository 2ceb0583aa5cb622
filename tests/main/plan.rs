//! `amend plan`: what it says beforehand, against what a run then uses.

use crate::support::Scratch;
use serde_json::Value;
use std::fmt::Write as _;

/// Prompts of very different lengths.
fn prompts(scratch: &Scratch, count: usize) {
    let mut text = String::new();
    for n in 0..count {
        let words = "and what else should I know about it ".repeat(n * 7 % 23);
        let _ = writeln!(text, "How do I mend the harbour gate number {n}, {words}please?");
    }
    scratch.write("prompts.txt", text);
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn holds(interval: &Value, number: &Value) -> bool {
    let of = |value: &Value| value.as_f64().expect("a number");
    of(&interval["low"]) <= of(number) && of(number) <= of(&interval["high"])
}

const RECIPES: [&[&str]; 10] = [
    &["--constitution", "minimal"],
    &["--constitution", "minimal", "--rounds", "4", "--set", "sim.violations=0.6"],
    &["--constitution", "minimal", "--schedule", "each", "--seed", "3"],
    &["--constitution", "minimal", "--schedule", "each", "--rounds", "3", "--set", "sim.violations=0.5"],
    &["--schedule", "sampled", "--rounds", "4", "--seed", "5"],
    &["--schedule", "sampled", "--rounds", "2", "--set", "method.revise_always=true"],
    &["--constitution", "minimal", "--screen", "--seed", "7"],
    &["--constitution", "minimal", "--set", "sim.unreadable=0.3", "--set", "sim.seed=8"],
    &["--constitution", "minimal", "--set", "sim.false_alarms=0.3", "--seed", "9"],
    &["--constitution", "minimal", "--rounds", "1", "--set", "sim.preambles=0.5", "--set", "sim.seed=4"],
];

#[test]
fn a_plan_with_a_probe_holds_what_the_run_then_uses() {
    let scratch = Scratch::new();
    prompts(&scratch, 120);
    let mut held = 0;
    let mut report = String::new();
    for (n, recipe) in RECIPES.iter().enumerate() {
        let (probe, out) = (format!("probe-{n}"), format!("run-{n}"));
        let mut given = vec!["plan", "--json", "--model", "sim", "--prompts", "prompts.txt", "--probe", "20"];
        given.extend(recipe.iter());
        let plan = json(&scratch.run(&[&given[..], &["--out", &probe]].concat()).code(0).out);
        assert_eq!((&plan["prompts"], &plan["probed"]), (&120.into(), &20.into()));
        let mut given = vec!["run", "--json", "--no-export", "--model", "sim", "--prompts", "prompts.txt"];
        given.extend(recipe.iter());
        let used = scratch.run(&[&given[..], &["--out", &out]].concat()).summary();
        let total = &plan["total"];
        let all = holds(&total["calls"], &used["calls"]["asked"])
            && holds(&total["prompt"], &used["tokens"]["prompt"])
            && holds(&total["completion"], &used["tokens"]["completion"]);
        held += u32::from(all);
        let _ = writeln!(report, "{recipe:?} {all}: {total} against {used}");
    }
    assert!(held >= 9, "{held} of 10 held:\n{report}");
}

#[test]
fn without_a_probe_bounds_hold_the_calls_and_nothing_is_written() {
    let scratch = Scratch::new();
    prompts(&scratch, 30);
    let base = ["--model", "sim", "--prompts", "prompts.txt", "--constitution", "minimal", "--json"];
    for schedule in ["panel", "each", "sampled"] {
        for critique in ["true", "false"] {
            let (out, set) = (format!("{schedule}-{critique}"), format!("method.critique={critique}"));
            let base = [&["--schedule", schedule, "--set", &set][..], &base].concat();
            let plan = json(&scratch.run(&[&["plan", "--out", "none"][..], &base].concat()).code(0).out);
            assert!(!scratch.path("none").exists());
            let used = scratch.run(&[&["run", "--no-export", "--out", &out][..], &base].concat()).summary();
            let total = &plan["total"];
            assert!(holds(&total["calls"], &used["calls"]["asked"]), "{out}: {plan} against {used}");
            assert!(holds(&total["prompt"], &used["tokens"]["prompt"]), "{out}: {plan} against {used}");
        }
    }
}

#[test]
fn what_the_probe_paid_for_is_not_asked_again_and_what_is_finished_is_free() {
    let scratch = Scratch::new();
    prompts(&scratch, 12);
    let base = ["--model", "sim", "--prompts", "prompts.txt", "--constitution", "minimal", "--json"];
    let price = ["--set", "models.default.price={ prompt = 1.0, completion = 4.0 }"];
    let plan = |probe: &str| {
        let given = [&["plan", "--probe", probe, "--out", "run"][..], &base, &price].concat();
        json(&scratch.run(&given).code(0).out)
    };
    let before = plan("12");
    assert!(before["money"]["likely"].as_f64().expect("a sum") > 0.0, "{before}");
    assert_eq!(before["journal"]["finished"], 0);
    assert!(before["pace"]["calls_per_second"].as_f64().expect("a pace") > 0.0, "{before}");
    assert!(before["seconds"]["likely"].as_f64().expect("a time") > 0.0, "{before}");
    let used = scratch.run(&[&["run", "--no-export", "--out", "run"][..], &base].concat()).summary();
    assert_eq!(used["calls"]["asked"], 0, "{used}");
    let after = plan("0");
    assert_eq!(after["journal"]["finished"], 12, "{after}");
    assert!(after["seconds"].is_null(), "nothing was asked, so nothing is known of time: {after}");
    assert_eq!(after["journal"]["calls"], used["calls"]["from_journal"]);
}

#[test]
fn bounds_know_what_labels_take() {
    let scratch = Scratch::new();
    prompts(&scratch, 12);
    let pair = |n: usize| {
        format!("{{\"prompt\":\"Question {n}?\",\"responses\":[\"One {n}.\",\"Two.\",\"Three.\"]}}\n")
    };
    scratch.write("pairs.jsonl", (0..12).map(pair).collect::<String>());
    let check = |name: &str, prompts: &str, more: &[&str]| {
        let base =
            ["--model", "sim", "--prompts", prompts, "--constitution", "minimal", "--json", "--out", name];
        let sets: Vec<&str> = more.iter().flat_map(|set| ["--set", set]).collect();
        let plan = json(&scratch.run(&[&["plan"][..], &base, &sets].concat()).code(0).out);
        let run = scratch.run(&[&["run", "--no-export"][..], &base, &sets].concat());
        let used = run.summary();
        assert_eq!(used["unfinished"], 0, "{}", run.err);
        for (what, number) in
            [("calls", &used["calls"]["asked"]), ("completion", &used["tokens"]["completion"])]
        {
            assert!(holds(&plan["total"][what], number), "{name} {what}: {plan} against {used}");
        }
        plan["roles"]["judge"]["calls"].clone()
    };
    let judged = check("given", "pairs.jsonl", &["label.source=given", "label.how=votes", "label.votes=3"]);
    // Twelve rows of three pairs, each in two orders with three votes.
    assert_eq!((judged["low"].as_f64(), judged["high"].as_f64()), (Some(216.0), Some(216.0)), "{judged}");
    let judged =
        check("samples", "prompts.txt", &["label.source=samples", "label.samples=3", "label.principles=0"]);
    assert!(judged["low"].as_f64() > Some(0.0), "{judged}");
    check("steps", "prompts.txt", &["label.source=samples", "label.pairs=steps", "label.reason_first=true"]);
    check("chain", "prompts.txt", &["label.source=chain", "method.schedule=each", "sim.no_logprobs=true"]);
    check("confirm", "prompts.txt", &["gates.confirm=true"]);
    let asking = ["gates.confirm_revision=true", "sim.asides=0.4", "sim.violations=0.5"];
    check("ask-each", "prompts.txt", &[&asking[..], &["method.schedule=each"]].concat());
    check("ask-direct", "prompts.txt", &[&asking[..], &["method.critique=false"]].concat());
}

/// What an edit costs, before it is paid: the calls that are asked for certain, and the most that can follow.
#[test]
fn a_replay_of_the_journal_says_what_an_edit_asks() {
    let scratch = Scratch::new();
    prompts(&scratch, 25);
    let principle =
        |id: &str, text: &str| format!("[[principle]]\nid = \"{id}\"\ntext = \"The response {text}.\"\n");
    let constitution = |kind: &str| {
        let all = [principle("kind", kind), principle("brief", "is short"), principle("true", "is true")];
        format!("[constitution]\nid = \"own\"\n{}", all.concat())
    };
    for (out, more) in [
        ("calm", ["sim.violations=0.0", "sim.false_alarms=0.0"]),
        ("lively", ["sim.violations=0.4", "sim.seed=2"]),
    ] {
        scratch.write("own.toml", constitution("is kind"));
        let given = [
            "--constitution",
            "own.toml",
            "--model",
            "sim",
            "--prompts",
            "prompts.txt",
            "--out",
            out,
            "--json",
        ];
        let given = [&given[..], &["--set", more[0], "--set", more[1], "--set", "method.examine=0"]].concat();
        let run = || scratch.run(&[&["run", "--no-export"][..], &given].concat()).summary();
        let plan = || json(&scratch.run(&[&["plan"][..], &given].concat()).code(0).out)["replay"].clone();
        assert_eq!(plan(), Value::Null, "there is no journal yet");
        run();
        let finished = plan();
        assert_eq!((&finished["done"], &finished["then_at_most"]), (&25.into(), &0.into()), "{finished}");
        scratch.write("own.toml", constitution("is kind to everybody"));
        let planned = plan();
        let missing = planned["missing"]["critic"].as_u64().expect("critiques");
        assert!(
            missing >= 25 && planned["missing"].as_object().is_some_and(|roles| roles.len() == 1),
            "{planned}"
        );
        let asked = run()["calls"]["asked"].as_u64().expect("a count");
        let most = missing + planned["then_at_most"].as_u64().expect("a count");
        assert!((missing..=most).contains(&asked), "{asked} asked: {planned}");
        if out == "calm" {
            assert_eq!(asked, missing, "nothing follows where nothing objects");
        }
        assert_eq!(plan()["done"], 25);
    }
}
