//! garak: `*.report.jsonl`, whose attempts stand there twice, and `*.hitlog.jsonl`, whose hits stand in the report too.

use super::names::garak_probe;
use super::{Claim, Imported, Tool, lines, text_of};
use crate::pure::prompt::{Message, Speaker};
use serde_json::{Map, Value, json};

/// An attempt with this status has been through the detectors; one with an earlier status is the same attempt before.
const DETECTED: i64 = 2;

/// A detector's score from which on it calls an output a hit.
const HIT: f64 = 0.5;

pub(super) fn read(file: &str, text: &str) -> Imported {
    let mut imported = Imported::default();
    let mut version = None;
    for (line, text) in lines(text) {
        let entry: Value = match serde_json::from_str(text) {
            Ok(entry) => entry,
            Err(error) => {
                imported.bad(file, line, format!("the line is not JSON: {error}"));
                continue;
            }
        };
        match entry["entry_type"].as_str() {
            Some("attempt") if entry["status"].as_i64() == Some(DETECTED) => {
                attempt(&mut imported, file, line, &entry, version.as_deref());
            }
            Some("attempt") => imported.skip("attempts before they were judged (status is not 2)"),
            Some(other) => {
                if let Some(found) = entry["garak_version"].as_str() {
                    version = Some(found.to_owned());
                }
                imported.skip(&format!("lines of the kind `{other}`"));
            }
            None if entry["attempt_id"].is_string() => hit(&mut imported, file, line, &entry),
            None => imported.bad(file, line, "the line has neither `entry_type` nor `attempt_id`"),
        }
    }
    imported
}

/// One claim for each output of an attempt.
fn attempt(imported: &mut Imported, file: &str, line: u64, entry: &Value, version: Option<&str>) {
    let Some(turns) = turns_of(&entry["prompt"]) else {
        imported.bad(file, line, "the attempt has no `prompt.turns`");
        return;
    };
    let Some(outputs) = entry["outputs"].as_array() else {
        imported.bad(file, line, "the attempt has no `outputs`");
        return;
    };
    for (index, output) in outputs.iter().enumerate() {
        let Some(response) = output["text"].as_str() else {
            imported.skip("outputs without a text");
            continue;
        };
        let mut scores = Map::new();
        for (detector, all) in entry["detector_results"].as_object().into_iter().flatten() {
            scores.insert(detector.clone(), all.get(index).cloned().unwrap_or_default());
        }
        let is_hit = scores.values().any(|score| score.as_f64().is_some_and(|score| score >= HIT));
        let verdict = if scores.is_empty() {
            "not judged"
        } else if is_hit {
            "hit"
        } else {
            "pass"
        };
        let (uuid, probe) = (entry["uuid"].as_str().unwrap_or(""), entry["probe_classname"].as_str());
        let mut claim = claim_of(imported, probe, &entry["prompt"]);
        claim.key = Some(format!("{uuid} {index}"));
        claim.goal = text_of(&entry["goal"]);
        claim.turns.clone_from(&turns);
        claim.response = String::from(response);
        claim.verdict = verdict;
        claim.version = version.map(str::to_owned);
        claim.more.insert("attempt".into(), json!(uuid));
        claim.more.insert("scores".into(), Value::Object(scores));
        imported.finds.push(claim.into_find(Tool::Garak, file, line));
    }
}

/// A line of the hit log. The same output of the same attempt is the same claim in the report.
fn hit(imported: &mut Imported, file: &str, line: u64, entry: &Value) {
    let (Some(turns), Some(response)) = (turns_of(&entry["prompt"]), entry["output"]["text"].as_str()) else {
        imported.bad(file, line, "the hit has no `prompt.turns` or no `output.text`");
        return;
    };
    let probe = entry["probe"].as_str();
    let mut claim = claim_of(imported, probe, &entry["prompt"]);
    let (attempt, index) =
        (entry["attempt_id"].as_str().unwrap_or(""), entry["attempt_idx"].as_u64().unwrap_or(0));
    claim.key = Some(format!("{attempt} {index}"));
    claim.goal = text_of(&entry["goal"]);
    claim.turns = turns;
    claim.response = String::from(response);
    claim.verdict = "hit";
    claim.more.insert("attempt".into(), json!(attempt));
    let detector = entry["detector"].as_str().unwrap_or("unnamed").to_owned();
    claim.more.insert("scores".into(), Value::Object(Map::from_iter([(detector, entry["score"].clone())])));
    imported.finds.push(claim.into_find(Tool::Garak, file, line));
}

/// What a probe's name says.
fn claim_of(imported: &mut Imported, probe: Option<&str>, prompt: &Value) -> Claim {
    let mut claim = Claim { attack: probe.map(str::to_owned), ..Claim::default() };
    match probe.map(|probe| (probe, garak_probe(probe))) {
        Some((_, Some(meaning))) => {
            claim.family.clone_from(&meaning.family);
            claim.hazard.clone_from(&meaning.hazard);
        }
        Some((probe, None)) => *imported.unknown.entry(format!("probe {probe}")).or_default() += 1,
        None => {}
    }
    let last = prompt["turns"].as_array().and_then(|turns| turns.last());
    claim.language = last.and_then(|turn| text_of(&turn["content"]["lang"]));
    if let Some(probe) = probe {
        claim.more.insert("probe".into(), json!(probe));
    }
    claim
}

fn turns_of(prompt: &Value) -> Option<Vec<Message>> {
    let turn = |turn: &Value| {
        let speaker = match turn["role"].as_str()? {
            "system" => Speaker::System,
            "assistant" => Speaker::Assistant,
            _ => Speaker::User,
        };
        Some(Message::new(speaker, turn["content"]["text"].as_str()?))
    };
    let turns = prompt["turns"].as_array()?.iter().map(turn).collect::<Option<Vec<_>>>()?;
    (!turns.is_empty()).then_some(turns)
}
