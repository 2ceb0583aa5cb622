//! `amend chat`: one prompt at a time, live.
//!
//! In a terminal, a conversation with commands; with a prompt on the command line or standard input, one answer. A
//! session is kept in a directory, with its answers in a journal, and can be gone on with.

mod command;
mod complete;
mod critique_view;
mod edit_commands;
mod editor;
mod input;
mod replay;
mod save_commands;
mod screen;
mod session;
mod session_cost;
mod session_store;
mod show_commands;
mod shown_calls;
pub(super) mod summary;

use super::Failure;
use super::failure::Kind;
use super::settings::RecipeArgs;
use super::style::Style;
use super::word_wrap::flowed;
use crate::faces::cli::stdout::stdout;
use crate::pure::text::{printable, printable_json};
use crate::runtime::project::{Project, SessionDir};
use command::Line;
use edit_commands::Then;
use screen::{Manner, Screen};
use session::Session;
use session_store::{Keeping, SessionStore};
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Explore one prompt: watch the draft, the critiques and the revision as they come
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  amend chat --model sim
  amend chat --constitution mine.toml --base-url http://localhost:8000/v1 \\
    --model my-model
  amend chat amend.toml                    with the settings of a recipe
  amend chat --resume                      go on with the newest session
  amend chat \"How do I kill a process?\" --model sim
  amend chat redteam.toml --find attack/finds.jsonl#3f2a    replay a find
  echo \"How do I kill a process?\" | amend chat --json --model sim

In a chat, /help lists the commands. /edit opens the constitution in $VISUAL or $EDITOR and answers again, asking only \
what the edit reaches; /save keeps what is good. Ctrl-C stops an answer, Ctrl-D leaves.")]
pub(super) struct Args {
    /// Answer this and leave; a file that ends in .toml is the recipe instead
    #[arg(value_name = "PROMPT")]
    prompt: Option<String>,
    /// A recipe file to take settings from
    #[arg(long = "recipe", value_name = "FILE")]
    recipe_file: Option<PathBuf>,
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The directory that keeps the session; one that is there goes on, with its settings unless flags say otherwise
    /// [default: runs/chat-1, chat-2 and so on; with PROMPT, none]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the newest session in runs/
    #[arg(long, conflicts_with = "out")]
    resume: bool,
    /// Replay an attack that `amend redteam` found: its user turns are answered one after another, by the recipe's target where
    /// it names one. Without an ID the file must hold one find
    #[arg(long, value_name = "FILE#ID")]
    find: Option<String>,
    /// Print the transcript as one JSON object, and nothing else
    #[arg(long)]
    json: bool,
    /// Only ever append lines: no cursor movement and no redrawing, for screen readers and logs. Plain lines are also what
    /// TERM=dumb and a pipe get. A text of several lines goes between two lines of """
    #[arg(long)]
    plain: bool,
}

/// Largest prompt that is read from standard input.
const LARGEST: u64 = 1 << 20;

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let named = NamedInputs::of(args);
    let first = match &args.find {
        Some(_) if named.prompt.is_some() => {
            return Err(Failure::usage("`--find` says what is asked, and there is a prompt too")
                .hint("leave one of them out; a recipe is a file that ends in .toml"));
        }
        Some(place) => replay::turns_of(place)?,
        None => one_shot(named.prompt, args.json)?.into_iter().collect(),
    };
    // A replay in a terminal goes on as a conversation.
    let is_once = !first.is_empty() && (args.find.is_none() || args.json || !std::io::stdin().is_terminal());
    let keeping = match (&args.out, args.resume) {
        (Some(path), _) => Keeping::In(SessionDir::at(path)?),
        (None, true) => Keeping::newest()?,
        (None, false) if is_once => Keeping::Nowhere,
        (None, false) => Keeping::Next,
    };
    let kept = if named.recipe.is_none() { keeping.dir().and_then(SessionDir::settings) } else { None };
    let mut recipe = args.recipe.clone();
    recipe.recipe = named.recipe.or_else(|| kept.clone());
    let mut project = recipe.open_project().map_err(|failure| match &kept {
        Some(file) => failure
            .hint(format!("the settings of the chat are in `{}`; a flag wins over them", file.display())),
        None => failure,
    })?;
    let runtime = super::runtime()?;
    if args.find.is_some() {
        replay::answered_by_the_target(&mut project.recipe);
    }
    if is_once {
        answer_once(&runtime, project, keeping, &first, args)
    } else {
        converse(&runtime, project, keeping, &first, manner(args))
    }
}

/// What the words of the command line are.
struct NamedInputs {
    recipe: Option<PathBuf>,
    prompt: Option<String>,
}

impl NamedInputs {
    /// Tells them apart: a file that ends in `.toml` is the recipe, in whatever place it is. Another word is the prompt.
    fn of(args: &Args) -> Self {
        let mut named = Self { recipe: args.recipe_file.clone(), prompt: None };
        let second = args.recipe.recipe.as_ref().map(|path| path.to_string_lossy().into_owned());
        for word in args.prompt.iter().cloned().chain(second) {
            let path = Path::new(&word);
            if named.recipe.is_none() && path.extension().is_some_and(|end| end == "toml") && path.is_file() {
                named.recipe = Some(path.to_owned());
            } else if named.prompt.is_none() {
                named.prompt = Some(word);
            } else {
                named.recipe = Some(word.into());
            }
        }
        named
    }
}

/// What the terminal can do and the person wants.
fn manner(args: &Args) -> Manner {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    if args.plain || dumb || !std::io::stdout().is_terminal() { Manner::Lines } else { Manner::Terminal }
}

/// The prompt, when there is to be only one: from the command line, or from standard input that is no terminal.
fn one_shot(prompt: Option<String>, json: bool) -> Result<Option<String>, Failure> {
    if prompt.is_some() {
        return Ok(prompt);
    }
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        if json {
            return Err(Failure::usage("`--json` wants a prompt, on the command line or on standard input"));
        }
        return Ok(None);
    }
    let mut text = String::new();
    stdin
        .lock()
        .take(LARGEST)
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format!("cannot read a prompt from standard input: {error}")))?;
    match text.trim() {
        "" => Err(Failure::usage("there is no prompt on standard input")),
        prompt => Ok(Some(prompt.to_owned())),
    }
}

fn answer_once(
    runtime: &tokio::runtime::Runtime,
    project: Project,
    keeping: Keeping,
    prompts: &[String],
    args: &Args,
) -> Result<ExitCode, Failure> {
    let screen = if args.json {
        Screen::new(Manner::Lines, Style::plain(), Box::new(std::io::sink()))
    } else {
        Screen::stdout(manner(args))
    };
    let mut session = Session::new(project, screen, SessionStore::new(keeping))?;
    session.resume()?;
    for prompt in prompts {
        if args.find.is_some() {
            session.screen.say(&session.screen.style().strong(&printable(prompt)));
        }
        runtime.block_on(session.answer(prompt))?;
        if let Some(stop) = session.stop() {
            return Err(stop);
        }
    }
    let Some(transcript) = session.transcript() else {
        return Err(Failure::new(Kind::Interrupted, "stopped"));
    };
    if args.json {
        let text =
            serde_json::to_string(transcript).map_err(|error| Failure::new(Kind::Bug, error.to_string()))?;
        let _ = writeln!(stdout(), "{}", printable_json(&text));
    }
    Ok(ExitCode::from(u8::from(transcript.final_response().is_none())))
}

fn converse(
    runtime: &tokio::runtime::Runtime,
    project: Project,
    keeping: Keeping,
    first: &[String],
    manner: Manner,
) -> Result<ExitCode, Failure> {
    // From here on Ctrl-C is ours: it ends an answer or a line, and never the program.
    runtime.block_on(async {
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => {}
            () = std::future::ready(()) => {}
        }
    });
    let is_known = keeping.dir().is_some();
    let mut session = Session::new(project, Screen::stdout(manner), SessionStore::new(keeping))?;
    // A new session has its place when there is something to keep.
    if is_known {
        session.resume()?;
    }
    session.show_resumed();
    session.screen.say(&session.in_force());
    session.screen.say(&session.screen.style().faint("Type a prompt. /help lists the commands."));
    for prompt in first {
        session.screen.say(&session.screen.style().strong(&printable(prompt)));
        runtime.block_on(session.answer(prompt))?;
    }
    let mut input = input::Input::new(manner)?;
    while let Some(text) = input.next(runtime, session.principle_ids())? {
        session.screen.fit();
        match obey(runtime, &mut session, &text) {
            Ok(Then::Quit) => break,
            Ok(Then::Wait | Then::Again) => {}
            // A mistake is told, and the conversation goes on.
            Err(failure) => tell(&failure, session.screen.style().width),
        }
    }
    if let Some(farewell) = session.store.farewell() {
        session.screen.say(&session.screen.style().faint(&farewell));
    }
    Ok(ExitCode::SUCCESS)
}

/// Does what a line says.
fn obey(runtime: &tokio::runtime::Runtime, session: &mut Session, text: &str) -> Result<Then, Failure> {
    let then = match command::parse(text).map_err(Failure::usage)? {
        Line::Blank => Then::Wait,
        Line::Prompt(prompt) => {
            runtime.block_on(session.answer(&prompt))?;
            Then::Wait
        }
        Line::Do(command) => session.carry_out(command)?,
    };
    if then == Then::Again {
        runtime.block_on(session.again())?;
    }
    Ok(then)
}

/// A mistake, as [`Failure::report`] tells it, within the width of the screen.
fn tell(failure: &Failure, width: usize) {
    let Failure { message, hints, details, .. } = failure;
    let mut lines = Vec::new();
    lines.extend((!details.is_empty()).then(|| details.trim_end().to_owned()));
    lines.push(flowed(&format!("error: {}", printable(message)), width - 1, 0));
    lines.extend(hints.iter().map(|hint| flowed(&format!("help: {}", printable(hint)), width - 1, 2)));
    let _ = writeln!(std::io::stderr().lock(), "{}", lines.join("\n"));
}
