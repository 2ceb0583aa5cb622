//! Pure tools on text: words, normal form, language, near-duplicates.
//!
//! Nothing here knows what a text is for; gates, splits and reports bring their own thresholds. No files, no clock,
//! no chance: the same text gives the same result on every machine.

pub mod language;
pub mod minhash;
mod normalise;
mod words;

pub use normalise::normalise;
pub use words::{is_spaceless, ngrams, share_changed, words};
