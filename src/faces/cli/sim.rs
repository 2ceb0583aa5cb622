//! `amend sim`: the simulated model as a server.

use super::Failure;
use super::failure::journal_failure;
use crate::faces::cli::stdout::stdout;
use crate::pure::constitution::Constitution;
use crate::pure::prompt::Prompt;
use crate::pure::recipe::Sim;
use crate::pure::taxonomy::Taxonomy;
use crate::runtime::journal::Reader;
use crate::runtime::project::FrozenRun;
use crate::runtime::project::models::requests;
use crate::runtime::sim::{Score, Server, World, truth};
use secrecy::SecretString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `amend sim`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  amend sim --port 8000                                    a fast, faultless model
  amend sim --port 8000 --latency-ms 200 --slots 8         one that takes its time
  amend sim --port 8000 --rate-limited 0.05 --resets 0.01  one that fails now and then
  curl http://127.0.0.1:8000/stats                         what it was asked so far
  amend sim --score runs/first                             what the critics of a run found and missed
  amend sim --truth runs/first > truth.jsonl               what was planted, a line for each prompt and principle

Every flag of the groups below but Service is a field of [sim] in a recipe too, with _ for -.")]
pub(super) struct Args {
    /// The port to listen on; 0 picks a free one
    #[arg(long, value_name = "N", default_value_t = 8000, help_heading = "Service")]
    port: u16,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", help_heading = "Service")]
    host: String,
    /// Answer only requests that bring this key
    #[arg(long, value_name = "KEY", env = "AMEND_SIM_KEY", hide_env_values = true, help_heading = "Service")]
    key: Option<String>,
    /// Do not serve: score a run against the planted truth. Without flags of the world, its recipe's `sim` counts
    #[arg(long, value_name = "RUN", help_heading = "Service", conflicts_with_all = ["port", "host", "key"])]
    score: Option<PathBuf>,
    /// Do not serve: write the planted truth about every prompt of a run as JSON lines
    #[arg(long, value_name = "RUN", help_heading = "Service", conflicts_with_all = ["port", "host", "key", "score"])]
    truth: Option<PathBuf>,
    /// With --score: one JSON object, by principle too
    #[arg(long, help_heading = "Service", requires = "score")]
    json: bool,
    #[command(flatten)]
    settings: Sim,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if let Some(problem) = args.settings.problems().first() {
        return Err(Failure::usage(problem.clone()));
    }
    if let Some(run) = &args.score {
        return score(run, &args.settings, args.json);
    }
    if let Some(run) = &args.truth {
        return write_truth(run, &args.settings);
    }
    super::runtime()?.block_on(serve(args))
}

async fn serve(args: &Args) -> Result<ExitCode, Failure> {
    let key = args.key.clone().map(SecretString::from);
    let requests = requests(&args.settings)?;
    let place = (args.host.as_str(), args.port);
    let server =
        Server::bind_in_world(args.settings.clone(), requests, place, key).await.map_err(|error| {
            Failure::usage(format!("cannot listen on {}:{}: {error}", args.host, args.port))
                .hint("`--port 0` picks a free port")
        })?;
    // Scripts wait for this line, so it must not stay in a buffer.
    let mut out = stdout();
    let _ = writeln!(out, "listening on {}", server.base_url()).and_then(|()| out.flush());
    server.run(super::signals::interrupted()).await;
    Ok(ExitCode::SUCCESS)
}

/// The settings of the world that a run was made in: the flags, or the run's own recipe when there are none.
fn world_of(run: &Path, flags: &Sim) -> Result<(Sim, Constitution), Failure> {
    let FrozenRun { recipe, constitution, .. } = FrozenRun::open(run)?;
    let settings = if *flags == Sim::default() { recipe.sim } else { flags.clone() };
    Ok((settings, constitution))
}

fn applicable<'c>(constitution: &'c Constitution, prompt: &'c Prompt) -> impl Iterator<Item = &'c str> {
    let taxonomy = Taxonomy::built_in();
    constitution.principles.iter().filter(|p| p.applies_to(prompt, taxonomy)).map(|p| p.id.as_str())
}

/// Holds a run against the truth that the settings plant.
fn score(run: &Path, flags: &Sim, json: bool) -> Result<ExitCode, Failure> {
    let (settings, constitution) = world_of(run, flags)?;
    let reader = Reader::open(run).map_err(|error| journal_failure(&error))?;
    let mut score = Score::default();
    for transcript in reader.transcripts() {
        let transcript = transcript.map_err(|error| journal_failure(&error))?;
        score.add(World::new(&settings), &transcript, applicable(&constitution, &transcript.prompt));
    }
    let text = if json { serde_json::json!(score).to_string() } else { as_text(&score) };
    let _ = writeln!(stdout(), "{text}");
    Ok(ExitCode::SUCCESS)
}

/// Writes what is planted for every prompt of a run that has a transcript.
fn write_truth(run: &Path, flags: &Sim) -> Result<ExitCode, Failure> {
    let (settings, constitution) = world_of(run, flags)?;
    let reader = Reader::open(run).map_err(|error| journal_failure(&error))?;
    let mut out = std::io::BufWriter::new(stdout());
    for transcript in reader.transcripts() {
        let prompt = transcript.map_err(|error| journal_failure(&error))?.prompt;
        for line in truth(World::new(&settings), &prompt, applicable(&constitution, &prompt)) {
            // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
            if writeln!(out, "{}", serde_json::json!(line)).is_err() {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn as_text(score: &Score) -> String {
    let Score { scored, foreign, all, .. } = score;
    format!(
        "{scored} transcripts scored, {foreign} of other models\n\
         {:>9}  violations planted in drafts; the critic is blind to {} of them by its seed\n\
         {:>9}  critiques that found a violation, {} that missed one, {} false alarms\n\
         {:>9}  violations left in final responses, {} of them those the critic is blind to",
        all.planted, all.missable, all.hits, all.misses, all.false_alarms, all.left, all.left_missed
    )
}
