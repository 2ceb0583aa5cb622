//! The configs of a dataset, their columns and types. One table: the Parquet writer, the JSON lines and the card's
//! features are all derived from it, so that they cannot disagree.
//!
//! Column names are chosen against what trainers do with them: none that TRL gives a meaning of its own, and in one
//! config `prompt`, `completion`, `chosen`, `rejected` and `messages` are all chat or all text.

use crate::prompt::Message;
use serde_json::{Map, Value as Json, json};
use std::sync::LazyLock;

/// One table of the dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Config {
    /// Final responses, for supervised fine-tuning.
    Sft,
    /// Pairs with an explicit prompt: DPO, reward models and their kin.
    Preference,
    /// Pairs whose replies carry the whole conversation.
    PreferenceImplicit,
    /// Pairs of plain text; single-turn rows only.
    PreferenceFlat,
    /// Pairs with a margin, which changes a reward trainer's loss by being there.
    Reward,
    /// Single replies with a good-or-bad label.
    Kto,
    /// The same in plain text; single-turn rows only.
    KtoFlat,
    /// Critiques, to train a critic.
    Critique,
    /// Responses labelled safe or unsafe.
    Classifier,
    /// Prompts alone, for methods that sample their own responses.
    Prompts,
    /// Every critique of every round, for audit.
    Transcripts,
}

impl Config {
    /// Every config, in the order of the card.
    pub const ALL: [Self; 11] = [
        Self::Sft,
        Self::Preference,
        Self::PreferenceImplicit,
        Self::PreferenceFlat,
        Self::Reward,
        Self::Kto,
        Self::KtoFlat,
        Self::Critique,
        Self::Classifier,
        Self::Prompts,
        Self::Transcripts,
    ];

    /// The config's name, which is also its folder.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sft => "sft",
            Self::Preference => "preference",
            Self::PreferenceImplicit => "preference_implicit",
            Self::PreferenceFlat => "preference_flat",
            Self::Reward => "reward",
            Self::Kto => "kto",
            Self::KtoFlat => "kto_flat",
            Self::Critique => "critique",
            Self::Classifier => "classifier",
            Self::Prompts => "prompts",
            Self::Transcripts => "transcripts",
        }
    }

    /// The config of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|config| config.as_str() == name)
    }

    /// Its columns, the passport included.
    pub fn columns(self) -> &'static [Column] {
        static TABLE: LazyLock<Vec<Vec<Column>>> =
            LazyLock::new(|| Config::ALL.into_iter().map(Config::columns_of).collect());
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
        ]);
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
    Messages(Vec<Message>),
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

/// One row: its values in the order of the config's columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The config that it belongs to.
    pub config: Config,
    /// One value per column.
    pub values: Vec<Value>,
}

impl Row {
    /// The value of a column, or null when the config has none of that name.
    pub fn get(&self, name: &str) -> &Value {
        let at = self.config.columns().iter().position(|(column, _)| *column == name);
        at.and_then(|at| self.values.get(at)).unwrap_or(&Value::Null)
    }

    /// The row as a JSON object, its columns in order.
    pub fn to_json(&self) -> Json {
        let columns = self.config.columns();
        let object: Map<String, Json> = columns
            .iter()
            .zip(&self.values)
            .map(|((name, kind), value)| ((*name).to_owned(), to_json(*kind, value)))
            .collect();
        Json::Object(object)
    }

    /// The row that [`Row::to_json`] wrote.
    pub fn from_json(config: Config, json: &Json) -> Option<Self> {
        let values = config
            .columns()
            .iter()
            .map(|(name, kind)| from_json(*kind, json.get(name)?))
            .collect::<Option<_>>()?;
        Some(Self { config, values })
    }
}

fn to_json(kind: Kind, value: &Value) -> Json {
    match (kind, value) {
        (_, Value::Null) => Json::Null,
        (_, Value::Text(text)) => json!(text),
        (_, Value::Texts(texts)) => json!(texts),
        (Kind::Message, Value::Messages(messages)) => messages.first().map_or(Json::Null, |m| json!(m)),
        (_, Value::Messages(messages)) => json!(messages),
        (_, Value::Bool(value)) => json!(value),
        (_, Value::Int(value)) => json!(value),
        (_, Value::Float(value)) => json!(value),
        (Kind::Struct(fields), Value::Struct(values)) => fields
            .iter()
            .zip(values)
            .map(|((name, kind), value)| ((*name).to_owned(), to_json(*kind, value)))
            .collect(),
        (_, Value::Struct(values)) => json!(values.len()),
    }
}

fn from_json(kind: Kind, json: &Json) -> Option<Value> {
    if json.is_null() {
        return Some(Value::Null);
    }
    match kind {
        Kind::Text => json.as_str().map(|text| Value::Text(text.to_owned())),
        Kind::Texts => serde_json::from_value(json.clone()).ok().map(Value::Texts),
        Kind::Messages => serde_json::from_value(json.clone()).ok().map(Value::Messages),
        Kind::Message => serde_json::from_value(json.clone()).ok().map(|m| Value::Messages(vec![m])),
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
        for config in Config::ALL {
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
            assert_eq!(Config::named(config.as_str()), Some(config));
        }
    }
}
