//! Serves a router over HTTP/1 with bounds that strangers cannot pass: the time a request's head may take, and the number of
//! connections. What is asked and answered is for the router to say.

mod tls;

pub use tls::ServerTls;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What a server bears, and how it is reached.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Its certificate; without one it speaks plain HTTP.
    pub tls: Option<Arc<ServerTls>>,
    /// How long a client may take for the head of a request, on a new connection or one that was kept open.
    pub head: Duration,
    /// Connections at once; more wait until one is closed.
    pub connections: usize,
    /// How long requests in flight may still take once the server is told to stop.
    pub grace: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { tls: None, head: Duration::from_secs(30), connections: 16_384, grace: Duration::from_secs(2) }
    }
}

/// The wait after the system could not accept a connection, as when too many files are open.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Serves until `stop` is ready; requests in flight then have a moment to finish.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let has_room = connections.len() < bounds.connections;
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept(), if has_room => accepted,
        };
        let Ok((socket, _)) = accepted else {
            sleep(AFTER_FAILURE).await;
            continue;
        };
        // Small pieces of a stream must not wait for each other.
        let _ = socket.set_nodelay(true);
        let (router, watcher, head) = (router.clone(), graceful.watcher(), bounds.head);
        let acceptor = bounds.tls.as_ref().map(|tls| tls.acceptor());
        connections.spawn(async move {
            // A client that breaks off, or speaks something else, is not the server's failure.
            match acceptor {
                None => drop(watcher.watch(connection(socket, router, head)).await),
                Some(acceptor) => {
                    if let Ok(Ok(socket)) = timeout(head, acceptor.accept(socket)).await {
                        drop(watcher.watch(connection(socket, router, head)).await);
                    }
                }
            }
        });
    }
    drop(listener);
    let _ = timeout(bounds.grace, graceful.shutdown()).await;
}

/// One connection, whose next head may take so long.
fn connection<S: AsyncRead + AsyncWrite + Unpin>(
    socket: S,
    router: Router,
    head: Duration,
) -> http1::Connection<TokioIo<S>, TowerToHyperService<Router>> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(router))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    /// A server that ends with the test, and its address.
    async fn start(bounds: Bounds) -> (String, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new().route("/", get(|| async { "hello" }));
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, router, bounds, std::future::pending()));
        (address, serving)
    }

    async fn all_of(mut stream: TcpStream) -> String {
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text).await;
        text
    }

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

    #[tokio::test]
    async fn a_client_that_never_ends_its_head_is_let_go() {
        let (address, _serving) =
            start(Bounds { head: Duration::from_millis(50), ..Bounds::default() }).await;
        let mut slow = TcpStream::connect(&address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").await.unwrap();
        // That it ends at all is the test; the others are served meanwhile.
        let mut quick = TcpStream::connect(&address).await.unwrap();
        quick.write_all(REQUEST).await.unwrap();
        assert!(all_of(quick).await.ends_with("hello"));
        assert!(!all_of(slow).await.contains("hello"));
    }

    #[tokio::test]
    async fn more_connections_than_there_may_be_wait_for_their_turn() {
        let (address, _serving) = start(Bounds { connections: 2, ..Bounds::default() }).await;
        let mut streams = Vec::new();
        for _ in 0..6 {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(REQUEST).await.unwrap();
            streams.push(stream);
        }
        for stream in streams {
            assert!(all_of(stream).await.ends_with("hello"));
        }
    }
}
