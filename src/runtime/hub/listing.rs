//! Which files of a dataset are meant: from what the hub lists to one configuration and one split.

use super::dataset_name::DatasetName;
use super::failure::Failure;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Files by split, by configuration.
pub(super) type Listing = BTreeMap<String, BTreeMap<String, Vec<Remote>>>;

/// A file on the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    /// The steps of its URL's path behind the hub's base.
    pub(super) steps: Vec<String>,
    /// Its name inside the dataset.
    pub(super) name: String,
    /// Its SHA-256 in hexadecimal, where the hub says it.
    pub(super) sha256: Option<String>,
}

/// Reads the Parquet endpoint's answer: lists of URLs by split, by configuration.
///
/// Only the last step of a URL is used. The rest is known, and a hub's mirror names the hub that it mirrors, which must not get the
/// mirror's token.
pub(super) fn parquet_listing(dataset: &DatasetName, body: &[u8]) -> Result<Listing, serde_json::Error> {
    type Urls = BTreeMap<String, BTreeMap<String, Vec<String>>>;
    let urls: Urls = serde_json::from_slice(body)?;
    let remote = |config: &str, split: &str, url: &str| {
        let file = url.split(['?', '#']).next().unwrap_or("").rsplit('/').next().unwrap_or("");
        let steps = ["api", "datasets", &dataset.owner, &dataset.name, "parquet", config, split, file];
        Remote {
            steps: steps.map(str::to_owned).to_vec(),
            name: format!("{config}/{split}/{file}"),
            sha256: None,
        }
    };
    let files = |config: &str, splits: BTreeMap<String, Vec<String>>| {
        let of = |(split, urls): (String, Vec<String>)| {
            let files = urls.iter().map(|url| remote(config, &split, url)).collect();
            (split, files)
        };
        splits.into_iter().map(of).collect()
    };
    Ok(urls.into_iter().map(|(config, splits)| (config.clone(), files(&config, splits))).collect())
}

#[derive(Deserialize)]
struct Entry {
    path: String,
    #[serde(default)]
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    oid: String,
}

/// Reads the list of a repository's files at a revision: its Parquet files, as `config/split/0000.parquet`, `config/split-….parquet`
/// or `split-….parquet`. The folder `data` is the configuration `default`, as the hub has it.
pub(super) fn tree_listing(
    dataset: &DatasetName,
    revision: &str,
    body: &[u8],
) -> Result<Listing, serde_json::Error> {
    let entries: Vec<Entry> = serde_json::from_slice(body)?;
    let mut listing = Listing::new();
    for Entry { path, lfs } in entries.into_iter().filter(|entry| entry.path.ends_with(".parquet")) {
        let parts: Vec<&str> = path.split('/').collect();
        let (config, split) = match parts.as_slice() {
            [.., config, split, _] => (*config, *split),
            [config, file] => (*config, split_of(file)),
            _ => ("data", split_of(&path)),
        };
        let config = if config == "data" { "default" } else { config };
        let mut steps =
            ["datasets", &dataset.owner, &dataset.name, "resolve", revision].map(str::to_owned).to_vec();
        steps.extend(parts.iter().map(|part| (*part).to_owned()));
        let remote = Remote { steps, name: path.clone(), sha256: lfs.map(|lfs| lfs.oid) };
        listing.entry(config.to_owned()).or_default().entry(split.to_owned()).or_default().push(remote);
    }
    Ok(listing)
}

fn split_of(file: &str) -> &str {
    file.split(['-', '.']).next().unwrap_or(file)
}

/// The files that a name means. A configuration or a split that is not named must be the only one, or `default` and `train`.
pub(super) fn choose(dataset: &DatasetName, listing: Listing) -> Result<Vec<Remote>, Failure> {
    let splits = one_of("configuration", dataset.config.as_deref(), "default", listing)?;
    let files = one_of("split", dataset.split.as_deref(), "train", splits)?;
    let empty = Failure::new("the hub lists no file of it", "Name another configuration or split.");
    if files.is_empty() { Err(empty) } else { Ok(files) }
}

fn one_of<T>(
    what: &str,
    wanted: Option<&str>,
    usual: &str,
    mut there: BTreeMap<String, T>,
) -> Result<T, Failure> {
    let names = there.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let form = "hf://datasets/OWNER/NAME/CONFIG/SPLIT";
    let remedy = format!("Name the {what} as in `{form}`; there are: {names}.");
    if there.is_empty() {
        return Err(Failure::new(
            "the hub has no Parquet files of it",
            "Download the dataset and name its files; or leave the revision out, as the hub converts the newest one.",
        ));
    }
    if let Some(wanted) = wanted {
        return there
            .remove(wanted)
            .ok_or_else(|| Failure::new(format!("it has no {what} `{wanted}`"), remedy));
    }
    if let Some(found) = there.remove(usual) {
        return Ok(found);
    }
    if there.len() > 1 {
        return Err(Failure::new(format!("it has more than one {what}, and none is `{usual}`"), remedy));
    }
    there.pop_first().map(|(_, only)| only).ok_or_else(|| Failure::new(format!("it has no {what}"), remedy))
}
