//! `amend audit` over planted faults: each is found, clean rows are left in peace, kept rows keep their bytes.

use crate::support::Scratch;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};

/// A clean pair, different for every number.
fn pair(n: usize) -> Value {
    let things = ["bread", "soap", "paper", "cheese", "glass", "bricks", "rope", "candles", "ink", "felt"];
    let places = [
        "at home",
        "in a village",
        "on a boat",
        "by hand",
        "in the old days",
        "without machines",
        "for a fair",
    ];
    let (thing, place) = (things[n % 10], places[n / 10 % 7]);
    let steps = [
        "weigh what you need",
        "heat the water",
        "stir until it is even",
        "let it rest",
        "press out the air",
        "dry it in the shade",
    ];
    let step = |at: usize| steps[(n / 70 + at) % 6];
    json!({
        "prompt": format!("How was {thing} number {n} made {place}?"),
        "chosen": format!("For {thing} {n} you first {}, then you {} and {}, and in the end you {} {place}.", step(0), step(1), step(2), step(3)),
        "rejected": format!("People had {thing} {n} {place}; nobody wrote down how, but they {} and hoped for the best.", step(4)),
    })
}

/// So many clean pairs; each fault replaces the pair at its place.
fn lines(count: usize, faults: &[(usize, Value)]) -> String {
    let mut out = String::new();
    for n in 0..count {
        let row = faults.iter().find(|(at, _)| *at == n).map_or_else(|| pair(n), |(_, row)| row.clone());
        let _ = writeln!(out, "{row}");
    }
    out
}

fn with(n: usize, column: &str, text: &str) -> (usize, Value) {
    let mut row = pair(n);
    row[column] = json!(text);
    (n, row)
}

fn rows(out: &str) -> Vec<Value> {
    let parsed = out.lines().filter(|line| line.starts_with("{\"place\"")).map(serde_json::from_str);
    parsed.collect::<Result<_, _>>().expect("JSON lines")
}

#[test]
fn every_planted_fault_is_found_at_its_place_and_nothing_else() {
    let scratch = Scratch::new();
    let refusal = "I'm sorry, but I can't help with that request.";
    let long = "word ".repeat(40);
    let key = format!("The key is ghp_{}.", "aB3".chars().cycle().take(36).collect::<String>());
    let text = |n: usize, column: &str| pair(n)[column].as_str().expect("a text").to_owned();
    let faults = vec![
        ("empty", with(3, "chosen", "")),
        ("equal", with(10, "rejected", &text(10, "chosen"))),
        ("too-close", with(17, "rejected", &text(17, "chosen").to_uppercase())),
        ("chosen-refuses", with(24, "chosen", refusal)),
        ("rejected-refuses", with(31, "rejected", refusal)),
        ("length-ratio", with(38, "rejected", "No.")),
        ("error-text", with(45, "chosen", "Error code: 429 - {'error': {'message': 'Rate limit reached'}}")),
        ("preamble", with(52, "chosen", &format!("Here is the revised response:\n\n{}", text(52, "chosen")))),
        ("sentinel", with(59, "chosen", "N/A")),
        ("think-tag", with(66, "chosen", &format!("<think>let me see</think>{}", text(66, "chosen")))),
        ("role-tag", with(73, "chosen", &format!("{}<|im_end|>", text(73, "chosen")))),
        (
            "truncation-signs",
            with(80, "chosen", "For bread 80 you first weigh what you need, then you heat the"),
        ),
        (
            "language-change",
            with(
                87,
                "chosen",
                "Zuerst wiegt man das Mehl ab, dann gibt man warmes Wasser dazu und knetet alles gut durch.",
            ),
        ),
        ("secret", with(94, "chosen", &format!("{} {key}", text(94, "chosen")))),
        ("control", with(101, "chosen", &format!("{}\u{202e}", text(101, "chosen")))),
        ("duplicate", (115, pair(108))),
        (
            "cut-equal@512",
            (122, {
                let same = "The same beginning stands in both. ".repeat(80);
                json!({ "prompt": text(122, "prompt"), "chosen": format!("{same} One end, of bread and of butter. {long}"), "rejected": format!("{same} Another end, without any of it.") })
            }),
        ),
    ];
    let planted: Vec<(usize, Value)> = faults.iter().map(|(_, fault)| fault.clone()).collect();
    scratch.write("pairs.jsonl", lines(700, &planted));
    let done = scratch.run(&["audit", "pairs.jsonl", "--rows"]).code(0);
    let found = rows(&done.out);
    for (code, (at, _)) in &faults {
        let place = format!("pairs.jsonl:{}", at + 1);
        let row = found.iter().find(|row| row["place"] == place.as_str());
        let codes = row.map_or(Value::Null, |row| row["codes"].clone());
        assert!(
            codes.as_array().is_some_and(|codes| codes.contains(&json!(code))),
            "{code} at {place}: {codes}"
        );
    }
    // The clean rows are made by one pattern, so some of them are near to others.
    let is_near = |row: &&Value| row["codes"] == json!(["near-duplicate"]);
    let line = |row: &Value| {
        let place = row["place"].as_str().expect("a place");
        place.rsplit(':').next().unwrap_or_default().parse::<usize>().expect("a line")
    };
    let found_at = found.iter().filter(|row| !is_near(row)).map(line);
    let others: Vec<usize> =
        found_at.filter(|found| !planted.iter().any(|(at, _)| at + 1 == *found)).collect();
    assert!(others.is_empty(), "clean rows with a finding: {others:?}");
    let secret = found.iter().find(|row| row["place"] == "pairs.jsonl:95").expect("a key");
    assert_eq!(secret["detail"]["secret"][0]["kind"], "GitHub token");
    assert!(!done.out.contains("ghp_") && !done.out.contains('\u{202e}'), "raw text on the screen");
}

#[test]
fn dropped_and_kept_rows_add_up_and_kept_ones_keep_their_bytes() {
    let scratch = Scratch::new();
    let text = lines(60, &[with(5, "chosen", ""), (20, pair(10))]) + "not json\n\n";
    // Bytes that a writer would not give back: spaces, an escape, a number in another form.
    let odd = "{ \"prompt\" : \"A \\u00e9 \",  \"chosen\": \"Yes, with \\/ of it all, and more.\", \"rejected\": \"No idea of any of it.\", \"n\": 1.50e1 }\n";
    let whole = format!("{odd}{text}");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(whole.as_bytes()).expect("bytes");
    scratch.write("p.jsonl.gz", gz.finish().expect("a file"));
    let args = ["audit", "p.jsonl.gz", "--drop", "empty,duplicate", "--out", "kept"];
    let done = scratch.run(&args).code(1);
    assert!(done.err.contains("59 rows kept, 3 dropped"), "{}", done.err);
    let mut kept = String::new();
    let bytes = std::fs::read(scratch.path("kept/p.jsonl.gz")).expect("a file");
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut kept).expect("text");
    let expected: Vec<&str> =
        whole.lines().enumerate().filter(|(n, _)| ![6, 21, 61].contains(n)).map(|(_, line)| line).collect();
    assert_eq!(
        kept.lines().collect::<Vec<_>>(),
        expected.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>()
    );
    let dropped = std::fs::read_to_string(scratch.path("kept/dropped.jsonl")).expect("a list");
    let codes: Vec<String> = dropped
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["codes"].to_string())
        .collect();
    assert_eq!(codes, ["[\"empty\"]", "[\"duplicate\"]", "[\"bad-row\"]"]);
    scratch.run(&["verify", "kept"]).code(0);

    // The same again replaces it, and gives the same bytes; a folder of somebody's is left alone.
    let before = std::fs::read(scratch.path("kept/audit.json")).expect("a report");
    scratch.run(&args).code(1);
    assert_eq!(std::fs::read(scratch.path("kept/audit.json")).expect("a report"), before);
    scratch.write("mine/letter.txt", "dear");
    let done = scratch.run(&["audit", "p.jsonl.gz", "--drop", "empty", "--out", "mine"]).code(2);
    assert!(done.err.contains("left alone"), "{}", done.err);
    assert!(scratch.path("mine/letter.txt").exists());
}

#[test]
fn csv_rows_of_several_lines_are_kept_as_they_are() {
    let scratch = Scratch::new();
    let csv = "prompt,response\r\n\"Two\nlines?\",\"Yes, \"\"two\"\" of them, as you see.\"\r\nEmpty?,\r\nLast one?,It is the last one of them all.\r\n";
    scratch.write("q.csv", csv);
    scratch.run(&["audit", "q.csv", "--drop", "empty", "--out", "kept"]).code(0);
    let kept = std::fs::read_to_string(scratch.path("kept/q.csv")).expect("a file");
    assert_eq!(kept, csv.replace("Empty?,\r\n", ""));
}

#[test]
fn leaks_contradictions_and_many_answers_are_between_rows() {
    let scratch = Scratch::new();
    let mut swapped = pair(4);
    swapped["chosen"] = pair(4)["rejected"].clone();
    swapped["rejected"] = pair(4)["chosen"].clone();
    scratch.write("train.jsonl", lines(30, &[(9, swapped)]));
    scratch.write("test.jsonl", format!("{}\n{}\n", pair(7), pair(500)));
    scratch.write("bench.jsonl", json!({ "prompt": pair(12)["prompt"] }).to_string() + "\n");
    let done =
        scratch.run(&["audit", "train.jsonl", "test.jsonl", "--holdout", "bench.jsonl", "--rows"]).code(0);
    let named = |code: &str| {
        let has = |row: &&Value| row["codes"].as_array().is_some_and(|codes| codes.contains(&json!(code)));
        rows(&done.out)
            .iter()
            .filter(has)
            .map(|row| row["place"].as_str().expect("a place").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(named("contradicts"), ["train.jsonl:5", "train.jsonl:10"]);
    // The seventh prompt is in both, and the last one of the test set is one word away from the tenth.
    let leaks = ["train.jsonl:8", "train.jsonl:11", "test.jsonl:1", "test.jsonl:2"];
    assert_eq!(named("split-leak"), leaks);
    assert_eq!(named("duplicate"), ["test.jsonl:1"]);
    assert_eq!(named("holdout-leak"), ["train.jsonl:13"]);
}

#[test]
fn what_is_asked_wrongly_is_said() {
    let scratch = Scratch::new();
    scratch.write("p.jsonl", lines(5, &[]));
    let says = |args: &[&str], words: &str| {
        let done = scratch.run(&[&["audit", "p.jsonl"], args].concat()).code(2);
        assert!(done.err.contains(words), "{args:?}: {}", done.err);
    };
    says(&["--drop", "equals", "--out", "o"], "did you mean `equal`?");
    says(&["--drop", "shortcut", "--out", "o"], "a figure of the whole set");
    says(&["--drop", "equal"], "give `--out DIR`");
    says(&["--fail-on", "equal"], "CODE>SHARE");
    says(&["--hazard", "topic"], "no column `topic`");
    scratch.write("odd.jsonl", "{\"a\": 1, \"b\": \"x\"}\n");
    let done = scratch.run(&["audit", "odd.jsonl"]).code(2);
    assert!(done.err.contains("there are `a`, `b`"), "{}", done.err);
    // A limit that is met, and one that is not.
    let done = scratch.run(&["audit", "p.jsonl", "--fail-on", "empty>0"]).code(0);
    assert!(done.out.contains("nothing was found in any row"), "{}", done.out);
    scratch.write("e.jsonl", lines(5, &[with(1, "chosen", "")]));
    scratch.run(&["audit", "e.jsonl", "--fail-on", "empty>0.1"]).code(1);
}

#[test]
fn hostile_rows_are_counted_and_reach_no_terminal() {
    let scratch = Scratch::new();
    let mut bytes = lines(3, &[]).into_bytes();
    bytes.extend_from_slice(b"{\"prompt\": \"a\x1b]0;x\x07\", \"chosen\": \"b \\u001b[2J of it all\", \"rejected\": \"c of something else\"}\n");
    bytes.extend_from_slice(b"{\"prompt\": \"\xff\xfe\", \"chosen\": \"b\", \"rejected\": \"c\"}\n");
    bytes.extend_from_slice(b"{\"prompt\": \"x\", \"chosen\": \"lone \\ud800 half of a sign\", \"rejected\": \"c of something else\"}\n");
    bytes.extend_from_slice(format!("{{\"prompt\": \"{}\"}}\n", "y".repeat(17 << 20)).as_bytes());
    scratch.write("h.jsonl", bytes);
    let done = scratch.run(&["audit", "h.jsonl", "--rows"]).code(1);
    assert!(!done.out.contains('\u{1b}') && !done.err.contains('\u{1b}'));
    let report: Vec<&str> =
        done.out.lines().filter(|line| line.starts_with("bad-row") || line.starts_with("control")).collect();
    assert_eq!(report.len(), 2, "{}", done.out);
    assert!(done.out.contains("h.jsonl:5") && done.out.contains("h.jsonl:7"), "{}", done.out);
}

/// An audit of [`labelled`](crate::label::labelled) pairs with a simulated judge.
fn sampled(scratch: &Scratch, pairs: &str, more: &[&str]) -> Value {
    let args =
        ["audit", "pairs.jsonl", "--constitution", "kind.toml", "--model", "sim", "--json", "--sample"];
    let done = scratch.run(&[&args[..], &[pairs], more].concat()).code(0);
    serde_json::from_str::<Value>(&done.out).expect("JSON")["sample"].clone()
}

#[test]
fn a_judge_finds_the_wrong_labels_of_a_sample_and_asks_nothing_twice() {
    let scratch = Scratch::new();
    crate::label::labelled(&scratch, 200, 8);
    let all = sampled(&scratch, "1000", &[]);
    assert_eq!(
        (&all["pairs"], &all["wrong"]["count"], &all["wrong"]["of"]),
        (&200.into(), &25.into(), &200.into())
    );
    let least: Vec<&str> =
        all["least"].as_array().expect("a list").iter().filter_map(|entry| entry[0].as_str()).collect();
    assert_eq!(least.len(), 20);
    for place in &least {
        let line: usize = place.rsplit(':').next().and_then(|line| line.parse().ok()).expect("a line");
        assert!((line - 1).is_multiple_of(8), "{place} has a right label");
    }
    let sides = all["sides"].as_object().expect("sides");
    let of = |side: &str| sides.get(side).map_or(0, |rate| rate["of"].as_u64().unwrap_or(0));
    assert_eq!(of("neither refuses"), 200);
    assert!(of("chosen longer") + of("rejected longer") <= 200);
    assert_eq!(all["judge"]["flips"]["count"], 0);
    // A part of the same pairs: every answer is there already. The same seed draws the same, another one others.
    let part = sampled(&scratch, "40", &["--max-calls", "400"]);
    assert_eq!((&part["pairs"], &part), (&40.into(), &sampled(&scratch, "40", &["--max-calls", "400"])));
    assert_ne!(part["least"], sampled(&scratch, "40", &["--seed", "5"])["least"]);
    let again = ["audit", "pairs.jsonl", "--constitution", "kind.toml", "--model", "sim", "--sample", "40"];
    let done = scratch.run(&again).code(0);
    assert!(done.err.contains("0 calls asked, 80 from the journal in runs/one-audit"), "{}", done.err);
    assert!(done.out.contains("labels that a judge holds for wrong: "), "{}", done.out);
}

#[test]
fn a_judge_that_follows_the_order_is_told_and_what_cannot_be_judged_is_left_out() {
    let scratch = Scratch::new();
    crate::label::labelled(&scratch, 60, 8);
    let report = sampled(&scratch, "60", &["--set", "sim.judge=position", "--set", "sim.judge_bias=0.4"]);
    assert!(report["judge"]["position_bias"]["mean"].as_f64().is_some_and(|bias| bias > 0.3), "{report}");
    assert!(report["judge"]["flips"]["count"].as_u64().is_some_and(|flips| flips > 30), "{report}");
    let mut rows = std::fs::read_to_string(scratch.path("pairs.jsonl")).expect("pairs");
    rows += "{\"prompt\":\"Q?\",\"chosen\":\"Same.\",\"rejected\":\"Same.\"}\n{\"prompt\":\"Q?\",\"chosen\":\"\",\"rejected\":\"No.\"}\n";
    scratch.write("pairs.jsonl", rows);
    assert_eq!(sampled(&scratch, "100", &["--out", "audited"])["pairs"], 60);
    scratch.run(&["verify", "audited"]).code(0);
    for file in ["audit.md", "audit.html", "audit.json"] {
        let text = std::fs::read_to_string(scratch.path("audited").join(file)).expect(file);
        assert!(text.contains("neither refuses"), "{file}");
    }
    let alone = scratch.run(&["audit", "pairs.jsonl", "--model", "sim"]).code(2);
    assert!(alone.err.contains("--sample"), "{}", alone.err);
    scratch.write("sft.jsonl", "{\"prompt\":\"Q?\",\"response\":\"A.\"}\n");
    let args = ["--constitution", "kind.toml", "--model", "sim", "--sample", "3"];
    let refused = scratch.run(&[&["audit", "sft.jsonl"][..], &args].concat()).code(2);
    assert!(refused.err.contains("`--sample` judges pairs"), "{}", refused.err);
}

#[test]
#[ignore = "slow: a hundred audits"]
fn slow_the_interval_of_a_sample_covers_the_planted_share() {
    let scratch = Scratch::new();
    crate::label::labelled(&scratch, 2400, 8);
    let covers = |seed: u32| {
        let wrong = sampled(&scratch, "300", &["--seed", &seed.to_string()])["wrong"].clone();
        let end = |name: &str| wrong[name].as_f64().expect("an end");
        end("low") <= 0.125 && 0.125 <= end("high")
    };
    let covered = (0..100).filter(|seed| covers(*seed)).count();
    assert!(covered >= 93, "{covered} of 100");
}
