//! Finds forbidden spans in a text that comes in pieces, and knows at every moment where the first span may have begun that the
//! next piece could complete.
//!
//! So a text can be given on up to that place, and no byte of a span ever is. Every expression has a longest match: without one
//! a span could stay open for ever. Source of the automaton: the crate `regex-automata`.

mod compile;
mod scan;

pub use compile::{LiveMatcher, Span, longest_match};
pub use scan::LiveScan;

#[cfg(test)]
mod tests;
