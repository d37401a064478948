//! One client connection: HTTP requests, and the upgrade to a WebSocket.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::Shared;
use super::accept;
use super::answers::{self, refusal, refuse_origin, tell, text};
use super::cors::{self, Decision};
use super::forward;
use super::handshake::{Query, Refused, Transport};
use super::link::Link;
use super::parser::Parser;
use super::reactor::Place;
use super::upgrade::upgrade;
use super::{polling, proxied, secure, traced};
use crate::event::{ClientCertificate, Handshake};
use crate::telemetry::events::ConnectionCut;
use crate::telemetry::metrics::Cut;
use crate::telemetry::trace;
use crate::tls::{Accepted, Stream};

pub(super) type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The head of a request must fit in this; tokens in headers and queries are the longest of what is in it.
const HEAD_BUFFER: usize = 32 << 10;

/// Browsers send two dozen, and proxies add some.
const MAX_HEADERS: usize = 100;

/// Serves a connection until it ends. Runs on the reactor that the connection belongs to.
pub(super) async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    place: Place,
    shared: Arc<Shared>,
) {
    let patience = shared.broker.admission.limits().request_timeout;
    // Thousands may come back at once: each begins when there is something to read, and it is its turn.
    match tokio::time::timeout(patience, stream.readable()).await {
        Ok(Ok(())) => shared.pace.turn().await,
        Ok(Err(_)) => return,
        Err(_) => return cut(address.ip(), Cut::Silent),
    }
    let Some((stream, from)) = begin(stream, address.ip(), place, patience, &shared).await else {
        return;
    };
    let from = Arc::new(from);
    let service = service_fn({
        let from = from.clone();
        move |request| {
            let (from, shared) = (from.clone(), shared.clone());
            async move { Ok::<_, Infallible>(answer(request, from, shared).await) }
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEAD_BUFFER)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    // Its errors are the client's: it went away, or it does not speak HTTP. hyper has answered what can be answered.
    if let Err(error) = served
        && !from.has_asked.load(Ordering::Relaxed)
    {
        let why = match error {
            error if error.is_timeout() => Cut::SlowHead,
            error if error.is_parse_too_large() => Cut::LargeHead,
            error if error.is_parse() => Cut::BadHead,
            _ => return,
        };
        cut(from.peer, why);
    }
}

/// What comes before HTTP.
async fn begin(
    mut stream: TcpStream,
    address: IpAddr,
    mut place: Place,
    patience: Duration,
    shared: &Shared,
) -> Option<(Stream, From)> {
    let admission = &shared.broker.admission;
    let mut peer = address;
    // What anyone else sends is taken for what it is: no word is believed of whom it might speak for.
    if admission.says_for_whom(address) {
        let said = tokio::time::timeout(patience, proxied::read(&mut stream));
        let Ok(Ok(said)) = said.await else {
            cut(address, Cut::ProxyHeader);
            return None;
        };
        if let Some(client) = said {
            peer = client;
            match admission.proxied(client) {
                Ok(held) => place.holds(held),
                Err(refused) => {
                    accept::refuse(stream, client, refused, &shared.tls);
                    return None;
                }
            }
        }
    }
    let Accepted {
        stream,
        certificate,
    } = secure::under_tls(stream, peer, shared).await?;
    let from = From {
        peer,
        is_secure: !matches!(stream, Stream::Plain(_)),
        certificate,
        place: Arc::new(place),
        has_asked: AtomicBool::new(false),
    };
    Some((stream, from))
}

fn cut(address: IpAddr, cut: Cut) {
    ConnectionCut { address, cut }.emit();
}

/// Where requests come from.
struct From {
    /// The other end, or whom it spoke for before it spoke HTTP.
    peer: IpAddr,
    /// Under TLS.
    is_secure: bool,
    certificate: Option<Arc<ClientCertificate>>,
    /// The connection's place among all; it passes on to a WebSocket.
    place: Arc<Place>,
    /// A request has been read.
    has_asked: AtomicBool,
}

async fn answer(
    request: Request<Incoming>,
    from: Arc<From>,
    shared: Arc<Shared>,
) -> Response<Body> {
    from.has_asked.store(true, Ordering::Relaxed);
    let address = shared.broker.admission.client(from.peer, request.headers());
    let path = request.uri().path();
    if let Some(response) = shared.probe(path) {
        return response.map(answers::full);
    }
    if !is_under(path, &shared.config().path) {
        return text(StatusCode::NOT_FOUND, "not found");
    }
    let recording = traced::handshake(&request, from.peer, &shared.broker.admission);
    trace::scope(recording, serve_engine(request, address, &from, &shared)).await
}

/// A request below the engine's path.
async fn serve_engine(
    request: Request<Incoming>,
    address: IpAddr,
    from: &From,
    shared: &Arc<Shared>,
) -> Response<Body> {
    let headers = match cors::decide(&shared.config().cors, &request) {
        Decision::Serve(headers) => headers,
        Decision::Preflight(headers) => {
            let mut response = text(cors::PREFLIGHT, "");
            cors::apply(&mut response, headers);
            return response;
        }
        Decision::Refuse => {
            traced::refused("origin", StatusCode::FORBIDDEN);
            return refuse_origin(&request, address);
        }
    };
    if let Some(mut response) = shared.client_file(&request) {
        cors::apply(&mut response, headers);
        return response;
    }
    let mut response = match engine(request, address, from, shared).await {
        Ok(response) => {
            traced::answered(response.status());
            response
        }
        Err(refused) => {
            traced::refused(refused.name(), refused.status());
            tell(&refused, address);
            refusal(&refused)
        }
    };
    cors::apply(&mut response, headers);
    if response.status() == StatusCode::OK {
        // What one poll was answered is no other's.
        let no_store = HeaderValue::from_static("no-store");
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, no_store);
    }
    if shared.is_draining() {
        // A further request on this connection would meet this server again, and it is going.
        let close = HeaderValue::from_static("close");
        response
            .headers_mut()
            .entry(header::CONNECTION)
            .or_insert(close);
    }
    response
}

/// A request to the engine, of whichever transport.
async fn engine(
    request: Request<Incoming>,
    address: IpAddr,
    from: &From,
    shared: &Arc<Shared>,
) -> Result<Response<Body>, Refused> {
    let query = Query::parse(request.uri().query().unwrap_or(""), &shared.config())?;
    let link = match &query.sid {
        // Known since its handshake; a WebSocket's own session is not, and needs no further request.
        Some(sid) => shared.links.polling(sid).ok_or(Refused::UnknownSession)?,
        None if shared.is_draining() => return Err(Refused::Draining),
        None if request.method() != Method::GET => return Err(Refused::BadMethod),
        None if !query.is_supported => return Err(Refused::UnsupportedVersion),
        None => {
            let admission = &shared.broker.admission;
            let is_counted = admission.session(address, shared.links.count());
            let counted = is_counted
                .map_err(
                    |refused| match address == from.peer || !refused.is_of_address() {
                        true => Refused::Limited(refused),
                        false => Refused::LimitedBehindProxy(refused),
                    },
                )?
                .then(|| admission.clone());
            let handshake = handshake_of(&request)
                .shown_by(from.certificate.clone())
                .under_tls(from.is_secure);
            let path = request.uri().path();
            let parser = Parser::chosen(path, handshake.query(), &shared.config().path);
            let polls = query.transport == Transport::Polling;
            shared
                .links
                .open(address, handshake, shared.number, parser, polls, counted)
        }
    };
    if !query.is_supported {
        return Err(Refused::BadRequest("not the session's version"));
    }
    if link.handshake.certificate() != from.certificate.as_ref() {
        // Whoever has come to know the session's id has not come to know its key.
        return Err(Refused::BadRequest("not the session's certificate"));
    }
    if has_bytes(request.headers()) {
        link.kill();
        return Err(Refused::BadRequest("bytes where packets are text"));
    }
    let _asked = shared.links.asked();
    match query.transport {
        Transport::WebSocket => upgrade(request, link, from.place.clone(), shared),
        Transport::Polling if link.reactor() != shared.number => {
            forward::ask(request, link, shared).await
        }
        Transport::Polling => polling::poll(request, link, query.sid.is_none(), shared).await,
    }
}

/// The form of payloads in earlier revisions of the protocol.
fn has_bytes(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/octet-stream")
}

/// Headers of the upgrade itself, which say nothing about a client.
const OF_THE_UPGRADE: [header::HeaderName; 5] = [
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_EXTENSIONS,
];

/// Headers and query are copied: shared ones would keep the connection's whole read buffer alive.
fn handshake_of(request: &Request<Incoming>) -> Handshake {
    let headers = request.headers().iter();
    let kept = headers.filter(|(name, _)| !OF_THE_UPGRADE.contains(name));
    Handshake::new(
        request.uri().query().unwrap_or(""),
        kept.map(|(name, value)| (name.as_str(), value.as_bytes())),
    )
}

/// A request with a copy of its address, and of the one header that the library reads in a body's place. The
/// originals share the connection's read buffer, and the library keeps the first request of a session.
pub(super) fn slim<B>(request: Request<B>, link: Arc<Link>) -> Result<Request<B>, Refused> {
    let (parts, body) = request.into_parts();
    let mut slim = Request::new(body);
    *slim.method_mut() = parts.method;
    *slim.uri_mut() = copy(&parts.uri)?;
    if let Some(kind) = parts.headers.get(header::CONTENT_TYPE)
        && let Ok(kind) = HeaderValue::from_bytes(kind.as_bytes())
    {
        slim.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    slim.extensions_mut().insert(link);
    Ok(slim)
}

pub(super) fn copy(uri: &http::Uri) -> Result<http::Uri, Refused> {
    uri.to_string()
        .parse()
        .map_err(|_| Refused::BadRequest("the address cannot be read"))
}

/// As the library: the configured path itself, or anything below it.
fn is_under(path: &str, configured: &str) -> bool {
    let configured = configured.trim_end_matches('/');
    path.strip_prefix(configured)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
