//! From a request for a WebSocket to the WebSocket that the protocol library is lent.

use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::Service as _;
use hyper_util::rt::TokioIo;

use super::answers::text;
use super::forward::{self, Upgraded};
use super::handshake::{self, Refused};
use super::http::{Body, copy};
use super::link::Link;
use super::probe::{self, Probe};
use super::reactor::Place;
use super::stream::Carrier;
use super::{Shared, deflate, traced};
use crate::tls::Stream;

/// The upgrade follows the answer at once; a connection that dies in between must not leave a task behind.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers a request for a WebSocket, and opens it when the answer has been written.
pub(super) fn upgrade(
    mut request: Request<Incoming>,
    link: Arc<Link>,
    place: Arc<Place>,
    shared: &Arc<Shared>,
) -> Result<Response<Body>, Refused> {
    let accept = handshake::accept_key(request.method(), request.headers())?;
    let uri = copy(request.uri())?;
    let deflate = shared.agree(request.headers());
    let extensions = deflate.as_ref().map(|terms| terms.answer.clone());
    let upgrade = hyper::upgrade::on(&mut request);
    let span = traced::upgrade(&link);
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
            span,
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
            None => {
                traced::upgraded(upgraded.span, false);
                return probe::close(upgraded.stream).await;
            }
        }
        traced::upgraded(upgraded.span, true);
    }
    let carrier = Carrier::new(
        upgraded.stream,
        &upgraded.ahead,
        link.clone(),
        upgraded.place,
        shared.terms(),
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
