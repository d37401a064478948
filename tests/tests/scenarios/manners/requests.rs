//! Requests that are refused, and what a handshake is answered.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;

use serde_json::{Value, json};
use sluice_tests::http;
use sluice_tests::raw::{self, Polling, upgrade_status};

use super::servers::{Case, Seen, Servers};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// Status, kind and text of an answer; of headers what clients look at.
fn answer(response: &http::Response) -> String {
    let kind = response.header("content-type").unwrap_or("no type");
    format!(
        "{} {} {}",
        response.status,
        kind.to_lowercase().replace(' ', ""),
        response.text()
    )
}

fn ask(
    method: &'static str,
    path: String,
    headers: &'static [(&str, &str)],
    body: &'static [u8],
) -> Case {
    Case::new(format!("{method} {path}"), move |to| {
        vec![told(http::request(to, method, &path, headers, body))]
    })
}

fn told(response: std::io::Result<http::Response>) -> String {
    match response {
        Ok(response) => answer(&response),
        Err(_) => "no answer".to_owned(),
    }
}

fn upgrade(query: &'static str) -> Case {
    Case::new(format!("upgrade {query}"), move |to| {
        vec![upgrade_status(to, query, &[]).to_string()]
    })
}

/// The handshake's answer, without what is different every time.
fn handshake(to: SocketAddr) -> Seen {
    let response = http::request(to, "GET", POLLING, &[], &[]).unwrap();
    let mut open: Value = serde_json::from_str(response.text().trim_start_matches('0')).unwrap();
    open["sid"].take();
    let header = |name| response.header(name).map(str::to_lowercase);
    vec![
        response.status.to_string(),
        open.to_string(),
        format!("{:?} {:?}", header("content-type"), header("set-cookie")),
        format!("{:?}", header("cache-control")),
    ]
}

#[test]
fn requests_are_answered_as_by_nodes_server() {
    let servers = Servers::start(&json!({}), "");
    let mut cases = vec![
        Case::new("handshake", handshake),
        ask("GET", "/socket.io/".into(), &[], b""),
        ask("GET", "/socket.io/?EIO=4".into(), &[], b""),
        ask("GET", "/socket.io/?transport=polling".into(), &[], b""),
        ask("GET", "/socket.io/?EIO=4&transport=abc".into(), &[], b""),
        ask(
            "GET",
            "/socket.io/?EIO=4&transport=constructor".into(),
            &[],
            b"",
        ),
        ask(
            "GET",
            "/socket.io/?EIO=3&transport=polling".into(),
            &[],
            b"",
        ),
        ask(
            "GET",
            "/socket.io/?EIO=abc&transport=polling".into(),
            &[],
            b"",
        ),
        ask(
            "GET",
            "/socket.io/?EIO=4&transport=websocket".into(),
            &[],
            b"",
        ),
        ask(
            "GET",
            "/socket.io/?EIO=4&transport=webtransport".into(),
            &[],
            b"",
        ),
        ask(
            "GET",
            "/socket.io/?EIO=4&transport=polling&sid=unknown".into(),
            &[],
            b"",
        ),
        ask(
            "GET",
            "/socket.io/?EIO=4&transport=polling&sid=__proto__".into(),
            &[],
            b"",
        ),
        ask(
            "GET",
            "/socket.io/?EIO=4&transport=websocket&sid=unknown".into(),
            &[],
            b"",
        ),
        ask(
            "GET",
            "/socket.io/?EIO=3&transport=polling&sid=unknown".into(),
            &[],
            b"",
        ),
        upgrade("&sid=unknown"),
        upgrade("&x=1"),
        Case::new("EIO=3 upgrade", |to| {
            vec![bare_upgrade(to, "/socket.io/?EIO=3&transport=websocket")]
        }),
        Case::new("no EIO upgrade", |to| {
            vec![bare_upgrade(to, "/socket.io/?transport=websocket")]
        }),
        Case::new("upgrade with polling", |to| {
            vec![bare_upgrade(to, "/socket.io/?EIO=4&transport=polling")]
        }),
        Case::new("a session's requests", |to| {
            let session = Polling::open(to);
            let path = format!("{POLLING}&sid={}", session.sid);
            let websocket = path.replace("polling", "websocket");
            ["PUT", "DELETE", "PATCH", "HEAD"]
                .iter()
                .map(|method| (*method, &path))
                .chain([("GET", &websocket), ("POST", &websocket)])
                .map(|(method, path)| told(http::request(to, method, path, &[], &[])))
                .collect()
        }),
        Case::new("a session and another protocol", |to| {
            let session = Polling::open(to);
            let path = format!("{POLLING}&sid={}", session.sid).replace("EIO=4", "EIO=3");
            vec![told(http::request(to, "GET", &path, &[], &[]))]
        }),
        Case::new("what a post is answered", |to| {
            let session = Polling::open(to);
            vec![told(session.post(b"40"))]
        }),
        Case::new("a post of bytes", |to| {
            let session = Polling::open(to);
            let path = format!("{POLLING}&sid={}", session.sid);
            let headers = [("Content-Type", "application/octet-stream")];
            vec![told(http::request(to, "POST", &path, &headers, b"40"))]
        }),
    ];
    for (method, path) in [
        ("GET", POLLING),
        ("GET", "/socket.io/"),
        ("OPTIONS", POLLING),
    ] {
        cases.push(Case::new(
            format!("{method} {path} from a page"),
            move |to| {
                let headers = [
                    ("Origin", "http://page.example"),
                    ("Access-Control-Request-Method", "POST"),
                ];
                let response = http::request(to, method, path, &headers, &[]).unwrap();
                let allowed = response.header("access-control-allow-origin");
                vec![format!("{} {allowed:?}", response.status)]
            },
        ));
    }
    for method in ["POST", "PUT", "DELETE", "HEAD"] {
        cases.push(ask(method, POLLING.into(), &[], b""));
    }
    servers.compare(&cases);
}

#[test]
fn transports_and_upgrades_are_restricted_as_by_nodes_server() {
    let tries = || {
        vec![
            Case::new("handshake", handshake),
            ask("GET", POLLING.into(), &[], b""),
            upgrade("&x=1"),
        ]
    };
    let without_sid = |cases: Vec<Case>| cases.into_iter().skip(1).collect::<Vec<_>>();
    let websocket = Servers::start(
        &json!({"transports": ["websocket"]}),
        "transports = [\"websocket\"]",
    );
    websocket.compare(&without_sid(tries()));
    let polling = Servers::start(
        &json!({"transports": ["polling"]}),
        "transports = [\"polling\"]",
    );
    polling.compare(&tries()[..1]);
    let apart = Servers::start(&json!({"allowUpgrades": false}), "allow_upgrades = false");
    apart.compare(&[
        Case::new("handshake", handshake),
        upgrade("&x=1"),
        Case::new("an upgrade that is not offered", |to| {
            let session = Polling::open(to);
            let sid = format!("&sid={}", session.sid);
            vec![upgrade_status(to, &sid, &[]).to_string()]
        }),
    ]);
}

/// The status that an upgrade is answered with, whatever comes behind it.
fn bare_upgrade(to: SocketAddr, path: &str) -> String {
    let mut stream = raw::connect(to);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut first = String::new();
    BufReader::new(stream).read_line(&mut first).unwrap();
    first.split(' ').nth(1).unwrap_or_default().to_owned()
}
