//! Reading: which files a dataset has, and those files, kept on this machine.

use super::Fetched;
use super::connection::{Access, Connection, Purpose, TRY_AGAIN, again, lost, variable};
use super::dataset_name::DatasetName;
use super::failure::Failure;
use super::listing::{Remote, choose, parquet_listing, tree_listing};
use super::patience::Patience;
use super::refusal::{Step, refused};
use super::transfer::{Direction, Transfer, tell};
use crate::pure::digest::{Parts, hex};
use reqwest::{Method, Response, StatusCode, Url, header};
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The largest list of files that is read, in bytes.
const LARGEST_LIST: usize = 16 * 1024 * 1024;
/// The largest file that is downloaded, in bytes. The hub cuts its Parquet files at some 500 MB.
pub(super) const LARGEST_FILE: u64 = 16 * 1024 * 1024 * 1024;

/// A hub that is read, and where its files are kept.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) access: Access,
    pub(super) cache: PathBuf,
    pub(super) largest_file: u64,
}

impl Hub {
    pub(super) fn from_environment() -> Result<Self, Failure> {
        let home = || variable("HOME").map(|home| Path::new(&home).join(".cache"));
        let cache = variable("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).ok_or_else(|| {
            Failure::new("there is no folder to keep it in", "Set `XDG_CACHE_HOME` or `HOME`.")
        })?;
        let access = Access::from_environment()?;
        Ok(Self { access, cache: cache.join("amend/hub"), largest_file: LARGEST_FILE })
    }

    /// Lists the files of a dataset and brings them here.
    pub(super) async fn fetch(&self, dataset: &DatasetName) -> Result<Vec<Fetched>, Failure> {
        let connection = Connection::open(&self.access, Purpose::Read)?;
        let listing = match &dataset.revision {
            None => {
                let steps = ["api", "datasets", &dataset.owner, &dataset.name, "parquet"];
                parquet_listing(dataset, &list(&connection, connection.url(&steps)).await?)
            }
            Some(revision) => {
                let steps = ["api", "datasets", &dataset.owner, &dataset.name, "tree", revision];
                let mut url = connection.url(&steps);
                url.set_query(Some("recursive=true"));
                tree_listing(dataset, revision, &list(&connection, url).await?)
            }
        };
        let listing = listing.map_err(|error| {
            let cause = format!("the hub's list of files is not in the documented form: {error}");
            Failure::of_hub(cause, TRY_AGAIN)
        })?;
        let mut files = Vec::new();
        for remote in choose(dataset, listing)? {
            let (path, sha256) = self.keep(&connection, &remote).await?;
            files.push(Fetched { name: format!("{}/{}", dataset.shown(), remote.name), path, sha256 });
        }
        Ok(files)
    }

    /// The file on this machine: the one that was kept, where the hub says that it is still the same; else a new one. A body that
    /// breaks off is asked for again. Gives the file's SHA-256 too.
    async fn keep(&self, connection: &Connection, remote: &Remote) -> Result<(PathBuf, String), Failure> {
        let mut patience = connection.patience();
        loop {
            match self.keep_once(connection, remote, &mut patience).await {
                Ok(path) => return Ok(path),
                Err(failure) => again(&mut patience, failure).await?,
            }
        }
    }

    async fn keep_once(
        &self,
        connection: &Connection,
        remote: &Remote,
        patience: &mut Patience,
    ) -> Result<(PathBuf, String), Failure> {
        let url = connection.url(&remote.steps);
        std::fs::create_dir_all(&self.cache).map_err(|error| self.disk(&error))?;
        let name = Parts::new("hub file").with(url.as_str()).hex();
        let path = self.cache.join(format!("{name}.parquet"));
        let tag_path = self.cache.join(format!("{name}.etag"));
        // The tag, and the hash of the file that it is the tag of.
        let known = std::fs::read_to_string(&tag_path).ok().filter(|_| path.is_file());
        let known = known.as_deref().and_then(|text| text.split_once('\n'));
        let response = ask(connection, patience, url, known.map(|(tag, _)| tag)).await?;
        if let (StatusCode::NOT_MODIFIED, Some((_, sha256))) = (response.status(), known) {
            return Ok((path, sha256.to_owned()));
        }
        let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let (part, sha256) = self.receive(response, remote).await?;
        // The old tag goes before the file changes: a crash between the two downloads again.
        let _ = std::fs::remove_file(&tag_path);
        part.persist(&path).map_err(|error| self.disk(&error.error))?;
        if let Some(tag) = tag {
            std::fs::write(&tag_path, format!("{tag}\n{sha256}")).map_err(|error| self.disk(&error))?;
        }
        Ok((path, sha256))
    }

    /// Writes a body to a temporary file, within bounds, and checks its hash where the hub says one.
    async fn receive(
        &self,
        mut response: Response,
        remote: &Remote,
    ) -> Result<(tempfile::NamedTempFile, String), Failure> {
        let too_large = || {
            Failure::new(
                format!("`{}` is larger than {} bytes", remote.name, self.largest_file),
                "Name a smaller configuration or split.",
            )
        };
        let (direction, file, bytes) = (Direction::Down, remote.name.as_str(), response.content_length());
        if bytes.is_some_and(|length| length > self.largest_file) {
            return Err(too_large());
        }
        tell(Transfer::Began { direction, file, bytes });
        let mut part = tempfile::NamedTempFile::new_in(&self.cache).map_err(|error| self.disk(&error))?;
        let (mut hash, mut length) = (Sha256::new(), 0);
        while let Some(piece) = response.chunk().await.map_err(|error| lost(&error))? {
            length += piece.len() as u64;
            if length > self.largest_file {
                return Err(too_large());
            }
            hash.update(&piece);
            part.write_all(&piece).map_err(|error| self.disk(&error))?;
            tell(Transfer::Moved(piece.len() as u64));
        }
        let found = hex(&hash.finalize());
        tracing::info!(file, bytes = length, sha256 = found, "downloaded from the hub");
        if remote.sha256.as_ref().is_some_and(|wanted| *wanted != found) {
            let cause = format!("`{file}` is not what the hub says: its SHA-256 is {found}");
            return Err(Failure::of_hub(cause, TRY_AGAIN));
        }
        tell(Transfer::Ended { direction, file, bytes: length });
        Ok((part, found))
    }

    fn disk(&self, error: &std::io::Error) -> Failure {
        Failure::of_disk(
            format!("the cache `{}` cannot be written: {error}", self.cache.display()),
            "Make room, or name another folder with `XDG_CACHE_HOME`.",
        )
    }
}

/// Asks for something. A redirect to another host goes without the token.
async fn ask(
    connection: &Connection,
    patience: &mut Patience,
    url: Url,
    known: Option<&str>,
) -> Result<Response, Failure> {
    let make = || {
        let request = connection.request(Method::GET, &url)?;
        Ok(match known {
            Some(tag) => request.header(header::IF_NONE_MATCH, tag),
            None => request,
        })
    };
    let response = connection.send(patience, &make).await?;
    let status = response.status();
    if status.is_success() || (known.is_some() && status == StatusCode::NOT_MODIFIED) {
        return Ok(response);
    }
    Err(refused(connection, Step::Read, response).await)
}

/// A whole list of files, asked for again when it breaks off.
async fn list(connection: &Connection, url: Url) -> Result<Vec<u8>, Failure> {
    let mut patience = connection.patience();
    loop {
        let response = ask(connection, &mut patience, url.clone(), None).await?;
        match whole(response).await {
            Ok(body) => return Ok(body),
            Err(failure) => again(&mut patience, failure).await?,
        }
    }
}

/// The body of a list, within bounds.
async fn whole(mut response: Response) -> Result<Vec<u8>, Failure> {
    let links = response.headers().get_all(header::LINK);
    if links.iter().any(|link| link.to_str().is_ok_and(|link| link.contains("rel=\"next\""))) {
        return Err(Failure::new(
            "the hub lists more files than one page holds",
            "Leave the revision out, or download the dataset and name its files.",
        ));
    }
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| lost(&error))? {
        body.extend_from_slice(&piece);
        if body.len() > LARGEST_LIST {
            return Err(Failure::of_hub("the hub's list of files is larger than 16 MiB", TRY_AGAIN));
        }
    }
    Ok(body)
}
