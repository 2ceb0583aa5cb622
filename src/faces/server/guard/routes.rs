//! The routes of a guard: what is guarded, what passes by name, and a refusal for everything else.

use super::exchange::exchange;
use super::guardrail::guardrail;
use super::incoming::Incoming;
use super::moderation::moderate;
use super::outlet::{outlet, passing, plain, told};
use super::record::ROUTE;
use super::shared::{Policy, Shared};
use crate::pure::guard::audit::Received;
use crate::pure::guard::chat_request::read_request;
use crate::pure::guard::metrics::Counter;
use crate::pure::recipe::UnscannableParts;
use crate::pure::text::printable;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use std::sync::Arc;
use std::sync::atomic::Ordering;

type Guard = State<Arc<Shared>>;
/// What a client is judged by.
type ByPolicy = Extension<Arc<Policy>>;

/// The header that carries the token where `Authorization` belongs to the upstream.
const TOKEN: &str = "x-amend-token";
/// The header in which gateways bring their key to a guardrail.
const API_KEY: &str = "x-api-key";

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let open = Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready));
    Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/moderations", post(moderations))
        .route("/beta/litellm_basic_guardrail_api", post(gateway))
        .route("/v1/models", get(models))
        .route("/metrics", get(metrics))
        .fallback(other)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), only_with_token))
        .merge(open)
        .with_state(shared)
}

/// Turns a request without a token away before its body is read; one that has it is judged by its client's policy.
async fn only_with_token(State(shared): Guard, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let own = headers.get(TOKEN).or_else(|| headers.get(API_KEY)).and_then(|value| value.to_str().ok());
    let brought = if shared.settings.upstream.pass_key { own } else { own.or(bearer) };
    if let Some(policy) = shared.policy_for(brought) {
        request.extensions_mut().insert(policy);
        return next.run(request).await;
    }
    shared.count(Counter::TurnedAway, &["token"]);
    let by = if shared.settings.upstream.pass_key { TOKEN } else { "Authorization: Bearer" };
    told(StatusCode::UNAUTHORIZED, &format!("The token is missing or wrong; send it as `{by}`."), "bad_token")
}

async fn wrong_method(request: Request) -> Response {
    let words = format!("`{}` does not take {}.", request.uri().path(), request.method());
    told(StatusCode::METHOD_NOT_ALLOWED, &words, "wrong_method")
}

async fn ready(State(shared): Guard) -> Response {
    if shared.is_draining.load(Ordering::Relaxed) {
        plain(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "draining\n")
    } else {
        plain(StatusCode::OK, "text/plain", "ready\n")
    }
}

async fn metrics(State(shared): Guard) -> Response {
    plain(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", shared.rendered_metrics())
}

async fn chat(State(shared): Guard, Extension(policy): ByPolicy, headers: HeaderMap, body: Body) -> Response {
    let body = match whole(&shared, body).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let chat = match read_request(&body) {
        Ok(chat) => chat,
        Err(why) => {
            shared.count(Counter::TurnedAway, &["unreadable"]);
            return told(
                StatusCode::BAD_REQUEST,
                &format!("The request cannot be read: {why}."),
                "bad_request",
            );
        }
    };
    if !chat.unscannable.is_empty()
        && shared.settings.unscannable.parts == UnscannableParts::Refuse
        && !shared.is_shadow()
    {
        shared.count(Counter::TurnedAway, &["unscannable"]);
        let kinds = chat.unscannable.join(", ");
        let words =
            format!("The request holds content that cannot be checked here: {kinds}. Send text only.");
        return told(StatusCode::BAD_REQUEST, &words, "unscannable_content");
    }
    let id = shared.next_id();
    let received = Received {
        event: "received",
        id: &id,
        at: &shared.now(),
        app: policy.app.as_deref(),
        route: ROUTE,
        model: &chat.model,
        stream: chat.stream,
    };
    // What is not written down is not sent on, but by a guard that only looks on.
    if !shared.write_audit(&received) && !shared.is_shadow() {
        shared.count(Counter::TurnedAway, &["audit"]);
        let words = "The guard cannot write its audit, so it takes no requests on.";
        return told(StatusCode::SERVICE_UNAVAILABLE, words, "audit_failed");
    }
    let pass_key = shared.settings.upstream.pass_key;
    let mut authorization = headers.get(header::AUTHORIZATION).filter(|_| pass_key).cloned();
    if let Some(key) = &mut authorization {
        key.set_sensitive(true);
    }
    let incoming = Incoming { id, body, chat, authorization };
    let (to_client, from_exchange) = outlet();
    let task = exchange(Arc::clone(&shared), policy, incoming, to_client);
    shared.tasks.spawn(task);
    from_exchange.response().await
}

async fn moderations(State(shared): Guard, Extension(policy): ByPolicy, body: Body) -> Response {
    match whole(&shared, body).await {
        Ok(body) => moderate(&shared, &policy, &body).await,
        Err(response) => response,
    }
}

async fn gateway(State(shared): Guard, Extension(policy): ByPolicy, body: Body) -> Response {
    match whole(&shared, body).await {
        Ok(body) => guardrail(&shared, &policy, &body).await,
        Err(response) => response,
    }
}

async fn models(State(shared): Guard, headers: HeaderMap) -> Response {
    pass_on(&shared, Method::GET, "/v1/models", &headers, Bytes::new()).await
}

/// A path that is not guarded passes only by name.
async fn other(State(shared): Guard, method: Method, uri: Uri, headers: HeaderMap, body: Body) -> Response {
    let path = uri.path();
    if !shared.settings.unguarded.paths.iter().any(|named| named == path) {
        shared.count(Counter::TurnedAway, &["path"]);
        let path = printable(path);
        let words = format!(
            "`{path}` is not guarded, so it does not pass. To let it through unchecked, add it to the recipe: \
             `unguarded = {{ paths = [\"{path}\"] }}` under `[guard]`."
        );
        return told(StatusCode::FORBIDDEN, &words, "not_guarded");
    }
    shared.count(Counter::Unguarded, &[]);
    match whole(&shared, body).await {
        Ok(body) => {
            let with_query = uri.path_and_query().map_or(path, |whole| whole.as_str());
            pass_on(&shared, method, with_query, &headers, body).await
        }
        Err(response) => response,
    }
}

/// Sends a request to the upstream as it is, and its response back.
async fn pass_on(shared: &Shared, method: Method, path: &str, headers: &HeaderMap, body: Bytes) -> Response {
    let pass_key = shared.settings.upstream.pass_key;
    let authorization = headers.get(header::AUTHORIZATION).filter(|_| pass_key).cloned();
    let kind = headers.get(header::CONTENT_TYPE).cloned();
    match shared.upstream.send(method, path, body, kind, authorization).await {
        Ok(answer) => {
            let (status, headers) = (answer.status(), passing(answer.headers()));
            let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        }
        Err(fault) => {
            tracing::info!(%fault, "the upstream failed");
            told(StatusCode::BAD_GATEWAY, "The model behind the guard cannot be reached.", "upstream_failed")
        }
    }
}

/// The body of a request, if it is not too long.
async fn whole(shared: &Shared, body: Body) -> Result<Bytes, Response> {
    let kib = shared.settings.input.max_body_kib;
    let most = usize::try_from(kib).unwrap_or(usize::MAX).saturating_mul(1024);
    to_bytes(body, most).await.map_err(|_| {
        shared.count(Counter::TurnedAway, &["too_long"]);
        told(StatusCode::PAYLOAD_TOO_LARGE, &format!("The request is longer than {kib} KiB."), "too_long")
    })
}
