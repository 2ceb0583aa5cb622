//! The one commit of a push, as lines of JSON: what it is, the small files, the names of the large ones, what is removed.

use super::branch::{Branch, unexpected};
use super::difference::Difference;
use crate::runtime::hub::failure::Failure;
use crate::runtime::hub::patience::Patience;
use crate::runtime::hub::refusal::Step;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use std::time::Duration;

/// Commits, once, and gives the commit's id. A failure that may pass is no proof that there is no commit.
pub(super) async fn commit(
    branch: &Branch<'_>,
    (message, description): (&str, &str),
    difference: &Difference<'_>,
) -> Result<String, Failure> {
    let body = Bytes::from(lines(message, description, difference)?);
    let url = branch.api(&["commit", branch.name]);
    let make = || {
        let request = branch.connection.request(Method::POST, &url)?;
        Ok(request.header(CONTENT_TYPE, "application/x-ndjson").body(body.clone()))
    };
    let once = &mut Patience::new(1, Duration::ZERO);
    let response = branch.connection.send(once, &make).await?;
    let answer = branch.json(Step::Commit, response).await?;
    let id = answer.get("commitOid").and_then(Json::as_str).map(str::to_owned);
    id.ok_or_else(|| unexpected("names no commit"))
}

fn lines(message: &str, description: &str, difference: &Difference<'_>) -> Result<String, Failure> {
    let mut out = String::new();
    let mut add = |key: &str, value: Json| {
        let _ = writeln!(out, "{}", json!({ "key": key, "value": value }));
    };
    add("header", json!({ "summary": message, "description": description }));
    for file in &difference.small {
        let content = file.base64()?;
        add("file", json!({ "content": content, "path": file.name, "encoding": "base64" }));
    }
    for file in &difference.large {
        let value = json!({ "path": file.name, "algo": "sha256", "oid": file.sha256, "size": file.bytes });
        add("lfsFile", value);
    }
    for path in &difference.removed {
        add("deletedFile", json!({ "path": path }));
    }
    Ok(out)
}
