//! One client connection: HTTP requests, and the upgrade to a WebSocket.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::Shared;
use super::cors::{self, Decision};
use super::forward::{self, Upgraded};
use super::handshake::{self, Query, Refused, Transport};
use super::link::Link;
use super::parser::Parser;
use super::probe::{self, Probe};
use super::reactor::Place;
use super::stream::{Carrier, Terms};
use super::{deflate, polling, secure};
use crate::event::{ClientCertificate, Handshake};
use crate::telemetry::events::{HandshakeFailed, OriginRefused};
use crate::tls::{Accepted, Stream};

pub(super) type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The head of a request must fit in this; tokens in headers and queries are the longest of what is in it.
const HEAD_BUFFER: usize = 32 << 10;

/// The upgrade follows the answer at once; a connection that dies in between must not leave a task behind.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves a connection until it ends. Runs on the reactor that the connection belongs to.
pub(super) async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    place: Arc<Place>,
    shared: Arc<Shared>,
) {
    // Thousands may come back at once: each begins when there is something to read, and it is its turn.
    let readable = tokio::time::timeout(HEAD_TIMEOUT, stream.readable());
    if !matches!(readable.await, Ok(Ok(()))) {
        return;
    }
    shared.pace.turn().await;
    let Some(Accepted {
        stream,
        certificate,
    }) = secure::under_tls(stream, address.ip(), &shared).await
    else {
        return;
    };
    let from = Arc::new(From {
        address,
        certificate,
        place,
    });
    let service = service_fn(move |request| {
        let (from, shared) = (from.clone(), shared.clone());
        async move { Ok::<_, Infallible>(answer(request, from, shared).await) }
    });
    // Its errors are the client's: it went away, or it does not speak HTTP. hyper has answered what can be answered.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

/// Where requests come from.
struct From {
    address: SocketAddr,
    certificate: Option<Arc<ClientCertificate>>,
    /// The connection's place among all; it passes on to a WebSocket.
    place: Arc<Place>,
}

async fn answer(
    request: Request<Incoming>,
    from: Arc<From>,
    shared: Arc<Shared>,
) -> Response<Body> {
    let address = from.address.ip();
    let path = request.uri().path();
    if let Some(response) = shared.probe(path) {
        return response.map(full);
    }
    if !is_under(path, &shared.config().path) {
        return text(StatusCode::NOT_FOUND, "not found");
    }
    let headers = match shared.settings.cors.load().decide(&request) {
        Decision::Serve(headers) => headers,
        Decision::Preflight(headers) => {
            let mut response = text(cors::PREFLIGHT, "");
            cors::apply(&mut response, headers);
            return response;
        }
        Decision::Refuse => return refuse_origin(&request, address),
    };
    let mut response = match engine(request, &from, &shared).await {
        Ok(response) => response,
        Err(refused) => {
            HandshakeFailed {
                code: refused.code(),
                message: refused.message(),
                address,
                context: refused.context(),
            }
            .emit();
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
        // A session outlives its requests, so connections are not all there is to bound.
        None if shared.links.count() >= shared.config().max_connections => {
            return Err(Refused::Full);
        }
        None => {
            let address = from.address.ip();
            let handshake = handshake_of(&request).shown_by(from.certificate.clone());
            let path = request.uri().path();
            let parser = Parser::chosen(path, handshake.query(), &shared.config().path);
            shared.links.open(address, handshake, shared.number, parser)
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
        Transport::Polling if link.reactor != shared.number => {
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

fn copy(uri: &http::Uri) -> Result<http::Uri, Refused> {
    uri.to_string()
        .parse()
        .map_err(|_| Refused::BadRequest("the address cannot be read"))
}

fn upgrade(
    mut request: Request<Incoming>,
    link: Arc<Link>,
    place: Arc<Place>,
    shared: &Arc<Shared>,
) -> Result<Response<Body>, Refused> {
    let accept = handshake::accept_key(request.method(), request.headers())?;
    let uri = copy(request.uri())?;
    let deflate = shared.deflate.negotiate(request.headers());
    let extensions = deflate.as_ref().map(|terms| terms.answer.clone());
    let upgrade = hyper::upgrade::on(&mut request);
    let shared = shared.clone();
    tokio::spawn(async move {
        let Ok(Ok(upgraded)) = tokio::time::timeout(UPGRADE_TIMEOUT, upgrade).await else {
            return;
        };
        let Ok(parts) = upgraded.downcast::<TokioIo<Stream>>() else {
            // `serve` makes no other stream.
            return;
        };
        let upgraded = Upgraded {
            stream: parts.io.into_inner(),
            ahead: parts.read_buf,
            uri,
            link,
            place,
            deflate,
        };
        forward::open(upgraded, shared).await;
    });
    let mut response = text(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = response.headers_mut();
    headers.clear();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(extensions) = extensions {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, extensions);
    }
    Ok(response)
}

/// Lends a WebSocket to the library until it ends. Runs on the reactor that its session lives on.
pub(super) async fn open_websocket(mut upgraded: Upgraded<Stream>, shared: &Shared) {
    let max_message = shared.config().max_payload;
    let link = upgraded.link;
    let parser = link.parser;
    let mut inflate = upgraded
        .deflate
        .as_ref()
        .map(|terms| deflate::Inbound::new(terms.agreed.inbound, max_message));
    if link.has_polled() {
        let probe = Probe {
            stream: &mut upgraded.stream,
            inflate: inflate.as_mut(),
            link: &link,
        };
        let patience = shared.config().upgrade_timeout;
        match probe.run(&upgraded.ahead, patience).await {
            Some(behind) => upgraded.ahead = behind,
            None => return probe::close(upgraded.stream).await,
        }
    }
    let carrier = Carrier::new(
        upgraded.stream,
        &upgraded.ahead,
        link.clone(),
        upgraded.place,
        Terms {
            patience: shared.config().slow_client.max_stall,
            max_message,
            pace: shared.pace.clone(),
        },
        upgraded.deflate,
        inflate,
    );
    let mut request = Request::new(());
    if link.has_polled() {
        // The library has its session, and keeps nothing of this.
        *request.uri_mut() = upgraded.uri;
    } else if let Ok(uri) = format!("/?{}", link.query()).parse() {
        *request.uri_mut() = uri;
    }
    // The query was checked before the answer; the library finds nothing else to refuse in it.
    let call = (Box::new(carrier), request);
    let protocol = shared.protocols.of(parser);
    let _ = protocol.service.call(call).await;
}

fn refuse_origin<B>(request: &Request<B>, address: IpAddr) -> Response<Body> {
    let origin = request
        .headers()
        .get(header::ORIGIN)
        .map(|origin| String::from_utf8_lossy(origin.as_bytes()))
        .unwrap_or_default();
    OriginRefused {
        origin: &origin,
        address,
    }
    .emit();
    text(
        StatusCode::FORBIDDEN,
        "this origin is not allowed: see server.cors.origins",
    )
}

/// The refusal in the form of Node's server: `{"code":1,"message":"Session ID unknown"}`.
fn refusal(refused: &Refused) -> Response<Body> {
    let body = serde_json::json!({ "code": refused.code(), "message": refused.message() });
    let mut response = text(refused.status(), &body.to_string());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if refused.status() == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// As the library: the configured path itself, or anything below it.
fn is_under(path: &str, configured: &str) -> bool {
    let configured = configured.trim_end_matches('/');
    path.strip_prefix(configured)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) fn text(status: StatusCode, words: &str) -> Response<Body> {
    let mut response = Response::new(full(Bytes::copy_from_slice(words.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

pub(super) fn full(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}
