//! Requests of polling sessions. Their bodies are packets behind each other, which the broker reads over before the
//! client or the protocol library does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Collected, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::Service as _;

use super::handshake::{self, Refused};
use super::http::{Body, full, slim, text};
use super::link::{Link, State};
use super::socketio::Service;
use super::wire::{self, Said};
use super::{Shared, escape};

/// Between two packets (Engine.IO protocol, "HTTP long-polling").
pub(super) const SEPARATOR: char = '\u{1e}';

/// The client's answer to a heartbeat.
const PONG: &str = "3";

/// What a client may take to send the packets of one polling request, once it has sent its head.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Answers a request of a polling session that lives on this reactor.
pub(super) async fn poll(
    request: Request<Incoming>,
    link: Arc<Link>,
    is_handshake: bool,
    shared: &Shared,
) -> Result<Response<Body>, Refused> {
    let is_get = request.method() == Method::GET;
    let request = match *request.method() {
        Method::POST => read_packets(request, &link, shared).await?,
        _ => request.map(|_| Full::default()),
    };
    let request = slim(request, link.clone())?;
    let again = request.uri().clone();
    let service = &shared.protocols.of(link.parser).service;
    let (mut parts, mut body) = call(request, service).await?;
    if is_get && link.state() == State::Closing {
        // Whatever the library had for it: the client is to know that this is the server's end.
        return Ok(text(StatusCode::OK, handshake::CLOSE));
    }
    if is_handshake {
        if let Some(sid) = handshake::session_id(&body) {
            shared.links.name(&link, &sid);
        }
        body = handshake::open_packet(body, &shared.config);
    } else if is_get {
        body = read_over(body, &again, &link, service).await?;
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(parts, full(body)))
}

/// The packets that a client posts.
async fn read_packets(
    request: Request<Incoming>,
    link: &Link,
    shared: &Shared,
) -> Result<Request<Full<Bytes>>, Refused> {
    let (parts, body) = request.into_parts();
    let bound = usize::try_from(shared.config.max_payload).unwrap_or(usize::MAX);
    let body = Limited::new(body, bound).collect();
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => {
            let body = inbound(body.to_bytes());
            Ok(Request::from_parts(parts, Full::new(body)))
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refused::TooLarge),
        // The client broke off, or does not come to an end.
        Ok(Err(_)) | Err(_) => {
            link.kill();
            Err(Refused::BadRequest("the body did not come in time"))
        }
    }
}

/// Asks the protocol library.
async fn call(
    request: Request<Full<Bytes>>,
    service: &Service,
) -> Result<(::http::response::Parts, Bytes), Refused> {
    let Ok(response) = service.call(request).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map(Collected::to_bytes);
    let body = body.unwrap_or_default();
    match parts.status.is_success() {
        true => Ok((parts, body)),
        false => Err(Refused::ByLibrary(parts.status, body)),
    }
}

/// The answer to a poll, as the client is to read it. An answer must not be empty, so one that held nothing but what
/// the client is not to see is followed by the next.
async fn read_over(
    mut body: Bytes,
    address: &Uri,
    link: &Arc<Link>,
    service: &Service,
) -> Result<Bytes, Refused> {
    loop {
        link.wrote(body.len());
        let read = outbound(body, link);
        if !read.has_early_ping {
            return Ok(read.body);
        }
        let pong = again(Method::POST, address, PONG);
        call(pong, service).await?;
        if !read.body.is_empty() {
            return Ok(read.body);
        }
        body = call(again(Method::GET, address, ""), service).await?.1;
    }
}

fn again(method: Method, address: &Uri, body: &'static str) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::from_static(body.as_bytes())));
    *request.method_mut() = method;
    *request.uri_mut() = address.clone();
    request
}

/// What a client sends, as the library is to read it.
fn inbound(body: Bytes) -> Bytes {
    let marked = std::str::from_utf8(&body).ok().and_then(escape::mark);
    marked.map_or(body, Bytes::from)
}

/// What the library sends, as the client is to read it.
struct Outbound {
    body: Bytes,
    /// It held the heartbeat that came too early; the client is not to see it, so somebody has to answer it.
    has_early_ping: bool,
}

fn outbound(body: Bytes, link: &Link) -> Outbound {
    let unchanged = |body| Outbound {
        body,
        has_early_ping: false,
    };
    // Binary packets are base64 in the text; anything else is not of this library's making.
    let Ok(text) = std::str::from_utf8(&body) else {
        return unchanged(body);
    };
    let parser = link.parser;
    let is_news = |packet| !matches!(Said::read(&parser.read_polled(packet)), Said::Other);
    if !text.split(SEPARATOR).any(is_news) {
        return unchanged(body);
    }
    let mut has_early_ping = false;
    let mut packets = Vec::new();
    for packet in text.split(SEPARATOR) {
        match Said::read(&parser.read_polled(packet)) {
            Said::Ping if link.is_first_ping() => has_early_ping = true,
            Said::Connected(namespace) => {
                let welcome = link.welcome(namespace).map(|packet| parser.polled(packet));
                packets.push(welcome.unwrap_or_else(|| packet.to_owned()));
                link.told(namespace);
            }
            Said::Refused(namespace, words) => {
                let refused = wire::refused(namespace, &words).map(|packet| parser.polled(packet));
                packets.push(refused.unwrap_or_else(|| packet.to_owned()));
            }
            _ => packets.push(packet.to_owned()),
        }
    }
    Outbound {
        body: packets.join("\u{1e}").into(),
        has_early_ping,
    }
}
