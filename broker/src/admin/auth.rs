//! Who may ask: whoever has the token, or, where there is none, whoever is on this machine and is not a web page.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::problem::Problem;
use crate::config::Secret;
use crate::telemetry::events::AdminRefused;

/// How requests are let in.
#[derive(Clone)]
pub(super) enum Auth {
    /// The digest of the token. Digests are compared, so that how long it takes says nothing about the token.
    Token(Arc<[u8; 32]>),
    /// Only a loopback address is listened on then. A page in this machine's browser reaches it too: by another
    /// site's request, or under a name that resolves to this machine (DNS rebinding).
    Local,
}

/// The address of the client, where the request came over a connection.
#[derive(Clone, Copy)]
pub(super) struct From(pub IpAddr);

impl Auth {
    pub(super) fn new(token: Option<&Secret>) -> Self {
        match token {
            Some(token) => Self::Token(Arc::new(digest(token.expose().as_bytes()))),
            None => Self::Local,
        }
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self {
            Self::Token(expected) => match bearer(headers) {
                Some(token) if digest(token) == **expected => Ok(()),
                Some(_) => Err(unauthorized(
                    "wrong_token",
                    "the token is not the one configured",
                )),
                None => Err(unauthorized(
                    "no_token",
                    "`Authorization: Bearer …` is missing",
                )),
            },
            Self::Local => check_local(headers),
        }
    }
}

pub(super) async fn require(State(auth): State<Auth>, request: Request, next: Next) -> Response {
    match auth.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            AdminRefused {
                address: request.extensions().get::<From>().map(|from| from.0),
                code: problem.code(),
                path: request.uri().path(),
            }
            .emit();
            let mut response = problem.into_response();
            if response.status() == StatusCode::UNAUTHORIZED {
                response.headers_mut().insert(
                    WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"sluice\""),
                );
            }
            response
        }
    }
}

fn unauthorized(code: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

fn check_local(headers: &HeaderMap) -> Result<(), Problem> {
    let forbidden = |code, detail| Err(Problem::new(StatusCode::FORBIDDEN, code, detail));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.filter(|host| is_local(host)) else {
        return forbidden(
            "foreign_host",
            "without admin.token this listener answers to localhost and IP addresses only",
        );
    };
    if let Some(origin) = headers.get(ORIGIN)
        && origin.as_bytes() != format!("http://{host}").as_bytes()
    {
        return forbidden(
            "foreign_origin",
            "without admin.token this listener does not answer pages of other origins",
        );
    }
    Ok(())
}

/// A name that nobody else can make resolve to this machine.
fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
        of.iter()
            .map(|(name, value)| {
                (
                    axum::http::HeaderName::from_static(name),
                    value.parse().expect("a header value"),
                )
            })
            .collect()
    }

    #[test]
    fn a_token_opens_and_nothing_else_does() {
        let auth = Auth::new(Some(&Secret::new("s3cret".to_owned())));
        let check = |value| auth.check(&headers(&[("authorization", value)])).is_ok();
        assert!(check("Bearer s3cret"));
        assert!(check("bearer  s3cret"));
        for wrong in [
            "Bearer s3cre",
            "Bearer s3cret2",
            "Bearer ",
            "s3cret",
            "Basic s3cret",
            "",
        ] {
            assert!(!check(wrong), "{wrong}");
        }
        assert!(auth.check(&HeaderMap::new()).is_err());
        // With a token, a name or an origin proves nothing and prevents nothing.
        assert!(
            auth.check(&headers(&[
                ("authorization", "Bearer s3cret"),
                ("host", "admin.example.com"),
                ("origin", "https://admin.example.com"),
            ]))
            .is_ok()
        );
    }

    #[test]
    fn without_a_token_web_pages_are_kept_out() {
        let check = |of: &[(&'static str, &str)]| Auth::new(None).check(&headers(of)).is_ok();
        for host in [
            "127.0.0.1:9090",
            "localhost:9090",
            "LOCALHOST",
            "[::1]:9090",
            "10.0.0.1",
        ] {
            assert!(check(&[("host", host)]), "{host}");
        }
        for host in [
            "evil.example:9090",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            "@",
        ] {
            assert!(!check(&[("host", host)]), "{host}");
        }
        assert!(!check(&[]));
        let from = |origin| check(&[("host", "127.0.0.1:9090"), ("origin", origin)]);
        assert!(from("http://127.0.0.1:9090"));
        for origin in [
            "http://evil.example",
            "null",
            "http://127.0.0.1:9091",
            "https://127.0.0.1:9090",
        ] {
            assert!(!from(origin), "{origin}");
        }
    }
}
