//! Clients that speak something else, too slowly, or in an older version; and the operator's listener.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, SupportedProtocolVersion};
use serde_json::json;
use sluice_tests::{Driver, eventually, http, raw};

use super::authority::{Asks, Authority, Tls};
use super::{handshakes, put, setup, trusting, url};

#[test]
fn only_http_1_1_is_offered() {
    let authority = Authority::new();
    let broker = setup(&authority, "[server]\nprobes = true").start();
    let open = |protocols| {
        let asks = Asks {
            protocols,
            ..Asks::of(&authority, "localhost")
        };
        Tls::open(broker.listen, &asks)
    };
    let both = open(&["h2", "http/1.1"]).unwrap();
    assert_eq!(both.protocol(), Some(&b"http/1.1"[..]));
    let answer = both.get("/healthz").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(open(&[]).unwrap().protocol(), None);
    let refused = open(&["h2"]).err().expect("HTTP/2 is not spoken");
    assert!(
        refused.to_string().contains("NoApplicationProtocol"),
        "{refused}"
    );
    eventually("the refusal to be counted", || {
        (handshakes(&broker, "failed") == 1.0).then_some(())
    });
}

#[test]
fn old_versions_are_spoken_as_configured() {
    let authority = Authority::new();
    let usual = setup(&authority, "").start();
    let strict = setup(&authority, "min_version = \"1.3\"").start();
    let speak = |to, version: &'static SupportedProtocolVersion| {
        let asks = Asks {
            version: Some(version),
            ..Asks::of(&authority, "localhost")
        };
        Tls::open(to, &asks).map(|tls| tls.version())
    };
    for to in [usual.listen, strict.listen] {
        assert_eq!(speak(to, &TLS13).unwrap(), ProtocolVersion::TLSv1_3);
    }
    assert_eq!(
        speak(usual.listen, &TLS12).unwrap(),
        ProtocolVersion::TLSv1_2
    );
    assert!(speak(strict.listen, &TLS12).is_err());
}

#[test]
fn plain_text_is_answered_in_plain_text() {
    let authority = Authority::new();
    let broker = setup(&authority, "").start();
    let answer = http::request(broker.listen, "GET", "/socket.io/?EIO=4", &[], &[]).unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("https://"), "{}", answer.text());
    eventually("it to be counted", || {
        (handshakes(&broker, "plain_http") == 1.0).then_some(())
    });
    // What is neither gets what TLS says of it.
    let mut noise = raw::connect(broker.listen);
    noise.write_all(&[0; 64]).unwrap();
    let mut answer = Vec::new();
    // It may be reset, as it has more to say.
    let _ = noise.read_to_end(&mut answer);
    assert!(answer.len() < 16, "{answer:?}");
    eventually("it to be counted", || {
        (handshakes(&broker, "failed") == 1.0).then_some(())
    });
}

#[test]
fn who_is_refused_can_read_why() {
    let authority = Authority::new();
    let broker = setup(&authority, "[server]\nmax_connections = 1\nprobes = true").start();
    let open = || Tls::open(broker.listen, &Asks::of(&authority, "localhost")).unwrap();
    let _first = open();
    let answer = open().get("/healthz").unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.to_lowercase().contains("retry-after: "), "{answer}");
}

/// One that begins a handshake and does not go on is cut off, and holds up nobody.
#[test]
fn a_slow_handshake_is_cut_off() {
    let authority = Authority::new();
    // Ready before they begin, so that they are still there when it connects.
    let node = Driver::node();
    let broker = setup(
        &authority,
        "[server]\nreactors = 1\nconnect_timeout = \"4s\"",
    )
    .start();
    let begun = Instant::now();
    let mut slow: Vec<_> = (0..20)
        .map(|_| {
            let mut slow = raw::connect(broker.listen);
            slow.write_all(&[22, 3, 1, 1, 0, 1]).unwrap();
            slow
        })
        .collect();
    let opts = trusting(&authority, json!(["websocket"]));
    node.connect("quick", &url(&broker), &opts).disconnect();
    for slow in &mut slow {
        let mut answer = Vec::new();
        let end = slow.read_to_end(&mut answer);
        assert!(end.is_err() || answer.is_empty(), "{answer:?}");
    }
    assert!(begun.elapsed() >= Duration::from_secs(4));
    eventually("all to be counted", || {
        (handshakes(&broker, "timeout") == 20.0).then_some(())
    });
    assert!(handshakes(&broker, "ok") >= 1.0);
}

#[test]
fn the_operators_listener_has_tls_of_its_own() {
    let (authority, operators) = (Authority::new(), Authority::new());
    let setup = setup(
        &authority,
        "[admin.tls]\ncert = \"admin.pem\"\nkey = \"admin.key\"\nclient_ca = \"operators.pem\"",
    );
    put(setup.dir(), "admin", &authority.server(&["127.0.0.1"]));
    let broker = setup.file("operators.pem", operators.pem()).start();
    let ask = |shows| {
        let asks = Asks {
            shows,
            ..Asks::of(&authority, "127.0.0.1")
        };
        Tls::open(broker.admin(), &asks)?.get("/metrics")
    };
    let operator = operators.client("operator", 1);
    let metrics = ask(Some(&operator)).unwrap();
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert!(metrics.contains("host=\"default\"") && metrics.contains("listener=\"admin\""));
    assert!(ask(None).is_err(), "a certificate is required");
    let at = format!("https://{}", broker.admin());
    let trusting = ["node", "--admin", &at, "--ca", "trusted.pem"];
    let showing = ["--cert", "operator.pem", "--key", "operator.key"];
    std::fs::write(broker.dir().join("trusted.pem"), authority.pem()).unwrap();
    put(broker.dir(), "operator", &operator);
    let shown = broker.run(&[&trusting[..], &showing[..]].concat());
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(broker.run(&trusting).code != Some(0), "it shows nothing");
    let astray = broker.run(&[&trusting[..3], &showing[..]].concat());
    assert!(astray.stderr.contains("certificate"), "{astray:?}");
    let plain = http::request(broker.admin(), "GET", "/healthz", &[], &[]).unwrap();
    assert_eq!(plain.status, 400);
}
