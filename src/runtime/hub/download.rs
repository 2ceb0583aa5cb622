//! Asks the hub, and keeps what it gives.

use super::dataset_name::DatasetName;
use super::listing::{Remote, choose, parquet_listing, tree_listing};
use super::{Failure, Fetched};
use crate::pure::digest::Parts;
use crate::runtime::tls;
use reqwest::{Client, Response, StatusCode, Url, header};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const HUB: &str = "https://huggingface.co";
/// The largest list of files that is read, in bytes.
const LARGEST_LIST: usize = 16 * 1024 * 1024;
/// The largest file that is downloaded, in bytes. The hub cuts its Parquet files at some 500 MB.
pub(super) const LARGEST_FILE: u64 = 16 * 1024 * 1024 * 1024;
const TRY_AGAIN: &str = "Try again; `HF_ENDPOINT` names another hub or a mirror.";

/// A hub, as whom it is asked, and where its files are kept.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) base: String,
    pub(super) token: Option<SecretString>,
    pub(super) cache: PathBuf,
    pub(super) largest_file: u64,
}

impl Hub {
    #[expect(clippy::disallowed_methods, reason = "the hub's own tools read these variables")]
    pub(super) fn from_environment() -> Result<Self, Failure> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let home = || variable("HOME").map(|home| Path::new(&home).join(".cache"));
        let cache = variable("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).ok_or_else(|| {
            Failure::new("there is no folder to keep it in", "Set `XDG_CACHE_HOME` or `HOME`.")
        })?;
        Ok(Self {
            base: variable("HF_ENDPOINT").unwrap_or_else(|| HUB.to_owned()),
            token: variable("HF_TOKEN").map(|token| token.trim().to_owned().into()),
            cache: cache.join("amend/hub"),
            largest_file: LARGEST_FILE,
        })
    }

    /// Lists the files of a dataset and brings them here.
    pub(super) async fn fetch(&self, dataset: &DatasetName) -> Result<Vec<Fetched>, Failure> {
        let client = self.client()?;
        let listing = match &dataset.revision {
            None => {
                let steps = ["api", "datasets", &dataset.owner, &dataset.name, "parquet"];
                parquet_listing(dataset, &self.list(&client, self.url(&steps)?).await?)
            }
            Some(revision) => {
                let steps = ["api", "datasets", &dataset.owner, &dataset.name, "tree", revision];
                let mut url = self.url(&steps)?;
                url.set_query(Some("recursive=true"));
                tree_listing(dataset, revision, &self.list(&client, url).await?)
            }
        };
        let listing = listing.map_err(|error| {
            Failure::new(format!("the hub's list of files is not in the documented form: {error}"), TRY_AGAIN)
        })?;
        let mut files = Vec::new();
        for remote in choose(dataset, listing)? {
            let path = self.keep(&client, &remote).await?;
            files.push(Fetched { name: format!("{}/{}", dataset.shown(), remote.name), path });
        }
        Ok(files)
    }

    /// A URL below the base. Each step is escaped, so a revision with a slash stays one step, as the hub wants it.
    fn url<S: AsRef<str>>(&self, steps: &[S]) -> Result<Url, Failure> {
        let wrong = || {
            Failure::new(
                "`HF_ENDPOINT` is no base URL",
                "Write it as `https://huggingface.co`, or leave it unset.",
            )
        };
        let mut url = Url::parse(&self.base).map_err(|_| wrong())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong());
        }
        url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().extend(steps);
        Ok(url)
    }

    fn client(&self) -> Result<Client, Failure> {
        tls::install_provider();
        let base = self.url::<&str>(&[])?;
        let is_near = tls::is_this_machine(&base);
        let mut builder = Client::builder()
            .connect_timeout(Duration::from_secs(15))
            .read_timeout(Duration::from_secs(60))
            .user_agent(concat!("amend/", env!("CARGO_PKG_VERSION")));
        if is_near {
            builder = builder.no_proxy();
        }
        if base.scheme() == "http" {
            builder = builder.tls_certs_only([]);
            if self.token.is_some() && !is_near {
                return Err(Failure::new(
                    "`HF_TOKEN` would go over the network in the clear",
                    "Give `HF_ENDPOINT` an `https://` URL, or unset `HF_TOKEN`.",
                ));
            }
        }
        builder.build().map_err(|error| {
            Failure::new(
                format!("TLS cannot be set up: {}", tls::root_cause(&error)),
                "Install the system's CA certificates.",
            )
        })
    }

    /// Sends a request. A redirect to another host goes without the token.
    async fn ask(&self, client: &Client, url: Url, known: Option<&str>) -> Result<Response, Failure> {
        let mut request = client.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(tag) = known {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        let response = request.send().await.map_err(|error| lost(&error))?;
        let status = response.status();
        if status.is_success() || (known.is_some() && status == StatusCode::NOT_MODIFIED) {
            return Ok(response);
        }
        Err(Failure::new(
            format!("the hub answers {status}"),
            match status.as_u16() {
                401 | 403 | 404 => {
                    "Check the name. For a private or gated dataset accept its terms on the hub, and set `HF_TOKEN`."
                }
                _ => TRY_AGAIN,
            },
        ))
    }

    async fn list(&self, client: &Client, url: Url) -> Result<Vec<u8>, Failure> {
        let mut response = self.ask(client, url, None).await?;
        let is_page = response
            .headers()
            .get_all(header::LINK)
            .iter()
            .any(|link| link.to_str().is_ok_and(|link| link.contains("rel=\"next\"")));
        if is_page {
            return Err(Failure::new(
                "the hub lists more files than one page holds",
                "Leave the revision out, or download the dataset and name its files.",
            ));
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| lost(&error))? {
            body.extend_from_slice(&piece);
            if body.len() > LARGEST_LIST {
                return Err(Failure::new("the hub's list of files is larger than 16 MiB", TRY_AGAIN));
            }
        }
        Ok(body)
    }

    /// The file on this machine: the one that was kept, where the hub says that it is still the same; else a new one.
    async fn keep(&self, client: &Client, remote: &Remote) -> Result<PathBuf, Failure> {
        let url = self.url(&remote.steps)?;
        std::fs::create_dir_all(&self.cache).map_err(|error| self.disk(&error))?;
        let name = Parts::new("hub file").with(url.as_str()).hex();
        let path = self.cache.join(format!("{name}.parquet"));
        let tag_path = self.cache.join(format!("{name}.etag"));
        let known = std::fs::read_to_string(&tag_path).ok().filter(|_| path.is_file());
        let response = self.ask(client, url, known.as_deref()).await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(path);
        }
        let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let part = self.receive(response, remote).await?;
        // The old tag goes before the file changes: a crash between the two downloads again.
        let _ = std::fs::remove_file(&tag_path);
        part.persist(&path).map_err(|error| self.disk(&error.error))?;
        if let Some(tag) = tag {
            std::fs::write(&tag_path, tag).map_err(|error| self.disk(&error))?;
        }
        Ok(path)
    }

    /// Writes a body to a temporary file, within bounds, and checks its hash where the hub says one.
    async fn receive(
        &self,
        mut response: Response,
        remote: &Remote,
    ) -> Result<tempfile::NamedTempFile, Failure> {
        let too_large = || {
            Failure::new(
                format!("`{}` is larger than {} bytes", remote.name, self.largest_file),
                "Name a smaller configuration or split.",
            )
        };
        if response.content_length().is_some_and(|length| length > self.largest_file) {
            return Err(too_large());
        }
        let mut part = tempfile::NamedTempFile::new_in(&self.cache).map_err(|error| self.disk(&error))?;
        let (mut hash, mut length) = (Sha256::new(), 0);
        while let Some(piece) = response.chunk().await.map_err(|error| lost(&error))? {
            length += piece.len() as u64;
            if length > self.largest_file {
                return Err(too_large());
            }
            hash.update(&piece);
            part.write_all(&piece).map_err(|error| self.disk(&error))?;
        }
        let found = hash.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        tracing::info!(file = remote.name, bytes = length, sha256 = found, "downloaded from the hub");
        if remote.sha256.as_ref().is_some_and(|wanted| *wanted != found) {
            return Err(Failure::new(
                format!("`{}` is not what the hub says: its SHA-256 is {found}", remote.name),
                TRY_AGAIN,
            ));
        }
        Ok(part)
    }

    fn disk(&self, error: &std::io::Error) -> Failure {
        Failure::new(
            format!("the cache `{}` cannot be written: {error}", self.cache.display()),
            "Make room, or name another folder with `XDG_CACHE_HOME`.",
        )
    }
}

fn lost(error: &reqwest::Error) -> Failure {
    Failure::new(format!("the hub cannot be reached: {}", tls::root_cause(error)), TRY_AGAIN)
}
