//! `amend import`: other people's principles become a constitution file.

use super::Failure;
use crate::faces::cli::stdout::stdout;
use crate::pure::constitution::import::import;
use crate::pure::text::printable;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Make a constitution of principles in another form
///
/// Understood are the JSON files released with the paper (critique and revision requests, comparison questions), the
/// JSON of the Hugging Face recipe, LangChain's principles, NeMo Guardrails' output policy, promptfoo's rubrics and
/// policies, lists of principles in JSON or YAML, CSV with named columns, and plain text: one principle per line, or a list
/// in Markdown. Prose is refused with its line. Comments are kept. Nothing is reworded; what could not be carried over is said.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amend import principles.json --out constitution.toml\n  amend import rules.txt --id our-rules | less"
)]
pub(super) struct Args {
    /// The file, or `-` for standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Where to write the constitution; standard output when absent
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The constitution's id; made from the file's name when absent
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Replace the file that is there
    #[arg(long, requires = "out")]
    force: bool,
    /// Say what was done as one JSON object
    #[arg(long, requires = "out")]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let source = read(&args.file)?;
    let done = import(&args.file, &source, args.id.as_deref()).map_err(|e| {
        Failure::usage(format!("cannot import `{}`: {}", printable(&args.file), printable(&e.to_string())))
            .hint("`amend import --help` lists the forms that are understood")
    })?;
    let Some(out) = &args.out else {
        let _ = stdout().write_all(done.toml.as_bytes());
        say_notes(&done.notes);
        return Ok(ExitCode::SUCCESS);
    };
    write_file(out, &done.toml, args.force)?;
    if args.json {
        let summary = serde_json::json!({
            "out": out.display().to_string(),
            "form": done.form,
            "principles": done.principles,
            "examples": done.examples,
            "notes": done.notes,
        });
        let _ = writeln!(stdout(), "{summary}");
    } else {
        let out = printable(&out.display().to_string());
        say(&format!(
            "wrote {out}: {} principles and {} examples, from {}",
            done.principles, done.examples, done.form
        ));
        say_notes(&done.notes);
        say(&format!("next: amend check {out}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == "-" {
        std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    read.map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", printable(file))))
}

fn write_file(out: &PathBuf, text: &str, force: bool) -> Result<(), Failure> {
    let mut options = std::fs::File::options();
    options.write(true).create(true).create_new(!force).truncate(force);
    let name = printable(&out.display().to_string());
    let written = options.open(out).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::usage(format!("`{name}` is there already")).hint("`--force` replaces it")
        }
        _ => Failure::disk(format!("cannot write `{name}`: {e}")),
    })
}

fn say_notes(notes: &[String]) {
    for note in notes {
        say(&format!("note: {}", printable(note)));
    }
}

#[expect(clippy::print_stderr, reason = "what was done is for the person who called; it is not data")]
fn say(line: &str) {
    eprintln!("{line}");
}
