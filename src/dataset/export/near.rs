//! Near-duplicate prompts, found without holding them: signatures and band keys wait on disk.
//!
//! Memory is four bytes for each distinct prompt, and twelve for one band at a time.

use super::ExportError;
use crate::dataset::splits::Gather;
use crate::text::minhash::{BANDS, Signature};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Prompts compared at most for one band key, so that common boilerplate does not make the work quadratic.
const FOLLOWED: usize = 64;

/// Signatures of distinct prompts, on disk.
pub(super) struct Near {
    dir: PathBuf,
    signatures: BufWriter<File>,
    bands: Vec<BufWriter<File>>,
    numbers: Vec<u32>,
}

impl Near {
    /// No prompt yet; the files go into a folder of their own in `staging`.
    pub(super) fn create(staging: &Path) -> Result<Self, ExportError> {
        let dir = staging.join("near");
        std::fs::create_dir(&dir).map_err(|e| ExportError::io("create", &dir, e))?;
        let create = |path: PathBuf| {
            File::create(&path).map(BufWriter::new).map_err(|e| ExportError::io("create", &path, e))
        };
        let signatures = create(dir.join("signatures"))?;
        let bands =
            (0..BANDS).map(|band| create(dir.join(format!("band-{band}")))).collect::<Result<_, _>>()?;
        Ok(Self { dir, signatures, bands, numbers: Vec::new() })
    }

    /// Adds a prompt by its number and its words. A prompt without words is near to none.
    pub(super) fn add(&mut self, number: u32, text: &str) -> Result<(), ExportError> {
        let Some(signature) = Signature::of(text) else { return Ok(()) };
        let at = |e| ExportError::io("write", &self.dir, e);
        self.signatures.write_all(&signature.to_bytes()).map_err(at)?;
        for (band, key) in self.bands.iter_mut().zip(signature.band_keys()) {
            band.write_all(&key.to_le_bytes()).map_err(at)?;
        }
        self.numbers.push(number);
        Ok(())
    }

    /// Unites the families of prompts that are at least so similar, and removes the files.
    pub(super) fn unite(self, threshold: f64, gather: &mut Gather) -> Result<(), ExportError> {
        let Self { dir, mut signatures, bands, numbers } = self;
        let at = |e| ExportError::io("read", &dir, e);
        signatures.flush().map_err(at)?;
        let mut signatures = File::open(dir.join("signatures")).map_err(at)?;
        for (band, mut file) in bands.into_iter().enumerate() {
            file.flush().map_err(at)?;
            let keys = read_keys(&dir.join(format!("band-{band}"))).map_err(at)?;
            for run in keys.chunk_by(|(a, _), (b, _)| a == b).filter(|run| run.len() > 1) {
                unite_run(run, &numbers, threshold, gather, &mut signatures).map_err(at)?;
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

/// Compares prompts that share a band key, each with one of every family that is among them.
fn unite_run(
    run: &[(u64, u32)],
    numbers: &[u32],
    threshold: f64,
    gather: &mut Gather,
    signatures: &mut File,
) -> std::io::Result<()> {
    let mut met: Vec<(u32, Signature)> = Vec::new();
    for (_, slot) in run {
        let Some(number) = numbers.get(*slot as usize).copied() else { continue };
        if met.iter().any(|(other, _)| gather.is_joined(*other, number)) {
            continue;
        }
        let mut bytes = vec![0; Signature::BYTES];
        signatures.seek(SeekFrom::Start(u64::from(*slot) * Signature::BYTES as u64))?;
        signatures.read_exact(&mut bytes)?;
        let Some(signature) = Signature::from_bytes(&bytes) else { continue };
        match met.iter().find(|(_, other)| other.similarity(&signature) >= threshold) {
            Some((other, _)) => gather.unite(*other, number),
            None if met.len() < FOLLOWED => met.push((number, signature)),
            None => {}
        }
    }
    Ok(())
}
