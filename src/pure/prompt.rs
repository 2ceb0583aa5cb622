//! A prompt: one input conversation that ends in a user turn, with what its file said about it.

use crate::pure::digest::Parts;
use crate::pure::request_class::RequestClass;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Who speaks in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// Instructions that stand before the conversation.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Speaker {
    /// The name that chat endpoints and trainers use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Speaker,
    /// What is said; never empty.
    pub content: String,
}

impl Message {
    /// A turn of the given speaker.
    pub fn new(role: Speaker, content: impl Into<String>) -> Self {
        Self { role, content: content.into() }
    }

    /// A user's turn.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new(Speaker::User, content)
    }

    /// An assistant's turn.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new(Speaker::Assistant, content)
    }
}

/// A prompt's id: 16 hexadecimal characters, a hash of the conversation and its labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PromptId(pub String);

impl std::fmt::Display for PromptId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A response that the input brought along: somebody else's, to be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// The text, as it was there.
    pub text: String,
    /// What the input said of it, where it was a labelled pair. No judge sees that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<GivenLabel>,
}

/// What a labelled pair says of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GivenLabel {
    /// It was the better one.
    Chosen,
    /// It was the other one.
    Rejected,
}

impl GivenLabel {
    /// The label's name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Rejected => "rejected",
        }
    }
}

/// One input conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Hash of `messages`, `hazard`, `language`, `given`, and of `class` and `locale` where [`Prompt::with_class`] gave them: the same row has the same id in any file, at any place.
    pub id: PromptId,
    /// An optional system turn, then user and assistant in turn, ending with the user.
    pub messages: Vec<Message>,
    /// The hazard label that the input gave, as it was written there (of our taxonomy, or of another one).
    pub hazard: Option<String>,
    /// BCP 47 language tag that the input gave.
    pub language: Option<String>,
    /// Whether it asks for harm, where the input says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<RequestClass>,
    /// BCP 47 tag of the place whose law, helplines and customs hold, such as `de-AT`, where the input says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// The responses that the input gave; none where a run makes its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Given>,
    /// Columns of the row that the user wants to find again in the dataset, by name. They are no part of the id.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub kept: Map<String, Value>,
}

impl Prompt {
    /// Builds a prompt and its id from the conversation and the labels that came with it.
    pub fn new(messages: Vec<Message>, hazard: Option<String>, language: Option<String>) -> Self {
        let mut parts = Parts::new("prompt");
        for message in &messages {
            parts = parts.with(message.role.as_str()).with(&message.content);
        }
        parts = parts
            .with("labels")
            .with(hazard.as_deref().unwrap_or(""))
            .with(language.as_deref().unwrap_or(""));
        Self {
            id: PromptId(parts.short()),
            messages,
            hazard,
            language,
            class: None,
            locale: None,
            given: Vec::new(),
            kept: Map::new(),
        }
    }

    /// The same prompt with its class and its locale. They decide which answer is right, so they make it another item, of
    /// the same family.
    #[must_use]
    pub fn with_class(self, class: Option<RequestClass>, locale: Option<String>) -> Self {
        if class.is_none() && locale.is_none() {
            return self;
        }
        let item = Parts::new("class")
            .with(&self.id.0)
            .with(class.map_or("", RequestClass::as_str))
            .with(locale.as_deref().unwrap_or(""));
        Self { id: PromptId(item.short()), class, locale, ..self }
    }

    /// The same prompt with responses that came with it. Other responses make it another item, of the same family.
    #[must_use]
    pub fn with_given(self, given: Vec<Given>) -> Self {
        if given.is_empty() {
            return self;
        }
        let item = given.iter().fold(Parts::new("given").with(&self.id.0), |parts, response| {
            parts.with(&response.text).with(response.label.map_or("", GivenLabel::as_str))
        });
        Self { id: PromptId(item.short()), given, ..self }
    }

    /// The same prompt with columns of its row.
    #[must_use]
    pub fn with_kept(self, kept: Map<String, Value>) -> Self {
        Self { kept, ..self }
    }

    /// A prompt of a single user turn without labels.
    ///
    /// ```
    /// use amend::pure::prompt::Prompt;
    ///
    /// // The id follows from what is asked alone: the same text is the same prompt in every file.
    /// let prompt = Prompt::single("How do I kill a process?");
    /// assert_eq!(prompt.id, Prompt::single("How do I kill a process?").id);
    /// assert_eq!(prompt.last_user_turn(), "How do I kill a process?");
    /// ```
    pub fn single(text: impl Into<String>) -> Self {
        Self::new(vec![Message::user(text)], None, None)
    }

    /// The last user turn: what is being asked.
    pub fn last_user_turn(&self) -> &str {
        self.messages.iter().rev().find(|m| m.role == Speaker::User).map_or("", |m| &m.content)
    }
}
