//! Pages of other origins: served where configured, refused otherwise, WebSocket upgrades included.

use serde_json::json;
use sluice_tests::raw::upgrade_status;
use sluice_tests::{Broker, Browser, http};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

fn get(broker: &Broker, headers: &[(&str, &str)]) -> http::Response {
    http::request(broker.listen, "GET", POLLING, headers, &[]).unwrap()
}

fn preflight(broker: &Broker, origin: &str, asked: &str) -> http::Response {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", asked),
    ];
    http::request(broker.listen, "OPTIONS", POLLING, &headers, &[]).unwrap()
}

#[test]
fn without_origins_only_the_same_origin_is_served() {
    let broker = Broker::start("", &[]);
    let own = format!("http://{}", broker.listen);
    for (origin, polling, upgrade) in [
        (None, 200, 101),
        (Some(own.as_str()), 200, 101),
        (Some("http://evil.example"), 403, 403),
        (Some("null"), 403, 403),
    ] {
        let headers: Vec<_> = origin
            .map(|origin| ("Origin", origin))
            .into_iter()
            .collect();
        let response = get(&broker, &headers);
        assert_eq!(
            response.status, polling,
            "polling from {origin:?}: {response:?}"
        );
        assert_eq!(
            response.header("access-control-allow-origin"),
            None,
            "{response:?}"
        );
        assert_eq!(
            upgrade_status(broker.listen, "", &headers),
            upgrade,
            "upgrade from {origin:?}"
        );
    }
    assert_eq!(preflight(&broker, "http://evil.example", "x").status, 403);
}

#[test]
fn a_listed_origin_is_served_with_credentials() {
    let config = r#"
        [server.cors]
        origins = ["https://app.example", "http://localhost:8080"]
        methods = ["GET", "POST"]
        headers = ["Content-Type", "Authorization"]
        credentials = true
    "#;
    let broker = Broker::start(config, &[]);
    for origin in ["https://app.example", "http://localhost:8080"] {
        let response = get(&broker, &[("Origin", origin)]);
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(response.header("access-control-allow-origin"), Some(origin));
        assert_eq!(
            response.header("access-control-allow-credentials"),
            Some("true")
        );
        assert!(
            response
                .header("vary")
                .is_some_and(|vary| vary.contains("Origin")),
            "{response:?}"
        );
        assert_eq!(
            upgrade_status(broker.listen, "", &[("Origin", origin)]),
            101
        );

        let response = preflight(&broker, origin, "authorization");
        assert_eq!(response.status, 204, "{response:?}");
        assert_eq!(response.header("access-control-allow-origin"), Some(origin));
        let methods = response.header("access-control-allow-methods").unwrap();
        assert_eq!(methods.replace(' ', ""), "GET,POST");
        let headers = response.header("access-control-allow-headers").unwrap();
        assert_eq!(
            headers.replace(' ', "").to_lowercase(),
            "content-type,authorization"
        );
    }
    for origin in [
        "https://app.example.evil",
        "http://app.example",
        "http://localhost:8081",
    ] {
        assert_eq!(get(&broker, &[("Origin", origin)]).status, 403, "{origin}");
        assert_eq!(
            upgrade_status(broker.listen, "", &[("Origin", origin)]),
            403,
            "{origin}"
        );
        assert_eq!(preflight(&broker, origin, "x").status, 403, "{origin}");
    }
    // What has no origin is no page.
    assert_eq!(get(&broker, &[]).status, 200);
}

#[test]
fn a_star_allows_any() {
    let broker = Broker::start("[server.cors]\norigins = [\"*\"]\n", &[]);
    let response = get(&broker, &[("Origin", "https://anyone.example")]);
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    assert_eq!(response.header("access-control-allow-credentials"), None);
    assert_eq!(
        upgrade_status(broker.listen, "", &[("Origin", "https://anyone.example")]),
        101
    );
    let response = preflight(&broker, "https://anyone.example", "x-custom");
    assert_eq!(
        response.header("access-control-allow-headers"),
        Some("x-custom"),
        "{response:?}"
    );

    // With credentials a browser takes no star: the origin is named.
    let broker = Broker::start(
        "[server.cors]\norigins = [\"*\"]\ncredentials = true\n",
        &[],
    );
    let response = get(&broker, &[("Origin", "https://anyone.example")]);
    assert_eq!(
        response.header("access-control-allow-origin"),
        Some("https://anyone.example")
    );
}

/// The answer to a poll or a post of an open session carries the headers too: the browser looks at each.
#[test]
fn every_answer_of_a_session_carries_the_headers() {
    let broker = Broker::start("[server.cors]\norigins = [\"https://app.example\"]\n", &[]);
    let origin = [("Origin", "https://app.example")];
    let open = get(&broker, &origin);
    let handshake: serde_json::Value =
        serde_json::from_str(open.text().trim_start_matches('0')).unwrap();
    let session = format!("{POLLING}&sid={}", handshake["sid"].as_str().unwrap());
    let posted = http::request(broker.listen, "POST", &session, &origin, b"40").unwrap();
    let polled = http::request(broker.listen, "GET", &session, &origin, &[]).unwrap();
    let wrong = http::request(
        broker.listen,
        "GET",
        &format!("{POLLING}&sid=unknown"),
        &origin,
        &[],
    )
    .unwrap();
    assert_eq!(
        (posted.status, polled.status, wrong.status),
        (200, 200, 400)
    );
    for response in [posted, polled, wrong] {
        assert_eq!(
            response.header("access-control-allow-origin"),
            Some("https://app.example"),
            "{response:?}"
        );
    }
}

/// What a page does with the official client: over polling first, with credentials, then over WebSocket.
const PAGE: &str = r#"
    (async (url) => {
        const { io } = await import("/socket.io.esm.min.js");
        const socket = io(url, { withCredentials: true, reconnection: false });
        const upgraded = new Promise((done) => socket.io.on("open", () => socket.io.engine.on("upgrade", done)));
        await new Promise((done, refused) => {
            socket.on("connect", done);
            socket.on("connect_error", (error) => refused(new Error("refused: " + error.message)));
        });
        await upgraded;
        const echoed = new Promise((done) => socket.on("all:x", (text, bytes) => done([text, [...new Uint8Array(bytes)]])));
        const ack = await socket.emitWithAck("all:x", "höi", new Uint8Array([0, 255, 7]));
        const got = await echoed;
        const transport = socket.io.engine.transport.name;
        socket.disconnect();
        return { ack, got, transport };
    })
"#;

#[test]
fn a_page_of_a_listed_origin_in_a_real_browser_is_served_and_no_other() {
    let mut browser = Browser::start();
    let page = browser.serve("node_modules/socket.io-client/dist");
    let relay = crate::shared::RELAY;
    let config = format!("[server.cors]\norigins = [\"{page}\"]\ncredentials = true\n{relay}");
    let broker = Broker::start(&config, &[]);
    browser.open(
        &format!("{page}/socket.io.esm.min.js"),
        &json!({"anywhere": true}),
    );
    let seen = browser.eval(&format!("({PAGE})({})", json!(broker.url("/"))));
    assert_eq!(
        seen,
        json!({"ack": {"ok": true}, "got": ["höi", [0, 255, 7]], "transport": "websocket"})
    );
    assert_eq!(browser.problems(), Vec::<String>::new());

    let other = Broker::start(relay, &[]);
    let script = format!(
        "({PAGE})({}).then(() => 'served', (error) => error.message)",
        json!(other.url("/"))
    );
    assert_eq!(browser.eval(&script), "refused: xhr poll error");
    let problems = browser.problems();
    assert!(
        problems.iter().any(|it| it.contains("CORS")),
        "{problems:#?}"
    );
}
