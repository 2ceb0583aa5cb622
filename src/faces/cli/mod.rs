//! The command line: one file per command.
//!
//! Data goes to stdout, everything else to stderr. Only this module prints, reads the environment and the clock, and
//! knows exit codes.

mod ablate;
mod audit;
mod chat;
mod check;
mod completions;
mod constitutions;
mod coverage;
mod diff;
mod doctor;
mod eval;
mod export;
pub mod failure;
mod guard;
mod harden;
mod import;
mod init;
mod journaled_work;
mod judging_args;
mod label;
mod launch;
mod log;
mod merge;
mod plan;
mod progress;
mod prove;
mod push;
mod redteam;
mod reject_reasons;
mod repair;
mod run;
mod sarif;
mod scale_args;
mod schema;
mod seeds;
pub mod settings;
mod show;
pub mod show_transcript;
mod signals;
mod sim;
mod stdout;
pub mod style;
mod test;
mod transfers;
mod tune;
mod twins;
pub mod user_files;
#[cfg(test)]
mod verdict_readings_tests;
mod verify;
mod whole_file;
pub mod word_diff;
pub mod word_wrap;

pub use failure::Failure;

use clap::Parser;
use std::process::ExitCode;

/// A Constitutional AI engine: draft, criticise against a constitution, revise, keep the chain as training data.
#[derive(Debug, Parser)]
#[command(name = "amend", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: log::LogArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Start a project: a commented recipe and constitution.
    Init(init::Args),
    /// Check constitutions, recipes and templates.
    Check(check::Args),
    Chat(Box<chat::Args>),
    Plan(Box<plan::Args>),
    /// Run a recipe: prompts in, a training dataset out.
    Run(Box<run::Args>),
    /// Show a run, or one transcript with what changed between revisions.
    Show(show::Args),
    Seeds(Box<seeds::Args>),
    Twins(Box<twins::Args>),
    /// Write the dataset of a run again, without a call.
    Export(export::Args),
    Merge(merge::Args),
    /// Compare every byte of a dataset with its manifest, or look at every record of a run.
    Verify(verify::Args),
    Tune(tune::Args),
    Repair(repair::Args),
    Push(push::Args),
    Label(Box<label::Args>),
    Diff(diff::Args),
    Test(Box<test::Args>),
    /// Measure a judge, refusals on safe and unsafe prompts, stored responses.
    Eval(eval::Args),
    Ablate(Box<ablate::Args>),
    Redteam(Box<redteam::Args>),
    Harden(Box<harden::Args>),
    Prove(Box<prove::Args>),
    Audit(Box<audit::Args>),
    Coverage(coverage::Args),
    Import(import::Args),
    Constitutions(constitutions::Args),
    Doctor(doctor::Args),
    Guard(Box<guard::Args>),
    /// Serve the simulated model over HTTP.
    Sim(Box<sim::Args>),
    /// Print the JSON schema of a constitution or a recipe, for editors.
    Schema(schema::Args),
    Launch(launch::Args),
    Completions(completions::CompletionsArgs),
    Man(completions::ManArgs),
}

/// Parses the arguments, runs the command, and says how it went.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| failure::bug(panic).print()));
    std::panic::catch_unwind(carry_out).unwrap_or(ExitCode::from(failure::Kind::Bug as u8))
}

fn carry_out() -> ExitCode {
    let cli = Cli::parse();
    if let Err(failure) = log::start(&cli.log) {
        return failure.report();
    }
    transfers::show();
    let result = match &cli.command {
        Command::Init(args) => init::run(args),
        Command::Check(args) => check::run(args),
        Command::Chat(args) => chat::run(args),
        Command::Plan(args) => plan::run(args),
        Command::Run(args) => run::run(args),
        Command::Show(args) => show::run(args),
        Command::Seeds(args) => seeds::run(args),
        Command::Twins(args) => twins::run(args),
        Command::Export(args) => export::run(args),
        Command::Audit(args) => audit::run(args),
        Command::Coverage(args) => coverage::run(args),
        Command::Merge(args) => merge::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Tune(args) => tune::run(args),
        Command::Repair(args) => repair::run(args),
        Command::Push(args) => push::run(args),
        Command::Label(args) => label::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Test(args) => test::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Ablate(args) => ablate::run(args),
        Command::Redteam(args) => redteam::run(args),
        Command::Harden(args) => harden::run(args),
        Command::Prove(args) => prove::run(args),
        Command::Import(args) => import::run(args),
        Command::Constitutions(args) => constitutions::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Guard(args) => guard::run(args),
        Command::Sim(args) => sim::run(args),
        Command::Schema(args) => Ok(schema::run(args)),
        Command::Launch(args) => launch::run(args),
        Command::Completions(args) => Ok(completions::completions(args)),
        Command::Man(args) => completions::man(args),
    };
    match (result, stdout::failure()) {
        (Err(failure), _) | (Ok(_), Some(failure)) => failure.report(),
        (Ok(code), None) => code,
    }
}

/// The runtime that commands with IO run on.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|error| Failure::disk(format!("cannot start: {error}")))
}
