//! The places that prompts have in an older dataset, so that one that grows moves none of them.

use super::ExportError;
use super::manifest::{MANIFEST, files_of};
use crate::runtime::dataset::readers;
use crate::runtime::dataset::rows::Config;
use crate::runtime::dataset::splits::{Pins, SPLITS};
use std::path::Path;

/// Places of an older dataset, and what names it.
#[derive(Debug, Clone)]
pub struct Older {
    /// Its prompts' places.
    pub pins: Pins,
    /// SHA-256 of its manifest.
    pub manifest_sha256: String,
}

/// Reads them from the dataset's Parquet files.
pub fn older(dir: &Path) -> Result<Older, ExportError> {
    let problem = |what: String| ExportError::Setting(format!("`{}` {what}", dir.display()));
    let text = std::fs::read(dir.join(MANIFEST))
        .map_err(|error| problem(format!("is not a dataset of amend: {MANIFEST}: {error}")))?;
    let files = files_of(dir).map_err(|error| problem(format!("has a damaged {MANIFEST}: {error}")))?;
    // `prompts` has every prompt once; without it, every config is asked.
    let every_prompt = format!("{}/", Config::Prompts.as_str());
    let has_prompts = files.keys().any(|path| path.starts_with(&every_prompt));
    let mut pins = Pins::default();
    for path in files.keys().filter(|path| path.ends_with(".parquet")) {
        if has_prompts && !path.starts_with(&every_prompt) {
            continue;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let Some(split) = SPLITS.iter().position(|split| name.starts_with(&format!("{split}-"))) else {
            continue;
        };
        read(&dir.join(path), split, &mut pins).map_err(problem)?;
    }
    Ok(Older { pins, manifest_sha256: crate::pure::digest::sha256_hex(&text) })
}

fn read(path: &Path, split: usize, pins: &mut Pins) -> Result<(), String> {
    let settings = readers::Settings { format: None, max_bytes: usize::MAX, known_columns: &[] };
    let files = readers::open(vec![readers::Source::Path(path.to_owned())], &settings)
        .map_err(|error| error.to_string())?;
    for row in files.into_iter().flat_map(|file| file.into_rows(Some(&["prompt_id", "prompt_family"]))) {
        let row = row.map_err(|reject| format!("cannot be read: {}", reject.detail))?;
        let text = |column: &str| row.columns.get(column).and_then(serde_json::Value::as_str);
        let placed = text("prompt_id").zip(text("prompt_family"));
        if !placed.is_some_and(|(id, family)| pins.add(id, family, split)) {
            return Err(format!("has a prompt without a family, or in two: {}", row.at));
        }
    }
    Ok(())
}
