//! Which dataset may be published: one of a finished run, every byte of it as it was written, and simulated only where that is meant.

use super::export::manifest::{MANIFEST, PARTIAL, SIMULATED, files_of};
use super::export::{Finding, verify};
use crate::pure::digest::sha256_hex;
use crate::runtime::hub::FileToPush;
use serde_json::Value as Json;
use std::path::Path;

/// A dataset that may be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publishable {
    /// All its files, the manifest too, in the order of their names.
    pub files: Vec<FileToPush>,
    /// The hash that the manifest gives itself, in hexadecimal.
    pub seal: String,
    /// The version of amend that wrote it.
    pub written_by: String,
}

/// Why a folder may not be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unpublishable {
    /// The folder has no manifest.
    #[error("it holds no `{MANIFEST}`, so it is no dataset of amend")]
    NoManifest,
    /// The folder has the manifest of something else, such as the files that an audit kept.
    #[error("its `{MANIFEST}` is not that of a dataset which `amend run` or `amend export` wrote")]
    NoDataset,
    /// Something is not as it was written; what.
    #[error("{} of its files are not as they were written", .0.len())]
    Damaged(Vec<Finding>),
    /// Prompts of its run were still to be worked on.
    #[error("its run was not finished when it was written")]
    Unfinished,
    /// A simulated model made rows of it.
    #[error("it is simulated: a model that does not exist wrote its rows")]
    Simulated,
}

/// Looks at every byte of a dataset.
///
/// # Errors
///
/// The dataset may not be published. `with_simulated` lets a simulated one pass.
pub fn publishable(dir: &Path, with_simulated: bool) -> Result<Publishable, Unpublishable> {
    let text = std::fs::read_to_string(dir.join(MANIFEST)).map_err(|_| Unpublishable::NoManifest)?;
    let findings = verify(dir).findings;
    if !findings.is_empty() {
        return Err(Unpublishable::Damaged(findings));
    }
    let manifest: Json = serde_json::from_str(&text).unwrap_or_default();
    let word = |name: &str| manifest.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let simulated = manifest.get(SIMULATED).and_then(Json::as_bool).ok_or(Unpublishable::NoDataset)?;
    if manifest.get(PARTIAL).is_some() {
        return Err(Unpublishable::Unfinished);
    }
    if simulated && !with_simulated {
        return Err(Unpublishable::Simulated);
    }
    let files = files(dir, &text).map_err(|finding| Unpublishable::Damaged(vec![finding]))?;
    Ok(Publishable { files, seal: word("manifest_sha256"), written_by: word("amend_version") })
}

/// The files that the manifest lists, and itself.
fn files(dir: &Path, manifest: &str) -> Result<Vec<FileToPush>, Finding> {
    let mut hashes = files_of(dir).map_err(Finding::Manifest)?;
    hashes.insert(MANIFEST.to_owned(), sha256_hex(manifest.as_bytes()));
    let file = |(name, sha256): (String, String)| {
        let path = dir.join(&name);
        match std::fs::metadata(&path) {
            Ok(found) => Ok(FileToPush { name, path, bytes: found.len(), sha256 }),
            Err(problem) => Err(Finding::Unreadable { path: name, problem: problem.to_string() }),
        }
    };
    hashes.into_iter().map(file).collect()
}
