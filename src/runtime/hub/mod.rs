//! Datasets of the Hugging Face hub, as local Parquet files: `hf://datasets/OWNER/NAME[/config[/split]][@revision]`.
//!
//! Without a revision the hub's Parquet endpoint is asked, which every public dataset has. With one, the repository's files at that
//! revision are read. A file is downloaded whole or not at all, and is kept in the cache; it is downloaded again when the hub says
//! that it changed.

mod dataset_name;
mod download;
mod listing;

use dataset_name::DatasetName;
use download::Hub;
use std::path::PathBuf;

pub use dataset_name::is_hub_name;

/// A dataset that the hub does not give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot be read: {cause}")]
pub struct HubError {
    /// The dataset, as the user named it.
    pub name: String,
    /// What happened.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

/// One file of a dataset, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// What to call it: the dataset's name with the configuration, the split and the file.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
}

/// What went wrong, before the dataset's name is put to it.
#[derive(Debug, PartialEq, Eq)]
struct Failure {
    cause: String,
    remedy: String,
}

impl Failure {
    fn new(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { cause: cause.into(), remedy: remedy.into() }
    }

    fn of(self, name: &str) -> HubError {
        HubError { name: name.to_owned(), cause: self.cause, remedy: self.remedy }
    }
}

/// Brings the files of a dataset here. The hub, the token and the cache come from `HF_ENDPOINT`, `HF_TOKEN` and
/// `XDG_CACHE_HOME` (or `HOME`).
///
/// # Errors
///
/// The name is not one of a dataset, the hub does not give it, or the cache cannot be written.
pub fn fetch(name: &str) -> Result<Vec<Fetched>, HubError> {
    let run = || Hub::from_environment().and_then(|hub| fetch_from(&hub, name));
    run().map_err(|failure| failure.of(name))
}

/// The same from a given hub. The caller may stand inside a runtime of its own, so the download has its own thread.
fn fetch_from(hub: &Hub, name: &str) -> Result<Vec<Fetched>, Failure> {
    let dataset = DatasetName::parse(name)?;
    let download = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(error.to_string(), "Try again."))?;
        runtime.block_on(hub.fetch(&dataset))
    };
    let outcome = std::thread::scope(|scope| scope.spawn(download).join());
    outcome.unwrap_or_else(|_| Err(Failure::new("the download broke off", "Report this as a bug.")))
}

#[cfg(test)]
mod tests;
