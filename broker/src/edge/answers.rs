//! What requests are answered with that go no further.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};

use super::handshake::Refused;
use super::http::Body;
use crate::telemetry::events::{HandshakeFailed, OriginRefused};

/// Tells the operator.
pub(super) fn tell(refused: &Refused, address: IpAddr) {
    if let Refused::Limited(limited) | Refused::LimitedBehindProxy(limited) = refused {
        return limited.tell(address);
    }
    HandshakeFailed {
        code: refused.code(),
        message: refused.message(),
        address,
        context: refused.context(),
    }
    .emit();
}

pub(super) fn refuse_origin<B>(request: &Request<B>, address: IpAddr) -> Response<Body> {
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
pub(super) fn refusal(refused: &Refused) -> Response<Body> {
    let body = serde_json::json!({ "code": refused.code(), "message": refused.message() });
    let mut response = text(refused.status(), &body.to_string());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Some(seconds) = refused.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
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
