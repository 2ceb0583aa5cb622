//! Enums that files keep by name: reason codes, methods, ways of reading a label.
//!
//! Code decides by the variants and never by a string. A file may hold a name of another version of amend, so each such
//! enum has a variant `Other` that keeps the name as it is; only reading makes one. This file must not know any of the
//! enums; they stand in [`crate::pure::reason`] and [`crate::pure::transcript`].

/// A name that a file holds and that this version of amend does not know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnknownName(Box<str>);

impl UnknownName {
    /// Only for the enums of this floor, so that nothing but reading makes an unknown name.
    pub(in crate::pure) fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as the file has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// For an enum with `strum`'s `EnumString`, `EnumIter` and `IntoStaticStr` and a disabled variant `Other(UnknownName)`: the
/// printed name, every variant, an order by name, and serde as a plain string.
macro_rules! stored_names {
    ($name:ident) => {
        impl $name {
            /// The printed name, in files, events and reports.
            pub fn as_str(&self) -> &str {
                match self {
                    Self::Other(name) => name.as_str(),
                    known => <&'static str>::from(known),
                }
            }

            /// Everything that this version knows, in the order in which it is declared.
            pub fn known() -> impl Iterator<Item = Self> {
                <Self as strum::IntoEnumIterator>::iter()
            }

            /// What a file means by a name.
            pub fn stored(name: &str) -> Self {
                name.parse()
                    .unwrap_or_else(|_| Self::Other($crate::pure::stored_name::UnknownName::new(name)))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.as_str().cmp(other.as_str())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::stored(&String::deserialize(deserializer)?))
            }
        }
    };
}

pub(in crate::pure) use stored_names;
