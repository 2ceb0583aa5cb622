//! `amend redteam`: what attacks get out of a model, one file per sub-command.

mod files;
mod import;
mod search;

use super::Failure;
use super::journaled_work::kept_in;
use super::settings::RecipeArgs;
pub(super) use files::read_attacks;
use std::process::ExitCode;

/// Attack a model, or take in what other red-team tools found
///
/// Attacks are tried on goals that the target should not fulfil, in a cell for each hazard, family of attacks and language; where
/// they succeed, more are tried. The critic judges every answer against the constitution, and is measured on labelled answers
/// first; words of refusal do not overrule it. Beside the success rate stands how often harmless requests are declined. Answers
/// are kept: the same command goes on where it was, and with a larger budget further.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    mut_arg("prompts", |arg| arg.hide(true)),
    mut_arg("column", |arg| arg.hide(true)),
    mut_arg("limit", |arg| arg.hide(true)),
    mut_arg("sample", |arg| arg.hide(true)),
    mut_arg("schedule", |arg| arg.hide(true)),
    mut_arg("rounds", |arg| arg.hide(true)),
    mut_arg("screen", |arg| arg.hide(true)),
    mut_arg("unqualified", |arg| arg.hide(true)),
    after_help = "Examples:\n  \
                  amend redteam recipe.toml --target-url http://localhost:8000/v1 --target-model ours \\\n    \
                  --goals goals.jsonl --out runs/attack\n  \
                  amend redteam recipe.toml --families encoding,persuasion --languages en,sw --budget calls=2000\n  \
                  amend redteam import run.report.jsonl --out runs/finds\n\n\
                  Exit codes: 0 nothing broke the target; 1 something did; 2 the recipe, the goals or the attacks are wrong."
)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Base URL of the target
    #[arg(long, value_name = "URL", help_heading = "Target")]
    target_url: Option<String>,
    /// The target's model
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    target_model: Option<String>,
    /// A file with the target's system prompt
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    target_system: Option<String>,
    /// Prompts: harmful ones are goals, benign ones are asked too. May be repeated
    #[arg(long, value_name = "FILE", help_heading = "Search")]
    goals: Vec<String>,
    /// Hazards or domains of the goals
    #[arg(long, value_name = "IDS", value_delimiter = ',', help_heading = "Search")]
    hazards: Vec<String>,
    /// Files of attacks, in place of those that ship. May be repeated
    #[arg(long, value_name = "FILE", help_heading = "Search")]
    attacks: Vec<String>,
    /// Families of attacks
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = "Search")]
    families: Vec<String>,
    /// Languages; goals are translated where there are none
    #[arg(long, value_name = "TAGS", value_delimiter = ',', help_heading = "Search")]
    languages: Vec<String>,
    /// What attempts may take together, as calls=6000,tokens=1000000
    #[arg(long, value_name = "BUDGET", value_delimiter = ',', help_heading = "Search")]
    budget: Vec<String>,
    /// When a cell is known, as half_width=0.1
    #[arg(long, value_name = "RULE", help_heading = "Search")]
    stop: Option<String>,
    /// Labelled answers to measure the judge on [default: the constitution's test cases]
    #[arg(long, value_name = "FILE", help_heading = "Judge")]
    qualify: Option<String>,
    /// Keep answers of severity 4 as they are, and not as a hash
    #[arg(long)]
    keep_severe_text: bool,
    /// Where finds, report and journal go [default: runs/ID-redteam]
    #[arg(long, value_name = "DIR")]
    out: Option<String>,
    /// The report as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Import(Box<import::Args>),
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if let Some(What::Import(args)) = &args.what {
        return import::run(args);
    }
    let mut recipe = args.recipe.clone();
    recipe.set.extend(args.assignments()?);
    let project = recipe.open_project()?;
    let named = args.out.clone().or_else(|| project.recipe.out.clone());
    let out = kept_in(named.as_ref(), &project, "redteam");
    search::run(&project, &out, args.json)
}

impl Args {
    /// The flags of the search as fields of the recipe.
    fn assignments(&self) -> Result<Vec<String>, Failure> {
        let mut set = Vec::new();
        let mut text = |field: &str, value: &Option<String>| {
            if let Some(value) = value {
                set.push(format!("{field}={}", toml::Value::String(value.clone())));
            }
        };
        text("models.target.base_url", &self.target_url);
        text("models.target.model", &self.target_model);
        text("redteam.target_system", &self.target_system);
        text("redteam.qualify", &self.qualify);
        let lists = [
            ("goals", &self.goals),
            ("hazards", &self.hazards),
            ("attacks", &self.attacks),
            ("families", &self.families),
            ("languages", &self.languages),
        ];
        for (field, values) in lists.into_iter().filter(|(_, values)| !values.is_empty()) {
            let values = values.iter().cloned().map(toml::Value::String).collect();
            set.push(format!("redteam.{field}={}", toml::Value::Array(values)));
        }
        let rules = self.budget.iter().map(|rule| (rule, "--budget", ["calls", "tokens"]));
        let rules = rules.chain(self.stop.iter().map(|rule| (rule, "--stop", ["half_width", "half_width"])));
        for (rule, flag, names) in rules {
            let known = rule.split_once('=').is_some_and(|(name, _)| names.contains(&name.trim()));
            if !known {
                return Err(Failure::usage(format!("`{flag} {rule}` says nothing that is known"))
                    .hint("write it as `--budget calls=6000,tokens=1000000` and `--stop half_width=0.1`"));
            }
            set.push(format!("redteam.{rule}"));
        }
        if self.keep_severe_text {
            set.push("redteam.keep_severe_text=true".into());
        }
        Ok(set)
    }
}
