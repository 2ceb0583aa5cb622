//! `amend eval`: measurements that make no dataset, one file per measure.

mod choices;
mod rates;
mod refusal;

use super::Failure;
use crate::pure::prompt::PromptId;
use crate::pure::reason::Reason;
use crate::pure::recipe::Recipe;
use crate::pure::reject::Reject;
use crate::pure::reports::statistics::Rate;
use crate::pure::text::{one_line, printable};
use crate::runtime::dataset::prompts::Sample;
use crate::runtime::dataset::readers;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

/// Bad rows that are shown one by one.
const REJECTS_SHOWN: usize = 10;

/// Arguments of `amend eval`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// How often a model answers multiple-choice questions right: qualify a judge before trusting it
    Choices(Box<choices::Args>),
    /// How often a model under a constitution refuses safe and unsafe prompts, side by side
    Rates(Box<rates::Args>),
    /// Which stored responses refuse, fully or in part; without a model
    Refusal(refusal::Args),
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.what {
        What::Choices(args) => choices::run(args),
        What::Rates(args) => rates::run(args),
        What::Refusal(args) => refusal::run(args),
    }
}

/// A file that cannot be read is told with what to do about it.
fn read_failure(error: &readers::OpenError) -> Failure {
    Failure::usage(error.to_string()).hint(error.hint())
}

/// Says which rows were left out and why.
fn show_rejects(rejects: &[Reject]) {
    let mut err = std::io::stderr().lock();
    for Reject { at, reason, detail, .. } in rejects.iter().take(REJECTS_SHOWN) {
        let at = printable(at.as_deref().unwrap_or("?"));
        let _ = writeln!(err, "{at}: {reason}: {}", one_line(detail, 120));
    }
    if rejects.len() > REJECTS_SHOWN {
        let _ = writeln!(err, "… and {} more rows that cannot be used", rejects.len() - REJECTS_SHOWN);
    }
}

/// A share with its interval: ` 90.0 % (95 %: 86.8 to 92.4)`.
fn share_text(rate: &Rate) -> String {
    let percent = |share: f64| share * 100.0;
    match rate.share {
        Some(share) => {
            let (low, high) = (percent(rate.low), percent(rate.high));
            format!("{:>5.1} % (95 %: {low:.1} to {high:.1})", percent(share))
        }
        None => "    -".into(),
    }
}

/// Reasons and how often each was met: `filtered 1, unreadable 3`.
fn reasons(counts: &BTreeMap<Reason, u64>) -> String {
    let each: Vec<String> = counts.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    each.join(", ")
}

/// What is asked of what was read: all of it, the first so many, or a sample, as the recipe says.
#[derive(Debug)]
struct Picked<T> {
    left: u64,
    sample: Option<Sample<T>>,
    items: Vec<T>,
}

impl<T> Picked<T> {
    fn new(recipe: &Recipe) -> Self {
        let sample = recipe.input.sample.map(|size| Sample::new(size, recipe.seed));
        Self { left: recipe.input.limit.unwrap_or(u64::MAX), sample, items: Vec::new() }
    }

    fn offer(&mut self, id: &PromptId, item: T) {
        let Some(left) = self.left.checked_sub(1) else { return };
        self.left = left;
        match &mut self.sample {
            Some(sample) => sample.offer(id, item),
            None => self.items.push(item),
        }
    }

    fn finish(self) -> Vec<T> {
        let Self { sample, mut items, .. } = self;
        items.extend(sample.into_iter().flat_map(|mut sample| std::iter::from_fn(move || sample.take())));
        items
    }
}
