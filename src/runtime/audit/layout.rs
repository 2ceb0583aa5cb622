//! Which columns of a file hold what, and a row by them.
//!
//! The shape is told by the names of the columns; the user can say it, and name columns, instead.

use crate::pure::audit::{Item, Reply, Shape};
use crate::pure::prompt::{Message, Speaker};
use crate::runtime::dataset::prompts::{PROMPT_COLUMNS, RESPONSE_COLUMNS, message, transcript};
use crate::runtime::dataset::readers::TEXT_COLUMN;
use serde_json::{Map, Value};

/// Columns that the user names.
#[derive(Debug, Clone, Default)]
pub struct ColumnNames {
    /// The text, the reply or the prompt, as the shape wants it.
    pub text: Option<String>,
    /// The chosen reply.
    pub chosen: Option<String>,
    /// The rejected reply.
    pub rejected: Option<String>,
    /// The hazard label.
    pub hazard: Option<String>,
    /// The language label.
    pub language: Option<String>,
}

/// Why a file cannot be audited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The columns do not tell what the rows are.
    #[error("the columns of `{file}` do not tell what its rows are: there are {columns}")]
    Unknown {
        /// The file.
        file: String,
        /// Its columns.
        columns: String,
    },
    /// A column is not there.
    #[error("`{file}` has no column `{column}`: there are {columns}")]
    NoColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// Its columns.
        columns: String,
    },
    /// Two files hold different things.
    #[error("`{file}` holds {found}, and the files before it {expected}")]
    Mixed {
        /// The file.
        file: String,
        /// What it holds.
        found: &'static str,
        /// What the others hold.
        expected: &'static str,
    },
}

/// Which columns of one file hold what.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) shape: Shape,
    prompt: Option<String>,
    /// Chosen and rejected; or the reply; or nothing.
    replies: Vec<String>,
    /// With KTO: whether the reply is wanted.
    label: Option<String>,
    hazard: Option<String>,
    language: Option<String>,
}

/// Columns with a whole conversation.
const CONVERSATIONS: [&str; 4] = ["messages", "conversations", "conversation", "dialog"];
/// Columns with a reply alone, beside a prompt.
const REPLIES: [&str; 11] = [
    "completion",
    "response",
    "output",
    "answer",
    "reply",
    "generation",
    "assistant",
    "chosen",
    "model_output",
    "target",
    "text",
];
/// Columns with a text that is no conversation.
const DOCUMENTS: [&str; 4] = [TEXT_COLUMN, "content", "document", "raw_content"];

impl Layout {
    /// The layout of a file by its columns.
    pub(super) fn of(
        file: &str,
        columns: &[String],
        shape: Option<Shape>,
        named: &ColumnNames,
    ) -> Result<Self, LayoutError> {
        let has = |name: &str| columns.iter().any(|column| column == name);
        let listed = || columns.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        for column in [&named.text, &named.chosen, &named.rejected, &named.hazard, &named.language]
            .into_iter()
            .flatten()
        {
            if !has(column) {
                let (file, column) = (file.to_owned(), column.clone());
                return Err(LayoutError::NoColumn { file, column, columns: listed() });
            }
        }
        let label_of = |named: &Option<String>, usual: &[&str]| {
            named.clone().or_else(|| usual.iter().find(|name| has(name)).map(|name| (*name).to_owned()))
        };
        let first = |names: &[&str]| names.iter().find(|name| has(name)).map(|name| (*name).to_owned());
        let pair = match (&named.chosen, &named.rejected) {
            (Some(chosen), Some(rejected)) => Some(vec![chosen.clone(), rejected.clone()]),
            _ => RESPONSE_COLUMNS
                .iter()
                .find(|set| set.len() == 2 && set.iter().all(|name| has(name)))
                .map(|set| set.iter().map(|name| (*name).to_owned()).collect()),
        };
        let conversation = first(&CONVERSATIONS);
        let prompt = first(PROMPT_COLUMNS).filter(|name| !CONVERSATIONS.contains(&name.as_str()));
        let reply = named.text.clone().or_else(|| {
            REPLIES
                .iter()
                .find(|name| has(name) && prompt.as_deref() != Some(**name))
                .map(|name| (*name).to_owned())
        });
        let label = first(&["label", "labels", "desirable"]);
        let document = named.text.clone().or_else(|| first(&DOCUMENTS));
        let guessed = || {
            if pair.is_some() {
                Some(Shape::Pairs)
            } else if label.is_some() && (conversation.is_some() || prompt.is_some() && reply.is_some()) {
                Some(Shape::Kto)
            } else if conversation.is_some() || prompt.is_some() && reply.is_some() {
                Some(Shape::Sft)
            } else if prompt.is_some() && prompt.as_deref() != Some(TEXT_COLUMN) {
                Some(Shape::Prompts)
            } else {
                document.is_some().then_some(Shape::Documents)
            }
        };
        let unknown = || LayoutError::Unknown { file: file.to_owned(), columns: listed() };
        let shape = shape.or_else(guessed).ok_or_else(unknown)?;
        let (prompt, replies) = match shape {
            Shape::Pairs => {
                let pair = pair.ok_or_else(unknown)?;
                (prompt.filter(|name| !pair.contains(name)), pair)
            }
            Shape::Sft | Shape::Kto => match (&named.text, conversation) {
                (None, Some(whole)) => (None, vec![whole]),
                (_, _) => (prompt, vec![reply.ok_or_else(unknown)?]),
            },
            Shape::Prompts => {
                (Some(named.text.clone().or(prompt).or(conversation).ok_or_else(unknown)?), Vec::new())
            }
            Shape::Documents => (Some(document.ok_or_else(unknown)?), Vec::new()),
        };
        Ok(Self {
            shape,
            prompt,
            replies,
            label: label.filter(|_| shape == Shape::Kto),
            hazard: label_of(&named.hazard, &["hazard", "harm_category", "category"]),
            language: label_of(&named.language, &["language", "lang"]),
        })
    }

    /// The columns that are looked at, for people.
    pub(super) fn taken(&self) -> String {
        let names = self
            .prompt
            .iter()
            .chain(&self.replies)
            .chain(&self.label)
            .chain(&self.hazard)
            .chain(&self.language);
        names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }

    /// A row; or why it cannot be read.
    pub(super) fn item(&self, columns: &Map<String, Value>) -> Result<Item, String> {
        let prompt = match &self.prompt {
            Some(name) => said_in(name, columns.get(name).unwrap_or(&Value::Null))?,
            None => Said::default(),
        };
        let label = |name: &Option<String>| {
            let value = columns.get(name.as_deref()?)?;
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (!value.is_null() && !text.trim().is_empty()).then(|| text.trim().to_owned())
        };
        let mut item = Item {
            hazard: label(&self.hazard),
            language: label(&self.language),
            unlabelled: self.hazard.is_some() && label(&self.hazard).is_none(),
            ..Item::default()
        };
        if let Some(name) = &self.label {
            item.wanted =
                columns.get(name).and_then(|value| value.as_bool().or_else(|| value.as_i64().map(|n| n > 0)));
            item.unlabelled |= item.wanted.is_none();
        }
        let mut befores: Vec<Vec<Message>> = Vec::new();
        for name in &self.replies {
            let value = columns.get(name).ok_or_else(|| format!("the row has no column `{name}`"))?;
            let said = said_in(name, value)?;
            let is_alone = said.turns.is_empty();
            let mut turns = if is_alone { prompt.turns_before(&said.text) } else { said.turns };
            let mut whole = said.text;
            if is_alone && !prompt.text.is_empty() {
                whole = format!("{}\n\n{whole}", prompt.text);
            } else if !is_alone
                && !prompt.turns.is_empty()
                && turns.iter().all(|turn| turn.role == Speaker::Assistant)
            {
                turns = prompt.turns.iter().cloned().chain(turns).collect();
                whole = format!("{}\n\n{whole}", prompt.text);
            }
            item.bad_roles |= !is_in_order(&turns);
            let reply = match turns.last() {
                Some(last) if last.role == Speaker::Assistant => {
                    turns.pop().map_or_else(String::new, |turn| turn.content)
                }
                Some(_) | None => String::new(),
            };
            item.replies.push(Reply { text: reply, whole });
            befores.push(turns);
        }
        item.prompts_differ = befores.windows(2).any(|pair| pair[0] != pair[1]);
        let turns = befores.into_iter().next().unwrap_or_else(|| prompt.turns.clone());
        let users =
            || turns.iter().filter(|turn| turn.role == Speaker::User).map(|turn| turn.content.as_str());
        item.prompt = users().next_back().map_or_else(|| prompt.text.clone(), str::to_owned);
        item.said = if turns.is_empty() { prompt.text } else { users().collect::<Vec<_>>().join("\n") };
        item.turns = turns;
        Ok(item)
    }
}

/// What a value says: a text, and its turns where it is a conversation.
#[derive(Debug, Clone, Default)]
struct Said {
    text: String,
    turns: Vec<Message>,
}

impl Said {
    /// The conversation that a reply alone ends.
    fn turns_before(&self, reply: &str) -> Vec<Message> {
        let mut turns = self.turns.clone();
        if turns.is_empty() {
            turns.push(Message::user(self.text.clone()));
        }
        turns.push(Message::assistant(reply));
        turns
    }
}

fn said_in(name: &str, value: &Value) -> Result<Said, String> {
    match value {
        Value::String(text) => {
            let listed = text
                .trim_start()
                .starts_with('[')
                .then(|| serde_json::from_str::<Vec<Value>>(text).ok())
                .flatten();
            match listed.filter(|items| !items.is_empty() && items.iter().all(Value::is_object)) {
                Some(items) => said_in(name, &Value::Array(items)),
                None => Ok(Said { text: text.clone(), turns: transcript(text).unwrap_or_default() }),
            }
        }
        // What a user says in turn, without the replies between, as MT-Bench has it.
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            Ok(Said { text: texts.join("\n\n"), turns: Vec::new() })
        }
        Value::Array(items) => {
            let turns = items.iter().map(message).collect::<Result<Vec<_>, _>>().map_err(|bad| bad.detail)?;
            let text: Vec<String> =
                turns.iter().map(|turn| format!("{}: {}", turn.role.as_str(), turn.content)).collect();
            Ok(Said { text: text.join("\n\n"), turns })
        }
        Value::Object(_) => said_in(name, &Value::Array(vec![value.clone()])),
        Value::Null => Err(format!("column `{name}` is null")),
        Value::Bool(_) | Value::Number(_) => Err(format!("column `{name}` holds no text")),
    }
}

/// Whether the turns alternate after at most one system turn, end in the assistant's, and none before the last is empty.
fn is_in_order(turns: &[Message]) -> bool {
    let spoken = turns.strip_prefix(match turns.first() {
        Some(first) if first.role == Speaker::System => std::slice::from_ref(first),
        Some(_) | None => &[],
    });
    let spoken = spoken.unwrap_or(turns);
    let alternates = spoken
        .iter()
        .enumerate()
        .all(|(n, turn)| turn.role == if n % 2 == 0 { Speaker::User } else { Speaker::Assistant });
    let before_last = spoken.split_last().map_or(&[][..], |(_, before)| before);
    alternates
        && spoken.len() % 2 == 0
        && !spoken.is_empty()
        && before_last.iter().all(|turn| !turn.content.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn layout(columns: &[&str]) -> Result<Layout, LayoutError> {
        let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
        Layout::of("f", &columns, None, &ColumnNames::default())
    }

    fn item(columns: &Value) -> Item {
        let columns = columns.as_object().unwrap().clone();
        let names: Vec<&str> = columns.keys().map(String::as_str).collect();
        layout(&names).unwrap().item(&columns).unwrap()
    }

    #[test]
    fn the_shape_is_told_by_the_columns() {
        for (columns, shape) in [
            (&["chosen", "rejected"][..], Shape::Pairs),
            (&["prompt", "chosen", "rejected", "score"], Shape::Pairs),
            (&["question", "response_0", "response_1"], Shape::Pairs),
            (&["prompt", "completion", "label"], Shape::Kto),
            (&["messages", "label"], Shape::Kto),
            (&["messages"], Shape::Sft),
            (&["conversations", "id"], Shape::Sft),
            (&["instruction", "input", "output"], Shape::Sft),
            (&["prompt", "response"], Shape::Sft),
            (&["prompt", "hazard", "language"], Shape::Prompts),
            (&["text"], Shape::Documents),
        ] {
            assert_eq!(layout(columns).unwrap().shape, shape, "{columns:?}");
        }
        let unknown = layout(&["a", "b"]).unwrap_err().to_string();
        assert!(unknown.contains("there are `a`, `b`"), "{unknown}");
    }

    #[test]
    fn every_form_of_a_pair_gives_the_same_row() {
        let whole = |reply: &str| format!("\n\nHuman: How?\n\nAssistant: {reply}");
        let turn = |role: &str, content: &str| json!({ "role": role, "content": content });
        for row in [
            json!({ "chosen": whole("So."), "rejected": whole("No.") }),
            json!({ "prompt": "How?", "chosen": "So.", "rejected": "No." }),
            json!({ "prompt": [turn("user", "How?")], "chosen": [turn("assistant", "So.")], "rejected": [turn("assistant", "No.")] }),
            json!({ "chosen": [turn("user", "How?"), turn("assistant", "So.")], "rejected": [turn("user", "How?"), turn("assistant", "No.")] }),
        ] {
            let found = item(&row);
            let replies: Vec<&str> = found.replies.iter().map(|reply| reply.text.as_str()).collect();
            assert_eq!(
                (found.prompt.as_str(), found.said.as_str(), replies),
                ("How?", "How?", vec!["So.", "No."]),
                "{row}"
            );
            assert!(!found.prompts_differ && !found.bad_roles, "{row}");
        }
        let asked = item(&json!({ "question_id": 1, "turns": ["Write it.", "Now shorter."] }));
        assert_eq!(asked.said, "Write it.\n\nNow shorter.");
        let other = item(&json!({ "chosen": whole("So."), "rejected": "\n\nHuman: Why?\n\nAssistant: No." }));
        assert!(other.prompts_differ);
        assert!(
            item(&json!({ "messages": [turn("user", "a"), turn("user", "b"), turn("assistant", "c")] }))
                .bad_roles
        );
        assert!(item(&json!({ "messages": [turn("user", "a")] })).bad_roles);
        assert!(
            !item(&json!({ "messages": [turn("system", "s"), turn("user", "a"), turn("assistant", "c")] }))
                .bad_roles
        );
    }
}
