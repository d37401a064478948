//! `[cluster]`: the NATS servers through which nodes, and back ends, reach each other.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use config::ValueKind;

use super::secret::Secret;
use super::section::Section;
use super::setting::{Setting, Size, Wrong, lone_or_list_schema, names};

/// What a node is part of. Read only where `nats_url` is given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cluster {
    /// At least one.
    pub servers: Vec<String>,
    /// Nodes of one name are one cluster. It stands in every subject.
    pub name: String,
    pub login: Login,
    pub tls: Tls,
    /// Between two signs of life of a node.
    pub heartbeat: Duration,
    /// A node that gives none for so long is gone.
    pub node_timeout: Duration,
    /// How long what is for other nodes waits for a connection that is lost.
    pub hold: Duration,
    pub max_queued_messages: usize,
    pub max_queued_bytes: usize,
    /// Rooms that are told to other nodes one by one; beyond that, in buckets.
    pub max_rooms: usize,
    /// Copies of what JetStream keeps, where the broker has it made.
    pub replicas: usize,
    /// How long another node's answer to a question is waited for.
    pub survey_timeout: Duration,
    /// What a node does with limits of the cluster's scope while it does not hear all others.
    pub partition: Partition,
    /// How long others that have fallen silent keep their part of such limits.
    pub missing_timeout: Duration,
}

/// How the broker says who it is. At most one is given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Login {
    Nobody,
    User {
        user: String,
        password: Secret,
    },
    Token(Secret),
    /// The seed of an nkey.
    Nkey(Secret),
    /// A file with a JWT and a seed, as `nsc` makes it.
    Credentials(PathBuf),
}

/// What a node does with limits of the cluster's scope while it does not hear all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Partition {
    /// It keeps to the part of those that it hears.
    Divide,
    /// It goes on with all of it.
    Full,
}

names!(Partition, "divide" => Self::Divide, "full" => Self::Full);

/// With any of them, or a URL that begins with `tls://`, nothing is said in the clear.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tls {
    /// Trusted besides the system's authorities.
    pub ca: Option<PathBuf>,
    /// The broker's own certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

const HEARTBEATS: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(600);
/// The admin listener answers within ten seconds.
const SURVEYS: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(4);
const QUEUED: RangeInclusive<usize> = 16..=1 << 22;
const QUEUED_BYTES: RangeInclusive<Size> = Size(64 << 10)..=Size(4 << 30);
/// As JetStream has it.
const REPLICAS: RangeInclusive<usize> = 1..=5;
const ROOMS: RangeInclusive<usize> = 0..=1 << 24;

impl Cluster {
    /// `None`: the node is alone.
    pub(super) fn read(s: &mut Section<'_, '_>) -> Option<Self> {
        let servers = s.optional::<Servers>(
            "nats_url",
            "nats://127.0.0.1:4222",
            "NATS servers, one or a list. Without them the node is alone.",
        );
        let name = name(s);
        let login = Login::read(s);
        let heartbeat = heartbeat(s);
        let cluster = Self {
            servers: servers.map_or_else(Vec::new, |servers| servers.0),
            name,
            login,
            heartbeat,
            node_timeout: node_timeout(s, heartbeat),
            hold: hold(s),
            max_queued_messages: max_queued_messages(s),
            max_queued_bytes: max_queued_bytes(s),
            max_rooms: max_rooms(s),
            replicas: replicas(s),
            survey_timeout: survey_timeout(s),
            partition: s.get(
                "partition",
                "divide",
                "Limits of cluster scope while other nodes are not heard: each node keeps to its part of them (divide), or gives all of them (full).",
            ),
            missing_timeout: missing_timeout(s),
            // Tables come after all keys.
            tls: s.table("tls", "TLS to the NATS servers.", Tls::read),
        };
        (!cluster.servers.is_empty()).then_some(cluster)
    }
}

impl Cluster {
    /// Nothing is said to the servers in the clear.
    pub(crate) fn is_private(&self) -> bool {
        let all = self.servers.iter().all(|url| url.starts_with("tls://"));
        all || self.tls.is_wanted()
    }

    /// All servers are on this machine.
    pub(crate) fn is_local(&self) -> bool {
        let host = |url: &String| {
            let address = url.parse::<async_nats::ServerAddr>().ok()?;
            Some(address.host().to_owned())
        };
        self.servers.iter().all(|url| match host(url).as_deref() {
            Some("localhost") => true,
            Some(host) => {
                let host = host.trim_matches(['[', ']']);
                host.parse::<std::net::IpAddr>()
                    .is_ok_and(|it| it.is_loopback())
            }
            None => false,
        })
    }
}

impl Login {
    fn read(s: &mut Section<'_, '_>) -> Self {
        let user = s.optional::<String>("user", "broker", "The user that the broker logs in as.");
        let password = s.optional::<Secret>("password", "${NATS_PASSWORD}", "The user's password.");
        let token = s.optional(
            "token",
            "${NATS_TOKEN}",
            "The token that the broker logs in with.",
        );
        let nkey = s.optional(
            "nkey",
            "${NATS_SEED}",
            "The seed of the nkey that the broker logs in with.",
        );
        let credentials = s.optional::<PathBuf>(
            "credentials",
            "broker.creds",
            "The file of credentials that the broker logs in with.",
        );
        let ways = ["user", "token", "nkey", "credentials"];
        let given: Vec<_> = ways.into_iter().filter(|way| s.has(way)).collect();
        if let [first, second, ..] = given[..] {
            let what = format!("is a second way to log in, beside `{first}`");
            s.report(second, &what, None);
        }
        s.are_together("user", "password");
        match (user, password, token, nkey, credentials) {
            (Some(user), Some(password), ..) => Self::User { user, password },
            (_, _, Some(token), ..) => Self::Token(token),
            (_, _, _, Some(seed), _) => Self::Nkey(seed),
            (.., Some(file)) => Self::Credentials(s.resolve(&file)),
            _ => Self::Nobody,
        }
    }
}

impl Tls {
    fn read(s: &mut Section<'_, '_>) -> Self {
        let ca = s.optional::<PathBuf>(
            "ca",
            "nats-ca.pem",
            "An authority that is trusted besides the system's.",
        );
        let cert = s.optional::<PathBuf>(
            "cert",
            "broker.pem",
            "The certificate that the broker shows.",
        );
        let key = s.optional::<PathBuf>("key", "broker.key", "The certificate's key.");
        s.are_together("cert", "key");
        Self {
            ca: ca.map(|file| s.resolve(&file)),
            identity: cert
                .zip(key)
                .map(|(cert, key)| (s.resolve(&cert), s.resolve(&key))),
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        *self != Self::default()
    }
}

fn name(s: &mut Section<'_, '_>) -> String {
    let name: String = s.get(
        "name",
        "sluice",
        "Nodes of one name are one cluster; it stands in the subjects that back ends use.",
    );
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.len() > 64 || !name.bytes().all(is_plain) {
        s.complain(
            "name",
            "is no such name",
            Some("1 to 64 of A–Z a–z 0–9 _ -"),
        );
    }
    name
}

fn heartbeat(s: &mut Section<'_, '_>) -> Duration {
    s.within(
        "heartbeat",
        "1s",
        "Time between two signs of life of a node.",
        (HEARTBEATS, "50ms to 60s"),
    )
}

fn node_timeout(s: &mut Section<'_, '_>, heartbeat: Duration) -> Duration {
    s.within(
        "node_timeout",
        "5s",
        "A node that gives no sign of life for so long is taken for gone.",
        (heartbeat * 2..=LONGEST, "twice `heartbeat` to 10min"),
    )
}

fn hold(s: &mut Section<'_, '_>) -> Duration {
    s.within(
        "hold",
        "5s",
        "How long events for other nodes wait for a lost connection to come back; then they are dropped and counted.",
        (..=LONGEST, "0s to 10min"),
    )
}

fn max_queued_messages(s: &mut Section<'_, '_>) -> usize {
    s.within(
        "max_queued_messages",
        "65536",
        "Events that may wait for the way to other nodes.",
        (QUEUED, "16 to 4194304"),
    )
}

fn max_queued_bytes(s: &mut Section<'_, '_>) -> usize {
    let Size(bytes) = s.within(
        "max_queued_bytes",
        "64MiB",
        "What they may take up.",
        (QUEUED_BYTES, "64KiB to 4GiB"),
    );
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn max_rooms(s: &mut Section<'_, '_>) -> usize {
    s.within(
        "max_rooms",
        "131072",
        "Rooms of a node that others know one by one. Beyond that they know them in 16 million buckets, and may send it events that nobody there wants.",
        (ROOMS, "1 to 16777216"),
    )
}

fn replicas(s: &mut Section<'_, '_>) -> usize {
    s.within(
        "replicas",
        "1",
        "Copies of what JetStream keeps for the cluster (durable events, policies, strict counters), each on another NATS server. What is there already keeps the number it was made with.",
        (REPLICAS, "1 to 5"),
    )
}

fn missing_timeout(s: &mut Section<'_, '_>) -> Duration {
    s.within(
        "missing_timeout",
        "1min",
        "How long a node that fell silent keeps its part of limits of cluster scope: it may be cut off and serve on.",
        (..=LONGEST, "0s to 10min"),
    )
}

fn survey_timeout(s: &mut Section<'_, '_>) -> Duration {
    s.within(
        "survey_timeout",
        "1s",
        "How long other nodes have to answer what operators and back ends ask; the answer names those that do not.",
        (SURVEYS, "10ms to 4s"),
    )
}

/// Addresses of NATS servers.
#[derive(Debug)]
struct Servers(Vec<String>);

impl Setting for Servers {
    const EXPECTED: &'static str =
        "a URL such as `nats://127.0.0.1:4222` or `tls://nats.example.com`, or a list of such";
    const TYPE: &'static str = "URL, or list of URLs";

    fn schema() -> serde_json::Value {
        lone_or_list_schema()
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        if text.trim_start().starts_with('[') {
            return servers(Vec::from_text(text)?);
        }
        servers(text.split(',').map(|url| url.trim().to_owned()).collect())
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        match value {
            ValueKind::String(text) => Self::from_text(text),
            other => servers(Vec::from_value(other)?),
        }
    }
}

fn servers(urls: Vec<String>) -> Result<Servers, Wrong> {
    if urls.is_empty() {
        return Err(Wrong::new("is empty"));
    }
    for url in &urls {
        let is_url = url.starts_with("nats://") || url.starts_with("tls://");
        let address = url.parse::<async_nats::ServerAddr>();
        if !is_url || address.is_err() {
            return Err(Wrong::new("holds something that is no such URL"));
        }
        // It would be shown in logs, and each of them has a key of its own.
        if address.is_ok_and(|it| it.has_user_pass() || it.username().is_some()) {
            return Err(Wrong::new(
                "holds a user: write it under `user` and `password`, or `token`",
            ));
        }
    }
    Ok(Servers(urls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_one_or_several() {
        let read = |text: &str| Servers::from_text(text).map(|servers| servers.0);
        assert_eq!(read("nats://a:4222").unwrap(), ["nats://a:4222"]);
        assert_eq!(
            read("nats://a, tls://b:1").unwrap(),
            ["nats://a", "tls://b:1"]
        );
        assert_eq!(read(r#"["nats://a"]"#).unwrap(), ["nats://a"]);
        for wrong in ["", "a:4222", "nats://u:p@a", "nats://t@a", "[]", "ws://a"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
