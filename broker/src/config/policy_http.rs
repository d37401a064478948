//! `[policy.http]`: where a policy may ask over HTTP, and what an answer may cost.

use std::fmt;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use super::section::Section;
use super::setting::Size;

/// The network as one policy is allowed to see it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PolicyHttp {
    /// At least one.
    pub hosts: Vec<Origin>,
    /// For all of a request, from the look-up of its host's name to the last byte of the answer.
    pub timeout: Duration,
    /// Bytes of an answer's body.
    pub max_response: usize,
    /// Requests under way at once.
    pub max_requests: usize,
    /// Trusted instead of the system's; `None`: the system's.
    pub ca: Option<Authorities>,
}

/// A scheme, a host and a port (RFC 6454), so that two ways to write the same place are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    https: bool,
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Host {
    /// In lower case; IPv4 addresses are names as well.
    Name(String),
    V6(Ipv6Addr),
}

/// Certificates of authorities, as text. They are part of the settings, so that a file which changes makes a policy
/// that trusts differently.
#[derive(Clone, PartialEq)]
pub(crate) struct Authorities {
    pub path: PathBuf,
    pub pem: Arc<[u8]>,
}

const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(30);
const RESPONSES: RangeInclusive<Size> = Size(1)..=Size(16 << 20);
const MAX_REQUESTS: usize = 4096;
/// Each request looks through them.
const MAX_HOSTS: usize = 64;
const HOST: &str = "a host such as `auth.example.com` (meaning https), `https://auth.example.com:8443` or `http://127.0.0.1:8080`";

impl PolicyHttp {
    /// `granted`: whether the policy has the capability; `None` where that has been reported as wrong. Answers `None`
    /// if the policy may not ask at all.
    pub(super) fn read(s: &mut Section<'_, '_>, granted: Option<bool>) -> Option<Self> {
        let hosts = hosts(s, granted);
        let http = Self {
            hosts: hosts.unwrap_or_default(),
            timeout: timeout(s),
            max_response: max_response(s),
            max_requests: max_requests(s),
            ca: authorities(s),
        };
        (granted == Some(true)).then_some(http)
    }
}

fn hosts(s: &mut Section<'_, '_>, granted: Option<bool>) -> Option<Vec<Origin>> {
    let given = s.optional::<Vec<String>>(
        "hosts",
        r#"["auth.example.com"]"#,
        "Those it may ask: `HOST` and `HOST:PORT` mean https; or with a scheme in front of them.",
    );
    match (granted, s.has("hosts")) {
        (Some(true), false) => s.report(
            "hosts",
            "is missing, and `grant` holds `http`",
            Some("a list of hosts"),
        ),
        (Some(false), true) => s.complain(
            "hosts",
            "takes the capability `http`, which `grant` does not hold",
            None,
        ),
        _ => {}
    }
    let given = given?;
    if !(1..=MAX_HOSTS).contains(&given.len()) {
        let expected = format!("1 to {MAX_HOSTS} hosts");
        s.complain("hosts", "is out of bounds", Some(&expected));
    }
    let mut hosts = Vec::with_capacity(given.len());
    for (position, text) in given.iter().enumerate() {
        match Origin::listed(text) {
            Some(origin) => hosts.push(origin),
            None => s.complain_item(
                "hosts",
                position,
                text,
                &format!("is no host; expected {HOST}"),
            ),
        }
    }
    Some(hosts)
}

fn timeout(s: &mut Section<'_, '_>) -> Duration {
    s.within(
        "timeout",
        "2s",
        "The longest that one request may take, from the look-up of the host's name to the end of the answer.",
        (TIMEOUTS, "1ms to 30s"),
    )
}

fn max_response(s: &mut Section<'_, '_>) -> usize {
    let Size(bytes) = s.within(
        "max_response",
        "1MiB",
        "The largest answer that is taken.",
        (RESPONSES, "1 to 16MiB"),
    );
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn max_requests(s: &mut Section<'_, '_>) -> usize {
    s.at_most(
        "max_requests",
        "64",
        "Requests under way at once; what is over fails.",
        (MAX_REQUESTS, "1 to 4096"),
    )
}

fn authorities(s: &mut Section<'_, '_>) -> Option<Authorities> {
    let path = s.optional::<PathBuf>(
        "ca",
        "ca.pem",
        "Certificates of the authorities to trust instead of the system's, as PEM.",
    );
    let path = s.resolve(&path?);
    match std::fs::read(&path) {
        Ok(pem) => Some(Authorities {
            path,
            pem: pem.into(),
        }),
        Err(error) => {
            let what = format!("cannot be read: {error}");
            s.complain("ca", &what, Some("a PEM file"));
            None
        }
    }
}

// === impl Origin ===

impl Origin {
    pub(crate) fn is_https(&self) -> bool {
        self.https
    }

    /// As it is written in the configuration.
    fn listed(text: &str) -> Option<Self> {
        let with_scheme = match text.contains("://") {
            true => text.to_owned(),
            false => format!("https://{text}"),
        };
        let uri: Uri = with_scheme.parse().ok()?;
        let nothing_else = matches!(uri.path(), "" | "/") && uri.query().is_none();
        // Not a path at all, and no fragment, which the parser drops.
        if !nothing_else || with_scheme.ends_with('/') || with_scheme.contains('#') {
            return None;
        }
        Self::of(&uri)
    }

    /// Where a request for an address goes; `None`: it has no host, or says more of it than host and port.
    pub(crate) fn of(uri: &Uri) -> Option<Self> {
        let https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        let text = authority.as_str();
        if text.contains('@') {
            return None;
        }
        let host = authority.host();
        let port = match text.strip_prefix(host)? {
            "" if https => 443,
            "" => 80,
            port => port.strip_prefix(':')?.parse().ok().filter(|it| *it != 0)?,
        };
        let host = match host.strip_prefix('[') {
            Some(host) => Host::V6(host.strip_suffix(']')?.parse().ok()?),
            None => Host::Name(name(host)?),
        };
        Some(Self { https, host, port })
    }
}

/// A host's name as the look-up takes it.
fn name(host: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_name = !host.is_empty() && host.len() <= 253 && host.bytes().all(allowed);
    is_name.then(|| host.to_ascii_lowercase())
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        match &self.host {
            Host::Name(name) => write!(f, "{scheme}://{name}:{}", self.port),
            Host::V6(address) => write!(f, "{scheme}://[{address}]:{}", self.port),
        }
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorities").field(&self.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Option<String> {
        Origin::listed(text).map(|origin| origin.to_string())
    }

    #[test]
    fn hosts_in_the_configuration() {
        for (text, expected) in [
            ("auth.example.com", "https://auth.example.com:443"),
            ("Auth.Example.COM:8443", "https://auth.example.com:8443"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://back-end", "http://back-end:80"),
            ("HTTPS://x:443", "https://x:443"),
            ("[::1]:8080", "https://[::1]:8080"),
            ("http://[0:0::0001]", "http://[::1]:80"),
        ] {
            assert_eq!(listed(text).as_deref(), Some(expected), "{text}");
        }
        for wrong in [
            "",
            "*",
            "*.example.com",
            "https://",
            "https://x/",
            "https://x/path",
            "x?y",
            "x#y",
            "x y",
            "ftp://x",
            "u:p@x",
            "https://u@x",
            "x:0",
            "x:",
            "x:99999",
            "[::1",
            "[zz]:80",
            "bücher.example",
            "%65xample.com",
        ] {
            assert_eq!(listed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_address_is_at_a_host_however_it_is_written() {
        let origin = Origin::listed("https://example.com").unwrap();
        let of = |text: &str| text.parse().ok().as_ref().and_then(Origin::of);
        for same in [
            "https://example.com",
            "https://EXAMPLE.com/a?b=c",
            "HTTPS://example.com:443/",
        ] {
            assert_eq!(of(same), Some(origin.clone()), "{same}");
        }
        for other in [
            "http://example.com",
            "https://example.com:444",
            "https://example.com.evil.example",
            "https://example.com@evil.example",
            "https://evil.example/example.com",
            "https://evil.example?example.com",
            "//example.com",
            "example.com",
            "/x",
        ] {
            assert_ne!(of(other), Some(origin.clone()), "{other}");
        }
    }
}
