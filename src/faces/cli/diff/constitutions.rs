//! Two constitutions, or a constitution against its version in git, told for people.

use super::{Args, constitution_at};
use crate::faces::cli::Failure;
use crate::faces::cli::stdout::stdout;
use crate::faces::cli::style::Style;
use crate::faces::cli::user_files::{read_constitution, read_constitution_text};
use crate::faces::cli::word_diff::word_diff;
use crate::pure::constitution::Constitution;
use crate::pure::constitution::diff::{Change, Field, diff};
use crate::pure::diagnostic::SourceFile;
use crate::pure::text::printable;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (old, new) = match (&args.new, &args.git) {
        (Some(new), _) => {
            (read_constitution(&constitution_at(&args.old))?, read_constitution(&constitution_at(new))?)
        }
        (None, Some(revision)) => (at_revision(&args.old, revision)?, read_constitution(&args.old)?),
        (None, None) => return Err(Failure::usage("`amend diff` wants two files, or one and `--git REV`")),
    };
    let changes = diff(&old, &new);
    let text = if args.json {
        serde_json::json!({ "changes": changes }).to_string()
    } else {
        render(&old, &new, &changes, args.stat, Style::of_stdout())
    };
    let _ = writeln!(stdout(), "{}", text.trim_end());
    Ok(ExitCode::from(u8::from(!changes.is_empty())))
}

fn render(old: &Constitution, new: &Constitution, changes: &[Change], stat: bool, style: Style) -> String {
    let mut out = String::new();
    let name = |c: &Constitution| format!("{} {}", printable(&c.id), printable(&c.version));
    let asks = changes.iter().filter(|change| reaches_calls(change)).count();
    let _ = writeln!(
        out,
        "{} → {}: {} of {} principles changed, {asks} in what models are asked",
        name(old),
        name(new),
        changes.len(),
        new.principles.len().max(old.principles.len())
    );
    for change in changes {
        if stat {
            let _ = writeln!(out, "  {}", in_short(change));
            continue;
        }
        match change {
            Change::Added { id, text } => {
                let _ =
                    writeln!(out, "\n{} {}\n    {}", style.good("added"), style.strong(id), printable(text));
            }
            Change::Removed { id, text } => {
                let _ =
                    writeln!(out, "\n{} {}\n    {}", style.bad("removed"), style.strong(id), printable(text));
            }
            Change::Renamed { from, to, fields } => {
                let _ = writeln!(out, "\n{} {from} → {}", style.warn("renamed"), style.strong(to));
                render_fields(&mut out, fields, style);
            }
            Change::Edited { id, fields } => {
                let _ = writeln!(out, "\n{} {}", style.warn("edited"), style.strong(id));
                render_fields(&mut out, fields, style);
            }
        }
    }
    out
}

/// A change in a few words: `edited kind (text, priority)`.
pub(super) fn in_short(change: &Change) -> String {
    let names = |fields: &[Field]| fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
    match change {
        Change::Added { id, .. } => format!("added {id}"),
        Change::Removed { id, .. } => format!("removed {id}"),
        Change::Renamed { from, to, fields } if fields.is_empty() => format!("renamed {from} to {to}"),
        Change::Renamed { from, to, fields } => format!("renamed {from} to {to} ({})", names(fields)),
        Change::Edited { id, fields } => format!("edited {id} ({})", names(fields)),
    }
}

/// Whether a run has to ask something anew.
fn reaches_calls(change: &Change) -> bool {
    match change {
        Change::Added { .. } | Change::Removed { .. } | Change::Renamed { .. } => true,
        Change::Edited { fields, .. } => fields.iter().any(|field| field.asks),
    }
}

fn render_fields(out: &mut String, fields: &[Field], style: Style) {
    for field in fields {
        let shown = word_diff(&field.old, &field.new, style).replace('\n', "\n      ");
        let _ = writeln!(out, "    {}: {shown}", field.name);
    }
}

/// The constitution as git has it. What it extends is read from the working tree.
fn at_revision(path: &str, revision: &str) -> Result<Constitution, Failure> {
    let file = Path::new(path);
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if revision.starts_with('-') {
        return Err(Failure::usage(format!("`{revision}` is no git revision")));
    }
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["show", &format!("{revision}:./{name}")])
        .output()
        .map_err(|error| Failure::usage(format!("cannot run git: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::usage(format!(
            "git has no `{path}` at `{revision}`: {}",
            printable(said.trim())
        )));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // The old text keeps the file's own place, so that what it extends is found beside it.
    read_constitution_text(&SourceFile::new(path, text))
}
