//! Every parser over its corpus and over what mutation makes of it: a short run of what cargo-fuzz does without end.
//!
//! Mutations come from a seed, so a failure is the same on every machine; its input is printed.

use std::path::Path;

#[path = "../fuzz/parsers.rs"]
mod all;

/// Inputs made of each corpus in every test run, and by a flag.
const MUTATIONS: u64 = 600;
const MANY: u64 = 60_000;

/// Words that change what comes after them.
const WORDS: [&[u8]; 16] = [
    b"{{",
    b"}}",
    b"\"\"\"",
    b"[[",
    b"]]",
    b"\r\n",
    b"\0",
    b"\x1b[31m",
    b"\xff\xfe",
    b"\\ud800",
    b"NaN",
    b"1e999",
    b"```",
    b"</think>",
    b"Verdict: ",
    b"\xef\xbb\xbf",
];

/// Chance (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % (most.max(1) as u64)).expect("below a length")
    }
}

fn mutated(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = corpus[chance.below(corpus.len())].clone();
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len() + 1);
        let end = (at + chance.below(24)).min(bytes.len());
        match chance.below(7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part: Vec<u8> = bytes[at..end].repeat(1 + chance.below(20));
                bytes.splice(at..at, part);
            }
            3 => drop(bytes.splice(at..at, WORDS[chance.below(WORDS.len())].iter().copied())),
            4 => {
                let other = &corpus[chance.below(corpus.len())];
                let part = other[chance.below(other.len())..].to_vec();
                bytes.splice(at..end, part);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << chance.below(8);
                }
            }
        }
    }
    bytes
}

#[test]
fn no_parser_breaks_on_what_mutation_makes_of_its_corpus() {
    try_all(MUTATIONS);
}

#[test]
#[ignore = "slow: sixty thousand mutations for each parser"]
fn slow_no_parser_breaks_on_many_mutations() {
    try_all(MANY);
}

fn try_all(mutations: u64) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for (name, parser) in all::PARSERS {
        let mut files: Vec<_> = std::fs::read_dir(folder.join(name))
            .expect(name)
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        let corpus: Vec<Vec<u8>> = files.iter().map(|path| std::fs::read(path).expect("a file")).collect();
        let mut chance = Chance(7);
        for n in 0..corpus.len() as u64 + mutations {
            let known = usize::try_from(n).ok().and_then(|n| corpus.get(n).cloned());
            let input = known.unwrap_or_else(|| mutated(&corpus, &mut chance));
            let ended = std::panic::catch_unwind(|| parser(&input));
            assert!(ended.is_ok(), "`{name}` breaks on {:?}", String::from_utf8_lossy(&input));
        }
    }
}
