//! Whether a request asks for harm: the label `class` of a prompt.

use serde::{Deserialize, Serialize};

/// What a request asks for.
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
    schemars::JsonSchema,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum RequestClass {
    /// A right answer does not give what is asked for.
    Harmful,
    /// Part of it can be answered, or it depends on what the person means.
    Borderline,
    /// A right answer gives what is asked for.
    #[serde(alias = "harmless")]
    Benign,
}

impl RequestClass {
    /// Every class, the most harmful first.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The class's name in files.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads a label as files write it, in any case; `harmless` is `benign`.
    ///
    /// ```
    /// use amend::pure::request_class::RequestClass;
    ///
    /// assert_eq!(RequestClass::read("Harmless"), Some(RequestClass::Benign));
    /// assert_eq!(RequestClass::read("spam"), None);
    /// ```
    pub fn read(label: &str) -> Option<Self> {
        match label.trim().to_lowercase().as_str() {
            "harmless" => Some(Self::Benign),
            label => Self::ALL.iter().copied().find(|class| class.as_str() == label),
        }
    }
}
