//! The client of one policy: connections, certificates and the bounds of an answer.

use std::error::Error;
use std::future::Future;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use tower_service::Service;

use super::request::{is_not_a_policys, size};
use super::{FetchError, Response};
use crate::authorities;
use crate::config::PolicyHttp;

pub(super) type Sendable = http::Request<Full<Bytes>>;

/// Connections that are kept for the next request: a burst of clients at a restart asks again and again.
const IDLE: usize = 16;

/// Less than after which servers close what is idle (Node's do after 5 s), so that none is closed as it is used.
const IDLE_FOR: Duration = Duration::from_secs(4);

/// Headers of an answer, and the bytes that its head may have.
const MAX_HEADERS: usize = 100;
const MAX_HEAD: usize = 64 << 10;

/// Look-ups of names at once. One that hangs keeps a thread, longer than the request that wanted it.
const LOOKUPS: usize = 4;

/// Why a policy cannot ask anybody.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("`http.ca` is wrong: {0}")]
    Authorities(String),
    #[error(
        "this system has no certificates of authorities, which `http.hosts` needs for https: install them, \
         or set `http.ca`"
    )]
    NoAuthorities,
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

#[derive(Clone)]
pub(super) struct Client {
    inner: legacy::Client<InTime<HttpsConnector<HttpConnector<Resolver>>>, Full<Bytes>>,
    max_response: usize,
}

impl Client {
    pub(super) fn new(settings: &PolicyHttp) -> Result<Self, Unusable> {
        let mut tcp = HttpConnector::new_with_resolver(Resolver {
            running: Arc::new(Semaphore::new(LOOKUPS)),
        });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(settings)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_FOR)
            .pool_max_idle_per_host(IDLE.min(settings.max_requests))
            .http1_max_headers(MAX_HEADERS)
            .http1_max_buf_size(MAX_HEAD)
            .build(InTime {
                connector,
                timeout: settings.timeout,
            });
        Ok(Self {
            inner,
            max_response: settings.max_response,
        })
    }

    /// Whoever waits sets the deadline.
    pub(super) async fn send(self, request: Sendable) -> Result<Response, FetchError> {
        let answer =
            self.inner
                .request(request)
                .await
                .map_err(|error| match is_too_large(&error) {
                    true => FetchError::TooLarge,
                    false => FetchError::Failed(words(&error)),
                })?;
        let (head, body) = answer.into_parts();
        // The library's bound is on what waits to be read, and a head may come at once.
        if size(&head.headers) > MAX_HEAD {
            return Err(FetchError::TooLarge);
        }
        let body = match Limited::new(body, self.max_response).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(FetchError::TooLarge),
            Err(error) => return Err(FetchError::Failed(words(&*error))),
        };
        let headers = head
            .headers
            .iter()
            .filter(|(name, _)| !is_not_a_policys(name));
        Ok(Response {
            status: head.status.as_u16(),
            headers: headers
                .map(|(name, value)| {
                    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    (name.as_str().to_owned(), value)
                })
                .collect(),
            body,
        })
    }
}

fn tls(settings: &PolicyHttp) -> Result<ClientConfig, Unusable> {
    let roots = match &settings.ca {
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(&ca.pem) {
                let certificate =
                    certificate.map_err(|error| Unusable::Authorities(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| Unusable::Authorities(error.to_string()))?;
            }
            if roots.is_empty() {
                let reason = "there is no certificate in it".to_owned();
                return Err(Unusable::Authorities(reason));
            }
            roots
        }
        None if settings.hosts.iter().any(|host| host.is_https()) => {
            let roots = authorities::of_system();
            if roots.is_empty() {
                return Err(Unusable::NoAuthorities);
            }
            roots
        }
        None => RootCertStore::empty(),
    };
    Ok(authorities::client(roots)?.with_no_client_auth())
}

fn is_too_large(error: &legacy::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_parse_too_large();
        }
        cause = error.source();
    }
    false
}

/// An error with its causes, for the policy and the log; what they say is the library's and the system's.
fn words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some say what their cause says.
        if !words.ends_with(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = error.source();
    }
    words
}

// === impl Resolver ===

/// The system's look-up of names, a few at a time.
#[derive(Clone)]
struct Resolver {
    running: Arc<Semaphore>,
}

type Pending<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = Pending<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let running = self.running.clone();
        Box::pin(async move {
            let permit = running
                .acquire_owned()
                .await
                .map_err(std::io::Error::other)?;
            let lookup = tokio::task::spawn_blocking(move || {
                // Given back when the system answers, and not when the request is given up.
                let _permit = permit;
                let addresses = (name.as_str(), 0).to_socket_addrs()?;
                Ok(addresses.collect::<Vec<_>>().into_iter())
            });
            lookup.await.map_err(std::io::Error::other)?
        })
    }
}

// === impl InTime ===

/// A connection is made within the longest time of a request. The client goes on making one, for the next request, when
/// the one that wanted it has found another.
#[derive(Clone)]
struct InTime<C> {
    connector: C,
    timeout: Duration,
}

type AnyError = Box<dyn Error + Send + Sync>;

impl<C> Service<Uri> for InTime<C>
where
    C: Service<Uri, Error = AnyError>,
    C::Future: Send + 'static,
    C::Response: 'static,
{
    type Response = C::Response;
    type Error = AnyError;
    type Future = Pending<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connected = tokio::time::timeout(self.timeout, self.connector.call(uri));
        Box::pin(async move { connected.await? })
    }
}
