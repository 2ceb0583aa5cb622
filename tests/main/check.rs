//! `amend check`, `amend init` and `amend schema`, as their users meet them.

use crate::support::Scratch;

const FIVE_MISTAKES: &str = r#"[constitution]
id = "harmlessness"
titel = "Harmless"

[[principle]]
id = "no-weapons"
text = "The response keeps people safe around weapons."
hazards = ["phys.asault"]
priority = "high"
allow = ["no-test"]

[[principle]]
id = "no-weapons"
text = ""
allow = ["no-test"]
"#;

#[test]
fn five_mistakes_are_told_in_one_go() {
    let scratch = Scratch::new();
    scratch.write("c.toml", FIVE_MISTAKES);
    let done = scratch.run(&["check", "c.toml"]).code(1);
    for told in [
        "error[unknown-key]: unknown key `titel` in `[constitution]`\n --> c.toml:3:1",
        "error[unknown-hazard]: `phys.asault` is not in the taxonomy\n --> c.toml:8:12",
        "error[wrong-type]: `priority` must be a whole number, not the text \"high\"\n --> c.toml:9:12",
        "error[duplicate-id]: the id `no-weapons` is used twice in this file\n  --> c.toml:13:6",
        "error[empty-text]: `text` is empty\n  --> c.toml:14:8",
    ] {
        assert!(done.out.contains(told), "{told}\nis not in\n{}", done.out);
    }
    assert!(done.err.contains("1 file checked: 5 errors\n"), "{}", done.err);
    assert!(!done.out.contains('\u{1b}'), "no colour is asked for");
}

#[test]
fn findings_can_be_read_by_machines() {
    let scratch = Scratch::new();
    scratch.write("c.toml", FIVE_MISTAKES);
    let json = scratch.run(&["check", "--json", "c.toml"]).code(1).summary();
    assert_eq!((json["errors"].as_u64(), json["warnings"].as_u64()), (Some(5), Some(0)));
    assert_eq!(json["findings"][0]["start"], serde_json::json!({ "line": 3, "column": 1 }));
    assert_eq!(json["findings"][0]["fix"]["replacement"], "title");
    let sarif = scratch.run(&["check", "--sarif", "c.toml"]).code(1).summary();
    assert_eq!(sarif["version"], "2.1.0");
    let results = &sarif["runs"][0]["results"];
    assert_eq!(results.as_array().map(Vec::len), Some(5));
    assert_eq!(results[1]["ruleId"], "unknown-hazard");
    assert_eq!(results[1]["locations"][0]["physicalLocation"]["region"]["startLine"], 8);
}

#[test]
fn slips_are_corrected_and_the_rest_is_left_alone() {
    let scratch = Scratch::new();
    let path = scratch.write("c.toml", FIVE_MISTAKES);
    let done = scratch.run(&["check", "--fix", "c.toml"]).code(1);
    assert!(done.err.contains("2 corrected in `c.toml`") && done.err.contains("3 errors"), "{}", done.err);
    let corrected = FIVE_MISTAKES.replace("titel", "title").replace("asault", "assault");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), corrected);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn exit_codes_tell_findings_from_files_that_cannot_be_read() {
    let scratch = Scratch::new();
    scratch.write(
        "warn.toml",
        "[constitution]\nid = \"c\"\n[[principle]]\nid = \"a\"\ntext = \"The response is kind and clear.\"\n",
    );
    scratch.write("other.toml", "[package]\nname = \"x\"\n");
    scratch.write("bytes.toml", [b'a', 0xff, b'\n']);
    scratch.write("empty/readme.md", "");
    let check = |args: &[&str], code: i32, says: &str| {
        let done = scratch.run(args).code(code);
        let told = format!("{}{}", done.out, done.err);
        assert!(told.contains(says), "{args:?}: {told}");
    };
    check(&["check", "warn.toml"], 0, "warning[no-test]");
    check(&["check", "--deny-warnings", "warn.toml"], 1, "warning[no-test]");
    check(&["check", "other.toml"], 1, "error[unknown-file]");
    check(&["check", "absent.toml"], 2, "there is no such file");
    check(&["check", "bytes.toml"], 2, "not UTF-8 text (byte 1, line 1)");
    check(&["check", "empty"], 2, "there is nothing to check");
    check(&["check", "harmlessness"], 0, "nothing to report");
    check(&["check", "--explain", "no-test"], 0, "[[principle.test]]");
    check(&["check", "--explain", "no-tets"], 2, "did you mean `no-test`?");
}

#[test]
fn a_recipe_is_checked_with_what_it_names() {
    let scratch = Scratch::new();
    scratch.write("p/amend.toml", "constitution = \"c.toml\"\nprompts = [\"absent.jsonl\"]\ntemplates = \"t\"\n[models.default]\nmodel = \"m\"\n");
    scratch.write("p/c.toml", FIVE_MISTAKES);
    scratch.write("p/t/critique.hbs", "{{nonsense}}");
    let done = scratch.run(&["check", "p/amend.toml"]).code(1);
    for told in [
        "p/c.toml:3:1",
        "error[missing-file]",
        "p/amend.toml:2:12",
        "p/t/critique.hbs:1:",
        "warning[no-endpoint]",
    ] {
        assert!(done.out.contains(told), "{told}\nis not in\n{}", done.out);
    }
}

#[test]
fn a_new_project_is_sound_and_nothing_is_overwritten() {
    let scratch = Scratch::new();
    scratch.write("new/prompts.jsonl", "{\"prompt\": \"mine\"}\n");
    let done = scratch.run(&["init", "new", "--constitution", "minimal"]).code(0);
    assert!(
        done.err.contains("kept  new/prompts.jsonl") && done.err.contains("wrote new/amend.toml"),
        "{}",
        done.err
    );
    assert_eq!(
        std::fs::read_to_string(scratch.path("new/prompts.jsonl")).unwrap(),
        "{\"prompt\": \"mine\"}\n"
    );
    scratch.run(&["check", "--deny-warnings", "new"]).code(0);
    let again = scratch.run(&["init", "new"]).code(0);
    assert!(again.err.contains("nothing was changed"), "{}", again.err);

    scratch.run(&["init", "works"]).code(0);
    let summary = scratch.run(&["run", "works/amend.toml", "--json"]).code(0).summary();
    assert_eq!((&summary["prompts"], &summary["rows"]), (&10.into(), &10.into()), "{summary}");

    let check = |args: &[&str], says: &str| {
        let done = scratch.run(args).code(2);
        assert!(done.err.contains(says), "{args:?}: {}", done.err);
    };
    check(&["init", "x", "--constitution", "minimla"], "did you mean `minimal`?");
    check(&["init", "x", "--model", "m"], "add `--base-url URL`");
    check(&["init", "x", "--model", "m", "--base-url", "localhost"], "with its scheme");
}

#[test]
fn schemas_are_json() {
    let scratch = Scratch::new();
    for kind in ["constitution", "recipe"] {
        let done = scratch.run(&["schema", kind]).code(0);
        let schema: serde_json::Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!(schema["additionalProperties"], false, "a mistyped key is refused");
    }
}

/// A constitution that came from elsewhere reads nothing outside its folder, and shows nothing of what is no constitution.
#[test]
fn what_a_constitution_extends_stays_below_its_folder() {
    let scratch = Scratch::new();
    scratch.write("secret.txt", "token = \"sk-of-somebody\"\n");
    scratch.write(
        "base.toml",
        "[constitution]\nid = \"base\"\n[[principle]]\nid = \"b\"\ntext = \"It is kind.\"\n",
    );
    let extending = |name: &str| {
        format!(
            "[constitution]\nid = \"c\"\nextends = [\"{name}\"]\n[[principle]]\nid = \"p\"\ntext = \"It is true.\"\n"
        )
    };
    let check = |dir: &str| {
        let mut command = scratch.command(&["check", &scratch.path("theirs/c.toml").display().to_string()]);
        let output = command.current_dir(scratch.path(dir)).output().expect("it runs");
        crate::support::Done::of(&output)
    };
    let secret = scratch.path("secret.txt").display().to_string();
    for name in ["../secret.txt", &secret, "../base.toml"] {
        scratch.write("theirs/c.toml", extending(name));
        let done = check("theirs").code(1);
        assert!(done.out.contains("outside the constitution's folder"), "{}", done.out);
        assert!(!done.out.contains("sk-of-somebody"), "{}", done.out);
    }
    // From a folder above both, the base is the project's own. What is no constitution shows nothing all the same.
    let done = check(".").code(0);
    assert!(!done.out.contains("cannot-extend"), "{}", done.out);
    scratch.write("theirs/c.toml", extending("../secret.txt"));
    let done = check(".").code(1);
    assert!(
        done.out.contains("it is not a constitution") && !done.out.contains("sk-of-somebody"),
        "{}",
        done.out
    );
}

#[test]
fn built_in_constitutions_are_listed_printed_and_copied() {
    let scratch = Scratch::new();
    let list = scratch.run(&["constitutions"]).code(0).out;
    for name in ["harmlessness", "helpful-honest-harmless", "minimal", "support-desk"] {
        assert!(list.contains(name), "{list}");
        let text = scratch.run(&["constitutions", name]).code(0).out;
        scratch.run(&["constitutions", name, "--copy", &format!("{name}.toml")]).code(0);
        assert_eq!(std::fs::read_to_string(scratch.path(&format!("{name}.toml"))).expect("a copy"), text);
        scratch.run(&["check", &format!("{name}.toml"), "--deny-warnings"]).code(0);
    }
    let again = scratch.run(&["constitutions", "minimal", "--copy", "minimal.toml"]).code(2);
    assert!(again.err.contains("is there already"), "{}", again.err);
    let slip = scratch.run(&["constitutions", "minimla"]).code(2);
    assert!(slip.err.contains("did you mean `minimal`?"), "{}", slip.err);
}
