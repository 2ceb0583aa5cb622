//! The configs of a dataset, their columns and types. One table: the Parquet writer, the JSON lines and the card's
//! features are all derived from it, so that they cannot disagree.
//!
//! Column names are chosen against what trainers do with them: none that TRL gives a meaning of its own, and in one
//! config `prompt`, `completion`, `chosen`, `rejected` and `messages` are all chat or all text.

use crate::pure::prompt::Message;
use crate::pure::recipe::Config;
use serde::{Deserialize as _, Serialize, Serializer};
use serde_json::Value as Json;
use std::sync::{Arc, LazyLock};

/// Which columns a dataset has besides those that every dataset has. Each has those before it as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum MoreColumns {
    /// None.
    #[default]
    None,
    /// `kept`: columns of the user's own.
    Kept,
    /// Those of styled answers.
    Styled,
}

/// The columns of styled answers: how they were made and graded, then what is known of their prompts.
const STYLED: [Column; 8] = [
    ("style", Kind::Text),
    ("grade", Kind::Text),
    ("propositions", Kind::Text),
    ("class", Kind::Text),
    ("locale", Kind::Text),
    ("topic", Kind::Text),
    ("persona", Kind::Text),
    ("contrast_of", Kind::Text),
];

impl Config {
    /// The columns of a dataset's files: the last ones of all are there only where prompts or answers have some.
    pub fn columns_written(self, more: MoreColumns) -> &'static [Column] {
        let columns = self.columns();
        let left_out = match more {
            MoreColumns::None => 1 + STYLED.len(),
            MoreColumns::Kept => STYLED.len(),
            MoreColumns::Styled => 0,
        };
        columns.get(..columns.len().saturating_sub(left_out)).unwrap_or(columns)
    }

    /// Its columns, the passport included.
    pub fn columns(self) -> &'static [Column] {
        static TABLE: LazyLock<Vec<Vec<Column>>> =
            LazyLock::new(|| Config::ALL.iter().copied().map(Config::columns_of).collect());
        TABLE.get(self as usize).map_or(&[], Vec::as_slice)
    }

    fn columns_of(self) -> Vec<Column> {
        use Kind::{Bool, Float, Int32, Int64, Label, Message, Messages, Struct, Text, Texts};
        let mut columns: Vec<Column> = vec![("id", Text)];
        let own: &[Column] = match self {
            Self::Sft | Self::Critique => {
                &[("messages", Messages), ("prompt", Messages), ("completion", Messages)]
            }
            Self::Preference => &[
                ("prompt", Messages),
                ("chosen", Messages),
                ("rejected", Messages),
                ("chosen_message", Message),
                ("rejected_message", Message),
            ],
            Self::PreferenceImplicit => &[("chosen", Messages), ("rejected", Messages)],
            Self::PreferenceFlat => {
                &[("system", Text), ("prompt", Text), ("input", Text), ("chosen", Text), ("rejected", Text)]
            }
            Self::Reward => {
                &[("prompt", Messages), ("chosen", Messages), ("rejected", Messages), ("margin", Float)]
            }
            Self::Kto => &[
                ("prompt", Messages),
                ("completion", Messages),
                ("label", Bool),
                ("messages", Messages),
                ("score", Float),
            ],
            Self::KtoFlat => {
                &[("system", Text), ("prompt", Text), ("completion", Text), ("label", Bool), ("score", Float)]
            }
            Self::Classifier => &[("text", Text), ("prompt", Text), ("response", Text), ("label", Label)],
            Self::Prompts => &[
                ("prompt", Messages),
                ("data_source", Text),
                ("ability", Text),
                ("reward_model", Struct(&[("style", Text), ("ground_truth", Text)])),
                ("extra_info", Struct(&[("split", Text), ("index", Int64)])),
            ],
            Self::Transcripts => &[
                ("prompt", Messages),
                ("response", Text),
                ("critique", Text),
                ("revision", Text),
                ("verdict", Text),
                ("revision_fate", Text),
                ("ended", Text),
                ("tokens", Int64),
            ],
        };
        columns.extend_from_slice(own);
        if matches!(self, Self::Preference | Self::PreferenceImplicit | Self::PreferenceFlat) {
            columns.extend([
                ("score_chosen", Float),
                ("score_rejected", Float),
                ("p_chosen", Float),
                ("p_chosen_raw", Float),
                ("label_source", Text),
                ("given_label", Text),
            ]);
        }
        columns.extend([
            ("prompt_id", Text),
            ("prompt_family", Text),
            ("principle_ids", Texts),
            ("round", Int32),
            ("model", Text),
            ("judge_model", Text),
            ("simulated", Bool),
            ("seed", Int64),
            ("constitution_sha256", Text),
            ("harm_category", Text),
            ("language", Text),
            ("kept", Text),
        ]);
        columns.extend(STYLED);
        columns
    }
}

/// A column's name and type.
pub type Column = (&'static str, Kind);

/// A column's type. Every column may hold null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A list of strings.
    Texts,
    /// A list of `{role, content}`.
    Messages,
    /// One `{role, content}`.
    Message,
    /// A truth value.
    Bool,
    /// A 32-bit integer.
    Int32,
    /// A 64-bit integer.
    Int64,
    /// A double.
    Float,
    /// `safe` (0) or `unsafe` (1).
    Label,
    /// Named scalars.
    Struct(&'static [(&'static str, Kind)]),
}

/// Messages of a conversation. Those that all rows of a transcript have in common are kept once.
#[derive(Debug, Clone, Default)]
pub struct Chat {
    shared: Arc<[Message]>,
    own: Vec<Message>,
}

impl Chat {
    /// The messages that are shared, then the row's own.
    pub fn new(shared: &Arc<[Message]>, own: Vec<Message>) -> Self {
        Self { shared: Arc::clone(shared), own }
    }

    /// What the assistant says, alone.
    pub fn reply(text: impl Into<String>) -> Self {
        vec![Message::assistant(text)].into()
    }

    /// The messages in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.shared.iter().chain(&self.own)
    }

    /// The text of the last message.
    pub fn last_text(&self) -> Option<&str> {
        self.iter().next_back().map(|message| message.content.as_str())
    }
}

impl From<Vec<Message>> for Chat {
    fn from(own: Vec<Message>) -> Self {
        Self { shared: Arc::default(), own }
    }
}

impl PartialEq for Chat {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Serialize for Chat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// A value of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// None.
    Null,
    /// Of `Text`.
    Text(String),
    /// Of `Texts`.
    Texts(Vec<String>),
    /// Of `Messages`, and of `Message` with exactly one.
    Messages(Chat),
    /// Of `Bool`.
    Bool(bool),
    /// Of `Int32`, `Int64` and `Label`.
    Int(i64),
    /// Of `Float`.
    Float(f64),
    /// Of `Struct`.
    Struct(Vec<Value>),
}

impl Value {
    /// Text, or null.
    pub fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.into()))
    }
}

/// One row: its values in the order of the config's columns. As JSON it is an object, its columns in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The config that it belongs to.
    pub config: Config,
    /// One value per column that is written.
    pub values: Vec<Value>,
    /// Whether the reply that the row teaches is a refusal, then the one that it teaches against. Not a column: the
    /// statistics need it in every config, and finding it takes longer than all else about a row.
    pub refuses: [Option<bool>; 2],
}

impl Row {
    /// The value of a column, or null when the config has none of that name.
    pub fn get(&self, name: &str) -> &Value {
        let at = self.config.columns().iter().position(|(column, _)| *column == name);
        at.and_then(|at| self.values.get(at)).unwrap_or(&Value::Null)
    }

    /// The row that was written as JSON.
    pub fn from_json(config: Config, json: &Json) -> Option<Self> {
        let values = config
            .columns_written(if json.get("style").is_some() {
                MoreColumns::Styled
            } else if json.get("kept").is_some() {
                MoreColumns::Kept
            } else {
                MoreColumns::None
            })
            .iter()
            .map(|(name, kind)| from_json(*kind, json.get(name)?))
            .collect::<Option<_>>()?;
        Some(Self { config, values, refuses: [None; 2] })
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_cells(serializer, self.config.columns(), &self.values)
    }
}

fn serialize_cells<S: Serializer>(
    serializer: S,
    columns: &[Column],
    values: &[Value],
) -> Result<S::Ok, S::Error> {
    let cells = columns.iter().zip(values).map(|((name, kind), value)| (name, Cell(*kind, value)));
    serializer.collect_map(cells)
}

struct Cell<'a>(Kind, &'a Value);

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0, self.1) {
            (_, Value::Text(text)) => serializer.serialize_str(text),
            (_, Value::Texts(texts)) => serializer.collect_seq(texts),
            (Kind::Message, Value::Messages(chat)) => chat.iter().next().serialize(serializer),
            (_, Value::Messages(chat)) => chat.serialize(serializer),
            (_, Value::Bool(value)) => serializer.serialize_bool(*value),
            (_, Value::Int(value)) => serializer.serialize_i64(*value),
            (_, Value::Float(value)) => serializer.serialize_f64(*value),
            (Kind::Struct(fields), Value::Struct(values)) => serialize_cells(serializer, fields, values),
            (_, Value::Null | Value::Struct(_)) => serializer.serialize_none(),
        }
    }
}

fn from_json(kind: Kind, json: &Json) -> Option<Value> {
    if json.is_null() {
        return Some(Value::Null);
    }
    let messages = |messages: Vec<Message>| Value::Messages(messages.into());
    match kind {
        Kind::Text => json.as_str().map(|text| Value::Text(text.to_owned())),
        Kind::Texts => Vec::deserialize(json).ok().map(Value::Texts),
        Kind::Messages => Vec::deserialize(json).ok().map(messages),
        Kind::Message => Message::deserialize(json).ok().map(|message| messages(vec![message])),
        Kind::Bool => json.as_bool().map(Value::Bool),
        Kind::Int32 | Kind::Int64 | Kind::Label => json.as_i64().map(Value::Int),
        Kind::Float => json.as_f64().map(Value::Float),
        Kind::Struct(fields) => fields
            .iter()
            .map(|(name, kind)| from_json(*kind, json.get(name)?))
            .collect::<Option<_>>()
            .map(Value::Struct),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns that change what a TRL trainer does merely by existing.
    const RESERVED: [&str; 12] = [
        "input_ids",
        "labels",
        "attention_mask",
        "completion_mask",
        "assistant_masks",
        "seq_lengths",
        "prompt_ids",
        "images",
        "image",
        "tools",
        "chat_template_kwargs",
        "conversations",
    ];

    #[test]
    fn no_config_has_a_column_that_trainers_misread() {
        for config in Config::ALL.iter().copied() {
            let columns = config.columns();
            let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
            assert!(names.iter().all(|name| !RESERVED.contains(name)), "{names:?}");
            assert!(!names.contains(&"margin") || config == Config::Reward);
            assert!(!names.contains(&"system") || config.as_str().ends_with("_flat"));
            let chat = columns
                .iter()
                .filter(|(name, _)| ["prompt", "completion", "chosen", "rejected", "messages"].contains(name))
                .map(|(_, kind)| *kind == Kind::Messages)
                .collect::<std::collections::BTreeSet<_>>();
            assert!(chat.len() == 1, "{config:?} mixes chat and text");
            assert_eq!(config.as_str().parse(), Ok(config));
        }
    }
}
