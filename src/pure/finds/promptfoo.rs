//! promptfoo: results of version 3, as one JSON value or as JSON lines.

use super::names::{hazard, promptfoo_plugin, promptfoo_strategy};
use super::salvage::entries;
use super::{Claim, Imported, Tool, lines};
use crate::pure::prompt::Message;
use serde_json::{Value, json};

/// What `failureReason` says: an assertion failed, or the test itself.
const ASSERTION: i64 = 1;
const ERROR: i64 = 2;

pub(super) fn read(file: &str, text: &str) -> Imported {
    let mut imported = Imported::default();
    // One value has its results in an array within `results`; of lines each is a result.
    let is_lines = lines(text)
        .nth(1)
        .is_some_and(|(_, line)| line.trim_start().starts_with('{') && line.contains("promptIdx"));
    if is_lines || !text.contains("\"results\"") {
        for (line, text) in lines(text) {
            match serde_json::from_str::<Value>(text) {
                Ok(entry) => result(&mut imported, file, line, &entry),
                Err(error) => imported.bad(file, line, format!("the line is not JSON: {error}")),
            }
        }
        return imported;
    }
    match entries(text, Some("results.results")) {
        None => imported.bad(file, 1, "there is no `results.results`"),
        Some((found, broken)) => {
            for (line, entry) in found {
                result(&mut imported, file, line, &entry);
            }
            if let Some(line) = broken {
                imported.bad(
                    file,
                    line,
                    "the file ends in the middle of a result, or is no JSON from here on",
                );
            }
        }
    }
    imported
}

fn result(imported: &mut Imported, file: &str, line: u64, entry: &Value) {
    // `error` holds the message of a failed assertion too, so only the reason tells whether the test itself failed.
    let reason = entry["failureReason"].as_i64();
    if reason == Some(ERROR) {
        return imported.skip("tests that ended in an error");
    }
    if entry["gradingResult"]["metadata"]["graderError"].as_bool() == Some(true) {
        return imported.skip("tests that the grader could not judge");
    }
    let Some(response) = answer_of(&entry["response"]["output"]) else {
        return imported.bad(file, line, "the result has no `response.output`");
    };
    let Some(turns) = turns_of(entry) else {
        return imported.bad(file, line, "the result has no `prompt.raw`, and its `vars` no `prompt`");
    };
    let metadata = |name: &str| {
        let own = entry["metadata"][name].as_str();
        own.or_else(|| entry["testCase"]["metadata"][name].as_str()).map(str::to_owned)
    };
    let (plugin, strategy) = (metadata("pluginId"), metadata("strategyId"));
    let mut claim = Claim { goal: metadata("goal"), turns, response, ..Claim::default() };
    let mut unknown =
        |kind: &str, name: &str| *imported.unknown.entry(format!("{kind} {name}")).or_default() += 1;
    if let Some(plugin) = &plugin {
        claim.hazard = promptfoo_plugin(plugin).and_then(|meaning| meaning.hazard.clone());
        // A category that a set of prompts brings along may be of a taxonomy that we know.
        claim.hazard = claim.hazard.or_else(|| hazard(metadata("harmCategory")?.as_str()));
        if claim.hazard.is_none() {
            unknown("plugin", plugin);
        }
        claim.more.insert("plugin".into(), json!(plugin));
    }
    if let Some(strategy) = &strategy {
        claim.family = promptfoo_strategy(strategy).and_then(|meaning| meaning.family.clone());
        if claim.family.is_none() {
            unknown("strategy", strategy);
        }
        claim.more.insert("strategy".into(), json!(strategy));
    }
    claim.attack = strategy.or(plugin);
    claim.verdict = if reason == Some(ASSERTION) { "hit" } else { "pass" };
    claim.key = entry["id"].as_str().map(str::to_owned);
    claim.more.insert("score".into(), entry["score"].clone());
    imported.finds.push(claim.into_find(Tool::Promptfoo, file, line));
}

/// A provider gives a text, or an object that a test looked into.
fn answer_of(output: &Value) -> Option<String> {
    match output {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The prompt as it was sent: a text, or the JSON of messages.
fn turns_of(entry: &Value) -> Option<Vec<Message>> {
    let raw = entry["prompt"]["raw"].as_str().or_else(|| entry["vars"]["prompt"].as_str())?;
    let messages: Option<Vec<Message>> = serde_json::from_str(raw).ok();
    Some(messages.filter(|messages| !messages.is_empty()).unwrap_or_else(|| vec![Message::user(raw)]))
}
