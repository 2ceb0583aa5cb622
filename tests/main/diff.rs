//! `amend diff`: what an edit of a constitution did.

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
