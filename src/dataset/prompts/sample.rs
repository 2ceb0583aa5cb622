//! A sample of prompts that depends on the seed and on the prompts, not on their order.

use crate::digest::Parts;
use crate::prompt::{Prompt, PromptId};
use std::collections::BTreeMap;

/// The prompts with the smallest hashes of seed and id, each id once.
#[derive(Debug)]
pub(super) struct Sample {
    size: u64,
    seed: u64,
    kept: BTreeMap<(u64, PromptId), (Prompt, String)>,
}

impl Sample {
    pub(super) fn new(size: u64, seed: u64) -> Self {
        Self { size, seed, kept: BTreeMap::new() }
    }

    pub(super) fn offer(&mut self, prompt: Prompt, at: String) {
        let rank = Parts::new("sample").with_u64(self.seed).with(&prompt.id.0).uniform();
        self.kept.entry((rank, prompt.id.clone())).or_insert((prompt, at));
        if self.kept.len() as u64 > self.size {
            self.kept.pop_last();
        }
    }

    /// The next of the sample.
    pub(super) fn take(&mut self) -> Option<(Prompt, String)> {
        self.kept.pop_first().map(|(_, drawn)| drawn)
    }
}
