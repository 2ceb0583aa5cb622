//! `amend eval`: measurements that make no dataset, one file per measure.

mod choices;
mod rates;
mod refusal;
mod refusal_labels;

use super::Failure;
use crate::pure::reason::Reason;
use crate::pure::reject::Reject;
use crate::pure::reports::statistics::Rate;
use crate::pure::text::{one_line, printable};
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

/// Rows that cannot be used: how many there are, and those that are told.
#[derive(Debug)]
struct BadRows {
    count: u64,
    told: Vec<Reject>,
    most_told: usize,
}

impl BadRows {
    /// None so far. With `json` the list of all is part of the output; people get the first few.
    fn new(json: bool) -> Self {
        let most_told = if json { usize::MAX } else { REJECTS_SHOWN };
        Self { count: 0, told: Vec::new(), most_told }
    }

    fn add(&mut self, reject: Reject) {
        self.count += 1;
        if self.told.len() < self.most_told {
            self.told.push(reject);
        }
    }

    /// Says which rows were left out and why.
    fn show(&self) {
        let mut err = std::io::stderr().lock();
        for Reject { at, reason, detail, .. } in &self.told {
            let at = printable(at.as_deref().unwrap_or("?"));
            let _ = writeln!(err, "{at}: {reason}: {}", one_line(detail, 120));
        }
        let untold = self.count - self.told.len() as u64;
        if untold > 0 {
            let _ = writeln!(err, "… and {untold} more rows that cannot be used");
        }
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
