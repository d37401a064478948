//! Who may ask for what: whoever has a token, as far as its scope goes, or, where there is none, whoever is on this machine
//! and is not a web page. What is changed is told with the name of the token that it was changed with.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::audit::Audit;
use super::problem::Problem;
use super::routes::Names;
use super::tries::Tries;
use crate::config::{self, NOBODY, Scope};
use crate::telemetry::events::AdminRefused;

/// How requests are let in.
pub(crate) struct Auth {
    /// None: only a loopback address is listened on. A page in this machine's browser reaches it too: by another site's
    /// request, or under a name that resolves to this machine (DNS rebinding).
    keys: ArcSwap<Vec<Key>>,
    /// Whether the listener can only be reached from this machine.
    is_local: bool,
    tries: Tries,
}

struct Key {
    name: Arc<str>,
    /// Of the token. Digests are compared, so that how long it takes says nothing about the token.
    digest: [u8; 32],
    scope: Scope,
}

/// The address of the client, where the request came over a connection.
#[derive(Clone, Copy)]
pub(super) struct From(pub IpAddr);

/// Whose token a request came with.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub name: Arc<str>,
    pub scope: Scope,
}

impl Auth {
    /// `is_local`: the listener is on a loopback address.
    pub(crate) fn new(admin: &config::Admin, is_local: bool) -> Self {
        Self {
            keys: ArcSwap::from_pointee(keys(admin)),
            is_local,
            tries: Tries::new(),
        }
    }

    /// Other tokens from now on. The listener stays where it is, so the last token of one that others can reach is not
    /// taken away.
    pub(crate) fn reconfigure(&self, admin: &config::Admin) {
        let keys = keys(admin);
        if self.is_local || !keys.is_empty() {
            self.keys.store(Arc::new(keys));
        }
    }

    fn check(&self, headers: &HeaderMap, from: Option<IpAddr>) -> Result<Caller, Problem> {
        let keys = self.keys.load();
        if keys.is_empty() {
            return check_local(headers).map(|()| Caller {
                name: NOBODY.into(),
                scope: Scope::Write,
            });
        }
        let Some(token) = bearer(headers) else {
            let what = "`Authorization: Bearer …` is missing";
            return Err(unauthorized("no_token", what));
        };
        if let Some(from) = from {
            let taken = self.tries.take(from, Instant::now());
            taken.map_err(too_many_tries)?;
        }
        let digest = digest(token);
        // All of them, so that the time it takes does not tell which it was.
        let found = keys.iter().fold(None, |found, key| {
            (key.digest == digest).then_some(key).or(found)
        });
        let key = found.ok_or_else(|| {
            unauthorized("wrong_token", "the token is not one of those configured")
        })?;
        if let Some(from) = from {
            self.tries.give_back(from);
        }
        Ok(Caller {
            name: key.name.clone(),
            scope: key.scope,
        })
    }
}

/// What stands before everything but the probes.
#[derive(Clone)]
pub(super) struct Guard {
    pub auth: Arc<Auth>,
    /// What the record of a change calls it.
    pub names: Arc<Names>,
}

pub(super) async fn require(
    State(Guard { auth, names }): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    let from = request.extensions().get::<From>().map(|from| from.0);
    let needed = needed(request.method());
    let caller = match auth.check(request.headers(), from) {
        Ok(caller) => caller,
        Err(problem) => return refuse(problem, &request, from, None),
    };
    if caller.scope < needed {
        let what = "the token may look, and not change anything";
        let problem = Problem::new(StatusCode::FORBIDDEN, "insufficient_scope", what);
        return refuse(problem, &request, from, Some(&caller.name));
    }
    request.extensions_mut().insert(caller.clone());
    if needed == Scope::Read {
        return next.run(request).await;
    }
    let audit = Audit::begin(caller.name, from, &request, &names);
    audit.end(next.run(request).await)
}

/// What a request takes: whatever is not only asked for changes something.
fn needed(method: &Method) -> Scope {
    match method.is_safe() {
        true => Scope::Read,
        false => Scope::Write,
    }
}

fn refuse(
    problem: Problem,
    request: &Request,
    from: Option<IpAddr>,
    token: Option<&str>,
) -> Response {
    AdminRefused {
        address: from,
        token,
        code: problem.code(),
        method: request.method().as_str(),
        path: request.uri().path(),
    }
    .emit();
    let challenge = match (problem.code(), problem.status()) {
        (_, StatusCode::UNAUTHORIZED) => Some("Bearer realm=\"sluice\""),
        // RFC 6750, section 3.1.
        ("insufficient_scope", _) => {
            Some("Bearer realm=\"sluice\", error=\"insufficient_scope\", scope=\"write\"")
        }
        _ => None,
    };
    let mut response = problem.into_response();
    if let Some(challenge) = challenge {
        let value = HeaderValue::from_static(challenge);
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

fn keys(admin: &config::Admin) -> Vec<Key> {
    let keys = admin.all_tokens().map(|(name, token, scope)| Key {
        name: name.into(),
        digest: digest(token.expose().as_bytes()),
        scope,
    });
    keys.collect()
}

fn unauthorized(code: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
}

fn too_many_tries(seconds: u32) -> Problem {
    let what = "too many wrong tokens came from this address";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", what).again_after(seconds)
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

    fn admin(token: Option<&str>, others: &[(&str, &str, Scope)]) -> config::Admin {
        let secret = |text: &str| config::Secret::new(text.to_owned());
        let others = others
            .iter()
            .map(|(name, token, scope)| config::AdminToken {
                name: (*name).to_owned(),
                token: secret(token),
                scope: *scope,
            });
        config::Admin {
            tls: None,
            listen: ([127, 0, 0, 1], 0).into(),
            token: token.map(secret),
            tokens: others.collect(),
            ui: None,
        }
    }

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
        let auth = Auth::new(&admin(Some("s3cret"), &[]), true);
        let check = |value| {
            let headers = headers(&[("authorization", value)]);
            auth.check(&headers, None).is_ok()
        };
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
        assert!(auth.check(&HeaderMap::new(), None).is_err());
        // With a token, a name or an origin proves nothing and prevents nothing.
        assert!(
            auth.check(
                &headers(&[
                    ("authorization", "Bearer s3cret"),
                    ("host", "admin.example.com"),
                    ("origin", "https://admin.example.com"),
                ]),
                None
            )
            .is_ok()
        );
    }

    #[test]
    fn tokens_have_names_and_scopes_and_can_be_changed() {
        let others = [("prometheus", "p", Scope::Read), ("ci", "c", Scope::Write)];
        let auth = Auth::new(&admin(Some("a"), &others), false);
        let who = |token: &str| {
            let headers = headers(&[("authorization", &format!("Bearer {token}"))]);
            let caller = auth.check(&headers, None).ok()?;
            Some((caller.name.to_string(), caller.scope))
        };
        let known = |name: &str, scope| Some((name.to_owned(), scope));
        assert_eq!(who("a"), known("admin", Scope::Write));
        assert_eq!(who("p"), known("prometheus", Scope::Read));
        assert_eq!(who("c"), known("ci", Scope::Write));
        auth.reconfigure(&admin(None, &[("ci", "d", Scope::Read)]));
        assert_eq!((who("a"), who("c")), (None, None));
        assert_eq!(who("d"), known("ci", Scope::Read));
        // Others can reach it: without a token it would be open to all of them.
        auth.reconfigure(&admin(None, &[]));
        assert_eq!(who("d"), known("ci", Scope::Read));
    }

    #[test]
    fn who_guesses_is_not_listened_to_for_a_while() {
        let auth = Auth::new(&admin(Some("right"), &[]), false);
        let from = Some(IpAddr::from([192, 0, 2, 1]));
        let code = |token: &str, from| {
            let headers = headers(&[("authorization", &format!("Bearer {token}"))]);
            auth.check(&headers, from).err().map(|it| it.code())
        };
        let mut codes = (0..100).map(|_| code("wrong", from));
        assert_eq!(codes.next(), Some(Some("wrong_token")));
        assert!(codes.any(|code| code == Some("too_many_tries")));
        // Whether it would be the right one is not said.
        assert_eq!(code("right", from), Some("too_many_tries"));
        assert_eq!(code("right", Some(IpAddr::from([192, 0, 2, 2]))), None);
    }

    #[test]
    fn without_a_token_web_pages_are_kept_out() {
        let auth = Auth::new(&admin(None, &[]), true);
        let check = |of: &[(&'static str, &str)]| auth.check(&headers(of), None).is_ok();
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
