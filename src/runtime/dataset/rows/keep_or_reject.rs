//! Whether a transcript gives a row, in the words of the journal. It is the export's rule, so that the counts of a run are
//! those of its dataset.

use super::{Context, why_no_row};
use crate::pure::call::Role;
use crate::pure::grade::{Grade, Styled};
use crate::pure::judged::missing_verdicts;
use crate::pure::reason::Reason;
use crate::pure::transcript::{CallFailure, Ended, Transcript};
use crate::runtime::journal::Row;

/// What the journal holds about the row of a transcript: that there is one, or why there is none.
pub fn keep_or_reject(transcript: &Transcript, context: &Context<'_>) -> Row {
    match why_no_row(transcript, context) {
        None => Row::Kept,
        Some(reason) => {
            let detail = detail_of(transcript, &reason, context);
            Row::Rejected { reason, detail }
        }
    }
}

/// Most principles that a detail names.
const NAMED: usize = 3;

/// What happened to a transcript without a row: in the provider's own words where a call is the cause.
fn detail_of(transcript: &Transcript, reason: &Reason, context: &Context<'_>) -> String {
    match (&transcript.ended, reason) {
        (Ended::NoDraft(Reason::NoStyle), _) => match transcript.prompt.class {
            None => "the prompt does not say whether it asks for harm".to_owned(),
            Some(class) => format!("no style fits a {} request of its hazard", class.as_str()),
        },
        (Ended::NoDraft(reason), _) => {
            let cause = cause_of(transcript, Role::Generator, Some(reason));
            format!("there is no usable draft{cause}")
        }
        (Ended::Labelled, _) => {
            let cause = cause_of(transcript, Role::Judge, None);
            format!("no two of its responses make a pair with a label{cause}")
        }
        (_, Reason::BelowGrade) => {
            let of_last = |styled: &Styled| styled.grade_of(transcript.last);
            let grade = transcript.styled.as_ref().and_then(of_last).map_or("none", Grade::as_str);
            format!("the best answer is {grade}")
        }
        (_, Reason::Undecided) if transcript.styled.is_some() => {
            let cause = cause_of(transcript, Role::Critic, None);
            let open = transcript.styled.iter().filter_map(|styled| styled.of(transcript.last));
            let open = open.flat_map(|graded| &graded.findings).filter(|finding| finding.holds.is_none());
            let open: Vec<&str> = open.map(|finding| finding.id.as_str()).collect();
            format!("nobody could say of {}{cause}", listed(open.into_iter()))
        }
        (_, Reason::Undecided) => {
            let missing = missing_verdicts(transcript, transcript.last, context.constitution);
            let cause = cause_of(transcript, Role::Critic, None);
            let cause = if cause.is_empty() { ": no verdict could be read".to_owned() } else { cause };
            format!("nobody decided about {}{cause}", listed(missing.into_iter()))
        }
        (_, Reason::Unresolved) => {
            format!(
                "the final response still violates {}",
                listed(transcript.objections(transcript.last).into_iter())
            )
        }
        (_, _) => "the final response is not fit for a row".to_owned(),
    }
}

/// The first few names, and how many more there are.
fn listed<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let named: Vec<String> = names.take(NAMED).map(|name| format!("`{name}`")).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

/// What most often kept a role from answering, as the end of a sentence; nothing where its calls were answered.
fn cause_of(transcript: &Transcript, role: Role, reason: Option<&Reason>) -> String {
    let of_role = |failure: &&CallFailure| {
        failure.role == role && reason.is_none_or(|reason| failure.reason == *reason)
    };
    let most = transcript.failures.iter().filter(of_role).max_by_key(|failure| failure.calls);
    most.map_or_else(String::new, |failure| format!(": {}", failure.message))
}
