//! `amend chat`: one prompt at a time, live.
//!
//! In a terminal, a conversation with commands; with a prompt on the command line or standard input, one answer.

mod command;
mod editor;
mod input;
mod live;
mod notes;
mod screen;
mod session;

use super::Failure;
use super::failure::Kind;
use super::project::Project;
use super::settings::RecipeArgs;
use super::style::Style;
use command::Line;
use screen::Screen;
use session::{Session, Then};
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;

/// Explore one prompt: watch the draft, the critiques and the revision as they come
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amend chat --model sim\n  amend chat --constitution mine.toml --base-url \
                        http://localhost:8000/v1 --model my-model\n  amend chat \"How do I kill a process?\" --model \
                        sim\n  echo \"How do I kill a process?\" | amend chat --json --model sim"
)]
pub(super) struct Args {
    /// Answer this and leave
    #[arg(value_name = "PROMPT")]
    prompt: Option<String>,
    /// A recipe file to take settings from
    #[arg(long = "recipe", value_name = "FILE")]
    recipe_file: Option<std::path::PathBuf>,
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Print the transcript as one JSON object, and nothing else
    #[arg(long)]
    json: bool,
}

/// Largest prompt that is read from standard input.
const LARGEST: u64 = 1 << 20;

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut recipe = args.recipe.clone();
    recipe.recipe.clone_from(&args.recipe_file);
    let project = Project::load(&recipe)?;
    let runtime = super::runtime()?;
    match one_shot(args)? {
        Some(prompt) => answer_once(&runtime, project, &prompt, args.json),
        None => converse(&runtime, project),
    }
}

/// The prompt, when there is to be only one: from the command line, or from standard input that is no terminal.
fn one_shot(args: &Args) -> Result<Option<String>, Failure> {
    if let Some(prompt) = &args.prompt {
        return Ok(Some(prompt.clone()));
    }
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        if args.json {
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
    prompt: &str,
    json: bool,
) -> Result<ExitCode, Failure> {
    let to: Box<dyn std::io::Write + Send> =
        if json { Box::new(std::io::sink()) } else { Box::new(std::io::stdout()) };
    let mut session = Session::new(project, Screen::new(Style::of_stdout(), to))?;
    runtime.block_on(session.answer(prompt))?;
    if let Some(stop) = session.stop() {
        return Err(stop);
    }
    let Some(transcript) = session.transcript() else {
        return Err(Failure::new(Kind::Interrupted, "stopped"));
    };
    if json {
        let text =
            serde_json::to_string(transcript).map_err(|error| Failure::new(Kind::Bug, error.to_string()))?;
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }
    Ok(ExitCode::from(u8::from(transcript.final_response().is_none())))
}

fn converse(runtime: &tokio::runtime::Runtime, project: Project) -> Result<ExitCode, Failure> {
    let screen = Screen::new(Style::of_stdout(), Box::new(std::io::stdout()));
    let mut session = Session::new(project, screen)?;
    session.screen().line(&session.greeting());
    let mut input = input::Input::new(session.principle_ids())?;
    loop {
        let Some(text) = input.line()? else { return Ok(ExitCode::SUCCESS) };
        let then = match command::parse(&text) {
            Ok(Line::Blank) => Ok(Then::Wait),
            Ok(Line::Prompt(prompt)) => runtime.block_on(session.answer(&prompt)).map(|()| Then::Wait),
            Ok(Line::Do(command)) => session.carry_out(command),
            Err(why) => Err(Failure::usage(why)),
        };
        let then = match then {
            Ok(Then::Again) => runtime.block_on(session.again()).map(|()| Then::Wait),
            other => other,
        };
        match then {
            Ok(Then::Quit) => return Ok(ExitCode::SUCCESS),
            Ok(Then::Wait | Then::Again) => {}
            // A mistake is told, and the conversation goes on.
            Err(failure) => drop(failure.report()),
        }
        input.know(session.principle_ids());
    }
}
