//! The listener and its connections.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower_service::Service as _;

use super::auth::{Auth, From};
use super::node::Node;
use super::router::router;
use crate::telemetry::events::AcceptFailed;
use crate::tls::{Stream, Tls};

/// An operator's tools hold a few; more are refused so that a flood here takes no descriptors from clients.
const MAX_CONNECTIONS: usize = 256;

/// Time for the head of a request, the wait for the next one on a connection included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Time to agree on TLS.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// After a failure that a further try would meet again at once, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// How long requests under way may take to end at shutdown.
const GRACE: Duration = Duration::from_secs(1);

/// Serves until `shutdown` is done. Where `auth` has no token, `listener` must be on a loopback address.
pub(crate) async fn serve(
    listener: TcpListener,
    node: Arc<dyn Node>,
    auth: Arc<Auth>,
    tls: Arc<Tls>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let router = router(node, auth);
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) if connections.len() < MAX_CONNECTIONS => {
                    connections.spawn(connection(stream, from, router.clone(), tls.clone()));
                }
                Ok(_) => {}
                Err(error) => {
                    AcceptFailed { error: &error }.emit();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    // Dropping the set ends those that are idle or too slow.
    let _ = tokio::time::timeout(GRACE, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

async fn connection(stream: TcpStream, from: SocketAddr, router: Router, tls: Arc<Tls>) {
    let stream = match tls.serving() {
        None => Stream::Plain(stream),
        Some(loaded) => match tls.accept(&loaded, stream, from.ip(), TLS_TIMEOUT).await {
            Some(accepted) => accepted.stream,
            None => return,
        },
    };
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(From(from.ip()));
        let mut router = router.clone();
        async move {
            let Ok(response) = router.call(request).await;
            Ok::<_, Infallible>(response)
        }
    });
    // An error is the client's: it went away, or sent what is no HTTP and has been told so.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
