//! What clients are called: by a name of the broker's making, while the transport's own session id, with which anyone
//! could post to a polling session, stays between a client and the broker.

use serde_json::json;
use sluice_tests::{Broker, Driver};

const NAMESPACES: &str = r#"
[[namespace]]
path = "/"
[[namespace]]
path = "/other"
"#;

#[test]
fn a_socket_has_a_public_id_on_both_transports_and_in_every_namespace() {
    let node = Driver::node();
    let broker = Broker::start(NAMESPACES, &[]);
    for transports in [
        json!(["websocket"]),
        json!(["polling"]),
        json!(["polling", "websocket"]),
    ] {
        let mut ids = Vec::new();
        for namespace in ["/", "/other"] {
            let options = json!({"transports": transports, "forceNew": true});
            let name = format!("{namespace}{transports}");
            let client = node.connect(&name, &broker.url(namespace), &options);
            let engine = client.engine_id();
            broker.logs.wait("the connection", |record| {
                record.message() == "connected" && record.has("socket", &client.sid)
            });
            assert!(!broker.logs.text().contains(&engine), "{engine}");
            ids.extend([client.sid, engine]);
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4, "{ids:?}");
    }
}

/// The names of two sockets of one connection differ, as the protocol's do.
#[test]
fn each_namespace_of_a_connection_has_its_own_id() {
    let broker = Broker::start(NAMESPACES, &[]);
    let mut socket = broker.socket().connected();
    socket.send("40/other");
    let answer = format!("{:?}", socket.packet());
    assert!(answer.contains("40/other,{"), "{answer}");
    assert!(
        !answer.contains(&socket.id) && !answer.contains(&socket.sid),
        "{answer}"
    );
}
