//! The constitutions that ship, built into the binary, so that a run needs no checkout.

use crate::diagnostic::SourceFile;

/// Where built-in files seem to stand, so that what they extend is found beside them and never on disk.
const FOLDER: &str = "built-in/";

/// Name and text of every built-in constitution.
const FILES: &[(&str, &str)] = &[];

/// The built-in constitution of this name: `harmlessness`, `harmlessness.toml` or `constitutions/harmlessness.toml`.
pub fn built_in(name: &str) -> Option<SourceFile> {
    let stem = name.strip_suffix(".toml").unwrap_or(name);
    let stem = stem.strip_prefix(FOLDER).or_else(|| stem.strip_prefix("constitutions/")).unwrap_or(stem);
    let (name, text) = FILES.iter().find(|(name, _)| *name == stem)?;
    Some(SourceFile::new(format!("{FOLDER}{name}.toml"), *text))
}

/// The names of the built-in constitutions.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// Whether a path names a built-in file as [`built_in`] does.
pub(super) fn is_built_in_path(path: &str) -> bool {
    path.starts_with(FOLDER)
}
