//! Pushing: the files of a dataset become one commit of a dataset's repository on the hub.
//!
//! 1. The repository is made unless it is there. Nothing is uploaded before the hub has said that it is as private as asked for.
//! 2. The hub says of each file how it wants it, and the hash of what it has under that name ([`difference`]). What is there
//!    already is left alone.
//! 3. Large and binary files go to the store that the hub names ([`large_files`]).
//! 4. One commit names those, holds the small ones, and removes the files of an older dataset that the new one does not have
//!    ([`commit`]).
//!
//! A commit whose answer is lost is not sent blindly again: steps 2 to 4 are done again, and find nothing to do if it went through.

mod branch;
mod commit;
mod difference;
mod files;
mod large_files;
mod repository;

pub use files::FileToPush;

use super::connection::{Connection, again};
use super::dataset_name::RepoName;
use super::failure::Failure;
use branch::Branch;

/// What is pushed, and where to.
#[derive(Debug)]
pub struct Push<'a> {
    /// The repository.
    pub to: &'a RepoName,
    /// The branch; `main` where it is the usual one.
    pub branch: &'a str,
    /// Every file of the dataset, the manifest too.
    pub files: &'a [FileToPush],
    /// The first line of the commit.
    pub message: &'a str,
    /// What the commit says below that line.
    pub description: &'a str,
    /// Whether anybody may see it.
    pub is_public: bool,
}

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The page of the dataset on the hub.
    pub page: String,
    /// The commit's id; none where the hub had everything.
    pub commit: Option<String>,
    /// Files that the hub did not have, or had otherwise.
    pub new: u64,
    /// Bytes that were uploaded for them.
    pub uploaded_bytes: u64,
    /// Files that were there already.
    pub unchanged: u64,
    /// Files of an older dataset that are not in this one and were removed.
    pub removed: Vec<String>,
    /// Whether the repository was made.
    pub is_created: bool,
    /// Whether anybody may see it.
    pub is_public: bool,
}

pub(super) async fn push(connection: &Connection, push: &Push<'_>) -> Result<Pushed, Failure> {
    let branch = Branch { connection, to: push.to, name: push.branch };
    let repository = repository::ready(&branch, push.is_public).await?;
    let mut uploaded_bytes = 0;
    let mut patience = connection.patience();
    let (difference, commit) = loop {
        let difference = difference::between(&branch, push.files).await?;
        if difference.is_empty() {
            break (difference, None);
        }
        uploaded_bytes += large_files::upload(&branch, &difference.large).await?;
        match commit::commit(&branch, (push.message, push.description), &difference).await {
            Ok(id) => break (difference, Some(id)),
            Err(failure) => again(&mut patience, failure).await?,
        }
    };
    let small: u64 = difference.small.iter().map(|file| file.bytes).sum();
    let new = (difference.small.len() + difference.large.len()) as u64;
    Ok(Pushed {
        page: branch.page(),
        commit,
        new,
        uploaded_bytes: uploaded_bytes + small,
        unchanged: push.files.len() as u64 - new,
        removed: difference.removed,
        is_created: repository.is_created,
        is_public: repository.is_public,
    })
}
