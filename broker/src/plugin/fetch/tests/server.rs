//! A back end on this machine.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use super::{Fetcher, fetchers, settings};

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;
type Asked = http::Request<Incoming>;

/// A back end on this machine, and what it has seen.
#[derive(Clone)]
pub(super) struct Server {
    pub port: u16,
    pub connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    /// Clients that went away before they had an answer.
    pub given_up: Arc<Notify>,
    /// Lets one answer of `/gate` out.
    pub gate: Arc<Notify>,
}

impl Server {
    pub(super) async fn start(address: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            requests: Arc::default(),
            given_up: Arc::default(),
            gate: Arc::default(),
        };
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (server, tls) = (accepting.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => server.serve(stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                server.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    pub(super) async fn plain() -> Self {
        Self::start("127.0.0.1", None).await
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin) {
        self.connections.fetch_add(1, Ordering::SeqCst);
        let answer = service_fn(|request| self.answer(request));
        let served = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), answer)
            .await;
        if served.is_err() {
            self.given_up.notify_one();
        }
    }

    async fn answer(&self, request: Asked) -> Result<http::Response<Body>, Infallible> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let path = request.uri().path().to_owned();
        let text = match path.as_str() {
            "/hang" => std::future::pending().await,
            "/gate" => {
                self.gate.notified().await;
                number.to_string()
            }
            "/big" => "x".repeat(1000),
            "/echo" => {
                let line = format!("{} {:?}\n", request.method(), request.headers());
                let body = request.into_body().collect().await.unwrap().to_bytes();
                line + &String::from_utf8_lossy(&body)
            }
            _ => number.to_string(),
        };
        let mut answer = http::Response::new(Full::from(text).boxed());
        match path.as_str() {
            "/big-head" => {
                let value = "x".repeat(100 << 10).parse().unwrap();
                answer.headers_mut().insert("x", value);
            }
            "/chunks" | "/stall" => {
                let chunks = futures_util::stream::unfold(0, move |sent| {
                    let is_stalling = path == "/stall";
                    async move {
                        if sent == 100 {
                            return None;
                        }
                        if is_stalling && sent > 0 {
                            std::future::pending::<()>().await;
                        }
                        Some((Ok(Frame::data(Bytes::from("0123456789"))), sent + 1))
                    }
                });
                answer = http::Response::new(BodyExt::boxed(StreamBody::new(Box::pin(chunks))));
            }
            "/moved" => {
                *answer.status_mut() = StatusCode::FOUND;
                answer
                    .headers_mut()
                    .insert("location", "/".parse().unwrap());
            }
            "/broken" => *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
            _ => {}
        }
        Ok(answer)
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Asked by one that may ask this server, under more `keys` of `[policy.http]`.
    pub(super) fn asker(&self, keys: &str) -> Arc<Fetcher> {
        fetchers()
            .of("p", &settings(&[&self.at("")], keys))
            .unwrap()
    }

    pub(super) fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}
