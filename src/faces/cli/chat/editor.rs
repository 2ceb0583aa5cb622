//! Opens a file in the user's editor and waits.

use crate::faces::cli::Failure;
use std::path::Path;
use std::process::Command;

/// Editors that go to a line when they are told `+LINE` before the file.
const TAKE_PLUS: [&str; 9] = ["vi", "vim", "nvim", "view", "nano", "emacs", "emacsclient", "micro", "kak"];

/// Runs `$VISUAL`, `$EDITOR` or `vi` on the file, at the line where the editor is known to take one.
#[expect(clippy::disallowed_methods, reason = "the editor is named by the environment")]
pub(super) fn edit(path: &Path, line: Option<usize>) -> Result<(), Failure> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".into());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let known =
        Path::new(program).file_name().is_some_and(|name| TAKE_PLUS.iter().any(|known| name == *known));
    let at = line.filter(|_| known).map(|line| format!("+{line}"));
    let status = Command::new(program).args(words).args(at).arg(path).status().map_err(|error| {
        Failure::usage(format!("cannot run the editor `{editor}`: {error}"))
            .hint("name one in $VISUAL or $EDITOR")
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::usage(format!("the editor `{editor}` failed; nothing is changed")))
    }
}
