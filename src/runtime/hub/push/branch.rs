//! A branch of a repository, and a request about it.

use crate::runtime::hub::connection::Connection;
use crate::runtime::hub::dataset_name::RepoName;
use crate::runtime::hub::failure::Failure;
use crate::runtime::hub::patience::Patience;
use crate::runtime::hub::refusal::{Step, refused};
use reqwest::{Method, Response, Url};
use serde_json::Value as Json;

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// A repository's branch, as the steps of a push ask for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Branch<'a> {
    pub(super) connection: &'a Connection,
    pub(super) to: &'a RepoName,
    pub(super) name: &'a str,
}

impl Branch<'_> {
    /// A URL of the API that is about the dataset.
    pub(super) fn api(&self, steps: &[&str]) -> Url {
        let of_dataset = ["api", "datasets", &self.to.owner, &self.to.name];
        self.connection.url(&[of_dataset.as_slice(), steps].concat())
    }

    /// The dataset's page.
    pub(super) fn page(&self) -> String {
        self.connection.url(&["datasets", &self.to.owner, &self.to.name]).to_string()
    }

    /// Posts JSON, as often as patience lasts. Any status may come back.
    pub(super) async fn post(
        &self,
        url: &Url,
        body: &Json,
        patience: &mut Patience,
    ) -> Result<Response, Failure> {
        let make = || Ok(self.connection.request(Method::POST, url)?.json(body));
        self.connection.send(patience, &make).await
    }

    /// Posts JSON and reads the JSON of a success.
    pub(super) async fn ask(&self, step: Step, url: &Url, body: &Json) -> Result<Json, Failure> {
        let response = self.post(url, body, &mut self.connection.patience()).await?;
        self.json(step, response).await
    }

    /// The JSON of a success.
    pub(super) async fn json(&self, step: Step, response: Response) -> Result<Json, Failure> {
        if !response.status().is_success() {
            return Err(refused(self.connection, step, response).await);
        }
        let body = bounded(response, LARGEST_ANSWER).await?;
        serde_json::from_slice(&body).map_err(|_| unexpected("is no JSON"))
    }
}

/// A body within a bound.
pub(super) async fn bounded(mut response: Response, most: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(piece) =
        response.chunk().await.map_err(|error| crate::runtime::hub::connection::lost(&error))?
    {
        body.extend_from_slice(&piece);
        if body.len() > most {
            return Err(unexpected("is larger than 16 MiB"));
        }
    }
    Ok(body)
}

/// An answer that is not in the documented form.
pub(super) fn unexpected(what: &str) -> Failure {
    let remedy = "See that `HF_ENDPOINT` is a hub, and push again.";
    Failure::of_hub(format!("an answer of the hub {what}"), remedy)
}
