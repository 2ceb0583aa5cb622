//! One file of rows: found, looked into, then read.

use super::bytes::{Compression, Plain, plain};
use super::delimited::Delimited;
use super::detect_format::{Kind, decide};
use super::json_array::JsonArray;
use super::lines::Lines;
use super::parquet::ParquetRows;
use super::source::data_files;
use super::{Numbered, OpenError, ReadRows, Row, Settings, Source, TEXT_COLUMN};
use crate::pure::reason::Reason;
use crate::pure::reject::Reject;
use crate::runtime::hub;
use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Rows looked at to learn the columns of JSON Lines, and the bytes they may have together.
const FIRST_ROWS: usize = 100;
const FIRST_BYTES: usize = 1024 * 1024;
/// Files up to this size are read once more beforehand to count their rows.
const COUNTED_BYTES: u64 = 32 * 1024 * 1024;

/// A file that can be read, and what is known of it before it is.
pub struct File {
    name: String,
    kind: Kind,
    columns: Vec<String>,
    expected: Option<u64>,
    max_bytes: usize,
    origin: Origin,
    /// The SHA-256 of a file of the hub, in hexadecimal.
    hub_sha256: Option<String>,
}

/// A regular file is opened again when its turn comes; a stream stays open, with the rows already taken from it.
enum Origin {
    Path(PathBuf),
    Stream { reader: Reader, first: VecDeque<Numbered> },
}

enum Reader {
    Lines(Lines),
    Array(JsonArray),
    Delimited(Box<Delimited>),
    Parquet(Box<ParquetRows>),
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

impl File {
    /// The file, as the user named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its SHA-256 in hexadecimal, where it is a file of the hub.
    pub fn hub_sha256(&self) -> Option<&str> {
        self.hub_sha256.as_deref()
    }

    /// What it holds.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its columns; of JSON Lines, those of the first rows. Empty when none of them can be read.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many rows it has, where that is cheaply known.
    pub fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// Is there such a column? A file whose columns are not known may have it.
    pub fn require(&self, column: &str) -> Result<(), OpenError> {
        if self.columns.is_empty() || self.columns.iter().any(|name| name == column) {
            return Ok(());
        }
        Err(OpenError::NoColumn {
            file: self.name.clone(),
            wanted: column.to_owned(),
            columns: self.columns.clone(),
        })
    }

    /// The rows. `only` names the columns that will be looked at, where not all are: Parquet then reads no others.
    pub fn into_rows(self, only: Option<&[&str]>) -> FileRows {
        let Self { name, kind, max_bytes, origin, columns, .. } = self;
        let opened = match origin {
            Origin::Stream { reader, first } => Ok((reader, first)),
            Origin::Path(path) => {
                reopen(&path, &name, kind, max_bytes, &columns).map(|reader| (reader, VecDeque::new()))
            }
        };
        let opened = opened.and_then(|(mut reader, first)| match (&mut reader, only) {
            (Reader::Parquet(rows), Some(only)) => {
                rows.select(only).map_err(|cause| OpenError::Unreadable { file: name.clone(), cause })?;
                Ok((reader, first))
            }
            (_, _) => Ok((reader, first)),
        });
        match opened {
            Ok((reader, first)) => FileRows { name, first, reader: Some(reader), gone: None },
            Err(e) => FileRows { name, first: VecDeque::new(), reader: None, gone: Some(e) },
        }
    }
}

/// The rows of one file.
pub struct FileRows {
    name: String,
    first: VecDeque<Numbered>,
    reader: Option<Reader>,
    /// Why the file could be opened before, and cannot any more.
    gone: Option<OpenError>,
}

impl std::fmt::Debug for FileRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileRows").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Iterator for FileRows {
    type Item = Result<Row, Reject>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(e) = self.gone.take() {
            return Some(Err(Reject {
                prompt_id: None,
                at: Some(self.name.clone()),
                reason: Reason::Unreadable,
                detail: e.to_string(),
            }));
        }
        let next = self.first.pop_front().or_else(|| self.reader.as_mut()?.next_row())?;
        let at = format!("{}:{}", self.name, next.line);
        Some(match next.row {
            Ok(columns) => Ok(Row { at, columns }),
            Err(bad) => Err(bad.at(at)),
        })
    }
}

impl Reader {
    fn next_row(&mut self) -> Option<Numbered> {
        match self {
            Self::Lines(rows) => rows.next_row(),
            Self::Array(rows) => rows.next_row(),
            Self::Delimited(rows) => rows.next_row(),
            Self::Parquet(rows) => rows.next_row(),
        }
    }
}

/// Opens what a source names, and adds it to `files`. Empty files of a directory are passed over unless all are.
pub(super) fn open_source(
    source: Source,
    settings: &Settings<'_>,
    files: &mut Vec<File>,
) -> Result<(), OpenError> {
    let path = match source {
        Source::Stream { name, read } => {
            files.push(open_stream(name, read, settings)?);
            return Ok(());
        }
        Source::Hub(name) => {
            for file in hub::fetch(&name)? {
                let opened = open_named(&file.path, file.name, settings)?;
                files.push(File { hub_sha256: Some(file.sha256), ..opened });
            }
            return Ok(());
        }
        Source::Path(path) => path,
    };
    let name = path.display().to_string();
    let metadata = fs::metadata(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => OpenError::Missing { file: name.clone() },
        _ => unreadable(&name, &e),
    })?;
    if metadata.is_dir() {
        let before = files.len();
        for path in data_files(&path)? {
            match open_path(&path, settings) {
                Err(OpenError::Empty { .. }) => {}
                other => files.push(other?),
            }
        }
        return if files.len() > before { Ok(()) } else { Err(OpenError::Empty { file: name }) };
    }
    if metadata.is_file() {
        files.push(open_path(&path, settings)?);
        return Ok(());
    }
    // A pipe, such as the shell's `<(…)`: it can be read only once.
    let file = fs::File::open(&path).map_err(|e| unreadable(&name, &e))?;
    files.push(open_stream(name, Box::new(file), settings)?);
    Ok(())
}

fn unreadable(file: &str, e: &std::io::Error) -> OpenError {
    OpenError::Unreadable { file: file.to_owned(), cause: e.to_string() }
}

fn open_path(path: &Path, settings: &Settings<'_>) -> Result<File, OpenError> {
    open_named(path, path.display().to_string(), settings)
}

fn open_named(path: &Path, name: String, settings: &Settings<'_>) -> Result<File, OpenError> {
    let file = fs::File::open(path).map_err(|e| unreadable(&name, &e))?;
    let length = file.metadata().map_err(|e| unreadable(&name, &e))?.len();
    let looked = look(&name, Box::new(file), Some(path), settings)?;
    let mut expected = looked.reader.count();
    if expected.is_none() && length <= COUNTED_BYTES {
        let first = looked.first.len() as u64;
        let mut reader = looked.reader;
        expected = Some(first + std::iter::from_fn(|| reader.next_place()).count() as u64);
    }
    let origin = Origin::Path(path.to_owned());
    Ok(File {
        name,
        kind: looked.kind,
        columns: looked.columns,
        expected,
        max_bytes: settings.max_bytes,
        origin,
        hub_sha256: None,
    })
}

fn open_stream(name: String, read: Box<dyn Read + Send>, settings: &Settings<'_>) -> Result<File, OpenError> {
    let Looked { kind, columns, reader, first } = look(&name, read, None, settings)?;
    let expected = reader.count();
    let max_bytes = settings.max_bytes;
    let origin = Origin::Stream { reader, first };
    Ok(File { name, kind, columns, expected, max_bytes, origin, hub_sha256: None })
}

impl Reader {
    /// The number of all rows, where the file says so itself.
    fn count(&self) -> Option<u64> {
        match self {
            Self::Parquet(rows) => Some(rows.count()),
            Self::Lines(_) | Self::Array(_) | Self::Delimited(_) => None,
        }
    }

    /// Passes over one row without looking into it.
    fn next_place(&mut self) -> Option<()> {
        match self {
            Self::Lines(rows) => rows.skip_row(),
            Self::Array(rows) => rows.next_row().map(|_| ()),
            Self::Delimited(rows) => rows.next_row().map(|_| ()),
            Self::Parquet(rows) => rows.next_row().map(|_| ()),
        }
    }
}

/// What a first look gives: the reader stands behind the first rows.
struct Looked {
    kind: Kind,
    columns: Vec<String>,
    reader: Reader,
    first: VecDeque<Numbered>,
}

/// Decides what a stream of bytes holds and reads its first rows.
fn look(
    name: &str,
    read: Box<dyn Read + Send>,
    path: Option<&Path>,
    settings: &Settings<'_>,
) -> Result<Looked, OpenError> {
    let plain = plain(read).map_err(|e| unreadable(name, &e))?;
    let empty = || OpenError::Empty { file: name.to_owned() };
    if plain.head.is_empty() {
        return Err(empty());
    }
    let kind = decide(name, &plain.head, settings.format, settings.known_columns)
        .map_err(|m| OpenError::WrongKind { file: name.to_owned(), found: m.found, remedy: m.remedy })?;
    let known: Vec<String> = settings.known_columns.iter().map(ToString::to_string).collect();
    let mut reader = reader(plain, name, kind, path, settings.max_bytes, &known)?;
    let mut first = VecDeque::new();
    let mut bytes = 0;
    // Parquet and CSV say their columns; one row shows that there are any.
    let most = if matches!(kind, Kind::JsonLines | Kind::JsonArray) { FIRST_ROWS } else { 1 };
    if let Reader::Parquet(rows) = &reader {
        if rows.count() == 0 {
            return Err(empty());
        }
    } else {
        while first.len() < most && bytes < FIRST_BYTES {
            let Some(row) = reader.next_row() else { break };
            bytes += row
                .row
                .as_ref()
                .map_or(0, |columns| serde_json::to_string(columns).map_or(0, |text| text.len()));
            first.push_back(row);
        }
        if first.is_empty() {
            return Err(empty());
        }
    }
    let columns = match &reader {
        Reader::Delimited(rows) => rows.header().to_vec(),
        Reader::Parquet(rows) => rows.columns().to_vec(),
        Reader::Lines(_) if kind == Kind::Text => vec![TEXT_COLUMN.to_owned()],
        Reader::Lines(_) | Reader::Array(_) => columns_of(&first, name)?,
    };
    Ok(Looked { kind, columns, reader, first })
}

/// The columns that the first rows have, in the order of their appearance. Not one JSON object among them means that
/// the file is something else.
fn columns_of(first: &VecDeque<Numbered>, name: &str) -> Result<Vec<String>, OpenError> {
    let mut columns: Vec<String> = Vec::new();
    for row in first.iter().filter_map(|row| row.row.as_ref().ok()) {
        for column in row.keys() {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
    }
    let not_json = first.iter().find_map(|row| {
        let bad = row
            .row
            .as_ref()
            .err()
            .filter(|bad| matches!(bad.reason, Reason::BadJson | Reason::NotAnObject))?;
        Some((row.line, &bad.detail))
    });
    match not_json {
        Some((line, detail)) if first.iter().all(|row| row.row.is_err()) => Err(OpenError::WrongKind {
            file: name.to_owned(),
            found: format!("is not JSON Lines: on line {line}, {detail}"),
            remedy: "JSON Lines has one complete JSON object on every line; `jq -c .` writes it so.".into(),
        }),
        Some(_) | None => Ok(columns),
    }
}

fn reopen(
    path: &Path,
    name: &str,
    kind: Kind,
    max_bytes: usize,
    columns: &[String],
) -> Result<Reader, OpenError> {
    let file = fs::File::open(path).map_err(|e| unreadable(name, &e))?;
    let plain = plain(Box::new(file)).map_err(|e| unreadable(name, &e))?;
    reader(plain, name, kind, Some(path), max_bytes, columns)
}

fn reader(
    plain: Plain,
    name: &str,
    kind: Kind,
    path: Option<&Path>,
    max_bytes: usize,
    known_columns: &[String],
) -> Result<Reader, OpenError> {
    let broken = |e: std::io::Error| unreadable(name, &e);
    Ok(match kind {
        Kind::JsonLines => Reader::Lines(Lines::new(plain.read, true, max_bytes)),
        Kind::JsonArray => Reader::Array(JsonArray::new(plain.read, max_bytes)),
        Kind::Text => Reader::Lines(Lines::new(plain.read, false, max_bytes)),
        Kind::Delimited(delimiter) => {
            let rows = Delimited::new(plain.read, delimiter, max_bytes, known_columns).map_err(broken)?;
            Reader::Delimited(Box::new(rows.ok_or_else(|| OpenError::Empty { file: name.to_owned() })?))
        }
        Kind::Parquet => {
            let file = match path {
                Some(path) if plain.compression == Compression::None => {
                    fs::File::open(path).map_err(broken)?
                }
                _ => spool(plain.read).map_err(broken)?,
            };
            let rows = ParquetRows::open(file, max_bytes)
                .map_err(|cause| OpenError::Unreadable { file: name.to_owned(), cause })?;
            Reader::Parquet(Box::new(rows))
        }
    })
}

/// Parquet is read from its end; a stream of it is first written to a temporary file that has no name any more.
fn spool(mut read: impl Read) -> std::io::Result<fs::File> {
    let dir = std::env::temp_dir();
    for attempt in 0..1000_u32 {
        let path = dir.join(format!("amend-{}-{attempt}.parquet", std::process::id()));
        let created = fs::File::options().read(true).write(true).create_new(true).open(&path);
        let mut file = match created {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => continue,
            other => other?,
        };
        let copied = std::io::copy(&mut read, &mut file).and_then(|_| file.flush());
        let removed = fs::remove_file(&path);
        copied.and(removed)?;
        file.seek(SeekFrom::Start(0))?;
        return Ok(file);
    }
    Err(std::io::Error::new(std::io::ErrorKind::AlreadyExists, "no free name for a temporary file"))
}
