//! What is checked of a request before the protocol library sees it, with the errors of Node's Engine.IO server.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use tungstenite::handshake::derive_accept_key;

use crate::admission;
use crate::config;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Polling,
    WebSocket,
}

/// The parameters of an Engine.IO request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub transport: Transport,
    pub sid: Option<String>,
    /// Revision 4 of the protocol is spoken.
    pub is_supported: bool,
}

/// Why a request is refused. Codes and messages are those that clients of Node's server know
/// (engine.io, `Server.errors`).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    UnknownTransport,
    UnknownSession,
    BadMethod,
    BadRequest(&'static str),
    UnsupportedVersion,
    Draining,
    /// Beyond a limit.
    Limited(admission::Refused),
    /// The same of one address, said to its proxy: that takes 503 for a fault of this node's, and may leave it out for
    /// everyone.
    LimitedBehindProxy(admission::Refused),
    /// The reactor that the session lives on takes nothing.
    Busy,
    TooLarge,
    /// An answer of the protocol library.
    ByLibrary(StatusCode, Bytes),
}

impl Query {
    pub(super) fn parse(query: &str, config: &config::Server) -> Result<Self, Refused> {
        let value = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let transport = match value("transport") {
            Some("polling") if config.transports.polling => Transport::Polling,
            Some("websocket") if config.transports.websocket => Transport::WebSocket,
            _ => return Err(Refused::UnknownTransport),
        };
        let is_supported = value("EIO") == Some("4");
        let sid = value("sid").map(str::to_owned);
        if transport == Transport::WebSocket && sid.is_some() && !config.allow_upgrades {
            return Err(Refused::BadRequest("upgrades are not allowed"));
        }
        Ok(Self {
            transport,
            sid,
            is_supported,
        })
    }
}

/// The answer to a WebSocket's key (RFC 6455, section 4.2), if the request is a proper upgrade.
pub(super) fn accept_key(method: &Method, headers: &HeaderMap) -> Result<HeaderValue, Refused> {
    let has_token = |name, token: &str| {
        headers.get_all(name).iter().any(|value: &HeaderValue| {
            value.to_str().is_ok_and(|text| {
                text.split(',')
                    .any(|t| t.trim().eq_ignore_ascii_case(token))
            })
        })
    };
    if method != Method::GET
        || !has_token(header::CONNECTION, "upgrade")
        || !has_token(header::UPGRADE, "websocket")
    {
        return Err(Refused::BadRequest("not a WebSocket upgrade"));
    }
    if !has_token(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(Refused::BadRequest(
            "only version 13 of WebSocket is spoken",
        ));
    }
    // 16 bytes in base64.
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .filter(|key| key.len() == 24)
        .ok_or(Refused::BadRequest("no usable Sec-WebSocket-Key"))?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .map_err(|_| Refused::BadRequest("no usable Sec-WebSocket-Key"))
}

/// The packet with which either side of an Engine.IO session ends it.
pub(super) const CLOSE: &str = "1";

/// The session id in the body of a polling handshake's answer: `0{"sid":"…",…}`.
pub(super) fn session_id(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Open {
        sid: String,
    }
    let open: Open = serde_json::from_slice(body.strip_prefix(b"0")?).ok()?;
    Some(open.sid)
}

/// The answer to a polling handshake, without the upgrade that this server would refuse; the library offers it always.
pub(super) fn open_packet(body: Bytes, config: &config::Server) -> Bytes {
    if config.allow_upgrades && config.transports.websocket {
        return body;
    }
    let parsed = body
        .strip_prefix(b"0")
        .and_then(|open| serde_json::from_slice::<serde_json::Value>(open).ok());
    match parsed {
        Some(mut open) => {
            if let Some(upgrades) = open.get_mut("upgrades") {
                *upgrades = serde_json::json!([]);
            }
            format!("0{open}").into()
        }
        None => body,
    }
}

// === impl Refused ===

impl Refused {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Refused::Draining | Refused::Limited(_) | Refused::Busy => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Refused::LimitedBehindProxy(_) => StatusCode::TOO_MANY_REQUESTS,
            Refused::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refused::ByLibrary(status, _) => *status,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn code(&self) -> u8 {
        match self {
            Refused::UnknownTransport => 0,
            Refused::UnknownSession => 1,
            Refused::BadMethod => 2,
            Refused::UnsupportedVersion => 5,
            Refused::BadRequest(_)
            | Refused::Draining
            | Refused::Limited(_)
            | Refused::LimitedBehindProxy(_)
            | Refused::Busy
            | Refused::TooLarge
            | Refused::ByLibrary(..) => 3,
        }
    }

    /// What it is called where there is more than the protocol's code.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Refused::UnknownTransport => "unknown_transport",
            Refused::UnknownSession => "unknown_session",
            Refused::BadMethod => "bad_method",
            Refused::UnsupportedVersion => "unsupported_version",
            Refused::Draining => "draining",
            Refused::Limited(it) | Refused::LimitedBehindProxy(it) => it.limit(),
            Refused::Busy => "busy",
            Refused::TooLarge => "too_large",
            Refused::BadRequest(_) | Refused::ByLibrary(..) => "bad_request",
        }
    }

    pub(super) fn message(&self) -> &'static str {
        match self {
            Refused::UnknownTransport => "Transport unknown",
            Refused::UnknownSession => "Session ID unknown",
            Refused::BadMethod => "Bad handshake method",
            Refused::UnsupportedVersion => "Unsupported protocol version",
            Refused::Draining => "Server is shutting down",
            Refused::Limited(_) | Refused::LimitedBehindProxy(_) => "Too many connections",
            Refused::Busy => "Server is busy",
            Refused::TooLarge | Refused::ByLibrary(StatusCode::PAYLOAD_TOO_LARGE, _) => {
                "Payload too large"
            }
            Refused::BadRequest(_) | Refused::ByLibrary(..) => "Bad request",
        }
    }

    /// When it is worth another try, in seconds.
    pub(super) fn retry_after(&self) -> Option<u64> {
        match self {
            Refused::Limited(it) | Refused::LimitedBehindProxy(it) => Some(it.seconds()),
            _ => (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1),
        }
    }

    /// What the log says beside code and message.
    pub(super) fn context(&self) -> &str {
        match self {
            Refused::BadRequest(why) => why,
            Refused::ByLibrary(_, body) => std::str::from_utf8(body).unwrap_or(""),
            _ => "",
        }
    }
}
