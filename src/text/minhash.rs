//! Near-duplicates without comparing every pair: MinHash signatures and locality-sensitive bands.
//!
//! Two texts are near-duplicates when they share most of their runs of five words: when the sets of runs have a
//! Jaccard similarity of [`THRESHOLD`] or more. A [`Signature`] estimates that similarity (standard error 0.04 at
//! 0.7), and near-duplicates almost surely agree in at least one of its band keys: 99 % of pairs at 0.7, 99.97 % at
//! 0.8. So whoever keeps a table from band keys to texts, in memory or in a database, has only the texts that share a
//! key to compare. [`Clusters`] is such a table in memory, of constant size per text.

use super::{ngrams, words};
use crate::digest::Parts;
use std::collections::HashMap;
use std::sync::OnceLock;

/// Words in a run.
pub const RUN: usize = 5;
/// The similarity from which texts are near-duplicates.
pub const THRESHOLD: f64 = 0.7;
/// Band keys of a signature.
pub const BANDS: usize = 25;
/// Minima in a band.
const ROWS: usize = 5;
const MINIMA: usize = BANDS * ROWS;

/// What is kept of a text to compare it: 500 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature([u32; MINIMA]);

impl Signature {
    /// The signature of a text; `None` when it has no words. A text of fewer than five words is one run.
    pub fn of(text: &str) -> Option<Self> {
        let words = words(text);
        if words.is_empty() {
            return None;
        }
        let mut minima = [u32::MAX; MINIMA];
        for run in ngrams(&words, RUN) {
            let hash = run.iter().fold(Parts::new("shingle"), Parts::with).uniform();
            for (least, (add, times)) in minima.iter_mut().zip(mixers()) {
                // The upper half of a product by an odd number is as good as a fresh hash.
                let mixed = (hash ^ add).wrapping_mul(*times) >> 32;
                *least = (*least).min(u32::try_from(mixed).unwrap_or(u32::MAX));
            }
        }
        Some(Self(minima))
    }

    /// The signature's [`Signature::BYTES`] bytes, for keeping it outside of memory.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|minimum| minimum.to_le_bytes()).collect()
    }

    /// How many bytes [`Signature::to_bytes`] gives.
    pub const BYTES: usize = MINIMA * 4;

    /// The signature that [`Signature::to_bytes`] wrote; `None` when the number of bytes is another.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<4>();
        let minima: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        if rest.is_empty() { minima.try_into().ok().map(Self) } else { None }
    }

    /// The estimated similarity of the two texts, from 0 to 1.
    pub fn similarity(&self, other: &Self) -> f64 {
        let equal = self.0.iter().zip(&other.0).filter(|(a, b)| a == b).count();
        equal as f64 / MINIMA as f64
    }

    /// The keys that near-duplicates share at least one of, at the same place.
    pub fn band_keys(&self) -> [u64; BANDS] {
        let mut bands = self.0.chunks_exact(ROWS).zip(0_u64..).map(|(rows, band)| {
            rows.iter()
                .fold(Parts::new("band").with_u64(band), |parts, least| parts.with_u64((*least).into()))
                .uniform()
        });
        std::array::from_fn(|_| bands.next().unwrap_or_default())
    }
}

fn mixers() -> &'static [(u64, u64)] {
    static MIXERS: OnceLock<Vec<(u64, u64)>> = OnceLock::new();
    MIXERS.get_or_init(|| {
        let draw = |what: &str, n: u64| Parts::new("minhash").with(what).with_u64(n).uniform();
        (0..MINIMA as u64).map(|n| (draw("add", n), draw("times", n) | 1)).collect()
    })
}

/// Groups of near-duplicates. Add texts in an order that does not depend on chance (say, by id): where a text is near
/// to two that are not near to each other, all three are one group whatever the order, but a key shared by very many
/// texts that are not near-duplicates is only followed so far.
#[derive(Debug)]
pub struct Clusters {
    threshold: f64,
    signatures: Vec<Signature>,
    /// A text's way to the first of its group.
    parents: Vec<usize>,
    /// Texts that have a band key, one for each group of them.
    holders: HashMap<u64, Vec<usize>>,
}

/// Texts compared at most for one band key: common boilerplate must not make the work quadratic.
const FOLLOWED: usize = 64;

impl Default for Clusters {
    fn default() -> Self {
        Self::new(THRESHOLD)
    }
}

impl Clusters {
    /// No texts yet. A `threshold` below 0.6 misses pairs: the band keys are made for 0.7.
    pub fn new(threshold: f64) -> Self {
        Self { threshold, signatures: Vec::new(), parents: Vec::new(), holders: HashMap::new() }
    }

    /// Adds a text and gives its number, from 0 in the order of adding.
    pub fn add(&mut self, signature: Signature) -> usize {
        let new = self.signatures.len();
        self.parents.push(new);
        for key in signature.band_keys() {
            let holders = self.holders.entry(key).or_default();
            let mut represented = false;
            for &holder in holders.iter() {
                if find(&mut self.parents, holder) == find(&mut self.parents, new) {
                    represented = true;
                } else if self
                    .signatures
                    .get(holder)
                    .is_some_and(|s| s.similarity(&signature) >= self.threshold)
                {
                    join(&mut self.parents, holder, new);
                    represented = true;
                }
            }
            if !represented && holders.len() < FOLLOWED {
                holders.push(new);
            }
        }
        self.signatures.push(signature);
        new
    }

    /// The number of the first text of this one's group: its own when it is the first. Groups may still grow together.
    pub fn first_of(&mut self, text: usize) -> usize {
        find(&mut self.parents, text)
    }

    /// The groups of two texts and more, each in the order of adding, ordered by their first.
    pub fn groups(mut self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = vec![Vec::new(); self.parents.len()];
        for text in 0..self.parents.len() {
            let first = find(&mut self.parents, text);
            if let Some(group) = groups.get_mut(first) {
                group.push(text);
            }
        }
        groups.retain(|group| group.len() > 1);
        groups
    }
}

/// The first text of a group; paths are halved on the way.
fn find(parents: &mut [usize], mut text: usize) -> usize {
    while let Some(&parent) = parents.get(text)
        && parent != text
    {
        let grand = parents.get(parent).copied().unwrap_or(parent);
        if let Some(slot) = parents.get_mut(text) {
            *slot = grand;
        }
        text = grand;
    }
    text
}

/// Makes two groups one, under the earlier of their firsts.
fn join(parents: &mut [usize], a: usize, b: usize) {
    let (a, b) = (find(parents, a), find(parents, b));
    if let Some(slot) = parents.get_mut(a.max(b)) {
        *slot = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn exact(a: &str, b: &str) -> f64 {
        let runs = |text: &str| -> BTreeSet<Vec<String>> {
            ngrams(&words(text), RUN).map(<[String]>::to_vec).collect()
        };
        let (a, b) = (runs(a), runs(b));
        a.intersection(&b).count() as f64 / a.union(&b).count() as f64
    }

    /// `n` distinct words drawn from a seed.
    fn prose(seed: u64, n: u64) -> Vec<String> {
        (0..n)
            .map(|i| format!("w{}", Parts::new("t").with_u64(seed).with_u64(i).uniform() % 100_000))
            .collect()
    }

    #[test]
    fn the_estimate_is_near_the_truth_and_bands_find_near_duplicates() {
        let (mut near, mut found, mut worst) = (0, 0, 0.0_f64);
        for seed in 0..150 {
            let a = prose(seed, 200);
            let mut b = a.clone();
            b.truncate(200 - usize::try_from(seed).expect("small") % 100);
            let (a, b) = (a.join(" "), b.join(" "));
            let truth = exact(&a, &b);
            let (sa, sb) = (Signature::of(&a).expect("words"), Signature::of(&b).expect("words"));
            worst = worst.max((sa.similarity(&sb) - truth).abs());
            if truth >= THRESHOLD {
                near += 1;
                found += u32::from(sa.band_keys().iter().zip(&sb.band_keys()).any(|(x, y)| x == y));
            }
        }
        println!("worst estimate off by {worst:.3}; {found} of {near} near pairs share a key");
        assert!(worst < 0.16 && near > 60 && f64::from(found) >= f64::from(near) * 0.97);
    }

    #[test]
    fn groups_of_near_duplicates() {
        let base = prose(1, 120);
        let mut edited = base.clone();
        edited[60] = "changed".into();
        let texts = [prose(2, 120), base.clone(), prose(3, 120), edited, base, prose(4, 120)];
        let mut clusters = Clusters::default();
        for text in &texts {
            clusters.add(Signature::of(&text.join(" ")).expect("words"));
        }
        assert_eq!(clusters.first_of(4), 1);
        assert_eq!(clusters.groups(), [[1, 3, 4]]);
    }

    #[test]
    fn texts_without_words_have_no_signature_and_short_ones_have() {
        assert_eq!(Signature::of(" ?! "), None);
        assert_eq!(Signature::of("Why not?"), Signature::of("why NOT"));
        assert_ne!(Signature::of("Why not?"), Signature::of("Why so?"));
    }

    #[test]
    fn a_signature_is_the_same_on_every_machine() {
        let keys = Signature::of("The quick brown fox jumps over the lazy dog.").expect("words").band_keys();
        assert_eq!(keys.first().copied(), Some(PINNED));
    }

    const PINNED: u64 = 16_770_079_741_750_195_058;

    #[test]
    fn many_texts_with_the_same_boilerplate_stay_apart_and_cheap() {
        let boilerplate = prose(9, 100).join(" ");
        let mut clusters = Clusters::default();
        for seed in 0..400 {
            let own = prose(1000 + seed, 100).join(" ");
            clusters.add(Signature::of(&format!("{boilerplate} {own}")).expect("words"));
        }
        assert!(clusters.holders.values().all(|holders| holders.len() <= FOLLOWED));
        assert_eq!(clusters.groups(), Vec::<Vec<usize>>::new());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        /// The groups do not depend on the order in which texts come.
        #[test]
        fn groups_are_the_same_in_any_order(order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle()) {
            let texts: Vec<String> = (0..12).map(|i| {
                let mut words = prose(i / 3, 80);
                words.truncate(80 - usize::try_from(i % 3).expect("small") * 4);
                words.join(" ")
            }).collect();
            let mut clusters = Clusters::default();
            for &i in &order {
                clusters.add(Signature::of(&texts[i]).expect("words"));
            }
            let groups: BTreeSet<BTreeSet<usize>> =
                clusters.groups().into_iter().map(|g| g.into_iter().map(|n| order[n]).collect()).collect();
            let expected: BTreeSet<BTreeSet<usize>> = (0..4).map(|k| (3 * k..3 * k + 3).collect()).collect();
            prop_assert_eq!(groups, expected);
        }
    }
}
