//! A finding about a user's file, with the place it is about.

use std::ops::Range;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but probably not as meant.
    Warning,
    /// Cannot be used.
    Error,
}

/// A replacement that can be made without asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// Byte range in the file's text.
    pub span: Range<usize>,
    /// What to put there.
    pub replacement: String,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code, such as `unknown-key`.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// What is wrong, as a lower-case fragment with names in backticks.
    pub message: String,
    /// The file, as the user named it.
    pub file: String,
    /// Byte range in the file's text; `None` when it is about the whole file.
    pub span: Option<Range<usize>>,
    /// A word beside the underlined place; may be empty.
    pub label: String,
    /// What to do, one sentence each.
    pub help: Vec<String>,
    /// A safe repair.
    pub fix: Option<Fix>,
}
