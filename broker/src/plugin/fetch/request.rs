//! What a policy may send: checked against the operator's list and the rules of HTTP before anything is opened.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use http_body_util::Full;
use sha2::{Digest as _, Sha256};

use super::Request;
use super::cache::Key;
use super::client::Sendable;
use crate::config::{Origin, PolicyHttp};

/// Bytes of a whole request: its address, headers and body.
const MAX_REQUEST: usize = 256 << 10;

/// More than any honest request has, and less than servers refuse.
const MAX_URL: usize = 8 << 10;
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 32 << 10;

/// They belong to the connection and to the message, which are the broker's (RFC 9110, section 7.6.1).
const NOT_A_POLICYS: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("sluice/", env!("CARGO_PKG_VERSION")));

/// A request that may be made.
pub(super) struct Checked {
    pub origin: Origin,
    pub request: Sendable,
    pub timeout: Duration,
    pub max_age: Duration,
    /// `None` for what has to be asked each time.
    pub key: Option<Key>,
}

/// `Err` says to the policy what is wrong.
pub(super) fn check(request: Request, settings: &PolicyHttp) -> Result<Checked, String> {
    let Request {
        method,
        url,
        headers,
        body,
        timeout_ms,
        max_age_ms,
    } = request;
    if url.len() > MAX_URL {
        return Err(format!("its address has more than {MAX_URL} bytes"));
    }
    let (uri, origin) = address(&url, &settings.hosts)?;
    let method = verb(&method)?;
    let is_get = method == Method::GET;
    if !body.is_empty() && (is_get || method == Method::HEAD) {
        return Err(format!("a {method} has no body"));
    }
    let headers = fields(headers)?;
    if url.len() + size(&headers) + body.len() > MAX_REQUEST {
        return Err(format!("it has more than {MAX_REQUEST} bytes"));
    }
    let timeout = match timeout_ms {
        0 => settings.timeout,
        ms => Duration::from_millis(ms.into()).min(settings.timeout),
    };
    let key = is_get.then(|| key(&uri, &headers));
    let mut sent = http::Request::new(Full::new(Bytes::from(body)));
    *sent.method_mut() = method;
    *sent.uri_mut() = uri;
    *sent.headers_mut() = headers;
    sent.headers_mut()
        .entry(header::USER_AGENT)
        .or_insert(USER_AGENT);
    Ok(Checked {
        origin,
        request: sent,
        timeout,
        max_age: Duration::from_millis(max_age_ms.into()),
        key,
    })
}

fn address(url: &str, listed: &[Origin]) -> Result<(Uri, Origin), String> {
    // The parser drops a fragment, and the policy would not know.
    if url.contains('#') {
        return Err("its address has a fragment, which is never sent".to_owned());
    }
    let wrong = || "its address is not of the form `https://host/path`".to_owned();
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let origin = Origin::of(&uri).ok_or_else(wrong)?;
    if !listed.contains(&origin) {
        return Err(format!("the host {origin} is not listed in `http.hosts`"));
    }
    Ok((uri, origin))
}

fn verb(text: &str) -> Result<Method, String> {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    let method = known.into_iter().find(|method| method.as_str() == text);
    method.ok_or_else(|| {
        "its method is none of GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS".to_owned()
    })
}

fn fields(headers: Vec<(String, String)>) -> Result<HeaderMap, String> {
    if headers.len() > MAX_HEADERS {
        return Err(format!("it has more than {MAX_HEADERS} headers"));
    }
    let mut fields = HeaderMap::with_capacity(headers.len());
    for (position, (name, value)) in headers.into_iter().enumerate() {
        let name: HeaderName = name
            .parse()
            .map_err(|_| format!("the name of header {position} is not a header's"))?;
        if is_not_a_policys(&name) {
            return Err(format!("the header `{name}` is the broker's to send"));
        }
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| format!("the value of the header `{name}` is not a header's"))?;
        // It may be a credential, and some library may print it one day.
        value.set_sensitive(true);
        fields.append(name, value);
    }
    if size(&fields) > MAX_HEADER_BYTES {
        return Err(format!(
            "its headers have more than {MAX_HEADER_BYTES} bytes"
        ));
    }
    Ok(fields)
}

/// Headers of a connection, which are not told to a policy either.
pub(super) fn is_not_a_policys(name: &HeaderName) -> bool {
    NOT_A_POLICYS.contains(name) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

pub(super) fn size(headers: &HeaderMap) -> usize {
    let bytes = headers.iter();
    bytes
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}

/// Lengths stand before texts, so that two requests have one key only if they are equal.
fn key(uri: &Uri, headers: &HeaderMap) -> Key {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    };
    add(uri.to_string().as_bytes());
    let mut headers: Vec<_> = headers.iter().collect();
    // Of several with one name the order says something, and the sort leaves it.
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        add(name.as_str().as_bytes());
        add(value.as_bytes());
    }
    hash.finalize().into()
}
