//! `amend eval`: measurements that make no dataset, one file per measure.

mod choices;
mod refusal;

use super::Failure;
use super::style::{one_line, printable};
use crate::dataset::{Reject, table};
use crate::method::estimate::Rate;
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
    /// Which stored responses refuse, fully or in part; without a model
    Refusal(refusal::Args),
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.what {
        What::Choices(args) => choices::run(args),
        What::Refusal(args) => refusal::run(args),
    }
}

/// A file that cannot be read is told with what to do about it.
fn read_failure(error: &table::OpenError) -> Failure {
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
