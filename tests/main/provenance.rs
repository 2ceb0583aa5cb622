//! Where a row comes from: the model that answered, and the row of the user's own file.

use crate::scripted_endpoint::ScriptedEndpoint;
use crate::support::Scratch;
use serde_json::Value;

const PROMPTS: &str = "{\"id\": \"ticket-1\", \"source\": \"desk\", \"team\": 7, \"prompt\": \"How does bread rise?\"}\n\
                       {\"id\": \"ticket-2\", \"source\": \"desk\", \"team\": 9, \"prompt\": \"Why is the sky blue?\"}\n";

fn answers(_: &Value) -> String {
    "Yeast makes gas, and the gas lifts the dough.\n\nVerdict: conforms".to_owned()
}

/// The rows of a config, from the JSON Lines of a dataset.
fn rows(scratch: &Scratch, config: &str) -> Vec<Value> {
    let folder = scratch.path("r/dataset/jsonl");
    let files = std::fs::read_dir(folder).expect("a dataset").flatten();
    let of_config =
        files.filter(|file| file.file_name().to_string_lossy().starts_with(&format!("{config}_")));
    let texts = of_config.map(|file| std::fs::read_to_string(file.path()).expect("rows"));
    texts
        .flat_map(|text| {
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<_>>()
        })
        .collect()
}

fn run(scratch: &Scratch, endpoint: &ScriptedEndpoint, more: &[&str]) -> Vec<String> {
    scratch.write("p.jsonl", PROMPTS);
    let run =
        ["run", "--prompts", "p.jsonl", "--constitution", "minimal", "--out", "r", "--model", "big-70b"];
    [&run[..], &["--base-url", &endpoint.url], more].concat().into_iter().map(str::to_owned).collect()
}

#[test]
fn another_model_that_answers_is_told_everywhere_and_refused_on_demand() {
    let scratch = Scratch::new();
    let endpoint = ScriptedEndpoint::start_as(Some("tiny-1b-q4"), answers);
    let args = run(&scratch, &endpoint, &[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = scratch.run(&args).code(0);
    assert_eq!(done.err.matches("`big-70b` was asked and `tiny-1b-q4` answered").count(), 2, "{}", done.err);
    for file in ["r/report.md", "r/report.json", "r/dataset/README.md"] {
        let text = std::fs::read_to_string(scratch.path(file)).expect(file);
        assert!(text.contains("tiny-1b-q4"), "{file}: {text}");
    }
    let sft = rows(&scratch, "sft");
    assert!(!sft.is_empty() && sft.iter().all(|row| row["model"] == "tiny-1b-q4"), "{sft:?}");

    let refused = Scratch::new();
    let args = run(&refused, &endpoint, &["--set", "limits.refuse_other_models=true"]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = refused.run(&args).code(3);
    assert!(done.err.contains("asks `big-70b` and `tiny-1b-q4` answers"), "{}", done.err);
}

#[test]
fn a_prompt_that_the_server_cuts_is_told_everywhere_and_refused_on_demand() {
    let scratch = Scratch::new();
    let endpoint = ScriptedEndpoint::start_counting(64, answers);
    let told = "generator: `big-70b` counted 64 tokens of a prompt that has at least ";
    let args_in = |scratch: &Scratch, more: &[&str]| {
        let args = run(scratch, &endpoint, more);
        let prompt = "why ".repeat(400);
        scratch.write("p.jsonl", format!("{{\"prompt\": \"How does bread rise, {}?\"}}\n", prompt.trim()));
        args
    };
    let args = args_in(&scratch, &[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = scratch.run(&args).code(0);
    assert!(done.err.contains(told), "{}", done.err);
    for file in ["r/report.md", "r/report.json", "r/dataset/README.md"] {
        let text = std::fs::read_to_string(scratch.path(file)).expect(file);
        assert!(text.contains("counted 64 tokens") || text.contains("\"counted\": 64"), "{file}: {text}");
    }
    let refused = Scratch::new();
    let args = args_in(&refused, &["--set", "limits.refuse_cut_prompts=true"]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = refused.run(&args).code(3);
    assert!(done.err.contains(told) && done.err.contains("a longer context"), "{}", done.err);
}

#[test]
fn columns_of_the_users_own_are_found_again_in_every_row() {
    let scratch = Scratch::new();
    let endpoint = ScriptedEndpoint::start(answers);
    let args = run(&scratch, &endpoint, &[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    scratch.run(&args).code(0);
    for config in ["sft", "transcripts"] {
        let mut kept: Vec<String> =
            rows(&scratch, config).iter().map(|row| row["kept"].as_str().expect("kept").to_owned()).collect();
        kept.sort();
        kept.dedup();
        let expected = [1, 2].map(|n| format!("{{\"id\":\"ticket-{n}\",\"source\":\"desk\"}}"));
        assert_eq!(kept, expected, "{config}");
    }
    let shown = scratch.run(&["show", "r", "--prompts", "--json"]).code(0).out;
    assert!(shown.contains("p.jsonl:1") && shown.contains("p.jsonl:2"), "{shown}");

    // Other columns on demand: nothing is asked again for them.
    let more = [&args[..], &["--json", "--set", "input.keep=[\"team\"]"]].concat();
    let summary = scratch.run(&more).code(0).summary();
    assert_eq!(summary["calls"]["asked"], 0, "{summary}");
    let kept = rows(&scratch, "sft").iter().map(|row| row["kept"].clone()).collect::<Vec<_>>();
    assert!(kept.contains(&"{\"team\":7}".into()), "{kept:?}");

    let wrong = [&args[..], &["--set", "input.keep=[\"teem\"]"]].concat();
    let done = scratch.run(&wrong).code(2);
    assert!(done.err.contains("teem"), "{}", done.err);
}
