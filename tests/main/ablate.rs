//! `amend ablate`, with the real binary over the simulated model: one journal, asked only for what is missing.

use crate::support::{Scratch, Sim};
use serde_json::Value;

const CONSTITUTION: &str = r#"
[constitution]
id = "three"
[[principle]]
id = "kind"
text = "The response is kind to the person who asks."
[[principle]]
id = "honest"
text = "The response says only what is true."
[[principle]]
id = "short"
text = "The response is no longer than it has to be."
"#;

fn files(scratch: &Scratch, prompts: usize) {
    scratch.write("three.toml", CONSTITUTION);
    let hazard = |n: usize| if n.is_multiple_of(2) { ", \"hazard\": \"phys.assault\"" } else { "" };
    let line = |n: usize| format!("{{\"prompt\": \"What is the use of tool number {n}?\"{}}}\n", hazard(n));
    scratch.write("prompts.jsonl", (0..prompts).map(line).collect::<String>());
}

const BASE: [&str; 7] =
    ["ablate", "--constitution", "three.toml", "--prompts", "prompts.jsonl", "--model", "sim"];

fn over<'a>(sim: &'a Sim, more: &[&'a str]) -> Vec<&'a str> {
    [&BASE[..], &["--base-url", &sim.url, "--json"], more].concat()
}

/// `asked` of each variant.
fn asked(report: &Value) -> Vec<u64> {
    let variants = report["variants"].as_array().expect("variants");
    variants.iter().map(|variant| variant["calls"]["asked"].as_u64().expect("a count")).collect()
}

#[test]
fn asked_again_it_asks_nothing_and_a_variant_more_asks_only_its_own_calls() {
    let scratch = Scratch::new();
    files(&scratch, 12);
    let sim = Sim::start(&scratch, &[]);
    let requests = || sim.stats()["requests"].as_u64().expect("a count");
    let first = scratch.run(&over(&sim, &["--figures", "rounds"])).code(0);
    let (report, after_one) = (first.summary(), requests());
    assert_eq!(asked(&report), [after_one]);
    let again = scratch.run(&over(&sim, &["--figures", "rounds"])).code(0).summary();
    assert_eq!((asked(&again), requests()), (vec![0], after_one));
    assert_eq!((&again["figures"], &again["prompts"]), (&report["figures"], &report["prompts"]));

    let two = scratch.run(&over(&sim, &["--figures", "rounds,critique"])).code(0).summary();
    let direct = requests() - after_one;
    assert_eq!(asked(&two), [0, direct]);
    assert!(direct > 0 && two["variants"][1]["calls"]["from_journal"].as_u64() >= Some(12), "{two}");
    assert_eq!(two["figures"]["rounds"], report["figures"]["rounds"]);
    // The draft stands in every variant, with every critique of it.
    let all = scratch.run(&over(&sim, &[])).code(0).summary();
    assert_eq!(asked(&all)[..2], [0, 0]);
    assert_eq!(asked(&all).iter().sum::<u64>(), requests() - after_one - direct);
    assert_eq!(sim.stats()["repeats"], 0, "nothing was asked twice");
}

#[test]
fn killed_it_goes_on_and_comes_to_the_same() {
    let scratch = Scratch::new();
    files(&scratch, 16);
    let figures = |report: &Value| report["figures"].clone();
    let calm = Sim::start(&scratch, &[]);
    let whole = scratch.run(&over(&calm, &["--out", "calm"])).code(0).summary();
    let sim = Sim::start(&scratch, &["--latency-ms", "15"]);
    let args = over(&sim, &["--out", "killed", "--concurrency", "8"]);
    let mut kills = 0;
    for at in [20, 90, 91] {
        let mut command = scratch.command(&args);
        let mut child = command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the binary starts");
        while sim.stats()["requests"].as_u64() < Some(at) && child.try_wait().expect("a child").is_none() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        kills += u64::from(child.try_wait().expect("a child").is_none());
        child.kill().expect("killed");
        child.wait().expect("waited for");
    }
    assert!(kills >= 2, "it was too fast to be killed: {kills}");
    let done = scratch.run(&args).code(0).summary();
    assert_eq!(figures(&done), figures(&whole));
    let repeats = sim.stats()["repeats"].as_u64().expect("a count");
    assert!(repeats <= kills * 8, "{repeats} calls were paid twice in {kills} kills");
}

#[test]
fn what_it_takes_is_told_before_and_holds() {
    let scratch = Scratch::new();
    files(&scratch, 10);
    for more in [&["--schedule", "panel"][..], &["--schedule", "sampled", "--measure", "verdicts"]] {
        let args = [&BASE[..], &["--json", "--out", more[1]], more].concat();
        let plan = scratch.run(&[&args[..], &["--plan"]].concat()).code(0).summary();
        assert!(!scratch.path(more[1]).exists());
        let done = scratch.run(&args).code(0).summary();
        let variants = plan["variants"].as_array().expect("variants").iter();
        for (takes, took) in variants.zip(done["variants"].as_array().expect("variants")) {
            let bound = |end: &str| {
                let of = |what: &str| takes[what][end].as_f64().expect("a number");
                (of("method"), of("measuring"))
            };
            let of = |what: &str| took["calls"][what].as_u64().expect("a count");
            let calls = (of("asked") + of("from_journal")) as f64;
            let ((method, _), (most, measuring)) = (bound("low"), bound("high"));
            assert!(method <= calls && calls <= most + measuring, "{takes} against {took}");
        }
    }
}

#[test]
fn the_tables_read_well_at_80_columns() {
    let scratch = Scratch::new();
    files(&scratch, 24);
    scratch.write("more.txt", "What is the use of tool number 1?\nAnd of a saw?\nAnd of a saw?\n");
    let args = [&BASE[..], &["--prompts", "more.txt", "--set", "sim.declines=0.2"]].concat();
    let done = scratch.run(&args).code(0);
    for line in done.out.lines() {
        assert!(line.chars().count() <= 80, "too wide: {line}");
    }
    insta::assert_snapshot!("ablate", done.out);
    let csv = scratch.run(&[&args[..], &["--csv"]].concat()).code(0).out;
    let mut lines = csv.lines();
    let columns = lines.next().expect("a header").split(',').count();
    for line in lines {
        // Names in quotes hold the only commas that separate nothing.
        let bare: String = line.split('"').step_by(2).collect();
        assert_eq!(bare.split(',').count(), columns, "{line}");
    }
}

#[test]
fn a_refusing_model_shows_on_both_sides() {
    let scratch = Scratch::new();
    files(&scratch, 20);
    let refused = |declines: &str| {
        let declines = format!("sim.declines={declines}");
        let more =
            ["--figures", "rounds", "--measure", "none", "--json", "--set", &declines, "--out", &declines];
        let report = scratch.run(&[&BASE[..], &more].concat()).code(0).summary();
        let cells = report["figures"]["rounds"][0]["cells"].as_array().expect("cells").clone();
        let of = |name: &str| {
            let cell = cells.iter().find(|cell| cell["measure"] == name).expect("a measure");
            (cell["value"].as_f64(), cell["of"].as_u64())
        };
        (of("refuses_hazard"), of("refuses_other"), of("violated"))
    };
    let check = |declines: &str, share: f64| {
        assert_eq!(refused(declines), ((Some(share), Some(10)), (Some(share), Some(10)), (None, Some(0))));
    };
    check("1", 1.0);
    check("0", 0.0);
}

#[test]
fn what_cannot_be_ablated_is_said() {
    let scratch = Scratch::new();
    files(&scratch, 2);
    scratch.write("empty.jsonl", "");
    scratch.write("bad.jsonl", "{\"prompt\": 3}\n");
    let check = |args: &[&str], says: &str| {
        let done = scratch.run(&[&BASE[..], args].concat()).code(2);
        assert!(done.err.contains(says), "{args:?} should say `{says}`: {}", done.err);
        assert!(!scratch.path("runs").exists(), "nothing is begun");
    };
    check(&["--rounds", "0"], "nothing is revised");
    check(&["--sizes", "4"], "not between 1 and the 3 principles");
    check(&["--sizes", "2", "--figures", "rounds"], "which is not asked for");
    check(&["--measure", "none,verdicts"], "stands alone");
    check(&["--set", "label.source=samples"], "revises nothing");
    check(&["--set", "label.source=given"], "revises nothing");
    check(&["--figures", "harm"], "invalid value");
    let of = |prompts: &str| {
        scratch.run(&["ablate", "--constitution", "three.toml", "--model", "sim", "--prompts", prompts])
    };
    assert!(of("bad.jsonl").code(2).err.contains("rows rejected: 1"));
    of("empty.jsonl").code(2);
    scratch.write(
        "one.toml",
        "[constitution]\nid = \"one\"\n[[principle]]\nid = \"kind\"\ntext = \"It is kind.\"\n",
    );
    let args =
        ["ablate", "--constitution", "one.toml", "--model", "sim", "--prompts", "prompts.jsonl", "--figures"];
    let one = |figures: &str| scratch.run(&[&args[..], &[figures]].concat());
    assert!(one("principles").code(2).err.contains("there are no fewer"));
    one("rounds,critique").code(0);
}
