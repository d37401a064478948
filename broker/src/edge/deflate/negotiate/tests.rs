use super::*;

fn config() -> config::Compression {
    config::Compression {
        enabled: true,
        threshold: 1024,
        context_takeover: false,
        window_bits: 15,
        level: 6,
        max_memory: 10 << 20,
    }
}

fn answered(headers: &[&str], config: &config::Compression) -> Option<(Agreed, String)> {
    let headers: Vec<HeaderValue> = headers
        .iter()
        .map(|header| HeaderValue::from_str(header).expect("a header"))
        .collect();
    let terms = negotiate(headers.iter(), config, &Memory::new(config))?;
    let answer = terms.answer.to_str().expect("text").to_owned();
    Some((terms.agreed, answer))
}

#[track_caller]
fn check(header: &str, config: &config::Compression, expected: &str) -> Agreed {
    let (agreed, answer) = answered(&[header], config).expect(header);
    assert_eq!(
        answer.strip_prefix("permessage-deflate"),
        Some(expected),
        "{header}"
    );
    agreed
}

const NEITHER: &str = "; server_no_context_takeover; client_no_context_takeover";

#[test]
fn what_clients_offer() {
    let config = config();
    let side = |bits| Side {
        bits,
        takeover: false,
    };
    // Browsers, and Python's websockets.
    let agreed = check(
        "permessage-deflate; client_max_window_bits",
        &config,
        NEITHER,
    );
    assert_eq!((agreed.inbound, agreed.outbound), (side(15), side(15)));
    check("permessage-deflate", &config, NEITHER);
    let agreed = check(
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits=\"11\"",
        &config,
        &format!("{NEITHER}; server_max_window_bits=10; client_max_window_bits=11"),
    );
    assert_eq!((agreed.inbound, agreed.outbound), (side(11), side(10)));
    check(
        "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15",
        &config,
        &format!("{NEITHER}; server_max_window_bits=15"),
    );
    // The client keeps to 256 bytes; that is for it to manage.
    check(
        "permessage-deflate;client_max_window_bits=8",
        &config,
        &format!("{NEITHER}; client_max_window_bits=8"),
    );
}

#[test]
fn a_smaller_window_is_asked_of_those_who_can() {
    let config = config::Compression {
        window_bits: 12,
        ..config()
    };
    let ours = format!("{NEITHER}; server_max_window_bits=12");
    let agreed = check("permessage-deflate", &config, &ours);
    assert_eq!((agreed.inbound.bits, agreed.outbound.bits), (15, 12));
    for offer in ["client_max_window_bits", "client_max_window_bits=14"] {
        let agreed = check(
            &format!("permessage-deflate; {offer}"),
            &config,
            &format!("{ours}; client_max_window_bits=12"),
        );
        assert_eq!(agreed.inbound.bits, 12);
    }
    let agreed = check(
        "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10",
        &config,
        &format!("{NEITHER}; server_max_window_bits=9; client_max_window_bits=10"),
    );
    assert_eq!((agreed.inbound.bits, agreed.outbound.bits), (10, 9));
}

#[test]
fn context_is_kept_where_both_want_it() {
    let config = config::Compression {
        context_takeover: true,
        ..config()
    };
    for (offer, inbound, outbound, answer) in [
        ("permessage-deflate", true, true, ""),
        (
            "permessage-deflate; server_no_context_takeover",
            true,
            false,
            "; server_no_context_takeover",
        ),
        (
            "permessage-deflate; client_no_context_takeover",
            false,
            true,
            "; client_no_context_takeover",
        ),
    ] {
        let agreed = check(offer, &config, answer);
        assert_eq!(agreed.inbound.takeover, inbound, "{offer}");
        assert_eq!(agreed.outbound.takeover, outbound, "{offer}");
    }
}

#[test]
fn without_memory_the_next_connection_keeps_no_context() {
    let config = config::Compression {
        context_takeover: true,
        max_memory: 1 << 20,
        ..config()
    };
    let memory = Memory::new(&config);
    let offer = HeaderValue::from_static(NAME);
    let connect = || negotiate([&offer].into_iter(), &config, &memory).expect("terms");
    let mut connections = Vec::new();
    while let terms = connect()
        && terms.held.is_some()
    {
        assert!(terms.agreed.inbound.takeover && terms.agreed.outbound.takeover);
        connections.push(terms);
    }
    assert!((1..8).contains(&connections.len()), "{}", connections.len());
    let late = connect();
    assert!(!late.agreed.inbound.takeover && !late.agreed.outbound.takeover);
    assert_eq!(late.answer, format!("{NAME}{NEITHER}"));
    connections.pop();
    assert!(connect().held.is_some());
}

#[test]
fn the_first_acceptable_offer_counts() {
    let config = config();
    let (_, answer) = answered(
        &[
            "x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; mystery, permessage-deflate; server_max_window_bits=11, permessage-deflate",
        ],
        &config,
    )
    .expect("an offer");
    assert_eq!(
        answer,
        format!("{NAME}{NEITHER}; server_max_window_bits=11")
    );
}

#[test]
fn what_is_not_an_offer() {
    let config = config();
    for parameters in [
        "server_max_window_bits",
        "server_max_window_bits=8",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=010",
        "server_max_window_bits=+10",
        "server_max_window_bits=1000000000000",
        "server_max_window_bits=ten",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits=7",
        "client_max_window_bits=",
        "client_max_window_bits=\"\"",
        "client_max_window_bits; client_max_window_bits=10",
        "client_max_window_bits=\"1 0\"",
        "client_max_window_bits=\"10",
        "client_max_window_bits=\"10\\",
        "client_max_window_bits=10 11",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "Server_no_context_takeover",
        "unknown",
        "",
        ";",
        "=",
        "(",
    ] {
        let header = format!("permessage-deflate; {parameters}");
        assert!(
            answered(&[&header], &config).is_none(),
            "{header} was accepted"
        );
    }
    for header in [
        "",
        ",",
        "deflate",
        "permessage-deflat",
        "permessage-deflate-2",
        "permessage-deflate=1",
        "permessage-deflate x",
        "\"permessage-deflate\"",
    ] {
        assert!(answered(&[header], &config).is_none(), "{header}");
    }
    assert!(answered(&[], &config).is_none());
    let off = config::Compression {
        enabled: false,
        ..config
    };
    assert!(answered(&[NAME], &off).is_none());
}

#[test]
fn lists_as_http_writes_them() {
    let config = config();
    check(
        " ,, permessage-deflate\t; client_max_window_bits = \"1\\2\" ,",
        &config,
        &format!("{NEITHER}; client_max_window_bits=12"),
    );
}
