//! A sample that depends on the seed and on the prompts, not on their order.

use crate::pure::digest::Parts;
use crate::pure::prompt::PromptId;
use std::collections::BTreeMap;

/// What belongs to the prompts with the smallest hashes of seed and id, each id once.
#[derive(Debug)]
pub(crate) struct Sample<T> {
    size: u64,
    seed: u64,
    kept: BTreeMap<(u64, PromptId), T>,
}

impl<T> Sample<T> {
    pub(crate) fn new(size: u64, seed: u64) -> Self {
        Self { size, seed, kept: BTreeMap::new() }
    }

    pub(crate) fn offer(&mut self, id: &PromptId, item: T) {
        let rank = Parts::new("sample").with_u64(self.seed).with(&id.0).uniform();
        self.kept.entry((rank, id.clone())).or_insert(item);
        if self.kept.len() as u64 > self.size {
            self.kept.pop_last();
        }
    }

    /// The next of the sample.
    pub(crate) fn take(&mut self) -> Option<T> {
        self.kept.pop_first().map(|(_, drawn)| drawn)
    }
}
