//! The repository that a push goes to: made where it is not there, and as private as asked for before anything is uploaded.

use super::branch::{Branch, unexpected};
use crate::runtime::hub::connection::again;
use crate::runtime::hub::failure::Failure;
use crate::runtime::hub::refusal::{Step, refused};
use reqwest::Method;
use serde_json::{Value as Json, json};

/// A repository that can be pushed to.
#[derive(Debug)]
pub(super) struct Repository {
    pub(super) is_created: bool,
    pub(super) is_public: bool,
}

/// What became of the wish to make a repository.
#[derive(Debug)]
enum Creation {
    Made,
    WasThere,
    /// The token may not make one. One that is there may still be written to.
    Refused(Failure),
}

/// Makes the repository and the branch unless they are there.
pub(super) async fn ready(branch: &Branch<'_>, wants_public: bool) -> Result<Repository, Failure> {
    let creation = create(branch, wants_public).await?;
    let found = is_public(branch).await;
    let (is_created, is_public) = match (creation, found) {
        (Creation::Made, found) => (true, found?),
        (Creation::WasThere, found) => (false, found?),
        (Creation::Refused(_), Ok(found)) => (false, found),
        (Creation::Refused(refusal), Err(_)) => return Err(refusal),
    };
    if is_public && !wants_public {
        return Err(Failure::new(
            "the dataset is public on the hub, and `--public` was not given",
            "Give `--public`, name another NAME, or make it private in its settings on the hub.",
        ));
    }
    make_branch(branch).await?;
    Ok(Repository { is_created, is_public })
}

async fn create(branch: &Branch<'_>, wants_public: bool) -> Result<Creation, Failure> {
    let url = branch.connection.url(&["api", "repos", "create"]);
    let body = json!({
        "type": "dataset",
        "name": branch.to.name,
        "organization": branch.to.owner,
        "private": !wants_public,
    });
    let mut patience = branch.connection.patience();
    loop {
        let response = branch.post(&url, &body, &mut patience).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(Creation::Made);
        }
        let failure = refused(branch.connection, Step::Create, response).await;
        match status.as_u16() {
            409 if !failure.may_pass => return Ok(Creation::WasThere),
            401..=403 => return Ok(Creation::Refused(failure)),
            _ => again(&mut patience, failure).await?,
        }
    }
}

/// Whether anybody may see the repository, by the hub's own word.
async fn is_public(branch: &Branch<'_>) -> Result<bool, Failure> {
    let url = branch.api(&[]);
    let make = || branch.connection.request(Method::GET, &url);
    let response = branch.connection.send(&mut branch.connection.patience(), &make).await?;
    let about = branch.json(Step::Look, response).await?;
    let private = about.get("private").and_then(Json::as_bool);
    private.map(|private| !private).ok_or_else(|| unexpected("does not say whether the dataset is private"))
}

/// A branch besides `main` is made from it. A reference, such as that of a pull request, is there or is not.
async fn make_branch(branch: &Branch<'_>) -> Result<(), Failure> {
    if branch.name == "main" || branch.name.starts_with("refs/") {
        return Ok(());
    }
    let url = branch.api(&["branch", branch.name]);
    let response = branch.post(&url, &json!({}), &mut branch.connection.patience()).await?;
    if response.status().is_success() || response.status().as_u16() == 409 {
        return Ok(());
    }
    Err(refused(branch.connection, Step::Branch, response).await)
}
