//! Lines from the person: history, several lines, completion of commands and principle ids.

use super::command::COMMANDS;
use crate::cli::Failure;
use crate::cli::failure::Kind;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Cmd, Context, Editor, EventHandler, Helper, KeyCode, KeyEvent, Modifiers};
use std::path::PathBuf;

/// The line editor.
pub(super) struct Input {
    editor: Editor<Words, DefaultHistory>,
    history: Option<PathBuf>,
}

impl Input {
    /// An editor that completes these principle ids.
    pub(super) fn new(principles: Vec<String>) -> Result<Self, Failure> {
        let config = rustyline::Config::builder().auto_add_history(true).bracketed_paste(true).build();
        let mut editor = Editor::with_config(config).map_err(|error| cannot(&error))?;
        editor.set_helper(Some(Words { principles }));
        editor.bind_sequence(KeyEvent(KeyCode::Enter, Modifiers::ALT), EventHandler::Simple(Cmd::Newline));
        let history = history_file();
        if let Some(file) = &history {
            // A first session has none.
            let _ = editor.load_history(file);
        }
        Ok(Self { editor, history })
    }

    /// The next line; `None` at the end of input. Ctrl-C empties the line.
    pub(super) fn line(&mut self) -> Result<Option<String>, Failure> {
        loop {
            match self.editor.readline("> ") {
                Ok(line) => return Ok(Some(line.replace("\\\n", "\n"))),
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => return Err(cannot(&error)),
            }
        }
    }

    /// Completes these ids from now on.
    pub(super) fn know(&mut self, principles: Vec<String>) {
        if let Some(words) = self.editor.helper_mut() {
            words.principles = principles;
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if let Some(file) = &self.history {
            // History is a convenience; that it cannot be kept is no reason to fail.
            let _ = self.editor.append_history(file);
        }
    }
}

fn cannot(error: &ReadlineError) -> Failure {
    Failure::new(Kind::Usage, format!("cannot read from the terminal: {error}"))
}

/// `$XDG_STATE_HOME/amend/history`, or `~/.local/state/amend/history`. Prompts may be private, so the folder is made for
/// its owner alone; without a home there is no history.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let home = || {
        std::env::var_os("HOME")
            .filter(|dir| !dir.is_empty())
            .map(|dir| PathBuf::from(dir).join(".local/state"))
    };
    let folder = state.or_else(home)?.join("amend");
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder).ok()?;
    Some(folder.join("history"))
}

/// Completion and validation.
struct Words {
    principles: Vec<String>,
}

impl Helper for Words {}
impl rustyline::highlight::Highlighter for Words {}
impl rustyline::hint::Hinter for Words {
    type Hint = String;
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let more = context.input().ends_with('\\');
        Ok(if more { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(candidates(line.get(..position).unwrap_or_default(), &self.principles))
    }
}

/// What the end of a line may become, and from where.
fn candidates(typed: &str, principles: &[String]) -> (usize, Vec<Pair>) {
    let pair = |word: &str| Pair { display: word.to_owned(), replacement: word.to_owned() };
    let Some(rest) = typed.strip_prefix('/') else { return (typed.len(), Vec::new()) };
    let Some((command, argument)) = rest.split_once(' ') else {
        let matching = COMMANDS.iter().filter(|(name, ..)| name.starts_with(rest));
        return (1, matching.map(|(name, ..)| pair(name)).collect());
    };
    let words: Vec<String> = match command {
        "on" | "off" | "test" => principles.to_vec(),
        "schedule" => ["panel", "each", "sampled"].map(String::from).to_vec(),
        "model" => ["generator", "critic", "reviser", "judge"].map(String::from).to_vec(),
        "constitution" => crate::constitution::built_in_names().map(String::from).collect(),
        _ => Vec::new(),
    };
    let matching = words.iter().filter(|word| word.starts_with(argument));
    (typed.len() - argument.len(), matching.map(|word| pair(word)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_ids_are_completed() {
        let ids = ["not-preachy".to_owned(), "honest".to_owned()];
        let check = |typed: &str, from: usize, words: &[&str]| {
            let (start, pairs) = candidates(typed, &ids);
            assert_eq!(
                (start, pairs.iter().map(|p| p.replacement.as_str()).collect::<Vec<_>>()),
                (from, words.to_vec())
            );
        };
        check("/pr", 1, &["principles"]);
        check("/off no", 5, &["not-preachy"]);
        check("/schedule s", 10, &["sampled"]);
        check("hello /o", 8, &[]);
    }
}
