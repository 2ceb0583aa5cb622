//! Whether a response was judged: the rule behind every positive example (law 3).
//!
//! A response is an `sft` row, `chosen`, or positive in any other config only if every principle that applies was decided
//! about that very response. Silence, an error and a refusal of the critic decide nothing.
//!
//! Four things are judged otherwise, because the user asked for it:
//!
//! - A transcript for which no critic was ever asked (`rounds = 0`, `method.critique = false`, no principle applies) is not
//!   judged by choice, and its rows say so: they name no critic.
//! - `sampled` is the paper's method: a principle is drawn for each round, and a revision is not criticised again. There
//!   every critique that the chain asked for must have been decided.
//! - A styled answer is judged by its grade, where every proposition of its style was decided.
//! - Responses that were only compared are judged by those comparisons; see [`crate::pure::pairing`].

use crate::pure::constitution::{Constitution, Principle};
use crate::pure::grade::Grade;
use crate::pure::recipe::Gates;
use crate::pure::taxonomy::Taxonomy;
use crate::pure::transcript::{MethodName, Transcript};
use std::collections::BTreeSet;

/// Whether response number `response` may be a positive example, as far as its verdicts go.
pub fn is_judged(
    transcript: &Transcript,
    response: usize,
    constitution: &Constitution,
    gates: &Gates,
) -> bool {
    if let Some(styled) = &transcript.styled {
        return styled.grade_of(response).is_some_and(Grade::is_decided);
    }
    let missing = missing_verdicts(transcript, response, constitution);
    let is_hard =
        |id: &str| constitution.principles.iter().any(|principle| principle.id == id && principle.hard);
    missing.len() <= gates.max_undecided as usize && !missing.iter().any(|id| is_hard(id))
}

/// The principles that apply and that nobody decided about response number `response`, by id.
pub fn missing_verdicts<'t>(
    transcript: &'t Transcript,
    response: usize,
    constitution: &'t Constitution,
) -> BTreeSet<&'t str> {
    if transcript.critiques.is_empty() {
        return BTreeSet::new();
    }
    if transcript.method == MethodName::Sampled {
        return missing_in_chain(transcript);
    }
    let decided: BTreeSet<&str> = transcript
        .standing_verdicts(response)
        .into_iter()
        .filter(|(_, verdict)| verdict.is_decided())
        .map(|(principle, _)| principle)
        .collect();
    let applies = |principle: &&Principle| principle.applies_to(&transcript.prompt, Taxonomy::built_in());
    let applicable = constitution.principles.iter().filter(applies);
    applicable.map(|principle| principle.id.as_str()).filter(|id| !decided.contains(id)).collect()
}

/// The principles that a chain asked about and that were not decided about the response they met.
fn missing_in_chain(transcript: &Transcript) -> BTreeSet<&str> {
    let responses = 0..transcript.responses.len();
    let standing = responses.flat_map(|response| transcript.standing_verdicts(response));
    standing.filter(|(_, verdict)| !verdict.is_decided()).map(|(principle, _)| principle).collect()
}
