//! A change between two constitutions.

use serde::Serialize;

/// What became of one principle, style, proposition or resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// It is new.
    Added {
        /// Its id.
        id: String,
        /// Its text.
        text: String,
    },
    /// It is gone.
    Removed {
        /// Its id.
        id: String,
        /// Its text.
        text: String,
    },
    /// Its id changed and little else.
    Renamed {
        /// The id before.
        from: String,
        /// The id now.
        to: String,
        /// Fields that changed besides.
        fields: Vec<Field>,
    },
    /// Some of its fields changed.
    Edited {
        /// Its id.
        id: String,
        /// Which fields, from what to what.
        fields: Vec<Field>,
    },
}

impl Change {
    /// The id that the principle has now, or had.
    pub fn id(&self) -> &str {
        match self {
            Self::Added { id, .. } | Self::Removed { id, .. } | Self::Edited { id, .. } => id,
            Self::Renamed { to, .. } => to,
        }
    }
}

/// One field of a principle that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its name in the file.
    pub name: &'static str,
    /// What it was; empty where it was absent.
    pub old: String,
    /// What it is; empty where it is absent.
    pub new: String,
    /// Whether the change alters what a model is asked (a test or an `allow` does not).
    pub asks: bool,
}
