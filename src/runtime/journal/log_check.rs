//! The write-ahead log, looked at before SQLite opens it.
//!
//! SQLite reads a log up to the first frame whose checksum does not fit, and says nothing about the rest. After a crash that
//! is right: what was being written was never acknowledged. Where whole frames of the same generation come after the bad one,
//! the log was damaged later, and what is behind the damage would be lost without a word. The format is that of
//! <https://sqlite.org/fileformat2.html#walformat>.

use super::JournalError;
use super::repair::with_ending;
use std::path::{Path, PathBuf};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The log of a journal's file.
pub(super) fn path_of(journal: &Path) -> PathBuf {
    journal.with_extension("db-wal")
}

/// Keeps a copy of a damaged log beside it, and tells it: SQLite is about to cut the log where the damage is.
pub(super) fn set_aside_if_damaged(journal: &Path) -> Result<(), JournalError> {
    let path = path_of(journal);
    let log = std::fs::read(&path).unwrap_or_default();
    let Some(fault) = fault(&log) else { return Ok(()) };
    let name = |n: u32| with_ending(&path, &format!(".damaged-{n}"));
    let aside = (1..=u32::MAX).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0));
    std::fs::copy(&path, &aside).map_err(|error| JournalError::from_io(&aside, &error))?;
    tracing::warn!(
        fault,
        kept = %aside.display(),
        "the journal's write-ahead log is damaged: what is behind the damage is lost and asked again"
    );
    Ok(())
}

/// What is wrong in the middle of a log; `None` for one that is whole, or only ends in what a crash left unfinished.
pub(super) fn fault(log: &[u8]) -> Option<String> {
    if log.len() < HEADER + FRAME_HEADER {
        return None;
    }
    let Some(header) = Header::read(log) else { return Some("its head is damaged".into()) };
    let size = FRAME_HEADER + header.page_size;
    let frames: Vec<&[u8]> = log.get(HEADER..).unwrap_or_default().chunks_exact(size).collect();
    let mut sum = header.sum;
    for (n, frame) in frames.iter().enumerate() {
        let belongs = header.is_salt_of(frame);
        let checked = header.add(sum, frame);
        if belongs && checked == (word(frame, 16), word(frame, 20)) {
            sum = checked;
            continue;
        }
        let behind =
            frames.iter().skip(n + 1).filter(|later| header.is_salt_of(later) && word(later, 4) != 0);
        let lost = behind.count();
        return (lost > 0).then(|| {
            format!("frame {} of {} is damaged; {lost} commits are behind it", n + 1, frames.len())
        });
    }
    None
}

struct Header {
    page_size: usize,
    salt: (u32, u32),
    sum: (u32, u32),
    /// Whether sums are made of words with the largest byte first.
    is_big_endian: bool,
}

impl Header {
    fn read(log: &[u8]) -> Option<Self> {
        let is_big_endian = match word(log, 0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return None,
        };
        let page_size = word(log, 8) as usize;
        let sum = (word(log, 24), word(log, 28));
        let header = Self { page_size, salt: (word(log, 16), word(log, 20)), sum, is_big_endian };
        let is_whole = header.checksum((0, 0), log.get(..24)?) == sum;
        (is_whole && (512..=65_536).contains(&page_size)).then_some(header)
    }

    fn is_salt_of(&self, frame: &[u8]) -> bool {
        (word(frame, 8), word(frame, 12)) == self.salt
    }

    /// The sum after one more frame.
    fn add(&self, sum: (u32, u32), frame: &[u8]) -> (u32, u32) {
        let sum = self.checksum(sum, frame.get(..8).unwrap_or_default());
        self.checksum(sum, frame.get(FRAME_HEADER..).unwrap_or_default())
    }

    fn checksum(&self, (mut a, mut b): (u32, u32), bytes: &[u8]) -> (u32, u32) {
        for pair in bytes.chunks_exact(8) {
            let number = |at: usize| {
                let number = word(pair, at);
                if self.is_big_endian { number } else { number.swap_bytes() }
            };
            a = a.wrapping_add(number(0)).wrapping_add(b);
            b = b.wrapping_add(number(4)).wrapping_add(a);
        }
        (a, b)
    }
}

/// Four bytes as a number, the largest first.
fn word(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    u32::from_be_bytes(four.unwrap_or_default())
}
