//! How a judge compares two responses: the flags of `amend label`, and of every command that asks a judge the same way.

use crate::pure::recipe::{Label, LabelHow};

/// How a judge is asked about two responses.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct JudgingArgs {
    /// Principles drawn for each pair, by weight; `all` for an ensemble of every one that applies [default: 1]
    #[arg(long, value_name = "N|all", value_parser = principles, help_heading = "Labels")]
    principles: Option<u32>,
    /// How a preference is read [default: auto]
    #[arg(long, value_name = "HOW", help_heading = "Labels")]
    how: Option<LabelHow>,
    /// Votes per order, where votes are counted [default: 5]
    #[arg(long, value_name = "N", help_heading = "Labels")]
    votes: Option<u32>,
    /// Let the judge think first; labels are then clamped to between 0.4 and 0.6, as in the paper
    #[arg(long, help_heading = "Labels")]
    reason_first: bool,
}

impl JudgingArgs {
    /// Sets what the user typed; the recipe says the rest.
    pub(super) fn lay_over(&self, label: &mut Label) {
        label.principles = self.principles.unwrap_or(label.principles);
        label.how = self.how.unwrap_or(label.how);
        label.votes = self.votes.unwrap_or(label.votes);
        label.reason_first |= self.reason_first;
    }
}

fn principles(text: &str) -> Result<u32, String> {
    match (text, text.parse::<u32>()) {
        ("all", _) => Ok(0),
        (_, Ok(n)) if n > 0 => Ok(n),
        (_, _) => Err("it is a number above 0, or `all`".into()),
    }
}
