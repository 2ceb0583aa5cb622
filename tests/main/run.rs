//! `amend run` over the simulated endpoint: the laws of a run, with the real binary.

use crate::support::{Done, Scratch, Sim, adds_up, bytes};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

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

/// Some prompts, one a line.
fn prompts(n: usize) -> String {
    let line = |i: usize| format!("{{\"prompt\": \"What is the use of tool number {i}?\"}}");
    (0..n).map(line).chain([String::new()]).collect::<Vec<_>>().join("\n")
}

fn files(scratch: &Scratch, n: usize) {
    scratch.write("three.toml", CONSTITUTION);
    scratch.write("prompts.jsonl", prompts(n));
}

/// The arguments of a run over HTTP, and more.
fn run<'a>(sim: &'a Sim, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args =
        vec!["run", "--constitution", "three.toml", "--prompts", "prompts.jsonl", "--model", "sim-http"];
    args.extend(["--base-url", &sim.url, "--out", out, "--json"]);
    args.extend(more);
    args
}

#[test]
fn a_run_counts_up_and_running_again_asks_nothing() {
    let scratch = Scratch::new();
    files(&scratch, 20);
    let sim = Sim::start(&scratch, &[]);
    let first = scratch.run(&run(&sim, "r", &[])).code(0).summary();
    adds_up(&first);
    assert_eq!((first["event"].as_str(), first["prompts"].as_u64()), (Some("summary"), Some(20)));
    assert_eq!(first["calls"]["asked"], sim.stats()["requests"]);
    let again = scratch.run(&run(&sim, "r", &[])).code(0).summary();
    assert_eq!(again["calls"]["asked"], 0);
    assert_eq!(again["rows"], first["rows"]);
    assert_eq!(again["calls"]["from_journal"], first["calls"]["asked"]);
    assert_eq!(sim.stats()["repeats"], 0);
}

#[test]
fn order_and_concurrency_change_nothing() {
    let scratch = Scratch::new();
    files(&scratch, 24);
    let sim = Sim::start(&scratch, &["--latency-ms", "2"]);
    scratch.run(&run(&sim, "one", &["--concurrency", "1"])).code(0);
    scratch.run(&run(&sim, "many", &["--concurrency", "64"])).code(0);
    let shuffled = prompts(24).lines().rev().collect::<Vec<_>>().join("\n");
    scratch.write("prompts.jsonl", shuffled);
    scratch.run(&run(&sim, "shuffled", &[])).code(0);
    let one = bytes(&scratch.path("one/dataset"));
    assert_eq!(one, bytes(&scratch.path("many/dataset")));
    assert_eq!(one, bytes(&scratch.path("shuffled/dataset")));
}

#[test]
fn killed_and_started_again_it_is_the_run_that_was_not() {
    let scratch = Scratch::new();
    files(&scratch, 60);
    let calm = Sim::start(&scratch, &[]);
    scratch.run(&run(&calm, "calm", &[])).code(0);
    let sim = Sim::start(&scratch, &["--latency-ms", "15"]);
    let slots: u64 = 8;
    let more = ["--concurrency", "8"];
    let kills = sim.kill_at(&scratch, &run(&sim, "killed", &more), &[15, 40, 41, 90, 160]);
    assert!(kills >= 3, "the run was too fast to be killed: {kills}");
    let last = scratch.run(&run(&sim, "killed", &more)).code(0).summary();
    adds_up(&last);
    assert_eq!(bytes(&scratch.path("calm/dataset")), bytes(&scratch.path("killed/dataset")));
    let repeats = sim.stats()["repeats"].as_u64().expect("a count");
    assert!(repeats <= kills * slots, "{repeats} calls were paid twice in {kills} kills");
}

#[test]
fn an_edited_principle_asks_only_what_it_reaches() {
    let scratch = Scratch::new();
    files(&scratch, 20);
    let sim = Sim::start(&scratch, &[]);
    let first = scratch.run(&run(&sim, "r", &[])).code(0).summary();
    scratch.write("three.toml", CONSTITUTION.replace("no longer than it has to be", "as short as it can be"));
    let edited = scratch.run(&run(&sim, "r", &[])).code(0).summary();
    let asked = |summary: &Value| summary["calls"]["asked"].as_u64().expect("a count");
    // Every draft and every critique by the two others is known; the edited principle asks at least once a prompt.
    assert!(asked(&edited) >= 20 && asked(&edited) < asked(&first) * 2 / 3, "{edited} after {first}");
    assert_eq!(edited["rows"].as_u64().map(|n| n + edited["rejects"].as_u64().unwrap_or(0)), Some(20));
}

#[test]
fn without_critiques_every_revision_is_kept_for_audit_and_no_pair_is_made_of_it() {
    let scratch = Scratch::new();
    files(&scratch, 12);
    let sim = Sim::start(&scratch, &["--needless", "1"]);
    let direct = ["--schedule", "sampled", "--rounds", "3", "--set", "method.critique=false"];
    let summary = scratch.run(&run(&sim, "r", &direct)).code(0).summary();
    assert_eq!(summary["calls"]["asked"], 12 * 4, "{summary}");
    assert_eq!(summary["rows"], 12, "{summary}");
    let rows = |config: &str| -> Vec<Value> {
        ["train", "validation", "test"]
            .iter()
            .filter_map(|split| {
                std::fs::read_to_string(scratch.path(&format!("r/dataset/jsonl/{config}_{split}.jsonl"))).ok()
            })
            .flat_map(|text| {
                text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<_>>()
            })
            .collect()
    };
    let audit = rows("transcripts");
    assert_eq!(audit.len(), 12 * 3);
    assert!(audit.iter().all(|row| row["critique"].is_null() && row["revision"].is_string()), "{audit:?}");
    assert_eq!(rows("preference").len(), 0, "nobody judged these responses");
}

#[test]
fn faults_of_an_endpoint_leave_no_trace_in_the_data() {
    let scratch = Scratch::new();
    files(&scratch, 16);
    let calm = Sim::start(&scratch, &[]);
    scratch.run(&run(&calm, "calm", &[])).code(0);
    let rough = Sim::start(&scratch, &["--server-errors", "0.1", "--resets", "0.05"]);
    let summary = scratch.run(&run(&rough, "rough", &["--set", "limits.attempts=12"])).code(0).summary();
    assert!(summary["calls"]["retried"].as_u64() > Some(0), "{summary}");
    assert_eq!(bytes(&scratch.path("calm/dataset")), bytes(&scratch.path("rough/dataset")));
}

#[test]
fn bad_input_is_told_with_its_place_and_remedy() {
    let scratch = Scratch::new();
    files(&scratch, 2);
    let check = |args: &[&str], code: i32, says: &[&str]| {
        let done = scratch.run(&[&["run", "--model", "sim", "--out", "r"], args].concat()).code(code);
        for word in says {
            assert!(done.err.contains(word), "{args:?} should say `{word}`: {}", done.err);
        }
    };
    scratch.write("empty.jsonl", "");
    scratch.write("binary.parquet", b"this is text".as_slice());
    let with = |file: &'static str| ["--constitution", "three.toml", "--prompts", file];
    check(&with("absent.jsonl"), 2, &["absent.jsonl"]);
    check(&with("empty.jsonl"), 2, &["empty.jsonl", "empty"]);
    check(&with("binary.parquet"), 2, &["binary.parquet"]);
    check(&["--constitution", "three.toml"], 2, &["no prompts", "--prompts"]);
    check(&["--constitution", "absent.toml", "--prompts", "prompts.jsonl"], 2, &["absent.toml"]);
    check(&[&with("prompts.jsonl")[..], &["--column", "promt"]].concat(), 2, &["promt", "prompt"]);
    check(&[&with("prompts.jsonl")[..], &["--schedule", "pannel"]].concat(), 2, &["pannel", "panel"]);
    check(&[&with("prompts.jsonl")[..], &["--set", "limts.rpm=1"]].concat(), 2, &["limts"]);
}

#[test]
fn bad_rows_are_rejects_and_the_run_goes_on() {
    let scratch = Scratch::new();
    files(&scratch, 0);
    let mut rows =
        b"{\"prompt\": \"Good?\"}\nnot json\n{\"prompt\": \"\"}\n{\"prompt\": \"Good?\"}\n\xff\xfe\n"
            .to_vec();
    rows.extend(format!("{{\"prompt\": \"{}\"}}\n", "x".repeat(10_000_000)).into_bytes());
    rows.extend(b"{\"prompt\": \"Also good?\"}\n");
    scratch.write("prompts.jsonl", rows);
    let args = [
        "run",
        "--model",
        "sim",
        "--constitution",
        "three.toml",
        "--prompts",
        "prompts.jsonl",
        "--out",
        "r",
        "--json",
    ];
    let done = scratch.run(&args).code(1);
    let summary = done.summary();
    adds_up(&summary);
    assert_eq!((summary["prompts"].as_u64(), summary["rejects"].as_u64()), (Some(7), Some(5)), "{summary}");
    let shown = scratch.run(&["show", "r", "--rejects"]).code(0).out;
    for (line, reason) in
        [(2, "bad-json"), (3, "empty"), (4, "duplicate"), (5, "invalid-utf8"), (6, "too-long")]
    {
        assert!(shown.contains(&format!("prompts.jsonl:{line}  {reason}")), "{line} {reason}: {shown}");
    }
}

#[test]
fn a_provider_that_refuses_is_exit_code_3_and_keeps_what_it_gave() {
    let scratch = Scratch::new();
    files(&scratch, 3);
    let sim = Sim::start(&scratch, &["--key", "right"]);
    let done = scratch.run(&run(&sim, "r", &[])).code(3);
    assert!(done.err.contains("401") && done.err.contains("OPENAI_API_KEY"), "{}", done.err);
    adds_up(&done.summary());
    let with_key =
        scratch.command(&run(&sim, "r", &[])).env("OPENAI_API_KEY", "right").output().expect("runs");
    let done = crate::support::Done::of(&with_key).code(0);
    assert!(
        !done.out.contains("right\"")
            && !std::fs::read_to_string(scratch.path("r/recipe.toml")).expect("frozen").contains("right")
    );
    // Nothing listens there.
    let args =
        ["run", "--constitution", "three.toml", "--prompts", "prompts.jsonl", "--model", "m", "--base-url"];
    let more = ["http://127.0.0.1:9/v1", "--out", "down", "--set", "limits.attempts=2"];
    let done = scratch.run(&[&args[..], &more[..]].concat()).code(3);
    assert!(done.err.contains("cannot connect") && done.err.contains("127.0.0.1:9"), "{}", done.err);
}

#[test]
fn two_processes_cannot_write_one_run() {
    let scratch = Scratch::new();
    files(&scratch, 40);
    let sim = Sim::start(&scratch, &["--latency-ms", "40"]);
    let mut first = scratch
        .command(&run(&sim, "r", &["--concurrency", "2"]))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the run starts");
    while sim.stats()["requests"].as_u64() < Some(2) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let done = scratch.run(&run(&sim, "r", &[])).code(4);
    assert!(done.err.contains("is being written by"), "{}", done.err);
    first.kill().expect("killed");
    first.wait().expect("waited for");
}

#[test]
fn what_is_left_is_what_the_critic_is_blind_to() {
    let scratch = Scratch::new();
    files(&scratch, 60);
    let sim = Sim::start(&scratch, &["--detection", "0.8", "--violations", "0.5"]);
    scratch.run(&run(&sim, "r", &["--rounds", "4"])).code(0);
    let args = ["sim", "--score", "r", "--json", "--detection", "0.8", "--violations", "0.5"];
    let score = scratch.run(&args).code(0).summary();
    let n = |key: &str| score["all"][key].as_u64().expect("a count");
    assert_eq!((score["scored"].as_u64(), score["foreign"].as_u64()), (Some(60), Some(0)));
    assert!(n("planted") > 60 && n("missable") > 5, "{score}");
    assert_eq!((n("left"), n("left_missed")), (n("missable"), n("missable")), "{score}");

    let args = ["sim", "--truth", "r", "--detection", "0.8", "--violations", "0.5"];
    let truth = scratch.run(&args).code(0).out;
    let count = |field: &str| truth.matches(&format!("\"{field}\":true")).count() as u64;
    assert_eq!((count("planted"), count("missed")), (n("planted"), n("missable")));

    // In process the run's own recipe says what world it was.
    let here = [
        "run",
        "--constitution",
        "three.toml",
        "--prompts",
        "prompts.jsonl",
        "--model",
        "sim",
        "--out",
        "here",
    ];
    let world = ["--rounds", "4", "--set", "sim.detection=0.8", "--set", "sim.violations=0.5"];
    scratch.run(&[&here[..], &world].concat()).code(0);
    assert_eq!(scratch.run(&["sim", "--score", "here", "--json"]).code(0).summary(), score);
}

#[test]
fn a_simulated_endpoint_is_named_in_every_row_whatever_it_was_called() {
    let scratch = Scratch::new();
    files(&scratch, 8);
    let sim = Sim::start(&scratch, &[]);
    let args = [
        "run",
        "--constitution",
        "three.toml",
        "--prompts",
        "prompts.jsonl",
        "--model",
        "large",
        "--out",
        "r",
    ];
    scratch.run(&[&args[..], &["--base-url", &sim.url]].concat()).code(0);
    let rows = std::fs::read_to_string(scratch.path("r/dataset/jsonl/sft_train.jsonl")).expect("rows");
    assert!(!rows.is_empty());
    for row in rows.lines() {
        let row: serde_json::Value = serde_json::from_str(row).expect("JSON");
        assert_eq!((&row["model"], &row["simulated"]), (&"sim/large".into(), &true.into()), "{row}");
    }
}

/// A folder with somebody's files is refused, and nothing in it is touched.
#[test]
fn a_folder_that_is_no_run_is_not_written_into() {
    let scratch = Scratch::new();
    scratch.write("mine/constitution.toml", "my own words");
    scratch.write("p.jsonl", "{\"prompt\": \"How do I open the gate?\"}\n");
    let run = ["run", "--model", "sim", "--constitution", "minimal", "--prompts", "p.jsonl", "--out"];
    let refused = scratch.run(&[&run[..], &["mine"]].concat()).code(2);
    assert!(
        refused.err.contains("`mine` holds files already") && refused.err.contains("--out"),
        "{}",
        refused.err
    );
    assert_eq!(std::fs::read_to_string(scratch.path("mine/constitution.toml")).unwrap(), "my own words");
    assert_eq!(std::fs::read_dir(scratch.path("mine")).unwrap().count(), 1);
    // An empty folder, a new one and the run itself are fine.
    std::fs::create_dir(scratch.path("empty")).unwrap();
    for out in ["empty", "new", "new"] {
        scratch.run(&[&run[..], &[out]].concat()).code(0);
    }
}

/// So many prompts that a run of them goes on for seconds after its first requests: on a machine that does much else, what is
/// done to the run meanwhile may come late.
/// At 40 ms a call and four at a time they take ten seconds and more: a machine that stops for a while does not end the run first.
const MANY: usize = 200;

/// Runs until the sim has had so many requests; the run goes on meanwhile.
fn begun(scratch: &Scratch, sim: &Sim, args: &[&str], requests: u64) -> std::process::Child {
    let mut command = scratch.command(args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the run starts");
    while sim.stats()["requests"].as_u64() < Some(requests) {
        assert!(child.try_wait().expect("a child").is_none(), "the run ended before {requests} requests");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child
}

#[cfg(unix)]
#[test]
fn a_signal_finishes_the_calls_in_flight_and_tells_what_is_left() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let scratch = Scratch::new();
        files(&scratch, MANY);
        let sim = Sim::start(&scratch, &["--latency-ms", "40"]);
        let args = run(&sim, "r", &["--concurrency", "4"]);
        let child = begun(&scratch, &sim, &args, 40);
        let kill = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
        let done = Done::of(&child.wait_with_output().expect("an end")).code(130);
        let summary = done.summary();
        adds_up(&summary);
        assert_eq!(summary["event"], "summary", "{signal}");
        let begun = summary["prompts"].as_u64().expect("a count");
        assert_eq!(summary["not_begun"], MANY as u64 - begun, "{signal}: {summary}");
        assert!(begun < MANY as u64, "{signal}: {summary}");
        let stats = sim.stats();
        assert_eq!((&stats["abandoned"], &stats["in_flight"]), (&0.into(), &0.into()), "{signal}: {stats}");
        let args = run(&sim, "r", &["--concurrency", "64"]);
        let resumed = scratch.run(&args).code(0).summary();
        assert_eq!((&resumed["rows"], &resumed["not_begun"]), (&MANY.into(), &0.into()), "{resumed}");
        assert_eq!(sim.stats()["repeats"], 0, "{signal}: what was in flight is not asked again");
    }
}

#[cfg(unix)]
#[test]
fn a_journal_that_is_moved_or_whose_lock_is_replaced_stops_the_run() {
    for (file, told) in [("journal.db", "journal.db"), ("journal.lock", "journal.lock")] {
        let scratch = Scratch::new();
        files(&scratch, MANY);
        let sim = Sim::start(&scratch, &["--latency-ms", "40"]);
        let args = run(&sim, "r", &["--concurrency", "4"]);
        let child = begun(&scratch, &sim, &args, 20);
        let path = scratch.path("r").join(file);
        std::fs::rename(&path, scratch.path("elsewhere")).expect("moved");
        let done = Done::of(&child.wait_with_output().expect("an end")).code(4);
        assert!(
            done.err.contains(told) && done.err.contains("was moved, deleted or replaced"),
            "{}",
            done.err
        );
        assert_eq!(done.summary()["event"], "summary");
        let asked = sim.stats()["requests"].as_u64().expect("a count");
        assert!(asked < 300, "{asked} calls were asked into nothing");
        std::fs::rename(scratch.path("elsewhere"), &path).expect("moved back");
        scratch.run(&run(&sim, "r", &["--concurrency", "64"])).code(0);
    }
}

#[test]
fn a_dataset_of_a_finished_run_is_not_replaced_by_less() {
    let scratch = Scratch::new();
    files(&scratch, 12);
    let sim = Sim::start(&scratch, &[]);
    let args = run(&sim, "r", &[]);
    scratch.run(&args).code(0);
    let whole = bytes(&scratch.path("r/dataset"));

    let cut = [&args[..], &["--seed", "9", "--max-calls", "60"]].concat();
    let done = scratch.run(&cut);
    assert_ne!(done.code, Some(0));
    assert!(done.out.contains("\"event\":\"dataset_left_alone\""), "{}", done.out);
    assert!(whole == bytes(&scratch.path("r/dataset")), "the dataset was touched");
    let refused = scratch.run(&["export", "r"]).code(2);
    assert!(refused.err.contains("is not finished, so it is not replaced"), "{}", refused.err);

    // One that is not finished may be replaced by another that is not, and by the whole.
    scratch.run(&["export", "r", "--out", "part"]).code(0);
    scratch.run(&["export", "r", "--out", "part"]).code(0);
    scratch.run(&[&args[..], &["--seed", "9"]].concat()).code(0);
    scratch.run(&["export", "r", "--out", "part"]).code(0);
    assert!(whole != bytes(&scratch.path("r/dataset")));
}

#[cfg(unix)]
#[test]
fn what_a_run_keeps_only_its_owner_reads() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new();
    files(&scratch, 2);
    let sim = Sim::start(&scratch, &[]);
    scratch.run(&run(&sim, "r", &[])).code(0);
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&scratch.path("r")), 0o700);
    for entry in std::fs::read_dir(scratch.path("r")).expect("a folder").flatten() {
        let (path, is_file) = (entry.path(), entry.file_type().expect("a type").is_file());
        assert!(!is_file || mode(&path) == 0o600, "{} is {:o}", path.display(), mode(&path));
    }
}

/// The server is killed in the middle of a run, and started again once the run has noticed.
#[test]
fn an_endpoint_that_dies_and_comes_back_costs_no_row() {
    let scratch = Scratch::new();
    files(&scratch, 60);
    let calm = Sim::start(&scratch, &[]);
    scratch.run(&run(&calm, "calm", &[])).code(0);
    let sim = Sim::start(&scratch, &["--latency-ms", "5"]);
    let port = sim.url.trim_end_matches("/v1").rsplit(':').next().expect("a port").to_owned();
    let args: Vec<String> = run(&sim, "r", &["--concurrency", "8"]).into_iter().map(str::to_owned).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut command = scratch.command(&args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the run starts");
    let (mut first, mut second) = (Some(sim), None);
    let (mut news, mut last) = (Vec::new(), Value::Null);
    for line in BufReader::new(child.stdout.take().expect("its stdout")).lines() {
        last = serde_json::from_str(&line.expect("a line")).expect("JSON");
        match last["event"].as_str() {
            Some("prompt") => drop(first.take()),
            Some("outage_began") => {
                second = Some(Sim::start_at(&port, &scratch, &[]));
                news.push("began");
            }
            Some("outage_ended") => news.push("ended"),
            Some(_) | None => {}
        }
    }
    assert_eq!(child.wait().expect("an end").code(), Some(0), "{last}");
    assert_eq!(news, ["began", "ended"]);
    adds_up(&last);
    drop(second);
    assert_eq!(bytes(&scratch.path("calm/dataset")), bytes(&scratch.path("r/dataset")));
}

/// Tokens, money and time: a stop in order, no more overshoot than what was in flight, and on with more.
#[test]
fn a_budget_of_tokens_or_money_stops_the_run_and_a_larger_one_goes_on() {
    let scratch = Scratch::new();
    files(&scratch, 30);
    let sim = Sim::start(&scratch, &["--latency-ms", "2"]);
    scratch.run(&run(&Sim::start(&scratch, &[]), "calm", &[])).code(0);
    let used = |summary: &Value| {
        let of = |name: &str| summary["tokens"][name].as_u64().expect("a count");
        of("prompt") + of("completion")
    };
    let price = "models.default.price={prompt=1.0, completion=1.0}";
    let budgets = ["budget.tokens=6000", "budget.tokens=12000", "budget.money=0.018"];
    let (mut spent, mut asked) = (0, 0);
    for (budget, most) in budgets.iter().zip([6_000, 12_000, 18_000]) {
        let more = ["--concurrency", "4", "--set", price, "--set", budget];
        let stopped = scratch.run(&run(&sim, "r", &more)).code(1);
        assert!(stopped.err.contains("is used up; a larger `budget."), "{}", stopped.err);
        let summary = stopped.summary();
        adds_up(&summary);
        spent += used(&summary);
        asked += summary["calls"]["asked"].as_u64().expect("a count");
        // A call takes fewer than a thousand tokens here.
        assert!((most..most + 4 * 1_000).contains(&spent), "{budget}: {spent}");
    }
    assert!(asked > 10 && sim.stats()["repeats"] == 0);
    let planned = scratch.run(&[
        "plan",
        "--constitution",
        "three.toml",
        "--prompts",
        "prompts.jsonl",
        "--model",
        "sim",
        "--out",
        "r",
        "--set",
        "budget.calls=3",
        "--set",
        "budget.tokens=1000000000",
        "--set",
        "budget.money=1.0",
    ]);
    let told = planned.code(0).out;
    assert!(
        told.contains("3 calls: used up before the end")
            && told.contains("1.00: it is not known what the run takes"),
        "{told}"
    );
    let whole = scratch.run(&run(&sim, "r", &["--set", "budget.time_s=3600"])).code(0);
    adds_up(&whole.summary());
    assert_eq!(bytes(&scratch.path("calm/dataset")), bytes(&scratch.path("r/dataset")));
    let unpriced = scratch.run(&run(&sim, "u", &["--set", "budget.money=1"])).code(2);
    assert!(
        unpriced.err.contains("needs the price of every model") && !scratch.path("u").exists(),
        "{}",
        unpriced.err
    );
}

/// Two servers of one model, one of which is killed: the other answers its calls, and nobody waits.
#[test]
fn one_of_two_endpoints_that_dies_costs_no_row_and_no_wait() {
    let scratch = Scratch::new();
    files(&scratch, 60);
    let calm = Sim::start(&scratch, &[]);
    scratch.run(&run(&calm, "calm", &[])).code(0);
    let (one, two) =
        (Sim::start(&scratch, &["--latency-ms", "5"]), Sim::start(&scratch, &["--latency-ms", "5"]));
    let places = format!("models.default.base_urls=[\"{}\", \"{}\"]", one.url, two.url);
    let args = ["run", "--constitution", "three.toml", "--prompts", "prompts.jsonl", "--model", "sim-http"];
    let args = [&args[..], &["--set", &places, "--out", "r", "--json", "--concurrency", "8"]].concat();
    let mut command = scratch.command(&args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the run starts");
    let (mut one, mut began, mut last, mut asked_of_one) = (Some(one), Value::Null, Value::Null, 0);
    for line in BufReader::new(child.stdout.take().expect("its stdout")).lines() {
        last = serde_json::from_str(&line.expect("a line")).expect("JSON");
        match last["event"].as_str() {
            Some("prompt") => {
                if let Some(sim) = one.take() {
                    asked_of_one = sim.stats()["requests"].as_u64().expect("a count");
                }
            }
            Some("outage_began") => began = last.clone(),
            Some(_) | None => {}
        }
    }
    assert_eq!(child.wait().expect("an end").code(), Some(0), "{last}");
    assert_eq!(began["others"], 1, "{began}");
    assert!(asked_of_one > 0 && two.stats()["requests"].as_u64() > Some(60), "{asked_of_one}");
    adds_up(&last);
    let (calm, two) = (bytes(&scratch.path("calm/dataset")), bytes(&scratch.path("r/dataset")));
    let differ: Vec<&String> = calm.keys().filter(|name| calm.get(*name) != two.get(*name)).collect();
    assert_eq!((differ, calm.len()), (Vec::new(), two.len()));
}

#[test]
fn two_ways_to_say_where_a_model_is_are_refused_and_doctor_looks_at_each_endpoint() {
    let scratch = Scratch::new();
    files(&scratch, 2);
    let sims = [Sim::start(&scratch, &[]), Sim::start(&scratch, &[])];
    let recipe = |more: &str| {
        let [one, two] = sims.each_ref().map(|sim| &sim.url);
        format!(
            "constitution = \"three.toml\"\n[models.default]\nmodel = \"sim-http\"\nbase_urls = [\"{one}\", \"{two}\"]\n{more}"
        )
    };
    scratch.write("recipe.toml", recipe(""));
    let told = scratch.run(&["doctor", "recipe.toml", "--no-calls"]).out;
    assert!(sims.iter().all(|sim| told.contains(&sim.url)), "{told}");
    scratch.write("recipe.toml", recipe("base_url = \"http://127.0.0.1:1/v1\"\n"));
    let told = scratch.run(&["check", "recipe.toml"]).code(1).out;
    assert!(told.contains("leave one of them out"), "{told}");
}

#[test]
fn a_run_that_never_got_an_answer_leaves_no_dataset() {
    let scratch = Scratch::new();
    files(&scratch, 4);
    let sim = Sim::start(&scratch, &["--key", "right"]);
    let done = scratch.run(&run(&sim, "r", &[])).code(3);
    assert!(done.err.contains("is it set, and is it this endpoint's?"), "{}", done.err);
    assert!(!scratch.path("r/dataset").exists());
}

#[test]
fn what_may_be_a_key_in_a_base_url_is_in_no_file() {
    let scratch = Scratch::new();
    files(&scratch, 3);
    let sim = Sim::start(&scratch, &[]);
    let url = format!("{}?key=sk-in-the-query", sim.url.replace("://", "://me:sk-in-the-password@"));
    let mut args = run(&sim, "r", &[]);
    args.extend(["--base-url", &url]);
    let args: Vec<&str> = args.into_iter().filter(|arg| *arg != sim.url).collect();
    let at = args.iter().position(|arg| *arg == "--base-url").expect("the flag");
    let args = [&args[..at], &args[at + 1..]].concat();
    let done = scratch.run(&args).code(0);
    assert!(!done.out.contains("sk-in-the") && !done.err.contains("sk-in-the"));
    for (name, bytes) in bytes(&scratch.path("r")) {
        assert!(!bytes.windows(9).any(|part| part == b"sk-in-the"), "{name} holds the secret");
    }
}

/// `/dev/full` is a device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_told() {
    let scratch = Scratch::new();
    files(&scratch, 2);
    let sim = Sim::start(&scratch, &[]);
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("the device");
    let args = run(&sim, "r", &[]);
    let without_json: Vec<&str> = args.iter().copied().filter(|arg| *arg != "--json").collect();
    for args in [&args[..], &without_json, &["show", "r"], &["check", "--explain"], &["schema", "recipe"]] {
        let done = Done::of(&scratch.command(args).stdout(full()).output().expect("it runs")).code(4);
        assert!(
            done.err.contains("standard output cannot be written: No space left"),
            "{args:?}: {}",
            done.err
        );
    }
    // A reader that has gone away is no failure.
    let mut child = scratch.command(&["show", "r"]).stdout(Stdio::piped()).spawn().expect("it runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}

/// Everything that shows texts shows none of them when it is asked to.
#[test]
fn a_redacted_view_holds_no_word_of_the_run() {
    let scratch = Scratch::new();
    files(&scratch, 6);
    let sim = Sim::start(&scratch, &["--violations", "0.9"]);
    scratch.run(&run(&sim, "a", &[])).code(0);
    scratch.write("three.toml", CONSTITUTION.replace("kind to the person", "kind to everybody"));
    scratch.run(&run(&sim, "b", &[])).code(0);
    let listed = scratch.run(&["show", "a", "--prompts", "--json"]).code(0).out;
    let first: Value = serde_json::from_str(listed.lines().next().expect("a prompt")).expect("JSON");
    let id = first["prompt_id"].as_str().expect("an id");
    let whole: Value =
        serde_json::from_str(&scratch.run(&["show", "a", id, "--json"]).code(0).out).expect("JSON");
    let texts: Vec<String> = ["responses", "critiques", "revisions"]
        .iter()
        .flat_map(|list| whole[*list].as_array().expect("a list"))
        .filter_map(|entry| entry["text"].as_str())
        .chain(whole["prompt"]["messages"][0]["content"].as_str())
        .flat_map(|text| {
            let words: Vec<&str> = text.split(' ').collect();
            words.windows(3).map(|phrase| phrase.join(" ")).collect::<Vec<_>>()
        })
        .filter(|phrase| !phrase.contains(['\n', '⟦', '⟧', '"']))
        .collect();
    assert!(texts.len() > 5, "{whole}");
    for args in [
        &["show", "a", id, "--redact"][..],
        &["show", "a", id, "--redact", "--json"],
        &["diff", "a", "b", "--redact"],
        &["diff", "a", "b", "--redact", "--json"],
        &["diff", "a", "b", "--redact", "--prompt", id],
    ] {
        let done = scratch.run(args);
        assert!(done.out.contains(" characters, "), "{args:?}: {}", done.out);
        for word in &texts {
            assert!(!done.out.contains(word.as_str()), "{args:?} shows `{word}`: {}", done.out);
        }
    }
    let differs = |args: &[&str]| scratch.run(args).out.lines().last().map(str::to_owned);
    assert_eq!(differs(&["diff", "a", "b", "--json"]), differs(&["diff", "a", "b", "--json", "--redact"]));
}

#[test]
fn the_limits_of_a_run_are_changed_while_it_works() {
    let scratch = Scratch::new();
    files(&scratch, MANY);
    let sim = Sim::start(&scratch, &["--latency-ms", "100"]);
    scratch.run(&["tune", "r", "concurrency=9"]).code(2);
    let child = begun(&scratch, &sim, &run(&sim, "r", &["--concurrency", "1"]), 3);
    let told = scratch.run(&["tune", "r", "rounds=9"]).code(2).err;
    assert!(told.contains("`rounds` cannot be changed"), "{told}");
    let told = scratch.run(&["tune", "r", "concurrency=100", "rpm=none"]).code(0).out;
    assert_eq!(told, "r: concurrency=100 rpm=none\n");
    let done = Done::of(&child.wait_with_output().expect("an end")).code(0);
    assert!(
        done.out.contains("{\"event\":\"tuned\",\"limits\":\"concurrency=100 rpm=none\"}"),
        "{}",
        done.out
    );
    let most = sim.stats()["max_in_flight"].as_u64().expect("a count");
    assert!((20..=100).contains(&most), "{most} calls at once");
    let told = scratch.run(&["tune", "r", "concurrency=9"]).code(2).err;
    assert!(told.contains("no process works on `r` now"), "{told}");
}
