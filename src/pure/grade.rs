//! Grades: how well a styled answer does what its style asks. Five ordered classes, as rule-based rewards have them, and
//! `undecided`, which is none.

use serde::{Deserialize, Serialize};

/// How well an answer keeps its style. The order is from bad to good.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Grade {
    /// A proposition of the style could not be read: nobody knows.
    Undecided,
    /// It says what must never be said.
    Disallowed,
    /// It contradicts itself.
    Illogical,
    /// It breaks the style.
    Unacceptable,
    /// It has what is essential, and lacks something.
    Acceptable,
    /// It has all that the style asks for.
    Ideal,
}

impl Grade {
    /// Every grade, the worst first.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The grade's name in files.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether anything is known: only then two grades can be compared.
    pub fn is_decided(self) -> bool {
        self != Self::Undecided
    }
}

/// Whether a proposition holds of a response; `None` where nobody could say.
pub type Truth = Option<bool>;

/// What is known about one proposition of one response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The proposition's id.
    pub id: String,
    /// Whether it holds.
    pub holds: Truth,
    /// Whether a rule said so, and no model was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_rule: bool,
}

/// One response of a transcript with its grade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graded {
    /// Index into the transcript's responses.
    pub response: usize,
    /// The grade.
    pub grade: Grade,
    /// What its grade follows from, in the order of the constitution.
    pub findings: Vec<Finding>,
}

/// The style that a transcript was made with, and how its responses were graded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Styled {
    /// The style's id.
    pub style: String,
    /// Every response that was graded, in order.
    pub graded: Vec<Graded>,
}

impl Styled {
    /// The grade of a response, where it has one.
    pub fn grade_of(&self, response: usize) -> Option<Grade> {
        Some(self.of(response)?.grade)
    }

    /// What is known about a response.
    pub fn of(&self, response: usize) -> Option<&Graded> {
        self.graded.iter().find(|graded| graded.response == response)
    }
}
