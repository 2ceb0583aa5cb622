//! What is taken of rows: all of them, the first so many, or a sample; and which prompts were met before.
//!
//! A sample depends on the seed and on the prompts, not on their order.

use crate::pure::digest::Parts;
use crate::pure::prompt::PromptId;
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// What belongs to the prompts with the smallest hashes of seed and id, each id once.
#[derive(Debug)]
struct Sample<T> {
    size: u64,
    seed: u64,
    kept: BTreeMap<(u64, PromptId), T>,
}

impl<T> Sample<T> {
    fn new(size: u64, seed: u64) -> Self {
        Self { size, seed, kept: BTreeMap::new() }
    }

    fn offer(&mut self, id: &PromptId, item: T) {
        let rank = Parts::new("sample").with_u64(self.seed).with(&id.0).uniform();
        self.kept.entry((rank, id.clone())).or_insert(item);
        if self.kept.len() as u64 > self.size {
            self.kept.pop_last();
        }
    }

    /// The next of the sample.
    fn take(&mut self) -> Option<T> {
        self.kept.pop_first().map(|(_, drawn)| drawn)
    }
}

/// Takes the first so many of what it is offered, or a sample of them.
#[derive(Debug)]
pub(crate) struct Picked<T> {
    left: u64,
    sample: Option<Sample<T>>,
}

impl<T> Picked<T> {
    /// Takes at most `limit` of what is offered, and of those `sample`.
    pub(crate) fn new(limit: Option<u64>, sample: Option<u64>, seed: u64) -> Self {
        Self { left: limit.unwrap_or(u64::MAX), sample: sample.map(|size| Sample::new(size, seed)) }
    }

    /// Gives an item back that is taken for good. Where a sample is drawn, none is before all were offered: then
    /// [`Self::next_drawn`] gives them.
    pub(crate) fn offer(&mut self, item: T, id: impl FnOnce(&T) -> PromptId) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        let Some(sample) = &mut self.sample else { return Some(item) };
        sample.offer(&id(&item), item);
        None
    }

    /// The next item of the sample.
    pub(crate) fn next_drawn(&mut self) -> Option<T> {
        self.sample.as_mut()?.take()
    }
}

/// Ids remembered to find repeated prompts: memory stays bounded, and repeats after so many are not found.
const REMEMBERED: usize = 4_000_000;

/// Finds prompts that were met before, by eight bytes each.
#[derive(Debug, Default)]
pub(crate) struct RepeatFilter(HashSet<u64>);

impl RepeatFilter {
    /// Whether the prompt is met for the first time, as far as is remembered.
    pub(crate) fn is_new(&mut self, id: &PromptId) -> bool {
        let mut hasher = DefaultHasher::new();
        id.0.hash(&mut hasher);
        let hash = hasher.finish();
        if self.0.len() < REMEMBERED { self.0.insert(hash) } else { !self.0.contains(&hash) }
    }
}
