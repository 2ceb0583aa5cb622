//! Short prompts that differ by one word, found on disk: keys wait in files, and one of them is in memory at a time.

use super::ExportError;
use crate::pure::text::one_word::{FILLED_BY_MANY, OneWordKeys};
use crate::runtime::dataset::splits::Unite;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Files that the keys are spread over.
const FILES: u64 = 64;

/// Keys of short prompts: some 21 bytes for each key on disk, and a sixty-fourth of them in memory at the end.
pub(super) struct OneWordApart {
    dir: PathBuf,
    files: Vec<BufWriter<File>>,
}

/// One key of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Keyed {
    key: u64,
    kind: Kind,
    /// The key of the whole prompt: what tells different prompts from the same one met twice.
    whole: u64,
    number: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Whole = 0,
    Masked = 1,
    Shortened = 2,
}

impl Keyed {
    const BYTES: usize = 21;

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.key.to_le_bytes());
        bytes[8] = self.kind as u8;
        bytes[9..17].copy_from_slice(&self.whole.to_le_bytes());
        bytes[17..].copy_from_slice(&self.number.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let number = |from: usize| u64::from_le_bytes(std::array::from_fn(|n| bytes[from + n]));
        Self {
            key: number(0),
            kind: match bytes[8] {
                0 => Kind::Whole,
                1 => Kind::Masked,
                _ => Kind::Shortened,
            },
            whole: number(9),
            number: u32::from_le_bytes(std::array::from_fn(|n| bytes[17 + n])),
        }
    }
}

impl OneWordApart {
    /// No prompt yet; the files go into a folder that is there.
    pub(super) fn create(dir: &Path) -> Result<Self, ExportError> {
        let create = |n: u64| {
            let path = place(dir, n);
            File::create(&path).map(BufWriter::new).map_err(|e| ExportError::io("create", &path, e))
        };
        Ok(Self { dir: dir.to_owned(), files: (0..FILES).map(create).collect::<Result<_, _>>()? })
    }

    /// Adds the keys of a prompt by its number.
    pub(super) fn add(&mut self, number: u32, keys: &OneWordKeys) -> Result<(), ExportError> {
        let keyed = |kind| move |key: &u64| Keyed { key: *key, kind, whole: keys.whole, number };
        let all = std::iter::once(&keys.whole)
            .map(keyed(Kind::Whole))
            .chain(keys.masked.iter().map(keyed(Kind::Masked)))
            .chain(keys.shortened.iter().map(keyed(Kind::Shortened)));
        for keyed in all {
            let Some(file) = usize::try_from(keyed.key % FILES).ok().and_then(|n| self.files.get_mut(n))
            else {
                continue;
            };
            file.write_all(&keyed.to_bytes()).map_err(|e| ExportError::io("write", &self.dir, e))?;
        }
        Ok(())
    }

    /// Unites the families of prompts that are one word apart.
    pub(super) fn unite(self, families: &mut impl Unite) -> Result<(), ExportError> {
        let Self { dir, files } = self;
        let at = |e| ExportError::io("read", &dir, e);
        for (n, mut file) in files.into_iter().enumerate() {
            file.flush().map_err(at)?;
            let keyed = read(&place(&dir, n as u64)).map_err(at)?;
            for group in keyed.chunk_by(|a, b| a.key == b.key).filter(|group| group.len() > 1) {
                unite_group(group, families);
            }
        }
        Ok(())
    }
}

fn place(dir: &Path, n: u64) -> PathBuf {
    dir.join(format!("one-word-{n}"))
}

fn read(path: &Path) -> std::io::Result<Vec<Keyed>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut keyed = Vec::new();
    let mut bytes = [0; Keyed::BYTES];
    loop {
        match file.read_exact(&mut bytes) {
            Ok(()) => keyed.push(Keyed::from_bytes(&bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(e) => return Err(e),
        }
    }
    keyed.sort_unstable();
    Ok(keyed)
}

/// Unites what shares a key, unless it is a template with a slot. Two texts that were both shortened need not be one word apart:
/// they are united where the text that they were shortened to is there itself.
fn unite_group(group: &[Keyed], families: &mut impl Unite) {
    let different: BTreeSet<u64> = group.iter().map(|keyed| keyed.whole).collect();
    let Some(first) = group.first().filter(|first| first.kind != Kind::Shortened) else { return };
    if different.len() > FILLED_BY_MANY {
        return;
    }
    for other in group.get(1..).unwrap_or_default() {
        if !families.is_joined(first.number, other.number) {
            families.unite(first.number, other.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::dataset::splits::NumberFamilies;

    fn joined(texts: &[&str]) -> Vec<u32> {
        let dir = tempfile::tempdir().unwrap();
        let mut apart = OneWordApart::create(dir.path()).unwrap();
        for (n, text) in texts.iter().enumerate() {
            if let Some(keys) = OneWordKeys::of(text) {
                apart.add(u32::try_from(n).unwrap(), &keys).unwrap();
            }
        }
        let count = u32::try_from(texts.len()).unwrap();
        let mut families = NumberFamilies::new(count);
        apart.unite(&mut families).unwrap();
        (0..count).map(|n| families.first_of(n)).collect()
    }

    #[test]
    fn one_word_joins_and_two_do_not() {
        let texts = [
            "How do I kill a Python process?",
            "How do I plant a rose bush in spring?",
            "How do I kill a Windows process?",
            "How do I kill a stuck Windows process?",
            "How do I stop a Windows service?",
        ];
        assert_eq!(joined(&texts), [0, 1, 0, 0, 4]);
        let swapped = ["a b c d e f", "b c d e f g"];
        assert_eq!(joined(&swapped), [0, 1], "both shorten to the same, which is not there");
    }

    #[test]
    fn a_slot_that_many_prompts_fill_joins_none_of_them() {
        let of = |count: usize| {
            (0..count).map(|n| format!("What is the use of tool number {n}?")).collect::<Vec<_>>()
        };
        let roots = |texts: &[String]| joined(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(roots(&of(FILLED_BY_MANY)), vec![0; FILLED_BY_MANY]);
        let many = of(FILLED_BY_MANY + 1);
        assert_eq!(roots(&many), (0..=8).collect::<Vec<u32>>());
        // The same prompt met again is no further filling.
        let again: Vec<String> = of(FILLED_BY_MANY).into_iter().cycle().take(3 * FILLED_BY_MANY).collect();
        assert!(roots(&again).iter().all(|root| *root == 0));
    }
}
