//! Which prompts have rows, where that depends on all of them together: a mix, openings, answers that resemble each other.
//!
//! A pass of its own over all transcripts. It holds some 200 bytes for each prompt with a row; signatures wait on disk.

use super::near_duplicates::Near;
use super::{ExportError, Job, Transcripts};
use crate::pure::mixing::{Mixed, Mixer};
use crate::pure::text::minhash::Signature;
use crate::runtime::dataset::rows::why_no_row;
use crate::runtime::dataset::splits::NumberFamilies;

/// Selects, where the recipe asks for a selection.
pub(super) fn select<'a>(
    transcripts: &mut dyn FnMut() -> Result<Transcripts<'a>, String>,
    job: &Job<'_>,
) -> Result<Mixed, ExportError> {
    let settings = job.settings;
    if !settings.selects() {
        return Ok(Mixed::default());
    }
    let context = job.context();
    let mut mixer = Mixer::new(&settings.mix, settings.max_same_opening, job.meta.recipe.seed);
    let mut near = (settings.max_answer_similarity > 0.0).then(|| Near::create(job.root)).transpose()?;
    let mut count = 0_u32;
    for (at, transcript) in transcripts().map_err(ExportError::Source)?.enumerate() {
        let transcript = transcript.map_err(ExportError::Source)?;
        count += 1;
        if why_no_row(&transcript, &context).is_some() {
            continue;
        }
        let answer = transcript.final_response().map_or("", |response| &response.text);
        mixer.add(at, &transcript.prompt, answer);
        if let (Some(near), Some(signature)) = (&mut near, Signature::of(answer)) {
            near.add_signature(count - 1, &signature)?;
        }
    }
    if let Some(near) = near {
        let mut alike = NumberFamilies::new(count);
        near.unite(settings.max_answer_similarity, &mut alike)?;
        mixer.keep_one_of_each(|at| u32::try_from(at).map_or(at as u64, |at| u64::from(alike.first_of(at))));
    }
    told(mixer.choose())
}

/// What was selected, or what the mix lacks.
fn told(mixed: Mixed) -> Result<Mixed, ExportError> {
    let Mixed { missing, left_out, .. } = &mixed;
    if missing.is_empty() {
        return Ok(mixed);
    }
    let alike = (!left_out.is_empty()).then(|| {
        format!(
            "{} answers were left out because they resemble others (`export.max_same_opening`, `export.max_answer_similarity`)",
            left_out.len()
        )
    });
    Err(ExportError::Mix(missing.iter().cloned().chain(alike).collect()))
}
