//! A finding about a user's file, with the place it is about.
//!
//! Findings are values: whoever reads a file collects all of them, and the command line decides how they are shown
//! ([`render()`]), written ([`Diagnostic::to_json`]) or repaired ([`apply_fixes`]). Pure: texts come in as [`SourceFile`]s.

mod codes;
mod render;
mod suggest;

pub use codes::{CODES, Code, explain, is_known, nearest_code};
pub use render::{Style, render};
pub use suggest::{is_slip, nearest};

use std::ops::Range;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but probably not as meant.
    Warning,
    /// Cannot be used.
    Error,
}

impl Severity {
    /// The word that stands before the message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
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

impl Diagnostic {
    /// An error about a place in a file.
    pub fn error(
        code: &'static str,
        file: &str,
        span: impl Into<Option<Range<usize>>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            file: file.into(),
            span: span.into(),
            label: String::new(),
            help: Vec::new(),
            fix: None,
        }
    }

    /// A warning about a place in a file.
    pub fn warning(
        code: &'static str,
        file: &str,
        span: impl Into<Option<Range<usize>>>,
        message: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, file, span, message) }
    }

    /// Adds a word beside the underlined place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds a repair that can be made without asking.
    #[must_use]
    pub fn fix(mut self, span: Range<usize>, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix { span, replacement: replacement.into() });
        self
    }

    /// Offers the word that is likely meant in place of the one there, as a repair where the word can only be a slip;
    /// says `otherwise` where none is near.
    #[must_use]
    pub fn did_you_mean(self, slip: &Slip<'_>, near: Option<&str>, otherwise: impl Into<String>) -> Self {
        let Some(near) = near else { return self.help(otherwise) };
        let finding = self.help(format!("did you mean `{near}`?"));
        match (is_slip(slip.word, near), slip.quoted) {
            (true, true) => finding.fix(slip.at.clone(), format!("\"{near}\"")),
            (true, false) => finding.fix(slip.at.clone(), near),
            (false, _) => finding,
        }
    }

    /// Whether the file cannot be used as it is.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Where it is, counted from 1, in characters.
    pub fn position(&self, sources: &Sources) -> Option<Position> {
        Some(sources.get(&self.file)?.position(self.span.as_ref()?.start))
    }

    /// `file:line:column`, as far as it is known.
    pub fn place(&self, sources: &Sources) -> String {
        match self.position(sources) {
            Some(at) => format!("{}:{}:{}", self.file, at.line, at.column),
            None => self.file.clone(),
        }
    }

    /// The finding as one JSON object, for scripts.
    pub fn to_json(&self, sources: &Sources) -> serde_json::Value {
        let position = |offset| sources.get(&self.file).map(|source| source.position(offset));
        let place =
            |offset| position(offset).map(|at| serde_json::json!({ "line": at.line, "column": at.column }));
        serde_json::json!({
            "code": self.code,
            "severity": self.severity.as_str(),
            "message": self.message,
            "file": self.file,
            "start": self.span.as_ref().and_then(|span| place(span.start)),
            "end": self.span.as_ref().and_then(|span| place(span.end)),
            "label": self.label,
            "help": self.help,
            "fix": self.fix.as_ref().map(|fix| serde_json::json!({
                "start": place(fix.span.start),
                "end": place(fix.span.end),
                "replacement": fix.replacement,
            })),
        })
    }
}

/// A word in a file that may be a slip of another.
#[derive(Debug, Clone)]
pub struct Slip<'a> {
    /// The word.
    pub word: &'a str,
    /// Where it stands.
    pub at: Range<usize>,
    /// Whether it is a text in quotes, not a key.
    pub quoted: bool,
}

impl<'a> Slip<'a> {
    /// A text in quotes.
    pub fn text(word: &'a str, at: Range<usize>) -> Self {
        Self { word, at, quoted: true }
    }
}

/// Puts findings in the order of the files and of the places in them, and drops repetitions.
pub fn sort(findings: &mut Vec<Diagnostic>, sources: &Sources) {
    let rank = |file: &str| sources.files.iter().position(|source| source.name == file);
    findings.sort_by_cached_key(|d| (rank(&d.file), d.span.as_ref().map(|span| (span.start, span.end))));
    findings.dedup();
}

/// The text with every repair made; a repair that overlaps an earlier one is left for the next time. Gives back how
/// many were made.
pub fn apply_fixes<'a>(text: &str, fixes: impl IntoIterator<Item = &'a Fix>) -> (String, usize) {
    let mut fixes: Vec<&Fix> = fixes.into_iter().collect();
    fixes.sort_by_key(|fix| (fix.span.start, fix.span.end));
    let (mut out, mut done, mut made) = (String::with_capacity(text.len()), 0, 0);
    for fix in fixes {
        let (Some(before), Some(_)) = (text.get(done..fix.span.start), text.get(fix.span.clone())) else {
            continue;
        };
        out.push_str(before);
        out.push_str(&fix.replacement);
        done = fix.span.end;
        made += 1;
    }
    out.push_str(text.get(done..).unwrap_or(""));
    (out, made)
}

/// A place in a text, counted from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A file's text and the name that the user knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// As the user named it, or as it was found from a file that names it.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The byte at which each line begins.
    line_starts: Vec<usize>,
}

impl SourceFile {
    /// A file of this name and text. A byte order mark is dropped.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text: String = text.into();
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(after_breaks).collect();
        Self { name: name.into(), text, line_starts }
    }

    /// Where a byte offset is; an offset outside the text, or inside a character, is the place before it.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.line_of(offset);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let end = offset.min(self.text.len());
        let before = (start..=end).rev().find_map(|end| self.text.get(start..end)).unwrap_or("");
        Position { line, column: before.chars().count() + 1 }
    }

    /// The line of a byte, counted from 1.
    fn line_of(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset.min(self.text.len())).max(1)
    }

    /// The lines that hold a span: the byte where they begin, their text, and the number of the first.
    fn lines_of(&self, span: &Range<usize>) -> (usize, &str, usize) {
        let first = self.line_of(span.start);
        let start = self.line_starts.get(first - 1).copied().unwrap_or(0);
        let last = self.line_of(span.end.max(span.start));
        let end = self.line_starts.get(last).copied().unwrap_or(self.text.len());
        (start, self.text.get(start..end).unwrap_or(""), first)
    }
}

/// The files that findings may be about.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Remembers a file; one of the same name is replaced.
    pub fn add(&mut self, file: SourceFile) {
        match self.files.iter_mut().find(|known| known.name == file.name) {
            Some(known) => *known = file,
            None => self.files.push(file),
        }
    }

    /// The names of all files, in the order in which they came.
    pub fn names(&self) -> Vec<String> {
        self.files.iter().map(|file| file.name.clone()).collect()
    }

    /// The file of this name.
    pub fn get(&self, name: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_never_panic() {
        let file = SourceFile::new("x", "\u{feff}a = 1\näö = 2\n");
        let at = |offset| {
            let Position { line, column } = file.position(offset);
            (line, column)
        };
        assert_eq!([at(0), at(6), at(8), at(7), at(999)], [(1, 1), (2, 1), (2, 2), (2, 1), (3, 1)]);
    }

    #[test]
    fn fixes_that_overlap_wait_for_the_next_time() {
        let fix = |span, replacement: &str| Fix { span, replacement: replacement.into() };
        let fixes = [fix(4..5, "X"), fix(0..2, "__"), fix(1..3, "lost"), fix(7..99, "lost")];
        assert_eq!(apply_fixes("abcdefg", &fixes), ("__cdXfg".into(), 2));
    }
}
