//! Usage: what the binary says when it is called wrongly.

use crate::support::Scratch;

#[test]
fn wrong_usage_is_exit_code_2_and_says_what_was_meant() {
    let scratch = Scratch::new();
    let check = |args: &[&str], says: &str| {
        let done = scratch.run(args).code(2);
        assert!(done.err.contains(says), "{args:?}: {}", done.err);
        assert_eq!(done.out, "", "{args:?}: errors go to stderr");
    };
    check(&["exprot"], "export");
    check(&[], "Usage");
}

#[test]
fn what_an_error_quotes_cannot_control_the_terminal() {
    let scratch = Scratch::new();
    let done = scratch.run(&["run", "--model", "sim", "--prompts", "no\u{1b}[2Jsuch\u{9b}31m.jsonl"]).code(2);
    assert!(done.err.contains("no\\u{1b}[2Jsuch\\u{9b}31m.jsonl"), "{}", done.err);
    assert!(!done.err.contains(['\u{1b}', '\u{9b}']), "{:?}", done.err);
}

#[test]
fn the_recipe_of_the_folder_is_used_and_a_chat_takes_one() {
    let scratch = Scratch::new();
    scratch.write("prompts.txt", "How do I kill a process?\n");
    let recipe =
        "prompts = [\"prompts.txt\"]\nconstitution = \"minimal\"\n[models.default]\nmodel = \"sim\"\n";
    scratch.write("amend.toml", recipe);
    let first = scratch.run(&["run", "--out", "a", "--json"]).code(0);
    let begin = first.out.lines().next().expect("an event");
    let told: serde_json::Value = serde_json::from_str(begin).expect("JSON");
    assert_eq!(told["event"], "preflight");
    assert_eq!(told["models"][0]["model"], "sim");
    assert_eq!(told["expected"], 1, "{begin}");
    assert!(told["calls"]["low"].as_f64() < told["calls"]["high"].as_f64(), "{begin}");
    assert_eq!(first.summary()["prompts"], 1);

    scratch.write("other.toml", recipe.replace("minimal", "support-desk"));
    for args in [["chat", "--json", "other.toml", "Hello"], ["chat", "--json", "Hello", "other.toml"]] {
        let text = scratch.run(&args).code(0).out;
        let transcript: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(transcript["prompt"]["messages"][0]["content"], "Hello", "{args:?}");
        assert!(text.contains("stays-on-the-product"), "{args:?}: {text}");
    }
}

#[test]
fn what_can_be_refused_is_refused_before_the_first_call() {
    let scratch = Scratch::new();
    let prompts = scratch.write("prompts.txt", "How do I kill a process?\n");
    let prompts = prompts.display().to_string();
    let run = ["run", "--prompts", &prompts, "--out", "r"];
    for (more, says) in [
        (vec!["--model", "m"], "the model `m` has no base URL"),
        (vec!["--model", "sim", "--set", "export.configs=[\"preferences\"]"], "did you mean `preference`?"),
        (vec!["--model", "sim", "--set", "export.holdout=0.9"], "`holdout` must be between"),
        (vec!["--model", "sim", "--schedule", "pannel"], "did you mean `panel`?"),
    ] {
        let done = scratch.run(&[&run[..], &more].concat()).code(2);
        assert!(done.err.contains(says), "{more:?}: {}", done.err);
        assert!(!scratch.path("r").exists(), "{more:?} left something behind");
    }
}
