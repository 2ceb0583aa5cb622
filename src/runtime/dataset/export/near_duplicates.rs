//! Near-duplicate texts, found without holding them: signatures and band keys wait on disk, as do the keys of short prompts.
//!
//! Memory is four bytes for each distinct prompt, and twelve for one band at a time.

use super::ExportError;
use super::one_word_apart::OneWordApart;
use crate::pure::text::minhash::{BANDS, RUN, Signature};
use crate::pure::text::one_word::{FILLED_BY_MANY, LONGEST, OneWordKeys, SHORTEST};
use crate::runtime::dataset::splits::Unite;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Prompts compared at most for one band key, so that common boilerplate does not make the work quadratic.
const FOLLOWED: usize = 64;

/// The rule by which prompts are one family, and so share a split, for people and for files beside a dataset. What it says is
/// done here, in `one_word_apart.rs` and, for the first part, in `splits`.
pub(super) fn family_rule(threshold: f64) -> String {
    format!(
        "prompts that go on from the same beginning; prompts of {SHORTEST} to {LONGEST} words that differ by one word, unless \
         more than {FILLED_BY_MANY} differ in that word alone; prompts whose runs of {RUN} words are alike by {threshold} or more"
    )
}

/// What is kept of a prompt to find those that are near to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::runtime) struct PromptKeys {
    signature: Option<Signature>,
    one_word: Option<OneWordKeys>,
}

impl PromptKeys {
    /// The keys of a prompt, by what its user says.
    pub(in crate::runtime) fn of(said: &str) -> Self {
        Self { signature: Signature::of(said), one_word: OneWordKeys::of(said) }
    }
}

/// Signatures of distinct texts, on disk.
pub(in crate::runtime) struct Near {
    dir: PathBuf,
    signatures: BufWriter<File>,
    bands: Vec<BufWriter<File>>,
    numbers: Vec<u32>,
    one_word_apart: OneWordApart,
}

impl Near {
    /// No prompt yet; the files go into a folder of their own in `staging`.
    pub(in crate::runtime) fn create(staging: &Path) -> Result<Self, ExportError> {
        let dir = staging.join("near");
        std::fs::create_dir(&dir).map_err(|e| ExportError::io("create", &dir, e))?;
        let create = |path: PathBuf| {
            File::create(&path).map(BufWriter::new).map_err(|e| ExportError::io("create", &path, e))
        };
        let signatures = create(dir.join("signatures"))?;
        let bands =
            (0..BANDS).map(|band| create(dir.join(format!("band-{band}")))).collect::<Result<_, _>>()?;
        let one_word_apart = OneWordApart::create(&dir)?;
        Ok(Self { dir, signatures, bands, numbers: Vec::new(), one_word_apart })
    }

    /// Adds a prompt by its number. One without words is near to none; a short one is near to those that are one word apart.
    pub(in crate::runtime) fn add_prompt(
        &mut self,
        number: u32,
        keys: &PromptKeys,
    ) -> Result<(), ExportError> {
        if let Some(keys) = &keys.one_word {
            self.one_word_apart.add(number, keys)?;
        }
        keys.signature.as_ref().map_or(Ok(()), |signature| self.add_signature(number, signature))
    }

    /// Adds a text by its number and its signature.
    pub(in crate::runtime) fn add_signature(
        &mut self,
        number: u32,
        signature: &Signature,
    ) -> Result<(), ExportError> {
        let at = |e| ExportError::io("write", &self.dir, e);
        self.signatures.write_all(&signature.to_bytes()).map_err(at)?;
        for (band, key) in self.bands.iter_mut().zip(signature.band_keys()) {
            band.write_all(&key.to_le_bytes()).map_err(at)?;
        }
        self.numbers.push(number);
        Ok(())
    }

    /// Unites the families of prompts that are at least so similar, and removes the files.
    pub(in crate::runtime) fn unite(
        self,
        threshold: f64,
        families: &mut impl Unite,
    ) -> Result<(), ExportError> {
        let Self { dir, mut signatures, bands, numbers, one_word_apart } = self;
        one_word_apart.unite(families)?;
        let at = |e| ExportError::io("read", &dir, e);
        signatures.flush().map_err(at)?;
        let mut signatures = File::open(dir.join("signatures")).map_err(at)?;
        for (band, mut file) in bands.into_iter().enumerate() {
            file.flush().map_err(at)?;
            let keys = read_keys(&dir.join(format!("band-{band}"))).map_err(at)?;
            for run in keys.chunk_by(|(a, _), (b, _)| a == b).filter(|run| run.len() > 1) {
                unite_run(run, &numbers, threshold, families, &mut signatures).map_err(at)?;
            }
        }
        std::fs::remove_dir_all(&dir).map_err(|e| ExportError::io("remove", &dir, e))
    }
}

/// Band keys with the slots that have them, sorted.
fn read_keys(path: &Path) -> std::io::Result<Vec<(u64, u32)>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut keys = Vec::new();
    let mut bytes = [0; 8];
    for slot in 0.. {
        match file.read_exact(&mut bytes) {
            Ok(()) => keys.push((u64::from_le_bytes(bytes), slot)),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(e) => return Err(e),
        }
    }
    keys.sort_unstable();
    Ok(keys)
}

/// Compares every two prompts that share a band key, unless they are of one family already. So which prompts are
/// united does not depend on their order, as long as no more than [`FOLLOWED`] share a key; of more, the later ones
/// meet the first [`FOLLOWED`].
fn unite_run(
    run: &[(u64, u32)],
    numbers: &[u32],
    threshold: f64,
    families: &mut impl Unite,
    signatures: &mut File,
) -> std::io::Result<()> {
    let mut met: Vec<Met> = Vec::new();
    for (_, slot) in run {
        let Some(number) = numbers.get(*slot as usize).copied() else { continue };
        let mut new = Met { number, slot: *slot, signature: None };
        for other in &mut met {
            if families.is_joined(other.number, number) {
                continue;
            }
            if let (Some(a), Some(b)) = (other.signature(signatures)?, new.signature(signatures)?)
                && a.similarity(b) >= threshold
            {
                families.unite(other.number, number);
            }
        }
        if met.len() < FOLLOWED {
            met.push(new);
        }
    }
    Ok(())
}

/// A prompt that others may be near to; its signature is read when it is first needed.
struct Met {
    number: u32,
    slot: u32,
    signature: Option<Signature>,
}

impl Met {
    fn signature(&mut self, file: &mut File) -> std::io::Result<Option<&Signature>> {
        if self.signature.is_none() {
            let mut bytes = vec![0; Signature::BYTES];
            file.seek(SeekFrom::Start(u64::from(self.slot) * Signature::BYTES as u64))?;
            file.read_exact(&mut bytes)?;
            self.signature = Signature::from_bytes(&bytes);
        }
        Ok(self.signature.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::prompt::Prompt;
    use crate::runtime::dataset::splits::{Gather, Pins, Place, said};
    use proptest::prelude::*;
    use std::collections::{BTreeSet, HashMap};

    /// Words that belong to the base, one of them replaced. Of 40, they are about as near to the base as is near enough,
    /// and not always near to one another; of 120, all of a base are near.
    fn prompt_of(words: u8, (base, changed): (u8, u8)) -> Prompt {
        let word = |at: u8| match changed {
            1.. if at == changed * 5 % words => format!("changed{changed}"),
            0.. => format!("word{base}x{at}"),
        };
        Prompt::single((0..words).map(word).collect::<Vec<_>>().join(" "))
    }

    fn gather_all(prompts: &[Prompt], pins: Pins) -> Gather {
        let dir = tempfile::tempdir().unwrap();
        let mut gather = Gather::new(pins);
        let mut near = Near::create(dir.path()).unwrap();
        for prompt in prompts {
            if let Some(number) = gather.add(prompt, true) {
                near.add_prompt(number, &PromptKeys::of(&said(prompt))).unwrap();
            }
        }
        near.unite(0.7, &mut gather).unwrap();
        gather
    }

    fn places(prompts: &[Prompt], pins: Pins) -> Vec<Place> {
        let families = gather_all(prompts, pins).finish(0.3, &[]);
        (0..prompts.len()).map(|at| families.place(at).unwrap()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_place_depends_on_no_order_and_an_older_one_is_kept(
            made in proptest::collection::vec((0..6_u8, 0..20_u8), 1..40).prop_shuffle(),
            added in proptest::collection::vec((0..8_u8, 0..20_u8), 0..20),
            turn in 0..40_usize,
        ) {
            let prompts: Vec<Prompt> = made.into_iter().map(|which| prompt_of(40, which)).collect();
            let old = places(&prompts, Pins::default());
            let mut turned = prompts.clone();
            turned.rotate_left(turn % prompts.len());
            let mut back = places(&turned, Pins::default());
            back.rotate_right(turn % prompts.len());
            prop_assert_eq!(&old, &back);

            let mut pins = Pins::default();
            for (prompt, place) in prompts.iter().zip(&old) {
                prop_assert!(pins.add(&prompt.id.0, &place.family, place.split.unwrap()));
            }
            let mut all: Vec<Prompt> = added.iter().map(|which| prompt_of(40, *which)).collect();
            all.extend(prompts.iter().cloned());
            let grown = places(&all, pins);
            let again: Vec<Option<usize>> = grown[added.len()..].iter().map(|place| place.split).collect();
            prop_assert_eq!(again, old.iter().map(|place| place.split).collect::<Vec<_>>());
            let mut homes: HashMap<&str, BTreeSet<usize>> = HashMap::new();
            for place in &grown {
                homes.entry(&place.family).or_default().extend(place.split);
            }
            prop_assert!(homes.values().all(|splits| splits.len() <= 1), "{:?}", homes);
        }

        #[test]
        fn what_is_near_is_never_in_two_splits(
            made in proptest::collection::vec((0..6_u8, 0..20_u8), 2..40),
        ) {
            let prompts: Vec<Prompt> = made.iter().map(|which| prompt_of(120, *which)).collect();
            let mut homes: HashMap<u8, BTreeSet<Option<usize>>> = HashMap::new();
            for ((base, _), place) in made.iter().zip(places(&prompts, Pins::default())) {
                homes.entry(*base).or_default().insert(place.split);
            }
            prop_assert!(homes.values().all(|splits| splits.len() == 1), "{:?}", homes);
        }
    }

    /// Whether two prompts are the same but for one word that is changed, added or left out.
    fn is_one_word_apart(a: &[u8], b: &[u8]) -> bool {
        let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        let same = short.iter().zip(long).take_while(|(x, y)| x == y).count();
        let (of_short, of_long) = (&short[same..], &long[same..]);
        match long.len() - short.len() {
            0 => of_short.get(1..) == of_long.get(1..) || of_short.is_empty(),
            1 => of_long.get(1..) == Some(of_short),
            _ => false,
        }
    }

    /// The numbers of the family of each prompt, counted from the first one met.
    fn numbered<T: PartialEq>(families: &[T]) -> Vec<usize> {
        families.iter().map(|family| families.iter().position(|other| other == family).unwrap()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn families_are_what_one_word_connects_in_any_order(
            made in proptest::collection::vec(proptest::collection::vec(0..3_u8, 5..7), 1..=FILLED_BY_MANY),
            turn in 0..FILLED_BY_MANY,
        ) {
            let spoken = |words: &Vec<u8>| {
                Prompt::single(words.iter().map(|word| format!("w{word}")).collect::<Vec<_>>().join(" "))
            };
            let prompts: Vec<Prompt> = made.iter().map(spoken).collect();
            // Families by the rule alone: whatever joins a to b and b to c joins a to c.
            let mut expected: Vec<usize> = (0..made.len()).collect();
            for (a, b) in (0..made.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
                if is_one_word_apart(&made[a], &made[b]) {
                    let (from, to) = (expected[a], expected[b]);
                    expected.iter_mut().filter(|family| **family == from).for_each(|family| *family = to);
                }
            }
            let found = |prompts: &[Prompt]| -> Vec<String> {
                places(prompts, Pins::default()).into_iter().map(|place| place.family).collect()
            };
            let families = found(&prompts);
            prop_assert_eq!(numbered(&families), numbered(&expected), "{:?}", made);
            let mut turned: Vec<Prompt> = prompts.iter().rev().cloned().collect();
            turned.rotate_left(turn % prompts.len());
            let mut back = found(&turned);
            back.rotate_right(turn % prompts.len());
            back.reverse();
            prop_assert_eq!(families, back);
        }
    }

    #[test]
    fn many_prompts_with_the_same_boilerplate_stay_apart() {
        let shared: Vec<String> = (0..100).map(|n| format!("shared{n}")).collect();
        let with_own = |n: usize| {
            let own: Vec<String> = (0..100).map(|at| format!("own{n}x{at}")).collect();
            Prompt::single(format!("{} {}", shared.join(" "), own.join(" ")))
        };
        let prompts: Vec<Prompt> = (0..2 * FOLLOWED).map(with_own).collect();
        assert_eq!(gather_all(&prompts, Pins::default()).finish(0.1, &[]).len(), prompts.len());
    }
}
