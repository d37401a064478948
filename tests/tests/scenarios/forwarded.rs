//! Clients behind proxies: the broker knows them by their own addresses, and believes nobody else about it.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};

use serde_json::json;
use sluice_tests::raw::{Socket, connect_from};
use sluice_tests::{Broker, Driver, Proxy, eventually, http};

use crate::admission::cut;
use crate::keep_alive::HANDSHAKE;
use crate::shared::RELAY;

/// Proxies of this machine are at the first address, clients at another.
const TRUSTED: &str = "trusted_proxies = [\"127.0.0.1\"]";
const CLIENT: &str = "127.0.0.2";

fn client() -> IpAddr {
    CLIENT.parse().unwrap()
}

/// The address by which the broker knows a socket.
fn address_of(broker: &Broker, socket: &str) -> String {
    let record = broker.logs.wait("its connection", |record| {
        record.message() == "connected" && record.has("socket", socket)
    });
    record.field("address").as_str().unwrap().to_owned()
}

fn seen(broker: &Broker, headers: &[(&str, &str)]) -> String {
    let socket = Socket::open_with(broker.listen, headers).connected();
    address_of(broker, &socket.id)
}

#[test]
fn only_a_trusted_proxy_is_believed() {
    let said = [("X-Forwarded-For", "198.51.100.9, 203.0.113.7")];
    let broker = Broker::start("", &[]);
    assert_eq!(seen(&broker, &said), "127.0.0.1");
    let broker = Broker::start(&format!("[server]\n{TRUSTED}\n"), &[]);
    assert_eq!(seen(&broker, &said), "203.0.113.7");
    assert_eq!(seen(&broker, &[]), "127.0.0.1");
    assert_eq!(
        seen(&broker, &[("Forwarded", "for=203.0.113.7")]),
        "127.0.0.1"
    );
    let keys = "forwarded_header = \"forwarded\"";
    let broker = Broker::start(&format!("[server]\n{TRUSTED}\n{keys}\n"), &[]);
    let forwarded = [("Forwarded", r#"for="[2001:db8::7]:4711";proto=https"#)];
    assert_eq!(seen(&broker, &forwarded), "2001:db8::7");
    assert_eq!(seen(&broker, &said), "127.0.0.1");
}

/// A proxy's connections are its own; its clients are counted when they come. To the proxy, a client that comes too
/// often is no fault of the node's.
#[test]
fn clients_behind_a_proxy_are_counted_apart() {
    let config = format!("[server]\n{TRUSTED}\nmax_connections_per_ip = 1\n{RELAY}");
    let broker = Broker::start(&config, &[]);
    let ask = |client: &str| {
        let headers = [("X-Forwarded-For", client)];
        let answer = http::request(broker.listen, "GET", HANDSHAKE, &headers, &[]).unwrap();
        (answer.status, answer.header("retry-after").is_some())
    };
    for n in 1..20 {
        assert_eq!(ask(&format!("203.0.113.{n}")), (200, false));
    }
    assert_eq!(ask("203.0.113.1"), (429, true));
    assert_eq!(ask("2001:db8::1"), (200, false));
    assert_eq!(ask("2001:db8::2"), (429, true), "the same /64");
    assert_eq!(ask("2001:db8:0:1::1"), (200, false));
    // And so is whoever comes without one.
    let own = |source: [u8; 4]| {
        let mut stream = connect_from(source.into(), broker.listen);
        // Nobody takes this client's word.
        let request = format!("GET {HANDSHAKE} HTTP/1.0\r\nX-Forwarded-For: 203.0.113.77\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(own([127, 0, 0, 2]), "200");
    assert_eq!(own([127, 0, 0, 2]), "503");
}

const NGINX: &str = r#"
events {}
http {
    access_log off;
    upstream sluice {
        server 127.0.0.1:3001;
        server 127.0.0.1:3002;
        server 127.0.0.1:3003;
        keepalive 8;
    }
    map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
    server {
        listen 127.0.0.1:8000;
        location / {
            proxy_pass http://sluice;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }
    }
}
"#;

/// Not HTTP to HAProxy: it says whom it speaks for before the first byte of its client.
const HAPROXY: &str = "
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend clients
    bind 127.0.0.1:8000
    default_backend sluice
backend sluice
    server a 127.0.0.1:3001 VERSION
    server b 127.0.0.1:3002 VERSION
    server c 127.0.0.1:3003 VERSION
";

/// An official client that comes from another address than the proxy's, and tries to pass for a third.
fn official(broker: &Broker, proxy: &Proxy) {
    let node = Driver::node();
    let options = json!({
        "transports": ["websocket"],
        "localAddress": CLIENT,
        "extraHeaders": {"X-Forwarded-For": "198.51.100.9"},
    });
    let socket = node.connect("client", &proxy.url("/"), &options);
    socket.ok("x", json!(["served"]));
    assert_eq!(address_of(broker, socket.logged_as()), CLIENT);
    // The same over polling.
    let mut stream = connect_from(client(), proxy.address);
    let ask = |stream: &mut TcpStream, request: String| -> String {
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    };
    let host = "Host: x\r\nX-Forwarded-For: 198.51.100.9\r\n";
    let open = ask(
        &mut stream,
        format!("GET {HANDSHAKE} HTTP/1.1\r\n{host}\r\n"),
    );
    let sid = open.split("\"sid\":\"").nth(1).unwrap();
    let sid = sid.split('"').next().unwrap();
    let posted = ask(
        &mut stream,
        format!("POST {HANDSHAKE}&sid={sid} HTTP/1.1\r\n{host}Content-Length: 2\r\n\r\n40"),
    );
    assert!(posted.starts_with("HTTP/1.1 200"), "{posted}");
    broker.logs.wait("the polling client", |record| {
        record.message() == "connected"
            && record.has("transport", "polling")
            && record.has("address", CLIENT)
    });
}

#[test]
fn behind_nginx_clients_have_their_own_addresses() {
    let broker = Broker::start(&format!("[server]\n{TRUSTED}\n{RELAY}"), &[]);
    let proxy = Proxy::nginx(NGINX, [broker.listen; 3]);
    official(&broker, &proxy);
}

#[test]
fn behind_haproxy_clients_have_their_own_addresses() {
    for version in ["send-proxy", "send-proxy-v2"] {
        let config = format!("[server]\n{TRUSTED}\nproxy_protocol = true\n{RELAY}");
        let broker = Broker::start(&config, &[]);
        let proxy = Proxy::haproxy(&HAPROXY.replace("VERSION", version), [broker.listen; 3]);
        official(&broker, &proxy);
    }
}

fn end_of(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn speaks(source: [u8; 4], to: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = connect_from(source.into(), to);
    let _ = stream.write_all(bytes);
    stream
}

/// What is no header ends the connection; what is one of somebody else's is none.
#[test]
fn headers_that_are_none_and_headers_of_others() {
    const PROXY: [u8; 4] = [127, 0, 0, 1];
    const OTHER: [u8; 4] = [127, 0, 0, 2];
    let keys = "proxy_protocol = true\nrequest_timeout = \"3s\"";
    let broker = Broker::start(&format!("[server]\n{TRUSTED}\n{keys}\n{RELAY}"), &[]);
    let request = format!("GET {HANDSHAKE} HTTP/1.0\r\n\r\n");
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    let wrong: [Vec<u8>; 6] = [
        request.clone().into_bytes(),
        b"PROXY TCP4 everything is fine\r\n".to_vec(),
        [b"PROXY ", &[b'x'; 1 << 20][..]].concat(),
        [&signature[..], &[0x21, 0x11, 0xff, 0xff]].concat(),
        [&signature[..], &[0x91, 0x11, 0, 12], &[0; 12]].concat(),
        // Begun, and never ended.
        b"PROXY TCP4 203.0.113.7".to_vec(),
    ];
    for (n, bytes) in wrong.iter().enumerate() {
        let stream = speaks(PROXY, broker.listen, bytes);
        assert_eq!(end_of(stream), "", "{n}");
        eventually("its count", || {
            (cut(&broker, "proxy_header") == (n + 1) as f64).then_some(())
        });
    }
    // A health check of the proxy's own, and a client.
    let local = [&signature[..], &[0x20, 0, 0, 0], request.as_bytes()].concat();
    let v1 = format!("PROXY TCP4 203.0.113.7 127.0.0.1 4711 3000\r\n{request}");
    for bytes in [local, v1.clone().into_bytes()] {
        let answer = end_of(speaks(PROXY, broker.listen, &bytes));
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    }
    // Nobody else speaks for anybody.
    let answer = end_of(speaks(OTHER, broker.listen, v1.as_bytes()));
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let answer = end_of(speaks(OTHER, broker.listen, request.as_bytes()));
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
}
