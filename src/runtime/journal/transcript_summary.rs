//! What a run needs to know of a finished transcript without reading it again.

use crate::pure::reason::Reason;
use crate::pure::transcript::{CutPrompt, Ended, Substitute, Tally, Transcript};
use serde::{Deserialize, Serialize};

/// Whether a transcript yields a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Row {
    /// It does.
    Kept,
    /// It does not, and the prompt is a reject.
    Rejected {
        /// Why.
        reason: Reason,
        /// What happened, without the prompt's text.
        detail: String,
    },
}

/// A finished transcript in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Why it ended.
    pub ended: Ended,
    /// Rounds of revision kept.
    pub rounds: u32,
    /// Principles that object to the final response, by name.
    pub violated: Vec<String>,
    /// What its calls came to.
    pub tally: Tally,
    /// Whether it yields a row.
    pub row: Row,
    /// How many verdicts were asked for.
    #[serde(default)]
    pub verdicts: u64,
    /// How many of them are undecided.
    #[serde(default)]
    pub undecided: u64,
    /// Models that answered in the place of others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub substitutes: Vec<Substitute>,
    /// Calls whose prompts the endpoint cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut_prompts: Vec<CutPrompt>,
}

impl Outline {
    /// The outline of a transcript; `row` says whether it yields a row.
    pub fn of(transcript: &Transcript, row: Row) -> Self {
        Self {
            ended: transcript.ended.clone(),
            rounds: transcript.final_response().map_or(0, |last| last.round),
            violated: transcript.objections(transcript.last).into_iter().map(str::to_owned).collect(),
            tally: transcript.tally,
            row,
            verdicts: transcript.critiques.len() as u64,
            undecided: transcript.critiques.iter().filter(|critique| !critique.verdict.is_decided()).count()
                as u64,
            substitutes: transcript.substitutes.clone(),
            cut_prompts: transcript.cut_prompts.clone(),
        }
    }
}
