//! `[server]`: the listener that clients connect to.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use config::ValueKind;
use http::uri::PathAndQuery;

use super::admission::Admission;
use super::client_files;
use super::compression::Compression;
use super::cookie::Cookie;
use super::cors::Cors;
use super::http_compression::HttpCompression;
use super::section::Section;
use super::setting::{Setting, Size, Wrong};
use crate::tls;

/// The public side of the broker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Server {
    pub listen: SocketAddr,
    /// Begins with `/`, and does not end with one unless it is one.
    pub path: String,
    pub reactors: usize,
    pub transports: Transports,
    pub allow_upgrades: bool,
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    pub upgrade_timeout: Duration,
    pub connect_timeout: Duration,
    /// How long clients' answers to events of back ends are waited for.
    pub ack_timeout: Duration,
    /// Bytes of one message.
    pub max_payload: u64,
    pub admission: Admission,
    /// Zero closes all clients at once.
    pub drain_period: Duration,
    pub probes: bool,
    pub cors: Cors,
    /// `None`: no cookie is set.
    pub cookie: Option<Cookie>,
    /// Where the official client is; `None`: it is not served.
    pub client_files: Option<PathBuf>,
    pub http_compression: HttpCompression,
    pub compression: Compression,
    pub slow_client: SlowClient,
    /// `None`: plain text.
    pub tls: Option<tls::Settings>,
}

/// At least one is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transports {
    pub polling: bool,
    pub websocket: bool,
}

/// When a client that does not read is let go.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SlowClient {
    pub max_queued_messages: usize,
    pub max_queued_bytes: u64,
    /// How long it may take nothing of what is written to it.
    pub max_stall: Duration,
}

const SHORTEST: Duration = Duration::from_millis(1);
/// Node's timers end at 2³¹ - 1 milliseconds, and so do those of clients, who are told the heartbeat.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
/// A back end waits on its connection for as long.
const LONGEST_ACK: Duration = Duration::from_secs(60);
/// More threads than any machine has cores: a slip.
const MOST_REACTORS: usize = 1024;
/// A queue is a channel, which panics far above; long before, its bytes are what counts.
const MOST_QUEUED: usize = 1 << 20;
const QUEUED_BYTES: RangeInclusive<Size> = Size(64 << 10)..=Size(1 << 30);
/// Below this not even a handshake passes; above it no message is one.
const PAYLOADS: RangeInclusive<Size> = Size(1024)..=Size(1 << 30);

impl Server {
    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        let server = Self {
            listen: s.get(
                "listen",
                "127.0.0.1:3000",
                "Where clients connect; port 0 takes any free one.",
            ),
            path: path(s),
            reactors: reactors(s),
            transports: s.get(
                "transports",
                r#"["polling", "websocket"]"#,
                "The transports that clients may use.",
            ),
            allow_upgrades: s.live(|s| {
                s.get(
                    "allow_upgrades",
                    "true",
                    "Clients that begin with polling may move to WebSocket.",
                )
            }),
            ping_interval: period(s, "ping_interval", "25s", "Time between two heartbeats."),
            ping_timeout: period(
                s,
                "ping_timeout",
                "20s",
                "Time for the answer to a heartbeat, after which the client is taken for gone.",
            ),
            upgrade_timeout: period(
                s,
                "upgrade_timeout",
                "10s",
                "Time for a move from polling to WebSocket.",
            ),
            connect_timeout: period(
                s,
                "connect_timeout",
                "45s",
                "Time for a new connection to enter a namespace.",
            ),
            ack_timeout: s.live(ack_timeout),
            max_payload: max_payload(s),
            admission: s.live(Admission::read),
            drain_period: s.live(drain_period),
            probes: s.live(|s| {
                s.get(
                    "probes",
                    "false",
                    "Serves /healthz and /readyz on this listener too.",
                )
            }),
            client_files: client_files::read(s),
            cors: s.live(|s| s.table("cors", "Web pages of other origins.", Cors::read)),
            cookie: s.live(|s| {
                s.table(
                    "cookie",
                    "A cookie that the handshake sets, for load balancers.",
                    Cookie::read,
                )
            }),
            http_compression: s.live(|s| {
                s.table(
                    "http_compression",
                    "Answers to polls are compressed.",
                    HttpCompression::read,
                )
            }),
            compression: s.live(|s| {
                s.table(
                    "compression",
                    "Messages of a WebSocket are compressed.",
                    Compression::read,
                )
            }),
            slow_client: s.table(
                "slow_client",
                "Clients that do not read what they are sent.",
                SlowClient::read,
            ),
            tls: s.live(super::tls::read),
        };
        heartbeat(s, &server);
        server
    }
}

fn path(s: &mut Section<'_, '_>) -> String {
    let path: String = s.get("path", "/socket.io", "The path of the Socket.IO endpoint.");
    let is_path = path.parse::<PathAndQuery>().is_ok_and(|p| p.path() == path);
    if !path.starts_with('/') {
        s.complain(
            "path",
            "does not begin with `/`",
            Some("a path such as `/socket.io`"),
        );
    } else if !is_path {
        s.complain("path", "is not a path", Some("a path such as `/socket.io`"));
    }
    match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() => shorter.to_owned(),
        _ => path,
    }
}

fn reactors(s: &mut Section<'_, '_>) -> usize {
    let reactors = s.optional(
        "reactors",
        "4",
        "Threads that serve connections; one for each core unless given.",
    );
    if reactors.is_some_and(|reactors| reactors > MOST_REACTORS) {
        s.complain("reactors", "is too large", Some("1 to 1024"));
    }
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    reactors.unwrap_or_else(cores)
}

fn max_payload(s: &mut Section<'_, '_>) -> u64 {
    let Size(size) = s.within(
        "max_payload",
        "1MB",
        "The largest message, or polling request, that is taken from a client.",
        (PAYLOADS, "1KiB to 1GiB"),
    );
    size
}

fn period(
    s: &mut Section<'_, '_>,
    name: &'static str,
    default: &'static str,
    doc: &'static str,
) -> Duration {
    s.within(name, default, doc, (SHORTEST..=LONGEST, "1ms to 24days"))
}

fn ack_timeout(s: &mut Section<'_, '_>) -> Duration {
    s.within(
        "ack_timeout",
        "5s",
        "How long the answers of clients to a back end's event are waited for, unless it says so itself.",
        (SHORTEST..=LONGEST_ACK, "1ms to 60s"),
    )
}

/// Clients wait for the two together, with one timer.
fn heartbeat(s: &mut Section<'_, '_>, server: &Server) {
    let (interval, timeout) = (server.ping_interval, server.ping_timeout);
    // One that is too long by itself has its own problem.
    if interval.max(timeout) <= LONGEST && interval.saturating_add(timeout) > LONGEST {
        s.complain(
            "ping_timeout",
            "is out of bounds with `server.ping_interval`",
            Some("at most 24days for the two together"),
        );
    }
}

fn drain_period(s: &mut Section<'_, '_>) -> Duration {
    s.within(
        "drain_period",
        "10s",
        "Time over which clients are closed when the broker is told to stop.",
        (..=LONGEST, "at most 24days"),
    )
}

impl SlowClient {
    fn read(s: &mut Section<'_, '_>) -> Self {
        let max_queued_messages = s.at_most(
            "max_queued_messages",
            "8192",
            "A client with more messages waiting than this is disconnected.",
            (MOST_QUEUED, "1 to 1048576"),
        );
        s.live(|s| {
            let Size(max_queued_bytes) = s.within(
                "max_queued_bytes",
                "16MiB",
                "Bytes that wait for one client; one that has more is disconnected.",
                (QUEUED_BYTES, "64KiB to 1GiB"),
            );
            Self {
                max_queued_messages,
                max_queued_bytes,
                max_stall: period(
                    s,
                    "max_stall",
                    "900ms",
                    "A client with messages waiting that takes nothing for this long is disconnected.",
                ),
            }
        })
    }
}

impl Setting for Transports {
    const EXPECTED: &'static str = r#"a list of "polling" and "websocket""#;
    const TYPE: &'static str = "list of polling, websocket";
    const QUOTED: bool = false;

    fn schema() -> serde_json::Value {
        let names = ["polling", "websocket"];
        serde_json::json!({ "type": "array", "items": { "enum": names }, "minItems": 1 })
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        Self::from_names(&Vec::from_text(text)?)
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        Self::from_names(&Vec::from_value(value)?)
    }
}

impl Transports {
    fn from_names(names: &[String]) -> Result<Self, Wrong> {
        let mut transports = Self {
            polling: false,
            websocket: false,
        };
        for name in names {
            match name.as_str() {
                "polling" => transports.polling = true,
                "websocket" => transports.websocket = true,
                _ => return Err(Wrong::new("holds something else")),
            }
        }
        if names.is_empty() {
            return Err(Wrong::new("is empty"));
        }
        Ok(transports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports() {
        let read = |text| {
            Transports::from_text(text)
                .ok()
                .map(|t| (t.polling, t.websocket))
        };
        assert_eq!(read(r#"["websocket"]"#), Some((false, true)));
        assert_eq!(read(r#"["websocket", "polling"]"#), Some((true, true)));
        assert_eq!(read("[]"), None);
        assert_eq!(read(r#"["webtransport"]"#), None);
        assert_eq!(read("websocket"), None);
    }
}
