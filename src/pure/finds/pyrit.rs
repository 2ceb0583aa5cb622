//! PyRIT: its memory, one line for each piece of a message, as JSON or CSV. Pieces are grouped by conversation and ordered by
//! their sequence, whatever their order in the file.

use super::salvage::entries;
use super::sets::csv_rows;
use super::{Claim, Imported, Tool, lines};
use crate::pure::prompt::{Message, Speaker};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One piece of a conversation.
struct Piece {
    sequence: i64,
    /// Its place in the file, for pieces of one sequence.
    line: u64,
    row: Value,
}

pub(super) fn read(file: &str, text: &str) -> Imported {
    let mut imported = Imported::default();
    let mut conversations: BTreeMap<String, Vec<Piece>> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for (line, row) in rows(&mut imported, file, text) {
        let (Some(id), Some(sequence)) = (row["conversation_id"].as_str(), number(&row["sequence"])) else {
            imported.bad(file, line, "the piece has no `conversation_id` or no `sequence`");
            continue;
        };
        if !conversations.contains_key(id) {
            order.push(id.to_owned());
        }
        conversations.entry(id.to_owned()).or_default().push(Piece { sequence, line, row: row.clone() });
    }
    for id in order {
        let Some(mut pieces) = conversations.remove(&id) else { continue };
        pieces.sort_by_key(|piece| (piece.sequence, piece.line));
        conversation(&mut imported, file, &id, &pieces);
    }
    imported
}

fn rows(imported: &mut Imported, file: &str, text: &str) -> Vec<(u64, Value)> {
    if text.trim_start().starts_with('[') {
        let (found, broken) = entries(text, None).unwrap_or_default();
        if let Some(line) = broken {
            imported.bad(file, line, "the file ends in the middle of a piece, or is no JSON from here on");
        }
        return found;
    }
    if !text.trim_start().starts_with('{') {
        return csv_rows(imported, file, text);
    }
    let mut found = Vec::new();
    for (line, text) in lines(text) {
        match serde_json::from_str(text) {
            Ok(row) => found.push((line, row)),
            Err(error) => imported.bad(file, line, format!("the line is not JSON: {error}")),
        }
    }
    found
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// What was sent: after conversion, where there was one.
fn sent(row: &Value) -> Option<&str> {
    let converted = row["converted_value"].as_str().filter(|text| !text.is_empty());
    converted.or_else(|| row["original_value"].as_str())
}

/// A claim for the last answer of a conversation.
fn conversation(imported: &mut Imported, file: &str, id: &str, pieces: &[Piece]) {
    let mut turns: Vec<Message> = Vec::new();
    for Piece { line, row, .. } in pieces {
        let Some(text) = sent(row) else {
            imported.bad(file, *line, "the piece has neither `converted_value` nor `original_value`");
            continue;
        };
        let speaker = match row["role"].as_str() {
            Some("system") => Speaker::System,
            Some("assistant") => Speaker::Assistant,
            _ => Speaker::User,
        };
        match turns.last_mut() {
            // A message of several pieces is one turn.
            Some(last) if last.role == speaker => {
                last.content.push('\n');
                last.content.push_str(text);
            }
            _ => turns.push(Message::new(speaker, text)),
        }
    }
    let (Some(last), true) =
        (pieces.last(), turns.last().is_some_and(|turn| turn.role == Speaker::Assistant))
    else {
        return imported.skip("conversations without an answer");
    };
    let error = last.row["response_error"].as_str().unwrap_or("none");
    if !matches!(error, "none" | "" | "blocked") {
        return imported.skip("answers that were errors");
    }
    let response = turns.pop().map(|turn| turn.content).unwrap_or_default();
    let asked = pieces.iter().rev().find(|piece| piece.row["role"].as_str() != Some("assistant"));
    let mut claim = Claim { key: Some(id.to_owned()), turns, response, ..Claim::default() };
    claim.goal = asked.and_then(|piece| piece.row["original_value"].as_str()).map(str::to_owned);
    let converters = asked.map(|piece| converters(&piece.row["converter_identifiers"])).unwrap_or_default();
    claim.attack = converters.first().cloned();
    claim.verdict = if error == "blocked" { "blocked" } else { "not judged" };
    claim.more.insert("conversation".into(), json!(id));
    if !converters.is_empty() {
        claim.more.insert("converters".into(), json!(converters));
    }
    imported.finds.push(claim.into_find(Tool::Pyrit, file, last.line));
}

/// The names of converters, of a list of objects or of its text.
fn converters(value: &Value) -> Vec<String> {
    let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok());
    let list: &Value = parsed.as_ref().unwrap_or(value);
    let name = |one: &Value| {
        let named = ["__type__", "class_name", "name"].iter().find_map(|key| one[*key].as_str());
        named.or_else(|| one.as_str()).map(str::to_owned)
    };
    list.as_array().into_iter().flatten().filter_map(name).collect()
}
