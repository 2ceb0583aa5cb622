//! Recall on injected artefacts and false alarms on clean revisions, per gate, over real replies where they are at hand.

use super::{Candidate, Verdict, check_pair, check_response};
use crate::pure::reason::Reason;
use crate::pure::recipe::Gates;
use std::io::Read as _;

/// Replies of people's preferred and other choice: `(chosen, rejected)`, a stand-in for revision and draft.
fn real_pairs() -> Option<Vec<(String, String)>> {
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = "shared/data/hh-rlhf-harmless/test.jsonl.gz";
    let file = package.ancestors().find_map(|up| std::fs::File::open(up.join(name)).ok())?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let reply = |row: &serde_json::Value, key: &str| {
        let whole = row[key].as_str().unwrap_or("").to_owned();
        whole.rsplit_once("\n\nAssistant:").map_or(String::new(), |(_, last)| last.trim().to_owned())
    };
    let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let pairs = rows.map(|row: serde_json::Value| (reply(&row, "chosen"), reply(&row, "rejected")));
    Some(pairs.filter(|(a, b)| a.split_whitespace().count() > 5 && !b.is_empty()).take(300).collect())
}

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

#[test]
fn artefacts_are_found_and_clean_revisions_pass() {
    let Some(pairs) = real_pairs() else { return };
    let gates = Gates::default();
    let judge = |text: &str, original: &str| {
        let (critiques, examples) = ([CRITIQUE], [EXAMPLE]);
        let candidate = Candidate {
            text,
            prompt: "",
            original: Some(original),
            critiques: &critiques,
            examples: &examples,
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
            let tail: Vec<char> = text.replace('\n', "\\n").chars().collect();
            println!("    … {}", tail[tail.len().saturating_sub(100)..].iter().collect::<String>());
        }
        assert!(recall > 0.95, "{code}: recall {recall}");
        // Many of these replies were cut at a token limit when they were made: of 70 that end in a letter, 63 are.
        let limit = if *code == Reason::TruncationSigns { 0.05 } else { 0.01 };
        assert!(rate < limit, "{code}: false alarms {rate}");
    }
}

#[test]
fn pair_gates_on_real_pairs() {
    let Some(pairs) = real_pairs() else { return };
    let gates = Gates::default();
    let objection = |a: &str, b: &str| check_pair(a, b, &gates).objection();
    let mut counts = std::collections::BTreeMap::new();
    for (chosen, rejected) in &pairs {
        *counts.entry(objection(chosen, rejected)).or_insert(0) += 1;
        assert_eq!(objection(chosen, &chosen.to_uppercase().replace(' ', "  ")), Some(Reason::Equal));
    }
    println!("{counts:?} of {}", pairs.len());
    assert!(!counts.contains_key(&Some(Reason::LengthRatio)));
}

/// Answers of two models to the same harmless or harmful question, the first of which people call full compliance.
fn compliance() -> Vec<(String, String)> {
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |model: &str| -> Option<Vec<(String, bool)>> {
        let name = format!("shared/data/xstest/xstest_v2_completions_{model}_streval.csv");
        let path = package.ancestors().map(|up| up.join(&name)).find(|path| path.exists())?;
        let mut reader = csv::Reader::from_path(path).unwrap();
        let columns = reader.headers().unwrap().clone();
        let column = |name: &str| columns.iter().position(|c| c == name).unwrap();
        let (text, label) = (column("completion"), column("final_label"));
        let rows = reader.records().map(Result::unwrap);
        Some(rows.map(|row| (row[text].trim().to_owned(), row[label].starts_with('1'))).collect())
    };
    let (Some(a), Some(b), Some(c)) = (read("gpt4"), read("mistralguard"), read("llama2new")) else {
        return Vec::new();
    };
    let pairs = a.iter().zip(&b).chain(b.iter().zip(&c)).chain(c.iter().zip(&a));
    pairs.filter(|(text, _)| text.1).map(|(text, other)| (text.0.clone(), other.0.clone())).collect()
}

fn fixture() -> Vec<String> {
    let rows = include_str!("../../../tests/data/refusals.jsonl").lines();
    let rows = rows.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let clean = rows.filter(|row| row["style"] != "quoted-or-marked");
    clean.map(|row| row["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn clean_answers_are_left_alone() {
    let gates = Gates::default();
    let written = fixture().into_iter().map(|text| (text, "Other words than these.".to_owned()));
    for (name, texts) in [("fixture", written.collect()), ("compliance", compliance())] {
        let mut counts = std::collections::BTreeMap::new();
        for (text, original) in &texts {
            let verdict =
                check_response(&Candidate { text, original: Some(original), ..Candidate::default() }, &gates);
            if let Verdict::Repair { text: cut, codes } = &verdict {
                panic!("{codes:?} changed a clean text\n{text}\n=> {cut}");
            }
            if let Some(code) = verdict.objection() {
                *counts.entry(code.clone()).or_insert(0) += 1;
                println!(
                    "    {code} … {}",
                    text.replace('\n', "\\n")
                        .chars()
                        .rev()
                        .take(90)
                        .collect::<Vec<_>>()
                        .iter()
                        .rev()
                        .collect::<String>()
                );
            }
        }
        println!("{name}: {counts:?} of {}", texts.len());
    }
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
