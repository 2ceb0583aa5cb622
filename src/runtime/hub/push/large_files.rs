//! Large and binary files, by the batch protocol of Git LFS: the hub names an address for each that it does not have.
//!
//! An address may be one for the whole file, or one for each part of it. Addresses are those of a store elsewhere, and are signed:
//! the token does not go there.

use super::branch::{Branch, unexpected};
use super::files::FileToPush;
use crate::runtime::hub::connection::again;
use crate::runtime::hub::failure::Failure;
use crate::runtime::hub::refusal::{Step, refused};
use crate::runtime::hub::transfer::{Direction, Transfer, tell};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, Url};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// How many files the hub is asked about at once.
const AT_ONCE: usize = 256;
const MEDIA_TYPE: &str = "application/vnd.git-lfs+json";

#[derive(Deserialize)]
struct Batch {
    #[serde(default)]
    transfer: Option<String>,
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    oid: String,
    #[serde(default)]
    actions: Option<Actions>,
    #[serde(default)]
    error: Option<ObjectError>,
}

#[derive(Deserialize)]
struct ObjectError {
    message: String,
}

#[derive(Deserialize)]
struct Actions {
    #[serde(default)]
    upload: Option<Action>,
    #[serde(default)]
    verify: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: BTreeMap<String, Json>,
}

/// Brings those files to the store that are not there, and says how many bytes that were.
pub(super) async fn upload(branch: &Branch<'_>, files: &[&FileToPush]) -> Result<u64, Failure> {
    let mut bytes = 0;
    for some in files.chunks(AT_ONCE) {
        let mut patience = branch.connection.patience();
        loop {
            match upload_some(branch, some, &mut bytes).await {
                Ok(()) => break,
                // The addresses may have run out. What is through is not asked for again.
                Err(failure) => again(&mut patience, failure).await?,
            }
        }
    }
    Ok(bytes)
}

async fn upload_some(branch: &Branch<'_>, files: &[&FileToPush], bytes: &mut u64) -> Result<(), Failure> {
    let objects = batch(branch, files).await?;
    let mut by_hash: BTreeMap<&str, &FileToPush> = BTreeMap::new();
    by_hash.extend(files.iter().map(|file| (file.sha256.as_str(), *file)));
    for object in objects {
        let Some(file) = by_hash.remove(object.oid.as_str()) else { continue };
        if let Some(error) = object.error {
            let said =
                crate::runtime::hub::refusal::one_line(&branch.connection.without_token(&error.message));
            let cause = format!("the hub does not take `{}`: {said}", file.name);
            return Err(Failure::of_hub(cause, "Do what the hub's message says, and push again."));
        }
        if let Some(upload) = object.actions.as_ref().and_then(|actions| actions.upload.as_ref()) {
            store(branch, file, upload).await?;
            *bytes += file.bytes;
        }
        if let Some(verify) = object.actions.as_ref().and_then(|actions| actions.verify.as_ref()) {
            let body = json!({ "oid": file.sha256, "size": file.bytes });
            let url = branch.connection.named(&verify.href)?;
            let response = branch.post(&url, &body, &mut branch.connection.patience()).await?;
            succeeded(branch, response).await?;
        }
    }
    match by_hash.first_key_value() {
        Some((_, file)) => Err(unexpected(&format!("does not say where to upload `{}`", file.name))),
        None => Ok(()),
    }
}

/// Asks where to upload.
async fn batch(branch: &Branch<'_>, files: &[&FileToPush]) -> Result<Vec<Object>, Failure> {
    let describe = |file: &&FileToPush| json!({ "oid": file.sha256, "size": file.bytes });
    let body = json!({
        "operation": "upload",
        "transfers": ["basic", "multipart"],
        "objects": files.iter().map(describe).collect::<Vec<_>>(),
        "hash_algo": "sha256",
        "ref": { "name": branch.name },
    });
    let repository = format!("{}.git", branch.to.name);
    let steps = ["datasets", &branch.to.owner, &repository, "info", "lfs", "objects", "batch"];
    let url = branch.connection.url(&steps);
    let make = || {
        let request = branch.connection.request(Method::POST, &url)?.body(body.to_string());
        Ok(request.header(ACCEPT, MEDIA_TYPE).header(CONTENT_TYPE, MEDIA_TYPE))
    };
    let response = branch.connection.send(&mut branch.connection.patience(), &make).await?;
    let answer = branch.json(Step::Upload, response).await?;
    let batch: Batch = serde_json::from_value(answer)
        .map_err(|error| unexpected(&format!("is not in the documented form: {error}")))?;
    match batch.transfer.as_deref() {
        None | Some("basic" | "multipart") => Ok(batch.objects),
        Some(other) => {
            Err(unexpected(&format!("asks for the way of upload `{other}`, which amend does not know")))
        }
    }
}

/// Uploads one file, whole or in parts.
async fn store(branch: &Branch<'_>, file: &FileToPush, action: &Action) -> Result<(), Failure> {
    let (direction, name) = (Direction::Up, file.name.as_str());
    tell(Transfer::Began { direction, file: name, bytes: Some(file.bytes) });
    let href = branch.connection.named(&action.href)?;
    match action.header.get("chunk_size") {
        Some(size) => store_parts(branch, file, action, size, &href).await?,
        None => {
            put(branch, file, 0, file.bytes, (&href, &headers(&action.header)?)).await?;
        }
    }
    tell(Transfer::Ended { direction, file: name, bytes: file.bytes });
    Ok(())
}

async fn store_parts(
    branch: &Branch<'_>,
    file: &FileToPush,
    action: &Action,
    size: &Json,
    completion: &Url,
) -> Result<(), Failure> {
    let size = size.as_u64().or_else(|| size.as_str()?.parse().ok()).filter(|size| *size > 0);
    let size = size.ok_or_else(|| unexpected("names a size of parts that is no number"))?;
    let numbered = |(name, href): (&String, &Json)| Some((name.parse().ok()?, href.as_str()?.to_owned()));
    let parts: BTreeMap<u64, String> = action.header.iter().filter_map(numbered).collect();
    if parts.len() as u64 != file.bytes.div_ceil(size) {
        return Err(unexpected(&format!("names another number of parts than `{}` has", file.name)));
    }
    let mut done = Vec::new();
    for (place, href) in (0_u64..).zip(parts.values()) {
        let from = place * size;
        let href = branch.connection.named(href)?;
        let response =
            put(branch, file, from, size.min(file.bytes - from), (&href, &HeaderMap::new())).await?;
        let tag =
            response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| !tag.is_empty());
        let tag = tag.ok_or_else(|| unexpected("gives no `ETag` for a part"))?;
        done.push(json!({ "partNumber": place + 1, "etag": tag }));
    }
    let body = json!({ "oid": file.sha256, "parts": done }).to_string();
    let make = || {
        let request = branch.connection.request_without_token(Method::POST, completion)?;
        Ok(request.body(body.clone()).header(ACCEPT, MEDIA_TYPE).header(CONTENT_TYPE, MEDIA_TYPE))
    };
    let response = branch.connection.send(&mut branch.connection.patience(), &make).await?;
    succeeded(branch, response).await
}

/// Puts a stretch of a file to an address, without the token.
async fn put(
    branch: &Branch<'_>,
    file: &FileToPush,
    from: u64,
    length: u64,
    (href, headers): (&Url, &HeaderMap),
) -> Result<Response, Failure> {
    let moved = Arc::new(AtomicU64::new(0));
    let make = || {
        let body = file.body(from, length, &moved)?;
        let request = branch.connection.request_without_token(Method::PUT, href)?.headers(headers.clone());
        Ok(request.header(CONTENT_LENGTH, length).body(body))
    };
    let mut patience = branch.connection.patience();
    let response = branch.connection.send_counted(&mut patience, &moved, &make).await?;
    if response.status().is_success() {
        return Ok(response);
    }
    Err(refused(branch.connection, Step::Store, response).await)
}

async fn succeeded(branch: &Branch<'_>, response: Response) -> Result<(), Failure> {
    if response.status().is_success() {
        return Ok(());
    }
    Err(refused(branch.connection, Step::Upload, response).await)
}

/// The headers that the hub wants with an upload.
fn headers(named: &BTreeMap<String, Json>) -> Result<HeaderMap, Failure> {
    let one = |(name, value): (&String, &Json)| {
        let name: HeaderName = name.parse().ok()?;
        let value: HeaderValue = value.as_str()?.parse().ok()?;
        Some((name, value))
    };
    let read: Option<HeaderMap> = named.iter().map(one).collect();
    read.ok_or_else(|| unexpected("names headers for an upload that are none"))
}
