//! The codes of an audit. Where a gate finds the same, the code is the gate's.

use super::shape::Shape;
use std::fmt;

/// What can be found in a row.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Code {
    /// The row cannot be read.
    BadRow,
    /// The conversations before the two replies differ.
    PromptsDiffer,
    /// A text that should be there is empty.
    Empty,
    /// Both replies are the same.
    Equal,
    /// Both replies differ by too few words, or only by case and punctuation.
    TooClose,
    /// Both replies refuse, wholly or in part.
    BothRefuse,
    /// The chosen reply refuses, and the rejected one does not.
    ChosenRefuses,
    /// The rejected reply refuses, and the chosen one does not.
    RejectedRefuses,
    /// One reply is many times as long as the other.
    LengthRatio,
    /// Another row has the same two replies, the other way round.
    Contradicts,
    /// Two turns of one role follow each other, the last turn is not the assistant's, or a turn is empty.
    Roles,
    /// A server's or client's error message in place of a reply.
    ErrorText,
    /// Talk about a revision around the reply.
    Preamble,
    /// A text that stands for "nothing to do" or "no value".
    Sentinel,
    /// Reasoning in tags.
    ThinkTag,
    /// Tokens of a chat template, or turns of a further conversation.
    RoleTag,
    /// Cut off.
    TruncationSigns,
    /// The reply is in another language than the prompt.
    LanguageChange,
    /// The same said over and over.
    Repetition,
    /// The same row was met before.
    Duplicate,
    /// A row that says nearly the same was met before.
    NearDuplicate,
    /// The same prompt has another reply in an earlier row.
    ManyAnswers,
    /// The prompt, or one that is near to it, stands in another split too.
    SplitLeak,
    /// Text of the held-out files.
    HoldoutLeak,
    /// A key or token.
    Secret,
    /// Characters that hide or reorder text: escapes, bidirectional overrides, NUL, lone surrogates.
    Control,
    /// A row without the label that the file has a column for.
    Unlabelled,
}

impl Code {
    /// The code's name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether rows of a shape can have it.
    pub fn applies_to(self, shape: Shape) -> bool {
        match self {
            Self::BadRow
            | Self::Empty
            | Self::Duplicate
            | Self::NearDuplicate
            | Self::HoldoutLeak
            | Self::SplitLeak
            | Self::Secret
            | Self::Control
            | Self::Unlabelled => true,
            Self::PromptsDiffer
            | Self::Equal
            | Self::TooClose
            | Self::BothRefuse
            | Self::ChosenRefuses
            | Self::RejectedRefuses
            | Self::LengthRatio
            | Self::Contradicts => shape == Shape::Pairs,
            Self::ManyAnswers => matches!(shape, Shape::Pairs | Shape::Sft),
            Self::Roles
            | Self::ErrorText
            | Self::Preamble
            | Self::Sentinel
            | Self::ThinkTag
            | Self::RoleTag
            | Self::TruncationSigns
            | Self::LanguageChange
            | Self::Repetition => matches!(shape, Shape::Pairs | Shape::Sft | Shape::Kto),
        }
    }
}

/// Lengths, in tokens, after which trainers cut; eight at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cuts {
    tokens: Vec<u32>,
    /// Bytes that make about one token.
    bytes_per_token: u32,
}

impl Cuts {
    /// Most lengths.
    pub const MOST: usize = 8;

    /// Lengths in tokens, and the bytes that are counted for one.
    pub fn new(mut tokens: Vec<u32>, bytes_per_token: u32) -> Self {
        tokens.sort_unstable();
        tokens.dedup();
        tokens.truncate(Self::MOST);
        Self { tokens, bytes_per_token }
    }

    /// Each length with its number of bytes.
    pub fn iter(&self) -> impl Iterator<Item = (u32, usize)> {
        self.tokens
            .iter()
            .map(|tokens| (*tokens, (*tokens as usize).saturating_mul(self.bytes_per_token as usize)))
    }
}

/// A code's full name: a code, or `cut-equal@N` for one of the lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// One of the codes.
    Code(Code),
    /// Both texts are equal when they are cut after so many tokens.
    CutEqual {
        /// The length's place among the [`Cuts`].
        place: usize,
        /// The length, in tokens.
        tokens: u32,
    },
}

impl Name {
    /// The name that a user typed, where there is such a code.
    pub fn read(text: &str, cuts: &Cuts) -> Option<Self> {
        if let Some(tokens) = text.strip_prefix("cut-equal@") {
            let tokens: u32 = tokens.parse().ok()?;
            let place = cuts.tokens.iter().position(|known| *known == tokens)?;
            return Some(Self::CutEqual { place, tokens });
        }
        text.parse().ok().map(Self::Code)
    }

    /// Every name, in the order of the report.
    pub fn all(cuts: &Cuts) -> Vec<Self> {
        use strum::IntoEnumIterator as _;
        let codes = Code::iter().map(Self::Code);
        let lengths =
            cuts.tokens.iter().enumerate().map(|(place, tokens)| Self::CutEqual { place, tokens: *tokens });
        codes.chain(lengths).collect()
    }

    fn bit(self) -> u64 {
        match self {
            Self::Code(code) => 1 << (code as u64),
            Self::CutEqual { place, .. } => 1 << (u64::BITS as usize - 1 - place.min(Cuts::MOST - 1)),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => f.write_str(code.as_str()),
            Self::CutEqual { tokens, .. } => write!(f, "cut-equal@{tokens}"),
        }
    }
}

/// The codes of one row, in eight bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CodeSet(u64);

impl CodeSet {
    /// Adds a code.
    pub fn insert(&mut self, name: Name) {
        self.0 |= name.bit();
    }

    /// Takes a code away.
    pub fn remove(&mut self, name: Name) {
        self.0 &= !name.bit();
    }

    /// Adds the codes of another set.
    pub fn unite(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether the row has it.
    pub fn has(self, name: Name) -> bool {
        self.0 & name.bit() != 0
    }

    /// Whether the row has none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the row has one of those.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The names, in the order of the report.
    pub fn names(self, cuts: &Cuts) -> Vec<Name> {
        Name::all(cuts).into_iter().filter(|name| self.has(*name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_bit_of_its_own_and_reads_back() {
        let cuts = Cuts::new(vec![2048, 512, 1024, 512], 4);
        let mut all = CodeSet::default();
        let names = Name::all(&cuts);
        for name in &names {
            assert!(!all.has(*name), "{name}");
            all.insert(*name);
            assert_eq!(Name::read(&name.to_string(), &cuts), Some(*name));
        }
        assert_eq!(all.names(&cuts), names);
        assert_eq!(names.last().map(ToString::to_string).as_deref(), Some("cut-equal@2048"));
        assert_eq!(Name::read("cut-equal@7", &cuts), None);
        assert_eq!(Name::read("nonsense", &cuts), None);
    }
}
