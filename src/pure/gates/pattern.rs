//! Constant patterns. They are ours, never a user's or a model's text, so one that fails to compile is a bug that
//! the first test to touch it shows.

use regex::Regex;

/// Compiles a constant pattern.
#[expect(clippy::expect_used, reason = "the patterns are constants, and tests compile each of them")]
pub(super) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern compiles")
}
