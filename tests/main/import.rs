//! `amend import`: other people's principles become a constitution that `amend` accepts.

use crate::support::Scratch;

#[test]
fn a_list_of_principles_becomes_a_constitution_file() {
    let scratch = Scratch::new();
    scratch.write("rules.txt", "# Tone\n- The response is kind.\n- The response is brief.\n");
    let done = scratch.run(&["import", "rules.txt", "--out", "c.toml"]).code(0);
    assert_eq!(done.out, "");
    insta::assert_snapshot!(done.err, @r"
    wrote c.toml: 2 principles and 0 examples, from plain text, one principle per line
    next: amend check c.toml
    ");
    insta::assert_snapshot!(std::fs::read_to_string(scratch.path("c.toml")).expect("written"), @r#"
    [constitution]
    id = "rules"
    version = "0.1.0"
    description = "Imported from rules.txt (plain text, one principle per line)."

    # Tone
    [[principle]]
    id = "kind"
    text = "The response is kind."

    [[principle]]
    id = "brief"
    text = "The response is brief."
    "#);
    // It compares equal to itself: the reader accepts it.
    scratch.run(&["diff", "c.toml", "c.toml"]).code(0);
    // The same source gives the same file, on standard output too.
    let again = scratch.run(&["import", "rules.txt"]).code(0);
    assert_eq!(again.out, std::fs::read_to_string(scratch.path("c.toml")).expect("written"));
    let refused = scratch.run(&["import", "rules.txt", "--out", "c.toml"]).code(2);
    assert!(refused.err.contains("--force"), "{}", refused.err);
    let done = scratch.run(&["import", "rules.txt", "--out", "c.toml", "--force", "--json"]).code(0);
    assert_eq!(done.summary()["principles"], 2);
}

#[test]
fn what_cannot_be_imported_is_an_error_of_usage() {
    let scratch = Scratch::new();
    scratch.write("broken.json", "{\"a\": ");
    for args in [["import", "broken.json"], ["import", "absent.json"]] {
        let done = scratch.run(&args).code(2);
        assert!(done.err.starts_with("error: cannot "), "{}", done.err);
    }
}
