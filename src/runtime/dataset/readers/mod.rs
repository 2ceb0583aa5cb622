//! Rows of a user's file: JSON Lines, CSV, Parquet or plain text, plain or compressed, one row at a time.
//!
//! Every row is a JSON object with the place it came from (`file:line`), whatever the file was. A row that cannot be
//! read is a [`Reject`], and reading goes on; a file that cannot be read at all is an [`OpenError`] before the first
//! row. Memory holds one row, not the file: a row above the limit is skipped without being kept.
//!
//! What a column means (a prompt, a label) is not decided here: see [`crate::runtime::dataset::prompts`].

mod bytes;
mod delimited;
mod detect_format;
mod error;
mod file;
mod json_array;
mod lines;
mod parquet;
mod source;

pub use bytes::Compression;
pub(in crate::runtime) use bytes::raw_lines;
pub use detect_format::Kind;
pub use error::OpenError;
pub use file::{File, FileRows};
pub(crate) use lines::type_name;
pub use source::{RereadableSources, Source, sources};

use crate::pure::reason::Reason;
use crate::pure::recipe::Format;
use crate::pure::reject::Reject;
use serde_json::{Map, Value};

/// The name of the only column of a plain text file.
pub const TEXT_COLUMN: &str = "text";

/// One row of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// `file:line`; for Parquet, `file:row`, counted from 1.
    pub at: String,
    /// Its values by column name.
    pub columns: Map<String, Value>,
}

/// How files are read.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// The format, where the name and the content must not decide.
    pub format: Option<Format>,
    /// The longest row that is read, in bytes.
    pub max_bytes: usize,
    /// Column names by which the header of a nameless CSV stream is recognised.
    pub known_columns: &'a [&'a str],
}

/// Opens every file: finds its kind and its columns, and the rows it holds where that is cheaply known.
///
/// Directories are read one level deep, their data files in the order of their names. Nothing but the first rows is
/// read, so that every problem with a file shows before the work begins.
pub fn open(sources: Vec<Source>, settings: &Settings<'_>) -> Result<Vec<File>, OpenError> {
    if sources.is_empty() {
        return Err(OpenError::NoSources);
    }
    let mut files = Vec::new();
    for source in sources {
        file::open_source(source, settings, &mut files)?;
    }
    Ok(files)
}

/// A row's failure, before its file's name is known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct BadRow {
    reason: Reason,
    detail: String,
}

impl BadRow {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    fn too_long(bytes: u64, limit: usize) -> Self {
        Self::new(Reason::TooLong, format!("the row has {bytes} bytes, more than the limit of {limit}"))
    }

    fn at(self, at: String) -> Reject {
        Reject { prompt_id: None, at: Some(at), reason: self.reason, detail: self.detail }
    }
}

/// A row and the line (Parquet: the row number) on which it begins.
struct Numbered {
    line: u64,
    row: Result<Map<String, Value>, BadRow>,
}

/// What every format's reader gives: rows, until the end or until the bytes cannot be read any further.
trait ReadRows: Send {
    fn next_row(&mut self) -> Option<Numbered>;
}
