//! A copy of a run on shared storage, so that another machine can go on where one was lost.
//!
//! ```text
//! Journal ─changed records, every few seconds─▶ 00000001-0001.zst, 00000002-0001.zst … ─restore─▶ Journal of another machine
//! ```
//!
//! Only plain files are written: beside their place, synced, renamed. No file is written twice, and no database is opened by two
//! machines. Each start of a run claims the copy; a process whose claim is no longer the newest one stops at its next file.
//! A file that is damaged or missing ends what can be restored: what is behind it is asked again, or copied again where the
//! journal is still there.

mod claim;
mod files;
mod keeper;
mod segment;
mod store;

pub use files::MirrorError;
pub use keeper::{Keeper, OnTrouble, Settings};
pub use segment::Item;
pub use store::{Mirror, Restored, restore_into};
