//! The keys of `[server]` that say who may come in, how many, and from where.

use std::ops::RangeInclusive;
use std::time::Duration;

use config::ValueKind;

use super::network::Networks;
use super::rate::Rate;
use super::section::Section;
use super::setting::{Setting, Size, Wrong, names};

/// What bounds connections. Can be changed while the node runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Admission {
    pub max_connections: usize,
    /// Sessions of one address, or of one /64 of IPv6.
    pub max_connections_per_ip: Option<usize>,
    /// Sockets of one user.
    pub max_connections_per_user: Option<usize>,
    /// New sessions.
    pub connect_rate: Option<Rate>,
    /// Of one address, or of one /64 of IPv6.
    pub connect_rate_per_ip: Option<Rate>,
    /// Who is believed when it says whom it speaks for.
    pub trusted_proxies: Networks,
    pub forwarded: Forwarded,
    /// Trusted proxies begin connections with the PROXY protocol.
    pub proxy_protocol: bool,
    /// From a connection's begin to the end of its first head, between two heads, and for a body.
    pub request_timeout: Duration,
    pub max_memory: MaxMemory,
}

/// The header in which trusted proxies say whom they speak for. One, because a proxy passes on what it does not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forwarded {
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

names!(Forwarded,
    "x-forwarded-for" => Forwarded::XForwardedFor,
    "forwarded" => Forwarded::Forwarded,
);

/// The memory that the process is to stay within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MaxMemory {
    /// Nine tenths of what the process may have: of its control group, or else of the machine.
    Auto,
    Any,
    Bytes(u64),
}

/// A process has fewer descriptors.
const MOST_CONNECTIONS: usize = 10_000_000;
const CONNECTIONS: &str = "1 to 10000000";
/// Less than this the broker needs by itself.
const MEMORY: RangeInclusive<u64> = 32 << 20..=1 << 44;
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);

impl Admission {
    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        let admission = Self {
            max_connections: s.at_most(
                "max_connections",
                "100000",
                "Connections beyond this number are refused; one that was never in a namespace counts until connect_timeout.",
                (MOST_CONNECTIONS, CONNECTIONS),
            ),
            max_connections_per_ip: few(
                s,
                "max_connections_per_ip",
                "50",
                "Sessions of one address, or of one /64 of IPv6; any number unless given.",
            ),
            max_connections_per_user: few(
                s,
                "max_connections_per_user",
                "10",
                "Sockets of one user on this node; any number unless given.",
            ),
            connect_rate: s.optional(
                "connect_rate",
                "500 per second",
                "New sessions of all clients; as many as the rate says may come at once. Any number unless given.",
            ),
            connect_rate_per_ip: s.optional(
                "connect_rate_per_ip",
                "60 per minute",
                "New sessions of one address, or of one /64 of IPv6.",
            ),
            trusted_proxies: s.get(
                "trusted_proxies",
                "[]",
                "Addresses and networks of the load balancers before this node: what they say of where clients come from is believed.",
            ),
            forwarded: s.get(
                "forwarded_header",
                "x-forwarded-for",
                "The header in which they say it: `x-forwarded-for`, or `forwarded` (RFC 7239).",
            ),
            proxy_protocol: s.get(
                "proxy_protocol",
                "false",
                "Trusted proxies begin each connection with the PROXY protocol, version 1 or 2.",
            ),
            request_timeout: s.within(
                "request_timeout",
                "30s",
                "Time for a request's head, the wait for it included, and for its body.",
                (TIMEOUT, "10ms to 1h"),
            ),
            max_memory: s.get(
                "max_memory",
                "auto",
                "Resident memory at which new connections are refused; from nine tenths of it on the node is not ready. \
                 `auto`: nine tenths of the control group's limit, or of the machine's memory; `any`: no bound.",
            ),
        };
        if admission.proxy_protocol && admission.trusted_proxies.is_empty() {
            s.complain(
                "proxy_protocol",
                "needs to know whose word to take",
                Some("`server.trusted_proxies` beside it"),
            );
        }
        admission
    }
}

impl Default for Admission {
    /// Without any bound.
    fn default() -> Self {
        Self {
            max_connections: usize::MAX,
            max_connections_per_ip: None,
            max_connections_per_user: None,
            connect_rate: None,
            connect_rate_per_ip: None,
            trusted_proxies: Networks::default(),
            forwarded: Forwarded::XForwardedFor,
            proxy_protocol: false,
            request_timeout: *TIMEOUT.end(),
            max_memory: MaxMemory::Any,
        }
    }
}

fn few(
    s: &mut Section<'_, '_>,
    name: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Option<usize> {
    let few = s.optional(name, example, doc);
    if few.is_some_and(|few| few > MOST_CONNECTIONS) {
        s.complain(name, "is too large", Some(CONNECTIONS));
    }
    few
}

impl Setting for MaxMemory {
    const EXPECTED: &'static str = "a size of 32MiB to 16TiB such as `512MiB`, or `auto` or `any`";
    const TYPE: &'static str = "size, or auto or any";

    fn schema() -> serde_json::Value {
        serde_json::json!({ "anyOf": [{ "enum": ["auto", "any"] }, Size::schema()] })
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        match text {
            "auto" => Ok(Self::Auto),
            "any" => Ok(Self::Any),
            text => Self::from_size(Size::from_text(text)?),
        }
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        match value {
            ValueKind::String(text) => Self::from_text(text),
            value => Self::from_size(Size::from_value(value)?),
        }
    }
}

impl MaxMemory {
    fn from_size(Size(bytes): Size) -> Result<Self, Wrong> {
        match MEMORY.contains(&bytes) {
            true => Ok(Self::Bytes(bytes)),
            false => Err(Wrong::new("is out of bounds")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_memory() {
        let read = |text| MaxMemory::from_text(text).ok();
        assert_eq!(read("auto"), Some(MaxMemory::Auto));
        assert_eq!(read("any"), Some(MaxMemory::Any));
        assert_eq!(read("512MiB"), Some(MaxMemory::Bytes(512 << 20)));
        for wrong in ["", "none", "1MiB", "17592186044417"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
