//! Where the shards of a run are: a folder each, side by side.

use super::ProjectError;
use crate::pure::shard::Shard;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The numbers of the shards whose folders are in a directory, by the number of shards that their run has.
pub(super) fn shards_in(dir: &Path) -> BTreeMap<u32, BTreeSet<u32>> {
    let mut found: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    for shard in entries.filter_map(|entry| Shard::of_dir_name(&entry.file_name().to_string_lossy())) {
        found.entry(shard.count()).or_default().insert(shard.index());
    }
    found
}

/// Why a directory is no run, where it holds the shards of one.
pub(super) fn not_merged(dir: &Path) -> Option<ProjectError> {
    let (count, shards) = shards_in(dir).into_iter().next()?;
    let name = dir.display();
    Some(
        ProjectError::input(format!(
            "`{name}` holds {} of {count} shards of a run, and is not merged",
            shards.len()
        ))
        .hint(format!("`amend merge {name}` makes one run of them; each is a run directory by itself too")),
    )
}

/// Refuses a shard beside shards of another number of them: an array that is started again for some tasks has another count, and
/// would do part of the work twice.
pub(super) fn check_neighbours(dir: &Path, shard: Shard) -> Result<(), ProjectError> {
    let Some(out) = dir.parent() else { return Ok(()) };
    match shards_in(out).into_keys().find(|count| *count != shard.count()) {
        Some(count) => Err(ProjectError::input(format!(
            "`{}` holds shards of {count}, and this would be shard {} of {}",
            out.display(),
            shard.index(),
            shard.count()
        ))
        .hint(format!(
            "a run keeps its number of shards: write `--shard {}/{count}`, or set AMEND_SHARDS={count} for `--shard auto`",
            shard.index().min(count - 1)
        ))
        .hint("another number of shards needs another `--out`")),
        None => Ok(()),
    }
}
