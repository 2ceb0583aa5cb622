//! What the hub lacks of a dataset, what it has otherwise, and what it has of an older one.

use super::branch::{Branch, bounded, unexpected};
use super::files::FileToPush;
use crate::runtime::hub::failure::Failure;
use crate::runtime::hub::refusal::{Step, refused};
use reqwest::header::LOCATION;
use reqwest::{Method, Response, Url};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// How many files the hub is asked about at once.
const AT_ONCE: usize = 256;
/// The largest file that goes into a commit itself, in bytes, whatever the hub says: a commit is in memory.
const LARGEST_SMALL: u64 = 16 * 1024 * 1024;
const MANIFEST: &str = "manifest.json";
const LARGEST_MANIFEST: usize = 16 * 1024 * 1024;

/// What is between a dataset and a branch.
#[derive(Debug, Default)]
pub(super) struct Difference<'a> {
    /// Files that a commit holds.
    pub(super) small: Vec<&'a FileToPush>,
    /// Files that a commit names, and that lie in a store.
    pub(super) large: Vec<&'a FileToPush>,
    /// Files of an older dataset. Left there they would be read with the new ones, as the card names files by a pattern.
    pub(super) removed: Vec<String>,
}

impl Difference<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.small.is_empty() && self.large.is_empty() && self.removed.is_empty()
    }
}

#[derive(Deserialize)]
struct Preupload {
    files: Vec<Known>,
}

/// What the hub says of a path.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    path: String,
    upload_mode: Mode,
    #[serde(default)]
    should_ignore: bool,
    /// The hash of what is there: SHA-256 of a large file, git's id of a small one.
    #[serde(default)]
    oid: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Lfs,
    Regular,
}

/// Asks the hub what it has.
pub(super) async fn between<'a>(
    branch: &Branch<'_>,
    files: &'a [FileToPush],
) -> Result<Difference<'a>, Failure> {
    let mut difference = Difference::default();
    for some in files.chunks(AT_ONCE) {
        let known = known(branch, some).await?;
        for file in some {
            let known = known
                .get(file.name.as_str())
                .ok_or_else(|| unexpected(&format!("does not say how to upload `{}`", file.name)))?;
            place(&mut difference, file, known)?;
        }
    }
    // The same manifest lists the same files.
    if difference.small.iter().chain(&difference.large).any(|file| file.name == MANIFEST) {
        difference.removed = older_files(branch, files).await?;
    }
    Ok(difference)
}

/// Puts a file where it belongs, unless it is there already.
fn place<'a>(difference: &mut Difference<'a>, file: &'a FileToPush, known: &Known) -> Result<(), Failure> {
    if known.should_ignore {
        let cause = format!("the dataset's `.gitignore` on the hub leaves out `{}`", file.name);
        return Err(Failure::new(cause, "Remove that line on the hub: a dataset is pushed whole."));
    }
    // The hub's store takes no empty file.
    let is_large = file.bytes > LARGEST_SMALL || (known.upload_mode == Mode::Lfs && file.bytes > 0);
    let id = if is_large { file.sha256.clone() } else { file.git_id()? };
    if known.oid.as_ref() == Some(&id) {
        return Ok(());
    }
    let files = if is_large { &mut difference.large } else { &mut difference.small };
    files.push(file);
    Ok(())
}

async fn known(branch: &Branch<'_>, files: &[FileToPush]) -> Result<BTreeMap<String, Known>, Failure> {
    let describe = |file: &FileToPush| -> Result<Json, Failure> {
        Ok(json!({ "path": file.name, "sample": file.sample()?, "size": file.bytes }))
    };
    let files: Vec<Json> = files.iter().map(describe).collect::<Result<_, _>>()?;
    let url = branch.api(&["preupload", branch.name]);
    let answer = branch.ask(Step::Compare, &url, &json!({ "files": files })).await?;
    let answer: Preupload = serde_json::from_value(answer)
        .map_err(|error| unexpected(&format!("is not in the documented form: {error}")))?;
    Ok(answer.files.into_iter().map(|known| (known.path.clone(), known)).collect())
}

/// The files that the manifest on the hub lists and the new dataset does not have, as far as they are there.
async fn older_files(branch: &Branch<'_>, files: &[FileToPush]) -> Result<Vec<String>, Failure> {
    let steps = ["datasets", &branch.to.owner, &branch.to.name, "resolve", branch.name, MANIFEST];
    let mut response = get(branch, &branch.connection.url(&steps)).await?;
    // A large file lies in a store elsewhere, where the token does not go.
    let place = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
    if let Some(place) = place.and_then(|place| place.to_str().ok()) {
        response = get(branch, &branch.connection.named(place)?).await?;
    }
    if response.status().as_u16() == 404 {
        return Ok(Vec::new());
    }
    if !response.status().is_success() {
        return Err(refused(branch.connection, Step::Compare, response).await);
    }
    let body = bounded(response, LARGEST_MANIFEST).await?;
    // What is there under that name may be anything; only a manifest of ours lists files.
    let manifest: Json = serde_json::from_slice(&body).unwrap_or_default();
    let is_ours = manifest.get("manifest_sha256").is_some();
    let listed = manifest.get("files").and_then(Json::as_object).filter(|_| is_ours);
    let is_gone = |name: &&String| files.iter().all(|file| file.name != **name);
    let gone: Vec<String> =
        listed.into_iter().flat_map(|files| files.keys()).filter(is_gone).cloned().collect();
    existing(branch, &gone).await
}

async fn get(branch: &Branch<'_>, url: &Url) -> Result<Response, Failure> {
    let make = || branch.connection.request(Method::GET, url);
    branch.connection.send(&mut branch.connection.patience(), &make).await
}

/// Those of these paths that are files on the hub: a commit that removes any other is refused.
async fn existing(branch: &Branch<'_>, paths: &[String]) -> Result<Vec<String>, Failure> {
    let url = branch.api(&["paths-info", branch.name]);
    let mut there = Vec::new();
    for some in paths.chunks(AT_ONCE) {
        let answer = branch.ask(Step::Compare, &url, &json!({ "paths": some, "expand": false })).await?;
        let entries = answer.as_array().ok_or_else(|| unexpected("is no list of files"))?;
        let is_file = |entry: &&Json| entry.get("type").and_then(Json::as_str) == Some("file");
        let path = |entry: &Json| entry.get("path").and_then(Json::as_str).map(str::to_owned);
        there.extend(entries.iter().filter(is_file).filter_map(path).filter(|path| some.contains(path)));
    }
    Ok(there)
}
