//! How well the gates find what is not a revision, and whether they leave clean answers alone: their figures on the
//! labelled revisions of `tests/data`, and on artefacts put into clean texts. `needs_data.rs` does the second on real
//! replies. `--nocapture` prints figures and misses.

use amend::pure::gates::{Candidate, Verdict, check_response};
use amend::pure::reason::Reason;
use amend::pure::recipe::Gates;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const CRITIQUE: &str = "The reply tells the person what they want to hear and leaves out who could be hurt by it. It \
    should say plainly that the plan is dangerous, and offer a way to get help instead of a method.";
const EXAMPLE: &str = "I would rather not help to open a lock that is not yours. If it is your own door, a locksmith can \
    come within the hour, and will ask for something that shows where you live.";
const FRENCH: &str = "Je comprends que la situation soit difficile, et je préfère vous proposer une autre façon de \
    faire qui ne mette personne en danger autour de vous.";

/// Talk before and after a revision, as many models write it.
const TALK: [(&str, &str); 30] = [
    ("Sure, here is the revised response:\n\n", ""),
    ("Revised response: ", ""),
    ("Here's a rewritten version of the answer that is less harmful:\n\n", ""),
    ("I have revised the response to remove the insult.\n\n", ""),
    ("Assistant: ", ""),
    ("", "\n\nNote: I removed the part of the original response that could do harm."),
    ("**Revised Response**\n\n", ""),
    ("## Revision\n\n", ""),
    ("### Revised answer:\n\n", ""),
    ("Certainly! Below is an improved version of the response:\n\n---\n\n", ""),
    ("Here's my attempt at a more respectful response:\n\n", ""),
    ("Let me try again.\n\n", ""),
    ("Based on the critique, here is what I would say instead.\n\n", ""),
    ("Thank you for the critique.\n\n", ""),
    ("<revised_response>\n", "\n</revised_response>"),
    ("Here is the revised response:\n\n```\n", "\n```"),
    ("", "\n\nLet me know if this revision works!"),
    ("", "\n\nThis revised response avoids the judgement and offers help."),
    ("", "\n\nThis response now aligns with the principle."),
    ("", "\n\n**Changes made:**\n\n1. Removed the insult.\n2. Added an offer of help."),
    ("", "\n\n---\n\n**Explanation of changes:**\n\nThe first version was too harsh."),
    ("", "\n\n(Note: the harmful part of the original response has been removed.)"),
    ("", "\n\nI hope this revised version is more helpful!"),
    ("Voici la réponse révisée :\n\n", ""),
    ("Hier ist die überarbeitete Antwort:\n\n", ""),
    ("Aquí está la respuesta revisada:\n\n", ""),
    ("Aqui está a resposta revisada:\n\n", ""),
    ("Вот исправленный ответ:\n\n", ""),
    ("以下是修改后的回答：\n\n", ""),
    ("こちらが修正後の回答です：\n\n", ""),
];

/// The text with one artefact put in, as models and servers put it there; `None` where it would not be one.
fn inject(code: &Reason, clean: &str, n: usize) -> Option<String> {
    let pick = |variants: &[&str]| variants[n % variants.len()].to_owned();
    Some(match code {
        Reason::Empty => pick(&["", "  \n", "\t"]),
        Reason::ErrorText => pick(&[
            "{\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}",
            "Internal Server Error",
            "<html><head><title>502 Bad Gateway</title></head></html>",
            "Error code: 429 - rate limited",
            "This model's maximum context length is 4096 tokens.",
        ]),
        Reason::ThinkTag => match n % 4 {
            0 => format!("<think>They ask for help.</think>\n\n{clean}"),
            1 => format!("They ask for help.\n</think>\n\n{clean}"),
            2 => format!("<think>They ask for help. {clean}"),
            _ => format!("<thinking>hm</thinking>{clean}"),
        },
        Reason::RoleTag => match n % 8 {
            0 => format!("{clean}<|im_end|>"),
            1 => format!("{clean}\n\nHuman: And then?\n\nAssistant: Then wait."),
            2 => format!("{clean}</s>"),
            3 => format!("[INST] Go on [/INST] {clean}"),
            4 => format!("<|im_start|>assistant\n{clean}"),
            5 => format!("<|start_header_id|>assistant<|end_header_id|>\n\n{clean}<|eot_id|>"),
            6 => format!("{clean}<end_of_turn>\n<start_of_turn>user\nAnd then?"),
            _ => format!("{clean}<｜end▁of▁sentence｜>"),
        },
        Reason::Preamble => {
            let (before, after) = TALK[n % TALK.len()];
            format!("{before}{clean}{after}")
        }
        Reason::SelfMention => match n % 4 {
            0 => format!("{clean} As the critique says, the tone was harsh."),
            1 => {
                format!("In accordance with the principle of harmlessness, here is what can be said. {clean}")
            }
            2 => format!("Unlike the original response, this takes no side. {clean}"),
            _ => format!("{clean} The constitutional principle forbids more than that."),
        },
        Reason::Sentinel => pick(&[
            "No revisions needed.",
            "N/A",
            "The response is already harmless.",
            "[Your response here]",
        ]),
        Reason::CritiqueEcho => match n % 3 {
            0 => CRITIQUE.to_owned(),
            1 => format!("Critique: {clean}"),
            _ => format!("{clean}\n\nVerdict: violates"),
        },
        Reason::ExampleLeak => EXAMPLE.to_owned(),
        Reason::Repetition => match n % 3 {
            2 => format!("{clean} {}", "你应该和别人谈谈这件事。".repeat(12)),
            0 => format!("{clean} {}", "You should talk to someone about it. ".repeat(20)),
            _ => format!("{clean} {}", "a".repeat(60)),
        },
        Reason::TruncationSigns => match n % 3 {
            0 => format!(
                "{clean}\n\nThere are several things that you could do about this, and the first, which most people find hard, is to"
            ),
            1 => format!("{clean}\n```python\nprint(1)"),
            _ => format!("{clean} First,"),
        },
        Reason::LanguageChange => FRENCH.to_owned(),
        // Gates of pairs, and reasons that no gate gives.
        _ => return None,
    })
}

/// What is gained and lost by the gates on clean texts, each with what it revises: for each gate, recall on the artefacts
/// that it is for, put into the texts that pass, and false alarms on the texts as they are. `most_alarms` is the share of
/// false alarms that a gate may have.
#[track_caller]
pub(crate) fn check_injected(pairs: &[(String, String)], most_alarms: impl Fn(&Reason) -> f64) {
    let gates = Gates::default();
    let judge = |text: &str, original: &str| {
        let (critiques, examples) = ([CRITIQUE], [EXAMPLE]);
        let candidate = Candidate {
            text,
            prompt: "",
            original: Some(original),
            critiques: &critiques,
            examples: &examples,
            request: None,
        };
        check_response(&candidate, &gates)
    };
    let alarms: Vec<(Verdict, &str)> =
        pairs.iter().map(|(chosen, other)| (judge(chosen, other), chosen.as_str())).collect();
    let raised = |verdict: &Verdict, code: &Reason| match verdict {
        Verdict::Pass => false,
        Verdict::Repair { codes, .. } => codes.contains(code),
        Verdict::Retry(found) | Verdict::Reject(found) => found == code,
    };
    let mut measured = 0;
    for code in &Reason::GATES {
        let injected: Vec<(String, &String)> = pairs
            .iter()
            .zip(&alarms)
            .filter(|(_, (verdict, _))| *verdict == Verdict::Pass)
            .enumerate()
            .filter_map(|(n, ((clean, other), _))| Some((inject(code, clean, n)?, other)))
            .filter(|(_, other)| *code != Reason::LanguageChange || other.chars().count() > 120)
            .collect();
        if injected.is_empty() {
            continue;
        }
        measured += 1;
        let found = injected.iter().filter(|(text, other)| raised(&judge(text, other), code)).count();
        let false_alarms: Vec<&str> =
            alarms.iter().filter(|(v, _)| raised(v, code)).map(|(_, text)| *text).collect();
        let recall = found as f64 / injected.len() as f64;
        let rate = false_alarms.len() as f64 / pairs.len() as f64;
        println!(
            "{code:<18} recall {recall:.3} of {:>3}   false alarms {rate:.4} of {}",
            injected.len(),
            pairs.len()
        );
        for text in false_alarms.iter().take(3) {
            println!("    … {}", tail(text));
        }
        assert!(recall > 0.95, "{code}: recall {recall}");
        assert!(rate <= most_alarms(code), "{code}: false alarms {rate}");
    }
    assert_eq!(measured, 12, "every gate of one response has been measured");
}

/// The end of a text, on one line.
fn tail(text: &str) -> String {
    let line: Vec<char> = text.replace('\n', "\\n").chars().collect();
    line[line.len().saturating_sub(100)..].iter().collect()
}

/// Fails where a gate changes a clean text, and where more of them than `most` says are rejected for a reason; for a
/// reason that `most` does not name, none may be.
#[track_caller]
pub(crate) fn check_left_alone(name: &str, texts: &[(String, String)], most: &[(Reason, usize)]) {
    assert!(!texts.is_empty(), "{name}");
    let gates = Gates::default();
    let mut rejected: BTreeMap<Reason, Vec<&str>> = BTreeMap::new();
    for (text, original) in texts {
        let verdict =
            check_response(&Candidate { text, original: Some(original), ..Candidate::default() }, &gates);
        if let Verdict::Repair { text: cut, codes } = &verdict {
            panic!("{name}: {codes:?} changed a clean text\n{text}\n=> {cut}");
        }
        if let Some(code) = verdict.objection() {
            rejected.entry(code).or_default().push(text);
        }
    }
    for (code, texts) in &rejected {
        println!("{name}: {code} rejects {}", texts.len());
        for text in texts {
            println!("    … {}", tail(text));
        }
    }
    for (code, texts) in rejected {
        let most = most.iter().find(|(allowed, _)| *allowed == code).map_or(0, |(_, most)| *most);
        assert!(texts.len() <= most, "{name}: {code} rejects {} clean texts, {most} at most", texts.len());
    }
}

/// Labelled responses that are clean: without those that are put in quotation marks or marked up on purpose.
fn clean_responses(is_taken: impl Fn(&serde_json::Value) -> bool) -> Vec<String> {
    let rows = include_str!("../data/refusals.jsonl").lines();
    let rows = rows.map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let clean = rows.filter(|row| row["style"] != "quoted-or-marked" && is_taken(row));
    clean.map(|row| row["text"].as_str().expect("a text").to_owned()).collect()
}

/// Clean English texts, each as a revision of the one after it.
#[test]
fn artefacts_put_into_clean_texts_are_found() {
    let texts = clean_responses(|row| row["language"] == "en");
    let next = texts.iter().cycle().skip(1);
    let pairs: Vec<_> = texts.iter().cloned().zip(next.cloned()).collect();
    check_injected(&pairs, |_| 0.0);
}

#[test]
fn clean_answers_are_left_alone() {
    let texts = clean_responses(|_| true);
    let pairs: Vec<_> = texts.into_iter().map(|text| (text, "Other words than these.".to_owned())).collect();
    check_left_alone("labelled responses", &pairs, &[]);
}

/// A revision that a person labelled.
#[derive(Debug, Deserialize)]
struct LabelledRevision {
    label: Label,
    /// What is wrong with it, or what a clean one looks like and is not.
    kind: String,
    prompt: String,
    /// The response that it revises.
    original: String,
    text: String,
    /// The critique that it answers.
    critique: Option<String>,
    /// What a repair has to leave. Without it no repair is right.
    keeps: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Label {
    Artefact,
    Clean,
}

impl LabelledRevision {
    fn verdict(&self) -> Verdict {
        let critiques: Vec<&str> = self.critique.as_deref().into_iter().collect();
        let candidate = Candidate {
            text: &self.text,
            prompt: &self.prompt,
            original: Some(&self.original),
            critiques: &critiques,
            examples: &[],
            request: None,
        };
        check_response(&candidate, &Gates::default())
    }
}

/// Counts of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct KindFigures {
    artefacts: usize,
    /// Artefacts that do not become a row, or become one without the artefact and with nothing else cut away.
    caught: usize,
    clean: usize,
    /// Clean texts that are cut or rejected.
    alarms: usize,
    /// Clean texts that are rejected.
    rejections: usize,
}

impl KindFigures {
    fn add(&mut self, row: &LabelledRevision) {
        let verdict = row.verdict();
        let rejects = verdict.objection().is_some();
        let is_right = match (row.label, &verdict) {
            (Label::Artefact, Verdict::Pass) => false,
            (Label::Artefact, Verdict::Repair { text, .. }) => row.keeps.as_ref() == Some(text),
            (Label::Artefact, Verdict::Retry(_) | Verdict::Reject(_)) => true,
            (Label::Clean, _) => verdict == Verdict::Pass,
        };
        match row.label {
            Label::Artefact => {
                self.artefacts += 1;
                self.caught += usize::from(is_right);
            }
            Label::Clean => {
                self.clean += 1;
                self.alarms += usize::from(!is_right);
                self.rejections += usize::from(rejects);
            }
        }
        if !is_right {
            let line = row.text.replace('\n', "\\n");
            println!("    {} {:?}: {verdict:?} for {line}", row.kind, row.label);
        }
    }
}

/// 228 revisions in 17 languages, written for this; no gate was improved on them. The clean ones were chosen to look like
/// what they are not, but for 25 plain ones, so false alarms are far more common here than in real data. The bounds are
/// what was measured when the rows were written: 76 of 116 artefacts caught, 22 of 112 clean texts rejected and 6 more
/// cut. A kind with bad figures keeps its rows and its low bounds, until the gate gets better and the bounds with it.
#[test]
fn figures_on_the_labelled_revisions() {
    let lines = include_str!("../data/revisions.jsonl").lines();
    let rows: Vec<LabelledRevision> =
        lines.map(|line| serde_json::from_str(line).expect("a labelled revision")).collect();
    let mut figures: BTreeMap<&str, KindFigures> = BTreeMap::new();
    for row in &rows {
        figures.entry(&row.kind).or_default().add(row);
    }
    // For each kind: artefacts, caught at least; clean texts, cut or rejected at most, rejected at most.
    let bounds = [
        ("critique-echo", [11, 6, 10, 3, 3]),
        ("error-text", [9, 6, 7, 3, 3]),
        ("language-change", [6, 3, 5, 3, 3]),
        ("plain", [0, 0, 25, 0, 0]),
        ("postscript", [10, 2, 4, 2, 0]),
        ("preamble", [22, 13, 16, 4, 0]),
        ("repetition", [5, 5, 5, 1, 1]),
        ("role-tag", [11, 11, 8, 4, 4]),
        ("self-mention", [10, 6, 7, 3, 3]),
        ("sentinel", [12, 7, 8, 1, 1]),
        ("think-tag", [9, 9, 5, 3, 3]),
        ("truncation", [11, 8, 12, 1, 1]),
    ];
    let mut worse = Vec::new();
    for (kind, [artefacts, caught, clean, alarms, rejections]) in bounds {
        let found = figures.get(kind).copied().unwrap_or_default();
        println!("{kind:<16} {found:?}");
        let bound = KindFigures { artefacts, caught, clean, alarms, rejections };
        assert_eq!((found.artefacts, found.clean), (artefacts, clean), "rows of {kind}");
        if found.caught < caught || found.alarms > alarms || found.rejections > rejections {
            worse.push(format!("{kind}: {found:?}, and the bound is {bound:?}"));
        }
    }
    let bounded: BTreeSet<&str> = bounds.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(bounded, figures.keys().copied().collect(), "every kind has bounds");
    assert!(worse.is_empty(), "{worse:#?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]
    /// What is left after a repair needs none: whatever talk is put around a text, twice is once.
    #[test]
    fn repairing_twice_is_repairing_once(
        around in proptest::collection::vec(0..TALK.len(), 0..3),
        body in "[A-Za-z ,.:\n\"*#`<>-]{1,120}",
        token in proptest::sample::select(vec!["", "<|im_end|>", "<think>so</think>"]),
    ) {
        let mut text = format!("{body}{token}");
        for n in around {
            text = format!("{}{text}{}", TALK[n].0, TALK[n].1);
        }
        let candidate = |text| check_response(&Candidate { text, original: Some("Other words."), ..Candidate::default() }, &Gates::default());
        if let Verdict::Repair { text, .. } = candidate(&text) {
            let again = candidate(&text);
            proptest::prop_assert!(!matches!(again, Verdict::Repair { .. }), "{text:?} => {again:?}");
        }
    }
}
