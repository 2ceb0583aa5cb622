//! What a file holds: its name says, and its first bytes must agree.

use super::source::extension;
use crate::pure::recipe::Format;
use crate::pure::text::loose_json;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A JSON object on every line.
    JsonLines,
    /// One JSON array of objects.
    JsonArray,
    /// Fields between the given byte, with a header.
    Delimited(u8),
    /// Apache Parquet.
    Parquet,
    /// One text per line.
    Text,
}

impl Kind {
    /// The kind's name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "JSON Lines",
            Self::JsonArray => "a JSON array",
            Self::Delimited(b'\t') => "TSV",
            Self::Delimited(_) => "CSV",
            Self::Parquet => "Parquet",
            Self::Text => "plain text",
        }
    }

    fn of_format(format: Format) -> Self {
        match format {
            Format::Jsonl => Self::JsonLines,
            Format::Csv => Self::Delimited(b','),
            Format::Tsv => Self::Delimited(b'\t'),
            Format::Parquet => Self::Parquet,
            Format::Text => Self::Text,
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        match extension(&name.to_lowercase())? {
            "jsonl" | "ndjson" | "json" => Some(Self::JsonLines),
            "csv" => Some(Self::Delimited(b',')),
            "tsv" | "tab" => Some(Self::Delimited(b'\t')),
            "parquet" | "pq" => Some(Self::Parquet),
            "txt" | "text" => Some(Self::Text),
            _ => None,
        }
    }
}

/// A file that is not what it is said to be: what was found, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub(super) found: String,
    pub(super) remedy: String,
}

fn mismatch(found: impl Into<String>, remedy: impl Into<String>) -> Mismatch {
    Mismatch { found: found.into(), remedy: remedy.into() }
}

/// Decides the kind by format or name, and holds it against the first bytes; by the bytes alone where neither says.
pub(super) fn decide(
    name: &str,
    head: &[u8],
    format: Option<Format>,
    known_columns: &[&str],
) -> Result<Kind, Mismatch> {
    let named = Kind::of_name(name);
    let said = format.map(Kind::of_format).or(named);
    let is_parquet = head.starts_with(b"PAR1");
    match (said, is_parquet) {
        (Some(Kind::Parquet) | None, true) => return Ok(Kind::Parquet),
        (Some(said), true) => {
            return Err(mismatch(
                format!("holds Parquet, not {}", said.name()),
                "Give it a name that ends in `.parquet`.",
            ));
        }
        (Some(Kind::Parquet), false) => {
            let what = binary(head).unwrap_or("text");
            return Err(mismatch(
                format!("is not Parquet: it holds {what}"),
                "Give it the name of what it is, or download it again.",
            ));
        }
        (_, false) => {}
    }
    if let Some(what) = binary(head) {
        return Err(mismatch(
            format!("holds {what}, not text in UTF-8"),
            "JSON Lines, one JSON array, CSV, Parquet and plain text are read, in UTF-8, plain or compressed with gzip or zstd.",
        ));
    }
    let json = json_object(head);
    match said {
        Some(Kind::JsonLines) if first_byte(head) == Some(b'[') => Ok(Kind::JsonArray),
        None if array_of_objects(head) => Ok(Kind::JsonArray),
        Some(Kind::Delimited(_) | Kind::Text) if json && format.is_none() => Err(mismatch(
            format!("holds JSON Lines, not {}", said.map_or("", Kind::name)),
            "Give it a name that ends in `.jsonl`; if it is as named, say so with `format` in the recipe's `[input]`.",
        )),
        Some(Kind::Delimited(b',')) if format.is_none() => Ok(Kind::Delimited(delimiter_of(head))),
        Some(kind) => Ok(kind),
        None if json => Ok(Kind::JsonLines),
        None => Ok(guess_delimited(head, known_columns).unwrap_or(Kind::Text)),
    }
}

fn first_byte(head: &[u8]) -> Option<u8> {
    head.iter().copied().find(|b| !b.is_ascii_whitespace())
}

/// Whether the first line is a JSON object, as far as it can be seen.
fn json_object(head: &[u8]) -> bool {
    let head = head.trim_ascii_start();
    let mut lines = head.splitn(2, |b| *b == b'\n');
    let first = lines.next().unwrap_or_default();
    match lines.next() {
        Some(_) => {
            loose_json::parse(&String::from_utf8_lossy(first)).is_ok_and(|read| read.value.is_object())
        }
        // One line that may go on beyond what was looked at.
        None => first.strip_prefix(b"{").is_some_and(|rest| first_byte(rest) == Some(b'"')),
    }
}

/// Whether an array begins, and its first element is an object.
fn array_of_objects(head: &[u8]) -> bool {
    let inside = head.trim_ascii_start().strip_prefix(b"[");
    inside.is_some_and(|rest| rest.trim_ascii_start().starts_with(b"{"))
}

/// What stands between the fields of the header: a spreadsheet writes semicolons or tabs where the comma is the decimal
/// point, and calls the file `.csv` all the same.
fn delimiter_of(head: &[u8]) -> u8 {
    let header = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let has = |delimiter: u8| header.contains(&delimiter);
    [b',', b';', b'\t'].into_iter().find(|delimiter| has(*delimiter)).unwrap_or(b',')
}

/// A header line with a column that is known, among others.
fn guess_delimited(head: &[u8], known_columns: &[&str]) -> Option<Kind> {
    let first = head.split(|b| *b == b'\n').next()?;
    let first = std::str::from_utf8(first).ok()?.trim_end();
    [b'\t', b',', b';'].into_iter().find_map(|delimiter| {
        let fields: Vec<_> = first.split(char::from(delimiter)).map(|f| f.trim().trim_matches('"')).collect();
        let is_known = |field: &&str| known_columns.iter().any(|known| known.eq_ignore_ascii_case(field));
        (fields.len() > 1 && fields.iter().any(is_known)).then_some(Kind::Delimited(delimiter))
    })
}

/// Says what the bytes are when they are not text in UTF-8.
fn binary(head: &[u8]) -> Option<&'static str> {
    const MAGIC: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "gzip data within gzip or zstd"),
        (b"\x28\xb5\x2f\xfd", "zstd data within gzip or zstd"),
        (b"\xfd7zXZ\0", "xz data"),
        (b"BZh", "bzip2 data"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"ARROW1", "Arrow data"),
        (b"SQLite format 3", "an SQLite database"),
        (b"%PDF-", "a PDF document"),
        (b"\xff\xfe", "UTF-16 text"),
        (b"\xfe\xff", "UTF-16 text"),
    ];
    let known = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, what)| *what);
    known.or_else(|| head.contains(&0).then_some("binary data"))
}
