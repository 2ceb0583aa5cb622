//! Which method makes the transcript of a prompt.

use super::{MethodContext, critique_revision, label_chain, label_given, label_samples, style};
use crate::pure::ask::{Ask, Stop};
use crate::pure::prompt::Prompt;
use crate::pure::recipe::{LabelSource, Target};
use crate::pure::transcript::Transcript;

/// Makes the transcript of one prompt by the method that the recipe names: critique and revision, preference labels, or one
/// after the other; or a styled answer.
pub async fn make_transcript(
    ask: &impl Ask,
    cx: &MethodContext,
    prompt: &Prompt,
) -> Result<Transcript, Stop> {
    if cx.settings.target == Target::Style {
        return style(ask, cx, prompt).await;
    }
    match cx.label.source {
        LabelSource::Off if !cx.gates.confirm => critique_revision(ask, cx, prompt).await,
        LabelSource::Samples => label_samples(ask, cx, prompt).await,
        LabelSource::Given => label_given(ask, cx, prompt).await,
        LabelSource::Off | LabelSource::Chain => {
            label_chain(ask, cx, critique_revision(ask, cx, prompt).await?).await
        }
    }
}
