//! What traces say of a client's way in, before there is a socket: the request that begins a session, and the WebSocket
//! that one goes over to. Requests of sessions that are polled are not recorded.

use std::net::IpAddr;

use http::{Method, Request, StatusCode};

use super::link::Link;
use crate::admission::{Admission, Refused};
use crate::telemetry::trace::{self, Kind, Opened, Parent, Recording, TRACEPARENT};

const NAME: &str = "handshake";

/// A request that asks for a session. A trusted proxy's `traceparent` decides; anyone else's names the trace only.
pub(super) fn handshake<B>(
    request: &Request<B>,
    peer: IpAddr,
    admission: &Admission,
) -> Option<Box<Recording>> {
    if !trace::is_on() {
        return None;
    }
    let transport = asked_for(request)?;
    let header = request.headers().get(TRACEPARENT);
    let parent = Parent::of(header.and_then(|value| value.to_str().ok()));
    let recording = match admission.trusts(peer) {
        true => trace::follow(parent, NAME, Kind::Server),
        false => trace::join(parent, NAME, Kind::Server),
    };
    let mut recording = recording?;
    recording.say("sluice.transport", transport);
    Some(recording)
}

/// The transport of a session that is to begin; `None`: it asks for something else.
fn asked_for<B>(request: &Request<B>) -> Option<&'static str> {
    if request.method() == Method::OPTIONS {
        return None;
    }
    let query = request.uri().query()?;
    let mut transport = None;
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sid", _)) => return None,
            // What is said twice counts where it is first said.
            Some(("transport", name)) if transport.is_none() => transport = Some(name),
            _ => {}
        }
    }
    Some(match transport? {
        "polling" => "polling",
        "websocket" => "websocket",
        _ => "unknown",
    })
}

/// It has been answered.
pub(super) fn answered(status: StatusCode) {
    came_to("accept", status);
}

/// It has been refused, for which reason.
pub(super) fn refused(code: &'static str, status: StatusCode) {
    came_to("refuse", status);
    trace::say("sluice.code", || code);
}

fn came_to(outcome: &'static str, status: StatusCode) {
    trace::say("sluice.outcome", || outcome);
    trace::say("http.response.status_code", || status.as_u16());
}

/// A connection that was refused before anything was read of it.
pub(super) fn turned_away(by: Refused) {
    let _entered = trace::enter(trace::begin(NAME, Kind::Server));
    refused(by.limit(), StatusCode::SERVICE_UNAVAILABLE);
}

/// A session that is polled tries a WebSocket.
pub(super) fn upgrade(link: &Link) -> Option<Box<Opened>> {
    if !link.has_polled() {
        return None;
    }
    let span = trace::apart(link.trace(), "upgrade", Kind::Server);
    span.map(Box::new)
}

/// It goes over to it, or stays with polling.
pub(super) fn upgraded(span: Option<Box<Opened>>, has_moved: bool) {
    let Some(span) = span else {
        return;
    };
    let outcome = if has_moved { "accept" } else { "fail" };
    let span = span.with("sluice.outcome", outcome);
    match has_moved {
        true => span.close(),
        false => span.failed().close(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_is_what_asks_for_a_session() {
        let asked = |method: Method, address: &str| {
            let request = Request::builder().method(method).uri(address).body(());
            asked_for(&request.expect("a request"))
        };
        let get = |query: &str| asked(Method::GET, &format!("/socket.io/{query}"));
        assert_eq!(get("?EIO=4&transport=polling"), Some("polling"));
        assert_eq!(
            get("?transport=websocket&EIO=4&t=1&plain"),
            Some("websocket")
        );
        assert_eq!(get("?EIO=4&transport=smoke"), Some("unknown"));
        assert_eq!(get("?EIO=4&transport=polling&sid=x"), None);
        assert_eq!(get("socket.io.js"), None);
        assert_eq!(asked(Method::OPTIONS, "/?transport=polling"), None);
        assert!(asked(Method::POST, "/?transport=polling").is_some());
    }
}
