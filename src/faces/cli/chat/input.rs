//! Lines from the person: an editor with history, several lines and completion in a terminal, or plain lines.

use super::command::BLOCK;
use super::complete::candidates;
use super::screen::Manner;
use crate::faces::cli::Failure;
use crate::faces::cli::failure::Kind;
use crate::pure::text::controls;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{
    Cmd, CompletionType, ConditionalEventHandler, Context, Editor, Event, EventContext, EventHandler, Helper,
    KeyCode, KeyEvent, Modifiers, RepeatCount,
};
use std::borrow::Cow;
use std::io::Write as _;
use std::path::PathBuf;
use tokio::runtime::Runtime;

const PROMPT: &str = "> ";
/// A line break that Enter made after a backslash, told by a mark without width from one that was pasted with its backslash.
const MARKED_BREAK: &str = "\u{2060}\n";
/// Entries kept in the history.
const REMEMBERED: usize = 1000;

/// Where lines come from.
pub(super) enum Input {
    /// The line editor.
    Edited(Box<Edited>),
    /// Lines as the terminal gives them.
    Plain,
}

/// The line editor and its history.
pub(super) struct Edited {
    editor: Editor<Words, DefaultHistory>,
    history: Option<PathBuf>,
}

impl Input {
    /// Lines from the terminal that standard input is.
    pub(super) fn new(manner: Manner) -> Result<Self, Failure> {
        Ok(match manner {
            Manner::Terminal => Self::Edited(Box::new(Edited::new()?)),
            Manner::Lines => Self::Plain,
        })
    }

    /// What is typed next; `None` at the end of input. Ctrl-C empties the line. Completes these principle ids.
    pub(super) fn next(
        &mut self,
        runtime: &Runtime,
        principles: Vec<String>,
    ) -> Result<Option<String>, Failure> {
        match self {
            Self::Edited(edited) => edited.next(principles),
            Self::Plain => plain(runtime),
        }
    }
}

impl Edited {
    fn new() -> Result<Self, Failure> {
        let config = rustyline::Config::builder()
            .auto_add_history(true)
            .max_history_size(REMEMBERED)
            .and_then(|config| config.history_ignore_dups(true))
            .map_err(|error| cannot(&error))?
            .history_ignore_space(true)
            .completion_type(CompletionType::List)
            .bracketed_paste(true)
            // Without colours too: it is what makes a pasted text safe to show, and it adds none.
            .color_mode(rustyline::ColorMode::Forced)
            .build();
        let mut editor = Editor::with_config(config).map_err(|error| cannot(&error))?;
        editor.set_helper(Some(Words { principles: Vec::new() }));
        editor.bind_sequence(KeyEvent(KeyCode::Enter, Modifiers::ALT), EventHandler::Simple(Cmd::Newline));
        let enter = EventHandler::Conditional(Box::new(Enter));
        editor.bind_sequence(KeyEvent(KeyCode::Enter, Modifiers::NONE), enter);
        let history = history_file();
        if let Some(file) = &history {
            // A first session has none.
            let _ = editor.load_history(file);
        }
        Ok(Self { editor, history })
    }

    fn next(&mut self, principles: Vec<String>) -> Result<Option<String>, Failure> {
        if let Some(words) = self.editor.helper_mut() {
            words.principles = principles;
        }
        loop {
            match self.editor.readline(PROMPT) {
                Ok(text) => {
                    if let Some(file) = &self.history {
                        // History is a convenience; that it cannot be kept is no reason to fail.
                        let _ = self.editor.append_history(file);
                    }
                    return Ok(Some(text.replace(&format!("\\{MARKED_BREAK}"), "\n")));
                }
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => return Err(cannot(&error)),
            }
        }
    }
}

/// A line, or several where one ends in a backslash or a block of them is open.
fn plain(runtime: &Runtime) -> Result<Option<String>, Failure> {
    let mut text = String::new();
    loop {
        say(if text.is_empty() { PROMPT } else { ". " });
        match plain_line(runtime)? {
            Typed::Line(line) => text.push_str(&line),
            Typed::Nothing => {
                text.clear();
                continue;
            }
            Typed::End => return Ok((!text.is_empty()).then_some(text)),
        }
        if is_open_block(&text) {
            text.push('\n');
        } else if !text.starts_with(BLOCK) && text.ends_with('\\') {
            text.pop();
            text.push('\n');
        } else {
            return Ok(Some(text));
        }
    }
}

/// What came of waiting for a line.
enum Typed {
    Line(String),
    /// Ctrl-C: whatever was begun is forgotten.
    Nothing,
    End,
}

fn plain_line(runtime: &Runtime) -> Result<Typed, Failure> {
    runtime.block_on(async {
        let mut reading = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map(|_| line)
        });
        let mut interrupted = false;
        let read = loop {
            tokio::select! {
                read = &mut reading => break read,
                // The terminal forgets the line; what is typed next is another.
                _ = tokio::signal::ctrl_c() => {
                    interrupted = true;
                    say("\n> ");
                }
            }
        };
        let line = read.map_err(std::io::Error::other).flatten();
        let line = line.map_err(|error| cannot(&ReadlineError::Io(error)))?;
        if line.is_empty() {
            return Ok(Typed::End);
        }
        let line = line.trim_end_matches(['\n', '\r']).to_owned();
        Ok(if interrupted && line.is_empty() { Typed::Nothing } else { Typed::Line(line) })
    })
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn is_open_block(text: &str) -> bool {
    text.strip_prefix(BLOCK).is_some_and(|rest| !rest.trim_end().ends_with(BLOCK))
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

/// Enter sends, except in a text that is to go on.
struct Enter;

impl ConditionalEventHandler for Enter {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let (line, at_end) = (context.line(), context.pos() == context.line().len());
        if is_open_block(line) {
            return Some(Cmd::Newline);
        }
        (at_end && line.ends_with('\\')).then(|| Cmd::Insert(1, MARKED_BREAK.to_owned()))
    }
}

/// Completion, and the line made safe to show.
struct Words {
    principles: Vec<String>,
}

impl Helper for Words {}
impl rustyline::hint::Hinter for Words {
    type Hint = String;
}
impl rustyline::validate::Validator for Words {}

impl rustyline::highlight::Highlighter for Words {
    /// A pasted prompt can be as hostile as any model. What could control the terminal is shown as one column, which is what
    /// the editor counts for it; what is sent stays as it was pasted.
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        let hostile = |c: char| controls(c) && !matches!(c, '\n' | '\t');
        if line.contains(hostile) {
            Cow::Owned(line.replace(hostile, "\u{fffd}"))
        } else {
            Cow::Borrowed(line)
        }
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
