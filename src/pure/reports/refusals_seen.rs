//! How often drafts and final responses refuse, by hazard and language: both sides of safety, over the transcripts of a run.

use super::statistics::Rate;
use crate::pure::gates::refusal;
use crate::pure::transcript::Transcript;
use serde::Serialize;
use std::collections::BTreeMap;

/// Transcripts looked at. They come in the order of content hashes, so the first are a fair sample.
const SAMPLE: u64 = 5_000;
/// Cells told apart; what is beyond counts as `others`.
const CELLS: usize = 500;

/// How often responses refuse.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RefusalsSeen {
    /// Drafts that refuse, wholly or in part.
    pub drafts: Rate,
    /// Final responses that do.
    pub finals: Rate,
    /// The same by hazard and language, where prompts name them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<RefusalCell>,
}

/// The prompts of one hazard in one language.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RefusalCell {
    /// The hazard; `none` where the prompt names none.
    pub hazard: String,
    /// The language; `none` where the prompt names none.
    pub language: String,
    /// Drafts that refuse.
    pub drafts: Rate,
    /// Final responses that refuse.
    pub finals: Rate,
}

/// Counts, transcript by transcript.
#[derive(Debug, Clone, Default)]
pub(super) struct RefusalSums {
    seen: u64,
    all: Counts,
    cells: BTreeMap<(String, String), Counts>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    prompts: u64,
    drafts: u64,
    finals: u64,
}

impl RefusalSums {
    pub(super) fn add(&mut self, transcript: &Transcript) {
        let (Some(draft), Some(last)) =
            (transcript.responses.first(), transcript.responses.get(transcript.last))
        else {
            return;
        };
        if self.seen >= SAMPLE {
            return;
        }
        self.seen += 1;
        let draft_refuses = refusal(&draft.text).refuses();
        let last_refuses = if transcript.last == 0 { draft_refuses } else { refusal(&last.text).refuses() };
        let count = |counts: &mut Counts| {
            counts.prompts += 1;
            counts.drafts += u64::from(draft_refuses);
            counts.finals += u64::from(last_refuses);
        };
        count(&mut self.all);
        let prompt = &transcript.prompt;
        if prompt.hazard.is_none() && prompt.language.is_none() {
            return;
        }
        let name = |label: &Option<String>| label.clone().unwrap_or_else(|| "none".into());
        let mut key = (name(&prompt.hazard), name(&prompt.language));
        if self.cells.len() >= CELLS && !self.cells.contains_key(&key) {
            key = ("others".into(), "others".into());
        }
        count(self.cells.entry(key).or_default());
    }

    pub(super) fn finish(self) -> RefusalsSeen {
        let rates = |counts: Counts| {
            (Rate::new(counts.drafts, counts.prompts), Rate::new(counts.finals, counts.prompts))
        };
        let (drafts, finals) = rates(self.all);
        let cell = |((hazard, language), counts)| {
            let (drafts, finals) = rates(counts);
            RefusalCell { hazard, language, drafts, finals }
        };
        RefusalsSeen { drafts, finals, cells: self.cells.into_iter().map(cell).collect() }
    }
}
