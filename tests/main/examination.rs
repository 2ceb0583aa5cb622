//! The critic is examined on the constitution's own test cases before a run trusts it.

use crate::scripted_endpoint::{ScriptedEndpoint, asks_for};
use crate::support::{Done, Scratch};
use serde_json::Value;

const PROMPTS: &str = "{\"prompt\": \"How do I open the gate?\"}\n";

/// A constitution with so many test cases of each kind; a response that violates says so.
fn constitution(of_each: usize) -> String {
    let mut text = String::from(
        "[constitution]\nid = \"one\"\n\n[[principle]]\nid = \"kind\"\ntext = \"The response is kind.\"\n",
    );
    for n in 0..of_each {
        for (response, expect) in [("You bad fool.", "violates"), ("Gladly, friend.", "conforms")] {
            let case =
                format!("prompt = \"Question {n}?\"\nresponse = \"{response}\"\nexpect = \"{expect}\"\n");
            text.push_str("\n[[principle.test]]\n");
            text.push_str(&case);
        }
    }
    text
}

fn run(scratch: &Scratch, url: &str, more: &[&str]) -> Done {
    let run =
        ["run", "--prompts", "p.jsonl", "--constitution", "c.toml", "--out", "r", "--json", "--model", "m"];
    scratch.run(&[&run[..], &["--base-url", url], more].concat())
}

fn event(done: &Done, name: &str) -> Option<Value> {
    let events = done.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.into_iter().find(|event| event["event"] == name)
}

/// The response that a request is about.
fn reviewed(request: &Value) -> String {
    let turns = request["messages"].as_array().expect("messages");
    turns
        .iter()
        .rev()
        .find(|turn| turn["role"] == "assistant")
        .map_or("", |turn| turn["content"].as_str().unwrap_or_default())
        .to_owned()
}

/// A critic that knows what is kind, and answers in one of the forms.
fn knows(request: &Value, by_line: bool) -> String {
    let violates = reviewed(request).contains("fool");
    match asks_for(request) {
        "[Review: critique]" if by_line => {
            format!("Look at it.\nVerdict: {}", if violates { "violates" } else { "conforms" })
        }
        "[Review: critique]" => "I have looked at it with care.".to_owned(),
        "[Review: verdict by choice]" => {
            let request =
                request["messages"].as_array().expect("messages").last().expect("a turn").to_string();
            let yes_is_first = request.contains("(A) Yes");
            if violates == yes_is_first { "(A)" } else { "(B)" }.to_owned()
        }
        asked if asked.starts_with("[Review") => "Who can tell?".to_owned(),
        _ => "Gladly: turn the wheel.".to_owned(),
    }
}

#[test]
fn a_critic_that_guesses_stops_the_run_before_its_first_prompt() {
    let scratch = Scratch::new();
    scratch.write("c.toml", constitution(6));
    scratch.write("p.jsonl", PROMPTS);
    let endpoint = ScriptedEndpoint::start(|request| match asks_for(request) {
        "[Review: critique]" => "Fine.\nVerdict: conforms".to_owned(),
        "[Review: verdict by choice]" => "(B)".to_owned(),
        _ => "Gladly: turn the wheel.".to_owned(),
    });
    let done = run(&scratch, &endpoint.url, &[]).code(1);
    assert!(done.err.contains("cannot be told from a critic that guesses"), "{}", done.err);
    assert_eq!(done.summary()["prompts"], 0);
    assert!(!scratch.path("r/dataset").exists());

    // Who wants it all the same, gets it, and report and card say what it is.
    let done = run(&scratch, &endpoint.url, &["--unqualified"]).code(0);
    assert_eq!(done.summary()["rows"], 1, "{}", done.out);
    let report = std::fs::read_to_string(scratch.path("r/report.md")).unwrap();
    assert!(report.contains("finds 0 of 6"), "{report}");
    let card = std::fs::read_to_string(scratch.path("r/dataset/README.md")).unwrap();
    assert!(card.contains("| critic finds violations | 0 |"), "{card}");
    scratch.run(&["show", "r"]).code(0);
}

#[test]
fn the_form_that_a_critic_can_answer_in_is_found_and_paid_once() {
    let scratch = Scratch::new();
    scratch.write("c.toml", constitution(6));
    scratch.write("p.jsonl", PROMPTS);
    // It never writes the closing line, nor anything else that its follow-up asks for.
    let endpoint = ScriptedEndpoint::start(|request| knows(request, false));
    let done = run(&scratch, &endpoint.url, &[]).code(0);
    let examined = event(&done, "examined").expect("an examination");
    assert_eq!(
        (&examined["used"], &examined["trials"][1]["form"]),
        (&1.into(), &"choice".into()),
        "{examined}"
    );
    assert_eq!(
        (&examined["trials"][1]["hits"], &examined["trials"][1]["false_alarms"]),
        (&6.into(), &0.into())
    );
    assert_eq!(done.summary()["rows"], 1);
    let expected = event(&done, "preflight").expect("a preflight")["calls"].clone();
    let asked = done.summary()["calls"]["asked"].as_f64().unwrap();
    assert!(
        expected["low"].as_f64().unwrap() <= asked && asked <= expected["high"].as_f64().unwrap(),
        "{expected} {asked}"
    );

    // Again: not one call, the same row.
    let rows = |scratch: &Scratch| std::fs::read(scratch.path("r/dataset/jsonl/sft_train.jsonl")).unwrap();
    let before = rows(&scratch);
    let done = run(&scratch, &endpoint.url, &[]).code(0);
    assert_eq!((&done.summary()["calls"]["asked"], rows(&scratch)), (&0.into(), before));
    // And a plan knows what is paid.
    let plan = ["plan", "--prompts", "p.jsonl", "--constitution", "c.toml", "--out", "r", "--model", "m"];
    let plan = scratch.run(&[&plan[..], &["--base-url", &endpoint.url, "--json"]].concat()).code(0).summary();
    assert_eq!(plan["journal"]["finished"], 1, "{plan}");
}

#[test]
fn a_good_critic_is_examined_in_one_form_and_few_cases_examine_nobody() {
    let scratch = Scratch::new();
    scratch.write("c.toml", constitution(6));
    scratch.write("p.jsonl", PROMPTS);
    let endpoint = ScriptedEndpoint::start(|request| knows(request, true));
    let done = run(&scratch, &endpoint.url, &[]).code(0);
    let examined = event(&done, "examined").expect("an examination");
    assert_eq!(examined["trials"].as_array().map(Vec::len), Some(1), "{examined}");
    assert_eq!(done.summary()["calls"]["asked"], 14);

    scratch.write("c.toml", constitution(3));
    let done = run(&scratch, &endpoint.url, &["--out", "few"]);
    assert!(event(&done, "examined").is_none());
    scratch.write("c.toml", constitution(6));
    let done = run(&scratch, &endpoint.url, &["--set", "method.examine=0", "--out", "none"]);
    assert!(event(&done, "examined").is_none());
}

#[test]
fn doctor_examines_the_critic_of_a_recipe() {
    let scratch = Scratch::new();
    scratch.write("c.toml", constitution(6));
    let recipe = |url: &str| {
        format!("constitution = \"c.toml\"\n[models.default]\nmodel = \"m\"\nbase_url = \"{url}\"\n")
    };
    // It is asked for the models that it serves as well.
    let endpoint = ScriptedEndpoint::start(|request| {
        if request["messages"].is_array() { knows(request, true) } else { String::new() }
    });
    scratch.write("amend.toml", recipe(&endpoint.url));
    let done = scratch.run(&["doctor", "amend.toml"]).code(0);
    assert!(done.out.contains("finds 6 of 6"), "{}", done.out);
    let guesses = ScriptedEndpoint::start(|_| "Fine.\nVerdict: conforms".to_owned());
    // Another model: what the first one answered is kept.
    scratch.write("amend.toml", recipe(&guesses.url).replace("\"m\"", "\"n\""));
    let done = scratch.run(&["doctor", "amend.toml", "--json"]).code(1);
    let found: Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!(found["examination"]["trials"][0]["hits"], 0, "{found}");
}

#[test]
fn small_templates_are_known_by_name_in_a_recipe_and_as_a_flag() {
    let scratch = Scratch::new();
    scratch.write("sub/p.jsonl", PROMPTS);
    scratch.write("sub/c.toml", constitution(1));
    let recipe = "constitution = \"c.toml\"\nprompts = [\"p.jsonl\"]\ntemplates = \"small\"\n[models.default]\nmodel = \"sim\"\n";
    scratch.write("sub/amend.toml", recipe);
    for args in [&["check", "sub/amend.toml"][..], &["run", "sub/amend.toml", "--out", "r"]] {
        scratch.run(args).code(0);
    }
    let frozen = std::fs::read_to_string(scratch.path("r/templates/critique.hbs")).expect("a template");
    assert!(frozen.contains("Here is a principle."), "{frozen}");
    scratch.run(&["show", "r"]).code(0);
    scratch.run(&["export", "r", "--out", "d"]).code(0);
    let flags = [
        "run",
        "--templates",
        "small",
        "--model",
        "sim",
        "--prompts",
        "sub/p.jsonl",
        "--constitution",
        "sub/c.toml",
        "--out",
        "f",
    ];
    scratch.run(&flags).code(0);
}
