//! python-socketio is served like the official client.

use serde_json::{Value, json};
use sluice_tests::{Broker, Driver};

use crate::shared::{RELAY, own_code, websocket};

fn chat(transport: &str) {
    let broker = Broker::start(RELAY, &[]);
    let (python, node) = (Driver::python(), Driver::node());
    let opts = json!({"transports": [transport]});
    let [guido, tim] = ["guido", "tim"].map(|name| python.connect(name, &broker.url("/"), &opts));
    let js = node.connect("js", &broker.url("/"), &websocket());
    for client in [&guido, &js] {
        client.ok("join", json!(["pub"]));
    }
    let args = json!(["pub", "żółć 🎉", {"nested": [1, 2.5, null, true]}, {"$bin": "AAEC/w=="}]);
    for (sender, receiver) in [(&guido, &js), (&js, &guido)] {
        sender.ok("room:chat", args.clone());
        assert_eq!(Value::Array(receiver.expect("room:chat")), args);
    }
    // A denial is the same object, in the ack or as an event.
    let denial = guido.denied("join", json!([{}]));
    assert_eq!(own_code(&denial), "invalid_packet", "{denial}");
    guido.ok("leave", json!(["pub"]));
    js.ok("room:chat", json!(["pub", "gone"]));
    js.ok("all:end", json!([]));
    for client in [&guido, &tim, &js] {
        client.expect("all:end");
    }
    guido.disconnect();
}

#[test]
fn python_clients_chat_with_javascript_over_websocket() {
    chat("websocket");
}

#[test]
fn python_clients_chat_with_javascript_over_polling() {
    chat("polling");
}
