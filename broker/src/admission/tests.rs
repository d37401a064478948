use super::*;
use crate::config::{Networks, Rate};

const OPEN: usize = 0;

fn gate(change: impl FnOnce(&mut config::Admission)) -> Arc<Admission> {
    let mut config = config::Admission::default();
    change(&mut config);
    Arc::new(Admission::new(&config))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn limit<T>(answer: Result<T, Refused>) -> Option<Limit> {
    answer.err().map(|refused| refused.limit)
}

#[test]
fn without_limits_nothing_is_kept() {
    let gate = gate(|_| {});
    assert!(
        gate.connection(ip("192.0.2.1"), 1_000_000)
            .unwrap()
            .is_none()
    );
    assert_eq!(gate.session(ip("192.0.2.1"), 1_000_000), Ok(false));
    assert!(gate.user(&"ann".into()).unwrap().is_none());
    assert_eq!((gate.addresses.len(), gate.users.len()), (0, 0));
}

#[test]
fn all_together() {
    let gate = gate(|config| config.max_connections = 2);
    assert!(gate.connection(ip("192.0.2.1"), 1).is_ok());
    let full = Some(Limit::Connections);
    assert_eq!(limit(gate.connection(ip("192.0.2.1"), 2)), full);
    assert_eq!(limit(gate.session(ip("192.0.2.1"), 2)), full);
}

#[test]
fn sessions_of_an_address_and_four_connections_for_each() {
    let gate = gate(|config| config.max_connections_per_ip = Some(2));
    let full = Some(Limit::ConnectionsPerIp);
    // Addresses of one /64 are one.
    let own = ["2001:db8::1", "2001:db8::2:3"].map(ip);
    let held: Vec<_> = (0..8)
        .map(|n| gate.connection(own[n % 2], OPEN).unwrap().unwrap())
        .collect();
    assert_eq!(limit(gate.connection(own[0], OPEN)), full);
    assert!(gate.connection(ip("2001:db8:0:1::1"), OPEN).is_ok());
    drop(held);
    assert_eq!(gate.addresses.len(), 0);

    assert_eq!(gate.session(own[0], OPEN), Ok(true));
    assert_eq!(gate.session(own[1], OPEN), Ok(true));
    assert_eq!(limit(gate.session(own[1], OPEN)), full);
    gate.leave(own[0]);
    assert_eq!(gate.session(own[1], OPEN), Ok(true));
    gate.leave(own[0]);
    gate.leave(own[0]);
    assert_eq!(gate.addresses.len(), 0);
}

#[test]
fn what_a_proxy_brings_is_counted_by_session() {
    let gate = gate(|config| {
        config.max_connections_per_ip = Some(1);
        config.connect_rate = Some(Rate {
            count: 2,
            period: Duration::from_secs(3600),
        });
        config.trusted_proxies = Networks::of(&["10.0.0.1"]);
    });
    for _ in 0..100 {
        assert!(gate.connection(ip("10.0.0.1"), OPEN).unwrap().is_none());
    }
    assert_eq!(gate.session(ip("192.0.2.1"), OPEN), Ok(true));
    assert_eq!(
        limit(gate.session(ip("192.0.2.1"), OPEN)),
        Some(Limit::ConnectionsPerIp)
    );
    // The one that was refused has cost nothing.
    assert_eq!(gate.session(ip("192.0.2.2"), OPEN), Ok(true));
    let refused = gate.session(ip("192.0.2.3"), OPEN).unwrap_err();
    assert_eq!(refused.limit, Limit::Rate);
    assert!((1700..=1800).contains(&refused.seconds()), "{refused:?}");
    // Nor has this one: its place is free again.
    gate.leave(ip("192.0.2.1"));
    gate.leave(ip("192.0.2.2"));
    assert_eq!(gate.addresses.len(), 0);
}

#[test]
fn how_fast_an_address_comes() {
    let gate = gate(|config| {
        config.connect_rate_per_ip = Some(Rate {
            count: 2,
            period: Duration::from_secs(3600),
        });
    });
    for _ in 0..2 {
        assert_eq!(gate.session(ip("192.0.2.1"), OPEN), Ok(false));
    }
    assert_eq!(
        limit(gate.session(ip("192.0.2.1"), OPEN)),
        Some(Limit::RatePerIp)
    );
    assert_eq!(gate.session(ip("192.0.2.2"), OPEN), Ok(false));
}

#[test]
fn addresses_that_came_once_are_forgotten() {
    let gate = gate(|config| {
        config.connect_rate_per_ip = Some(Rate {
            count: 1,
            period: Duration::from_millis(1),
        });
    });
    for n in 0..100_000_u32 {
        let _ = gate.session(IpAddr::V4(n.into()), OPEN);
        if n % 1000 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(gate.addresses.len() < 50_000, "{}", gate.addresses.len());
}

#[test]
fn sockets_of_a_user() {
    let gate = gate(|config| config.max_connections_per_user = Some(2));
    let ann: Arc<str> = "ann".into();
    let first = gate.user(&ann).unwrap();
    let _second = gate.user(&ann).unwrap();
    assert_eq!(limit(gate.user(&ann)), Some(Limit::ConnectionsPerUser));
    assert!(gate.user(&"ben".into()).unwrap().is_some());
    drop(first);
    assert!(gate.user(&ann).is_ok());
    assert_eq!(gate.users.len(), 1, "only those who are in are known");
}

#[test]
fn limits_that_change_count_for_whoever_comes() {
    let gate = gate(|config| config.max_connections_per_ip = Some(1));
    assert_eq!(gate.session(ip("192.0.2.1"), OPEN), Ok(true));
    assert!(gate.session(ip("192.0.2.1"), OPEN).is_err());
    gate.reconfigure(&config::Admission {
        max_connections_per_ip: Some(2),
        ..config::Admission::default()
    });
    assert_eq!(gate.session(ip("192.0.2.1"), OPEN), Ok(true));
    gate.reconfigure(&config::Admission::default());
    assert_eq!(gate.session(ip("192.0.2.1"), OPEN), Ok(false));
    gate.leave(ip("192.0.2.1"));
    gate.leave(ip("192.0.2.1"));
    assert_eq!(gate.addresses.len(), 0);
}
