//! Opens a file in the user's editor and waits.

use crate::cli::Failure;
use std::path::Path;
use std::process::Command;

/// Runs `$VISUAL`, `$EDITOR` or `vi` on the file.
#[expect(clippy::disallowed_methods, reason = "the editor is named by the environment")]
pub(super) fn edit(path: &Path) -> Result<(), Failure> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".into());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = Command::new(program).args(words).arg(path).status().map_err(|error| {
        Failure::usage(format!("cannot run the editor `{editor}`: {error}")).hint("name one in $EDITOR")
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::usage(format!("the editor `{editor}` failed; nothing is changed")))
    }
}
