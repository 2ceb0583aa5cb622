//! The forms that principles come in, each read into drafts and notes.

use super::comments::without_comments;
use super::{Draft, Example, ImportError};
use crate::pure::transcript::Verdict;
use serde_json::{Map, Value};

type Read = (&'static str, Vec<Draft>, Vec<String>);

const PAPER_CRITIQUES: &str = "the paper's critique and revision requests";
const PAPER_COMPARISONS: &str = "the paper's comparison questions";
const HUGGING_FACE: &str = "the Hugging Face recipe";
const LANGCHAIN: &str = "LangChain's principles";
const PLAIN_TEXT: &str = "plain text, one principle per line";

const CRITIQUE_KEYS: &[&str] = &["critique_request", "critiqueRequest", "critic", "critique", "prompt"];
const REVISION_KEYS: &[&str] = &["revision_request", "revisionRequest", "revision", "edit_request"];

/// Finds out the form and reads it.
pub(super) fn read(source: &str) -> Result<Read, ImportError> {
    let source = source.trim_start_matches('\u{feff}');
    let (bare, comments) = without_comments(source);
    if !bare.trim_start().starts_with(['{', '[']) {
        if source.contains("ConstitutionalPrinciple(") {
            return Err(ImportError::UnknownForm(
                "it is Python; write its principles as JSON first: a list of `name`, `critique_request` and \
                 `revision_request`"
                    .into(),
            ));
        }
        return Ok(plain_text(source));
    }
    // What is no comment but an error is told of the source as it stands.
    let value = serde_json::from_str(if comments.is_empty() { source } else { &bare })
        .map_err(|e| ImportError::BadJson(e.to_string()))?;
    let (form, mut drafts, mut notes) = of_json(value)?;
    if let (Some(first), false) = (drafts.first_mut(), comments.is_empty()) {
        notes.push("the comments of the source stand before the first principle".into());
        first.comments.splice(0..0, comments);
    }
    Ok((form, drafts, notes))
}

fn of_json(value: Value) -> Result<Read, ImportError> {
    match value {
        Value::Array(items) => list(items),
        Value::Object(mut object) => {
            if let Some(Value::Array(items)) = object.remove("constitutions") {
                return hugging_face(items, object);
            }
            for key in ["constitutional_principles", "constitutionalPrinciples", "principles"] {
                if let Some(Value::Array(items)) = object.remove(key) {
                    let (form, drafts, mut notes) = list(items)?;
                    left_out(&object, "the file", &mut notes);
                    return Ok((form, drafts, notes));
                }
            }
            by_name(object)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(unknown()),
    }
}

fn unknown() -> ImportError {
    ImportError::UnknownForm(
        "its shape is none of those that are understood: the paper's JSON, the Hugging Face recipe's, LangChain's, or \
         a plain list of principles"
            .into(),
    )
}

/// A line is a principle; list marks before it are left out, and comments are kept. In a text that is mostly a list, an
/// indented line goes on with the item before it, and what introduces items is a comment too.
fn plain_text(source: &str) -> Read {
    let lines = || source.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#'));
    let is_item = |line: &str| without_mark(line.trim()) != line.trim();
    let is_indented = |line: &str| line.starts_with([' ', '\t']);
    let items = lines().filter(|line| is_item(line)).count();
    let is_list = items > 0 && 2 * items >= lines().filter(|line| !is_indented(line)).count();
    let (mut drafts, mut comments): (Vec<Draft>, Vec<String>) = (Vec::new(), Vec::new());
    let mut outside = 0;
    for line in source.lines() {
        let text = line.trim();
        if let Some(comment) = text.strip_prefix('#') {
            comments.push(comment.trim_start_matches('#').trim().to_owned());
        } else if let (true, Some(item)) = (is_list && is_indented(line) && !is_item(line), drafts.last_mut())
        {
            item.text.push(' ');
            item.text.push_str(text);
            item.text.truncate(item.text.trim_end().len());
        } else if is_list && !is_item(line) && !text.is_empty() && (drafts.is_empty() || text.ends_with(':'))
        {
            outside += 1;
            comments.push(text.to_owned());
        } else if !text.is_empty() {
            let text = without_mark(text).to_owned();
            drafts.push(Draft { text, comments: std::mem::take(&mut comments), ..Draft::default() });
        }
    }
    let mut notes = Vec::new();
    if outside > 0 {
        let lines = if outside == 1 {
            "1 line outside the list stands as a comment".into()
        } else {
            format!("{outside} lines outside the list stand as comments")
        };
        notes.push(lines);
    }
    if !comments.is_empty() {
        notes.push("the comment at the end of the file, after the last principle, is left out".into());
    }
    (PLAIN_TEXT, drafts, notes)
}

/// The line without `- `, `* `, `• `, `3. ` or `3) ` before it.
fn without_mark(line: &str) -> &str {
    let bullet = ["- ", "* ", "• "].iter().find_map(|mark| line.strip_prefix(mark));
    let number = || {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let rest = rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") "))?;
        line.starts_with(|c: char| c.is_ascii_digit()).then_some(rest)
    };
    bullet.or_else(number).unwrap_or(line).trim()
}

fn list(items: Vec<Value>) -> Result<Read, ImportError> {
    if items.iter().all(Value::is_string) {
        return comparisons(&items);
    }
    let mut notes = Vec::new();
    let drafts = items
        .into_iter()
        .enumerate()
        .map(|(n, item)| match item {
            Value::Object(fields) => requests(None, fields, &format!("principle {}", n + 1), &mut notes),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(unknown())
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    requests_as_rules(&mut notes);
    Ok((LANGCHAIN, drafts, notes))
}

/// Questions about two responses: `…choose the response that is less harmful. Options:`.
fn comparisons(items: &[Value]) -> Result<Read, ImportError> {
    let texts: Vec<_> = items.iter().filter_map(Value::as_str).collect();
    if texts.iter().any(|text| text.contains("\n\nHuman:") || text.contains("\n\nAssistant:")) {
        return Err(ImportError::UnknownForm(
            "it holds few-shot conversations, not principles; write them as `[[principle.example]]` of the principles \
             they belong to"
                .into(),
        ));
    }
    let drafts = texts.iter().map(|text| question(None, text));
    Ok((PAPER_COMPARISONS, drafts.collect(), questions_as_rules()))
}

fn question(name: Option<String>, text: &str) -> Draft {
    let question = between(text, "", "Options:");
    Draft { name, text: question.clone(), compare: Some(question), ..Draft::default() }
}

fn questions_as_rules() -> Vec<String> {
    vec![
        "the source has only questions about pairs; each stands as `compare` and as the principle's `text`: reword \
         `text` as a statement about one response before you use it for critiques"
            .into(),
    ]
}

/// A question by its name, or several.
fn named_comparisons(object: Map<String, Value>) -> Result<Read, ImportError> {
    let mut drafts = Vec::new();
    for (name, value) in object {
        drafts.extend(texts(value)?.iter().map(|text| question(Some(name.clone()), text)));
    }
    Ok((PAPER_COMPARISONS, drafts, questions_as_rules()))
}

fn by_name(object: Map<String, Value>) -> Result<Read, ImportError> {
    let is_text = |value: &Value| match value {
        Value::String(_) => true,
        Value::Array(items) => items.iter().all(Value::is_string),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    };
    if !object.is_empty() && object.values().all(is_text) {
        return named_comparisons(object);
    }
    let is_paper = object.values().any(|v| v.get("edit_request").is_some());
    let mut notes = Vec::new();
    let drafts = object
        .into_iter()
        .map(|(name, value)| match value {
            Value::Object(fields) => {
                let place = format!("`{name}`");
                requests(Some(name), fields, &place, &mut notes)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(unknown())
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    requests_as_rules(&mut notes);
    Ok((if is_paper { PAPER_CRITIQUES } else { LANGCHAIN }, drafts, notes))
}

fn requests_as_rules(notes: &mut Vec<String>) {
    notes.push(
        "the source has requests and no rules; each principle's `text` is its revision request: reword it as a \
         statement about the response"
            .into(),
    );
}

/// A principle given by a critique request and a revision request, under any of their names.
fn requests(
    name: Option<String>,
    mut fields: Map<String, Value>,
    place: &str,
    notes: &mut Vec<String>,
) -> Result<Draft, ImportError> {
    let mut take = |keys: &[&str]| keys.iter().find_map(|key| fields.remove(*key));
    let critique = take(CRITIQUE_KEYS).map(texts).transpose()?.unwrap_or_default();
    let revision = take(REVISION_KEYS).map(texts).transpose()?.unwrap_or_default();
    let name = take(&["name", "id", "title"]).and_then(|v| v.as_str().map(str::to_owned)).or(name);
    if critique.len() > 1 {
        notes.push(format!("{place} has {} critique requests; they are joined into one", critique.len()));
    }
    left_out(&fields, place, notes);
    let request = |texts: &[String], before: &str, after: &str| {
        let whole = texts.iter().map(|text| between(text, before, after)).collect::<Vec<_>>().join("\n\n");
        (!whole.trim().is_empty()).then_some(whole)
    };
    let critique = request(&critique, "CritiqueRequest:", "Critique:");
    let revision = request(&revision, "RevisionRequest:", "Revision:");
    let text = revision.clone().or_else(|| critique.clone()).ok_or_else(unknown)?;
    if revision.is_none() {
        notes.push(format!("{place} has no revision request; its `text` is the critique request"));
    }
    Ok(Draft { name, text, critique, revision, ..Draft::default() })
}

fn texts(value: Value) -> Result<Vec<String>, ImportError> {
    match value {
        Value::String(text) => Ok(vec![text]),
        Value::Array(items) => {
            items.into_iter().map(texts).collect::<Result<Vec<_>, _>>().map(|t| t.concat())
        }
        Value::Null => Ok(Vec::new()),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(unknown()),
    }
}

/// The text without the marks of the paper's prompt format around it.
fn between(text: &str, before: &str, after: &str) -> String {
    let text = text.trim();
    let text = text.strip_prefix(before).unwrap_or(text);
    text.strip_suffix(after).unwrap_or(text).trim().to_owned()
}

fn left_out(fields: &Map<String, Value>, place: &str, notes: &mut Vec<String>) {
    for key in fields.keys() {
        notes.push(format!("`{key}` of {place} has no counterpart and is left out"));
    }
}

fn hugging_face(items: Vec<Value>, mut rest: Map<String, Value>) -> Result<Read, ImportError> {
    let (_, mut drafts, mut notes) = list(items)?;
    let shots = match rest.remove("system_chat") {
        Some(Value::Array(turns)) if turns.iter().all(Value::is_object) => conversations(&turns),
        Some(Value::Array(shots)) => shots,
        Some(_) | None => Vec::new(),
    };
    for (n, shot) in shots.iter().enumerate() {
        if let Err(why) = place_example(shot, &mut drafts) {
            notes.push(format!("few-shot conversation {} is left out: {why}", n + 1));
        }
    }
    left_out(&rest, "the file", &mut notes);
    Ok((HUGGING_FACE, drafts, notes))
}

/// Turns that stand in one list: six of them are a prompt, a response, a critique, a revision, and what asks for them.
fn conversations(turns: &[Value]) -> Vec<Value> {
    turns.chunks(6).map(|turns| Value::Array(turns.to_vec())).collect()
}

/// Adds a few-shot conversation to the principle whose requests it shows: … user, assistant, critique request,
/// critique, revision request, revision.
fn place_example(shot: &Value, drafts: &mut [Draft]) -> Result<(), &'static str> {
    let shape = "it is not a conversation of a prompt, a response, a critique and a revision";
    let turns: Vec<(&str, &str)> = shot
        .as_array()
        .ok_or(shape)?
        .iter()
        .map(|turn| Some((turn.get("role")?.as_str()?, turn.get("content")?.as_str()?.trim())))
        .collect::<Option<_>>()
        .ok_or(shape)?;
    let [
        before @ ..,
        ("user", prompt),
        ("assistant", response),
        ("user", asks),
        ("assistant", critique),
        ("user", wants),
        ("assistant", revision),
    ] = turns.as_slice()
    else {
        return Err(shape);
    };
    let draft = drafts
        .iter_mut()
        .find(|d| d.critique.as_deref() == Some(asks) || d.revision.as_deref() == Some(wants))
        .ok_or("no principle of the file has its critique or revision request")?;
    let earlier = before.iter().map(|(role, content)| match *role {
        "assistant" => format!("Assistant: {content}\n\n"),
        _ => format!("Human: {content}\n\n"),
    });
    let mut whole: String = earlier.collect();
    if !whole.is_empty() {
        whole.push_str("Human: ");
    }
    whole.push_str(prompt);
    let changed = response != revision;
    draft.examples.push(Example {
        prompt: whole,
        response: (*response).to_owned(),
        critique: (*critique).to_owned(),
        verdict: if changed { Verdict::Violates } else { Verdict::Conforms },
        revision: changed.then(|| (*revision).to_owned()),
    });
    Ok(())
}
