//! Files of a dataset in the making: hashed as they are written, sharded by size, named once their number is known.

use super::ExportError;
use super::parquet::{ParquetWriter, size_of_value};
use crate::pure::digest::hex;
use crate::runtime::dataset::rows::{Config, Row};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A finished file, as the manifest lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::runtime) struct Written {
    /// Path within the dataset, with `/` between parts.
    pub(in crate::runtime) path: String,
    /// SHA-256 of its bytes.
    pub(in crate::runtime) sha256: String,
    /// Its size.
    pub(in crate::runtime) bytes: u64,
    /// Rows in it, where it holds rows.
    pub(in crate::runtime) rows: Option<u64>,
}

/// A file that is hashed as it is written.
#[derive(Debug)]
pub(in crate::runtime) struct Hashed {
    out: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Hashed {
    /// Creates the file and the folders above it.
    pub(in crate::runtime) fn create(path: &Path) -> Result<Self, ExportError> {
        let at = |source| ExportError::io("create", path, source);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(at)?;
        }
        Ok(Self { out: BufWriter::new(File::create(path).map_err(at)?), hash: Sha256::new(), bytes: 0 })
    }

    /// Makes the file durable, and gives its entry.
    pub(in crate::runtime) fn finish(
        mut self,
        path: String,
        rows: Option<u64>,
    ) -> Result<Written, ExportError> {
        let at = |source| ExportError::io("write", Path::new(&path), source);
        self.out.flush().map_err(at)?;
        self.out.get_ref().sync_all().map_err(at)?;
        Ok(Written { sha256: hex(&self.hash.finalize()), bytes: self.bytes, rows, path })
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.hash.update(bytes.get(..n).unwrap_or(bytes));
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Writes a small text file whole.
pub(in crate::runtime) fn write_text(root: &Path, path: &str, text: &str) -> Result<Written, ExportError> {
    let mut file = Hashed::create(&root.join(path))?;
    file.write_all(text.as_bytes()).map_err(|source| ExportError::io("write", Path::new(path), source))?;
    file.finish(path.to_owned(), None)
}

/// JSON, one object a line.
pub(super) struct Lines {
    file: Hashed,
    path: String,
    line: Vec<u8>,
    /// Lines so far.
    pub(super) rows: u64,
}

impl Lines {
    /// Begins a file.
    pub(super) fn create(root: &Path, path: String) -> Result<Self, ExportError> {
        Ok(Self { file: Hashed::create(&root.join(&path))?, path, line: Vec::new(), rows: 0 })
    }

    /// Adds a line.
    pub(super) fn write(&mut self, json: &impl Serialize) -> Result<(), ExportError> {
        self.line.clear();
        let at = |source| ExportError::io("write", Path::new(&self.path), source);
        serde_json::to_writer(&mut self.line, json).map_err(|error| at(error.into()))?;
        self.line.push(b'\n');
        self.rows += 1;
        self.file.write_all(&self.line).map_err(at)
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.file.bytes
    }

    /// Ends the file.
    pub(super) fn finish(self) -> Result<Written, ExportError> {
        self.file.finish(self.path, Some(self.rows))
    }
}

/// Parquet shards and JSON lines of one split of one config.
pub(super) struct SplitFiles {
    root: PathBuf,
    config: Config,
    split: &'static str,
    shard_bytes: u64,
    open: Option<(ParquetWriter<Hashed>, u64)>,
    shards: Vec<Written>,
    lines: Option<Lines>,
    /// Rows so far.
    pub(super) rows: u64,
    /// Bytes of their values.
    pub(super) value_bytes: u64,
}

impl SplitFiles {
    /// Nothing is created before the first row: a split without rows has no file.
    pub(super) fn new(root: &Path, config: Config, split: &'static str, shard_bytes: u64) -> Self {
        let root = root.to_owned();
        Self {
            root,
            config,
            split,
            shard_bytes,
            open: None,
            shards: Vec::new(),
            lines: None,
            rows: 0,
            value_bytes: 0,
        }
    }

    /// Adds a row.
    pub(super) fn write(&mut self, row: &Row) -> Result<(), ExportError> {
        let lines = if let Some(lines) = &mut self.lines {
            lines
        } else {
            let path = format!("jsonl/{}_{}.jsonl", self.config.as_str(), self.split);
            self.lines.insert(Lines::create(&self.root, path)?)
        };
        lines.write(row)?;
        let size = row.values.iter().map(size_of_value).sum::<usize>() as u64;
        self.rows += 1;
        self.value_bytes += size;
        let full =
            self.open.as_ref().is_some_and(|(writer, rows)| *rows > 0 && writer.bytes() >= self.shard_bytes);
        if full {
            self.close_shard()?;
        }
        let (writer, rows) = if let Some(open) = &mut self.open {
            open
        } else {
            let file = Hashed::create(&self.root.join(self.part(self.shards.len())))?;
            let columns = self.config.columns();
            let columns = columns.get(..row.values.len()).unwrap_or(columns);
            self.open.insert((ParquetWriter::new(file, columns)?, 0))
        };
        *rows += 1;
        writer.write(row)?;
        Ok(())
    }

    /// A shard's name while the number of shards is not known.
    fn part(&self, at: usize) -> String {
        format!("{}/{}-{at:05}.part", self.config.as_str(), self.split)
    }

    fn close_shard(&mut self) -> Result<(), ExportError> {
        if let Some((writer, rows)) = self.open.take() {
            let path = self.part(self.shards.len());
            self.shards.push(writer.finish()?.finish(path, Some(rows))?);
        }
        Ok(())
    }

    /// Ends the files and gives them their names.
    pub(super) fn finish(mut self) -> Result<Vec<Written>, ExportError> {
        self.close_shard()?;
        let total = self.shards.len();
        let mut written = Vec::new();
        for (at, shard) in self.shards.into_iter().enumerate() {
            let path = format!("{}/{}-{at:05}-of-{total:05}.parquet", self.config.as_str(), self.split);
            std::fs::rename(self.root.join(&shard.path), self.root.join(&path))
                .map_err(|source| ExportError::io("rename", Path::new(&path), source))?;
            written.push(Written { path, ..shard });
        }
        if let Some(lines) = self.lines {
            written.push(lines.finish()?);
        }
        Ok(written)
    }
}
