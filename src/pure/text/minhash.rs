//! Near-duplicates without comparing every pair: MinHash signatures and locality-sensitive bands.
//!
//! Two texts are near-duplicates when they share most of their runs of five words: when the sets of runs have a
//! Jaccard similarity of [`THRESHOLD`] or more. A [`Signature`] estimates that similarity (standard error 0.04 at
//! 0.7), and near-duplicates almost surely agree in at least one of its band keys: 99 % of pairs at 0.7, 99.97 % at
//! 0.8. So whoever keeps a table from band keys to texts, in memory or on disk, has only the texts that share a key to
//! compare.

use super::{ngrams, words};
use crate::pure::digest::Parts;
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
    ///
    /// ```
    /// use amend::pure::text::minhash::Signature;
    ///
    /// let text = "one two three four five six seven eight nine ten ".repeat(4);
    /// let of = |text: &str| Signature::of(text).expect("a text of many words");
    /// assert!((of(&text).similarity(&of(&text)) - 1.0).abs() < 1e-9);
    /// ```
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

#[cfg(test)]
mod tests {
    use super::*;
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
}
