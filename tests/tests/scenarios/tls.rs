//! TLS on both listeners: what clients are shown, what they show, and what changes while they are connected.

mod authority;
mod certificates;
mod clients;
mod handshakes;

use std::path::Path;

use serde_json::{Value, json};
use sluice_tests::{Broker, Setup};

use crate::shared::RELAY;
use authority::{Authority, Pem};

/// The files of a listener's own certificate.
const OWN: &str = "[server.tls]\ncert = \"own.pem\"\nkey = \"own.key\"\n";

/// A broker whose public listener shows a certificate for `127.0.0.1` and `localhost`. `config` begins inside of
/// `[server.tls]`.
fn setup(authority: &Authority, config: &str) -> Setup {
    let own = authority.server(&["127.0.0.1", "localhost"]);
    let setup = Setup::new(&format!("{OWN}{config}\n{RELAY}"));
    put(setup.dir(), "own", &own);
    setup
}

/// Writes a certificate and its key as a careful operator does.
fn put(dir: &Path, name: &str, pem: &Pem) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let write = |ending: &str, text: &str| {
        let beside = dir.join(format!(".{name}.{ending}"));
        let mut options = std::fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&beside).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        std::fs::rename(beside, dir.join(format!("{name}.{ending}"))).unwrap();
    };
    write("pem", &pem.cert);
    write("key", &pem.key);
}

fn url(broker: &Broker) -> String {
    format!("https://{}/", broker.listen)
}

/// The options of a client that trusts this authority.
fn trusting(authority: &Authority, transports: Value) -> Value {
    json!({"ca": authority.pem(), "transports": transports})
}

/// How many handshakes of the public listener came to this.
fn handshakes(broker: &Broker, outcome: &str) -> f64 {
    let labels = [("listener", "public"), ("outcome", outcome)];
    broker.metrics().sum("sluice_tls_handshakes_total", &labels)
}
