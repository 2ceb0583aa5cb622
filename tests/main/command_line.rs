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
