//! Pure tools on text: words, normal form, language, near-duplicates.
//!
//! Nothing here knows what a text is for; gates, splits and reports bring their own thresholds. No files, no clock,
//! no chance: the same text gives the same result on every machine.

mod fewest_tokens;
pub mod language;
pub mod live_match;
pub mod loose_json;
mod markup;
pub mod minhash;
mod normalise;
pub mod one_word;
mod printable;
mod short_count;
mod words;

pub use fewest_tokens::fewest_tokens;
pub use markup::markup;
pub use normalise::normalise;
pub use printable::{Printable, controls, one_line, printable, printable_json};
pub use short_count::short_count;
pub use words::{is_spaceless, ngrams, share_changed, words};
