//! Splits: every prompt family goes whole to `train`, `validation` or `test`.
//!
//! A family is a set of prompts that say the same, or go on from the same beginning. Its split is a hash of the
//! family's name, so it does not depend on the order of rows or on what else is exported. Split by row instead, and a
//! reworded prompt in `test` measures memory.

use crate::digest::Parts;
use crate::prompt::{Prompt, Speaker};
use crate::text::normalise;
use std::collections::HashMap;

/// The splits, in the order of the card.
pub const SPLITS: [&str; 3] = ["train", "validation", "test"];

/// Gathers prompts into families: one pass over the prompts, some 16 bytes for each.
#[derive(Debug, Default)]
pub struct Gather {
    parent: Vec<u32>,
    key: Vec<u64>,
    rich: Vec<bool>,
    seen: HashMap<u64, u32>,
}

/// A prompt's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The family's name: 16 hexadecimal characters.
    pub family: String,
    /// Index into [`SPLITS`].
    pub split: usize,
}

/// Which split each prompt belongs to, by its position in the pass that gathered them.
#[derive(Debug)]
pub struct Families {
    root: Vec<u32>,
    name: Vec<u64>,
    split: HashMap<u64, usize>,
}

impl Gather {
    /// Adds the next prompt. `rich` prompts have rows in every config, and no split should be without one. Gives the
    /// prompt's number when its words are new, so that the caller may look for near-duplicates among the new ones.
    pub fn add(&mut self, prompt: &Prompt, rich: bool) -> Option<u32> {
        let me = u32::try_from(self.parent.len()).unwrap_or(u32::MAX);
        let key = key_of(&said(prompt));
        let holder = self.seen.get(&key).and_then(|at| self.key.get(*at as usize));
        let is_new = holder != Some(&key);
        self.parent.push(me);
        self.key.push(key);
        self.rich.push(rich);
        self.join(me, key);
        // A longer conversation that goes on from a prompt is of its family, unless it begins with a mere greeting.
        let first = prompt.messages.iter().find(|m| m.role == Speaker::User).map_or("", |m| &m.content);
        let more = prompt.messages.iter().filter(|m| m.role == Speaker::User).nth(1).is_some();
        if more && first.split_whitespace().count() >= 6 {
            self.join(me, key_of(first));
        }
        is_new.then_some(me)
    }

    /// Whether two prompts are of one family already.
    pub fn is_joined(&mut self, a: u32, b: u32) -> bool {
        self.find(a) == self.find(b)
    }

    /// Makes the families of two prompts one.
    pub fn unite(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        if let Some(slot) = self.parent.get_mut(a.max(b) as usize) {
            *slot = a.min(b);
        }
    }

    fn join(&mut self, me: u32, key: u64) {
        let other = *self.seen.entry(key).or_insert(me);
        self.unite(me, other);
    }

    fn find(&mut self, mut at: u32) -> u32 {
        while let Some(up) = self.parent.get(at as usize).copied().filter(|up| *up != at) {
            let grand = self.parent.get(up as usize).copied().unwrap_or(up);
            if let Some(slot) = self.parent.get_mut(at as usize) {
                *slot = grand;
            }
            at = grand;
        }
        at
    }

    /// Decides the splits. `holdout` is the share of families in `validation`, and again in `test`; families of the
    /// `taught` texts (few-shot examples) stay in `train`, for the models have seen them.
    pub fn finish(mut self, holdout: f64, taught: &[&str]) -> Families {
        let roots: Vec<u32> =
            (0..self.parent.len()).map(|at| self.find(u32::try_from(at).unwrap_or(u32::MAX))).collect();
        // A family is named after its smallest key, whatever the order in which its members came.
        let mut name = self.key.clone();
        let mut rich = vec![false; roots.len()];
        for ((root, key), is_rich) in roots.iter().zip(&self.key).zip(&self.rich) {
            if let (Some(name), Some(rich)) = (name.get_mut(*root as usize), rich.get_mut(*root as usize)) {
                *name = (*name).min(*key);
                *rich |= is_rich;
            }
        }
        let taught: Vec<u64> = taught
            .iter()
            .filter_map(|text| self.seen.get(&key_of(text)))
            .filter_map(|at| roots.get(*at as usize))
            .filter_map(|root| name.get(*root as usize).copied())
            .collect();
        let mut all: Vec<(u64, bool)> = roots
            .iter()
            .enumerate()
            .filter(|(at, root)| *at == **root as usize)
            .filter_map(|(at, _)| Some((*name.get(at)?, *rich.get(at)?)))
            .collect();
        // In the order of their draws, so that what small sets need is taken where chance would have taken it first.
        all.sort_by_key(|(name, _)| (draw_bits(*name), *name));
        let mut split = HashMap::new();
        for (name, _) in &all {
            let draw = draw(*name);
            let place = if taught.contains(name) || draw >= 2.0 * holdout {
                0
            } else {
                1 + usize::from(draw >= holdout)
            };
            split.insert(*name, place);
        }
        if holdout > 0.0 {
            fill_empty(&all, &taught, &mut split);
        }
        Families { root: roots, name, split }
    }
}

/// Small sets may leave a split without a family. Then it gets the family nearest to being drawn into it, provided
/// that `train` keeps at least one: first one with rows everywhere, else any.
fn fill_empty(all: &[(u64, bool)], taught: &[u64], split: &mut HashMap<u64, usize>) {
    for wanted in [1, 2] {
        for rich_only in [true, false] {
            let candidates: Vec<u64> =
                all.iter().filter(|(_, rich)| *rich || !rich_only).map(|(name, _)| *name).collect();
            let has = candidates.iter().any(|name| split.get(name) == Some(&wanted));
            let spare: Vec<u64> =
                candidates.into_iter().filter(|n| split.get(n) == Some(&0) && !taught.contains(n)).collect();
            if has || spare.len() < 2 {
                continue;
            }
            if let Some(name) = spare.first() {
                split.insert(*name, wanted);
            }
        }
    }
}

impl Families {
    /// The place of the prompt that was added as number `at`.
    pub fn place(&self, at: usize) -> Option<Place> {
        let name = self.name.get(*self.root.get(at)? as usize)?;
        Some(Place { family: format!("{name:016x}"), split: *self.split.get(name)? })
    }

    /// How many families there are.
    pub fn len(&self) -> usize {
        self.split.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.split.is_empty()
    }
}

fn draw_bits(name: u64) -> u64 {
    Parts::new("split").with_u64(name).uniform() >> 11
}

fn draw(name: u64) -> f64 {
    draw_bits(name) as f64 / (1_u64 << 53) as f64
}

/// What the user says in a prompt, all turns.
pub fn said(prompt: &Prompt) -> String {
    let turns = prompt.messages.iter().filter(|m| m.role == Speaker::User);
    turns.map(|m| m.content.as_str()).collect::<Vec<_>>().join("\n")
}

/// Hash of a text in its normal form.
pub(super) fn key_of(text: &str) -> u64 {
    Parts::new("family").with(normalise(text)).uniform()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Message;

    fn families(texts: &[&str]) -> Families {
        let mut gather = Gather::default();
        for text in texts {
            gather.add(&Prompt::single(*text), true);
        }
        gather.finish(0.05, &[])
    }

    #[test]
    fn the_same_words_are_one_family_in_any_order() {
        let texts = ["How do I bake bread?", "how do  I BAKE bread?", "Tell me a joke."];
        let there = families(&texts);
        assert_eq!(there.len(), 2);
        assert_eq!(there.place(0), there.place(1));
        let reversed: Vec<&str> = texts.iter().rev().copied().collect();
        assert_eq!(families(&reversed).place(2).unwrap().family, there.place(0).unwrap().family);
    }

    #[test]
    fn a_continuation_is_of_its_beginnings_family() {
        let start = "How do I bake bread without an oven?";
        let more = Prompt::new(
            vec![Message::user(start), Message::assistant("In a pot."), Message::user("Why?")],
            None,
            None,
        );
        let mut gather = Gather::default();
        gather.add(&Prompt::single(start), true);
        gather.add(&more, true);
        assert_eq!(gather.finish(0.05, &[]).len(), 1);
    }

    #[test]
    fn shares_are_as_asked_and_no_split_is_empty() {
        for count in [3, 10, 4000] {
            let texts: Vec<String> = (0..count).map(|n| format!("prompt number {n}")).collect();
            let all = families(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            let mut sizes = [0; 3];
            (0..count).for_each(|at| sizes[all.place(at).unwrap().split] += 1);
            assert!(sizes.iter().all(|n| *n > 0), "{sizes:?}");
            assert!(
                count < 1000 || (120..280).contains(&sizes[1]) && (120..280).contains(&sizes[2]),
                "{sizes:?}"
            );
        }
    }

    #[test]
    fn few_shot_prompts_stay_in_train() {
        let texts: Vec<String> = (0..200).map(|n| format!("prompt number {n}")).collect();
        let mut gather = Gather::default();
        for text in &texts {
            gather.add(&Prompt::single(text.as_str()), true);
        }
        let taught: Vec<&str> = texts.iter().map(String::as_str).collect();
        let all = gather.finish(0.3, &taught);
        assert!((0..200).all(|at| all.place(at).unwrap().split == 0));
    }
}
