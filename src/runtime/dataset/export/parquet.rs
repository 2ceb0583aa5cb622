//! Rows as Parquet, by the low-level column writers.
//!
//! The same rows give the same bytes: nothing of the clock, the machine or the crate's version is written. There is no
//! `huggingface` key in the footer, because older readers refuse the types that newer ones put there; the card holds
//! the features. Every column has its declared type even when all of its values are null, in every shard.

use crate::pure::prompt::Message;
use crate::runtime::dataset::rows::{Chat, Column, Kind, Row, Value};
use bytes::Bytes;
use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};
use std::io::Write;
use std::sync::Arc;

/// Rows per row group: few enough that a viewer shows the first quickly.
const GROUP_ROWS: usize = 1000;
/// Bytes of text per row group. Groups of all files in the making are in memory at once, so this bounds an export's.
const GROUP_BYTES: usize = 4 << 20;

/// Writes rows of one config into one file. Rows wait as columns for their group: a few large blocks of memory, not
/// thousands of small ones.
pub(super) struct ParquetWriter<W: Write + Send> {
    columns: &'static [Column],
    leaves: Vec<Leaf>,
    rows: usize,
    bytes: usize,
    file: SerializedFileWriter<W>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a file.
    pub(super) fn new(out: W, columns: &'static [Column]) -> Result<Self, ParquetError> {
        let file = SerializedFileWriter::new(out, schema_of(columns)?, properties()?)?;
        let leaves = columns.iter().flat_map(|(_, kind)| leaves_of(*kind)).collect();
        Ok(Self { columns, leaves, rows: 0, bytes: 0, file })
    }

    /// Adds a row.
    pub(super) fn write(&mut self, row: &Row) -> Result<(), ParquetError> {
        let mut leaves = self.leaves.iter_mut();
        for (at, (_, kind)) in self.columns.iter().enumerate() {
            let value = row.values.get(at).unwrap_or(&Value::Null);
            self.bytes += size_of_value(value);
            push(&mut leaves, *kind, value);
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES { self.flush() } else { Ok(()) }
    }

    /// Bytes in the file so far.
    pub(super) fn bytes(&self) -> u64 {
        self.file.bytes_written() as u64
    }

    /// Writes the footer and gives the sink back.
    pub(super) fn finish(mut self) -> Result<W, ParquetError> {
        if self.rows > 0 {
            self.flush()?;
        }
        self.file.into_inner()
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        (self.rows, self.bytes) = (0, 0);
        let mut group = self.file.next_row_group()?;
        for leaf in &mut self.leaves {
            leaf.write(&mut group)?;
        }
        group.close().map(|_| ())
    }
}

/// Bytes that a value takes in memory, about.
pub(super) fn size_of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) => 8,
        Value::Text(text) => text.len(),
        Value::Texts(texts) => texts.iter().map(String::len).sum(),
        Value::Messages(chat) => chat.iter().map(|m| m.content.len() + 9).sum(),
        Value::Struct(values) => values.iter().map(size_of_value).sum(),
    }
}

fn properties() -> Result<WriterPropertiesPtr, ParquetError> {
    let properties = WriterProperties::builder()
        .set_created_by("amend".into())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        // Texts are mostly distinct: a dictionary of them costs memory and saves nothing.
        .set_dictionary_page_size_limit(64 << 10);
    Ok(Arc::new(properties.build()))
}

fn schema_of(columns: &[Column]) -> Result<TypePtr, ParquetError> {
    let fields = columns.iter().map(|(name, kind)| field(name, *kind)).collect::<Result<_, _>>()?;
    Ok(Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?))
}

fn field(name: &str, kind: Kind) -> Result<TypePtr, ParquetError> {
    let scalar =
        |physical| Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL).build();
    let group = |fields| {
        Type::group_type_builder(name).with_repetition(Repetition::OPTIONAL).with_fields(fields).build()
    };
    let list = |element: TypePtr| {
        let inner = Type::group_type_builder("list")
            .with_repetition(Repetition::REPEATED)
            .with_fields(vec![element])
            .build()?;
        Type::group_type_builder(name)
            .with_repetition(Repetition::OPTIONAL)
            .with_converted_type(ConvertedType::LIST)
            .with_logical_type(Some(LogicalType::List))
            .with_fields(vec![Arc::new(inner)])
            .build()
    };
    let built = match kind {
        Kind::Text => Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
            .with_repetition(Repetition::OPTIONAL)
            .with_converted_type(ConvertedType::UTF8)
            .with_logical_type(Some(LogicalType::String))
            .build(),
        Kind::Bool => scalar(Physical::BOOLEAN),
        Kind::Int32 => scalar(Physical::INT32),
        Kind::Int64 | Kind::Label => scalar(Physical::INT64),
        Kind::Float => scalar(Physical::DOUBLE),
        Kind::Message => group(vec![field("role", Kind::Text)?, field("content", Kind::Text)?]),
        Kind::Struct(fields) => {
            group(fields.iter().map(|(name, kind)| field(name, *kind)).collect::<Result<_, _>>()?)
        }
        Kind::Texts => list(field("element", Kind::Text)?),
        Kind::Messages => list(field("element", Kind::Message)?),
    }?;
    Ok(Arc::new(built))
}

/// Values of one primitive column that wait for their row group, with their levels.
#[derive(Debug)]
struct Leaf {
    values: Values,
    definitions: Vec<i16>,
    /// `None` outside of lists.
    repetitions: Option<Vec<i16>>,
}

#[derive(Debug)]
enum Values {
    /// All texts in one block, and where each ends.
    Texts(Vec<u8>, Vec<usize>),
    Bools(Vec<bool>),
    Ints32(Vec<i32>),
    Ints64(Vec<i64>),
    Floats(Vec<f64>),
}

/// The primitive columns that a column of the kind is stored in.
fn leaves_of(kind: Kind) -> Vec<Leaf> {
    let texts = || Values::Texts(Vec::new(), Vec::new());
    let leaf =
        |values, is_list: bool| Leaf { values, definitions: Vec::new(), repetitions: is_list.then(Vec::new) };
    match kind {
        Kind::Text => vec![leaf(texts(), false)],
        Kind::Texts => vec![leaf(texts(), true)],
        Kind::Messages => vec![leaf(texts(), true), leaf(texts(), true)],
        Kind::Message => vec![leaf(texts(), false), leaf(texts(), false)],
        Kind::Bool => vec![leaf(Values::Bools(Vec::new()), false)],
        Kind::Int32 => vec![leaf(Values::Ints32(Vec::new()), false)],
        Kind::Int64 | Kind::Label => vec![leaf(Values::Ints64(Vec::new()), false)],
        Kind::Float => vec![leaf(Values::Floats(Vec::new()), false)],
        Kind::Struct(fields) => fields.iter().flat_map(|(_, kind)| leaves_of(*kind)).collect(),
    }
}

/// Adds a column's value to its leaves. A null is a null at the outermost level.
fn push<'l>(leaves: &mut impl Iterator<Item = &'l mut Leaf>, kind: Kind, value: &Value) {
    match kind {
        Kind::Messages => {
            for part in [role_of, content_of] {
                let Some(leaf) = leaves.next() else { return };
                leaf.push_list(messages_of(value).map(|chat| chat.iter().map(part)), 4);
            }
        }
        Kind::Message => {
            for part in [role_of, content_of] {
                let Some(leaf) = leaves.next() else { return };
                leaf.push_text(messages_of(value).and_then(|chat| chat.iter().next()).map(part), 2);
            }
        }
        Kind::Texts => {
            let Some(leaf) = leaves.next() else { return };
            let texts = if let Value::Texts(texts) = value { Some(texts) } else { None };
            leaf.push_list(texts.map(|texts| texts.iter().map(String::as_str)), 3);
        }
        Kind::Struct(fields) => {
            for (at, _) in fields.iter().enumerate() {
                let Some(leaf) = leaves.next() else { return };
                let part = if let Value::Struct(parts) = value { parts.get(at) } else { None };
                leaf.push_scalar(part.unwrap_or(&Value::Null), 2);
            }
        }
        Kind::Text | Kind::Bool | Kind::Int32 | Kind::Int64 | Kind::Label | Kind::Float => {
            let Some(leaf) = leaves.next() else { return };
            leaf.push_scalar(value, 1);
        }
    }
}

impl Leaf {
    /// A value that is there has the full `depth`. One of another type than the column's is a null.
    fn push_scalar(&mut self, value: &Value, depth: i16) {
        match (&mut self.values, value) {
            (Values::Texts(..), Value::Text(text)) => return self.push_text(Some(text), depth),
            (Values::Bools(values), Value::Bool(value)) => values.push(*value),
            (Values::Ints32(values), Value::Int(value)) => {
                values.push(i32::try_from(*value).unwrap_or(i32::MAX));
            }
            (Values::Ints64(values), Value::Int(value)) => values.push(*value),
            (Values::Floats(values), Value::Float(value)) => values.push(*value),
            (
                Values::Texts(..)
                | Values::Bools(_)
                | Values::Ints32(_)
                | Values::Ints64(_)
                | Values::Floats(_),
                Value::Null
                | Value::Text(_)
                | Value::Texts(_)
                | Value::Messages(_)
                | Value::Bool(_)
                | Value::Int(_)
                | Value::Float(_)
                | Value::Struct(_),
            ) => return self.definitions.push(0),
        }
        self.definitions.push(depth);
    }

    fn push_text(&mut self, text: Option<&str>, depth: i16) {
        if let (Values::Texts(block, ends), Some(text)) = (&mut self.values, text) {
            block.extend_from_slice(text.as_bytes());
            ends.push(block.len());
            self.definitions.push(depth);
        } else {
            self.definitions.push(0);
        }
    }

    /// Definition levels: 0 for no list, 1 for an empty one, `depth` for a text in it.
    fn push_list<'v>(&mut self, list: Option<impl Iterator<Item = &'v str>>, depth: i16) {
        let is_there = list.is_some();
        let before = self.definitions.len();
        for text in list.into_iter().flatten() {
            let again = self.definitions.len() > before;
            self.push_text(Some(text), depth);
            self.repetitions.get_or_insert_default().push(i16::from(again));
        }
        if self.definitions.len() == before {
            self.definitions.push(i16::from(is_there));
            self.repetitions.get_or_insert_default().push(0);
        }
    }

    /// Writes what waits, and is empty again, with its memory kept for the next group.
    fn write<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        let levels = (self.definitions.as_slice(), self.repetitions.as_deref());
        match &mut self.values {
            Values::Texts(block, ends) => {
                let whole = Bytes::from(std::mem::take(block));
                let mut from = 0;
                let slices = ends.iter().map(|end| whole.slice(std::mem::replace(&mut from, *end)..*end));
                let texts: Vec<ByteArray> = slices.map(ByteArray::from).collect();
                write_leaf::<ByteArrayType, W>(group, &texts, levels)?;
                drop(texts);
                *block = Vec::from(whole);
                block.clear();
                ends.clear();
            }
            Values::Bools(values) => write_all::<BoolType, W>(group, values, levels)?,
            Values::Ints32(values) => write_all::<Int32Type, W>(group, values, levels)?,
            Values::Ints64(values) => write_all::<Int64Type, W>(group, values, levels)?,
            Values::Floats(values) => write_all::<DoubleType, W>(group, values, levels)?,
        }
        self.definitions.clear();
        self.repetitions.iter_mut().for_each(Vec::clear);
        Ok(())
    }
}

fn write_all<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &mut Vec<T::T>,
    levels: (&[i16], Option<&[i16]>),
) -> Result<(), ParquetError> {
    write_leaf::<T, W>(group, values, levels)?;
    values.clear();
    Ok(())
}

fn messages_of(value: &Value) -> Option<&Chat> {
    if let Value::Messages(chat) = value { Some(chat) } else { None }
}

fn role_of(message: &Message) -> &str {
    message.role.as_str()
}

fn content_of(message: &Message) -> &str {
    &message.content
}

fn write_leaf<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    (definitions, repetitions): (&[i16], Option<&[i16]>),
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("the schema has fewer columns than the row".into()));
    };
    column.typed::<T>().write_batch(values, Some(definitions), repetitions)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::dataset::rows::Config;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    fn sample(config: Config, n: usize) -> Row {
        let value = |kind: Kind| match (kind, n % 3) {
            (_, 0) => Value::Null,
            (Kind::Text, _) => Value::Text(format!("text {n} ü")),
            (Kind::Texts, 1) => Value::Texts(Vec::new()),
            (Kind::Texts, _) => Value::Texts(vec!["a".into(), "b".into()]),
            (Kind::Messages, 1) => {
                Value::Messages(vec![Message::user("hi"), Message::assistant(format!("{n}"))].into())
            }
            (Kind::Messages | Kind::Message, _) => {
                Value::Messages(vec![Message::user(format!("{n}"))].into())
            }
            (Kind::Bool, _) => Value::Bool(n.is_multiple_of(2)),
            (Kind::Int32 | Kind::Int64 | Kind::Label, _) => Value::Int(1),
            (Kind::Float, _) => Value::Float(0.5),
            (Kind::Struct(fields), _) => {
                let part = |(_, kind): &(_, Kind)| {
                    if *kind == Kind::Int64 { Value::Int(3) } else { Value::Text("x".into()) }
                };
                Value::Struct(fields.iter().map(part).collect())
            }
        };
        let values = config.columns().iter().map(|(_, kind)| value(*kind)).collect();
        Row { config, values, refuses: [None; 2] }
    }

    fn written(config: Config, rows: usize) -> Vec<u8> {
        let mut writer = ParquetWriter::new(Vec::new(), config.columns()).unwrap();
        (0..rows).for_each(|n| writer.write(&sample(config, n)).unwrap());
        writer.finish().unwrap()
    }

    #[test]
    fn every_config_reads_back_and_is_deterministic() {
        for config in Config::ALL.iter().copied() {
            let bytes = written(config, 1203);
            assert_eq!(bytes, written(config, 1203), "{config:?}");
            let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
            assert_eq!(reader.metadata().num_row_groups(), 2);
            assert!(reader.metadata().file_metadata().key_value_metadata().is_none());
            assert_eq!(reader.get_row_iter(None).unwrap().count(), 1203);
            let second = reader.get_row_iter(None).unwrap().nth(1).unwrap().unwrap().to_string();
            let has_text = config.columns().iter().any(|(_, kind)| *kind == Kind::Text);
            assert!(!has_text || second.contains("text 1 ü"), "{second}");
        }
    }

    #[test]
    fn a_row_survives_json() {
        for config in Config::ALL.iter().copied() {
            for n in 0..3 {
                let row = sample(config, n);
                assert_eq!(
                    Row::from_json(config, &serde_json::json!(row)).as_ref(),
                    Some(&row),
                    "{config:?} {n}"
                );
            }
        }
    }
}
