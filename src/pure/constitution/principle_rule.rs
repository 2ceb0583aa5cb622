//! What shows without a model that a principle is violated: words, or an expression, that no such text may hold.

use crate::pure::text::live_match::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A text that holds one of these violates the principle. A guard looks for them before it asks a model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipleRule {
    /// Words and phrases, in any case, as whole words.
    pub words: Vec<String>,
    /// A regular expression that has a longest match.
    pub pattern: Option<String>,
    /// Where it is looked for.
    pub place: RulePlace,
}

/// Where a rule is looked for.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum RulePlace {
    /// In what a client sends, but for the application's own system turn.
    Request,
    /// In what the model answers.
    Answer,
    /// In both.
    #[default]
    Both,
}

impl RulePlace {
    /// The place's name in the file.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl PrincipleRule {
    /// What is looked for.
    pub fn spans(&self) -> impl Iterator<Item = Span<'_>> {
        let words = self.words.iter().map(|words| Span::Words(words));
        words.chain(self.pattern.as_deref().map(Span::Pattern))
    }
}
