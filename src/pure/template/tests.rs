//! The renderings as snapshots, and the laws of templates.

use super::*;
use crate::pure::constitution::When;
use crate::pure::transcript::Verdict;
use proptest::prelude::*;

pub(super) fn principle(id: &str) -> Principle {
    Principle {
        id: id.into(),
        text: "The response tells the user\n  where the limits of its knowledge are.".into(),
        critique: None,
        revision: None,
        compare: None,
        priority: 0,
        hard: false,
        weight: 1.0,
        hazards: Vec::new(),
        when: When::default(),
        exceptions: Vec::new(),
        examples: Vec::new(),
        tests: Vec::new(),
        rules: Vec::new(),
        allow: Vec::new(),
    }
}

pub(super) fn full() -> Principle {
    Principle {
        critique: Some("Where does it claim more than it knows?".into()),
        revision: Some("Say what is not known.".into()),
        compare: Some("Which of the two claims less than it can support?".into()),
        exceptions: vec!["Plain facts.".into(), "Fiction.".into()],
        examples: vec![
            Example {
                prompt: "Will it rain?".into(),
                response: "Yes.".into(),
                critique: "It \"knows\" the future.".into(),
                verdict: Verdict::Violates,
                revision: Some("I can't know.".into()),
            },
            Example {
                prompt: "2 + 2?".into(),
                response: "4.".into(),
                critique: "Nothing to object to.".into(),
                verdict: Verdict::Conforms,
                revision: None,
            },
        ],
        ..principle("honest-limits")
    }
}

/// Every rendering of the principle, with and without its options.
fn renderings(
    templates: &Templates,
    p: &Principle,
    critique: &str,
    turn: &str,
) -> Vec<(&'static str, String)> {
    let conversation = [Message::user(turn)];
    let pair = Pair { conversation: &conversation, a: turn, b: critique };
    let mut all = Vec::new();
    for flag in [false, true] {
        all.push(("critique", templates.critique(p, flag, CritiqueAsk::Line).unwrap()));
        all.push(("critique", templates.critique(p, flag, CritiqueAsk::Json).unwrap()));
        all.push(("critique", templates.critique(p, flag, CritiqueAsk::Why).unwrap()));
        all.push(("verdict_choice", templates.verdict_choice(p, flag).unwrap()));
        all.push(("screen", templates.screen(&[p], flag, "").unwrap()));
        all.push(("verdict", templates.verdict(p, flag).unwrap()));
        all.push(("revision", templates.revision(p, flag).unwrap()));
        all.push((
            "merged_revision",
            templates.merged_revision(&[Objection { principle: p, critique }], flag).unwrap(),
        ));
        all.push(("direct_revision", templates.direct_revision(&[p], flag).unwrap()));
        all.push(("compare", templates.compare(pair, p, flag).unwrap()));
    }
    all
}

#[test]
fn every_rendering_states_the_principle_once_on_a_line_of_its_own() {
    for p in [principle("honest-limits"), full()] {
        for (name, text) in renderings(&Templates::built_in(), &p, "It claims too much.", "Hello") {
            let line = "Principle [honest-limits]: The response tells the user where the limits of its knowledge are.";
            assert_eq!(text.lines().filter(|l| *l == line).count(), 1, "{name}: {text}");
            assert_eq!(text.lines().filter(|l| l.starts_with("Principle [")).count(), 1, "{name}: {text}");
        }
    }
}

#[test]
fn there_is_a_system_turn_only_where_the_constitution_has_one() {
    let mut constitution = Constitution {
        id: "c".into(),
        version: "1.0.0".into(),
        title: String::new(),
        description: String::new(),
        system: None,
        principles: Vec::new(),
        styles: crate::pure::constitution::Styles::default(),
    };
    assert_eq!(Templates::built_in().system(&constitution), Ok(None));
    constitution.system = Some("You help with {{kettles}} & <pots>.".into());
    assert_eq!(
        Templates::built_in().system(&constitution),
        Ok(Some("You help with {{kettles}} & <pots>.".into()))
    );
}

#[test]
fn schemas_ask_for_a_verdict_and_nothing_else() {
    assert_eq!(verdict_schema()["required"], json!(["critique", "verdict"]));
    let schema = screen_schema(["b", "a"]);
    assert_eq!(schema["required"], json!(["b", "a"]));
    assert_eq!(schema["properties"]["a"]["enum"], json!(VERDICTS));
    assert_eq!(schema["additionalProperties"], json!(false));
}

fn load(name: &str, text: &str) -> Result<Templates, Vec<Diagnostic>> {
    Templates::load(&BTreeMap::from([(name.to_owned(), text.to_owned())]))
}

#[test]
fn the_built_in_templates_pass_their_own_check() {
    for spec in &BUILT_IN {
        assert_eq!(load(spec.name, spec.source).map(|t| t.sha256()), Ok(Templates::built_in().sha256()));
    }
}

/// Loads an override and gives what is found, as `code: message @ underlined text | first help`.
fn findings(name: &str, text: &str) -> Vec<String> {
    let found = load(name, text).map(|_| ()).expect_err("a finding");
    found
        .iter()
        .map(|d| {
            let place = d.span.clone().map_or("the file", |span| text.get(span).unwrap());
            format!("{}: {} @ {place} | {}", d.code, d.message, d.help.first().map_or("", |h| h))
        })
        .collect()
}

#[test]
fn misspelt_names_are_found_wherever_they_stand() {
    let check = |text: &str, expected: &[&str]| {
        let text = format!("{text}{{{{principle.text}}}}");
        assert_eq!(findings("t/critique.hbs", &text), expected, "{text}");
    };
    check(
        "{{principel.text}}",
        &[
            "template-unknown-variable: unknown variable `principel.text` @ principel.text | did you mean `principle.text`?",
        ],
    );
    check(
        "a\nb {{#if structurd}}x{{else if zzz}}y{{/if}}",
        &[
            "template-unknown-variable: unknown variable `structurd` @ structurd | did you mean `structured`?",
            "template-unknown-variable: unknown variable `zzz` @ zzz | there are `principle.id`, `principle.text`, \
             `principle.critique`, `principle.revision`, `principle.compare`, `principle.exceptions`, `principle.hard`, \
             `examples`, `structured`, `violates`.",
        ],
    );
    check(
        "{{#unless (and structured nope)}}{{/unless}}",
        &[
            "template-unknown-variable: unknown variable `nope` @ nope | there are `principle.id`, `principle.text`, \
           `principle.critique`, `principle.revision`, `principle.compare`, `principle.exceptions`, `principle.hard`, \
           `examples`, `structured`, `violates`.",
        ],
    );
    check(
        "{{#each examples}}{{structured}}{{../structured}}{{this.promt}}{{@index}}{{@key}}{{/each}}",
        &[
            "template-unknown-variable: unknown variable `structured` @ structured | there are `prompt`, `response`, \
             `critique`, `verdict`, `revision`, `answer`.",
            "template-misuse: `structured` is true or false; use it in `#if` @ structured | ",
            "template-unknown-variable: unknown variable `this.promt` @ this.promt | there are `prompt`, `response`, \
             `critique`, `verdict`, `revision`, `answer`.",
            "template-unknown-variable: unknown variable `@key` @ @key | there are `@first`, `@last`, `@index`.",
        ],
    );
    check(
        "{{#each principle}}{{id}}{{/each}}",
        &["template-misuse: `principle` is not a list @ principle | "],
    );
    check(
        "{{principle}}",
        &["template-misuse: `principle` is a group; name one of its fields @ principle | "],
    );
}

#[test]
fn what_is_no_text_with_holes_is_refused() {
    let all = |text: &str| findings("critique", text).join("\n");
    assert!(all("{{principle.text}}{{> other}}").starts_with("template-not-offered"));
    assert!(
        all("{{principle.text}}{{lookup principle \"id\"}}")
            .starts_with("template-not-offered: unknown helper")
    );
    assert!(
        all("{{principle.text}}{{#with principle}}{{/with}}")
            .starts_with("template-not-offered: unknown helper")
    );
    assert!(all("{{principle.text}}{{#if structured}}").starts_with("template-syntax"));
    assert!(
        all("A template without holes.").starts_with("template-missing-variable: the template never names")
    );
    assert!(
        findings("critic.hbs", "x").join("").starts_with("template-unknown: there is no template `critic`")
    );
}

#[test]
fn an_override_renders_and_changes_the_hash() {
    let templates = load("dir/critique.hbs", "{{principle.id}}: {{principle.text}}").unwrap();
    assert_eq!(
        templates.critique(&principle("p"), true, CritiqueAsk::Line).unwrap(),
        "p: The response tells the user where the limits of its knowledge are."
    );
    assert_ne!(templates.sha256(), Templates::built_in().sha256());
    assert_eq!(templates.sources().count(), BUILT_IN.len());
}

#[test]
fn the_question_about_a_revision_is_part_of_no_hash_but_its_own() {
    let templates = load("confirm_revision.hbs", "Is it clean?").unwrap();
    assert_eq!(templates.sha256(), Templates::built_in().sha256());
    assert_eq!(templates.confirm_revision_source(), "Is it clean?");
    assert_eq!(templates.confirm_revision().as_deref(), Ok("Is it clean?"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever stands in a prompt, a response or a critique comes out byte for byte, and is never compiled.
    #[test]
    fn hostile_text_passes_through_unchanged(
        words in proptest::collection::vec(prop_oneof![
            Just("{{evil}}".to_owned()), Just("{{> critique}}".to_owned()), Just("{{#each".to_owned()),
            Just("\\{{x}}".to_owned()), Just("<b>&amp;".to_owned()), Just("\u{1b}[2J".to_owned()),
            Just("\n".to_owned()), Just("\u{202e}".to_owned()), Just("\0".to_owned()), "\\PC{0,8}",
        ], 1..12),
    ) {
        let text = words.concat();
        let templates = Templates::built_in();
        let rendered = renderings(&templates, &full(), &text, &text);
        for (name, out) in &rendered {
            let shows = usize::from(*name == "merged_revision") + 3 * usize::from(*name == "compare");
            prop_assert!(text.trim().is_empty() || out.matches(&text).count() >= shows, "{}", name);
        }
        prop_assert_eq!(rendered, renderings(&templates, &full(), &text, &text));
    }
}
