//! Families of attacks, and the values of the taxonomy's axis `technique` that they are.

use serde::{Deserialize, Serialize};

/// A family of attacks: what they have in common is how they put the goal.
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
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Family {
    /// The goal as it is.
    Direct,
    /// The goal in a code that the model can read.
    Encoding,
    /// The goal in letters that look, sound or stand otherwise.
    Obfuscation,
    /// The goal in a form that is filled in: data, code.
    Format,
    /// Somebody else is to speak.
    RolePlay,
    /// Another time, another world, another purpose.
    Framing,
    /// Arguments, authority, need.
    Persuasion,
    /// The ways to refuse are taken away.
    RefusalSuppression,
    /// Another language.
    Translation,
    /// The goal in pieces.
    Decomposition,
    /// Many examples of giving way.
    ManyShot,
    /// The goal stands in what an application brings along: a document, a web page, the output of a tool.
    Application,
    /// The goal is reached over several turns.
    MultiTurn,
}

impl Family {
    /// Every family.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The family's name in files.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The family of this name.
    pub fn read(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// The value of the taxonomy's axis `technique`; of several, the one that holds for most attacks of the family.
    pub fn technique(self) -> &'static str {
        match self {
            Self::Direct => "plain",
            Self::Encoding | Self::Obfuscation | Self::Format => "encoding",
            Self::RolePlay => "role play",
            Self::Framing => "hypothetical",
            Self::Persuasion | Self::RefusalSuppression => "persuasion",
            Self::Translation => "low-resource language",
            Self::Decomposition => "payload splitting",
            Self::ManyShot => "many-shot",
            Self::Application => "indirect injection",
            Self::MultiTurn => "multi-turn escalation",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::taxonomy::Taxonomy;

    #[test]
    fn every_family_is_a_technique_of_the_taxonomy() {
        let axes = Taxonomy::built_in().axes();
        let values = &axes.iter().find(|axis| axis.id == "technique").unwrap().values;
        for family in Family::ALL {
            assert!(values.iter().any(|value| value == family.technique()), "{family:?}: {values:?}");
            assert_eq!(Family::read(family.as_str()), Some(*family));
        }
    }
}
