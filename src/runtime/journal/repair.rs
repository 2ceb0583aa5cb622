//! What is whole in a journal, and a new journal made of it.

use super::lock::Lock;
use super::record_sum::{COLUMNS, is_whole};
use super::{FILE, JournalError, schema};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::path::{Path, PathBuf};

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TableCheck {
    /// Its name.
    pub table: &'static str,
    /// Records whose checksum fits.
    pub whole: u64,
    /// Records whose checksum does not fit, or that cannot be read.
    pub damaged: u64,
}

/// What a look at a whole journal finds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct JournalCheck {
    /// Each table.
    pub tables: Vec<TableCheck>,
    /// What is wrong, a sentence each.
    pub faults: Vec<String>,
    /// Whether records have checksums; those of version 0.1.0 have none until the run is gone on with.
    pub has_checksums: bool,
}

/// Looks at every record of a journal and at the file's structure.
///
/// # Errors
///
/// A journal that cannot be opened at all.
pub fn check(dir: &Path) -> Result<JournalCheck, JournalError> {
    let path = path_in(dir)?;
    let db = schema::open_to_read(&path)?;
    let fail = |error: rusqlite::Error| JournalError::from_sqlite(&path, &error);
    let has_checksums = schema::has_sums(schema::format(&db).map_err(fail)?);
    let mut faults: Vec<String> = Vec::new();
    match schema::structure_fault(&db) {
        Ok(fault) => faults.extend(fault.map(|fault| format!("the file's structure: {fault}"))),
        Err(error) => faults.push(format!("the file's structure: {error}")),
    }
    let mut tables = Vec::new();
    for (table, _) in COLUMNS {
        let mut found = TableCheck { table, whole: 0, damaged: 0 };
        if let Err(error) = for_each_record(&db, table, has_checksums, false, |record| {
            let count = if record.is_whole { &mut found.whole } else { &mut found.damaged };
            *count += 1;
            Ok(())
        }) {
            faults.push(format!("table `{table}` cannot be read to its end: {error}"));
        }
        if found.damaged > 0 {
            faults.push(format!("{} records of table `{table}` are damaged", found.damaged));
        }
        tables.push(found);
    }
    if has_checksums && faults.is_empty() {
        faults.extend(schema::count_mismatch(&db).map_err(fail)?);
    }
    Ok(JournalCheck { tables, faults, has_checksums })
}

/// What a repair made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Repaired {
    /// Each table: what was kept, and what was met and could not be.
    pub tables: Vec<TableCheck>,
    /// Where the damaged journal is now.
    pub aside: PathBuf,
}

/// Makes a new journal of every record that is whole, and puts the damaged one aside. Run again, the same command asks what
/// was lost.
///
/// # Errors
///
/// A run that another process writes, a file that is no journal, a disk that is full. Then nothing is changed.
pub fn repair(dir: &Path) -> Result<Repaired, JournalError> {
    let path = path_in(dir)?;
    let _lock = Lock::take(dir)?;
    let beside = dir.join(format!("{FILE}.repaired"));
    remove(&beside)?;
    let tables = {
        let damaged = schema::open_to_read(&path)?;
        let mut made = schema::open_to_write(&beside, "FULL")?;
        let fail = |error: rusqlite::Error| JournalError::from_sqlite(&beside, &error);
        let kept = made.transaction().map_err(fail)?;
        let tables = copy_whole(&damaged, &kept).map_err(fail)?;
        kept.commit().map_err(fail)?;
        made.pragma_update(None, "journal_mode", "DELETE").map_err(fail)?;
        tables
    };
    let aside = free_name(dir);
    let rename =
        |from: &Path, to: &Path| std::fs::rename(from, to).map_err(|error| JournalError::from_io(to, &error));
    for ending in ["-wal", "-shm"] {
        let log = with_ending(&path, ending);
        if log.exists() {
            rename(&log, &with_ending(&aside, ending))?;
        }
    }
    rename(&path, &aside)?;
    rename(&beside, &path)?;
    Ok(Repaired { tables, aside })
}

/// Copies what is whole. Where a table cannot be read to its end, it is read from the other end too.
fn copy_whole(from: &Connection, to: &Connection) -> rusqlite::Result<Vec<TableCheck>> {
    let has_checksums = schema::has_sums(schema::format(from)?);
    let mut tables = Vec::new();
    for (table, columns) in COLUMNS {
        let places: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
        let places = places.join(", ");
        let names = columns.join(", ");
        let sql =
            format!("INSERT OR IGNORE INTO {table} ({names}, sum) VALUES ({places}, record_sum({places}))");
        let mut insert = to.prepare(&sql)?;
        let mut found = TableCheck { table, whole: 0, damaged: 0 };
        let mut keep = |record: Record| {
            if record.is_whole {
                found.whole += insert.execute(params_from_iter(record.values))? as u64;
            } else {
                found.damaged += 1;
            }
            Ok(())
        };
        if for_each_record(from, table, has_checksums, false, &mut keep).is_err() {
            // What lies between the two ends is lost.
            let _ = for_each_record(from, table, has_checksums, true, &mut keep);
        }
        tables.push(found);
    }
    Ok(tables)
}

struct Record {
    is_whole: bool,
    values: Vec<Value>,
}

/// Reads the records of a table in the order of their keys, or from the last one on.
fn for_each_record(
    db: &Connection,
    table: &str,
    has_checksums: bool,
    from_the_end: bool,
    mut take: impl FnMut(Record) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let columns = COLUMNS.iter().find(|(name, _)| *name == table).map_or(&[][..], |(_, columns)| columns);
    let whole = if has_checksums { is_whole(table, "t") } else { "1".into() };
    let order =
        format!("{} {}", columns.first().unwrap_or(&"rowid"), if from_the_end { "DESC" } else { "ASC" });
    let sql = format!("SELECT {whole}, {} FROM {table} t ORDER BY {order}", columns.join(", "));
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values = (1..=columns.len()).map(|n| row.get(n)).collect::<rusqlite::Result<_>>()?;
        take(Record { is_whole: row.get(0)?, values })?;
    }
    Ok(())
}

fn path_in(dir: &Path) -> Result<PathBuf, JournalError> {
    let path = dir.join(FILE);
    if path.exists() { Ok(path) } else { Err(JournalError::Missing(dir.display().to_string())) }
}

pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// A name for the damaged journal that no file has yet.
fn free_name(dir: &Path) -> PathBuf {
    let name = |n: u32| dir.join(format!("{FILE}.damaged-{n}"));
    (1..=u32::MAX).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
}

fn remove(path: &Path) -> Result<(), JournalError> {
    for ending in ["", "-wal", "-shm"] {
        let path = with_ending(path, ending);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(JournalError::from_io(&path, &error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
