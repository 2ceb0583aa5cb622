//! Short texts that differ by one word, found without comparing every pair.
//!
//! Runs of words ([`minhash`](super::minhash)) need some thirty words before one changed word leaves enough of them. For texts of
//! [`SHORTEST`] to [`LONGEST`] words, [`OneWordKeys`] gives keys such that two texts share one when they are the same but for one
//! word that is changed, added or left out. Equal keys are the proof: nothing has to be compared afterwards.

use super::words;
use crate::pure::digest::Parts;

/// Words of the shortest text that has keys. One word of fewer changes too much.
pub const SHORTEST: usize = 5;
/// Words of the longest.
pub const LONGEST: usize = 31;

/// So many different texts that differ in one and the same word are a template with a slot, and no rewordings of one question.
pub const FILLED_BY_MANY: usize = 8;

/// The keys of a short text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneWordKeys {
    /// The key of the whole text: a text with one word more has it among `shortened`.
    pub whole: u64,
    /// For each word the key of the text with that word masked: texts of the same length share one when they differ there only.
    pub masked: Vec<u64>,
    /// For each word the key of the text without it.
    pub shortened: Vec<u64>,
}

impl OneWordKeys {
    /// The keys of a text; `None` for one that is too short or too long.
    pub fn of(text: &str) -> Option<Self> {
        // A longer text need not be read to its end.
        let start: String = text.chars().take(64 * LONGEST).collect();
        let words = words(&start);
        if !(SHORTEST..=LONGEST).contains(&words.len()) || start.len() < text.len() {
            return None;
        }
        let words: Vec<u64> = words.iter().map(|word| Parts::new("word").with(word).uniform()).collect();
        let key = |kind: u64, words: &mut dyn Iterator<Item = u64>| {
            mixed(words.fold(kind, |sum, word| mixed(sum).wrapping_add(word)))
        };
        let masked = |at: usize| {
            let mut others = words.iter().enumerate().map(|(n, word)| if n == at { MASK } else { *word });
            key(MASKED + words.len() as u64, &mut others)
        };
        let shortened = |at: usize| {
            let mut others = words.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, word)| *word);
            key(SHORTENED, &mut others)
        };
        Some(Self {
            whole: key(SHORTENED, &mut words.iter().copied()),
            masked: (0..words.len()).map(masked).collect(),
            shortened: (0..words.len()).map(shortened).collect(),
        })
    }
}

/// Stands for a masked word. No word has it but by a chance of one in 2^64.
const MASK: u64 = 0x6d61_736b;
/// What tells the two kinds of keys apart.
const MASKED: u64 = 1 << 32;
const SHORTENED: u64 = 2 << 32;

/// A permutation of the 64-bit numbers in which every bit depends on every other (the finaliser of SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whether two texts share a key.
    fn meet(a: &str, b: &str) -> bool {
        let (Some(a), Some(b)) = (OneWordKeys::of(a), OneWordKeys::of(b)) else { return false };
        let share = |x: &[u64], y: &[u64]| x.iter().any(|key| y.contains(key));
        a.whole == b.whole
            || share(&a.masked, &b.masked)
            || a.shortened.contains(&b.whole)
            || b.shortened.contains(&a.whole)
    }

    /// Words that have to be changed, added or left out to make one text of another.
    fn distance(a: &[usize], b: &[usize]) -> usize {
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.iter().enumerate() {
            let mut corner = std::mem::replace(&mut row[0], i + 1);
            for (j, y) in b.iter().enumerate() {
                let cost = (corner + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
                corner = std::mem::replace(&mut row[j + 1], cost);
            }
        }
        row[b.len()]
    }

    fn text(words: &[usize]) -> String {
        words.iter().map(|word| format!("w{word}")).collect::<Vec<_>>().join(" ")
    }

    proptest! {
        #[test]
        fn texts_meet_exactly_when_at_most_one_word_differs(
            a in prop::collection::vec(0_usize..4, SHORTEST..9),
            edits in prop::collection::vec((0_usize..3, 0_usize..9, 0_usize..4), 0..4),
        ) {
            let mut b = a.clone();
            for (how, at, word) in edits {
                let at = at % b.len().max(1);
                match how {
                    0 => b[at] = word,
                    1 => b.insert(at, word),
                    _ if b.len() > SHORTEST => drop(b.remove(at)),
                    _ => {}
                }
            }
            let (met, apart) = (meet(&text(&a), &text(&b)), distance(&a, &b));
            prop_assert_eq!(met, apart <= 1, "{:?} {:?}: {} apart", a, b, apart);
            prop_assert_eq!(met, meet(&text(&b), &text(&a)));
        }
    }

    #[test]
    fn marks_and_case_are_no_difference_and_very_short_and_long_texts_have_no_keys() {
        assert!(meet("How do I kill a Python process?", "how do i kill a process"));
        assert!(meet("How do I kill a Python process?", "How can I kill a Python process"));
        assert!(!meet("How do I kill a Python process?", "How can I stop a Python process?"));
        assert!(!meet("What is rust?", "What is gold?"), "three words");
        let long = vec!["word"; LONGEST + 1].join(" ");
        assert!(!meet(&long, &long));
    }
}
