//! A file of a dataset, as the hub wants to know it: a sample, its hashes, its bytes.

use crate::pure::digest::{hex, sha256_hex};
use crate::runtime::hub::failure::Failure;
use crate::runtime::hub::transfer::{Transfer, tell};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::try_unfold;
use reqwest::Body;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::AsyncReadExt as _;

/// How many bytes of a file the hub looks at to say how it wants it.
const SAMPLE: u64 = 512;
/// How much of a file is in memory while it goes out, in bytes.
const PIECE: u64 = 256 * 1024;

/// A file of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileToPush {
    /// Its path inside the dataset, with `/`.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal, as the dataset's manifest says it.
    pub sha256: String,
}

impl FileToPush {
    /// Its first bytes in Base64.
    pub(super) fn sample(&self) -> Result<String, Failure> {
        let mut sample = Vec::new();
        let file = std::fs::File::open(&self.path).map_err(|error| self.unreadable(&error))?;
        file.take(SAMPLE).read_to_end(&mut sample).map_err(|error| self.unreadable(&error))?;
        Ok(STANDARD.encode(sample))
    }

    /// All its bytes, which must still be those that the manifest names.
    pub(super) fn content(&self) -> Result<Vec<u8>, Failure> {
        let content = std::fs::read(&self.path).map_err(|error| self.unreadable(&error))?;
        if sha256_hex(&content) == self.sha256 { Ok(content) } else { Err(self.changed()) }
    }

    /// Its id in git: SHA-1 over a head and the bytes.
    pub(super) fn git_id(&self) -> Result<String, Failure> {
        let content = self.content()?;
        let mut hash = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
        hash.update(format!("blob {}\0", content.len()).as_bytes());
        hash.update(&content);
        Ok(hex(hash.finish().as_ref()))
    }

    /// All its bytes in Base64.
    pub(super) fn base64(&self) -> Result<String, Failure> {
        Ok(STANDARD.encode(self.content()?))
    }

    /// A stretch of its bytes as the body of a request. `moved` counts what was taken.
    pub(super) fn body(&self, from: u64, length: u64, moved: &Arc<AtomicU64>) -> Result<Body, Failure> {
        let mut file = std::fs::File::open(&self.path).map_err(|error| self.unreadable(&error))?;
        file.seek(SeekFrom::Start(from)).map_err(|error| self.unreadable(&error))?;
        let moved = Arc::clone(moved);
        let begin = (tokio::fs::File::from_std(file), length);
        let pieces = try_unfold(begin, move |(mut file, left)| {
            let moved = Arc::clone(&moved);
            async move {
                if left == 0 {
                    return Ok::<_, std::io::Error>(None);
                }
                let mut piece = vec![0; usize::try_from(left.min(PIECE)).unwrap_or(usize::MAX)];
                let read = file.read(&mut piece).await?;
                if read == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                piece.truncate(read);
                moved.fetch_add(read as u64, Ordering::Relaxed);
                tell(Transfer::Moved(read as u64));
                Ok(Some((Bytes::from(piece), (file, left - read as u64))))
            }
        });
        Ok(Body::wrap_stream(pieces))
    }

    fn unreadable(&self, error: &std::io::Error) -> Failure {
        let cause = format!("`{}` cannot be read: {error}", self.path.display());
        Failure::of_disk(cause, "See that the dataset is still there, and push again.")
    }

    fn changed(&self) -> Failure {
        let cause = format!("`{}` changed while it was pushed", self.path.display());
        Failure::of_disk(cause, "Push again when nothing writes to the dataset any more.")
    }
}
