//! The methods: straight-line async Rust over [`Ask`].
//!
//! A method does no IO, reads no clock and draws no randomness of its own: it is a pure function from a prompt and
//! answers to a [`Transcript`]. That is what makes a run resumable, editable and deterministic.

pub mod ablation_metrics;
mod chain;
mod context;
mod criticise;
mod critique_revision;
mod label;
#[cfg(test)]
mod label_tests;
pub mod multiple_choice;
#[cfg(test)]
mod multiple_choice_tests;
mod prompt_session;
#[cfg(test)]
pub(crate) mod scripted;
mod test_cases;
#[cfg(test)]
mod tests;
pub mod verdict;

pub use context::MethodContext;
pub use critique_revision::critique_revision;
pub use label::{
    GIVEN, label_chain, label_given, label_responses, label_samples, option_odds, pairs, read_option,
};
pub use test_cases::criticise_case;

use crate::pure::ask::{Ask, Stop};
use crate::pure::prompt::Prompt;
use crate::pure::recipe::LabelSource;
use crate::pure::transcript::Transcript;

/// What a run does with one prompt, as its recipe says: critique and revision, preference labels, or one after the other.
pub async fn make_transcript(
    ask: &impl Ask,
    cx: &MethodContext,
    prompt: &Prompt,
) -> Result<Transcript, Stop> {
    match cx.label.source {
        LabelSource::Off if !cx.gates.confirm => critique_revision(ask, cx, prompt).await,
        LabelSource::Samples => label_samples(ask, cx, prompt).await,
        LabelSource::Given => label_given(ask, cx, prompt).await,
        LabelSource::Off | LabelSource::Chain => {
            label_chain(ask, cx, critique_revision(ask, cx, prompt).await?).await
        }
    }
}
