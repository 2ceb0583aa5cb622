//! One run over many processes: shards, their merge, what waits for whom, and what becomes of a run whose node is lost.

use crate::support::{Done, Scratch, Sim, adds_up, bytes};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

const CONSTITUTION: &str = r#"
[constitution]
id = "two"
[[principle]]
id = "kind"
text = "The response is kind to the person who asks."
[[principle]]
id = "short"
text = "The response is no longer than it has to be."
"#;

/// Some prompts: most alone, some near to another, some twice, some that are none.
fn prompts(n: usize) -> String {
    let mut lines = Vec::new();
    for i in 0..n {
        let text =
            format!("What is the use of tool number {i} in the old workshop by the river, and who made it?");
        lines.push(format!("{{\"prompt\": \"{text}\"}}"));
        match i % 12 {
            3 => lines.push(format!("{{\"prompt\": \"{text} Please.\"}}")),
            5 => lines.push(format!("{{\"prompt\": \"What is the use of tool number {} in the old workshop by the river, and who made it?\"}}", i / 2)),
            7 => lines.push("not json".into()),
            9 => lines.push("{\"prompt\": \"\"}".into()),
            _ => {}
        }
    }
    lines.join("\n") + "\n"
}

fn files(scratch: &Scratch, n: usize) {
    scratch.write("two.toml", CONSTITUTION);
    scratch.write("prompts.jsonl", prompts(n));
}

/// The arguments of a run over HTTP, and more.
fn run<'a>(sim: &'a Sim, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args =
        vec!["run", "--constitution", "two.toml", "--prompts", "prompts.jsonl", "--model", "sim-http"];
    args.extend(["--base-url", &sim.url, "--out", out, "--rounds", "1", "--json"]);
    args.extend(more);
    args
}

fn started(scratch: &Scratch, args: &[&str]) -> Child {
    let mut command = scratch.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the run starts")
}

fn ended(child: Child) -> Done {
    Done::of(&child.wait_with_output().expect("an end"))
}

fn requests(sim: &Sim) -> u64 {
    sim.stats()["requests"].as_u64().expect("a count")
}

/// Waits until the sim has had so many requests, or the run has ended.
fn until(sim: &Sim, child: &mut Child, wanted: u64) {
    while requests(sim) < wanted && child.try_wait().expect("a child").is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let sent = std::process::Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

/// Makes every shard of `count`, in an order that `seed` decides, and merges them.
fn sharded(scratch: &Scratch, sim: &Sim, out: &str, count: usize, step: usize) -> Value {
    let mut at = 0;
    for _ in 0..count {
        let shard = format!("{at}/{count}");
        let done = scratch.run(&run(sim, out, &["--shard", &shard, "--no-export"]));
        assert!(matches!(done.code, Some(0 | 1)), "{shard}: {}", done.err);
        adds_up(&done.summary());
        at = (at + step) % count;
    }
    scratch.run(&["merge", out, "--json"]).code(0).summary()
}

/// What a run is, whatever made it: its dataset, its report, its rejects.
fn same_run(scratch: &Scratch, one: &str, other: &str) {
    assert!(
        bytes(&scratch.path(&format!("{one}/dataset"))) == bytes(&scratch.path(&format!("{other}/dataset"))),
        "{one} and {other} have other datasets"
    );
    let report = |run: &str| std::fs::read(scratch.path(&format!("{run}/report.json"))).expect("a report");
    assert!(report(one) == report(other), "{one} and {other} have other reports");
    let rejects = |run: &str| scratch.run(&["show", run, "--rejects"]).code(0).out;
    assert_eq!(rejects(one), rejects(other));
}

fn merged_equals_one_process(prompts: usize, counts: &[(usize, usize)]) {
    let scratch = Scratch::new();
    files(&scratch, prompts);
    let sim = Sim::start(&scratch, &[]);
    let whole = scratch.run(&run(&sim, "one", &[])).code(1).summary();
    for (count, step) in counts {
        let out = format!("of-{count}-by-{step}");
        let merged = sharded(&scratch, &sim, &out, *count, *step);
        assert_eq!(merged["merged"], *count, "{merged}");
        same_run(&scratch, "one", &out);
        // It is a run like any other: it exports the same again, it is whole, and nothing is asked again.
        scratch.run(&["export", &out, "--out", "again"]).code(0);
        assert!(bytes(&scratch.path("again")) == bytes(&scratch.path("one/dataset")));
        let verified = scratch.run(&["verify", &out, "--json"]).code(0).summary();
        let answers =
            verified["tables"].as_array().expect("tables").iter().find(|table| table["table"] == "answers");
        assert_eq!(answers.expect("answers")["whole"], whole["calls"]["asked"], "{verified}");
        scratch.run(&["verify", &format!("{out}/dataset")]).code(0);
        let again = scratch.run(&run(&sim, &out, &[])).code(1).summary();
        assert_eq!((&again["calls"]["asked"], &again["rows"]), (&Value::from(0), &whole["rows"]), "{again}");
        same_run(&scratch, "one", &out);
    }
}

#[test]
fn a_merged_run_is_the_run_of_one_process() {
    merged_equals_one_process(40, &[(1, 1), (3, 2), (3, 1)]);
}

#[test]
#[ignore = "takes minutes"]
fn slow_a_merged_run_of_1500_prompts_is_the_run_of_one_process() {
    merged_equals_one_process(1500, &[(1, 1), (3, 2), (64, 23)]);
}

#[test]
fn a_merged_run_that_is_edited_asks_what_the_edit_reaches() {
    let scratch = Scratch::new();
    files(&scratch, 16);
    let sim = Sim::start(&scratch, &[]);
    scratch.run(&run(&sim, "one", &[])).code(1);
    sharded(&scratch, &sim, "shards", 3, 2);
    // On another place of the same disk nothing is copied; a shard that goes on later leaves it alone.
    scratch.run(&["merge", "shards", "--out", "whole"]).code(0);
    scratch.write("two.toml", CONSTITUTION.replace("no longer than it has to be", "as short as it can be"));
    let one = scratch.run(&run(&sim, "one", &[])).code(1).summary();
    let whole = bytes(&scratch.path("whole/shard-0001-of-0003"));
    scratch.run(&run(&sim, "shards", &["--shard", "1/3"]));
    assert!(
        whole == bytes(&scratch.path("whole/shard-0001-of-0003")),
        "the merged run changed with the shard"
    );
    for out in ["whole", "shards"] {
        let edited = scratch.run(&run(&sim, out, &[])).code(1).summary();
        assert_eq!(edited["rows"], one["rows"]);
        assert!(edited["calls"]["asked"].as_u64() <= one["calls"]["asked"].as_u64(), "{edited} {one}");
        same_run(&scratch, "one", out);
    }
}

#[test]
fn what_cannot_be_merged_is_named_and_a_part_says_that_it_is_one() {
    let scratch = Scratch::new();
    files(&scratch, 24);
    let sim = Sim::start(&scratch, &[]);
    let merge = |more: &[&str]| scratch.run(&[&["merge", "r"][..], more].concat());
    assert!(merge(&[]).code(2).err.contains("`r` holds no shards"));
    let shard = |which: &str, more: &[&str]| {
        scratch.run(&run(&sim, "r", &[&["--shard", which, "--no-export"], more].concat()))
    };
    shard("0/3", &[]);
    shard("2/3", &["--max-calls", "12"]);
    let told = merge(&[]).code(2).err;
    for word in
        ["shard 1/3 is missing", "shard 2/3 is not finished", "--partial", "--shard i/3", "--array=1-2 FILE"]
    {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(!scratch.path("r/journal.db").exists(), "nothing is written before all is found right");
    for args in [&["show", "r"][..], &run(&sim, "r", &[])] {
        let told = scratch.run(args).code(2).err;
        assert!(told.contains("`r` holds 2 of 3 shards") && told.contains("amend merge r"), "{told}");
    }
    scratch.write("two.toml", CONSTITUTION.replace("kind to the person", "kind to everybody"));
    shard("1/3", &[]);
    scratch.write("two.toml", CONSTITUTION);
    let told = merge(&[]).code(2).err;
    assert!(told.contains("shard 1/3 is of another plan than shard 0/3: its constitution"), "{told}");
    // A part says so wherever it is read.
    let part = merge(&["--partial", "--json"]).code(0).summary();
    assert_eq!((&part["merged"], &part["missing"][0]), (&2.into(), &1.into()), "{part}");
    for file in ["r/report.md", "r/report.json", "r/dataset/README.md"] {
        let text = std::fs::read_to_string(scratch.path(file)).expect("a text");
        assert!(
            text.contains("of another plan") && text.contains("shard 2/3 is not finished"),
            "{file}: {text}"
        );
    }
    let manifest = std::fs::read_to_string(scratch.path("r/dataset/manifest.json")).expect("a manifest");
    assert!(manifest.contains("\"partial\": true"));
    // Shards of another number, and prompts that changed between two shards.
    let refused = shard("0/4", &[]).code(2).err;
    assert!(refused.contains("`r` holds shards of 3") && refused.contains("AMEND_SHARDS=3"), "{refused}");
    std::fs::create_dir(scratch.path("r/shard-0001-of-0004")).expect("a folder");
    assert!(merge(&[]).code(2).err.contains("there are shards of 4 too"));
    std::fs::remove_dir(scratch.path("r/shard-0001-of-0004")).expect("removed");
    shard("2/3", &[]);
    scratch.write("prompts.jsonl", prompts(25));
    shard("1/3", &[]);
    let told = merge(&[]).code(2).err;
    assert!(told.contains("shard 1/3 read other prompts than the first one"), "{told}");
    // In the end it is whole, and nothing is left of the part.
    scratch.write("prompts.jsonl", prompts(24));
    shard("1/3", &[]);
    merge(&[]).code(0);
    scratch.run(&run(&sim, "one", &[])).code(1);
    same_run(&scratch, "one", "r");
    // A run of its own is not merged into.
    let told = scratch.run(&["merge", "r", "--out", "one"]).code(2).err;
    assert!(told.contains("`one` holds a run that was not merged"), "{told}");
}

#[test]
fn the_scheduler_says_which_shard_it_is() {
    let scratch = Scratch::new();
    files(&scratch, 12);
    let sim = Sim::start(&scratch, &[]);
    let auto = |variables: &[(&str, &str)], code: i32| {
        let mut command = scratch.command(&run(&sim, "r", &["--shard", "auto", "--no-export"]));
        let done = Done::of(&command.envs(variables.iter().copied()).output().expect("it runs"));
        if code == 2 { done.code(2) } else { done }
    };
    let told = auto(&[], 2).err;
    assert!(told.contains("SLURM_ARRAY_TASK_ID") && told.contains("JOB_COMPLETION_INDEX"), "{told}");
    let array = |id: &'static str, count: &'static str, min: &'static str, max: &'static str| {
        [
            ("SLURM_ARRAY_TASK_ID", id),
            ("SLURM_ARRAY_TASK_COUNT", count),
            ("SLURM_ARRAY_TASK_MIN", min),
            ("SLURM_ARRAY_TASK_MAX", max),
            ("SLURM_ARRAY_TASK_STEP", "1"),
        ]
    };
    auto(&array("3", "8", "0", "7"), 0);
    assert!(scratch.path("r/shard-0003-of-0008/journal.db").exists());
    // Tasks 3 and 7 alone: nobody knows of how many, unless it is said.
    let again = array("7", "2", "3", "7");
    assert!(auto(&again, 2).err.contains("the array has gaps"));
    auto(&[&again[..], &[("AMEND_SHARDS", "8")]].concat(), 0);
    auto(&[("JOB_COMPLETION_INDEX", "5"), ("AMEND_SHARDS", "8")], 0);
    for index in [3, 5, 7] {
        assert!(scratch.path(&format!("r/shard-000{index}-of-0008/journal.db")).exists(), "{index}");
    }
    assert!(auto(&[("JOB_COMPLETION_INDEX", "")], 2).err.contains("JOB_COMPLETION_INDEX empty"));
    for (flag, says) in [("8/8", "the last one is 7"), ("x", "write it as `3/64`")] {
        assert!(scratch.run(&run(&sim, "r", &["--shard", flag])).code(2).err.contains(says));
    }
    let told = scratch.run(&run(&sim, "r", &["--shard", "0/8", "--rpm", "7"])).code(2).err;
    assert!(told.contains("`limits.rpm` is 7") && told.contains("8 workers"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_second_process_is_told_who_has_the_run_or_waits_for_it() {
    let scratch = Scratch::new();
    files(&scratch, 30);
    let sim = Sim::start(&scratch, &["--latency-ms", "40"]);
    let args = run(&sim, "r", &["--concurrency", "4", "--shard", "0/1"]);
    let mut first = started(&scratch, &args);
    until(&sim, &mut first, 10);
    let told = scratch.run(&args).code(4).err;
    assert!(told.contains(&format!("process {}", first.id())) && told.contains("--wait"), "{told}");
    // Its output goes into a file, which says when it waits: the first process is stopped then and not before.
    let told = scratch.path("second.out");
    let mut second = scratch
        .command(&[&args[..], &["--wait"]].concat())
        .stdout(std::fs::File::create(&told).expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    while !std::fs::read_to_string(&told).expect("its output").contains("\"event\":\"waiting\"") {
        assert!(second.try_wait().expect("a child").is_none(), "it does not wait");
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(&first, "-TERM");
    ended(first).code(130);
    assert_eq!(second.wait().expect("an end").code(), Some(1));
    let told = std::fs::read_to_string(&told).expect("its output");
    let summary: Value = serde_json::from_str(told.lines().last().unwrap_or_default()).expect("a summary");
    assert_eq!(summary["unfinished"], 0, "{summary}");
    assert_eq!(sim.stats()["repeats"], 0, "something was asked twice");
}

/// A shell starts amend and dies; amend stops as after SIGTERM.
#[cfg(target_os = "linux")]
#[test]
fn a_process_that_is_to_die_with_its_parent_does() {
    let scratch = Scratch::new();
    files(&scratch, 200);
    let sim = Sim::start(&scratch, &["--latency-ms", "10"]);
    let args = run(&sim, "r", &["--concurrency", "2", "--die-with-parent", "--no-export"]);
    // The shell has something to do afterwards, so that it does not become amend.
    let line = format!("'{}' {} > out.txt 2>&1; echo over", env!("CARGO_BIN_EXE_amend"), args.join(" "));
    let mut shell = std::process::Command::new("sh")
        .args(["-c", &line])
        .current_dir(scratch.path("."))
        .stdout(Stdio::null())
        .spawn()
        .expect("a shell");
    until(&sim, &mut shell, 20);
    shell.kill().expect("killed");
    shell.wait().expect("waited for");
    // The lock is free once amend has ended.
    let begun = std::time::Instant::now();
    let waited = scratch.run(&run(&sim, "r", &["--wait", "--max-calls", "1", "--no-export"]));
    assert!(waited.code == Some(1), "{}", waited.err);
    assert!(begun.elapsed() < Duration::from_secs(20));
    let out = std::fs::read_to_string(scratch.path("out.txt")).expect("its output");
    assert!(out.contains("\"event\":\"stopping\"") && out.contains("interrupted"), "{out}");
}

#[cfg(unix)]
#[test]
fn calls_that_take_long_are_given_up_after_the_grace() {
    let scratch = Scratch::new();
    files(&scratch, 30);
    let fast = Sim::start(&scratch, &[]);
    scratch.run(&run(&fast, "r", &["--max-calls", "20", "--shard", "0/1"])).code(1);
    let slow = Sim::start(&scratch, &["--latency-ms", "20000"]);
    let args = run(&slow, "r", &["--shard", "0/1", "--grace", "300ms", "--mirror", "m"]);
    let mut child = started(&scratch, &args);
    until(&slow, &mut child, 1);
    signal(&child, "-TERM");
    let begun = std::time::Instant::now();
    let done = ended(child).code(130);
    // A bound that only a hang or a wait for the calls would exceed.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    adds_up(&done.summary());
    // What was answered is there still.
    let last = scratch.run(&run(&fast, "r", &["--shard", "0/1"])).code(1).summary();
    assert_eq!(last["unfinished"], 0);
    assert_eq!(fast.stats()["repeats"], 0, "something answered was asked again");
}

/// A node is lost with its disk, some times over: another one goes on from the mirror. `damage` is done to the mirror meanwhile.
fn nodes_lost(prompts: usize, losses: u64, damage: impl Fn(u64, &Path)) -> (u64, String) {
    let scratch = Scratch::new();
    files(&scratch, prompts);
    let calm = Sim::start(&scratch, &[]);
    let asked =
        scratch.run(&run(&calm, "one", &[])).code(1).summary()["calls"]["asked"].as_u64().expect("a count");
    let sim = Sim::start(&scratch, &["--latency-ms", "6"]);
    let mirror = ["--shard", "0/1", "--mirror", "m", "--mirror-every", "100ms", "--concurrency", "4"];
    let mut told = String::new();
    for loss in 0..losses {
        let node = format!("node-{loss}");
        let args = run(&sim, &node, &mirror);
        let mut child = started(&scratch, &args);
        // Somewhere on the way, a little further each time.
        until(&sim, &mut child, requests(&sim) + 8 + (asked / losses).max(1) + loss * 13 % 29);
        child.kill().expect("killed");
        told.push_str(&ended(child).out);
        std::fs::remove_dir_all(scratch.path(&node)).expect("the node is lost");
        damage(loss, &scratch.path("m/shard-0000-of-0001"));
    }
    let done = scratch.run(&run(&sim, "last", &mirror)).code(1);
    told.push_str(&done.out);
    scratch.run(&["merge", "last"]).code(0);
    same_run(&scratch, "one", "last");
    // The merge of another machine, which has the mirror alone.
    scratch.run(&["merge", "nowhere", "--mirror", "m", "--out", "elsewhere"]).code(0);
    same_run(&scratch, "one", "elsewhere");
    (sim.stats()["repeats"].as_u64().expect("a count"), told)
}

#[test]
fn a_lost_node_costs_the_last_moments_and_nothing_else() {
    let (repeats, told) = nodes_lost(60, 3, |_, _| {});
    assert!(told.contains("\"state\":\"restored\""), "{told}");
    println!("{repeats} calls were asked twice in 3 losses");
    // 4 calls side by side at 6 ms each are at most 67 in the 100 ms between two files.
    assert!(repeats <= 3 * (67 * 4 + 4), "{repeats} calls were asked twice");
}

#[test]
fn a_mirror_that_is_torn_is_told_and_what_is_behind_is_asked_again() {
    let (_, told) = nodes_lost(40, 3, |loss, mirror| {
        let mut names: Vec<_> = std::fs::read_dir(mirror)
            .expect("a mirror")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "zst"))
            .collect();
        names.sort();
        let last = names.last().expect("a file");
        match loss % 3 {
            0 => {
                let bytes = std::fs::read(last).expect("bytes");
                std::fs::write(last, &bytes[..bytes.len() / 2]).expect("torn");
            }
            1 => std::fs::remove_file(last).expect("gone"),
            _ => std::fs::remove_file(&names[names.len() / 2]).expect("gone"),
        }
    });
    assert!(told.contains("\"state\":\"damaged\"") && told.contains(".zst` is damaged"), "{told}");
    assert!(told.contains("of the mirror is missing"), "{told}");
}

#[test]
#[ignore = "takes minutes"]
fn slow_fifty_lost_nodes() {
    let (repeats, _) = nodes_lost(600, 50, |_, _| {});
    println!("{repeats} calls were asked twice in 50 losses");
    assert!(repeats <= 50 * (67 * 4 + 4), "{repeats}");
}

#[test]
fn who_has_lost_the_run_to_another_node_stops() {
    let scratch = Scratch::new();
    files(&scratch, 200);
    let sim = Sim::start(&scratch, &["--latency-ms", "8"]);
    let mirror = ["--mirror", "m", "--mirror-every", "100ms", "--concurrency", "2", "--no-export"];
    let mut older = started(&scratch, &run(&sim, "a", &mirror));
    until(&sim, &mut older, 30);
    let newer = scratch
        .command(&run(&sim, "b", &[&mirror[..], &["--max-calls", "400"]].concat()))
        .env("SLURM_JOB_ID", "4711")
        .output()
        .expect("it runs");
    assert_eq!(newer.status.code(), Some(1));
    let done = ended(older).code(4);
    assert!(done.err.contains("was taken over by SLURM_JOB_ID=4711, process"), "{}", done.err);
}

/// The folder of the mirror is taken away: a warning, then the end.
#[cfg(unix)]
#[test]
fn a_run_does_not_outlive_its_mirror_in_silence() {
    let scratch = Scratch::new();
    files(&scratch, 150);
    let sim = Sim::start(&scratch, &["--latency-ms", "20"]);
    let args = run(
        &sim,
        "r",
        &["--mirror", "m", "--mirror-every", "100ms", "--concurrency", "2", "--grace", "400ms"],
    );
    let mut child = started(&scratch, &args);
    until(&sim, &mut child, 20);
    let aside = || std::fs::rename(scratch.path("m"), scratch.path("aside"));
    aside().expect("moved");
    scratch.write("m", "a file is in the way");
    let done = ended(child).code(4);
    assert!(done.out.contains("\"state\":\"trouble\""), "{}", done.out);
    assert!(done.err.contains("of the mirror") && done.err.contains("--mirror"), "{}", done.err);
    adds_up(&done.summary());
    // Back in its place the run goes on, and the mirror gets what it missed.
    std::fs::remove_file(scratch.path("m")).expect("removed");
    std::fs::rename(scratch.path("aside"), scratch.path("m")).expect("moved back");
    let more = ["--mirror", "m", "--concurrency", "64"];
    scratch.run(&run(&sim, "r", &more)).code(1);
    std::fs::remove_dir_all(scratch.path("r")).expect("lost");
    let before = requests(&sim);
    scratch.run(&run(&sim, "r", &more)).code(1);
    assert_eq!(requests(&sim), before, "the mirror lacks answers");
}

#[test]
#[ignore = "takes minutes"]
fn slow_shards_that_are_killed_again_and_again_make_the_same_dataset() {
    const SHARDS: usize = 16;
    let scratch = Scratch::new();
    files(&scratch, 1500);
    let calm = Sim::start(&scratch, &[]);
    scratch.run(&run(&calm, "one", &[])).code(1);
    let sim = Sim::start(&scratch, &["--latency-ms", "40"]);
    let names: Vec<String> = (0..SHARDS).map(|n| format!("{n}/{SHARDS}")).collect();
    let start = |n: usize| {
        let more = ["--shard", &names[n], "--concurrency", "2", "--no-export"];
        scratch
            .command(&run(&sim, "r", &more))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts")
    };
    let mut running: Vec<(usize, Child)> = (0..SHARDS).map(|n| (n, start(n))).collect();
    let (begun, mut kills, mut pick) = (std::time::Instant::now(), 0, 7_usize);
    while begun.elapsed() < Duration::from_secs(60) && !running.is_empty() {
        std::thread::sleep(Duration::from_secs(2));
        running.retain_mut(|(_, child)| child.try_wait().expect("a child").is_none());
        if running.is_empty() {
            break;
        }
        pick = (pick * 31 + 17) % 1009;
        let at = pick % running.len();
        let (n, mut child) = running.swap_remove(at);
        child.kill().expect("killed");
        child.wait().expect("waited for");
        kills += 1;
        running.push((n, start(n)));
    }
    for (_, child) in &mut running {
        child.wait().expect("an end");
    }
    scratch.run(&["merge", "r"]).code(0);
    same_run(&scratch, "one", "r");
    let repeats = sim.stats()["repeats"].as_u64().expect("a count");
    println!("{kills} kills, {repeats} calls asked twice");
    assert!(kills > 5, "{kills}");
    assert!(repeats <= kills * 2 * 2, "{repeats} calls were asked twice in {kills} kills");
}

/// The processes that run amend with this word among their arguments, each with its parent.
#[cfg(target_os = "linux")]
fn runs_of(word: &str) -> Vec<(String, String)> {
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    let named = processes.filter_map(|entry| {
        let id = entry.file_name().into_string().ok()?;
        let arguments = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.to_owned();
        (arguments.contains("--die-with-parent") && arguments.contains(word)).then_some((id, parent))
    });
    named.collect()
}

/// The driver that `amend launch` prints, whose workers are killed; Ray tries their shards again by itself.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs Python with Ray as `python3`"]
fn needs_ray_whose_workers_are_killed() {
    let scratch = Scratch::new();
    files(&scratch, 150);
    let calm = Sim::start(&scratch, &[]);
    scratch.run(&run(&calm, "one", &[])).code(1);
    let sim = Sim::start(&scratch, &["--latency-ms", "60"]);
    let recipe = format!(
        "constitution = \"two.toml\"\nprompts = [\"prompts.jsonl\"]\n[models.default]\nmodel = \"sim-http\"\nbase_url = \"{}\"\n\
         [method]\nrounds = 1\n[limits]\nconcurrency = 2\n",
        sim.url
    );
    scratch.write("night.toml", recipe);
    // No other process has this word among its arguments.
    let out = format!("runs-of-{}", std::process::id());
    let launch = ["launch", "ray", "night.toml", "--shards", "4", "--out", &out, "--mirror", "m"];
    let driver = scratch.write("night.py", scratch.run(&launch).code(0).out);
    let bin = Path::new(env!("CARGO_BIN_EXE_amend")).parent().expect("a folder").display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut running = std::process::Command::new("python3")
        .arg(&driver)
        .current_dir(scratch.path("."))
        .env("PATH", format!("{bin}:{path}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("python3 runs");
    let mut killed = Vec::new();
    while running.try_wait().expect("a child").is_none() {
        std::thread::sleep(Duration::from_millis(300));
        let asked = requests(&sim);
        let worker =
            runs_of(&out).into_iter().map(|(_, parent)| parent).find(|parent| !killed.contains(parent));
        if let Some(worker) = worker.filter(|_| killed.len() < 3 && asked > 60 * (killed.len() as u64 + 1)) {
            std::process::Command::new("kill").args(["-KILL", &worker]).status().expect("killed");
            killed.push(worker);
        }
    }
    assert!(running.wait().expect("an end").success(), "the driver failed");
    assert_eq!(killed.len(), 3, "the run was too fast to be killed");
    scratch.run(&["merge", &out]).code(0);
    same_run(&scratch, "one", &out);
    println!("3 workers killed, {} calls asked twice", sim.stats()["repeats"]);
    assert_eq!(sim.stats()["repeats"], 0, "calls in flight are finished when the parent dies");
}

/// Requests that a limited endpoint refuses, of processes side by side that each know their part of its limit.
#[test]
#[ignore = "takes minutes"]
fn slow_workers_together_keep_to_the_limit_of_one() {
    let refused = |workers: usize| {
        let scratch = Scratch::new();
        files(&scratch, 700);
        let sim = Sim::start(&scratch, &["--rpm", "1000"]);
        let names: Vec<String> = (0..workers).map(|n| format!("{n}/{workers}")).collect();
        let children: Vec<Child> = names
            .iter()
            .map(|shard| {
                let more = ["--shard", shard, "--rpm", "1000", "--no-export"];
                let mut command = scratch.command(&run(&sim, "r", &more));
                command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
            })
            .collect();
        for mut child in children {
            child.wait().expect("an end");
        }
        let stats = sim.stats();
        println!("{workers} workers: {} requests, faults {}", stats["requests"], stats["faults"]);
        let faults = stats["faults"].as_object().cloned().unwrap_or_default();
        let refusals: u64 = faults
            .iter()
            .filter(|(kind, _)| kind.contains("429") || kind.contains("limit"))
            .filter_map(|(_, n)| n.as_u64())
            .sum();
        (refusals, requests(&sim))
    };
    let (one, of) = refused(1);
    let (seven, _) = refused(7);
    assert!(seven <= one + of / 20, "{seven} refusals of seven workers, {one} of one, of {of} requests");
}

const RECIPE: &str = "constitution = \"two.toml\"\nprompts = [\"prompts.jsonl\"]\nout = \"runs/night\"\n\n\
                      [models.default]\nmodel = \"m\"\nbase_url = \"https://example.org/v1\"\napi_key_env = \"MY_KEY\"\n";

#[test]
fn launch_scripts_are_as_they_were_read() {
    let scratch = Scratch::new();
    files(&scratch, 1);
    scratch.write("night.toml", RECIPE);
    for (scheduler, more) in
        [("slurm", &["--mirror", "/shared/night"][..]), ("k8s", &["--mirror", "/mirror/night"]), ("ray", &[])]
    {
        let args = [&["launch", scheduler, "night.toml", "--shards", "64"][..], more].concat();
        let script = scratch.run(&args).code(0).out;
        assert!(!script.contains("{{") && script.contains("MY_KEY"), "{script}");
        insta::assert_snapshot!(format!("launch_{scheduler}"), script);
    }
    let told = scratch.run(&["launch", "k8s", "night.toml", "--shards", "2"]).code(2).err;
    assert!(told.contains("--mirror"), "{told}");
}

/// Runs a program over a script, if it is installed.
fn passes(program: &str, args: &[&str], script: &Path) -> bool {
    match std::process::Command::new(program).args(args).arg(script).output() {
        Ok(done) => {
            assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
            true
        }
        Err(_) => false,
    }
}

/// Names with everything in them that a shell, YAML or Python could take for more than a name.
#[test]
fn launch_scripts_are_scripts_whatever_the_names() {
    let scratch = Scratch::new();
    files(&scratch, 1);
    let recipe = "a night's \"$HOME\" `x` # {{NAME}} \\ run.toml";
    scratch.write(recipe, RECIPE);
    let out = "runs/'; touch pwned; \"\"\" $(touch pwned)";
    for (scheduler, mirror) in
        [("slurm", "/m '$(touch pwned)"), ("k8s", "/m: - [x]"), ("ray", "\"\"\"; import os\\")]
    {
        let args = ["launch", scheduler, recipe, "--shards", "3", "--mirror", mirror, "--out", out];
        let script = scratch.write(&format!("{scheduler}.script"), scratch.run(&args).code(0).out);
        let _ = match scheduler {
            "slurm" => passes("bash", &["-n"], &script),
            "ray" => passes("python3", &["-m", "py_compile"], &script),
            _ => true,
        };
    }
    // The Slurm script starts amend with the names as they are.
    let bin = scratch.path("bin");
    std::fs::create_dir(&bin).expect("a folder");
    let amend = scratch.write("bin/amend", "#!/bin/sh\nprintf '%s\\n' \"$@\"\n");
    #[cfg(unix)]
    std::fs::set_permissions(&amend, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("executable");
    let ran = std::process::Command::new("bash")
        .arg(scratch.path("slurm.script"))
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("SLURM_ARRAY_TASK_ID", "2")
        .current_dir(scratch.path("."))
        .output();
    if let Ok(ran) = ran {
        let said = Done::of(&ran).code(0).out;
        let words: Vec<&str> = said.lines().collect();
        assert_eq!(words[..4], ["run", recipe, "--shard", "2/3"], "{said}");
        assert!(words.contains(&"/m '$(touch pwned)"), "{said}");
        let unset = std::process::Command::new("bash")
            .arg(scratch.path("slurm.script"))
            .env_remove("SLURM_ARRAY_TASK_ID")
            .output();
        assert_ne!(unset.expect("bash").status.code(), Some(0), "a task without a number must not run");
    }
    assert!(!scratch.path("pwned").exists());
}

#[test]
fn the_kubernetes_job_has_the_fields_of_a_job() {
    let scratch = Scratch::new();
    files(&scratch, 1);
    scratch.write("night.toml", RECIPE);
    let args = ["launch", "k8s", "night.toml", "--shards", "64", "--mirror", "/mirror/night"];
    let script = scratch.write("job.yaml", scratch.run(&args).code(0).out);
    let read = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let Ok(done) = std::process::Command::new("python3").args(["-c", read]).arg(&script).output() else {
        return;
    };
    if !done.status.success() {
        println!("python3 has no yaml: {}", String::from_utf8_lossy(&done.stderr));
        return;
    }
    let job: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let schema: Value =
        serde_json::from_str(include_str!("../data/kubernetes-job.schema.json")).expect("a schema");
    let faults = crate::schema::faults(&schema, &schema, &job, "job");
    assert!(faults.is_empty(), "{faults:?}");
    assert!(job["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64() > Some(25));
    // The schema finds a field that is none.
    let mut wrong = job.clone();
    wrong["spec"]["backofLimitPerIndex"] = 3.into();
    assert!(!crate::schema::faults(&schema, &schema, &wrong, "job").is_empty());
}
