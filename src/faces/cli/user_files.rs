//! The files that a user names, read for a command: warnings go to standard error, errors become a [`Failure`].

use super::Failure;
use super::style::Style;
use crate::pure::constitution::Constitution;
use crate::pure::diagnostic::{SourceFile, render};
use crate::runtime::project::{Findings, InputFiles, ProjectError};
use std::io::Write as _;

/// Reads a constitution: a file, or a built-in one by name.
pub fn read_constitution(name: &str) -> Result<Constitution, Failure> {
    with_warnings(|files| files.constitution(name))
}

/// Reads a constitution whose text is at hand.
pub fn read_constitution_text(main: &SourceFile) -> Result<Constitution, Failure> {
    with_warnings(|files| files.constitution_text(main))
}

/// Reads with fresh files, and shows what they are warned of.
pub(super) fn with_warnings<T>(
    read: impl FnOnce(&mut InputFiles) -> Result<T, ProjectError>,
) -> Result<T, Failure> {
    let mut files = InputFiles::default();
    let result = read(&mut files);
    let warnings = files.take_warnings();
    let _ = std::io::stderr().write_all(rendered(&warnings, Style::of_stderr()).as_bytes());
    Ok(result?)
}

/// Findings as people see them.
pub(super) fn rendered(findings: &Findings, style: Style) -> String {
    render(&findings.diagnostics, &findings.sources, style.of_findings())
}
