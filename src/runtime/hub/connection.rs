//! One hub, as whom it is asked, and a request that is made again where that may help. Reading and pushing share it.
//!
//! The token goes to the hub's own origin and nowhere else, and over plain HTTP only to this machine.

use super::failure::Failure;
use super::patience::{Patience, asked_for, may_pass};
use super::transfer::{Transfer, tell};
use crate::runtime::tls;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const HUB: &str = "https://huggingface.co";
pub(super) const TRY_AGAIN: &str = "Try again; `HF_ENDPOINT` names another hub or a mirror.";
const TRIES: u32 = 5;
/// How long nothing may move in either direction.
const STALLED: Duration = Duration::from_secs(120);

/// Which hub, as whom, and how patiently.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) base: String,
    pub(super) token: Option<SecretString>,
    /// Attempts at one thing.
    pub(super) tries: u32,
    /// The wait before the second attempt.
    pub(super) first_wait: Duration,
}

impl Access {
    /// From `HF_ENDPOINT`, `HF_TOKEN` and `AMEND_HUB_TRIES`.
    pub(super) fn from_environment() -> Result<Self, Failure> {
        let tries = match variable("AMEND_HUB_TRIES") {
            None => TRIES,
            Some(text) => text.trim().parse().ok().filter(|tries| *tries > 0).ok_or_else(|| {
                Failure::new("`AMEND_HUB_TRIES` is no number above 0", "Write a number, or leave it unset.")
            })?,
        };
        Ok(Self {
            base: variable("HF_ENDPOINT").unwrap_or_else(|| HUB.to_owned()),
            token: variable("HF_TOKEN").map(|token| token.trim().to_owned().into()),
            tries,
            first_wait: Duration::from_secs(1),
        })
    }
}

/// A variable of the environment that holds something.
#[expect(clippy::disallowed_methods, reason = "the hub's own tools read these variables")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Files come here. A redirect is followed anywhere, without the token.
    Read,
    /// Files go there. A redirect is followed inside the hub's origin only, and only where the request stays what it is.
    Push,
}

/// A client of one hub.
#[derive(Debug)]
pub(super) struct Connection {
    base: Url,
    token: Option<SecretString>,
    client: Client,
    /// The client for `https://` addresses that a hub of this machine names; made when it is needed, as it reads certificates.
    secure: OnceLock<Client>,
    purpose: Purpose,
    patience: Patience,
}

impl Connection {
    pub(super) fn open(access: &Access, purpose: Purpose) -> Result<Self, Failure> {
        let base = base_of(&access.base)?;
        let is_near = tls::is_this_machine(&base);
        if access.token.is_some() && base.scheme() == "http" && !is_near {
            return Err(Failure::new(
                "`HF_TOKEN` would go over the network in the clear",
                "Give `HF_ENDPOINT` an `https://` URL, or unset `HF_TOKEN`.",
            ));
        }
        let mut builder = builder(&base, purpose);
        if is_near {
            builder = builder.no_proxy();
        }
        if base.scheme() == "http" {
            builder = builder.tls_certs_only([]);
        }
        let patience = Patience::new(access.tries, access.first_wait);
        let client = built(builder)?;
        Ok(Self { base, token: access.token.clone(), client, secure: OnceLock::new(), purpose, patience })
    }

    /// A URL below the base. Each step is escaped, so a revision with a slash stays one step, as the hub wants it.
    pub(super) fn url<S: AsRef<str>>(&self, steps: &[S]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(steps);
        }
        url
    }

    /// A URL that the hub named. A mirror names the hub that it mirrors; then the mirror is meant.
    pub(super) fn named(&self, href: &str) -> Result<Url, Failure> {
        let rest = href.strip_prefix(HUB).filter(|rest| rest.starts_with('/'));
        let url = match rest {
            Some(rest) => Url::parse(&format!("{}{rest}", self.base.as_str().trim_end_matches('/'))),
            None => Url::parse(href),
        };
        let unusable = || Failure::of_hub("the hub names an address that is none", TRY_AGAIN);
        let url = url.map_err(|_| unusable())?;
        match url.scheme() {
            "https" => Ok(url),
            "http" if tls::is_this_machine(&url) => Ok(url),
            "http" => Err(Failure::of_hub(
                "the hub names an address where files would go over the network in the clear",
                "Use a hub that names `https://` addresses.",
            )),
            _ => Err(unusable()),
        }
    }

    /// A request, with the token where it goes to the hub itself.
    pub(super) fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, Failure> {
        Ok(self.with_token(url, self.client(url)?.request(method, url.clone())))
    }

    /// A request without the token.
    pub(super) fn request_without_token(&self, method: Method, url: &Url) -> Result<RequestBuilder, Failure> {
        Ok(self.client(url)?.request(method, url.clone()))
    }

    fn client(&self, url: &Url) -> Result<&Client, Failure> {
        if url.scheme() == self.base.scheme() || url.scheme() == "http" {
            return Ok(&self.client);
        }
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let client = built(builder(&self.base, self.purpose))?;
        Ok(self.secure.get_or_init(|| client))
    }

    fn with_token(&self, url: &Url, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) if url.origin() == self.base.origin() => request.bearer_auth(token.expose_secret()),
            Some(_) | None => request,
        }
    }

    /// A text of the hub's without the token, should the hub repeat it.
    pub(super) fn without_token(&self, text: &str) -> String {
        match &self.token {
            Some(token) => text.replace(token.expose_secret(), "…"),
            None => text.to_owned(),
        }
    }

    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// The attempts that one thing has.
    pub(super) fn patience(&self) -> Patience {
        self.patience.clone()
    }

    /// Sends a request, and makes it again where that may help, as long as patience lasts. Any status may come back.
    pub(super) async fn send(
        &self,
        patience: &mut Patience,
        make: &(dyn Fn() -> Result<RequestBuilder, Failure> + Sync),
    ) -> Result<Response, Failure> {
        self.send_counted(patience, &AtomicU64::new(0), make).await
    }

    /// The same for a body that counts the bytes that were taken from it. While it counts, it is not stalled.
    pub(super) async fn send_counted(
        &self,
        patience: &mut Patience,
        moved: &AtomicU64,
        make: &(dyn Fn() -> Result<RequestBuilder, Failure> + Sync),
    ) -> Result<Response, Failure> {
        loop {
            let failure = match unstalled(make()?, moved).await {
                Ok(response) if may_pass(response.status()) => {
                    let asked = asked_for(response.headers());
                    let Some(wait) = patience.wait(asked) else { return Ok(response) };
                    pause(&format!("the hub answers {}", response.status()), wait).await;
                    continue;
                }
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            again(patience, failure).await?;
        }
    }
}

/// Waits before a next attempt; the failure, when there is none.
pub(super) async fn again(patience: &mut Patience, failure: Failure) -> Result<(), Failure> {
    let wait = if failure.may_pass { patience.wait(failure.asked) } else { None };
    let Some(wait) = wait else { return Err(failure) };
    pause(&failure.cause, wait).await;
    Ok(())
}

async fn pause(cause: &str, wait: Duration) {
    tracing::info!(cause, wait_s = wait.as_secs_f64(), "asking the hub again");
    tell(Transfer::Waiting { cause, wait });
    tokio::time::sleep(wait).await;
}

/// The response to a request, unless nothing moves for too long.
async fn unstalled(request: RequestBuilder, moved: &AtomicU64) -> Result<Response, Failure> {
    let answer = request.send();
    tokio::pin!(answer);
    loop {
        let before = moved.load(Ordering::Relaxed);
        match tokio::time::timeout(STALLED, &mut answer).await {
            Ok(answer) => return answer.map_err(|error| lost(&error)),
            Err(_) if moved.load(Ordering::Relaxed) != before => {}
            Err(_) => {
                let cause = format!("the hub did not answer within {} s", STALLED.as_secs());
                return Err(Failure::of_hub(cause, TRY_AGAIN).that_may_pass());
            }
        }
    }
}

/// A request or a body that broke off.
pub(super) fn lost(error: &reqwest::Error) -> Failure {
    let cause = format!("the hub cannot be reached: {}", tls::root_cause(error));
    let failure = Failure::of_hub(cause, TRY_AGAIN);
    // Neither a request that cannot be built nor a circle of redirects gets better by itself.
    if error.is_builder() || error.is_redirect() { failure } else { failure.that_may_pass() }
}

fn base_of(text: &str) -> Result<Url, Failure> {
    let wrong = || {
        let remedy = "Write it as `https://huggingface.co`, or leave it unset.";
        Failure::new("`HF_ENDPOINT` is no base URL", remedy)
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(wrong()) }
}

fn builder(base: &Url, purpose: Purpose) -> ClientBuilder {
    tls::install_provider();
    let builder = Client::builder()
        .connect_timeout(Duration::from_secs(15))
        .user_agent(concat!("amend/", env!("CARGO_PKG_VERSION")));
    match purpose {
        Purpose::Read => builder.read_timeout(Duration::from_secs(60)),
        Purpose::Push => builder.redirect(inside(base.clone())),
    }
}

fn built(builder: ClientBuilder) -> Result<Client, Failure> {
    builder.build().map_err(|error| {
        let cause = format!("TLS cannot be set up: {}", tls::root_cause(&error));
        Failure::new(cause, "Install the system's CA certificates.")
    })
}

/// A redirect that keeps method and body, inside the hub's origin: a dataset that was renamed. Any other is given back.
fn inside(base: Url) -> Policy {
    Policy::custom(move |attempt| {
        let keeps_request = matches!(attempt.status().as_u16(), 307 | 308);
        let is_inside = attempt.url().origin() == base.origin();
        if keeps_request && is_inside && attempt.previous().len() < 5 {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}
