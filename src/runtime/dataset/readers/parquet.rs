//! Parquet rows, through the record reader of the `parquet` crate, one row group at a time.
//!
//! That reader panics on some damaged or exotic files, and loses its place after an error; so each of its steps is
//! guarded, and what is left of a row group after an error is rejected row by row, never guessed at.

use super::{BadRow, Numbered, ReadRows};
use crate::pure::reason::Reason;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::{ReaderIter, TreeBuilder};
use parquet::record::{Field, Row};
use parquet::schema::types::{SchemaDescriptor, Type};
use serde_json::{Map, Value};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Rows decoded ahead of what is asked for; small, because rows may be long.
const BATCH: usize = 64;

/// Reads the rows of all row groups.
pub(super) struct ParquetRows {
    file: SerializedFileReader<File>,
    schema: Arc<SchemaDescriptor>,
    columns: Vec<String>,
    max_bytes: usize,
    next_group: usize,
    group: Option<Group>,
    row: u64,
}

struct Group {
    left: u64,
    rows: Result<ReaderIter, String>,
}

impl ParquetRows {
    /// Reads the footer.
    pub(super) fn open(file: File, max_bytes: usize) -> Result<Self, String> {
        let file = guarded(|| SerializedFileReader::new(file))?;
        let schema = file.metadata().file_metadata().schema_descr_ptr();
        let columns = schema.root_schema().get_fields().iter().map(|f| f.name().to_owned()).collect();
        Ok(Self { file, schema, columns, max_bytes, next_group: 0, group: None, row: 0 })
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The number of rows, from the footer.
    pub(super) fn count(&self) -> u64 {
        let groups = self.file.metadata().row_groups();
        groups.iter().map(|g| u64::try_from(g.num_rows()).unwrap_or(0)).sum()
    }

    /// Reads only the named columns from here on. Names that there are not are passed over.
    pub(super) fn select(&mut self, names: &[&str]) -> Result<(), String> {
        let root = self.file.metadata().file_metadata().schema_descr_ptr();
        let fields: Vec<_> =
            root.root_schema().get_fields().iter().filter(|f| names.contains(&f.name())).cloned().collect();
        if fields.is_empty() {
            return Ok(());
        }
        let projected =
            Type::group_type_builder("schema").with_fields(fields).build().map_err(|e| e.to_string())?;
        self.schema = Arc::new(SchemaDescriptor::new(Arc::new(projected)));
        Ok(())
    }

    fn open_group(&self, index: usize) -> Group {
        let left = self
            .file
            .metadata()
            .row_groups()
            .get(index)
            .map_or(0, parquet::file::metadata::RowGroupMetaData::num_rows);
        let rows = guarded(|| {
            let group = self.file.get_row_group(index)?;
            TreeBuilder::new().with_batch_size(BATCH).as_iter(self.schema.clone(), &*group)
        });
        Group { left: u64::try_from(left).unwrap_or(0), rows }
    }
}

impl ReadRows for ParquetRows {
    fn next_row(&mut self) -> Option<Numbered> {
        loop {
            if self.group.as_ref().is_none_or(|g| g.left == 0) {
                if self.next_group >= self.file.num_row_groups() {
                    return None;
                }
                self.group = Some(self.open_group(self.next_group));
                self.next_group += 1;
            }
            let max_bytes = self.max_bytes;
            let Some(group) = self.group.as_mut().filter(|g| g.left > 0) else { continue };
            group.left -= 1;
            self.row += 1;
            let row = group.next(max_bytes);
            return Some(Numbered { line: self.row, row });
        }
    }
}

impl Group {
    fn next(&mut self, max_bytes: usize) -> Result<Map<String, Value>, BadRow> {
        let damaged =
            |cause: &str| BadRow::new(Reason::Unreadable, format!("the row group is damaged: {cause}"));
        let rows = self.rows.as_mut().map_err(|cause| damaged(cause))?;
        let row = guarded(|| rows.next().transpose()).and_then(|row| row.ok_or("it ends early".to_owned()));
        match row {
            Ok(row) => {
                let size = row.get_column_iter().map(|(_, field)| size(field)).sum::<u64>();
                if size > max_bytes as u64 { Err(BadRow::too_long(size, max_bytes)) } else { object(row) }
            }
            Err(cause) => {
                let bad = damaged(&cause);
                self.rows = Err(cause);
                Err(bad)
            }
        }
    }
}

/// Runs a step of the Parquet reader; an error of it, or a panic, is a short text without any of the file's data.
fn guarded<T>(step: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(Ok(value)) => Ok(value),
        // The crate's message for bad text holds all its bytes.
        Ok(Err(e)) if e.to_string().contains("as String. Bytes") => Err("a text is not UTF-8".into()),
        Ok(Err(e)) => Err(e.to_string().chars().filter(|c| !c.is_control()).take(200).collect()),
        Err(_) => Err("it is not as its schema says".into()),
    }
}

fn size(field: &Field) -> u64 {
    match field {
        Field::Str(text) => text.len() as u64,
        Field::Bytes(bytes) => bytes.len() as u64,
        Field::Group(row) => row.get_column_iter().map(|(_, f)| size(f)).sum(),
        Field::ListInternal(list) => list.elements().iter().map(size).sum(),
        Field::MapInternal(map) => map.entries().iter().map(|(k, v)| size(k) + size(v)).sum(),
        Field::Null
        | Field::Bool(_)
        | Field::Byte(_)
        | Field::Short(_)
        | Field::Int(_)
        | Field::Long(_)
        | Field::UByte(_)
        | Field::UShort(_)
        | Field::UInt(_)
        | Field::ULong(_)
        | Field::Float16(_)
        | Field::Float(_)
        | Field::Double(_)
        | Field::Decimal(_)
        | Field::Date(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::TimestampMillis(_)
        | Field::TimestampMicros(_) => 8,
    }
}

fn object(row: Row) -> Result<Map<String, Value>, BadRow> {
    row.into_columns().into_iter().map(|(name, field)| Ok((name, json(field)?))).collect()
}

fn json(field: Field) -> Result<Value, BadRow> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(b) => b.into(),
        Field::Byte(n) => n.into(),
        Field::Short(n) => n.into(),
        Field::Int(n) => n.into(),
        Field::Long(n) => n.into(),
        Field::UByte(n) => n.into(),
        Field::UShort(n) => n.into(),
        Field::UInt(n) => n.into(),
        Field::ULong(n) => n.into(),
        Field::Float16(n) => f64::from(n).into(),
        Field::Float(n) => f64::from(n).into(),
        Field::Double(n) => n.into(),
        Field::Str(text) => text.into(),
        // Some writers leave the annotation away that says that bytes are text.
        Field::Bytes(bytes) => super::lines::utf8(bytes.data().to_vec())?.into(),
        Field::Group(row) => object(row)?.into(),
        Field::ListInternal(list) => {
            list.elements().iter().cloned().map(json).collect::<Result<Vec<_>, _>>()?.into()
        }
        Field::MapInternal(map) => map
            .entries()
            .iter()
            .map(|(key, value)| {
                let key = json(key.clone())?;
                let name = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                Ok((name, json(value.clone())?))
            })
            .collect::<Result<Map<_, _>, _>>()?
            .into(),
        other @ (Field::Decimal(_)
        | Field::Date(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::TimestampMillis(_)
        | Field::TimestampMicros(_)) => other.to_string().into(),
    })
}
