//! The journal: the durable store of a run's answers, transcripts and rejects.
//!
//! ```text
//! Journal (a handle, cheap to clone) ─jobs─▶ one writer thread ─group commit─▶ journal.db ◀─snapshot─ Reader
//! ```
//!
//! What it promises:
//!
//! - A call to [`Journal`] returns after the transaction that holds its work is on disk (law 1). Jobs that wait at the
//!   same time share one transaction, so durability costs one sync for many answers.
//! - One process writes a run at a time; an operating-system file lock sees to it, and goes with its process.
//! - After the first failure everything fails with the same [`JournalError`]: nothing is half written.
//! - Every record has a checksum, looked at when it is read, and each table knows how many records it has: what is damaged or
//!   gone is told and never read as data. [`check()`] looks at all of it, [`repair()`] keeps what is whole.
//! - A [`Reader`] looks at a snapshot while a run goes on, also in an archived directory that cannot be written.
//!
//! Two words decide what a run's rows are. The *plan* is a hash of everything but the prompt that decides a transcript
//! (constitution, templates, method, models, seed). A *pass* is one `amend run` over the inputs. The rows are the
//! transcripts of the current plan whose prompt was met in the current pass; as long as the input has not been read to its
//! end they are those of any pass, so that an interrupted resume gives no less than before.
//!
//! The journal knows nothing of models, gates or time. Response bodies and transcripts are compressed here, encrypted where
//! the environment holds a key, and otherwise opaque. Network file systems are not supported, because SQLite's write-ahead log is not safe there.

mod changes;
mod encryption;
mod error;
mod handle;
mod identity;
mod lock;
mod log_check;
mod merge;
mod packed;
mod reader;
mod record_sum;
mod repair;
mod schema;
mod seal;
mod shard_answers;
mod store;
mod stored;
mod transcript_summary;
mod writer;

pub use changes::{Change, Field, Known, columns_of};
pub use error::JournalError;
pub use handle::Journal;
pub use lock::{this_process, writer_of};
pub use merge::{Merging, copy_of, merge};
pub use reader::{Counts, Found, OutlineRow, Reader, Rejects, Transcripts};
pub use repair::{JournalCheck, Repaired, TableCheck, check, repair};
pub use seal::{KEY_VARIABLE, is_key_set};
pub use shard_answers::MergedFrom;
pub use store::{Admission, Arrival, PassInfo};
pub use stored::StoredAnswer;
pub use transcript_summary::{Outline, Row};
pub use writer::{AtCommit, CommitHook, Durability, Options, Writing};

/// The journal's file in a run directory.
pub const FILE: &str = "journal.db";

/// The file in a run directory that the process which writes the run has locked.
pub const LOCK_FILE: &str = "journal.lock";

#[cfg(test)]
mod tests;
