//! Rows as Parquet, by the low-level column writers.
//!
//! The same rows give the same bytes: nothing of the clock, the machine or the crate's version is written. There is no
//! `huggingface` key in the footer, because older readers refuse the types that newer ones put there; the card holds
//! the features. Every column has its declared type even when all of its values are null, in every shard.

use crate::dataset::rows::{Column, Kind, Row, Value};
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
/// Bytes of text per row group, for rows that are very long.
const GROUP_BYTES: usize = 32 << 20;

/// Writes rows of one config into one file.
pub(super) struct ParquetWriter<W: Write + Send> {
    columns: &'static [Column],
    pending: Vec<Row>,
    pending_bytes: usize,
    file: SerializedFileWriter<W>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a file.
    pub(super) fn new(out: W, columns: &'static [Column]) -> Result<Self, ParquetError> {
        let file = SerializedFileWriter::new(out, schema_of(columns)?, properties()?)?;
        Ok(Self { columns, pending: Vec::new(), pending_bytes: 0, file })
    }

    /// Adds a row.
    pub(super) fn write(&mut self, row: Row) -> Result<(), ParquetError> {
        self.pending_bytes += row.values.iter().map(size_of_value).sum::<usize>();
        self.pending.push(row);
        if self.pending.len() >= GROUP_ROWS || self.pending_bytes >= GROUP_BYTES {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Bytes in the file so far.
    pub(super) fn bytes(&self) -> u64 {
        self.file.bytes_written() as u64
    }

    /// Writes the footer and gives the sink back.
    pub(super) fn finish(mut self) -> Result<W, ParquetError> {
        if !self.pending.is_empty() {
            self.flush()?;
        }
        self.file.into_inner()
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        let mut group = self.file.next_row_group()?;
        for (at, (_, kind)) in self.columns.iter().enumerate() {
            let values: Vec<&Value> =
                rows.iter().map(|row| row.values.get(at).unwrap_or(&Value::Null)).collect();
            write_column(&mut group, *kind, &values)?;
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
        Value::Messages(messages) => messages.iter().map(|m| m.content.len() + 9).sum(),
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

type Group<'a, W> = SerializedRowGroupWriter<'a, W>;

fn write_column<W: Write + Send>(
    group: &mut Group<'_, W>,
    kind: Kind,
    values: &[&Value],
) -> Result<(), ParquetError> {
    match kind {
        Kind::Text => {
            let texts =
                values.iter().map(|v| if let Value::Text(text) = v { Some(text.as_str()) } else { None });
            write_scalars::<ByteArrayType, W>(group, texts.map(|t| t.map(ByteArray::from)), 1)
        }
        Kind::Bool => {
            let truths = values.iter().map(|v| if let Value::Bool(truth) = v { Some(*truth) } else { None });
            write_scalars::<BoolType, W>(group, truths, 1)
        }
        Kind::Int32 => {
            let ints = values.iter().map(|v| int_of(v).map(|n| i32::try_from(n).unwrap_or(i32::MAX)));
            write_scalars::<Int32Type, W>(group, ints, 1)
        }
        Kind::Int64 | Kind::Label => {
            write_scalars::<Int64Type, W>(group, values.iter().map(|v| int_of(v)), 1)
        }
        Kind::Float => {
            let floats = values.iter().map(|v| if let Value::Float(x) = v { Some(*x) } else { None });
            write_scalars::<DoubleType, W>(group, floats, 1)
        }
        Kind::Message => {
            for part in [role_of, content_of] {
                let texts = values.iter().map(|v| messages_of(v).and_then(|m| m.first()).map(part));
                write_scalars::<ByteArrayType, W>(group, texts.map(|t| t.map(ByteArray::from)), 2)?;
            }
            Ok(())
        }
        Kind::Struct(fields) => {
            for (at, (_, kind)) in fields.iter().enumerate() {
                let inner: Vec<&Value> = values
                    .iter()
                    .map(|v| {
                        if let Value::Struct(parts) = v {
                            parts.get(at).unwrap_or(&Value::Null)
                        } else {
                            &Value::Null
                        }
                    })
                    .collect();
                if *kind == Kind::Int64 {
                    write_scalars::<Int64Type, W>(group, inner.iter().map(|v| int_of(v)), 2)?;
                } else {
                    let texts = inner.iter().map(|v| {
                        if let Value::Text(t) = v { Some(ByteArray::from(t.as_str())) } else { None }
                    });
                    write_scalars::<ByteArrayType, W>(group, texts, 2)?;
                }
            }
            Ok(())
        }
        Kind::Texts => {
            let lists = values.iter().map(|v| {
                if let Value::Texts(texts) = v {
                    Some(texts.iter().map(String::as_str).collect())
                } else {
                    None
                }
            });
            write_lists(group, lists, 3)
        }
        Kind::Messages => {
            for part in [role_of, content_of] {
                let lists =
                    values.iter().map(|v| messages_of(v).map(|messages| messages.iter().map(part).collect()));
                write_lists(group, lists, 4)?;
            }
            Ok(())
        }
    }
}

fn int_of(value: &Value) -> Option<i64> {
    if let Value::Int(n) = value { Some(*n) } else { None }
}

fn messages_of(value: &Value) -> Option<&[crate::prompt::Message]> {
    if let Value::Messages(messages) = value { Some(messages) } else { None }
}

fn role_of(message: &crate::prompt::Message) -> &str {
    message.role.as_str()
}

fn content_of(message: &crate::prompt::Message) -> &str {
    &message.content
}

/// Writes optional values. A null is a null at the outermost level, so a present value has the full `depth`.
fn write_scalars<T: DataType, W: Write + Send>(
    group: &mut Group<'_, W>,
    values: impl Iterator<Item = Option<T::T>>,
    depth: i16,
) -> Result<(), ParquetError> {
    let mut present = Vec::new();
    let levels: Vec<i16> = values
        .map(|value| {
            let level = if value.is_some() { depth } else { 0 };
            present.extend(value);
            level
        })
        .collect();
    write_leaf::<T, W>(group, &present, &levels, None)
}

/// Writes lists of strings. Definition levels: 0 for no list, 1 for an empty one, `depth` for a value.
fn write_lists<'v, W: Write + Send>(
    group: &mut Group<'_, W>,
    lists: impl Iterator<Item = Option<Vec<&'v str>>>,
    depth: i16,
) -> Result<(), ParquetError> {
    let (mut present, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
    for list in lists {
        let items = list.as_deref().unwrap_or(&[]);
        if items.is_empty() {
            definitions.push(i16::from(list.is_some()));
            repetitions.push(0);
        }
        for (at, item) in items.iter().enumerate() {
            present.push(ByteArray::from(*item));
            definitions.push(depth);
            repetitions.push(i16::from(at > 0));
        }
    }
    write_leaf::<ByteArrayType, W>(group, &present, &definitions, Some(&repetitions))
}

fn write_leaf<T: DataType, W: Write + Send>(
    group: &mut Group<'_, W>,
    values: &[T::T],
    definitions: &[i16],
    repetitions: Option<&[i16]>,
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
    use crate::dataset::rows::Config;
    use crate::prompt::Message;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    fn sample(config: Config, n: usize) -> Row {
        let value = |kind: Kind| match (kind, n % 3) {
            (_, 0) => Value::Null,
            (Kind::Text, _) => Value::Text(format!("text {n} ü")),
            (Kind::Texts, 1) => Value::Texts(Vec::new()),
            (Kind::Texts, _) => Value::Texts(vec!["a".into(), "b".into()]),
            (Kind::Messages, 1) => {
                Value::Messages(vec![Message::user("hi"), Message::assistant(format!("{n}"))])
            }
            (Kind::Messages | Kind::Message, _) => Value::Messages(vec![Message::user(format!("{n}"))]),
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
        Row { config, values }
    }

    fn written(config: Config, rows: usize) -> Vec<u8> {
        let mut writer = ParquetWriter::new(Vec::new(), config.columns()).unwrap();
        (0..rows).for_each(|n| writer.write(sample(config, n)).unwrap());
        writer.finish().unwrap()
    }

    #[test]
    fn every_config_reads_back_and_is_deterministic() {
        for config in Config::ALL {
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
        for config in Config::ALL {
            for n in 0..3 {
                let row = sample(config, n);
                assert_eq!(Row::from_json(config, &row.to_json()).as_ref(), Some(&row), "{config:?} {n}");
            }
        }
    }
}
