//! An OpenAI-compatible endpoint over HTTP: one attempt at one request. The only file that names async-openai.
//!
//! async-openai is used as typed transport and no more. Its retries are off (they would hide attempts, and double ours),
//! and so are reqwest's. Our own HTTP service stands in its middle: it takes every response that is not a plain
//! success aside before the library can lose its status and headers, or write its body to a log. It still logs
//! chunks of a stream that are not JSON, so the log target `async_openai` must stay off wherever logs are set up.
//!
//! Bodies and keys are never logged here. Redirects are not followed: they would carry a prompt to another host.

use super::body_budget::{BodyBudget, BodyBytes};
use super::transport::{Fault, OnDelta, Reply, Request, Transport};
use super::wire::Assembly;
use crate::pure::recipe::{HeaderSource, ResolvedModel};
use crate::runtime::tls::{self, is_this_machine, root_cause};
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::header::{
    AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Characters that a key has at least, to be looked for in answers: a placeholder such as `EMPTY` is a word as well.
const SHORTEST_KEY: usize = 12;

/// Finds the key in an environment variable. Only the command line reads the environment, so it passes this in.
pub type KeyLookup = Arc<dyn Fn(&str) -> Option<SecretString> + Send + Sync>;

/// Every endpoint of a run.
pub struct Http {
    keys: KeyLookup,
    endpoints: Mutex<BTreeMap<Name, Arc<Endpoint>>>,
    bodies: BodyBudget,
}

/// What tells endpoints apart: base URL, key variable, CA bundle, more headers.
type Name = (String, String, Option<String>, BTreeMap<String, HeaderSource>);

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

impl Http {
    /// Endpoints whose keys are found with `keys`.
    pub fn new(keys: KeyLookup) -> Self {
        Self { keys, endpoints: Mutex::default(), bodies: BodyBudget::default() }
    }

    /// The ids of the models that an endpoint says it serves.
    pub async fn models(&self, model: &ResolvedModel) -> Result<Vec<String>, Fault> {
        let reply = self.endpoint(model)?.models(self.bodies.for_request(&Value::Null)).await?;
        if reply.status != 200 {
            return Err(Fault::Lost(format!("`/models` gave status {}", reply.status)));
        }
        let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        let list = body["data"].as_array().into_iter().flatten();
        Ok(list.filter_map(|entry| entry["id"].as_str().map(str::to_owned)).collect())
    }

    /// The endpoint of a model, for whoever carries other bytes there than ours.
    pub fn plain(&self, model: &ResolvedModel) -> Result<PlainEndpoint, Fault> {
        Ok(PlainEndpoint { endpoint: self.endpoint(model)? })
    }

    fn endpoint(&self, model: &ResolvedModel) -> Result<Arc<Endpoint>, Fault> {
        let Some(url) = &model.base_url else {
            return Err(Fault::Unusable(format!("model `{}` has no `base_url`", model.model)));
        };
        let name = (url.clone(), model.api_key_env.clone(), model.ca_bundle.clone(), model.headers.clone());
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(endpoint) = endpoints.get(&name) {
            return Ok(endpoint.clone());
        }
        let key = (self.keys)(&model.api_key_env);
        let mut endpoint = Endpoint::open(url, key, model)?;
        let more = more_headers(model, &self.keys)?;
        let secret =
            |value: &HeaderValue| value.is_sensitive().then(|| value.to_str().ok().map(str::to_owned))?;
        endpoint.secrets.extend(more.values().filter_map(secret).map(SecretString::from));
        endpoint.settings.headers.extend(more);
        let endpoint = Arc::new(endpoint);
        endpoints.insert(name, endpoint.clone());
        Ok(endpoint)
    }
}

impl Transport for Http {
    async fn send(&self, request: &Request, on_delta: Option<OnDelta<'_>>) -> Result<Reply, Fault> {
        let endpoint = self.endpoint(&request.model)?;
        let bytes = self.bodies.for_request(&request.body);
        match on_delta {
            None => endpoint.complete(&request.body, bytes).await,
            Some(on_delta) => endpoint.stream(&request.body, bytes, on_delta).await,
        }
    }
}

/// One base URL with one key.
struct Endpoint {
    http: reqwest::Client,
    settings: Settings,
    /// The key and other secrets that are sent, to be cut out of responses that echo them.
    secrets: Vec<SecretString>,
}

/// An endpoint that takes requests as they are, and gives responses as they come: what a proxy needs.
pub struct PlainEndpoint {
    endpoint: Arc<Endpoint>,
}

impl std::fmt::Debug for PlainEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PlainEndpoint").field(&self.shown()).finish()
    }
}

impl PlainEndpoint {
    /// The base URL as it may be shown.
    pub fn shown(&self) -> String {
        shown_url(&self.endpoint.settings.base)
    }

    /// Makes a request below the base URL, with the endpoint's own headers. `authorization` stands in the place of its key.
    pub async fn send(
        &self,
        method: http::Method,
        path: &str,
        body: Bytes,
        content_type: Option<HeaderValue>,
        authorization: Option<HeaderValue>,
    ) -> Result<reqwest::Response, Fault> {
        let Settings { base, query, headers, .. } = &self.endpoint.settings;
        let url = match path.strip_prefix("/v1/") {
            Some(rest) => format!("{base}/{rest}"),
            None => format!("{}{path}", base.strip_suffix("/v1").unwrap_or(base)),
        };
        let mut url = reqwest::Url::parse(&url).map_err(|error| Fault::Unusable(error.to_string()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut headers = headers.clone();
        if let Some(mut authorization) = authorization {
            authorization.set_sensitive(true);
            headers.insert(AUTHORIZATION, authorization);
        }
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type);
        }
        let request = self.endpoint.http.request(method, url).headers(headers).body(body);
        request.send().await.map_err(|error| fault_of(&error, &self.shown()))
    }
}

/// What async-openai asks of a configuration. Our own, because the library's reads the environment.
#[derive(Clone)]
struct Settings {
    base: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    no_key: SecretString,
}

impl async_openai::config::Config for Settings {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        self.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn api_base(&self) -> &str {
        &self.base
    }

    fn api_key(&self) -> &SecretString {
        &self.no_key
    }
}

impl Endpoint {
    fn open(url: &str, key: Option<SecretString>, model: &ResolvedModel) -> Result<Self, Fault> {
        let unusable = |why: String| Fault::Unusable(format!("`base_url` of model `{}` {why}", model.model));
        let parsed = reqwest::Url::parse(url).map_err(|error| unusable(format!("is not a URL: {error}")))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(unusable("begins with neither `http://` nor `https://`".into()));
        }
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("amend/", env!("CARGO_PKG_VERSION"))));
        let key = key.filter(|key| !key.expose_secret().trim().is_empty());
        if let Some(key) = &key {
            let value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret().trim()));
            let mut value = value.map_err(|_| {
                Fault::Unusable(format!("the key in `{}` has characters no key has", model.api_key_env))
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let query =
            parsed.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let base = url.split(['?', '#']).next().unwrap_or(url).trim_end_matches('/').to_owned();
        let http = http_client(&parsed, model.ca_bundle.as_deref())?;
        let password = parsed.password().map(SecretString::from);
        Ok(Self {
            http,
            settings: Settings { base, query, headers, no_key: SecretString::default() },
            secrets: key.into_iter().chain(password).collect(),
        })
    }

    async fn complete(&self, body: &Value, bytes: BodyBytes) -> Result<Reply, Fault> {
        let bytes = Arc::new(Mutex::new(bytes));
        let client = self.client(&bytes, None);
        let answer: Result<Box<RawValue>, _> = client.chat().create_byot(body).await;
        self.reply(answer)
    }

    async fn models(&self, bytes: BodyBytes) -> Result<Reply, Fault> {
        let bytes = Arc::new(Mutex::new(bytes));
        let client = self.client(&bytes, None);
        let answer: Result<Box<RawValue>, _> = client.models().list_byot().await;
        self.reply(answer)
    }

    async fn stream(&self, body: &Value, bytes: BodyBytes, on_delta: OnDelta<'_>) -> Result<Reply, Fault> {
        let bytes = Arc::new(Mutex::new(bytes));
        let mut body = body.clone();
        body["stream"] = json!(true);
        body["stream_options"] = json!({ "include_usage": true });
        let done = Arc::new(AtomicBool::new(false));
        let client = self.client(&bytes, Some(done.clone()));
        let mut chunks = match client.chat().create_stream_byot::<_, Value>(&body).await {
            Ok(chunks) => chunks,
            Err(error) => return self.reply(Err(error)),
        };
        let mut assembly = Assembly::default();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| self.fault(error))?;
            assembly.push(&chunk).into_iter().for_each(on_delta);
        }
        if assembly.is_finished() || done.load(Ordering::Relaxed) {
            let body = self.without_secrets(assembly.into_body(), SHORTEST_KEY);
            Ok(Reply { status: 200, retry_after_s: None, rate_reset_s: None, body })
        } else {
            Err(Fault::Lost("the stream ended before the answer did".into()))
        }
    }

    /// async-openai over our own HTTP service, for one request. With `done` a stream may pass, and `done` is set when the
    /// stream says that it is whole.
    fn client(&self, bytes: &SharedBytes, done: Option<Arc<AtomicBool>>) -> async_openai::Client<Settings> {
        let (http, bytes) = (self.http.clone(), Arc::clone(bytes));
        let service = tower::service_fn(move |request: HttpRequestFactory| {
            let (http, bytes, done) = (http.clone(), Arc::clone(&bytes), done.clone());
            async move { exchange(&http, request.build().await?, bytes, done).await }
        });
        async_openai::Client::build(self.http.clone(), self.settings.clone()).with_http_service(service)
    }

    fn reply(&self, answer: Result<Box<RawValue>, OpenAIError>) -> Result<Reply, Fault> {
        match answer {
            Ok(body) => Ok(Reply {
                status: 200,
                retry_after_s: None,
                rate_reset_s: None,
                body: self.without_secrets(body.get().to_owned(), SHORTEST_KEY),
            }),
            Err(OpenAIError::Boxed(error)) if error.is::<Aside>() => match error.downcast::<Aside>() {
                Ok(aside) => Ok(Reply { body: self.without_secrets(aside.0.body, 1), ..aside.0 }),
                Err(error) => Err(Fault::Lost(error.to_string())),
            },
            Err(error) => Err(self.fault(error)),
        }
    }

    fn fault(&self, error: OpenAIError) -> Fault {
        let shown = shown_url(&self.settings.base);
        match error {
            OpenAIError::Reqwest(error) => fault_of(&error, &shown),
            OpenAIError::Boxed(error) => Fault::Lost(root_cause(error.as_ref())),
            OpenAIError::StreamError(error) => Fault::Lost(root_cause(&*error)),
            // A chunk that is not JSON. The library's message holds the chunk, so it goes no further.
            OpenAIError::JSONDeserialize(..) => Fault::Lost("a piece of the response is not JSON".into()),
            OpenAIError::ApiError(_)
            | OpenAIError::FileSaveError(_)
            | OpenAIError::FileReadError(_)
            | OpenAIError::InvalidArgument(_) => Fault::Unusable("the request could not be made".into()),
        }
    }

    /// A body without the secrets that it echoes, of those that are so long. In JSON a slash may be written as `\/`.
    fn without_secrets(&self, body: String, shortest: usize) -> String {
        let secrets = self.secrets.iter().map(|secret| secret.expose_secret().trim());
        secrets.filter(|secret| secret.len() >= shortest).fold(body, |body, secret| {
            let escaped = secret.replace('/', "\\/");
            if body.contains(secret) || body.contains(&escaped) {
                body.replace(secret, "[key]").replace(&escaped, "[key]")
            } else {
                body
            }
        })
    }
}

/// The bytes of one response, held until it has been read.
type SharedBytes = Arc<Mutex<BodyBytes>>;

/// A response that async-openai does not get to see.
#[derive(Debug, thiserror::Error)]
#[error("set aside")]
struct Aside(Reply);

/// Makes the request, and lets through only what async-openai reads without loss: a JSON success, or a stream.
async fn exchange(
    http: &reqwest::Client,
    request: reqwest::Request,
    bytes: SharedBytes,
    done: Option<Arc<AtomicBool>>,
) -> Result<reqwest::Response, OpenAIError> {
    let response = http.execute(request).await?;
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let is_stream = status == 200 && kind.starts_with("text/event-stream");
    let may_stream = done.is_some();
    if let Some(done) = done.filter(|_| is_stream) {
        let watched = watch(response.bytes_stream(), bytes, done);
        return Ok(http::Response::new(reqwest::Body::wrap_stream(watched)).into());
    }
    let retry_after_s = retry_after(response.headers());
    let rate_reset_s = rate_reset(response.headers());
    let body = whole_body(response, &bytes).await?;
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok();
    // A server that does not stream gives the whole body at once; the library would look for chunks in it.
    if status == 200 && is_json && !may_stream {
        return Ok(http::Response::new(body).into());
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Err(OpenAIError::Boxed(Box::new(Aside(Reply {
        status: status.as_u16(),
        retry_after_s,
        rate_reset_s,
        body,
    }))))
}

async fn whole_body(mut response: reqwest::Response, bytes: &SharedBytes) -> Result<Bytes, OpenAIError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        take(bytes, piece.len()).map_err(|why| OpenAIError::Boxed(why.into()))?;
        body.extend_from_slice(&piece);
    }
    Ok(body.into())
}

fn take(bytes: &SharedBytes, came: usize) -> Result<(), String> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner).take(came)
}

/// Passes a stream on, and notes when `[DONE]` goes by: async-openai ends the same way with it and without.
fn watch(
    pieces: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static,
    bytes: SharedBytes,
    done: Arc<AtomicBool>,
) -> impl Stream<Item = Result<Bytes, tower::BoxError>> + Send + 'static {
    const MARK: &[u8] = b"data: [DONE]";
    let mut tail: Vec<u8> = Vec::new();
    pieces.map(move |piece| {
        let piece = piece?;
        take(&bytes, piece.len())?;
        tail.extend_from_slice(&piece);
        if tail.windows(MARK.len()).any(|window| window == MARK) {
            done.store(true, Ordering::Relaxed);
        }
        tail.drain(..tail.len().saturating_sub(MARK.len() - 1));
        Ok(piece)
    })
}

/// Seconds that a response asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date.
///
/// A date is taken against the response's own `Date`, so that no clock of ours is needed and none has to be right.
fn retry_after(headers: &HeaderMap) -> Option<f64> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
    if let Some(millis) = text("retry-after-ms").and_then(number) {
        return Some(millis / 1000.0);
    }
    let value = text(RETRY_AFTER.as_str())?;
    number(value).or_else(|| {
        let until = httpdate::parse_http_date(value).ok()?;
        let now = httpdate::parse_http_date(text(DATE.as_str())?).ok()?;
        Some(until.duration_since(now).unwrap_or_default().as_secs_f64())
    })
}

/// Seconds until a rate is filled up again of which nothing remains: `x-ratelimit-reset-requests` and `-tokens`, each
/// beside its `x-ratelimit-remaining-…`. The longer one, where both are used up.
fn rate_reset(headers: &HeaderMap) -> Option<f64> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let reset = |of: &str| {
        let remaining = text(&format!("x-ratelimit-remaining{of}"))?.parse::<f64>().ok()?;
        (remaining <= 0.0).then(|| text(&format!("x-ratelimit-reset{of}")).and_then(spelt_seconds))?
    };
    ["", "-requests", "-tokens"].into_iter().filter_map(reset).reduce(f64::max)
}

/// Seconds as servers spell them: `1.5`, `6m0s`, `120ms`, `1h2m3.5s`. A moment of the calendar (`1700000000`) is not a
/// length of time, so nothing that is longer than a day counts.
pub(super) fn spelt_seconds(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        seconds += number.parse::<f64>().ok()?
            * match unit {
                "" | "s" => 1.0,
                "ms" => 0.001,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = after;
    }
    (!text.is_empty() && seconds <= 86_400.0).then_some(seconds)
}

/// A client of our own making for one endpoint.
///
/// For `http://` no certificates are loaded: in a bare container there are none, and that must not matter. A proxy from
/// the environment is used for other hosts, never for this machine, where a forgotten `NO_PROXY` is a common trap.
fn http_client(url: &reqwest::Url, ca_bundle: Option<&str>) -> Result<reqwest::Client, Fault> {
    tls::install_provider();
    let mut builder = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(15))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never());
    if is_this_machine(url) {
        builder = builder.no_proxy();
    }
    if url.scheme() == "http" {
        builder = builder.tls_certs_only([]);
    } else if let Some(path) = ca_bundle {
        builder = builder.tls_certs_only(certificates(path)?);
    }
    builder.build().map_err(|error| {
        Fault::Unusable(format!(
            "cannot set up TLS: {}; install the system's CA certificates, or name a PEM file in `ca_bundle`",
            root_cause(&error)
        ))
    })
}

/// The headers of a recipe, with what the environment holds of them.
fn more_headers(model: &ResolvedModel, keys: &KeyLookup) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::new();
    for (name, source) in &model.headers {
        let unusable =
            |why: &str| Fault::Unusable(format!("the header `{name}` of model `{}` {why}", model.model));
        let known =
            HeaderName::try_from(name.as_str()).map_err(|_| unusable("has a name that no header has"))?;
        let value = match source {
            HeaderSource::Text(text) => HeaderValue::from_str(text),
            HeaderSource::Env(variable) => {
                let held = keys(variable)
                    .ok_or_else(|| unusable(&format!("is read from `{variable}`, which is not set")))?;
                HeaderValue::from_str(held.expose_secret())
            }
        };
        let mut value = value.map_err(|_| unusable("has characters that no header has"))?;
        value.set_sensitive(matches!(source, HeaderSource::Env(_)));
        headers.insert(known, value);
    }
    Ok(headers)
}

fn certificates(path: &str) -> Result<Vec<reqwest::Certificate>, Fault> {
    let unusable = |why: String| Fault::Unusable(format!("cannot read `ca_bundle` `{path}`: {why}"));
    let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let certificates =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(root_cause(&error)))?;
    if certificates.is_empty() {
        return Err(unusable("it holds no PEM certificate".into()));
    }
    Ok(certificates)
}

/// A URL as it may be shown: without user, password and query.
pub fn shown_url(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or("");
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit('@').next().unwrap_or("");
    format!("{scheme}://{host}/{path}").trim_end_matches('/').to_owned()
}

fn fault_of(error: &reqwest::Error, shown: &str) -> Fault {
    let cause = root_cause(error);
    if cause.contains("certificate") {
        let hint = "name the endpoint's certificate authority in `ca_bundle`";
        Fault::Unusable(format!("`{shown}` is not trusted: {cause}; {hint}"))
    } else if error.is_timeout() && error.is_connect() {
        Fault::Connect(format!("`{shown}`: no connection in time"))
    } else if error.is_connect() {
        Fault::Connect(format!("`{shown}`: {cause}"))
    } else if error.is_builder() {
        Fault::Unusable(format!("`{shown}` cannot be asked: {cause}"))
    } else if error.is_timeout() {
        Fault::Timeout
    } else {
        Fault::Lost(cause)
    }
}

#[cfg(test)]
mod tests;
