//! Which columns of a file hold the prompt and its labels, and a row's way from there to a prompt.

use super::Row;
use super::conversation::{BadPrompt, check, of_pair, of_value, speaker_of};
use super::responses::{Responses, first_turns};
use crate::pure::prompt::{Given, Message, Prompt, Speaker};
use crate::pure::reason::Reason;
use crate::pure::recipe::Input;
use crate::pure::reject::Reject;
use crate::pure::request_class::RequestClass;
use crate::runtime::dataset::readers::Kind;
use crate::runtime::dataset::readers::{self, File, OpenError, TEXT_COLUMN};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    // Sets of harmful requests: LMSYS and ToxicChat, StrongREJECT, AdvBench and JailbreakBench, HarmBench.
    "user_input",
    "forbidden_prompt",
    "goal",
    "behavior",
];

/// The columns that hold a system turn for the prompt beside them.
const SYSTEM_COLUMNS: &[&str] = &["system", "system_prompt"];

/// The column of earlier turns beside a prompt, as a list of pairs of a question and its answer (Alpaca's multi-turn form).
const HISTORY_COLUMN: &str = "history";

/// Columns of a conversation tree with a row for each turn (OpenAssistant's flat form): who speaks, and the turn before.
const TREE_COLUMNS: [&str; 2] = ["role", "parent_id"];

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
    /// Conversations whose last reply was left out.
    dropped: Arc<AtomicU64>,
    /// The responses that come along, where they are wanted.
    responses: Option<Responses>,
    /// Columns that the dataset carries on.
    kept: Vec<String>,
    /// Whether the user named the prompt's column.
    named: bool,
    /// Whether the prompts have a class and a locale, and carry their labels along.
    labelled: bool,
}

/// Columns that the dataset carries on, unless the user names others.
const KEPT_COLUMNS: [&str; 2] = ["id", "source"];

/// Labels of seed prompts that are carried along with styled answers.
const LABEL_COLUMNS: [&str; 7] =
    ["topic", "persona", "contrast_of", "twin", "localise", "technique", "made_by"];

/// The columns of a prompt's class. The second is a column of the shipped seeds; it is no part of a prompt's id.
const CLASS_COLUMN: &str = "class";
const SIDE_COLUMN: &str = "side";
const LOCALE_COLUMN: &str = "locale";

impl Columns {
    /// With `carried` the rows bring responses along. `dropped` counts the replies that are left out.
    pub(crate) fn of(
        file: &File,
        input: &Input,
        carried: bool,
        dropped: &Arc<AtomicU64>,
    ) -> Result<Self, OpenError> {
        let dropped = Arc::clone(dropped);
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
                None => find_prompt(&mut file.columns().iter().map(String::as_str), responses.as_ref()),
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
        let labelled = input.carries_labels;
        let kept =
            if labelled { kept.into_iter().chain(LABEL_COLUMNS.map(str::to_owned)).collect() } else { kept };
        Ok(Self { prompt, others, hazard, language, drop_reply, dropped, responses, kept, named, labelled })
    }

    /// The columns that are looked at; `None` for all of them.
    pub(crate) fn needed(&self) -> Option<Vec<&str>> {
        let prompt = self.prompt.as_deref();
        let labels = self.language.iter().map(String::as_str).chain([self.hazard.as_str()]);
        let responses: Vec<&str> = self.responses.iter().flat_map(Responses::names).collect();
        if prompt.is_none() && responses.is_empty() {
            return None;
        }
        let partners: &[&'static str] = prompt.map_or(&[], partners);
        let beside = [partners, SYSTEM_COLUMNS, &[HISTORY_COLUMN], &TREE_COLUMNS].concat();
        let others = beside.into_iter().chain(self.others.iter().copied());
        let others = others.chain(self.kept.iter().map(String::as_str));
        let classes = if self.labelled { &[CLASS_COLUMN, SIDE_COLUMN, LOCALE_COLUMN][..] } else { &[] };
        let others = others.chain(classes.iter().copied());
        Some(prompt.into_iter().chain(others).chain(responses).chain(labels).collect())
    }

    /// A row's prompt, or why it has none.
    pub(crate) fn read(&mut self, row: readers::Row) -> Row {
        let readers::Row { at, columns } = row;
        if self.prompt.is_none() {
            self.prompt = find_prompt(&mut columns.keys().map(String::as_str), self.responses.as_ref());
        }
        match self.conversation(&columns) {
            Ok((messages, given)) => {
                let hazard = label(columns.get(&self.hazard));
                let language = self.language.iter().find_map(|name| label(columns.get(name)));
                let prompt = Prompt::new(messages, hazard, language).with_given(given);
                let prompt = if self.labelled { with_class(prompt, &columns) } else { prompt };
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
        let beside = partners(name).iter().find_map(|partner| columns.get(*partner).filter(|v| !v.is_null()));
        if name == "chosen" {
            return of_pair(value, beside);
        }
        not_within_a_tree(columns)?;
        let mut messages = self.without_last_reply(name, value)?;
        if let [only] = messages.as_mut_slice() {
            // Alpaca's, Dolly's and HarmBench's rows: the instruction is about a text beside it.
            if let Some(Value::String(about)) = beside
                && !about.trim().is_empty()
            {
                only.content.push_str("\n\n");
                only.content.push_str(about);
            }
            if let Some(Value::Array(pairs)) = columns.get(HISTORY_COLUMN).filter(|_| name != HISTORY_COLUMN)
            {
                messages.splice(0..0, earlier_turns(pairs)?);
            }
        }
        let system = SYSTEM_COLUMNS.iter().find_map(|name| columns.get(*name)?.as_str());
        let has_one = messages.first().is_some_and(|first| first.role == Speaker::System);
        if let Some(system) = system.filter(|text| !text.trim().is_empty() && !has_one) {
            messages.insert(0, Message::new(Speaker::System, system));
        }
        check(messages)
    }

    /// The conversation in a column without a last reply, where the recipe lets it be left out. That is counted.
    fn without_last_reply(&self, name: &str, value: &Value) -> Result<Vec<Message>, BadPrompt> {
        match of_value(name, value, false) {
            Err(bad) if bad.reason == Reason::NotUserLast && self.drop_reply => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                of_value(name, value, true)
            }
            read => read,
        }
    }

    /// The column of the prompt, those that belong to it, and those that nobody looks at, of the columns of a file.
    pub(crate) fn taken<'a>(&'a self, file: &'a File) -> (Option<&'a str>, Vec<&'a str>, Vec<&'a str>) {
        let needed = self.needed().unwrap_or_default();
        let names = file.columns().iter().map(String::as_str);
        let (mut used, unused): (Vec<&str>, Vec<&str>) = names.partition(|name| needed.contains(name));
        used.retain(|name| self.prompt.as_deref() != Some(name));
        (self.prompt.as_deref(), used, unused)
    }
}

/// The prompt with its class and its locale, as its row says them.
fn with_class(prompt: Prompt, columns: &Map<String, Value>) -> Prompt {
    let class = |name: &str| RequestClass::read(&label(columns.get(name))?);
    let prompt = prompt.with_class(class(CLASS_COLUMN), label(columns.get(LOCALE_COLUMN)));
    let side = class(SIDE_COLUMN);
    Prompt { class: prompt.class.or(side), ..prompt }
}

/// A turn of a conversation tree is a prompt where a person begins; a later turn has its beginning in other rows.
fn not_within_a_tree(columns: &Map<String, Value>) -> Result<(), BadPrompt> {
    let [Some(Value::String(role)), Some(parent)] = TREE_COLUMNS.map(|name| columns.get(name)) else {
        return Ok(());
    };
    if speaker_of(role) == Some(Speaker::Assistant) {
        return Err(BadPrompt::new(
            Reason::NoUserTurn,
            "the row is an assistant's turn of a conversation tree",
        ));
    }
    if parent.is_null() {
        return Ok(());
    }
    let detail = "the row is a later turn of a conversation tree, whose beginning stands in other rows";
    Err(BadPrompt::new(Reason::NoConversation, detail))
}

/// Earlier turns, from pairs of a question and its answer.
fn earlier_turns(pairs: &[Value]) -> Result<Vec<Message>, BadPrompt> {
    let bad =
        || BadPrompt::new(Reason::BadMessage, "`history` is no list of pairs of a question and its answer");
    let mut turns = Vec::new();
    for pair in pairs {
        let [Value::String(question), Value::String(answer)] = pair.as_array().ok_or_else(bad)?.as_slice()
        else {
            return Err(bad());
        };
        turns.push(Message::user(question.clone()));
        turns.push(Message::new(Speaker::Assistant, answer.clone()));
    }
    Ok(turns)
}

/// The first known column of prompts among these that holds no responses, in whatever case its name is written.
fn find_prompt(columns: &mut dyn Iterator<Item = &str>, responses: Option<&Responses>) -> Option<String> {
    let taken = |name: &str| responses.is_some_and(|responses| responses.holds(name));
    let free: Vec<&str> = columns.filter(|name| !taken(name)).collect();
    let exact = PROMPT_COLUMNS.iter().find(|known| free.contains(known)).map(ToString::to_string);
    let in_any_case = |known: &&str| free.iter().find(|name| name.eq_ignore_ascii_case(known));
    exact.or_else(|| PROMPT_COLUMNS.iter().find_map(in_any_case).map(ToString::to_string))
}

/// The columns that may belong to a prompt column, the first that a row has being taken.
fn partners(prompt: &str) -> &'static [&'static str] {
    match prompt {
        "chosen" => &["rejected"],
        "instruction" => &["input", "context"],
        "Behavior" | "behavior" => &["ContextString", "context"],
        _ => &[],
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
