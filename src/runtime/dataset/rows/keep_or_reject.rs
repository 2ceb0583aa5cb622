//! Whether a transcript gives a row, in the words of the journal. It is the export's rule, so that the counts of a run are
//! those of its dataset.

use super::{Context, why_no_row};
use crate::pure::transcript::{Ended, Transcript};
use crate::runtime::journal::Row;

/// What the journal holds about the row of a transcript: that there is one, or why there is none.
pub fn keep_or_reject(transcript: &Transcript, context: &Context<'_>) -> Row {
    match why_no_row(transcript, context) {
        None => Row::Kept,
        Some(reason) => Row::Rejected { reason, detail: detail_of(&transcript.ended).to_owned() },
    }
}

/// What happened to a transcript without a row, in a few words.
fn detail_of(ended: &Ended) -> &'static str {
    match ended {
        Ended::NoDraft(_) => "there is no usable draft",
        Ended::Labelled => "no two of its responses make a pair with a label",
        Ended::Conforms
        | Ended::Undecided
        | Ended::Rounds
        | Ended::Oscillation
        | Ended::RolledBack
        | Ended::RevisionFailed(_) => "the final response is not fit for a row",
    }
}
