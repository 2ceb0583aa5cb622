//! A prefix cache as servers have one: blocks of 16 tokens, each known by all that stands before it, oldest out first.

use super::conversation::Turn;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hasher as _};

/// Four bytes make a token here, 16 tokens a block.
const BLOCK_BYTES: usize = 64;

/// The cache. It never holds more than its number of blocks.
#[derive(Debug, Default)]
pub(super) struct PrefixCache {
    capacity: usize,
    clock: u64,
    last_use: HashMap<u64, u64>,
    by_age: BTreeMap<u64, u64>,
}

impl PrefixCache {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, ..Self::default() }
    }

    /// Tokens of the conversation that are in the cache, a multiple of 16; the rest is put there, and the answer too.
    pub(super) fn pass(&mut self, turns: &[Turn], answer: &str) -> u64 {
        let mut text = String::new();
        for turn in turns {
            text.extend(["<|", &turn.role, "|>", &turn.content]);
        }
        let asked = text.len();
        text.extend(["<|assistant|>", answer]);
        let mut chain = DefaultHasher::new();
        let mut cached = 0;
        let mut still = true;
        for (n, block) in text.as_bytes().chunks_exact(BLOCK_BYTES).enumerate() {
            chain.write(block);
            let known = self.touch(chain.finish());
            still = still && known && (n + 1) * BLOCK_BYTES <= asked;
            cached += u64::from(still) * 16;
        }
        cached
    }

    /// Marks a block as used now; whether it was there.
    fn touch(&mut self, block: u64) -> bool {
        if self.capacity == 0 {
            return false;
        }
        self.clock += 1;
        let before = self.last_use.insert(block, self.clock);
        if let Some(before) = before {
            self.by_age.remove(&before);
        }
        self.by_age.insert(self.clock, block);
        if self.last_use.len() > self.capacity
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.last_use.remove(&oldest);
        }
        before.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(content: &str) -> Vec<Turn> {
        vec![Turn { role: "user".into(), content: content.into() }]
    }

    #[test]
    fn a_shared_prefix_is_cached_in_whole_blocks_and_the_oldest_goes_first() {
        let mut cache = PrefixCache::new(8);
        let long = "x".repeat(200);
        assert_eq!(cache.pass(&turn(&long), ""), 0);
        assert_eq!(cache.pass(&turn(&long), ""), 48);
        assert_eq!(cache.pass(&turn(&format!("{long} and another end")), ""), 48);
        assert_eq!(cache.pass(&turn(&format!("y{long}")), ""), 0);
        for n in 0..9 {
            cache.pass(&turn(&format!("{n}{long}")), "");
        }
        assert_eq!(cache.pass(&turn(&long), ""), 0);
        assert!(cache.last_use.len() <= 8 && cache.by_age.len() <= 8);
    }

    #[test]
    fn without_capacity_nothing_is_cached() {
        let mut cache = PrefixCache::new(0);
        let text = turn(&"x".repeat(200));
        assert_eq!((cache.pass(&text, ""), cache.pass(&text, "")), (0, 0));
    }
}
