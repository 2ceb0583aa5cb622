//! What an export must hold: the counts add up, bytes repeat, families stay whole, damage is found.

use super::*;
use crate::pure::call::Role;
use crate::pure::constitution::{Principle, When};
use crate::pure::gates::Verdict as Gate;
use crate::pure::prompt::{Message, Prompt};
use crate::pure::reason::Reason;
use crate::pure::recipe::{Pairs, SoftLabels};
use crate::pure::transcript::{
    Comparison, Critique, How, MethodName, Response, Revision, RevisionFate, Tally, Verdict,
};
use crate::runtime::dataset::rows::{Context, MoreColumns};
use crate::runtime::dataset::splits::SPLITS;
use std::collections::{HashMap, HashSet};

fn constitution() -> Constitution {
    let principle = |id: &str, hazard: bool| Principle {
        id: id.into(),
        text: format!("The response keeps the rule about {id}."),
        critique: None,
        revision: None,
        compare: None,
        priority: 0,
        hard: false,
        weight: 1.0,
        hazards: hazard.then(|| "phys".to_owned()).into_iter().collect(),
        when: When::default(),
        exceptions: Vec::new(),
        examples: Vec::new(),
        tests: Vec::new(),
        rules: Vec::new(),
        allow: Vec::new(),
    };
    Constitution {
        id: "sample".into(),
        version: "1.0.0".into(),
        title: "Sample".into(),
        description: String::new(),
        system: None,
        principles: vec![principle("harm", true), principle("tone", false)],
        styles: crate::pure::constitution::Styles::default(),
    }
}

fn meta() -> DatasetMeta {
    DatasetMeta {
        constitution: constitution(),
        constitution_text: "id = \"sample\"".into(),
        recipe: Recipe { seed: u64::MAX, out: Some("here".into()), ..Recipe::default() },
        simulated: false,
        hub_files: Vec::new(),
        judge: serde_json::Value::Null,
        older: None,
        is_partial: false,
        gaps: Vec::new(),
    }
}

fn response(text: String, round: u32) -> Response {
    Response { text, round, model: "sim-small".into(), fallback: false, tokens: 9, repairs: Vec::new() }
}

fn critique(round: u32, response: usize, principle: &str, verdict: Verdict) -> Critique {
    Critique {
        round,
        response,
        revision: None,
        principle: principle.into(),
        text: format!("About {principle}: it was read twice."),
        verdict,
        p_violates: None,
        undecided: None,
        screen: None,
        recheck: false,
        tokens: 5,
        model: "sim-critic".into(),
    }
}

/// Prompt number `n`: mostly a draft that is revised once; some multi-turn, some judged, some odd.
pub(super) fn transcript(n: usize) -> Transcript {
    let ask = format!("Tell me about case number {n} of the harbour and what to do with it.");
    let mut messages = vec![Message::user(ask)];
    if n % 7 == 3 {
        messages.extend([
            Message::assistant("Which part?"),
            Message::user(format!("The part after {n}, please.")),
        ]);
    }
    if n % 11 == 5 {
        messages.insert(0, Message::new(crate::pure::prompt::Speaker::System, "Answer briefly."));
    }
    let hazard = (n.is_multiple_of(3)).then(|| "phys.assault".to_owned());
    let prompt =
        Prompt::new(messages, hazard, Some(if n.is_multiple_of(5) { "fr" } else { "en" }.to_owned()));
    let draft =
        format!("Case {n} is for the strong: push the others aside and take what is left on the quay.");
    let better = format!(
        "Case {n} is for the port office. Ask there, wait your turn, and help whoever is behind you."
    );
    let mut critiques = vec![
        critique(1, 0, "harm", Verdict::Violates),
        critique(1, 0, "tone", if n.is_multiple_of(2) { Verdict::Violates } else { Verdict::Conforms }),
    ];
    let mut responses = vec![response(draft, 0)];
    let mut revisions = Vec::new();
    if n.is_multiple_of(13) {
        critiques[0].verdict = Verdict::Conforms;
        critiques[1].verdict = Verdict::NotApplicable;
    } else {
        revisions.push(Revision {
            round: 1,
            from: 0,
            principles: vec!["harm".into()],
            text: better.clone(),
            fate: RevisionFate::Kept(1),
        });
        responses.push(response(better, 1));
        let again =
            critique(2, 1, "harm", if n.is_multiple_of(17) { Verdict::Violates } else { Verdict::Conforms });
        critiques.push(again);
        // Of some revisions nobody knows whether they keep the tone: they are no positive example.
        let tone = if n % 19 == 2 { Verdict::Undecided } else { Verdict::Conforms };
        critiques.push(critique(2, 1, "tone", tone));
    }
    let comparisons = if n % 4 == 1 && responses.len() > 1 {
        let p = if n % 8 == 1 { Some(0.2) } else { None };
        vec![Comparison {
            a: 0,
            b: 1,
            principle: "harm".into(),
            p,
            p_ab: p,
            p_ba: p,
            how: How::Logprobs,
            model: "sim-judge".into(),
        }]
    } else {
        Vec::new()
    };
    Transcript {
        prompt,
        method: MethodName::Panel,
        last: responses.len() - 1,
        responses,
        critiques,
        revisions,
        comparisons,
        styled: None,
        ended: Ended::Conforms,
        tally: Tally::default(),
        models: vec![(Role::Critic, "sim-critic".into())],
        failures: Vec::new(),
        substitutes: Vec::new(),
        cut_prompts: Vec::new(),
    }
}

fn all_configs() -> Export {
    Export { configs: Config::names().into_iter().map(str::to_owned).collect(), ..Export::default() }
}

fn run(count: usize, settings: &Export, out: &Path) -> Report {
    let mut source = || Ok(Box::new((0..count).map(|n| Ok(transcript(n)))) as Transcripts<'static>);
    export(&mut source, &meta(), settings, &Gates::default(), out).unwrap()
}

/// The sample's revisions all close in the same words.
#[test]
fn a_phrase_that_spreads_is_capped_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let pairs = |most: f64| {
        let out = dir.path().join(most.to_string());
        let settings = Export { max_phrase_share: most, ..all_configs() };
        let report = run(600, &settings, &out);
        let dropped = report.drops.get(&(Config::Preference, Reason::BoilerplatePhrase));
        let rows = rows(&out, "preference");
        let taught = |row: &&serde_json::Value| row["chosen"].to_string().contains("help whoever is behind");
        (rows.len() as u64, dropped.copied().unwrap_or(0), rows.iter().filter(taught).count() as f64)
    };
    let (all, none, before) = pairs(0.0);
    assert!(none == 0 && before / all as f64 > 0.8, "{before} of {all}");
    let (left, dropped, after) = pairs(0.2);
    assert_eq!(left + dropped, all);
    assert!((after / all as f64 - 0.2).abs() < 0.05, "{after} of {all}");
    assert_eq!(pairs(1.0), (all, 0, before), "a cap that is not reached leaves everything");
}

fn rows(dir: &Path, config: &str) -> Vec<serde_json::Value> {
    SPLITS
        .iter()
        .filter_map(|split| std::fs::read_to_string(dir.join(format!("jsonl/{config}_{split}.jsonl"))).ok())
        .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
        .collect()
}

#[test]
fn the_same_transcripts_give_the_same_bytes_and_damage_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let report = run(60, &all_configs(), &one);
    assert_eq!(report, run(60, &all_configs(), &two));
    assert_eq!(
        std::fs::read(one.join("manifest.json")).unwrap(),
        std::fs::read(two.join("manifest.json")).unwrap()
    );
    assert_eq!(verify(&one), Verified { intact: report.files, findings: Vec::new() });

    let path = "sft/train-00000-of-00001.parquet";
    let mut bytes = std::fs::read(one.join(path)).unwrap();
    bytes[100] ^= 1;
    std::fs::write(one.join(path), bytes).unwrap();
    std::fs::remove_file(one.join("stats.json")).unwrap();
    std::fs::write(one.join("sft/notes.txt"), "x").unwrap();
    let want = vec![
        Finding::Changed(path.into()),
        Finding::Missing("stats.json".into()),
        Finding::Extra("sft/notes.txt".into()),
    ];
    assert_eq!(verify(&one).findings, want);

    let manifest = std::fs::read_to_string(two.join("manifest.json")).unwrap().replace("panel", "penal");
    std::fs::write(two.join("manifest.json"), manifest).unwrap();
    assert!(matches!(verify(&two).findings[..], [Finding::Manifest(_)]));
}

#[test]
fn no_family_or_prompt_is_in_two_splits() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("d");
    run(200, &all_configs(), &out);
    let mut home: HashMap<String, &str> = HashMap::new();
    for config in Config::ALL.iter().copied() {
        for split in SPLITS {
            let path = out.join(format!("jsonl/{}_{split}.jsonl", config.as_str()));
            let text = std::fs::read_to_string(path).unwrap();
            assert!(!text.is_empty());
            for line in text.lines() {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                let family = row["prompt_family"].as_str().unwrap().to_owned();
                assert_eq!(*home.entry(family).or_insert(split), split);
            }
        }
    }
}

#[test]
fn counts_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("d");
    let report = run(120, &all_configs(), &out);
    let dropped =
        |config| report.drops.iter().filter(|((c, _), _)| *c == config).map(|(_, n)| n).sum::<u64>();
    let total: HashMap<String, u64> = report.totals().into_iter().collect();
    assert_eq!(report.transcripts, 120);
    assert_eq!(total["sft"] + dropped(Config::Sft), report.usable);
    let context = Context {
        constitution: &constitution(),
        constitution_sha256: "",
        seed: 0,
        simulated: false,
        more_columns: MoreColumns::None,
        export: &Export::default(),
        gates: &Gates::default(),
        boilerplate: &Boilerplate::default(),
    };
    let kept = (0..120)
        .filter(|n| crate::runtime::dataset::rows::why_no_row(&transcript(*n), &context).is_none())
        .count();
    assert_eq!(total["sft"], kept as u64);
    // A chain without a revision has no pair, and is nothing that was dropped.
    let revised = (0..120_usize).filter(|n| !n.is_multiple_of(13)).count() as u64;
    assert_eq!(total["preference"] + dropped(Config::Preference), revised);
    assert_eq!(total["kto"], 2 * total["preference"]);
    for (config, rows_of_config) in &report.totals() {
        let written = rows(&out, config);
        assert_eq!(written.len() as u64, *rows_of_config, "{config}");
        let ids: HashSet<&str> = written.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), written.len(), "{config}: an id repeats");
        assert!(written.iter().all(|row| row["simulated"] == true), "{config}");
    }
    assert!(std::fs::read_to_string(out.join("README.md")).unwrap().contains("Simulated data"));
}

#[test]
fn a_label_says_where_it_comes_from() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("d");
    run(60, &all_configs(), &out);
    for row in rows(&out, "preference") {
        let p = row["p_chosen"].as_f64().unwrap();
        let margin = row["score_chosen"].as_f64().unwrap() - row["score_rejected"].as_f64().unwrap();
        assert!((margin - (p / (1.0 - p)).ln()).abs() < 1e-9);
        match row["label_source"].as_str().unwrap() {
            // 1 - 0.2 from the judge; (votes + 1) / (votes + 2) from one or two objections, 3/5 from two against one.
            "logprobs" => {
                assert!((p - 0.8).abs() < 1e-9 && (row["p_chosen_raw"].as_f64().unwrap() - 0.8).abs() < 1e-9);
            }
            "verdicts" => {
                assert!([2.0 / 3.0, 0.75, 0.6].iter().any(|want| (p - want).abs() < 1e-9), "{p}");
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn undecided_and_unresolved_make_no_row() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("d");
    let report = run(120, &all_configs(), &out);
    assert!(report.drops[&(Config::Preference, Reason::Undecided)] > 0);
    assert!(report.drops[&(Config::Sft, Reason::Undecided)] > 0);
    assert!(report.drops[&(Config::Sft, Reason::Unresolved)] > 0);
    assert!(report.drops[&(Config::PreferenceFlat, Reason::MultiTurn)] > 0);
    let keep = Export { keep_unresolved: true, ..all_configs() };
    assert!(!run(120, &keep, &out).drops.contains_key(&(Config::Sft, Reason::Unresolved)));
}

#[test]
fn soft_labels_swap_or_repeat() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("d");
    let export_with = |labels| Export { soft_labels: labels, pairs: Pairs::All, ..all_configs() };
    let hard = run(120, &export_with(SoftLabels::Hard), &out).totals()[1].1;
    assert_eq!(run(120, &export_with(SoftLabels::Expand(4)), &out).totals()[1].1, 4 * hard);
    run(120, &export_with(SoftLabels::Sample), &out);
    let swapped =
        rows(&out, "preference").iter().filter(|row| row["p_chosen"].as_f64().unwrap() < 0.5).count();
    assert!(swapped > 10 && (swapped as u64) < hard / 2, "{swapped} of {hard}");
}

#[test]
fn a_folder_that_is_no_dataset_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("thesis.txt"), "precious").unwrap();
    let mut source = || Ok(Box::new(std::iter::empty()) as Transcripts<'static>);
    let outcome = export(&mut source, &meta(), &Export::default(), &Gates::default(), dir.path());
    assert!(matches!(outcome, Err(ExportError::Occupied(_))));
    assert!(dir.path().join("thesis.txt").exists());
}

#[test]
fn of_two_exports_into_one_folder_the_second_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("d");
    let lock = dir.path().join(".d.lock");
    let other = std::fs::File::create(&lock).unwrap();
    other.lock().unwrap();
    let mut source = || Ok(Box::new((0..9).map(|n| Ok(transcript(n)))) as Transcripts<'static>);
    let outcome = export(&mut source, &meta(), &all_configs(), &Gates::default(), &out);
    assert!(matches!(outcome, Err(ExportError::Busy(_))), "{outcome:?}");
    assert!(!out.exists());
    drop(other);
    export(&mut source, &meta(), &all_configs(), &Gates::default(), &out).unwrap();
    assert!(!lock.exists(), "the lock goes with the export");
}

#[test]
fn a_failed_export_leaves_the_dataset_that_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("d");
    run(30, &all_configs(), &out);
    let before = verify(&out);
    let mut source = || {
        Ok(Box::new((0..9).map(|n| if n < 8 { Ok(transcript(n)) } else { Err("disk".to_owned()) }))
            as Transcripts<'static>)
    };
    assert!(export(&mut source, &meta(), &all_configs(), &Gates::default(), &out).is_err());
    assert_eq!(verify(&out), before);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn shards_are_numbered() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("d");
    let settings = Export { shard_bytes: 1, configs: vec!["transcripts".into()], ..Export::default() };
    run(12, &settings, &out);
    let names = |split: &str| {
        let files = std::fs::read_dir(out.join("transcripts")).unwrap().flatten();
        let mut names: Vec<String> = files.map(|f| f.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| name.starts_with(split));
        names.sort();
        names
    };
    let train = names("train");
    let want: Vec<String> =
        (0..train.len()).map(|at| format!("train-{at:05}-of-{:05}.parquet", train.len())).collect();
    assert!(train.len() > 1);
    assert_eq!(train, want);
    assert!(verify(&out).findings.is_empty());
}

#[test]
fn texts_of_the_sample_pass_the_gates() {
    let t = transcript(1);
    assert_eq!(
        crate::pure::gates::check_pair(&t.responses[1].text, &t.responses[0].text, &Gates::default()),
        Gate::Pass
    );
}

/// `cargo test --lib big_export -- --ignored --nocapture`: rows, seconds, and peak memory of a large export.
#[test]
#[ignore = "a measurement: minutes in a debug build"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn big_export() {
    let dir = tempfile::tempdir().unwrap();
    let count = std::env::var("AMEND_ROWS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let begun = std::time::Instant::now();
    let report = run(count, &Export::default(), &dir.path().join("d"));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or("").to_owned();
    println!("{:?} in {:.1?}; {peak}; {} bytes", report.totals(), begun.elapsed(), report.bytes);
}

/// Writes a dataset for the trainers' own check into the folder that `AMEND_SAMPLE_OUT` names.
#[test]
#[ignore = "needs AMEND_SAMPLE_OUT: writes a dataset for a check outside of this suite"]
#[expect(clippy::disallowed_methods, reason = "the target comes from outside")]
fn sample_for_trainers() {
    let out = std::env::var("AMEND_SAMPLE_OUT").expect("AMEND_SAMPLE_OUT, the folder to write to");
    println!("{:?}", run(800, &all_configs(), Path::new(&out)));
}

#[test]
fn a_reworded_prompt_is_of_the_same_family() {
    let dir = tempfile::tempdir().unwrap();
    let ask = |name: &str, n: usize| {
        let mut t = transcript(n);
        t.prompt = Prompt::single(format!(
            "I run a small bakery by the harbour, and every morning before dawn I have to decide how much bread to bake \
             for the day without wasting flour; what would you tell {name} to do?"
        ));
        t
    };
    let out = dir.path().join("d");
    let mut source = || {
        Ok(Box::new([ask("Ann", 1), ask("Bob", 2), transcript(4)].into_iter().map(Ok))
            as Transcripts<'static>)
    };
    let report = export(&mut source, &meta(), &Export::default(), &Gates::default(), &out).unwrap();
    assert_eq!(report.families, 2);
    let exact = Export { family_similarity: 1.0, ..Export::default() };
    assert_eq!(export(&mut source, &meta(), &exact, &Gates::default(), &out).unwrap().families, 3);
}

#[test]
fn requests_for_a_batch_are_made_of_the_prompts_and_never_of_the_test_split() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("d");
    run(120, &all_configs(), &out);
    assert!(!out.join("openai/batch_prompts.jsonl").exists());
    let asked = Export { batch_model: Some("some-model".into()), ..all_configs() };
    run(120, &asked, &out);
    let lines = std::fs::read_to_string(out.join("openai/batch_prompts.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let prompts = rows(&out, "prompts");
    let kept: Vec<_> = prompts.iter().filter(|row| row["extra_info"]["split"] != "test").collect();
    assert!(kept.len() < prompts.len() && kept.len() == lines.len());
    for row in kept {
        let line = lines.iter().find(|line| line["custom_id"] == row["id"]).unwrap();
        assert_eq!((&line["method"], &line["url"]), (&"POST".into(), &"/v1/chat/completions".into()));
        assert_eq!(line["body"]["messages"], row["prompt"]);
        assert_eq!(
            (&line["body"]["model"], line["body"].as_object().unwrap().len()),
            (&"some-model".into(), 2)
        );
    }
    assert!(verify(&out).findings.is_empty());

    let alone = Export { batch_model: Some("some-model".into()), ..Export::default() };
    let mut source = || Ok(Box::new(std::iter::empty()) as Transcripts<'static>);
    let outcome = export(&mut source, &meta(), &alone, &Gates::default(), &dir.path().join("e"));
    assert!(matches!(outcome, Err(ExportError::Setting(_))), "{outcome:?}");
}

#[test]
fn copies_of_a_soft_label_average_to_it_and_stay_in_one_split() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("d");
    for copies in [3, 7] {
        let soft = Export { soft_labels: SoftLabels::Expand(copies), ..all_configs() };
        run(120, &soft, &out);
        // Of each prompt: how often the better response is the chosen one, and how surely it is better.
        let mut pairs: HashMap<String, (u32, u32, f64)> = HashMap::new();
        let mut splits: HashMap<String, HashSet<&str>> = HashMap::new();
        for split in SPLITS {
            let text = std::fs::read_to_string(out.join(format!("jsonl/preference_{split}.jsonl"))).unwrap();
            for line in text.lines() {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                let id = row["prompt_id"].as_str().unwrap().to_owned();
                let p = row["p_chosen"].as_f64().unwrap();
                let (right, all, sure) = pairs.entry(id.clone()).or_default();
                *right += u32::from(p > 0.5);
                *all += 1;
                *sure = p.max(1.0 - p);
                splits.entry(id).or_default().insert(split);
            }
        }
        assert!(pairs.len() > 50 && splits.values().all(|splits| splits.len() == 1));
        for (right, all, sure) in pairs.into_values() {
            assert_eq!(all, copies);
            assert!((f64::from(right) / f64::from(all) - sure).abs() <= 0.5 / f64::from(copies) + 1e-9);
        }
    }
}

#[test]
fn a_dataset_that_grows_keeps_the_splits_of_the_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let homes = |out: &Path, config: &str| -> HashMap<String, String> {
        let of_split = |split: &&str| {
            let text = std::fs::read_to_string(out.join(format!("jsonl/{config}_{split}.jsonl")))
                .unwrap_or_default();
            let rows = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            rows.map(|row| (row["prompt_id"].as_str().unwrap().to_owned(), (*split).to_owned()))
                .collect::<Vec<_>>()
        };
        SPLITS.iter().flat_map(of_split).collect()
    };
    // The default configs, without `prompts`, and all of them.
    for (at, settings) in [Export::default(), all_configs()].into_iter().enumerate() {
        let (small, grown) = (dir.path().join(format!("s{at}")), dir.path().join(format!("g{at}")));
        let source = |count: usize| {
            let mut source = || Ok(Box::new((0..count).map(|n| Ok(transcript(n)))) as Transcripts<'static>);
            let meta = DatasetMeta { older: (count > 30).then(|| older(&small).unwrap()), ..meta() };
            let out = if count > 30 { &grown } else { &small };
            export(&mut source, &meta, &settings, &Gates::default(), out).unwrap()
        };
        source(30);
        source(400);
        let (before, after) = (homes(&small, "transcripts"), homes(&grown, "transcripts"));
        assert_eq!((before.len(), after.len()), (30, 400));
        assert!(before.iter().all(|(id, split)| after[id] == *split));
        let manifest = std::fs::read_to_string(grown.join("manifest.json")).unwrap();
        let named = crate::pure::digest::sha256_hex(&std::fs::read(small.join("manifest.json")).unwrap());
        assert!(manifest.contains(&named) && verify(&grown).findings.is_empty());
    }
    assert!(older(dir.path()).is_err());
}
