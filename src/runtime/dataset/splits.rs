//! Splits: every prompt family goes whole to `train`, `validation` or `test`.
//!
//! A family is a set of prompts that say the same, or go on from the same beginning. Its split is a hash of the
//! family's name, so it does not depend on the order of rows or on what else is exported. Split by row instead, and a
//! reworded prompt in `test` measures memory.
//!
//! A family is named after its smallest key. So a dataset that grows moves a family in two cases, and no other: a new
//! near-duplicate has a smaller key than all that were there, or joins two families; or a split stood empty and was
//! filled (see [`Gather::finish`]), and now is not. No rule without memory can do better where two families join. Who
//! measures one model against an older one hands in the older dataset's places, [`Pins`]: a prompt that had one keeps it.

use crate::pure::digest::Parts;
use crate::pure::prompt::{Prompt, Speaker};
use crate::pure::text::{normalise, words};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Fewest words of a first turn that makes two conversations one family: more than a greeting has.
const GREETING_WORDS: usize = 6;

/// The splits, in the order of the card.
pub const SPLITS: [&str; 3] = ["train", "validation", "test"];

/// Gathers prompts into families: one pass over the prompts, some 16 bytes for each.
#[derive(Debug, Default)]
pub struct Gather {
    parent: Vec<u32>,
    key: Vec<u64>,
    rich: Vec<bool>,
    seen: HashMap<u64, u32>,
    pins: Pins,
    pinned: BTreeMap<u32, Pin>,
}

/// Where the prompts of an older dataset stood: some 40 bytes for each.
#[derive(Debug, Default, Clone)]
pub struct Pins(HashMap<String, Pin>);

/// An older place: the family's name, and the index into [`SPLITS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pin {
    split: usize,
    family: u64,
}

impl Pins {
    /// Adds a prompt's place by its id. Gives `false` when the family's name is none, or the prompt stood elsewhere too.
    #[must_use]
    pub fn add(&mut self, prompt_id: &str, family: &str, split: usize) -> bool {
        let Ok(family) = u64::from_str_radix(family, 16) else { return false };
        let pin = Pin { split, family };
        match self.0.get(prompt_id) {
            Some(met) => *met == pin,
            None => self.0.insert(prompt_id.to_owned(), pin).is_none(),
        }
    }

    /// How many prompts have one.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no prompt has one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A prompt's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The family's name: 16 hexadecimal characters.
    pub family: String,
    /// Index into [`SPLITS`]; `None` for a prompt between two of them, which has no rows: it is near to prompts that
    /// an older dataset has in different splits, and in each of these it would be known from the other.
    pub split: Option<usize>,
}

/// Which split each prompt belongs to, by its position in the pass that gathered them.
#[derive(Debug)]
pub struct Families {
    root: Vec<u32>,
    name: Vec<u64>,
    split: HashMap<u64, usize>,
    /// Prompts that keep their older place.
    kept: BTreeMap<u32, Pin>,
    /// Roots of families whose further prompts have no place.
    between: BTreeSet<u32>,
}

impl Gather {
    /// No prompt yet. A prompt that has a pin keeps its place.
    pub fn new(pins: Pins) -> Self {
        Self { pins, ..Self::default() }
    }

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
        if let Some(pin) = self.pins.0.get(&prompt.id.0) {
            self.pinned.insert(me, *pin);
        }
        self.join(me, key);
        // A longer conversation that goes on from a prompt is of its family, unless it begins with a mere greeting.
        let first = prompt.messages.iter().find(|m| m.role == Speaker::User).map_or("", |m| &m.content);
        let more = prompt.messages.iter().filter(|m| m.role == Speaker::User).nth(1).is_some();
        if more && words(first).len() >= GREETING_WORDS {
            self.join(me, key_of(first));
        }
        self.join_twins(me, prompt);
        is_new.then_some(me)
    }

    /// A benign twin is of the family of what it contrasts with, so that a split has both or none.
    fn join_twins(&mut self, me: u32, prompt: &Prompt) {
        let named = |column: &str| prompt.kept.get(column).and_then(serde_json::Value::as_str);
        if let Some(pair) = named("twin") {
            self.join(me, key_of(&format!("twin {pair}")));
        }
        if let Some(other) = named("contrast_of") {
            self.join(me, key_of(&format!("prompt {other}")));
        }
        if prompt.class.is_some() {
            self.join(me, key_of(&format!("prompt {}", prompt.id)));
        }
    }

    fn join(&mut self, me: u32, key: u64) {
        let other = *self.seen.entry(key).or_insert(me);
        unite(&mut self.parent, me, other);
    }

    fn find(&mut self, at: u32) -> u32 {
        find(&mut self.parent, at)
    }

    /// Decides the splits. `holdout` is the share of families in `validation`, and again in `test`; families of the
    /// `taught` texts (few-shot examples) stay in `train`, for the models have seen them. A split that chance leaves
    /// without a family gets one while there are few.
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
        let taught: BTreeSet<u32> = taught
            .iter()
            .filter_map(|text| self.seen.get(&key_of(text)))
            .filter_map(|at| roots.get(*at as usize).copied())
            .collect();
        let mut pins: BTreeMap<u32, BTreeSet<Pin>> = BTreeMap::new();
        for (at, pin) in &self.pinned {
            if let Some(root) = roots.get(*at as usize) {
                pins.entry(*root).or_default().insert(*pin);
            }
        }
        let mut families = Families {
            root: roots,
            name,
            split: HashMap::new(),
            kept: self.pinned,
            between: BTreeSet::new(),
        };
        families.pin(&pins, &taught);
        let mut free: Vec<Free> = (0_u32..)
            .zip(&families.root)
            .filter(|(at, root)| at == *root && !pins.contains_key(root))
            .filter_map(|(at, root)| {
                let (name, rich) = (*families.name.get(at as usize)?, *rich.get(at as usize)?);
                Some(Free { name, rich, taught: taught.contains(root) })
            })
            .collect();
        draw_splits(&mut free, holdout, &mut families.split);
        families
    }
}

/// Families in the making: things that are made one, two at a time.
pub trait Unite {
    /// Whether two things are of one family already.
    fn is_joined(&mut self, a: u32, b: u32) -> bool;

    /// Makes the families of two things one.
    fn unite(&mut self, a: u32, b: u32);
}

impl Unite for Gather {
    fn is_joined(&mut self, a: u32, b: u32) -> bool {
        self.find(a) == self.find(b)
    }

    fn unite(&mut self, a: u32, b: u32) {
        unite(&mut self.parent, a, b);
    }
}

/// Families of things that have nothing but a number: four bytes for each.
#[derive(Debug, Default)]
pub struct NumberFamilies {
    parent: Vec<u32>,
}

impl NumberFamilies {
    /// So many things, each a family of its own.
    pub fn new(count: u32) -> Self {
        Self { parent: (0..count).collect() }
    }

    /// The first thing of the family.
    pub fn first_of(&mut self, at: u32) -> u32 {
        find(&mut self.parent, at)
    }
}

impl Unite for NumberFamilies {
    fn is_joined(&mut self, a: u32, b: u32) -> bool {
        find(&mut self.parent, a) == find(&mut self.parent, b)
    }

    fn unite(&mut self, a: u32, b: u32) {
        unite(&mut self.parent, a, b);
    }
}

/// The first thing of a family; the way to it is made shorter.
fn find(parent: &mut [u32], mut at: u32) -> u32 {
    while let Some(up) = parent.get(at as usize).copied().filter(|up| *up != at) {
        let grand = parent.get(up as usize).copied().unwrap_or(up);
        if let Some(slot) = parent.get_mut(at as usize) {
            *slot = grand;
        }
        at = grand;
    }
    at
}

/// Makes two families one; its first thing is the first of both.
fn unite(parent: &mut [u32], a: u32, b: u32) {
    let (a, b) = (find(parent, a), find(parent, b));
    if let Some(slot) = parent.get_mut(a.max(b) as usize) {
        *slot = a.min(b);
    }
}

/// A family that no older dataset has a place for.
#[derive(Debug)]
struct Free {
    name: u64,
    rich: bool,
    taught: bool,
}

fn draw_splits(free: &mut [Free], holdout: f64, split: &mut HashMap<u64, usize>) {
    let occupied: BTreeSet<usize> = split.values().copied().collect();
    // In the order of their draws, so that what small sets need is taken where chance would have taken it first.
    free.sort_by_key(|family| (draw_bits(family.name), family.name));
    for Free { name, taught, .. } in free.iter() {
        let draw = draw(*name);
        let place = if *taught || draw >= 2.0 * holdout { 0 } else { 1 + usize::from(draw >= holdout) };
        split.insert(*name, place);
    }
    if holdout > 0.0 {
        fill_empty(free, &occupied, split);
    }
}

/// Small sets may leave a split without a family. Then it gets the family nearest to being drawn into it, provided
/// that `train` keeps at least one: first one with rows everywhere, else any.
fn fill_empty(free: &[Free], occupied: &BTreeSet<usize>, split: &mut HashMap<u64, usize>) {
    for wanted in [1, 2] {
        for rich_only in [true, false] {
            let of = |place: usize, split: &HashMap<u64, usize>| -> Vec<u64> {
                let candidates = free.iter().filter(|family| family.rich || !rich_only);
                let there = candidates.filter(|family| split.get(&family.name) == Some(&place));
                there.filter(|family| place > 0 || !family.taught).map(|family| family.name).collect()
            };
            if occupied.contains(&wanted) || !of(wanted, split).is_empty() {
                continue;
            }
            if let [name, _, ..] = of(0, split).as_slice() {
                split.insert(*name, wanted);
            }
        }
    }
}

impl Families {
    /// Gives families the places that their prompts have in the older dataset. Where these are in different splits, or in
    /// another than `train` with a prompt that is taught now, what is new in the family is left without a place.
    fn pin(&mut self, pins: &BTreeMap<u32, BTreeSet<Pin>>, taught: &BTreeSet<u32>) {
        let mut known = BTreeSet::new();
        for (root, pins) in pins {
            let splits: BTreeSet<usize> = pins.iter().map(|pin| pin.split).collect();
            let spoiled = taught.contains(root) && splits.last().is_some_and(|split| *split > 0);
            match (pins.first(), self.name.get_mut(*root as usize)) {
                (Some(first), Some(name)) if splits.len() == 1 && !spoiled => {
                    *name = first.family;
                    self.split.insert(first.family, first.split);
                }
                (Some(_) | None, Some(_) | None) => {
                    self.between.insert(*root);
                }
            }
            if spoiled {
                known.insert(*root);
            }
        }
        let root_of = |at: &u32| self.root.get(*at as usize);
        self.kept.retain(|at, pin| pin.split == 0 || root_of(at).is_none_or(|root| !known.contains(root)));
    }

    /// The place of the prompt that was added as number `at`.
    pub fn place(&self, at: usize) -> Option<Place> {
        let family = |name: u64| format!("{name:016x}");
        if let Some(pin) = u32::try_from(at).ok().and_then(|at| self.kept.get(&at)) {
            return Some(Place { family: family(pin.family), split: Some(pin.split) });
        }
        let root = self.root.get(at)?;
        let name = self.name.get(*root as usize)?;
        let split = if self.between.contains(root) { None } else { Some(*self.split.get(name)?) };
        Some(Place { family: family(*name), split })
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
    use crate::pure::prompt::Message;

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
            (0..count).for_each(|at| sizes[all.place(at).unwrap().split.unwrap()] += 1);
            assert!(sizes.iter().all(|n| *n > 0), "{sizes:?}");
            assert!(
                count < 1000 || (120..280).contains(&sizes[1]) && (120..280).contains(&sizes[2]),
                "{sizes:?}"
            );
        }
    }

    #[test]
    fn a_prompt_between_two_older_families_has_no_place() {
        let prompts = ["left", "new", "right", "other"].map(Prompt::single);
        let [left, _, right, _] = &prompts;
        let mut pins = Pins::default();
        assert!(pins.add(&left.id.0, "1", 0) && pins.add(&right.id.0, "2", 2));
        assert!(!pins.add(&left.id.0, "1", 1), "it stood in two splits");
        let mut gather = Gather::new(pins);
        for prompt in &prompts {
            gather.add(prompt, true);
        }
        gather.unite(0, 1);
        gather.unite(1, 2);
        let families = gather.finish(0.1, &[]);
        let place = |at: usize| families.place(at).unwrap();
        assert_eq!([0, 1, 2].map(|at| place(at).split), [Some(0), None, Some(2)]);
        assert_eq!(place(2).family, "0000000000000002");
        assert!(place(3).split.is_some());
    }

    #[test]
    fn what_is_taught_leaves_an_older_test_split_and_moves_nowhere() {
        let (shown, other) = (Prompt::single("shown"), Prompt::single("other"));
        let mut pins = Pins::default();
        assert!(pins.add(&shown.id.0, "1", 2) && pins.add(&other.id.0, "2", 2));
        let mut gather = Gather::new(pins);
        gather.add(&shown, true);
        gather.add(&other, true);
        let families = gather.finish(0.1, &[&said(&shown)]);
        assert_eq!((families.place(0).unwrap().split, families.place(1).unwrap().split), (None, Some(2)));
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
        assert!((0..200).all(|at| all.place(at).unwrap().split == Some(0)));
    }
}
