//! What changes in a journal, for a copy of it elsewhere.
//!
//! While changes are tracked, temporary triggers note the key of every record that is written or removed; nothing of it is in
//! the journal's file. [`take`] hands the records out in the order in which they were written first. The same records, put into
//! another journal in that order, make the same journal.

use super::record_sum::{COLUMNS, is_whole};
use super::stored::{damaged, meta, set_meta};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// The fact of a journal into which a copy is being put.
const RESTORING: &str = "restoring";

/// A value of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// Nothing.
    Null,
    /// A whole number.
    Number(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A record that was written or removed.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A record as it is now.
    Put {
        /// Which table, by its place in the list of tables.
        table: u8,
        /// Its columns, the key first.
        fields: Vec<Field>,
        /// Their checksum.
        sum: i64,
    },
    /// A record that is gone.
    Removed {
        /// Which table.
        table: u8,
        /// Its key.
        key: Field,
    },
}

/// What a copy has: a few bytes for each record.
#[derive(Debug, Default)]
pub struct Known {
    sums: HashMap<u64, i64>,
    /// Keys of the records that may be removed.
    rejects: BTreeSet<String>,
}

/// The table of rejects: the only one whose records are removed.
const REJECTS: usize = 4;

impl Known {
    /// Takes in a change that the copy has.
    pub fn add(&mut self, change: &Change) {
        match change {
            Change::Put { table, fields, sum } => {
                let Some(key) = fields.first() else { return };
                self.sums.insert(name_of(*table, key), *sum);
                if let (REJECTS, Field::Text(key)) = (usize::from(*table), key) {
                    self.rejects.insert(key.clone());
                }
            }
            Change::Removed { table, key } => {
                self.sums.remove(&name_of(*table, key));
                if let Field::Text(key) = key {
                    self.rejects.remove(key);
                }
            }
        }
    }

    /// How many records the copy has.
    pub fn records(&self) -> usize {
        self.sums.len()
    }
}

fn name_of(table: u8, key: &Field) -> u64 {
    let mut hasher = DefaultHasher::new();
    table.hash(&mut hasher);
    match key {
        Field::Null => {}
        Field::Number(number) => number.hash(&mut hasher),
        Field::Text(text) => text.as_bytes().hash(&mut hasher),
        Field::Bytes(bytes) => bytes.hash(&mut hasher),
    }
    hasher.finish()
}

/// Begins to note changes, and notes everything that the copy does not have.
pub(super) fn track(db: &Connection, known: &Known) -> rusqlite::Result<()> {
    db.pragma_update(None, "temp_store", "MEMORY")?;
    let mut sql =
        "CREATE TEMP TABLE changed (number INTEGER PRIMARY KEY, name INTEGER NOT NULL, key NOT NULL);"
            .to_owned();
    for (n, (table, columns)) in COLUMNS.iter().enumerate() {
        let Some(key) = columns.first() else { continue };
        for (event, row) in [("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old")] {
            let _ = write!(
                sql,
                "CREATE TEMP TRIGGER {table}_{event}_noted AFTER {event} ON main.{table}
                 BEGIN INSERT INTO changed (name, key) VALUES ({n}, {row}.{key}); END;"
            );
        }
    }
    db.execute_batch(&sql)?;
    let mut note = db.prepare("INSERT INTO changed (name, key) VALUES (?1, ?2)")?;
    let mut met = BTreeSet::new();
    for (n, (table, columns)) in COLUMNS.iter().enumerate() {
        let Some(key) = columns.first() else { continue };
        let number = u8::try_from(n).unwrap_or(0);
        let mut all = db.prepare(&format!("SELECT {key}, sum FROM {table}"))?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let (key, sum): (Value, i64) = (row.get(0)?, row.get(1)?);
            let field = field_of(key.clone());
            if known.sums.get(&name_of(number, &field)) != Some(&sum) {
                note.execute(params![number, key])?;
            }
            if let (REJECTS, Field::Text(key)) = (n, field) {
                met.insert(key);
            }
        }
    }
    for key in known.rejects.difference(&met) {
        note.execute(params![u8::try_from(REJECTS).unwrap_or(0), key])?;
    }
    Ok(())
}

/// The next changed records, so many notes at most, and no longer noted.
pub(super) fn take(db: &Connection, most: u32) -> rusqlite::Result<Vec<Change>> {
    let mut noted = db.prepare_cached("SELECT number, name, key FROM changed ORDER BY number LIMIT ?1")?;
    let noted: Vec<(i64, u8, Value)> = noted
        .query_map([most], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut met = BTreeSet::new();
    let mut changes = Vec::new();
    let last = noted.last().map(|(number, ..)| *number);
    for (_, table, key) in noted {
        if met.insert(name_of(table, &field_of(key.clone()))) {
            changes.extend(read(db, table, key)?);
        }
    }
    if let Some(last) = last {
        db.prepare_cached("DELETE FROM changed WHERE number <= ?1")?.execute([last])?;
    }
    Ok(changes)
}

fn read(db: &Connection, table: u8, key: Value) -> rusqlite::Result<Option<Change>> {
    let Some((name, columns)) = COLUMNS.get(usize::from(table)) else { return Ok(None) };
    let Some(first) = columns.first() else { return Ok(None) };
    let sql = format!(
        "SELECT {}, sum, {} FROM {name} t WHERE {first} = ?1",
        columns.join(", "),
        is_whole(name, "t")
    );
    let mut statement = db.prepare_cached(&sql)?;
    let found = statement.query_row([&key], |row| {
        let fields = (0..columns.len()).map(|n| row.get(n).map(field_of)).collect::<Result<Vec<_>, _>>()?;
        if !row.get::<_, bool>(columns.len() + 1)? {
            return Err(damaged(&format!("a record of the table `{name}`")));
        }
        Ok(Change::Put { table, fields, sum: row.get(columns.len())? })
    });
    Ok(Some(found.optional()?.unwrap_or_else(|| Change::Removed { table, key: field_of(key) })))
}

/// Whether a copy is to be put into this journal: it is new, or an earlier restoring broke off.
pub(super) fn wants_copy(db: &Connection) -> rusqlite::Result<bool> {
    Ok(meta(db, RESTORING)?.is_some() || meta(db, "pass")?.is_none())
}

/// Says that a copy is being put into the journal, or that it is there.
pub(super) fn set_restoring(db: &Connection, begins: bool) -> rusqlite::Result<()> {
    if begins {
        return set_meta(db, RESTORING, "yes");
    }
    db.execute("DELETE FROM meta WHERE key = ?1", [RESTORING]).map(|_| ())
}

/// Puts the changes of a copy into a journal. Where the journal has more than the copy, only answers and transcripts that it
/// does not have are `missing`, and nothing of its own is changed.
pub(super) fn put(db: &Connection, changes: &[Change], only_missing: bool) -> rusqlite::Result<()> {
    for change in changes {
        match change {
            Change::Put { table, fields, sum } => {
                let Some((name, columns)) = COLUMNS.get(usize::from(*table)) else { continue };
                if only_missing && !matches!(*name, "answers" | "transcripts") {
                    continue;
                }
                if !only_missing {
                    remove(db, *table, fields.first())?;
                }
                let places: Vec<String> = (1..=columns.len() + 1).map(|n| format!("?{n}")).collect();
                let sql = format!(
                    "INSERT OR IGNORE INTO {name} ({}, sum) VALUES ({})",
                    columns.join(", "),
                    places.join(", ")
                );
                let values = fields.iter().map(value_of).chain([Value::Integer(*sum)]);
                db.prepare_cached(&sql)?.execute(params_from_iter(values))?;
            }
            Change::Removed { table, key } if !only_missing => remove(db, *table, Some(key))?,
            Change::Removed { .. } => {}
        }
    }
    Ok(())
}

fn remove(db: &Connection, table: u8, key: Option<&Field>) -> rusqlite::Result<()> {
    let Some((name, columns)) = COLUMNS.get(usize::from(table)) else { return Ok(()) };
    let (Some(first), Some(key)) = (columns.first(), key) else { return Ok(()) };
    db.prepare_cached(&format!("DELETE FROM {name} WHERE {first} = ?1"))?.execute([value_of(key)])?;
    Ok(())
}

/// How many columns the records of a table have; `None` where there is no such table.
pub fn columns_of(table: u8) -> Option<usize> {
    COLUMNS.get(usize::from(table)).map(|(_, columns)| columns.len())
}

fn field_of(value: Value) -> Field {
    match value {
        Value::Null => Field::Null,
        Value::Integer(number) => Field::Number(number),
        // No column holds such numbers.
        Value::Real(number) => Field::Text(number.to_string()),
        Value::Text(text) => Field::Text(text),
        Value::Blob(bytes) => Field::Bytes(bytes),
    }
}

fn value_of(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Number(number) => Value::Integer(*number),
        Field::Text(text) => Value::Text(text.clone()),
        Field::Bytes(bytes) => Value::Blob(bytes.clone()),
    }
}
