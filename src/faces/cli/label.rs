//! `amend label`: preference labels for pairs that somebody else made.
//!
//! It is a run like any other (see `run.rs`) over prompts that bring their responses along, so that it resumes, rejects,
//! reports and exports like one.

use super::Failure;
use super::judging_args::JudgingArgs;
use super::run::{RunOptions, carry_out};
use super::scale_args::resolve_auto;
use super::settings::RecipeArgs;
use crate::pure::recipe::{LabelPairs, LabelSource};
use crate::runtime::project::Beginning;
use std::process::ExitCode;

/// Label pairs of responses that somebody else made
///
/// A row holds a prompt and two responses (`prompt, response_a, response_b`), a labelled pair (`chosen, rejected`, as texts,
/// messages or whole `Human:`/`Assistant:` transcripts), or a list of responses. Both orders are always asked. Labels that a
/// file has already are never shown to the judge; how far it agrees with them is in the run's report. Running the same
/// command again goes on where it was.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  amend label pairs.jsonl --model sim --out runs/labels\n  \
                        amend label hh.jsonl.gz --constitution harmlessness --principles all \\\n    \
                        --base-url http://localhost:8000/v1 --model my-judge\n  \
                        amend label p.parquet --column question --responses answer_1,answer_2 --model sim\n  \
                        amend show runs/labels          # the judge's own report")]
pub(super) struct Args {
    /// Rows with responses: JSONL, CSV or Parquet, also .gz or .zst; - for standard input
    #[arg(value_name = "FILE", conflicts_with = "prompts")]
    file: String,
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The columns that hold the responses, or the one that holds a list of them; found by name when absent
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', help_heading = "Labels")]
    responses: Vec<String>,
    #[command(flatten)]
    judging: JudgingArgs,
    /// Which of several responses meet [default: all]
    #[arg(long, value_name = "WHICH", help_heading = "Labels")]
    pairs: Option<LabelPairs>,
    /// The run directory [default: runs/ and the constitution's id, and -labels]
    #[arg(long, value_name = "RUN")]
    out: Option<String>,
    /// One JSON object per event on standard output; the last one is the summary
    #[arg(long)]
    json: bool,
    /// Do not write the dataset at the end
    #[arg(long)]
    no_export: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut project = args.recipe.open_project()?;
    let recipe = &mut project.recipe;
    recipe.prompts = vec![args.file.clone()];
    if !args.responses.is_empty() {
        recipe.input.responses.clone_from(&args.responses);
    }
    let chosen =
        args.recipe.recipe.is_some() || args.recipe.set.iter().any(|set| set.starts_with("export.configs"));
    if !chosen {
        // What is asked for is pairs; the better one of two is not yet good enough to imitate.
        recipe.export.configs = vec!["preference".into(), "transcripts".into()];
    }
    let label = &mut recipe.label;
    label.source = LabelSource::Given;
    args.judging.lay_over(label);
    label.pairs = args.pairs.unwrap_or(label.pairs);
    let named = args.out.clone().or_else(|| recipe.out.clone());
    recipe.out = Some(named.unwrap_or_else(|| format!("runs/{}-labels", project.constitution.id)));
    resolve_auto(recipe)?;
    carry_out(
        &project,
        &RunOptions { json: args.json, export: !args.no_export, beginning: Beginning::default() },
    )
}
