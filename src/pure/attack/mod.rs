//! Attacks: how a goal is put so that a model may give way, and how such a text is read back.
//!
//! [`Transform`] is what needs no model: it changes a text by rule, and most of them can be undone. [`find_goal`] undoes them, one
//! in another, until a text is found that is the goal; the simulated model reads attacks so. A bug in both directions would
//! hide, so each transform has a golden file whose output was not made with this code (`tests/data/transforms/`).
//!
//! [`Card`]s say in files how a goal is put: transforms and the words around it, or an instruction for a model that writes.
//!
//! Nothing here writes harmful text: a goal is a text that somebody hands in, and it is only ever a value.

mod alphabets;
mod built_in;
pub mod card;
mod decode;
mod encodings;
mod family;
mod formats;
mod obfuscations;
#[cfg(test)]
mod tests;
mod transform;

pub use built_in::{Recognised, built_in_cards, recognise};
pub use card::{Card, Driver, Needs, read_cards};
pub use decode::{Reading, find_goal};
pub use family::Family;
pub use transform::Transform;
