//! Which columns of a file hold the prompt and its labels, and a row's way from there to a prompt.

use super::Row;
use super::conversation::{BadPrompt, of_pair, of_value};
use super::responses::{Responses, first_turns};
use crate::pure::prompt::{Given, Message, Prompt};
use crate::pure::reason::Reason;
use crate::pure::recipe::Input;
use crate::pure::reject::Reject;
use crate::runtime::dataset::readers::Kind;
use crate::runtime::dataset::readers::{self, File, OpenError, TEXT_COLUMN};
use serde_json::{Map, Value};

/// The columns that hold prompts by their names, the first that a file has being taken.
pub const PROMPT_COLUMNS: &[&str] = &[
    "messages",
    "conversations",
    "conversation",
    "prompt",
    "chosen",
    "instruction",
    "question",
    "turns",
    "query",
    "text",
    "input",
    "history",
    "context",
];

/// Of those, the ones that can mean nothing else: a row without the file's column may have another of these.
const SURE_COLUMNS: &[&str] = &["messages", "conversations", "conversation", "prompt"];

const LANGUAGE_COLUMNS: &[&str] = &["language", "lang"];

/// Where a file's prompts and labels stand.
#[derive(Debug)]
pub(crate) struct Columns {
    /// `None` until a row shows one, in a file whose first rows cannot be read.
    prompt: Option<String>,
    /// Where else a row's prompt may be, when the user names no column.
    others: Vec<&'static str>,
    hazard: String,
    language: Vec<String>,
    drop_reply: bool,
    /// The responses that come along, where they are wanted.
    responses: Option<Responses>,
    /// Columns that the dataset carries on.
    kept: Vec<String>,
    /// Whether the user named the prompt's column.
    named: bool,
}

/// Columns that the dataset carries on, unless the user names others.
const KEPT_COLUMNS: [&str; 2] = ["id", "source"];

impl Columns {
    /// With `carried` the rows bring responses along.
    pub(crate) fn of(file: &File, input: &Input, carried: bool) -> Result<Self, OpenError> {
        let has = |name: &str| file.columns().iter().any(|column| column == name);
        let responses = carried.then(|| Responses::of(file, &input.responses)).transpose()?;
        let prompt = if file.kind() == Kind::Text {
            Some(TEXT_COLUMN.to_owned())
        } else {
            // A label that the user names must be there; a text file has no room for any.
            for label in [&input.hazard, &input.language].into_iter().flatten() {
                file.require(label)?;
            }
            match &input.column {
                Some(named) => {
                    file.require(named)?;
                    Some(named.clone())
                }
                None => find_prompt(has, responses.as_ref()),
            }
        };
        if prompt.is_none() && responses.is_none() && !file.columns().is_empty() {
            return Err(OpenError::NoPromptColumn {
                file: file.name().to_owned(),
                columns: file.columns().to_vec(),
            });
        }
        let taken = |name: &str| responses.as_ref().is_some_and(|responses| responses.holds(name));
        let others = if input.column.is_none() { SURE_COLUMNS } else { &[] };
        let others = others.iter().filter(|name| !taken(name)).copied().collect();
        let language = input.language.as_ref().map_or_else(
            || LANGUAGE_COLUMNS.iter().map(ToString::to_string).collect(),
            |named| vec![named.clone()],
        );
        let hazard = input.hazard.clone().unwrap_or_else(|| "hazard".into());
        let kept = match &input.keep {
            None => KEPT_COLUMNS.map(str::to_owned).to_vec(),
            Some(names) if file.kind() == Kind::Text => names.clone(),
            Some(names) => {
                names.iter().try_for_each(|name| file.require(name))?;
                names.clone()
            }
        };
        let (drop_reply, named) = (input.drop_reply, input.column.is_some());
        Ok(Self { prompt, others, hazard, language, drop_reply, responses, kept, named })
    }

    /// The columns that are looked at; `None` for all of them.
    pub(crate) fn needed(&self) -> Option<Vec<&str>> {
        let prompt = self.prompt.as_deref();
        let partner = prompt.and_then(partner);
        let labels = self.language.iter().map(String::as_str).chain([self.hazard.as_str()]);
        let responses: Vec<&str> = self.responses.iter().flat_map(Responses::names).collect();
        if prompt.is_none() && responses.is_empty() {
            return None;
        }
        let others = partner.into_iter().chain(self.others.iter().copied());
        let others = others.chain(self.kept.iter().map(String::as_str));
        Some(prompt.into_iter().chain(others).chain(responses).chain(labels).collect())
    }

    /// A row's prompt, or why it has none.
    pub(crate) fn read(&mut self, row: readers::Row) -> Row {
        let readers::Row { at, columns } = row;
        if self.prompt.is_none() {
            self.prompt = find_prompt(|name| columns.contains_key(name), self.responses.as_ref());
        }
        match self.conversation(&columns) {
            Ok((messages, given)) => {
                let hazard = label(columns.get(&self.hazard));
                let language = self.language.iter().find_map(|name| label(columns.get(name)));
                let prompt = Prompt::new(messages, hazard, language).with_given(given);
                Row::Prompt { prompt: prompt.with_kept(self.kept_of(&columns)), at }
            }
            Err(BadPrompt { reason, detail }) => {
                Row::Reject(Reject { prompt_id: None, at: Some(at), reason, detail })
            }
        }
    }

    /// The columns of a row that the dataset carries on.
    fn kept_of(&self, columns: &Map<String, Value>) -> Map<String, Value> {
        let held = self.kept.iter().filter_map(|name| Some((name.clone(), columns.get(name)?.clone())));
        held.filter(|(_, value)| !value.is_null()).collect()
    }

    /// The row's conversation, and the responses that it brings along.
    fn conversation(
        &mut self,
        columns: &Map<String, Value>,
    ) -> Result<(Vec<Message>, Vec<Given>), BadPrompt> {
        match self.responses.take() {
            None => Ok((self.messages(columns)?, Vec::new())),
            Some(mut responses) => {
                let names: Vec<&str> =
                    self.prompt.iter().map(String::as_str).chain(responses.names()).collect();
                let unpacked = first_turns(columns, &names);
                let columns = unpacked.as_ref().unwrap_or(columns);
                let read = responses.read(columns, self.named, || self.messages(columns));
                self.responses = Some(responses);
                read
            }
        }
    }

    fn messages(&self, columns: &Map<String, Value>) -> Result<Vec<Message>, BadPrompt> {
        let Some(name) = self.prompt.as_deref() else {
            return Err(BadPrompt::new(
                Reason::MissingColumn,
                "no column of the row is known to hold prompts",
            ));
        };
        let found = [name]
            .into_iter()
            .chain(self.others.iter().copied())
            .find_map(|name| columns.get(name).filter(|value| !value.is_null()).map(|value| (name, value)));
        let Some((name, value)) = found else {
            let detail = if columns.contains_key(name) {
                format!("column `{name}` is null")
            } else {
                format!("the row has no column `{name}`")
            };
            return Err(BadPrompt::new(Reason::MissingColumn, detail));
        };
        let beside = partner(name).and_then(|partner| columns.get(partner)).filter(|v| !v.is_null());
        if name == "chosen" {
            return of_pair(value, beside);
        }
        let mut messages = of_value(name, value, self.drop_reply)?;
        // Alpaca's rows: the instruction is about the input.
        if let (Some(Value::String(input)), [only]) = (beside, messages.as_mut_slice())
            && !input.trim().is_empty()
        {
            only.content.push_str("\n\n");
            only.content.push_str(input);
        }
        Ok(messages)
    }
}

/// The first known column of prompts that is there and holds no responses.
fn find_prompt(has: impl Fn(&str) -> bool, responses: Option<&Responses>) -> Option<String> {
    let taken = |name: &str| responses.is_some_and(|responses| responses.holds(name));
    PROMPT_COLUMNS.iter().find(|name| has(name) && !taken(name)).map(ToString::to_string)
}

/// The column that belongs to a prompt column, if there is one.
fn partner(prompt: &str) -> Option<&'static str> {
    match prompt {
        "chosen" => Some("rejected"),
        "instruction" => Some("input"),
        _ => None,
    }
}

/// A label's text; numbers are written out, and an empty one is none.
fn label(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}
