//! Requests of polling sessions. Their bodies are packets behind each other, which the broker reads over before the
//! client or the protocol library does.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Collected, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::Service as _;

use super::answers::{full, text};
use super::handshake::{self, Refused};
use super::http::{Body, slim};
use super::link::{Link, State};
use super::manners::{Fault, Judgement};
use super::socketio::Service;
use super::squeeze::{self, Coding};
use super::wire::{self, Said};
use super::{Shared, acks, cookie, escape};
use crate::telemetry::metrics::{Carried, metrics};

/// Between two packets (Engine.IO protocol, "HTTP long-polling").
pub(super) const SEPARATOR: char = '\u{1e}';

/// The client's answer to a heartbeat.
const PONG: &str = "3";

/// Has no effect, but an answer to a poll must not be empty.
const NOOP: &str = "6";

/// What a client has to come and hear that the server has ended its session.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(30);

/// How the library says that it does not know a session.
const UNKNOWN: &[u8] = br#"{"code":"1""#;

/// Answers a request of a polling session that lives on this reactor.
pub(super) async fn poll(
    request: Request<Incoming>,
    link: Arc<Link>,
    is_handshake: bool,
    shared: &Shared,
) -> Result<Response<Body>, Refused> {
    if link.has_moved() {
        return Err(Refused::BadRequest("the session goes over a WebSocket"));
    }
    if request.method() == Method::POST {
        return post(request, link, shared).await;
    }
    let is_poll = !is_handshake && request.method() == Method::GET;
    let accepted = squeeze::accepted(request.headers());
    let request = slim(request.map(|_| Full::default()), link.clone())?;
    let again = request.uri().clone();
    let service = &shared.protocols.of(link.parser).service;
    let answered = tokio::select! {
        biased;
        answered = call(request, service) => answered,
        // Nothing of what waits is lost: the library takes it from its queue when it answers.
        () = link.moves_over(), if is_poll => return Ok(text(StatusCode::OK, NOOP)),
    };
    if is_poll && matches!(link.state(), State::Closing | State::Broken) {
        // Whatever the library had for it: the client is to know that this is the server's end.
        return Ok(say_goodbye(&link));
    }
    let (mut parts, mut body) = answered?;
    if is_handshake {
        if let Some(sid) = handshake::session_id(&body) {
            shared.links.name(&link, &sid);
            let config = shared.config();
            let cookie = config.cookie.as_ref();
            if let Some(cookie) = cookie.and_then(|it| cookie::of_session(it, &sid)) {
                parts.headers.insert(header::SET_COOKIE, cookie);
            }
        }
        body = handshake::open_packet(body, &shared.config());
    } else {
        body = read_over(body, &again, &link, service).await?;
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    if is_poll {
        body = squeezed(body, accepted, &mut parts.headers, shared).await;
    }
    Carried::Polling.sent(body.len());
    Ok(Response::from_parts(parts, full(body)))
}

/// The answer to a poll, compressed where the client accepts it and it is worth it.
async fn squeezed(
    body: Bytes,
    accepted: Option<Coding>,
    headers: &mut HeaderMap,
    shared: &Shared,
) -> Bytes {
    let (enabled, threshold, level) = {
        let config = &shared.config().http_compression;
        (config.enabled, config.threshold, config.level)
    };
    if !enabled || body.len() < threshold {
        return body;
    }
    headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let Some(coding) = accepted else {
        return body;
    };
    match squeeze::squeeze(&body, coding, level).await {
        Some(squeezed) => {
            metrics().polls_compressed.inc();
            headers.insert(header::CONTENT_ENCODING, coding.name());
            squeezed
        }
        None => body,
    }
}

/// The answer to the poll that waits when a session is ended, or to the next one.
fn say_goodbye(link: &Link) -> Response<Body> {
    if link.state() == State::Broken {
        // It has been told, and is unknown from now on.
        link.kill();
    }
    text(StatusCode::OK, handshake::CLOSE)
}

/// Takes the packets that a client posts.
async fn post(
    request: Request<Incoming>,
    link: Arc<Link>,
    shared: &Shared,
) -> Result<Response<Body>, Refused> {
    if link.state() == State::Broken {
        // It is to hear of its end by its next poll.
        return Ok(text(StatusCode::OK, "ok"));
    }
    let (parts, body) = request.into_parts();
    let read = inbound(read_body(body, &link, shared).await?, &link);
    let request = Request::from_parts(parts, Full::new(read.body));
    let service = &shared.protocols.of(link.parser).service;
    let (mut parts, body) = call(slim(request, link.clone())?, service).await?;
    if let Some(fault) = read.fault {
        end(&link, fault, shared).await;
    }
    if link.state() == State::Broken {
        // The session is over for the library; the link is kept for the poll that tells.
        tokio::spawn(async move {
            let _ = tokio::time::timeout(GOODBYE_TIMEOUT, link.gone()).await;
        });
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(parts, full(body)))
}

/// Ends the session of a client that broke the protocol.
async fn end(link: &Link, fault: Fault, shared: &Shared) {
    link.breaks(fault, "");
    if let Some(sid) = link.polled() {
        shared.protocols.of(link.parser).close_polled(sid).await;
    }
}

async fn read_body(body: Incoming, link: &Link, shared: &Shared) -> Result<Bytes, Refused> {
    let bound = usize::try_from(shared.config().max_payload).unwrap_or(usize::MAX);
    let body = Limited::new(body, bound).collect();
    let patience = shared.broker.admission.limits().request_timeout;
    match tokio::time::timeout(patience, body).await {
        Ok(Ok(body)) => {
            let body = body.to_bytes();
            Carried::Polling.received(body.len());
            Ok(body)
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
        // The broker knows the session for as long as the library keeps something of it.
        false if body.starts_with(UNKNOWN) => Err(Refused::UnknownSession),
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
struct Inbound {
    body: Bytes,
    /// What it did that ends its session. The body is what came before.
    fault: Option<Fault>,
}

fn judge(packet: &str, link: &Link) -> Judgement {
    let mut left = packet.bytes();
    let judged = link.judge(&mut left);
    let looked_at = packet.len() - left.len();
    // What is answered is read as an event is.
    let is_event = ["42", "45", "43", "46"]
        .iter()
        .any(|kind| packet.starts_with(kind));
    let is_broken = || match packet.strip_prefix('b') {
        Some(bytes) => BASE64_STANDARD.decode(bytes).is_err(),
        None => {
            let head = packet.get(..looked_at).unwrap_or_default();
            let text = head.rfind('[').and_then(|start| packet.get(start..));
            is_event && text.is_some_and(|text| !is_json(text))
        }
    };
    match judged {
        // The library would end the session without a word to whoever polls next.
        Judgement::Pass if is_broken() => Judgement::End(Fault::Parse),
        judged => judged,
    }
}

/// Or nests deeper than can be read, about which its sender is told more.
fn is_json(text: &str) -> bool {
    let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err();
    error.is_none_or(|error| error.to_string().starts_with("recursion limit exceeded"))
}

fn inbound(body: Bytes, link: &Link) -> Inbound {
    // The library refuses what is no text.
    let Ok(text) = std::str::from_utf8(&body) else {
        return Inbound { body, fault: None };
    };
    let mut fault = None;
    let mut packets = Vec::new();
    for packet in text.split(SEPARATOR) {
        match judge(packet, link) {
            Judgement::Pass => {
                let marked = acks::mark_polled(packet).or_else(|| escape::mark(packet));
                packets.push(marked.map_or(Cow::Borrowed(packet), Cow::Owned));
            }
            Judgement::Ignore => {}
            Judgement::End(why) => {
                fault = Some(why);
                break;
            }
        }
    }
    Inbound {
        body: packets.join("\u{1e}").into(),
        fault,
    }
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
    let is_news = |packet| {
        let packet = parser.read_polled(packet);
        let said = Said::read(&packet);
        matches!(said, Said::Ping | Said::Connected(_) | Said::Refused(..))
    };
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
