use std::collections::BTreeSet;

use parking_lot::{Mutex, RwLock};
use serde_json::{Value, json};

use super::*;
use crate::event::{Handshake, Identity, Peer};

fn client(token: u64) -> Client {
    Client {
        peer: Peer {
            token,
            name: "name".into(),
            address: [127, 0, 0, 1].into(),
            handshake: Arc::new(Handshake::new(
                "EIO=4&token=abc&sid=secret",
                [("user-agent", &b"x"[..])].into_iter(),
            )),
        },
        namespace: "/".into(),
        identity: RwLock::new(Identity::default()),
        rooms: Mutex::new(BTreeSet::new()),
    }
}

fn event(name: &str, args: &str) -> Event {
    Event {
        name: name.into(),
        args: args.into(),
        attachments: Arc::new([]),
        volatile: false,
    }
}

fn wanted() -> Wanted {
    Wanted {
        time: Duration::from_secs(60),
        lines: 100,
        bytes: 1 << 20,
        namespace: None,
        events: Vec::new(),
        hooks: Vec::new(),
        redact: Redact::Strings,
        headers: Vec::new(),
        auth: false,
    }
}

/// What is there already, as JSON without the time.
async fn lines(recording: &mut Recording, count: usize) -> Vec<Value> {
    let mut lines = Vec::new();
    for _ in 0..count {
        let line = recording.next().await.unwrap();
        let mut line: Value = serde_json::from_str(&line).unwrap();
        line.as_object_mut().unwrap().remove("at_ms");
        lines.push(line);
    }
    lines
}

#[tokio::test]
async fn a_socket_says_once_who_it_is_and_then_what_has_changed() {
    let recorder = Arc::new(Recorder::default());
    let client = client(77);
    recorder.connect(&client, None).came_to("accept");
    let mut recording = recorder.begin(wanted()).unwrap();
    let mut connect = recorder.connect(&client, Some(r#"{"token":"abc"}"#));
    connect.came_to("accept");
    connect.came_to("accept");
    client.identity.write().user = Some("alice".into());
    recorder
        .event(&client, &event("say", r#"["hello",1]"#), true)
        .came_to("pass");
    client.rooms.lock().insert("r".into());
    recorder.subscribe(&client, "s").came_to("deny");
    recorder.disconnect(&client, DisconnectReason::Client);
    assert_eq!(
        lines(&mut recording, 4).await,
        [
            json!({"hook": "connect", "socket": 1, "namespace": "/", "address": "127.0.0.1",
                "query": {"EIO": "x", "token": "xxx"}, "outcome": "accept"}),
            json!({"hook": "event", "socket": 1, "user": "alice", "event": "say",
                "args": ["xxxxx", 1], "wants_ack": true, "outcome": "pass"}),
            json!({"hook": "subscribe", "socket": 1, "rooms": ["r"], "room": "s", "outcome": "deny"}),
            json!({"hook": "disconnect", "socket": 1, "reason": "client", "outcome": "pass"}),
        ]
    );
}

#[tokio::test]
async fn what_is_named_is_recorded_and_nothing_else() {
    let recorder = Arc::new(Recorder::default());
    let client = client(1);
    let mut recording = recorder
        .begin(Wanted {
            namespace: Some("/".to_owned()),
            events: vec![Glob::new("say*")],
            hooks: vec![Hook::Event, Hook::Connect],
            redact: Redact::None,
            headers: vec!["user-agent".to_owned(), "cookie".to_owned()],
            auth: true,
            ..wanted()
        })
        .unwrap();
    recorder
        .event(&client, &event("other", "[]"), false)
        .came_to("pass");
    recorder.subscribe(&client, "r").came_to("pass");
    recorder
        .connect(&client, Some(r#"{"t":"abc"}"#))
        .came_to("accept");
    let other = Client {
        namespace: "/other".into(),
        ..self::client(2)
    };
    recorder
        .event(&other, &event("say", "[]"), false)
        .came_to("pass");
    recorder
        .event(&client, &event("say it", r#"["a"]"#), false)
        .came_to("drop");
    let lines = lines(&mut recording, 2).await;
    assert_eq!(lines[0]["auth"], json!({"t": "abc"}));
    assert_eq!(lines[0]["headers"], json!({"user-agent": "x"}));
    assert_eq!(lines[0]["query"], json!({"EIO": "4", "token": "abc"}));
    assert_eq!(lines[1]["args"], json!(["a"]));
    assert_eq!(lines[1]["event"], "say it");
}

#[tokio::test(start_paused = true)]
async fn it_ends_in_time_after_its_lines_and_with_its_reader() {
    let recorder = Arc::new(Recorder::default());
    let client = client(1);
    let mut recording = recorder.begin(wanted()).unwrap();
    assert!(recorder.begin(wanted()).is_err());
    assert_eq!(
        recording.next().await,
        None,
        "nothing happened in all that time"
    );
    drop(recording);
    let one = Wanted {
        lines: 1,
        ..wanted()
    };
    let mut recording = recorder.begin(one).unwrap();
    for _ in 0..2 {
        recorder
            .event(&client, &event("e", "[]"), false)
            .came_to("pass");
    }
    assert!(recording.next().await.is_some());
    assert_eq!(recording.next().await, None);
    drop(recording);
    assert!(!recorder.is_on.load(Ordering::Relaxed));
    recorder
        .event(&client, &event("e", "[]"), false)
        .came_to("pass");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_counted() {
    let recorder = Arc::new(Recorder::default());
    let client = client(1);
    let many = Wanted {
        lines: QUEUED + 10,
        ..wanted()
    };
    let mut recording = recorder.begin(many).unwrap();
    for _ in 0..QUEUED + 3 {
        recorder
            .event(&client, &event("e", "[]"), false)
            .came_to("pass");
    }
    let mut last = String::new();
    while let Some(line) = recording.next().await {
        last = line;
    }
    assert_eq!(last, "{\"dropped\":3}\n");
}
