//! Whether the kept rows of an audit can be written where the user wants them.

use crate::runtime::dataset::export::ExportError;
use crate::runtime::dataset::export::manifest::MANIFEST;
use crate::runtime::dataset::readers::Kind;
use std::path::Path;

/// Whether the kept rows of such files can be written into a folder.
pub(super) fn can_be_written<'f>(
    out: &Path,
    mut files: impl Iterator<Item = (&'f str, Kind)>,
) -> Result<(), ExportError> {
    if out.exists() && !may_replace(out) {
        return Err(ExportError::Occupied(out.to_owned()));
    }
    match files.find(|(_, kind)| *kind == Kind::JsonArray) {
        Some((name, _)) => Err(ExportError::Setting(format!(
            "`{name}` is one JSON array, and a row of it cannot be left out without writing the others anew"
        ))),
        None => Ok(()),
    }
}

/// An audit of ours, or nothing at all.
pub(super) fn may_replace(target: &Path) -> bool {
    let manifest = std::fs::read_to_string(target.join(MANIFEST)).unwrap_or_default();
    let is_audit =
        serde_json::from_str::<serde_json::Value>(&manifest).is_ok_and(|json| json.get("audit").is_some());
    is_audit || std::fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_none())
}
