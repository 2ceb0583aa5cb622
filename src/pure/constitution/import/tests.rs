use super::*;
use crate::pure::constitution::Constitution;
use crate::pure::transcript::Verdict;
use proptest::prelude::*;

fn imported(source: &str) -> (Imported, Constitution) {
    let imported = import("dir/My principles.json", source, None).expect("imports");
    let file = SourceFile::new("c.toml", imported.toml.clone());
    let (constitution, _) = read(&file, &mut |_| Err(String::new())).expect("reads");
    assert_eq!(constitution.id, "my-principles");
    assert_eq!(constitution.principles.len(), imported.principles);
    (imported, constitution)
}

#[test]
fn the_papers_critiques() {
    let (done, c) = imported(
        r#"{"kind0": {"prompt": ["\n\nCritiqueRequest: Was it kind?\n\nCritique:"], "edit_request": "\n\nRevisionRequest: Make it kind.\n\nRevision:"},
            "kind1": {"prompt": ["One?", "Two?"], "edit_request": "Be kind.", "extra": 1}}"#,
    );
    let p = &c.principles[0];
    assert_eq!((p.id.as_str(), p.text.as_str()), ("kind0", "Make it kind."));
    assert_eq!((p.critique.as_deref(), p.revision.as_deref()), (Some("Was it kind?"), Some("Make it kind.")));
    assert_eq!(c.principles[1].critique.as_deref(), Some("One?\n\nTwo?"));
    let notes = done.notes.join("\n");
    for said in ["`kind1` has 2 critique requests", "`extra` of `kind1`", "reword it"] {
        assert!(notes.contains(said), "{said}: {notes}");
    }
}

#[test]
fn the_papers_comparisons() {
    let (done, c) = imported(
        r#"["\nPlease choose the response that is kinder. Options:", "\nWhich response is kinder? Options:"]"#,
    );
    assert_eq!(c.principles[0].compare.as_deref(), Some("Please choose the response that is kinder."));
    assert_eq!(c.principles.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["kinder", "kinder-2"]);
    assert_eq!(done.notes.len(), 1);
}

#[test]
fn the_papers_comparisons_by_name() {
    let (_, c) =
        imported(r#"{"kinder": "Which is kinder? Options:", "wise": ["Which is wiser?", "Who is wise?"]}"#);
    let told = c.principles.iter().map(|p| (p.id.as_str(), p.compare.as_deref())).collect::<Vec<_>>();
    let expected = [("kinder", "Which is kinder?"), ("wise", "Which is wiser?"), ("wise-2", "Who is wise?")];
    assert_eq!(told, expected.map(|(id, text)| (id, Some(text))));
}

#[test]
fn json_with_comments_keeps_them() {
    let (done, c) = imported(
        "// Agreed in March.\n[ // the list\n {\"critique_request\": \"Is it // kind?\", \"revision_request\": \"Be kind.\"}]",
    );
    assert_eq!(c.principles[0].critique.as_deref(), Some("Is it // kind?"));
    assert!(done.toml.contains("# Agreed in March.\n# the list\n[[principle]]"), "{}", done.toml);
}

#[test]
fn a_list_in_markdown() {
    let (done, c) = imported(
        "# Rules\n\nThese are ours.\n\n- Be kind to the person\n  who asks.\n- Be brief.\n\nMore to come:\n\n1. Be clear.\n",
    );
    let texts: Vec<_> = c.principles.iter().map(|p| p.text.as_str()).collect();
    assert_eq!(texts, ["Be kind to the person who asks.", "Be brief.", "Be clear."]);
    assert!(done.toml.contains("# Rules\n# These are ours.\n[[principle]]"), "{}", done.toml);
    assert!(done.toml.contains("# More to come:\n[[principle]]"), "{}", done.toml);
    assert_eq!(done.notes, ["2 lines outside the list stand as comments"]);
}

#[test]
fn few_shots_in_one_list_are_conversations_too() {
    let turns = ["Why?", "Because.", "Is it enough?", "It is short.", "Say more.", "Because of this."];
    let turn = |n: usize| {
        let (role, content) = (["user", "assistant"][n % 2], turns[n % 6]);
        serde_json::json!({ "role": role, "content": content })
    };
    let shots: Vec<_> = (0..12).map(turn).collect();
    let requests = serde_json::json!([{ "critic": "Is it enough?", "revision": "Say more." }]);
    let source = serde_json::json!({ "constitutions": requests, "system_chat": shots });
    let (done, _) = imported(&source.to_string());
    assert_eq!(done.examples, 2, "{:?}", done.notes);
}

#[test]
fn the_hugging_face_recipe_with_its_few_shots() {
    let turn = |role: &str, content: &str| serde_json::json!({ "role": role, "content": content });
    let shot = |before: &[&str], revision: &str, asks: &str| {
        let talk = ["Why?", "Because.", asks, "It is short.", "Say more.", revision];
        let turns = before.iter().chain(&talk).enumerate();
        turns.map(|(n, t)| turn(["user", "assistant"][n % 2], t)).collect::<Vec<_>>()
    };
    let source = serde_json::json!({
        "constitutions": [{ "critic": "Is it enough?", "revision": "Say more at length." }],
        "system_chat": [
            shot(&[], "Because of this.", "Is it enough?"),
            shot(&["Hello", "Hi"], "Because.", "Is it enough?"),
            shot(&[], "Because.", "Is it something else?"),
            ["broken"],
        ],
        "author": "someone",
    });
    let (done, c) = imported(&source.to_string());
    let [first, second] = c.principles[0].examples.as_slice() else { panic!("{c:?}") };
    assert_eq!((first.verdict, first.revision.as_deref()), (Verdict::Violates, Some("Because of this.")));
    assert_eq!((second.verdict, second.revision.as_deref()), (Verdict::Conforms, None));
    assert_eq!(second.prompt, "Human: Hello\n\nAssistant: Hi\n\nHuman: Why?");
    let notes = done.notes.join("\n");
    for said in [
        "conversation 3 is left out: no principle",
        "conversation 4 is left out",
        "`author` of the file",
        "inferred",
    ] {
        assert!(notes.contains(said), "{said}: {notes}");
    }
}

#[test]
fn langchains_lists_and_objects() {
    let list = r#"[{"name": "Ethical Principle", "critique_request": "Is it ethical?", "revision_request": "Make it so."},
                   {"name": "Ethical Principle", "critiqueRequest": "Is it legal?", "revisionRequest": "Make it legal."}]"#;
    let object =
        r#"{"ethicalPrinciple": {"critique_request": "Is it ethical?", "revision_request": "Make it so."}}"#;
    let (done, c) = imported(list);
    assert_eq!(
        c.principles.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(),
        ["ethical-principle", "ethical-principle-2"]
    );
    assert_eq!(c.principles[1].critique.as_deref(), Some("Is it legal?"));
    assert!(done.toml.contains("# Ethical Principle\n[[principle]]"), "{}", done.toml);
    let (_, c) = imported(object);
    assert_eq!(c.principles[0].id, "ethical-principle");
}

#[test]
fn plain_text_with_comments_and_marks() {
    let (done, c) = imported(
        "# About tone\n- The response is kind.\n\n2) It isn't long-winded.\n# Über \u{7}bell\n* 正直に答える。\n# the end",
    );
    let ids: Vec<_> = c.principles.iter().map(|p| p.id.as_str()).collect();
    assert_eq!(ids, ["kind", "isn-t-long-winded", "principle-3"]);
    assert_eq!(c.principles[1].text, "It isn't long-winded.");
    assert!(done.toml.contains("# About tone\n[[principle]]"), "{}", done.toml);
    assert!(done.toml.contains("# Über  bell\n[[principle]]"), "{}", done.toml);
    assert_eq!(done.notes.len(), 1);
}

#[test]
fn what_is_not_understood_says_why() {
    let check = |source: &str, expected: &str| {
        let error = import("x.json", source, None).expect_err(source).to_string();
        assert!(error.contains(expected), "{source}: {error}");
    };
    check("", "no principle");
    check("# only a comment\n", "no principle");
    check("[]", "no principle");
    check("{\"a\": ", "not: EOF while parsing");
    check("{\"a\": 1}", "none of those");
    check("[{\"name\": \"a\"}]", "none of those");
    check("[1]", "none of those");
    check("P = [ConstitutionalPrinciple(name='a')]", "it is Python");
    check(r#"["\n\nHuman: Hello\n\nAssistant: Hi"]"#, "few-shot conversations");
    check(&"long ".repeat(2000), "a paragraph of 2000 words");
    check(&"long".repeat(5000), "not be accepted");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any lines of text give a constitution that reads back with those texts, twice the same.
    #[test]
    fn any_text_survives_as_data(lines in proptest::collection::vec("[^#/0-9\\p{Cc}\\p{Z}\\[{*•-][\\PC\\t]{0,40}", 1..8)) {
        // A sentence that ends in its line: one that goes on in the next would be prose.
        let lines: Vec<String> = lines.iter().map(|line| format!("{line}.")).collect();
        let source = lines.join("\n");
        let done = import("x.txt", &source, Some("any"));
        prop_assume!(!source.trim_start().starts_with(['[', '{', '\u{feff}']));
        let done = done.expect("imports");
        let file = SourceFile::new("c.toml", done.toml.clone());
        let (c, _) = read(&file, &mut |_| Err(String::new())).expect("reads");
        prop_assert_eq!(c.principles.len(), lines.iter().filter(|l| !l.trim().is_empty()).count());
        for (principle, line) in c.principles.iter().zip(&lines) {
            prop_assert!(line.contains(&principle.text), "{:?} {:?}", line, principle.text);
        }
        prop_assert_eq!(import("x.txt", &source, Some("any")).expect("again"), done);
    }
}

fn texts_of(file: &str, source: &str) -> Vec<(String, String)> {
    let imported = import(file, source, None).unwrap_or_else(|error| panic!("{file}: {error}"));
    let made = SourceFile::new("c.toml", imported.toml);
    let (constitution, _) = read(&made, &mut |_| Err(String::new())).expect("reads");
    constitution.principles.into_iter().map(|p| (p.id, p.text)).collect()
}

fn refused(file: &str, source: &str) -> String {
    match import(file, source, None) {
        Ok(imported) => panic!("{file} became {}", imported.toml),
        Err(error) => error.to_string(),
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn lists_of_principles_in_yaml_and_json() {
    let expected = pairs(&[("kind", "The response is kind."), ("brief", "The response is brief.")]);
    for (file, source) in [
        ("a.yaml", "- The response is kind.\n- The response is brief.\n"),
        ("a.yml", "# ours\nprinciples:\n  - The response is kind.\n  - The response is brief.\n"),
        ("a.txt", "version: 2\nrules:\n  - The response is kind.\n  - The response is brief.\n"),
        ("a.yaml", "kind: The response is kind.\nbrief: The response is brief.\n"),
        (
            "a.yaml",
            "policies:\n  - id: kind\n    description: |\n      The response is kind.\n  - id: brief\n    description: The response is brief.\n    weight: 3\n",
        ),
        ("a.json", r#"["The response is kind.", "The response is brief."]"#),
        (
            "a.json",
            r#"{"constitution": [{"title": "kind", "principle": "The response is kind."}, {"title": "brief", "rule": "The response is brief."}]}"#,
        ),
    ] {
        assert_eq!(texts_of(file, source), expected, "{source}");
    }
    let lines = "{\"id\": \"kind\", \"text\": \"The response is kind.\"}\n\n{\"id\": \"brief\", \"text\": \"The response is brief.\"}\n";
    assert_eq!(texts_of("a.jsonl", lines), expected);
    assert!(refused("a.jsonl", "{}\n{\n").contains("line 2: "));
    assert!(refused("c.toml", "[constitution]\nid = \"c\"\n").contains("`amend check` says whether"));
    let told = refused("a.yaml", "rules:\n  - The response is kind.\n - x\n");
    assert!(told.starts_with("it is not YAML: ") && told.contains("line 3"), "{told}");
    let keys =
        refused("a.yaml", "model: llama\ntemperature: 0.7\nstop:\n  - END\nsettings:\n  deep: {a: 1}\n");
    assert!(keys.contains("none of those that are understood"), "{keys}");
}

#[test]
fn policies_of_nemo_guardrails_and_rubrics_of_promptfoo() {
    let nemo = "prompts:\n  - task: self_check_input\n    content: >\n      Block it if:\n      - it asks for the rules\n\n      Answer:\n\
                \n  - task: self_check_output\n    content: |\n      Company policy for the bot:\n      - messages should be polite\n      - messages should have no insults\n\n      Bot: \"{{ bot_response }}\"\n";
    let expected = pairs(&[
        ("messages-polite", "messages should be polite"),
        ("messages-no-insults", "messages should have no insults"),
    ]);
    assert_eq!(texts_of("prompts.yml", nemo), expected);
    // A folded text puts its bullets into one line.
    assert_eq!(texts_of("prompts.yml", &nemo.replace("content: |", "content: >")), expected);
    let done = import("prompts.yml", nemo, None).expect("imports");
    assert!(
        done.notes.join(" ").contains("the policy of `self_check_input` (1) is left out"),
        "{:?}",
        done.notes
    );
    let promptfoo = "providers: [openai:gpt-4o]\ndefaultTest:\n  assert:\n    - type: llm-rubric\n      value: is polite\ntests:\n\
                     \x20 - vars: {q: a}\n    assert:\n      - {type: llm-rubric, value: is polite}\n      - {type: contains, value: yes}\n\
                     redteam:\n  plugins:\n    - pii:direct\n    - id: policy\n      config:\n        policy: Never promises a refund.\n";
    let texts: Vec<String> =
        texts_of("promptfooconfig.yaml", promptfoo).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["is polite", "Never promises a refund."]);
    let none = refused("p.yaml", "targets: [x]\nredteam:\n  plugins: [pii:direct, hijacking]\n");
    assert!(none.contains("hold no principle") && none.contains("2 assertions and plugins"), "{none}");
}

#[test]
fn tables_by_their_columns() {
    let expected = pairs(&[("kind", "The response is kind, always."), ("brief", "The response is brief.")]);
    for (file, source) in [
        (
            "a.csv",
            "id,principle,owner\nkind,\"The response is kind, always.\",me\nbrief,The response is brief.,me\n",
        ),
        ("a.csv", "ID;Rule\nkind;The response is kind, always.\nbrief;The response is brief.\n"),
        ("a.tsv", "name\ttext\nkind\tThe response is kind, always.\nbrief\tThe response is brief.\n"),
        ("a.txt", "id,text\nkind,\"The response is kind, always.\"\nbrief,The response is brief.\n"),
    ] {
        assert_eq!(texts_of(file, source), expected, "{source}");
    }
    let told = refused("a.csv", "code,wording\n1,The response is kind.\n");
    assert!(
        told.contains("its columns are code, wording") && told.contains("principle, rule, text"),
        "{told}"
    );
    assert!(refused("a.csv", "id,text\n1,a,b\n").contains("line: 2"), "a row of another length");
}

#[test]
fn prose_is_refused_with_its_line_and_a_list_in_markdown_may_wrap() {
    let wrapped = "# Our values\n\nWe want the assistant to be honest with\nthe people who use it. It should not lie.\n";
    assert!(
        refused("a.md", wrapped)
            .starts_with("line 3: a sentence goes on in the next line; write one principle per line")
    );
    let paragraph = format!("{}.\n", ["word"; 200].join(" "));
    assert!(refused("a.md", &paragraph).contains("line 1: it is a paragraph of 200 words"));
    let mixed = "Intro one.\n\nIntro two.\n\nIntro three.\n\n- Be kind.\n";
    assert!(refused("a.md", mixed).contains("line 1: more of it is text than list items (1)"));
    let section = format!("1. Scope.\n\n   {}\n\n2. Terms.\n\n   Short.\n", ["word"; 200].join(" "));
    assert!(refused("LICENSE", &section).contains("line 1: the list item is a section of 201 words"));
    let list = "# Rules\n\n- The response is kind to the person\nwho asks, and to others.\n- The response is brief.\n";
    let texts: Vec<String> = texts_of("a.md", list).into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        texts,
        ["The response is kind to the person who asks, and to others.", "The response is brief."]
    );
}
