//! What pages in browsers need beside the protocol: origins by domain, a cookie for load balancers, the official client's
//! files, and answers to polls that are compressed.

use std::io::Read as _;
use std::path::PathBuf;

use flate2::read::{GzDecoder, ZlibDecoder};
use serde_json::json;
use sluice_tests::raw::{Polling, upgrade_status};
use sluice_tests::{Broker, Driver, Setup, http, prepared};

use crate::keep_alive::HANDSHAKE;
use crate::shared::{RELAY, mark, websocket};

fn get(broker: &Broker, path: &str, headers: &[(&str, &str)]) -> http::Response {
    http::request(broker.listen, "GET", path, headers, &[]).unwrap()
}

#[test]
fn origins_below_a_domain() {
    let config = r#"
        [server.cors]
        origins = ["https://*.example.com", "http://*.localhost:8080"]
        credentials = true
    "#;
    let broker = Broker::start(config, &[]);
    for origin in [
        "https://app.example.com",
        "https://a.b.example.com",
        "http://x.localhost:8080",
    ] {
        let response = get(&broker, HANDSHAKE, &[("Origin", origin)]);
        assert_eq!(response.status, 200, "{origin}: {response:?}");
        assert_eq!(response.header("access-control-allow-origin"), Some(origin));
        assert_eq!(response.header("vary"), Some("Origin"), "{response:?}");
        let upgrade = upgrade_status(broker.listen, "", &[("Origin", origin)]);
        assert_eq!(upgrade, 101, "{origin}");
    }
    let foreign = [
        "https://example.com",
        "https://.example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil",
        "https://evil#.example.com",
        "http://x.localhost",
        "null",
    ];
    for origin in foreign {
        let response = get(&broker, HANDSHAKE, &[("Origin", origin)]);
        assert_eq!(response.status, 403, "{origin}: {response:?}");
        let upgrade = upgrade_status(broker.listen, "", &[("Origin", origin)]);
        assert_eq!(upgrade, 403, "{origin}");
        broker.logs.wait("the refusal", |record| {
            record.message() == "origin refused" && record.has("origin", origin)
        });
    }
    let refused = broker.metrics().sum("sluice_origins_refused_total", &[]);
    assert_eq!(refused, 2.0 * foreign.len() as f64);
}

/// With cookies, a frame in a sandbox is as good as any page: the star does not stand for it.
#[test]
fn a_page_without_an_origin_is_to_be_named_where_cookies_count() {
    for (origins, credentials, status) in [
        ("\"*\"", false, 200),
        ("\"*\"", true, 403),
        ("\"null\", \"https://app.example\"", true, 200),
    ] {
        let config = format!("[server.cors]\norigins = [{origins}]\ncredentials = {credentials}\n");
        let broker = Broker::start(&config, &[]);
        let response = get(&broker, HANDSHAKE, &[("Origin", "null")]);
        assert_eq!(response.status, status, "{origins}: {response:?}");
    }
}

#[test]
fn a_cookie_is_set_by_the_handshake_and_by_nothing_else() {
    let broker = Broker::start("", &[]);
    assert_eq!(get(&broker, HANDSHAKE, &[]).header("set-cookie"), None);
    let config = format!("[server.cookie]\nenabled = true\nmax_age = \"1h\"\n{RELAY}");
    let broker = Broker::start(&config, &[]);
    let open = get(&broker, HANDSHAKE, &[]);
    let session: serde_json::Value = serde_json::from_str(&open.text()[1..]).unwrap();
    let sid = session["sid"].as_str().unwrap();
    let cookie = format!("io={sid}; Max-Age=3600; Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(open.header("set-cookie"), Some(cookie.as_str()));
    let path = format!("{HANDSHAKE}&sid={sid}");
    let posted = http::request(broker.listen, "POST", &path, &[], b"40").unwrap();
    assert_eq!(posted.header("set-cookie"), None, "{posted:?}");
    let polled = get(&broker, &path, &[]);
    assert_eq!((polled.status, polled.header("set-cookie")), (200, None));
    // Official clients are none the wiser.
    let node = Driver::node();
    let polling = node.connect("p", &broker.url("/"), &json!({"transports": ["polling"]}));
    let other = node.connect("w", &broker.url("/"), &websocket());
    mark(&polling, &[&polling, &other]);
}

/// Where `cargo xtask test` has put the package.
fn dist() -> PathBuf {
    let driver = prepared("SLUICE_TEST_NODE_CLIENT");
    driver.with_file_name("node_modules/socket.io-client/dist")
}

#[test]
fn the_official_client_is_served() {
    let config = format!("[server]\nclient_files = {:?}\n{RELAY}", dist());
    let broker = Broker::start(&config, &[]);
    let mut names = 0;
    for entry in std::fs::read_dir(dist()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let file = std::fs::read(entry.path()).unwrap();
        let path = format!("/socket.io/{name}");
        let plain = get(&broker, &path, &[]);
        assert_eq!((plain.status, &plain.body), (200, &file), "{name}");
        let kind = if name.ends_with(".map") {
            "json"
        } else {
            "javascript"
        };
        assert_eq!(
            plain.header("content-type"),
            Some(format!("application/{kind}; charset=utf-8").as_str())
        );
        assert_eq!(plain.header("cache-control"), Some("public, max-age=0"));
        let tag = plain.header("etag").unwrap();

        let gzip = get(&broker, &path, &[("Accept-Encoding", "br, gzip")]);
        assert_eq!(gzip.header("content-encoding"), Some("gzip"));
        assert!(gzip.body.len() < file.len() / 2, "{}", gzip.body.len());
        let mut unpacked = Vec::new();
        GzDecoder::new(&gzip.body[..])
            .read_to_end(&mut unpacked)
            .unwrap();
        assert_eq!(unpacked, file);

        let known = get(
            &broker,
            &path,
            &[("If-None-Match", &format!("\"x\", {tag}"))],
        );
        assert_eq!((known.status, known.body.len()), (304, 0), "{name}");
        assert_eq!(known.header("etag"), Some(tag));
        let changed = get(&broker, &path, &[("If-None-Match", "W/\"x\"")]);
        assert_eq!(changed.status, 200);
        let head = http::request(broker.listen, "HEAD", &path, &[], &[]).unwrap();
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(
            head.header("content-length"),
            Some(file.len().to_string().as_str())
        );
        names += 1;
    }
    assert!(names >= 4, "{names} files");
    // Nothing else of the folder, or of any other.
    for path in [
        "/socket.io/package.json",
        "/socket.io/../package.json",
        "/socket.io/%2e%2e/package.json",
        "/socket.io/socket.io.js/",
        "/socket.io//socket.io.js",
        "/socket.io/socket.io.js.map.map",
    ] {
        let response = get(&broker, path, &[]);
        assert!(response.status >= 400, "{path}: {response:?}");
    }
    assert_eq!(get(&broker, "/socket.io.js", &[]).status, 404);
    assert_eq!(get(&broker, HANDSHAKE, &[]).status, 200);
    let plain = Broker::start("", &[]);
    assert_eq!(get(&plain, "/socket.io/socket.io.js", &[]).status, 400);
}

#[test]
fn a_folder_without_the_client_is_a_mistake_of_the_configuration() {
    let setup = Setup::new("[server]\nclient_files = \"nowhere\"\n");
    let checked = setup.run(&["check", "--config", "sluice.toml"]);
    assert_eq!(checked.code, Some(78), "{checked:?}");
    let said = "server.client_files: `nowhere` is no folder with the client in it";
    assert!(checked.stderr.contains(said), "{}", checked.stderr);
}

/// A session that has been sent a text of so many bytes.
fn sent(broker: &Broker, bytes: usize) -> Polling {
    let session = Polling::open(broker.listen).connected();
    let event = format!("42[\"all:x\",\"{}\"]", "good morning ".repeat(bytes / 13));
    assert_eq!(session.post(event.as_bytes()).unwrap().status, 200);
    session
}

#[test]
fn answers_to_polls_are_compressed_for_who_accepts_it() {
    let broker = Broker::start(RELAY, &[]);
    let poll = |session: &Polling, accept: &str| {
        let path = format!("{HANDSHAKE}&sid={}", session.sid);
        get(&broker, &path, &[("Accept-Encoding", accept)])
    };
    for bytes in [2000, 300_000] {
        let gzip = poll(&sent(&broker, bytes), "gzip, deflate, br");
        assert_eq!(gzip.header("content-encoding"), Some("gzip"), "{gzip:?}");
        assert_eq!(gzip.header("vary"), Some("Accept-Encoding"));
        assert!(gzip.body.len() < bytes / 10, "{}", gzip.body.len());
        let mut text = String::new();
        GzDecoder::new(&gzip.body[..])
            .read_to_string(&mut text)
            .unwrap();
        assert!(text.contains("good morning"), "{text:.80}");
        assert!(text.len() > bytes / 2);

        let deflate = poll(&sent(&broker, bytes), "deflate");
        assert_eq!(deflate.header("content-encoding"), Some("deflate"));
        text.clear();
        ZlibDecoder::new(&deflate.body[..])
            .read_to_string(&mut text)
            .unwrap();
        assert!(text.len() > bytes / 2);

        let plain = poll(&sent(&broker, bytes), "br, gzip;q=0");
        assert_eq!(plain.header("content-encoding"), None);
        assert!(plain.text().contains("good morning"));
    }
    let short = poll(&sent(&broker, 500), "gzip");
    assert_eq!(short.header("content-encoding"), None);
    let off = format!("[server.http_compression]\nenabled = false\n{RELAY}");
    let broker = Broker::start(&off, &[]);
    let session = sent(&broker, 2000);
    let path = format!("{HANDSHAKE}&sid={}", session.sid);
    let plain = get(&broker, &path, &[("Accept-Encoding", "gzip")]);
    assert_eq!(plain.header("content-encoding"), None, "{plain:?}");
}

/// They ask for it by themselves: the official client where it polls by `fetch`, and python-socketio.
#[test]
fn real_clients_read_compressed_answers() {
    let (node, python) = (Driver::node(), Driver::python());
    let broker = Broker::start(RELAY, &[]);
    let sender = node.connect("sender", &broker.url("/"), &websocket());
    let fetch = json!({"fetch": true});
    let fetching = node.connect("fetching", &broker.url("/"), &fetch);
    let polling = json!({"transports": ["polling"]});
    let python = python.connect("python", &broker.url("/"), &polling);
    for length in [10, 2000, 200_000] {
        let text = "good morning ".repeat(length / 10);
        sender.emit("text", json!([text]));
        for receiver in [&fetching, &python] {
            assert_eq!(receiver.expect("text"), [json!(text)], "{}", receiver.name);
        }
    }
    assert_eq!(fetching.transport(), "polling");
    // Two of the three events to each are worth it.
    let compressed = broker.metrics().sum("sluice_polls_compressed_total", &[]);
    assert!(compressed >= 4.0, "{compressed}");
}
