//! What the rows of a file are.

/// What a file holds.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::EnumString,
    strum::IntoStaticStr,
    clap::ValueEnum,
)]
#[strum(serialize_all = "lowercase")]
pub enum Shape {
    /// Two replies to a prompt, one of them chosen.
    Pairs,
    /// A prompt and its reply, or a whole conversation.
    Sft,
    /// A prompt, a reply, and whether it is wanted.
    Kto,
    /// Prompts alone.
    Prompts,
    /// Texts that are no conversations.
    Documents,
}

impl Shape {
    /// The shape's name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
