//! Datasets of the Hugging Face hub: read as local Parquet files, `hf://datasets/OWNER/NAME[/config[/split]][@revision]`, and
//! pushed there from a finished dataset's folder ([`push()`]).
//!
//! Without a revision the hub's Parquet endpoint is asked, which every public dataset has. With one, the repository's files at that
//! revision are read. A file is downloaded whole or not at all, and is kept in the cache; it is downloaded again when the hub says
//! that it changed.

mod connection;
mod dataset_name;
mod download;
mod failure;
mod listing;
mod patience;
mod push;
mod refusal;
mod transfer;

use connection::{Access, Connection, Purpose};
use dataset_name::DatasetName;
use download::Hub;
use failure::Failure;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

pub use dataset_name::{RepoName, is_hub_name};
pub use failure::{HubError, HubTrouble};
pub use push::{FileToPush, Push, Pushed};
pub use transfer::{Direction, Transfer, observe};

/// One file of a dataset, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// What to call it: the dataset's name with the configuration, the split and the file.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

/// A file of the hub as a run read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubFile {
    /// The dataset's name with the configuration, the split and the file.
    pub name: String,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

/// Brings the files of a dataset here. The hub, the token and the cache come from `HF_ENDPOINT`, `HF_TOKEN` and
/// `XDG_CACHE_HOME` (or `HOME`).
///
/// # Errors
///
/// The name is not one of a dataset, the hub does not give it, or the cache cannot be written.
pub fn fetch(name: &str) -> Result<Vec<Fetched>, HubError> {
    let run = || Hub::from_environment().and_then(|hub| fetch_from(&hub, name));
    run().map_err(|failure| failure.of(name, "read"))
}

/// The same from a given hub. The caller may stand inside a runtime of its own, so the download has its own thread.
fn fetch_from(hub: &Hub, name: &str) -> Result<Vec<Fetched>, Failure> {
    let dataset = DatasetName::parse(name)?;
    let outcome = std::thread::scope(|scope| scope.spawn(|| alone(hub.fetch(&dataset))).join());
    outcome.unwrap_or_else(|_| Err(Failure::new("the download broke off", "Report this as a bug.")))
}

/// Brings the files of a dataset to the hub, in one commit. The hub and the token come from `HF_ENDPOINT` and `HF_TOKEN`.
///
/// The caller has made sure that the files are a dataset that may be published. Blocks until it is done; not for use inside a runtime.
///
/// # Errors
///
/// There is no token, the hub does not take the dataset, or a file is not what it was.
pub fn push(push: &Push<'_>) -> Result<Pushed, HubError> {
    let run = || {
        let access = Access::from_environment()?;
        push_to(&access, push)
    };
    run().map_err(|failure: Failure| failure.of(&push.to.to_string(), "pushed"))
}

/// The same to a given hub.
fn push_to(access: &Access, push: &Push<'_>) -> Result<Pushed, Failure> {
    if access.token.is_none() {
        let remedy =
            "Set it to a token with the right to write, which the settings of your account on the hub make.";
        return Err(Failure::new("`HF_TOKEN` is not set", remedy));
    }
    let connection = Connection::open(access, Purpose::Push)?;
    alone(push::push(&connection, push))
}

/// Runs something to its end on a runtime of its own.
fn alone<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::of_disk(error.to_string(), "Try again."))?.block_on(work)
}

#[cfg(test)]
mod tests;
