//! Sets of attacks with answers: JailbreakBench's artifacts, HarmBench's completions, and tables with named columns.

use super::names::{hazard, severity};
use super::salvage::entries;
use super::{Claim, Imported, Tool};
use crate::pure::prompt::Message;
use serde_json::{Map, Value, json};

/// JailbreakBench: `jailbreaks[]` with `goal`, `behavior`, `category`, `prompt`, `response`, `jailbroken`. A prompt may be null:
/// then no attack was found, and there is nothing to judge.
pub(super) fn jailbreakbench(file: &str, text: &str) -> Imported {
    let mut imported = Imported::default();
    let Some((found, broken)) = entries(text, Some("jailbreaks")) else {
        imported.bad(file, 1, "there is no `jailbreaks`");
        return imported;
    };
    for (line, entry) in found {
        let Some(prompt) = entry["prompt"].as_str() else {
            imported.skip("goals without an attack");
            continue;
        };
        let Some(response) = entry["response"].as_str() else {
            imported.skip("attacks without an answer");
            continue;
        };
        let mut claim = Claim { response: response.to_owned(), ..Claim::default() };
        claim.turns = vec![Message::user(prompt)];
        claim.goal = entry["goal"].as_str().map(str::to_owned);
        claim.key = entry["behavior"].as_str().map(|behavior| format!("{behavior} {prompt}"));
        claim.verdict = hit_or_pass(&entry["jailbroken"]);
        for name in ["behavior", "category"] {
            claim.more.insert(name.into(), entry[name].clone());
        }
        imported.finds.push(claim.into_find(Tool::Jailbreakbench, file, line));
    }
    if let Some(line) = broken {
        imported.bad(file, line, "the file ends in the middle of an entry, or is no JSON from here on");
    }
    imported
}

/// HarmBench: `{behavior id: [{test_case, generation, label}]}`.
pub(super) fn harmbench(file: &str, text: &str) -> Imported {
    let mut imported = Imported::default();
    let all: Map<String, Value> = match serde_json::from_str(text) {
        Ok(Value::Object(all)) => all,
        Ok(_) => {
            imported.bad(file, 1, "the file is no object with a list for each behavior");
            return imported;
        }
        Err(error) => {
            imported.bad(file, error.line() as u64, format!("the file is not JSON: {error}"));
            return imported;
        }
    };
    for (behavior, cases) in all {
        for (index, case) in cases.as_array().into_iter().flatten().enumerate() {
            let (Some(prompt), Some(response)) = (case["test_case"].as_str(), case["generation"].as_str())
            else {
                imported.bad(
                    file,
                    1,
                    format!("`{behavior}`, case {index}: there is no `test_case` or no `generation`"),
                );
                continue;
            };
            let mut claim = Claim { response: response.to_owned(), ..Claim::default() };
            claim.turns = vec![Message::user(prompt)];
            claim.key = Some(format!("{behavior} {index}"));
            claim.verdict = hit_or_pass(&case["label"]);
            claim.more.insert("behavior".into(), json!(behavior));
            imported.finds.push(claim.into_find(Tool::Harmbench, file, 1));
        }
    }
    imported
}

fn hit_or_pass(label: &Value) -> &'static str {
    match label {
        Value::Bool(is_hit) => ["pass", "hit"][usize::from(*is_hit)],
        Value::Number(number) => ["pass", "hit"][usize::from(number.as_f64() == Some(1.0))],
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "yes" | "true" | "1" | "hit" | "broke" | "jailbroken" => "hit",
            "no" | "false" | "0" | "pass" | "held" => "pass",
            _ => "not judged",
        },
        Value::Null | Value::Array(_) | Value::Object(_) => "not judged",
    }
}

/// A table with columns `prompt` and `response`, perhaps `goal`, `hazard`, `family`, `language`, `verdict`.
pub(super) fn csv(file: &str, text: &str) -> Imported {
    let mut imported = Imported::default();
    for (line, row) in csv_rows(&mut imported, file, text) {
        let (Some(prompt), Some(response)) = (row["prompt"].as_str(), row["response"].as_str()) else {
            imported.bad(file, line, "the row has no `prompt` or no `response`");
            continue;
        };
        let field = |name: &str| row[name].as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
        let mut claim = Claim { response: response.to_owned(), ..Claim::default() };
        claim.turns = vec![Message::user(prompt)];
        claim.goal = field("goal");
        claim.family = field("family");
        claim.language = field("language");
        if let Some(label) = field("hazard") {
            claim.hazard = if severity(&label).is_some() { Some(label.clone()) } else { hazard(&label) };
            if claim.hazard.is_none() {
                *imported.unknown.entry(format!("hazard {label}")).or_default() += 1;
                claim.more.insert("hazard_label".into(), json!(label));
            }
        }
        claim.verdict = hit_or_pass(&row["verdict"]);
        imported.finds.push(claim.into_find(Tool::Csv, file, line));
    }
    imported
}

/// The rows of a CSV file as objects, each with its line.
pub(super) fn csv_rows(imported: &mut Imported, file: &str, text: &str) -> Vec<(u64, Value)> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let Ok(names) = reader.headers().cloned() else {
        imported.bad(file, 1, "the first line is no header");
        return Vec::new();
    };
    let names: Vec<String> = names.iter().map(|name| name.trim().to_lowercase()).collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                if record.len() != names.len() {
                    imported.bad(
                        file,
                        line,
                        format!("the row has {} fields, and the header {}", record.len(), names.len()),
                    );
                    continue;
                }
                let row = names.iter().cloned().zip(record.iter().map(|field| json!(field)));
                rows.push((line, Value::Object(row.collect())));
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                imported.bad(file, line, format!("the row cannot be read: {error}"));
            }
        }
    }
    rows
}
