//! The NATS server that later versions talk to is there and answers.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;

use serde_json::Value;
use sluice_tests::{Nats, PATIENCE};

#[test]
fn a_nats_server_greets() {
    let nats = Nats::start();
    let stream = TcpStream::connect(nats.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut banner = String::new();
    BufReader::new(stream).read_line(&mut banner).unwrap();
    let info: Value =
        serde_json::from_str(banner.trim().strip_prefix("INFO ").expect("the banner")).unwrap();
    assert!(
        info["version"]
            .as_str()
            .is_some_and(|version| version.starts_with("2.")),
        "{info}"
    );
    assert_eq!(nats.url(), format!("nats://{}", nats.address));
}
