//! Which propositions are true of a response: by rules where they decide, else by one call.
//!
//! The request has the block of all propositions first, the same for every style and every prompt, then the conversation and
//! the response, and the ids that are asked about last. So a prefix cache holds the block for all of them.

use super::prompt_session::Asking;
use crate::pure::ask::{Ask, Stop};
use crate::pure::call::{Purpose, ResponseFormat};
use crate::pure::constitution::{Proposition, RefusalClass, Rule, Style};
use crate::pure::gates::{Refusal, refusal};
use crate::pure::grade::{Finding, Truth};
use crate::pure::prompt::{Message, Speaker};
use crate::pure::recipe::VerdictForm;
use crate::pure::template::proposition_schema;
use crate::pure::text::loose_json;
use serde_json::{Value, json};

/// What is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    /// The style that the response is held against.
    pub(super) style: &'a Style,
    /// The response.
    pub(super) text: &'a str,
}

/// Finds out about every proposition that the style's grade depends on, in file order.
pub(super) async fn decide<A: Ask>(
    asking: &Asking<'_, A>,
    reading: &Reading<'_>,
) -> Result<Vec<Finding>, Stop> {
    let wanted = asking.cx.constitution.styles.propositions_of(reading.style);
    let by_rule: Vec<Truth> = wanted.iter().map(|proposition| by_rule(proposition, reading.text)).collect();
    let open: Vec<&str> = wanted
        .iter()
        .zip(&by_rule)
        .filter(|(_, truth)| truth.is_none())
        .map(|(proposition, _)| proposition.id.as_str())
        .collect();
    let mut heard = if open.is_empty() { Vec::new() } else { ask(asking, reading, &open).await? }.into_iter();
    let finding = |(proposition, truth): (&&Proposition, Truth)| {
        let by_rule = truth.is_some();
        let holds = if by_rule { truth } else { heard.next().flatten() };
        Finding { id: proposition.id.clone(), holds, by_rule }
    };
    Ok(wanted.iter().zip(by_rule).map(finding).collect())
}

/// What a proposition's rule says of a text, where it can.
fn by_rule(proposition: &Proposition, text: &str) -> Truth {
    match proposition.rule.as_ref()? {
        Rule::Refusal(classes) => {
            let read = match refusal(text) {
                Refusal::Full => RefusalClass::Full,
                Refusal::Partial => RefusalClass::Partial,
                Refusal::None => RefusalClass::None,
            };
            Some(classes.contains(&read))
        }
        // A pattern was checked when it was read.
        Rule::Pattern(pattern) => {
            regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text)).then_some(true)
        }
    }
}

/// Asks which of the open propositions are true; in their order.
async fn ask<A: Ask>(
    asking: &Asking<'_, A>,
    reading: &Reading<'_>,
    open: &[&str],
) -> Result<Vec<Truth>, Stop> {
    let cx = asking.cx;
    let structured = cx.verdict_form() == VerdictForm::Json;
    let block = cx.templates.propositions(&cx.constitution.styles.propositions, structured)?;
    let format =
        structured.then(|| ResponseFormat { name: "propositions".into(), schema: proposition_schema(open) });
    let messages = vec![Message::new(Speaker::System, block), Message::user(shown(asking, reading, open))];
    let names = open.iter().map(|id| (*id).to_owned()).collect();
    let purpose = Purpose::Propositions { style: reading.style.id.clone(), propositions: names };
    let answered = asking.answer_of_any_draw(&purpose, &messages, 0, format).await?;
    Ok(answered
        .answer
        .complete()
        .map_or_else(|| vec![None; open.len()], |text| read_propositions(text, open)))
}

/// The conversation and the response as data, then the ids that are asked about.
fn shown<A: Ask>(asking: &Asking<'_, A>, reading: &Reading<'_>, open: &[&str]) -> String {
    let mut shown = String::new();
    for turn in asking.cx.opening(asking.prompt) {
        shown.push_str(&json!({ "role": turn.role.as_str(), "content": turn.content }).to_string());
        shown.push('\n');
    }
    shown.push_str(&json!({ "role": "answer", "content": reading.text }).to_string());
    shown.push_str("\n\nSay of these whether they are true of the answer:");
    for id in open {
        shown.push_str("\n[");
        shown.push_str(id);
        shown.push(']');
    }
    shown
}

/// Reads which propositions are true: an object with their ids, or a line for each. One that is not named, or twice with
/// different answers, is `None`.
pub fn read_propositions(answer: &str, ids: &[&str]) -> Vec<Truth> {
    let object = loose_json::parse(answer.trim()).ok().map(|read| read.value);
    if let Some(Value::Object(object)) = object {
        return ids.iter().map(|id| truth_of(object.get(*id)?)).collect();
    }
    let mut heard: Vec<Option<Truth>> = vec![None; ids.len()];
    for line in answer.lines() {
        let Some((at, said)) = ids.iter().enumerate().find_map(|(at, id)| Some((at, said_of(line, id)?)))
        else {
            continue;
        };
        if let Some(slot) = heard.get_mut(at) {
            *slot = match *slot {
                None => Some(said),
                Some(before) => Some(before.filter(|before| Some(*before) == said)),
            };
        }
    }
    heard.into_iter().map(Option::flatten).collect()
}

fn truth_of(value: &Value) -> Truth {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(word) => truth_word(word),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn truth_word(word: &str) -> Truth {
    match word.trim().to_lowercase().as_str() {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}

/// What a line says of a proposition; `None` where it is about something else. The word comes right after the id.
fn said_of(line: &str, id: &str) -> Option<Truth> {
    let line = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    let rest = line.strip_prefix(id)?;
    if rest.starts_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_') {
        return None;
    }
    let word: String = rest
        .trim_start_matches(|c: char| !c.is_alphanumeric())
        .chars()
        .take_while(|c| c.is_alphanumeric())
        .collect();
    Some(truth_word(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_line_by_line_or_as_an_object() {
        let check = |answer: &str, expected: [Truth; 2]| {
            assert_eq!(read_propositions(answer, &["refuses", "refuses-kindly"]), expected, "{answer}");
        };
        let (yes, no) = (Some(true), Some(false));
        check("[refuses] yes\n[refuses-kindly] no", [yes, no]);
        check("- **refuses**: Yes.\n- **refuses-kindly**: No, it does not.", [yes, no]);
        check("{\"refuses\": true, \"refuses-kindly\": \"no\"}", [yes, no]);
        check("```json\n{\"refuses\": false}\n```", [no, None]);
        check("[refuses] perhaps\n[refuses-kindly] no", [None, no]);
        check("[refuses] yes\n[refuses] no", [None, None]);
        check("[refuses] yes\n[refuses] yes", [yes, None]);
        check("It refuses, yes.", [None, None]);
        check("", [None, None]);
    }
}
