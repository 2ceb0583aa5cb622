//! The tables, their format version, and how a connection is set up.
//!
//! A change here needs a new [`FORMAT`] and a step that brings older journals up to it.

use super::JournalError;
use super::record_sum::{self, COLUMNS, is_whole, sum_of};
use rusqlite::{Connection, OpenFlags};
use std::fmt::Write as _;
use std::path::Path;

/// The format this code writes. Newer ones are refused. Older ones are read as they are, and brought up to it when they
/// are opened to write.
pub(super) const FORMAT: i64 = 2;

/// The first format, of version 0.1.0: its records have no checksums.
const WITHOUT_SUMS: i64 = 1;

/// `amnd`: tells a journal from any other SQLite file.
const APPLICATION: i64 = 0x616d_6e64;

/// The first SQLite without the fault that could lose a write-ahead log two connections reset at once.
const OLDEST_SQLITE: i32 = 3_051_003;

const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE answers (
    key        BLOB PRIMARY KEY,
    prompt_id  TEXT NOT NULL,
    role       TEXT NOT NULL,
    model      TEXT NOT NULL,
    status     INTEGER NOT NULL,
    body       BLOB,
    packed     INTEGER NOT NULL,
    failure    TEXT,
    attempts   INTEGER NOT NULL,
    latency_ms INTEGER NOT NULL,
    sum        INTEGER NOT NULL
);
CREATE TABLE prompts (
    id   TEXT PRIMARY KEY,
    pass INTEGER NOT NULL,
    at   TEXT NOT NULL,
    sum  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE transcripts (
    prompt_id   TEXT PRIMARY KEY,
    plan        TEXT NOT NULL,
    provisional INTEGER NOT NULL,
    outline     TEXT NOT NULL,
    body        BLOB NOT NULL,
    sum         INTEGER NOT NULL
);
CREATE TABLE rejects (
    key       TEXT PRIMARY KEY,
    pass      INTEGER NOT NULL,
    plan      TEXT,
    prompt_id TEXT,
    at        TEXT,
    reason    TEXT NOT NULL,
    detail    TEXT NOT NULL,
    sum       INTEGER NOT NULL
) WITHOUT ROWID;
";

/// Opens the file for writing, makes it a journal if it is new, and checks that it is one if it is not.
pub(super) fn open_to_write(path: &Path, synchronous: &str) -> Result<Connection, JournalError> {
    require_sqlite(rusqlite::version_number())?;
    let fail = |error: rusqlite::Error| JournalError::from_sqlite(path, &error);
    let mut db = Connection::open(path).map_err(fail)?;
    set_up(&db).map_err(fail)?;
    // Before anything is changed: a file of somebody else is left as it is.
    if !is_new(&db, path)? {
        check(&db, path)?;
    }
    db.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
    db.pragma_update(None, "synchronous", synchronous).map_err(fail)?;
    let begun = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fail)?;
    if is_new(&begun, path)? {
        begun.execute_batch(TABLES).map_err(fail)?;
        begun.execute_batch(&counting()).map_err(fail)?;
        begun.pragma_update(None, "user_version", FORMAT).map_err(fail)?;
        begun.pragma_update(None, "application_id", APPLICATION).map_err(fail)?;
    } else if format(&begun).map_err(fail)? == WITHOUT_SUMS {
        begun.execute_batch(&adding_sums()).map_err(fail)?;
        begun.execute_batch(&counting()).map_err(fail)?;
        begun.pragma_update(None, "user_version", FORMAT).map_err(fail)?;
    }
    begun.commit().map_err(fail)?;
    Ok(db)
}

/// The table of how many records each table has, and what keeps it right.
fn counting() -> String {
    let mut sql =
        "CREATE TABLE counts (name TEXT PRIMARY KEY, records INTEGER NOT NULL) WITHOUT ROWID;".to_owned();
    for (table, _) in COLUMNS {
        let change = |sign| format!("UPDATE counts SET records = records {sign} 1 WHERE name = '{table}'");
        let _ = write!(
            sql,
            "INSERT INTO counts VALUES ('{table}', (SELECT count(*) FROM {table}));
             CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN {}; END;
             CREATE TRIGGER {table}_removed AFTER DELETE ON {table} BEGIN {}; END;",
            change('+'),
            change('-')
        );
    }
    sql
}

/// What gives the records of the first format their checksums.
fn adding_sums() -> String {
    let mut sql = String::new();
    for (table, _) in COLUMNS {
        let _ = write!(
            sql,
            "ALTER TABLE {table} ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
             UPDATE {table} SET sum = {};",
            sum_of(table, table)
        );
    }
    sql
}

/// The format of an open journal.
pub(super) fn format(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whether the records of this format have checksums.
pub(super) fn has_sums(format: i64) -> bool {
    format > WITHOUT_SUMS
}

/// What is wrong with the facts of the run or with the counts of the tables, if anything. A fact whose name is damaged would
/// only seem to be missing.
pub(super) fn count_mismatch(db: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = format!("SELECT count(*) FROM meta m WHERE NOT ({})", is_whole("meta", "m"));
    let damaged: i64 = db.query_row(&sql, [], |row| row.get(0))?;
    if damaged > 0 {
        return Ok(Some(format!("{damaged} records of the table `meta` have a checksum that does not fit")));
    }
    for (table, _) in COLUMNS {
        let sql = format!(
            "SELECT (SELECT count(*) FROM {table}), (SELECT records FROM counts WHERE name = '{table}')"
        );
        let (there, counted): (i64, Option<i64>) =
            db.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if counted != Some(there) {
            let counted = counted.map_or_else(|| "an unknown number".into(), |counted| counted.to_string());
            return Ok(Some(format!("table `{table}` has {there} records and should have {counted}")));
        }
    }
    Ok(None)
}

/// What SQLite finds wrong with the file's structure, if anything.
pub(super) fn structure_fault(db: &Connection) -> rusqlite::Result<Option<String>> {
    let found: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    Ok((found != "ok").then_some(found))
}

/// Opens the file for reading, and begins a transaction: everything read is of one moment.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, JournalError> {
    require_sqlite(rusqlite::version_number())?;
    let snapshot = |flags: OpenFlags, name: &Path| {
        let db = Connection::open_with_flags(name, flags)?;
        set_up(&db)?;
        db.execute_batch("BEGIN")?;
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        Ok(db)
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = snapshot(flags, path).or_else(|error: rusqlite::Error| {
        // In a directory that cannot be written SQLite cannot share memory with a writer. Where there is no write-ahead
        // log there is no writer either, and the file can be read as it lies.
        let log = path.with_extension("db-wal");
        if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            return Err(error);
        }
        let Some(uri) = immutable_uri(path) else { return Err(error) };
        snapshot(flags | OpenFlags::SQLITE_OPEN_URI, Path::new(&uri))
    });
    let db = opened.map_err(|error| JournalError::from_sqlite(path, &error))?;
    check(&db, path)?;
    Ok(db)
}

/// `file:` with the path's special characters escaped.
pub(super) fn immutable_uri(path: &Path) -> Option<String> {
    let escaped = path.to_str()?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Some(format!("file:{escaped}?immutable=1"))
}

fn set_up(db: &Connection) -> rusqlite::Result<()> {
    db.set_prepared_statement_cache_capacity(32);
    record_sum::register(db)?;
    db.busy_timeout(std::time::Duration::from_secs(10))
}

fn require_sqlite(version: i32) -> Result<(), JournalError> {
    if version >= OLDEST_SQLITE { Ok(()) } else { Err(JournalError::OldSqlite(rusqlite::version().into())) }
}

fn is_new(db: &Connection, path: &Path) -> Result<bool, JournalError> {
    db.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| JournalError::from_sqlite(path, &error))
}

fn check(db: &Connection, path: &Path) -> Result<(), JournalError> {
    let number = |pragma: &str| {
        db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            .map_err(|error| JournalError::from_sqlite(path, &error))
    };
    if number("application_id")? != APPLICATION {
        return Err(JournalError::NotAJournal(path.display().to_string()));
    }
    match number("user_version")? {
        WITHOUT_SUMS | FORMAT => Ok(()),
        found if found > FORMAT => {
            Err(JournalError::Newer { path: path.display().to_string(), found, known: FORMAT })
        }
        found => Err(JournalError::Corrupt {
            path: path.display().to_string(),
            detail: format!("journal format {found} does not exist"),
        }),
    }
}
