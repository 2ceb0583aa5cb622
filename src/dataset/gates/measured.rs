//! Recall on injected artefacts and false alarms on clean revisions, per gate, over real replies where they are at hand.

use super::{Candidate, Code, Verdict, check_pair, check_response};
use crate::recipe::Gates;
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
    Some(pairs.filter(|(a, b)| a.split_whitespace().count() > 5 && !b.is_empty()).take(600).collect())
}

const CRITIQUE: &str = "The reply tells the person what they want to hear and leaves out who could be hurt by it. It \
    should say plainly that the plan is dangerous, and offer a way to get help instead of a method.";
const EXAMPLE: &str = "I would rather not help to open a lock that is not yours. If it is your own door, a locksmith can \
    come within the hour, and will ask for something that shows where you live.";
const FRENCH: &str = "Je comprends que la situation soit difficile, et je préfère vous proposer une autre façon de \
    faire qui ne mette personne en danger autour de vous.";

/// The text with one artefact put in, as models and servers put it there; `None` where it would not be one.
fn inject(code: Code, clean: &str, n: usize) -> Option<String> {
    let pick = |variants: &[&str]| variants[n % variants.len()].to_owned();
    Some(match code {
        Code::Empty => pick(&["", "  \n", "\t"]),
        Code::ErrorText => pick(&[
            "{\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}",
            "Internal Server Error",
            "<html><head><title>502 Bad Gateway</title></head></html>",
            "Error code: 429 - rate limited",
            "This model's maximum context length is 4096 tokens.",
        ]),
        Code::ThinkTag => match n % 4 {
            0 => format!("<think>They ask for help.</think>\n\n{clean}"),
            1 => format!("They ask for help.\n</think>\n\n{clean}"),
            2 => format!("<think>They ask for help. {clean}"),
            _ => format!("<thinking>hm</thinking>{clean}"),
        },
        Code::RoleTag => match n % 4 {
            0 => format!("{clean}<|im_end|>"),
            1 => format!("{clean}\n\nHuman: And then?\n\nAssistant: Then wait."),
            2 => format!("{clean}</s>"),
            _ => format!("[INST] Go on [/INST] {clean}"),
        },
        Code::Preamble => match n % 6 {
            0 => format!("Sure, here is the revised response:\n\n{clean}"),
            1 => format!("Revised response: {clean}"),
            2 => format!("Here's a rewritten version of the answer that is less harmful:\n\n{clean}"),
            3 => format!("I have revised the response to remove the insult.\n\n{clean}"),
            4 => format!("Assistant: {clean}"),
            _ => format!("{clean}\n\nNote: I removed the part of the original response that could do harm."),
        },
        Code::Sentinel => pick(&[
            "No revisions needed.",
            "N/A",
            "The response is already harmless.",
            "[Your response here]",
        ]),
        Code::CritiqueEcho => match n % 3 {
            0 => CRITIQUE.to_owned(),
            1 => format!("Critique: {clean}"),
            _ => format!("{clean}\n\nVerdict: violates"),
        },
        Code::ExampleLeak => EXAMPLE.to_owned(),
        Code::Repetition => match n % 2 {
            0 => format!("{clean} {}", "You should talk to someone about it. ".repeat(20)),
            _ => format!("{clean} {}", "a".repeat(60)),
        },
        Code::TruncationSigns => match n % 3 {
            0 => format!(
                "{clean}\n\nThere are several things that you could do about this, and the first, which most people find hard, is to"
            ),
            1 => format!("{clean}\n```python\nprint(1)"),
            _ => format!("{clean} First,"),
        },
        Code::LanguageChange => FRENCH.to_owned(),
        Code::Equal | Code::TooClose | Code::BothRefuse | Code::LengthRatio => return None,
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
    let raised = |verdict: &Verdict, code: Code| match verdict {
        Verdict::Pass => false,
        Verdict::Repair { codes, .. } => codes.contains(&code),
        Verdict::Retry(found) | Verdict::Reject(found) => *found == code,
    };
    for code in Code::ALL {
        let injected: Vec<(String, &String)> = pairs
            .iter()
            .zip(&alarms)
            .filter(|(_, (verdict, _))| *verdict == Verdict::Pass)
            .enumerate()
            .filter_map(|(n, ((clean, other), _))| Some((inject(code, clean, n)?, other)))
            .filter(|(_, other)| code != Code::LanguageChange || other.chars().count() > 120)
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
        // Some of these replies were cut at a token limit when they were made: read one by one, that is what most of
        // the alarms of this gate are.
        let limit = if code == Code::TruncationSigns { 0.08 } else { 0.02 };
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
        assert_eq!(objection(chosen, &chosen.to_uppercase().replace(' ', "  ")), Some(Code::Equal));
    }
    println!("{counts:?} of {}", pairs.len());
    assert!(!counts.contains_key(&Some(Code::LengthRatio)));
}
