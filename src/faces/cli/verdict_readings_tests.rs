//! A law over arbitrary transcripts: everything that says what is violated says the same.
//!
//! It stands here because this is the lowest place that sees all the readers: rows, pairs and reports below, `show` and
//! the chat beside it. What is right is written down once more, on purpose in other words than the code's.

use super::chat::summary;
use super::show_transcript::render;
use super::style::Style;
use crate::pure::constitution::{Constitution, read};
use crate::pure::diagnostic::SourceFile;
use crate::pure::judged::is_judged;
use crate::pure::pairing::judge;
use crate::pure::prompt::Prompt;
use crate::pure::recipe::{Export, Gates, Pairs};
use crate::pure::reports::comparison::{Totals, transcripts};
use crate::pure::reports::judge_report::JudgeReporter;
use crate::pure::transcript::{
    Critique, Ended, MethodName, Response, Revision, RevisionFate, Tally, Transcript, Verdict,
};
use crate::runtime::dataset::rows::{Boilerplate, Config, Context, MoreColumns, Passport, rows_of};
use crate::runtime::journal::{Outline, Row};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const PRINCIPLES: [&str; 3] = ["honest", "kind", "brief"];

const TEXTS: [&str; 4] = [
    "Turn the wheel on the left until the gate is open.",
    "Pull the long lever, then wait for the water to rise.",
    "Ask the keeper for the key; the gate opens at noon.",
    "Push the gate with both hands while someone lifts the bar.",
];

fn constitution() -> Constitution {
    let principles = PRINCIPLES.map(|id| format!("[[principle]]\nid = \"{id}\"\ntext = \"Be {id}.\"\n"));
    let text = format!("[constitution]\nid = \"three\"\n{}", principles.concat());
    read(&SourceFile::new("three.toml", text), &mut |_| Err(String::new())).unwrap().0
}

/// The index of the response that a critique is about, if it is about one.
fn about(critique: &Critique, revisions: &[Revision]) -> Option<usize> {
    match critique.revision {
        None => Some(critique.response),
        Some(n) => match revisions.get(n)?.fate {
            RevisionFate::Kept(k) => Some(k),
            RevisionFate::RolledBack(_) | RevisionFate::Rejected(_) | RevisionFate::Unchanged => None,
        },
    }
}

/// What is violated in a response: of each principle's verdicts, the last that decides anything.
fn violated(transcript: &Transcript, response: usize) -> BTreeSet<&str> {
    let mut last = BTreeMap::new();
    for critique in &transcript.critiques {
        if about(critique, &transcript.revisions) == Some(response) && critique.verdict != Verdict::Undecided
        {
            last.insert(critique.principle.as_str(), critique.verdict);
        }
    }
    last.into_iter().filter(|(_, verdict)| *verdict == Verdict::Violates).map(|(id, _)| id).collect()
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        3 => Just(Verdict::Violates),
        2 => Just(Verdict::Conforms),
        1 => Just(Verdict::NotApplicable),
        3 => Just(Verdict::Undecided),
    ]
}

fn critique() -> impl Strategy<Value = Critique> {
    let principle = prop::sample::select(&PRINCIPLES[..]);
    let place = (1_u32..4, 0..TEXTS.len(), proptest::option::of(0_usize..5));
    (place, principle, verdict(), any::<bool>()).prop_map(
        |((round, response, revision), principle, verdict, recheck)| Critique {
            round,
            response,
            revision,
            principle: principle.into(),
            text: String::new(),
            verdict,
            p_violates: None,
            undecided: None,
            screen: None,
            recheck,
            tokens: 0,
            model: "m".into(),
        },
    )
}

fn revision() -> impl Strategy<Value = Revision> {
    let fate = prop_oneof![
        4 => (0..TEXTS.len()).prop_map(RevisionFate::Kept),
        1 => Just(RevisionFate::RolledBack(vec!["kind".into()])),
        1 => Just(RevisionFate::Unchanged),
    ];
    (1_u32..4, 0..TEXTS.len(), fate).prop_map(|(round, from, fate)| Revision {
        round,
        from,
        principles: vec!["kind".into()],
        text: "Leave the gate alone and walk around it.".into(),
        fate,
    })
}

fn transcript() -> impl Strategy<Value = Transcript> {
    let critiques = proptest::collection::vec(critique(), 0..20);
    let revisions = proptest::collection::vec(revision(), 0..5);
    let ended = prop_oneof![Just(Ended::Conforms), Just(Ended::Undecided), Just(Ended::Rounds)];
    (critiques, revisions, 0..TEXTS.len(), ended).prop_map(|(critiques, revisions, last, ended)| Transcript {
        prompt: Prompt::single("How do I open the old harbour gate?"),
        method: MethodName::Sampled,
        responses: (0..).zip(TEXTS).map(|(round, text)| response(text, round)).collect(),
        critiques,
        revisions,
        comparisons: Vec::new(),
        styled: None,
        last,
        ended,
        tally: Tally::default(),
        models: Vec::new(),
        failures: Vec::new(),
        substitutes: Vec::new(),
        cut_prompts: Vec::new(),
    })
}

fn response(text: &str, round: u32) -> Response {
    Response { text: text.into(), round, model: "m".into(), fallback: false, tokens: 0, repairs: Vec::new() }
}

/// Why the export drops the transcript's rows of one config, and the labels of those that it makes.
fn rows(transcript: &Transcript, config: Config) -> (Vec<String>, Vec<bool>) {
    let context = Context {
        constitution: &constitution(),
        constitution_sha256: "",
        seed: 0,
        simulated: false,
        more_columns: MoreColumns::None,
        export: &Export::default(),
        gates: &Gates::default(),
        boilerplate: &Boilerplate::default(),
    };
    let passport = Passport { family: "", split: "train", language: "en", index: 0 };
    let (rows, drops) = rows_of(transcript, &context, &passport, &[config]);
    let labels = rows.iter().map(|row| serde_json::json!(row)["label"] == 1).collect();
    (drops.iter().map(|drop| drop.reason.to_string()).collect(), labels)
}

/// Whether every principle was decided about a response: law 3, once more in other words than the code's.
fn decided_about(transcript: &Transcript, response: usize) -> bool {
    PRINCIPLES.iter().all(|principle| {
        transcript.critiques.iter().any(|critique| {
            critique.principle == *principle
                && critique.verdict != Verdict::Undecided
                && about(critique, &transcript.revisions) == Some(response)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_reading_of_a_transcript_agrees(transcript in transcript()) {
        let expected = violated(&transcript, transcript.last);
        let names: Vec<&str> = expected.iter().copied().collect();
        prop_assert_eq!(&transcript.objections(transcript.last), &expected);

        // What the journal stores, and events, `--json` and `show --prompts` give.
        prop_assert_eq!(&Outline::of(&transcript, Row::Kept).violated, &names);

        // The transcript on the screen, and how an answer ends in a chat.
        let left = format!("still violated: {}", names.join(", "));
        let shown = render(&transcript, Style::plain());
        let ending = summary::outcome(&transcript, Style::plain());
        for text in [&shown, &ending] {
            prop_assert_eq!(text.contains(&left), !names.is_empty(), "{}", text);
            prop_assert_eq!(text.contains("still violated"), !names.is_empty(), "{}", text);
        }

        // Rows and pairs.
        let (dropped, _) = rows(&transcript, Config::Sft);
        let judged = is_judged(&transcript, transcript.last, &constitution(), &Gates::default());
        prop_assert_eq!(dropped, match (names.is_empty(), judged) {
            (false, _) => vec!["unresolved".to_owned()],
            (true, false) => vec!["undecided".to_owned()],
            (true, true) => vec![],
        });
        let draft = violated(&transcript, 0);
        let pairs = judge(&transcript, &constitution(), Pairs::FirstLast, false).pairs;
        prop_assert_eq!(pairs.len(), usize::from(transcript.last > 0 && draft.len() > expected.len()));
        for pair in &pairs {
            prop_assert_eq!(&pair.principles, &draft.iter().copied().collect::<Vec<_>>());
        }
        let (_, labels) = rows(&transcript, Config::Classifier);
        let unsafe_ones = (0..TEXTS.len()).filter(|n| !violated(&transcript, *n).is_empty()).count();
        prop_assert_eq!(labels.into_iter().filter(|label| *label).count(), unsafe_ones);

        // Reports.
        let constitution = constitution();
        let mut reporter = JudgeReporter::new(&constitution);
        reporter.add(&transcript);
        for principle in reporter.finish().principles {
            prop_assert_eq!(principle.left, u64::from(expected.contains(principle.id.as_str())));
            prop_assert_eq!(principle.drafts_violating, u64::from(draft.contains(principle.id.as_str())));
        }
        let mut totals = Totals::default();
        let difference = transcripts(&transcript, &transcript, &BTreeSet::new());
        totals.add(&transcript, &transcript, &difference);
        prop_assert_eq!(totals.new.violations, names.len() as u64);
        prop_assert_eq!(totals.new.unresolved, u64::from(!names.is_empty()));
        for (id, of) in totals.principles {
            prop_assert_eq!(of.left, [u64::from(expected.contains(id.as_str())); 2]);
            prop_assert_eq!(of.drafts, [u64::from(draft.contains(id.as_str())); 2]);
        }
    }

    /// Law 3: no positive of any config is a response about which a principle that applies is undecided.
    #[test]
    fn only_what_was_judged_is_a_positive(transcript in transcript(), method in prop::sample::select(&[MethodName::Panel, MethodName::Each][..])) {
        let transcript = Transcript { method, ..transcript };
        prop_assume!(!transcript.critiques.is_empty());
        let constitution = constitution();
        let context = Context {
            constitution: &constitution,
            constitution_sha256: "",
            seed: 0,
            simulated: false,
            more_columns: MoreColumns::None,
            export: &Export { keep_unresolved: true, pairs: Pairs::All, ..Export::default() },
            gates: &Gates::default(),
            boilerplate: &Boilerplate::default(),
        };
        let passport = Passport { family: "", split: "train", language: "en", index: 0 };
        let configs = [Config::Sft, Config::Preference, Config::Kto, Config::Classifier];
        let (rows, _) = rows_of(&transcript, &context, &passport, &configs);
        for row in rows {
            let json = serde_json::json!(row);
            let positive = match row.config {
                Config::Preference => json["chosen"].to_string(),
                Config::Kto if json["label"] == true => json["completion"].to_string(),
                Config::Classifier if json["label"] == 0 => json["response"].to_string(),
                Config::Sft => json["completion"].to_string(),
                _ => continue,
            };
            let found = (0..TEXTS.len()).find(|n| positive.contains(TEXTS[*n]));
            let response = found.ok_or_else(|| TestCaseError::fail(format!("a row without its text: {json}")))?;
            prop_assert!(decided_about(&transcript, response), "{}", json);
        }
    }
}
