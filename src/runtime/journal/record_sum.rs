//! A checksum for every record, so that a damaged one is told and never read as data.
//!
//! The sum is a CRC-32 over a record's columns, each with its type and length. SQLite computes it itself, by the function
//! that [`register`] gives a connection: what is written and what is read name the columns of a table in one place,
//! [`COLUMNS`]. Besides, triggers count the records of each table, so that one that vanished is found.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;

/// The tables whose records have a sum, and the columns that it covers.
pub(super) const COLUMNS: [(&str, &[&str]); 5] = [
    ("meta", &["key", "value"]),
    (
        "answers",
        &[
            "key",
            "prompt_id",
            "role",
            "model",
            "status",
            "body",
            "packed",
            "failure",
            "attempts",
            "latency_ms",
        ],
    ),
    ("prompts", &["id", "pass", "at"]),
    ("transcripts", &["prompt_id", "plan", "provisional", "outline", "body"]),
    ("rejects", &["key", "pass", "plan", "prompt_id", "at", "reason", "detail"]),
];

/// Makes the function `record_sum` known to a connection.
pub(super) fn register(db: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    db.create_scalar_function("record_sum", -1, flags, |call| {
        let mut sum = crc32fast::Hasher::new();
        for n in 0..call.len() {
            add(&mut sum, call.get_raw(n));
        }
        Ok(i64::from(sum.finalize()))
    })
}

fn add(sum: &mut crc32fast::Hasher, value: ValueRef<'_>) {
    let (kind, bytes): (u8, &[u8]) = match value {
        ValueRef::Null => (0, &[]),
        ValueRef::Integer(number) => {
            sum.update(&[1]);
            return sum.update(&number.to_le_bytes());
        }
        ValueRef::Real(number) => {
            sum.update(&[2]);
            return sum.update(&number.to_bits().to_le_bytes());
        }
        ValueRef::Text(bytes) => (3, bytes),
        ValueRef::Blob(bytes) => (4, bytes),
    };
    sum.update(&[kind]);
    sum.update(&(bytes.len() as u64).to_le_bytes());
    sum.update(bytes);
}

/// The sum of a record of this table as SQL; `alias` is the table's name in the query.
pub(super) fn sum_of(table: &str, alias: &str) -> String {
    let columns = COLUMNS.iter().find(|(name, _)| *name == table).map_or(&[][..], |(_, columns)| columns);
    let columns: Vec<String> = columns.iter().map(|column| format!("{alias}.{column}")).collect();
    format!("record_sum({})", columns.join(", "))
}

/// Whether a record is whole, as SQL.
pub(super) fn is_whole(table: &str, alias: &str) -> String {
    format!("{alias}.sum IS {}", sum_of(table, alias))
}
