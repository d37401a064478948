//! The configurations of `examples/deploy`, as they are shipped but for addresses and certificates.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{FILE, Place, Proxy, replaced, with_nodes};

/// The nodes that the shipped configurations name.
const NODES: [&str; 3] = ["10.0.0.11:3000", "10.0.0.12:3000", "10.0.0.13:3000"];

/// A file of `examples/deploy`.
///
/// # Panics
///
/// When there is none.
pub fn shipped(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/deploy")
}

impl Proxy {
    /// nginx with TLS.
    pub fn deployed_nginx(nodes: [SocketAddr; 3]) -> Self {
        let (place, config) = prepare("nginx/sluice.conf", nodes);
        let (certificate, key) = certificate(&place.dir);
        let listen = format!("listen {} ssl;", place.address);
        let config = replaced(&config, "listen 443 ssl;", &listen);
        let config = replaced(&config, "/etc/nginx/tls/events.example.pem", &certificate);
        let config = replaced(&config, "/etc/nginx/tls/events.example.key", &key);
        // What Debian's /etc/nginx/nginx.conf is around it.
        let config = format!("events {{}}\nhttp {{\naccess_log off;\n{config}\n}}\n");
        Self::run_nginx(place, &config)
    }

    /// HAProxy that ends TLS.
    pub fn deployed_haproxy(nodes: [SocketAddr; 3]) -> Self {
        let (place, config) = prepare("haproxy/http.cfg", nodes);
        let (certificate, key) = certificate(&place.dir);
        let both = place.dir.path().join("both.pem");
        let text = [certificate, key].map(|file| fs::read_to_string(file).unwrap());
        fs::write(&both, text.concat()).unwrap();
        let both = both.to_str().unwrap();
        let config = replaced(&config, "/etc/haproxy/tls/events.example.pem", both);
        Self::deployed(place, &config)
    }

    /// HAProxy that passes on bytes, before nodes that end TLS.
    pub fn deployed_haproxy_tcp(nodes: [SocketAddr; 3]) -> Self {
        let (place, config) = prepare("haproxy/tcp.cfg", nodes);
        Self::deployed(place, &config)
    }

    fn deployed(place: Place, config: &str) -> Self {
        let config = replaced(config, "bind :443", &format!("bind {}", place.address));
        // The test's user may have fewer descriptors.
        let config = replaced(&config, "maxconn 50000", "maxconn 500");
        Self::run_haproxy(place, &config)
    }

    /// Caddy. Certificates are Caddy's own business.
    pub fn deployed_caddy(nodes: [SocketAddr; 3]) -> Self {
        let (place, config) = prepare("caddy/Caddyfile", nodes);
        let site = format!("http://{} {{", place.address);
        let config = replaced(&config, "events.example {", &site);
        let config = format!("{{\n\tadmin off\n\tlog {{\n\t\tlevel ERROR\n\t}}\n}}\n{config}");
        let arguments = ["run", "--adapter", "caddyfile", "--config", FILE];
        Self::run("caddy", &arguments, place, &config)
    }
}

fn prepare(name: &str, nodes: [SocketAddr; 3]) -> (Place, String) {
    (Place::free(), with_nodes(&shipped(name), NODES, nodes))
}

/// One that nobody has signed: the paths of certificate and key.
fn certificate(dir: &TempDir) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["events.example".to_owned()]);
    let made = made.expect("a certificate");
    let write = |name: &str, text: String| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().expect("a path in UTF-8").to_owned()
    };
    (
        write("cert.pem", made.cert.pem()),
        write("key.pem", made.signing_key.serialize_pem()),
    )
}

/// The entrances and nodes of `examples/guide`.
const GUIDE: (&[&str], [&str; 3]) = (
    &["listen 80;", "bind *:80"],
    ["localhost:5001", "localhost:5002", "localhost:5003"],
);

impl Proxy {
    /// One of `examples/guide`, before nodes at these ports.
    ///
    /// # Panics
    ///
    /// When it knows neither nginx nor HAProxy by that name.
    pub fn before(program: &str, shipped: &str, ports: [u16; 3]) -> Self {
        let (entrances, names) = GUIDE;
        let place = Place::free();
        let address = place.address;
        let nodes = ports.map(|port| (Ipv4Addr::LOCALHOST, port).into());
        let config = with_nodes(shipped, names, nodes);
        let entrance = entrances.iter().find(|it| shipped.contains(**it));
        let entrance = entrance.expect("an entrance");
        let (word, end) = entrance.split_once(' ').expect("a word and a port");
        let here = format!(
            "{word} {address}{}",
            if end.ends_with(';') { ";" } else { "" }
        );
        let config = replaced(&config, entrance, &here);
        match program {
            "nginx" => Self::run_nginx(place, &config),
            "haproxy" => Self::run_haproxy(place, &config),
            other => panic!("no {other}"),
        }
    }
}
