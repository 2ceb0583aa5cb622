//! The manifest: SHA-256 and rows of every file, and what made them; and its check, `verify`.
//!
//! The manifest names its own hash too (over its text with that one field empty), so no byte of a dataset can change
//! unseen. It is a seal against accidents, not a signature: who can write the folder can write a new manifest.

use super::files::Written;
use crate::pure::digest::{hex, sha256_hex};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

/// The manifest's file name.
pub(in crate::runtime) const MANIFEST: &str = "manifest.json";

/// The field that says that prompts of the run were still to be worked on.
pub(in crate::runtime) const PARTIAL: &str = "partial";

/// The field that says whether a simulated model made any of it.
pub(in crate::runtime) const SIMULATED: &str = "simulated";

/// Whether there is a dataset of a run that was finished.
pub(super) fn is_finished(dataset: &Path) -> bool {
    let text = std::fs::read_to_string(dataset.join(MANIFEST)).unwrap_or_default();
    serde_json::from_str::<Json>(&text)
        .is_ok_and(|manifest| manifest.is_object() && manifest.get(PARTIAL).is_none())
}

const UNSEALED: &str = "\"manifest_sha256\": \"\"";

/// The manifest's text.
pub(in crate::runtime) fn manifest(about: Map<String, Json>, files: &[Written]) -> String {
    let sorted: BTreeMap<&str, &Written> = files.iter().map(|file| (file.path.as_str(), file)).collect();
    let list: Map<String, Json> = sorted
        .into_iter()
        .map(|(path, file)| {
            let mut entry = json!({ "sha256": file.sha256, "bytes": file.bytes });
            if let (Some(rows), Some(entry)) = (file.rows, entry.as_object_mut()) {
                entry.insert("rows".into(), json!(rows));
            }
            (path.to_owned(), entry)
        })
        .collect();
    let mut whole = Map::new();
    whole.insert("manifest_sha256".into(), json!(""));
    whole.extend(about);
    whole.insert("files".into(), Json::Object(list));
    let text = format!("{:#}\n", Json::Object(whole));
    let seal = format!("\"manifest_sha256\": \"{}\"", sha256_hex(text.as_bytes()));
    text.replacen(UNSEALED, &seal, 1)
}

/// Something that is not as the manifest says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// There is no manifest, or it cannot be read.
    #[error("`manifest.json`: {0}")]
    Manifest(String),
    /// A listed file is not there.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A file is there that is not listed.
    #[error("`{0}` is not in the manifest")]
    Extra(String),
    /// A file's bytes differ.
    #[error("`{0}` has changed")]
    Changed(String),
    /// A file cannot be read.
    #[error("`{path}` cannot be read: {problem}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        problem: String,
    },
}

/// What `verify` met.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Files that are as they were written.
    pub intact: u64,
    /// Everything else.
    pub findings: Vec<Finding>,
}

/// Compares every byte of a dataset with its manifest.
pub fn verify(dir: &Path) -> Verified {
    let mut out = Verified::default();
    let files = match files_of(dir) {
        Ok(files) => files,
        Err(problem) => {
            out.findings.push(Finding::Manifest(problem));
            return out;
        }
    };
    out.intact = 1;
    for (path, want) in &files {
        match hash_of(&dir.join(path)) {
            Ok(hash) if hash == *want => out.intact += 1,
            Ok(_) => out.findings.push(Finding::Changed(path.clone())),
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {
                out.findings.push(Finding::Missing(path.clone()));
            }
            Err(problem) => {
                out.findings.push(Finding::Unreadable { path: path.clone(), problem: problem.to_string() });
            }
        }
    }
    let mut met = Vec::new();
    walk(dir, "", &mut met);
    met.sort();
    let extra = met.into_iter().filter(|path| path != MANIFEST && !files.contains_key(path));
    out.findings.extend(extra.map(Finding::Extra));
    out
}

/// The listed files and their hashes, once the manifest's own seal holds.
pub(in crate::runtime) fn files_of(dir: &Path) -> Result<BTreeMap<String, String>, String> {
    let text = std::fs::read_to_string(dir.join(MANIFEST)).map_err(|problem| problem.to_string())?;
    let json: Json = serde_json::from_str(&text).map_err(|problem| format!("not JSON: {problem}"))?;
    let seal = json.get("manifest_sha256").and_then(Json::as_str).ok_or("it has no `manifest_sha256`")?;
    let unsealed = text.replacen(&format!("\"manifest_sha256\": \"{seal}\""), UNSEALED, 1);
    if sha256_hex(unsealed.as_bytes()) != seal {
        return Err("it has changed since it was written".into());
    }
    let files = json.get("files").and_then(Json::as_object).ok_or("it lists no files")?;
    let entry = |(path, entry): (&String, &Json)| {
        let hash = entry.get("sha256").and_then(Json::as_str)?;
        // A listed path never leads out of the folder.
        let inside =
            path.split('/').all(|part| !part.is_empty() && part != "..") && !Path::new(path).is_absolute();
        inside.then(|| (path.clone(), hash.to_owned()))
    };
    files
        .iter()
        .map(|file| entry(file).ok_or_else(|| "an entry of `files` cannot be read".to_owned()))
        .collect()
}

fn hash_of(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = file.read(&mut buffer)?;
        let Some(read) = buffer.get(..n).filter(|read| !read.is_empty()) else { break };
        hash.update(read);
    }
    Ok(hex(&hash.finalize()))
}

fn walk(dir: &Path, prefix: &str, met: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(dir.join(prefix)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) { walk(dir, &path, met) } else { met.push(path) }
    }
}
