//! Reason codes: why a text, a row or a prompt is left out, in the words that files and reports use.

/// Why a gate objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// Nothing but white space.
    Empty,
    /// A server's or client's error message.
    ErrorText,
    /// Reasoning in tags.
    ThinkTag,
    /// Tokens of a chat template, or turns of a further conversation.
    RoleTag,
    /// Talk about the revision around it.
    Preamble,
    /// A text that stands for "nothing to do" or "no value".
    Sentinel,
    /// A critique, or much of one, where a revision is due.
    CritiqueEcho,
    /// Speaks of its critique, of the principles or of what it revises, to a reader who knows of none of them.
    SelfMention,
    /// Text of the few-shot examples.
    ExampleLeak,
    /// The same said over and over.
    Repetition,
    /// Cut off, although the endpoint said that it was whole.
    TruncationSigns,
    /// Another language than the text it revises.
    LanguageChange,
    /// Chosen and rejected are the same but for case, space and punctuation.
    Equal,
    /// Chosen and rejected differ by too few words to teach anything.
    TooClose,
    /// Chosen and rejected both refuse.
    BothRefuse,
    /// One of chosen and rejected is many times as long as the other.
    LengthRatio,
}

impl Code {
    /// Every code, in the order in which the gates run.
    pub const ALL: [Self; 16] = [
        Self::Empty,
        Self::ErrorText,
        Self::ThinkTag,
        Self::RoleTag,
        Self::Preamble,
        Self::Sentinel,
        Self::CritiqueEcho,
        Self::SelfMention,
        Self::ExampleLeak,
        Self::Repetition,
        Self::TruncationSigns,
        Self::LanguageChange,
        Self::Equal,
        Self::TooClose,
        Self::BothRefuse,
        Self::LengthRatio,
    ];

    /// The code in rejects, statistics and the recipe.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::ErrorText => "error-text",
            Self::ThinkTag => "think-tag",
            Self::RoleTag => "role-tag",
            Self::Preamble => "preamble",
            Self::Sentinel => "sentinel",
            Self::CritiqueEcho => "critique-echo",
            Self::SelfMention => "self-mention",
            Self::ExampleLeak => "example-leak",
            Self::Repetition => "repetition",
            Self::TruncationSigns => "truncation-signs",
            Self::LanguageChange => "language-change",
            Self::Equal => "equal",
            Self::TooClose => "too-close",
            Self::BothRefuse => "both-refuse",
            Self::LengthRatio => "length-ratio",
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
