//! Whom a trusted proxy speaks for, by what it has added to a request's headers.
//!
//! Each proxy appends the address that it was spoken to from, so the list is read from its end: addresses of trusted
//! proxies are passed over, and the first other one is the client's. What stands before it was the client's own to write.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};

use crate::config::{self, Forwarded};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

pub(super) fn client(peer: IpAddr, headers: &HeaderMap, limits: &config::Admission) -> IpAddr {
    let trusted = &limits.trusted_proxies;
    if !trusted.contain(peer) {
        return peer.to_canonical();
    }
    let (name, read): (_, fn(&str) -> Option<IpAddr>) = match limits.forwarded {
        Forwarded::XForwardedFor => (X_FORWARDED_FOR, address),
        Forwarded::Forwarded => (FORWARDED, element),
    };
    let mut client = peer.to_canonical();
    // Several headers are one list (RFC 9110, section 5.3).
    for header in headers.get_all(name).iter().rev() {
        let Ok(header) = header.to_str() else {
            return client;
        };
        for said in header.rsplit(',') {
            // What is no address was said by the proxy that was passed over last: nothing more is known.
            let Some(address) = read(said.trim()) else {
                return client;
            };
            client = address.to_canonical();
            if !trusted.contain(client) {
                return client;
            }
        }
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse();
    address.or_else(|_| with_port()).ok()
}

/// The `for` of an element such as `for="[2001:db8::1]:4711";proto=https` (RFC 7239, section 4).
fn element(text: &str) -> Option<IpAddr> {
    let node = text.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    })?;
    let quoted = node.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    // Names that hide an address, and `unknown`, are none.
    address(quoted.unwrap_or(node))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::config::{Admission, Networks};

    fn limits(forwarded: Forwarded) -> Admission {
        Admission {
            trusted_proxies: Networks::of(&["10.0.0.0/8", "::1"]),
            forwarded,
            ..Admission::default()
        }
    }

    #[track_caller]
    fn check(forwarded: Forwarded, peer: &str, headers: &[&str], expected: &str) {
        let name = match forwarded {
            Forwarded::XForwardedFor => X_FORWARDED_FOR,
            Forwarded::Forwarded => FORWARDED,
        };
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(name.clone(), HeaderValue::from_str(header).unwrap());
        }
        let client = client(peer.parse().unwrap(), &map, &limits(forwarded));
        assert_eq!(client.to_string(), expected, "{peer} {headers:?}");
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxys_counts() {
        let check = |peer, headers: &[&str], expected| {
            check(Forwarded::XForwardedFor, peer, headers, expected);
        };
        check("10.0.0.1", &["203.0.113.7"], "203.0.113.7");
        check("::1", &["203.0.113.7"], "203.0.113.7");
        check("::ffff:10.0.0.1", &["203.0.113.7"], "203.0.113.7");
        // What the client wrote itself.
        check("10.0.0.1", &["1.1.1.1, 203.0.113.7"], "203.0.113.7");
        check("10.0.0.1", &["1.1.1.1", "203.0.113.7"], "203.0.113.7");
        check(
            "10.0.0.1",
            &["203.0.113.7 , 10.0.0.2,10.0.0.3"],
            "203.0.113.7",
        );
        check("10.0.0.1", &["203.0.113.7", "10.0.0.2"], "203.0.113.7");
        check("10.0.0.1", &["10.0.0.9, 10.0.0.2"], "10.0.0.9");
        check("10.0.0.1", &["203.0.113.7:4711"], "203.0.113.7");
        check("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1");
        check("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1");
        check("10.0.0.1", &["2001:db8::1"], "2001:db8::1");
        check("10.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7");
    }

    #[test]
    fn whoever_is_not_trusted_is_not_believed() {
        check(
            Forwarded::XForwardedFor,
            "203.0.113.1",
            &["1.1.1.1"],
            "203.0.113.1",
        );
        check(
            Forwarded::Forwarded,
            "203.0.113.1",
            &["for=1.1.1.1"],
            "203.0.113.1",
        );
    }

    #[test]
    fn what_is_no_address_ends_what_is_known() {
        for garbage in [
            "",
            "unknown",
            "203.0.113.7,",
            "1.1.1.1, x",
            "1.1.1.1;2.2.2.2",
            "999.1.1.1",
        ] {
            check(Forwarded::XForwardedFor, "10.0.0.1", &[garbage], "10.0.0.1");
        }
        check(
            Forwarded::XForwardedFor,
            "10.0.0.1",
            &["1.1.1.1, x, 10.0.0.2"],
            "10.0.0.2",
        );
        check(Forwarded::XForwardedFor, "10.0.0.1", &[], "10.0.0.1");
    }

    #[test]
    fn the_header_of_rfc_7239() {
        let check = |headers: &[&str], expected| {
            check(Forwarded::Forwarded, "10.0.0.1", headers, expected);
        };
        check(&["for=203.0.113.7;proto=https;by=10.0.0.1"], "203.0.113.7");
        check(&[r#"proto=http; For="[2001:db8::1]:4711""#], "2001:db8::1");
        check(
            &["for=1.1.1.1, for=203.0.113.7, for=10.0.0.2"],
            "203.0.113.7",
        );
        check(&["for=_hidden"], "10.0.0.1");
        check(&["for=1.1.1.1, proto=https"], "10.0.0.1");
    }
}
