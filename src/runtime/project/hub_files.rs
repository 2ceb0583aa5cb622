//! Which files of the hub a run read, by their SHA-256: a dataset there may change under the same name.

use super::{ProjectError, RunDir};
use crate::runtime::hub::HubFile;
use std::path::Path;

/// The file of a run directory that lists them.
pub(super) const HUB_FILES: &str = "hub_files.json";

/// Adds what is read now to what was read before, and gives the names of files that had other bytes then.
pub(super) fn keep(dir: &RunDir, read: Vec<HubFile>) -> Result<Vec<String>, ProjectError> {
    if read.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = kept(dir);
    let mut changed = Vec::new();
    for file in read {
        if all.contains(&file) {
            continue;
        }
        if all.iter().any(|older| older.name == file.name) {
            changed.push(file.name.clone());
        }
        all.push(file);
    }
    let json = serde_json::to_string_pretty(&all)
        .map_err(|error| ProjectError::Bug(format!("the list of files cannot be written: {error}")))?;
    dir.put(Path::new(HUB_FILES), &(json + "\n"))?;
    Ok(changed)
}

/// All that a run read, each with the bytes that it had.
pub(super) fn kept(dir: &RunDir) -> Vec<HubFile> {
    let text = std::fs::read_to_string(dir.path.join(HUB_FILES)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}
