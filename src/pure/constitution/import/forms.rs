//! The forms that principles come in, each read into drafts and notes.

use super::comments::without_comments;
use super::{Draft, Example, ImportError, text, yaml};
use crate::pure::transcript::Verdict;
use serde_json::{Map, Value};

type Read = (&'static str, Vec<Draft>, Vec<String>);

const PAPER_CRITIQUES: &str = "the paper's critique and revision requests";
const PAPER_COMPARISONS: &str = "the paper's comparison questions";
const HUGGING_FACE: &str = "the Hugging Face recipe";
const LANGCHAIN: &str = "LangChain's principles";
const PLAIN: &str = "a list of principles";

/// Keys below which a list of principles stands.
const LIST_KEYS: [&str; 8] = [
    "constitutional_principles",
    "constitutionalPrinciples",
    "principles",
    "constitution",
    "rules",
    "guidelines",
    "policies",
    "values",
];

/// Keys of a principle's statement about a response.
const TEXT_KEYS: &[&str] =
    &["text", "principle", "rule", "statement", "guideline", "policy", "description", "content"];

const CRITIQUE_KEYS: &[&str] = &["critique_request", "critiqueRequest", "critic", "critique", "prompt"];
const REVISION_KEYS: &[&str] = &["revision_request", "revisionRequest", "revision", "edit_request"];

/// Finds out the form and reads it. `ending` is that of the file's name, in lower case.
pub(super) fn read(source: &str, ending: &str) -> Result<Read, ImportError> {
    let source = source.trim_start_matches('\u{feff}');
    match ending {
        "yaml" | "yml" => return of_data(yaml::parse(source)?),
        "toml" => {
            let what =
                "it is TOML; a constitution of amend needs no import: `amend check` says whether this is one";
            return Err(ImportError::UnknownForm(what.into()));
        }
        "jsonl" | "ndjson" => return of_data(json_lines(source)?),
        _ => {}
    }
    let (bare, comments) = without_comments(source);
    if !bare.trim_start().starts_with(['{', '[']) {
        if source.contains("ConstitutionalPrinciple(") {
            return Err(ImportError::UnknownForm(
                "it is Python; write its principles as JSON first: a list of `name`, `critique_request` and \
                 `revision_request`"
                    .into(),
            ));
        }
        return of_text(source, ending);
    }
    // What is no comment but an error is told of the source as it stands.
    let value = serde_json::from_str(if comments.is_empty() { source } else { &bare })
        .map_err(|e| ImportError::BadJson(e.to_string()))?;
    let (form, mut drafts, mut notes) = of_data(value)?;
    if let (Some(first), false) = (drafts.first_mut(), comments.is_empty()) {
        notes.push("the comments of the source stand before the first principle".into());
        first.comments.splice(0..0, comments);
    }
    Ok((form, drafts, notes))
}

/// JSON Lines as one list.
fn json_lines(source: &str) -> Result<Value, ImportError> {
    let lines = source.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let row = |(n, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| ImportError::BadJson(format!("line {}: {error}", n + 1)))
    };
    lines.map(row).collect::<Result<_, _>>().map(Value::Array)
}

fn of_text(source: &str, ending: &str) -> Result<Read, ImportError> {
    let named = match ending {
        "tsv" => Some(b'\t'),
        "csv" => Some(text::separator_of(source).unwrap_or(b',')),
        _ => text::separator_of(source),
    };
    if let Some(separator) = named {
        return text::table(source, separator).map(|(drafts, notes)| (text::TABLE, drafts, notes));
    }
    if yaml::looks_so(source) {
        return of_data(yaml::parse(source)?);
    }
    text::lines(source).map(|(drafts, notes)| (text::LINES, drafts, notes))
}

/// Reads what JSON or YAML holds.
fn of_data(value: Value) -> Result<Read, ImportError> {
    match value {
        Value::Array(items) => list(items),
        Value::Object(mut object) => {
            if let Some((drafts, notes)) = yaml::nemo(&object) {
                return Ok((yaml::NEMO, drafts, notes));
            }
            if let Some((drafts, notes)) = yaml::promptfoo(&object) {
                return Ok((yaml::PROMPTFOO, drafts, notes));
            }
            if let Some(Value::Array(items)) = object.remove("constitutions") {
                return hugging_face(items, object);
            }
            for key in LIST_KEYS {
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
        "its shape is none of those that are understood: the paper's JSON, the Hugging Face recipe's, LangChain's, NeMo \
         Guardrails', promptfoo's, or a list of principles, as texts or with `text`"
            .into(),
    )
}

fn list(items: Vec<Value>) -> Result<Read, ImportError> {
    if items.iter().all(Value::is_string) {
        let is_question = |item: &Value| item.as_str().is_some_and(asks_about_two);
        if items.iter().any(is_question)
            || items.iter().any(|item| is_conversation(item.as_str().unwrap_or_default()))
        {
            return comparisons(&items);
        }
        let drafts = items.iter().filter_map(Value::as_str).map(|text| plain(None, text)).collect();
        return Ok((PLAIN, drafts, Vec::new()));
    }
    if items.iter().all(|item| stated(item).is_some()) {
        return stated_list(items);
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

/// Whether a text asks which of two responses is better.
fn asks_about_two(text: &str) -> bool {
    let text = text.to_lowercase();
    let begins = ["choose", "please choose", "which", "pick", "select", "compare"];
    text.contains("options:") || begins.iter().any(|begin| text.trim_start().starts_with(begin))
}

fn is_conversation(text: &str) -> bool {
    text.contains("\n\nHuman:") || text.contains("\n\nAssistant:")
}

fn plain(name: Option<String>, text: &str) -> Draft {
    Draft { name, text: text.trim().to_owned(), ..Draft::default() }
}

/// The statement of a principle that has one.
fn stated(item: &Value) -> Option<&str> {
    TEXT_KEYS.iter().find_map(|key| item.get(*key)).and_then(Value::as_str)
}

/// Principles that are statements, each with a name and requests where it has them.
fn stated_list(items: Vec<Value>) -> Result<Read, ImportError> {
    let (mut drafts, mut notes) = (Vec::new(), Vec::new());
    for (n, item) in items.into_iter().enumerate() {
        let Value::Object(mut fields) = item else { return Err(unknown()) };
        let mut take = |keys: &[&str]| keys.iter().find_map(|key| fields.remove(*key));
        let text = take(TEXT_KEYS).and_then(|v| v.as_str().map(str::to_owned)).ok_or_else(unknown)?;
        let name = take(&["id", "name", "title", "key"]).and_then(|v| v.as_str().map(str::to_owned));
        let mut request =
            |keys: &[&str]| take(keys).map(texts).transpose().map(|t| t.map(|t| t.join("\n\n")));
        let (critique, revision) = (request(CRITIQUE_KEYS)?, request(REVISION_KEYS)?);
        left_out(&fields, &format!("principle {}", n + 1), &mut notes);
        drafts.push(Draft { critique, revision, ..plain(name, &text) });
    }
    Ok((PLAIN, drafts, notes))
}

/// Questions about two responses: `…choose the response that is less harmful. Options:`.
fn comparisons(items: &[Value]) -> Result<Read, ImportError> {
    let texts: Vec<_> = items.iter().filter_map(Value::as_str).collect();
    if texts.iter().any(|text| is_conversation(text)) {
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
        let first =
            |value: &Value| value.as_str().or_else(|| value.as_array()?.first()?.as_str()).map(str::to_owned);
        if object.values().filter_map(first).any(|text| asks_about_two(&text)) {
            return named_comparisons(object);
        }
        let mut drafts = Vec::new();
        for (name, value) in object {
            drafts.extend(texts(value)?.iter().map(|text| plain(Some(name.clone()), text)));
        }
        return Ok((PLAIN, drafts, Vec::new()));
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
