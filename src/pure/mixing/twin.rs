//! Which prompts are twins: a harmful one, and a benign one that resembles it.

use crate::pure::prompt::Prompt;

/// Which prompt a prompt belongs with.
#[derive(Debug, Clone, Default)]
pub(super) struct Twin {
    pub(super) id: String,
    /// The tag that both have.
    pub(super) tag: Option<String>,
    /// The id of the prompt that it is the twin of.
    pub(super) of: Option<String>,
}

impl Twin {
    pub(super) fn of(prompt: &Prompt) -> Self {
        let named =
            |column: &str| prompt.kept.get(column).and_then(serde_json::Value::as_str).map(str::to_owned);
        Self { id: prompt.id.0.clone(), tag: named("twin"), of: named("contrast_of") }
    }
}

impl PartialEq for Twin {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Twin {}
