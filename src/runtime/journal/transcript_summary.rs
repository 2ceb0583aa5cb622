//! What a run needs to know of a finished transcript without reading it again.

use crate::pure::transcript::{Ended, RevisionFate, Tally, Transcript, Verdict};
use serde::{Deserialize, Serialize};

/// Whether a transcript yields a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Row {
    /// It does.
    Kept,
    /// It does not, and the prompt is a reject.
    Rejected {
        /// Reason code.
        reason: String,
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
    /// Principles that the critic last found violated in the final response.
    pub violated: Vec<String>,
    /// What its calls came to.
    pub tally: Tally,
    /// Whether it yields a row.
    pub row: Row,
}

impl Outline {
    /// The outline of a transcript of which `row` is said.
    pub fn of(transcript: &Transcript, row: Row) -> Self {
        Self {
            ended: transcript.ended.clone(),
            rounds: transcript.final_response().map_or(0, |last| last.round),
            violated: violated(transcript),
            tally: transcript.tally,
            row,
        }
    }
}

/// Principles whose last verdict about the final response is `violates`, by name.
fn violated(transcript: &Transcript) -> Vec<String> {
    let made_by = transcript.revisions.iter().position(|r| r.fate == RevisionFate::Kept(transcript.last));
    let mut last_verdicts = std::collections::BTreeMap::new();
    for critique in &transcript.critiques {
        let of_the_response = match critique.revision {
            Some(revision) => made_by == Some(revision),
            None => critique.response == transcript.last,
        };
        if of_the_response && critique.verdict != Verdict::Undecided {
            last_verdicts.insert(&critique.principle, critique.verdict);
        }
    }
    let violated = last_verdicts.into_iter().filter(|(_, verdict)| *verdict == Verdict::Violates);
    violated.map(|(principle, _)| principle.clone()).collect()
}
