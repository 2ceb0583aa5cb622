//! The dataset again without the rows that are dropped: each file in its format and under its name, the kept rows as they were.

use super::pass::{Audited, AuditedFile};
use super::target::may_replace;
use crate::pure::audit::{CodeSet, Cuts};
use crate::runtime::dataset::export::ExportError;
use crate::runtime::dataset::export::files::{Hashed, Written, write_text};
use crate::runtime::dataset::export::manifest::{MANIFEST, manifest};
use crate::runtime::dataset::export::staging::Staging;
use crate::runtime::dataset::readers::{Compression, Kind, RereadableSources, Source, raw_lines};
use crate::runtime::hub;
use parquet::column::reader::ColumnReader;
use parquet::column::writer::ColumnWriter;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use serde_json::{Map, json};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditedDataset {
    /// Rows kept.
    pub kept: u64,
    /// Rows dropped, and rows that cannot be read.
    pub dropped: u64,
}

/// Writes the kept rows, the list of the others and the report into a folder, whole or not at all. A folder that is not an
/// audit of amend is left alone.
pub fn write_kept(
    audited: &Audited,
    sources: &RereadableSources,
    drop: CodeSet,
    cuts: &Cuts,
    out: &Path,
) -> Result<AuditedDataset, ExportError> {
    let staging = Staging::begin_where(out, false, may_replace)?;
    let root = staging.path();
    let is_dropped = |row: usize| {
        audited.bad_rows.contains_key(&row) || audited.codes.get(row).is_some_and(|codes| codes.meets(drop))
    };
    let mut written = Vec::new();
    let (mut first, mut kept) = (0, 0);
    let mut names: BTreeSet<String> = BTreeSet::new();
    for (number, file) in audited.files.iter().enumerate() {
        let rows = audited.places[first..].iter().take_while(|place| place.file as usize == number).count();
        let of_file: Vec<FileRow> = (first..first + rows)
            .map(|row| FileRow { line: audited.places[row].line, is_dropped: is_dropped(row) })
            .collect();
        first += rows;
        kept += of_file.iter().filter(|row| !row.is_dropped).count() as u64;
        let name = free_name(&file.name, &mut names);
        written.push(write_file(file, sources, &of_file, root, &name)?);
    }
    let dropped: Vec<usize> = (0..audited.codes.len()).filter(|row| is_dropped(*row)).collect();
    let mut list = Hashed::create(&root.join("dropped.jsonl"))?;
    for row in &dropped {
        let codes: Vec<String> = audited.codes[*row].names(cuts).iter().map(ToString::to_string).collect();
        let mut entry = json!({ "place": audited.place(*row), "codes": codes });
        if let (Some(why), Some(entry)) = (audited.bad_rows.get(row), entry.as_object_mut()) {
            entry.insert("detail".into(), json!(why));
        }
        writeln!(list, "{entry}")
            .map_err(|error| ExportError::io("write", Path::new("dropped.jsonl"), error))?;
    }
    written.push(list.finish("dropped.jsonl".into(), Some(dropped.len() as u64))?);
    let report = serde_json::to_string_pretty(&audited.report).unwrap_or_default() + "\n";
    written.push(write_text(root, "audit.json", &report)?);
    written.push(write_text(root, "audit.md", &audited.report.markdown())?);
    written.push(write_text(root, "audit.html", &audited.report.page().to_html())?);
    let about = Map::from_iter([
        ("made_by".to_owned(), json!(format!("amend audit {}", env!("CARGO_PKG_VERSION")))),
        ("audit".to_owned(), json!({ "kept": kept, "dropped": dropped.len() })),
    ]);
    write_text(root, MANIFEST, &manifest(about, &written))?;
    staging.commit()?;
    Ok(AuditedDataset { kept, dropped: dropped.len() as u64 })
}

/// A row of one file.
#[derive(Debug, Clone, Copy)]
struct FileRow {
    line: u32,
    is_dropped: bool,
}

/// The name of a file in the new folder: its own, with a number before it where that is taken.
fn free_name(name: &str, taken: &mut BTreeSet<String>) -> String {
    let own = Path::new(name)
        .file_name()
        .map_or_else(|| "rows".to_owned(), |name| name.to_string_lossy().replace(' ', "-"));
    let ours = ["dropped.jsonl", "audit.json", "audit.md", "audit.html", MANIFEST];
    let numbered = (2..).map(|n| format!("{n}-{own}"));
    let free = std::iter::once(own.clone())
        .chain(numbered)
        .find(|name| !ours.contains(&name.as_str()) && !taken.contains(name));
    let free = free.unwrap_or(own);
    taken.insert(free.clone());
    free
}

/// A file of a dataset of the hub, by the name that it was read under. It lies in the cache since then.
fn of_hub(dataset: &str, name: &str) -> Option<Box<dyn std::io::Read + Send>> {
    let file = hub::fetch(dataset).ok()?.into_iter().find(|file| file.name == name)?;
    Some(Box::new(std::fs::File::open(file.path).ok()?))
}

fn write_file(
    file: &AuditedFile,
    sources: &RereadableSources,
    rows: &[FileRow],
    root: &Path,
    name: &str,
) -> Result<Written, ExportError> {
    let source = Path::new(&file.name);
    let cannot_read = |error| ExportError::io("read", source, error);
    let open = || -> std::io::Result<Box<dyn std::io::Read + Send>> {
        let stream = sources.sources().into_iter().find_map(|source| match source {
            Source::Stream { name, read } if name == file.name => Some(read),
            Source::Hub(dataset) => of_hub(&dataset, &file.name),
            Source::Stream { .. } | Source::Path(_) => None,
        });
        stream.map_or_else(|| Ok(Box::new(std::fs::File::open(source)?) as _), Ok)
    };
    let kept = rows.iter().filter(|row| !row.is_dropped).count() as u64;
    let mut out = Hashed::create(&root.join(name))?;
    match file.kind {
        Kind::Parquet => {
            // Parquet is read from its end, so what came through a pipe is copied once more.
            let input = if source.is_file() {
                std::fs::File::open(source)
            } else {
                tempfile::tempfile().and_then(|mut copy| std::io::copy(&mut open()?, &mut copy).map(|_| copy))
            };
            let input = input.map_err(cannot_read)?;
            copy_parquet(input, rows, &mut out)?;
        }
        Kind::JsonLines | Kind::Text | Kind::Delimited(_) => {
            copy_lines(open().map_err(cannot_read)?, rows, &mut out).map_err(cannot_read)?;
        }
        // Refused before the first row was read.
        Kind::JsonArray => return Err(ExportError::Changed),
    }
    out.finish(name.to_owned(), Some(kept))
}

/// Copies the lines of every row that is kept, and what stands before the first row; compressed as it was.
fn copy_lines(
    input: Box<dyn std::io::Read + Send>,
    rows: &[FileRow],
    out: &mut Hashed,
) -> std::io::Result<()> {
    let (mut lines, compression) = raw_lines(input)?;
    let mut out = Compressed::new(compression, out)?;
    let mut rows = rows.iter().peekable();
    let (mut line, mut is_dropped) = (Vec::new(), false);
    for number in 1_u32.. {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        while let Some(row) = rows.next_if(|row| row.line <= number) {
            is_dropped = row.is_dropped;
        }
        if !is_dropped {
            out.write_all(&line)?;
        }
    }
    out.finish()
}

/// A file that is compressed as it is written, or not.
enum Compressed<'a> {
    Plain(&'a mut Hashed),
    Gzip(flate2::write::GzEncoder<&'a mut Hashed>),
    Zstd(zstd::stream::write::Encoder<'static, &'a mut Hashed>),
}

impl<'a> Compressed<'a> {
    fn new(compression: Compression, out: &'a mut Hashed) -> std::io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::Plain(out),
            Compression::Gzip => {
                Self::Gzip(flate2::GzBuilder::new().write(out, flate2::Compression::default()))
            }
            Compression::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(out, 0)?),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Gzip(out) => out.write_all(bytes),
            Self::Zstd(out) => out.write_all(bytes),
        }
    }

    fn finish(self) -> std::io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(out) => out.finish().map(|_| ()),
            Self::Zstd(out) => out.finish().map(|_| ()),
        }
    }
}

/// Copies a Parquet file column by column, with its schema and its metadata, without the rows that are dropped.
fn copy_parquet(input: std::fs::File, rows: &[FileRow], out: &mut Hashed) -> Result<(), ExportError> {
    let reader = SerializedFileReader::new(input)?;
    let metadata = reader.metadata().file_metadata();
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::ZSTD(parquet::basic::ZstdLevel::default()))
        .set_key_value_metadata(metadata.key_value_metadata().cloned())
        .build();
    let schema = metadata.schema_descr().root_schema_ptr();
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
    let mut first = 0;
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let count = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        let of_group = rows.get(first..(first + count).min(rows.len())).unwrap_or_default();
        first += count;
        if of_group.iter().all(|row| row.is_dropped) {
            continue;
        }
        let mut new = writer.next_row_group()?;
        let mut column = 0;
        while let Some(mut target) = new.next_column()? {
            copy_column(group.get_column_reader(column)?, target.untyped(), of_group)?;
            target.close()?;
            column += 1;
        }
        new.close()?;
    }
    writer.close()?;
    Ok(())
}

/// Copies the values of the kept rows of one column, one row after another.
fn copy_column(
    from: ColumnReader,
    to: &mut ColumnWriter<'_>,
    rows: &[FileRow],
) -> Result<(), parquet::errors::ParquetError> {
    macro_rules! copy {
        ($from:expr, $to:expr) => {{
            let (mut from, to) = ($from, $to);
            let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
            for row in rows {
                (values.clear(), definitions.clear(), repetitions.clear());
                from.read_records(1, Some(&mut definitions), Some(&mut repetitions), &mut values)?;
                if !row.is_dropped {
                    // A column that is never null, or never a list, has no such levels.
                    let levels = |levels: &Vec<i16>| (!levels.is_empty()).then(|| levels.clone());
                    let (definitions, repetitions) = (levels(&definitions), levels(&repetitions));
                    to.write_batch(&values, definitions.as_deref(), repetitions.as_deref())?;
                }
            }
            Ok(())
        }};
    }
    match (from, to) {
        (ColumnReader::BoolColumnReader(from), ColumnWriter::BoolColumnWriter(to)) => copy!(from, to),
        (ColumnReader::Int32ColumnReader(from), ColumnWriter::Int32ColumnWriter(to)) => copy!(from, to),
        (ColumnReader::Int64ColumnReader(from), ColumnWriter::Int64ColumnWriter(to)) => copy!(from, to),
        (ColumnReader::Int96ColumnReader(from), ColumnWriter::Int96ColumnWriter(to)) => copy!(from, to),
        (ColumnReader::FloatColumnReader(from), ColumnWriter::FloatColumnWriter(to)) => copy!(from, to),
        (ColumnReader::DoubleColumnReader(from), ColumnWriter::DoubleColumnWriter(to)) => copy!(from, to),
        (ColumnReader::ByteArrayColumnReader(from), ColumnWriter::ByteArrayColumnWriter(to)) => {
            copy!(from, to)
        }
        (
            ColumnReader::FixedLenByteArrayColumnReader(from),
            ColumnWriter::FixedLenByteArrayColumnWriter(to),
        ) => copy!(from, to),
        (_, _) => Err(parquet::errors::ParquetError::General("a column changes its type".into())),
    }
}
