use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::event::{Identity, Peer};

fn client() -> Client {
    Client {
        peer: Peer {
            token: 1,
            name: "so\"cket".into(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            handshake: Arc::default(),
        },
        namespace: "/a".into(),
        identity: parking_lot::RwLock::new(Identity {
            user: Some("ann".into()),
            attributes: [("role".to_owned(), "ad\"min".to_owned())].into(),
            rooms: Default::default(),
            ..Identity::default()
        }),
        rooms: Default::default(),
    }
}

fn event(args: &str, attachments: &[&'static [u8]]) -> Event {
    let attachments = attachments.iter().map(|it| Bytes::from_static(it));
    Event {
        name: "e".into(),
        args: args.into(),
        attachments: attachments.collect(),
        volatile: false,
    }
}

fn written(event: &Event, encoding: Encoding) -> Bytes {
    Writer::new("n1").event(&Envelope::new(), &client(), event, encoding)
}

fn json(event: &Event) -> serde_json::Value {
    serde_json::from_slice(&written(event, Encoding::Json)).unwrap()
}

#[test]
fn an_envelope_says_who_sent_what() {
    let value = json(&event("[1,{\"a\":[]}]", &[]));
    assert_eq!(value["namespace"], "/a");
    assert_eq!(value["socket"], "so\"cket");
    assert_eq!(value["user"], "ann");
    assert_eq!(value["attributes"]["role"], "ad\"min");
    assert_eq!(
        (&value["event"], &value["node"]),
        (&"e".into(), &"n1".into())
    );
    assert_eq!(value["arguments"], serde_json::json!([1, {"a": []}]));
    assert_eq!(value["id"].as_str().unwrap().len(), 32);
}

#[test]
fn what_happened_is_said_in_an_envelope_of_its_own() {
    let told = |happened| {
        let written =
            Writer::new("n1").lifecycle(&Envelope::new(), &client(), happened, Encoding::Json);
        serde_json::from_slice::<serde_json::Value>(&written).unwrap()
    };
    let value = told(Happened::Joined("a\"b"));
    assert_eq!(
        (&value["event"], &value["room"]),
        (&"joined".into(), &"a\"b".into())
    );
    assert_eq!(
        (&value["socket"], &value["user"]),
        (&"so\"cket".into(), &"ann".into())
    );
    assert!(value.get("arguments").is_none() && value.get("reason").is_none());
    let value = told(Happened::Disconnected("transport close"));
    assert_eq!(value["reason"], "transport close");
    assert!(told(Happened::Connected).get("room").is_none());
    let packed = Writer::new("n1").lifecycle(
        &Envelope::new(),
        &client(),
        Happened::Left("den"),
        Encoding::Msgpack,
    );
    assert!(packed.windows(4).any(|it| it == b"\xa3den"));
}

#[test]
fn attachments_take_the_places_of_their_placeholders() {
    let one = r#"{"_placeholder":true,"num":1}"#;
    let nought = r#"{"num":0,"_placeholder":true}"#;
    let args = format!(r#"["\"",{one},{{"deep":[{nought}]}},{{"_placeholder":false}}]"#);
    let value = json(&event(&args, &[b"\x01", b"\xff\xfe"]));
    let expected = serde_json::json!(["\"", "//4=", {"deep": ["AQ=="]}, {"_placeholder": false}]);
    assert_eq!(value["arguments"], expected);
    let packed = written(&event(&args, &[b"\x01", b"\xff\xfe"]), Encoding::Msgpack);
    assert!(packed.windows(4).any(|it| it == [0xc4, 2, 0xff, 0xfe]));
    // Without attachments, what looks like a placeholder is an object.
    let value = json(&event(&format!("[{one}]"), &[]));
    assert_eq!(value["arguments"][0]["num"], 1);
    // One within another is nobody's.
    let within = format!(r#"[{{"_placeholder":true,"num":0,"x":{nought}}}]"#);
    assert_eq!(
        json(&event(&within, &[b"\x01"]))["arguments"],
        serde_json::json!(["AQ=="])
    );
}

#[test]
fn the_queue_is_bounded_in_messages_and_bytes() {
    let outgoing = |bytes: usize| Outgoing {
        subject: String::new(),
        id: String::new(),
        encoding: Encoding::Json,
        payload: vec![0; bytes].into(),
        kind: BackendKind::Publish,
        awaited: Awaited::Nothing,
        since: Instant::now(),
        trace: None,
    };
    let queue = Queue::new(2, 100);
    assert!(queue.push(outgoing(60)).is_ok());
    assert!(queue.push(outgoing(41)).is_err());
    assert!(queue.push(outgoing(40)).is_ok());
    assert!(queue.push(outgoing(0)).is_err());
    queue.left(60);
    assert!(queue.push(outgoing(60)).is_ok());
}
