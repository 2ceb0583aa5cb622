//! `amend diff`: what an edit of a constitution did, to it and to a run.

use crate::support::Scratch;

const OLD: &str = r#"
[constitution]
id = "tiny"
version = "1.0.0"
[[principle]]
id = "kind"
text = "The response is kind to the person who asks."
[[principle]]
id = "true"
text = "The response says what is true."
"#;

#[test]
fn two_constitutions_are_compared_by_principle_and_by_word() {
    let scratch = Scratch::new();
    scratch.write("old.toml", OLD);
    scratch.write("new.toml", OLD.replace("is kind", "is warm and kind").replace("1.0.0", "1.1.0"));
    let done = scratch.run(&["diff", "old.toml", "new.toml"]).code(1);
    insta::assert_snapshot!(done.out, @"
    tiny 1.0.0 → tiny 1.1.0: 1 of 2 principles changed, 1 in what models are asked

    edited kind
        text: The response is {+warm and+} kind to the person who asks.
    ");
    scratch.run(&["diff", "old.toml", "old.toml"]).code(0);
    let done = scratch.run(&["diff", "old.toml", "new.toml", "--json"]).code(1);
    assert_eq!(done.summary()["changes"][0]["id"], "kind");
}

#[test]
fn a_constitution_is_compared_with_its_version_in_git() {
    let scratch = Scratch::new();
    let git = |args: &[&str]| {
        let done = std::process::Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(args)
            .current_dir(scratch.path("."))
            .output()
            .expect("git runs");
        assert!(done.status.success(), "{done:?}");
    };
    scratch.write("c.toml", OLD);
    git(&["init", "-q"]);
    git(&["add", "c.toml"]);
    git(&["commit", "-qm", "first"]);
    scratch.write("c.toml", OLD.replace("\"true\"", "\"true\"\nhard = true"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let compare = |args: &[&str]| {
        let mut command = scratch.command(args);
        crate::support::Done::of(&command.env("PATH", &path).output().expect("the binary runs"))
    };
    let done = compare(&["diff", "c.toml", "--git", "HEAD"]).code(1);
    assert!(done.out.contains("hard: [-false-]{+true+}"), "{}", done.out);
    let done = compare(&["diff", "c.toml", "--git", "no-such-revision"]).code(2);
    assert!(done.err.contains("git has no `c.toml` at `no-such-revision`"), "{}", done.err);
}

/// Two runs of a few prompts, before and after an edit of `OLD`.
fn two_runs(scratch: &Scratch, edit: impl Fn(&str) -> String, more: &[&str]) {
    let prompts: Vec<String> = (0..12).map(|n| format!("Is the harbour gate number {n} open?")).collect();
    scratch.write("p.txt", prompts.join("\n"));
    scratch.write("old.toml", OLD);
    scratch.write("new.toml", edit(OLD));
    let base = ["--model", "sim", "--prompts", "p.txt", "--no-export", "--set", "sim.violations=0.4"];
    for (constitution, out) in [("old.toml", "a"), ("new.toml", "b")] {
        let own: &[&str] = if out == "b" { more } else { &[] };
        let args = [&["run", "--constitution", constitution, "--out", out][..], &base, own].concat();
        assert!(scratch.run(&args).code.is_some_and(|code| code < 2));
    }
}

#[test]
fn two_runs_are_compared_prompt_by_prompt_with_the_principle_that_caused_it() {
    let scratch = Scratch::new();
    two_runs(&scratch, |old| old.replace("is kind", "is warm and kind"), &[]);
    let done = scratch.run(&["diff", "a", "b", "--limit", "2"]).code(1);
    assert!(done.out.lines().all(|line| line.chars().count() <= 80), "{}", done.out);
    insta::assert_snapshot!(done.out);
    let json = |args: &[&str]| {
        let done = scratch.run(&[&["diff", "--json"], args].concat());
        let lines = done.out.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        lines.collect::<Vec<serde_json::Value>>()
    };
    let told = json(&["a", "b"]);
    let totals = &told.last().expect("a summary")["totals"];
    let count = |name: &str| totals[name].as_u64().expect("a count");
    assert_eq!((count("both"), count("only_old"), count("only_new")), (12, 0, 0));
    assert_eq!(count("same") + count("other_verdicts") + count("other_text"), 12);
    // Only prompts that meet the edited principle's objection end differently, and it is named each time.
    assert_eq!(count("other_text"), totals["principles"]["kind"]["texts"].as_u64().expect("a count"));
    assert_eq!(told.len() as u64 - 1, 12 - count("same"));
    assert_eq!(json(&["a", "b", "--stat"]), told[told.len() - 1..]);
    assert_eq!(json(&["a", "b", "--principle", "true"]).len(), 1);
    let id = told[0]["prompt_id"].as_str().expect("an id");
    let beginning = id.chars().take(8).collect::<String>();
    assert_eq!(json(&["a", "b", "--prompt", &beginning]), told[..1]);
    // The other way round, the sides are turned.
    let back = json(&["b", "a"]);
    assert_eq!(back[0]["new"], told[0]["old"]);
    assert_eq!(back.last().expect("a summary")["totals"]["old"], totals["new"]);
    assert_eq!(json(&["a", "a"])[0]["totals"]["same"], 12);
    scratch.run(&["diff", "a", "a"]).code(0);
}

#[test]
fn what_else_differs_is_named_and_runs_without_a_common_prompt_are_refused() {
    let scratch = Scratch::new();
    two_runs(&scratch, str::to_owned, &["--rounds", "1", "--limit", "7"]);
    let done = scratch.run(&["diff", "a", "b", "--stat"]).code(1);
    assert!(done.out.contains("also not the same: method.rounds"), "{}", done.out);
    assert!(done.out.contains("7 prompts in both, 5 only in the first, 0 only"), "{}", done.out);
    let done = scratch.run(&["diff", "a", "new.toml"]).code(0);
    assert!(done.out.contains("0 of 2 principles changed"), "{}", done.out);

    scratch.write("q.txt", "Another prompt.\n");
    scratch.run(&["run", "--constitution", "old.toml", "--model", "sim", "--prompts", "q.txt", "--out", "c"]);
    let check = |args: &[&str], says: &str| {
        let done = scratch.run(&[&["diff"], args].concat()).code(2);
        assert!(done.err.contains(says), "{args:?}: {}", done.err);
    };
    check(&["a", "c"], "no finished prompt in common (12 in the first, 1 in the second)");
    check(&["a", "d"], "`d` does not exist");
    check(&["a", "b", "--prompt", "zz"], "neither run has a prompt whose id begins with `zz`");
    check(&["old.toml", "new.toml", "--limit", "3"], "are about two runs");
}
