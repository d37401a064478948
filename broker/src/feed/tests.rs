use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::*;
use crate::event::{Handshake, Identity, Peer};
use crate::redact::Redact;

fn client(name: &str, user: Option<&str>, rooms: &[&str]) -> Client {
    Client {
        peer: Peer {
            token: 1,
            name: name.into(),
            address: Ipv4Addr::LOCALHOST.into(),
            handshake: Arc::new(Handshake::default()),
        },
        namespace: "/".into(),
        identity: Identity {
            user: user.map(Into::into),
            ..Identity::default()
        }
        .into(),
        rooms: Mutex::new(rooms.iter().map(|room| (*room).into()).collect()),
    }
}

fn event(args: &str) -> Event {
    Event {
        name: "chat".into(),
        args: args.into(),
        attachments: [].into(),
        volatile: false,
    }
}

fn of(subject: Subject) -> Wanted {
    Wanted {
        subject,
        namespace: None,
        beside: None,
    }
}

async fn next(lines: &mut Lines) -> Value {
    let line = lines.next().await.expect("a line");
    let mut value: Value = serde_json::from_str(&line).expect("JSON");
    assert!(value["at_ms"].as_u64() > Some(1_600_000_000_000));
    value.as_object_mut().expect("an object").remove("at_ms");
    value
}

#[tokio::test]
async fn who_looks_at_one_sees_that_one_and_no_arguments() {
    let feed = Arc::new(Feed::default());
    let (ann, bob) = (client("a", Some("ann"), &["r"]), client("b", None, &[]));
    feed.joined(&ann, "before");
    let follow = |subject| Lines::new(feed.follow(of(subject)).expect("room"), Redact::Strings);
    let mut socket = follow(Subject::Socket("b".to_owned()));
    let mut user = follow(Subject::User("ann".to_owned()));
    let mut room = follow(Subject::Room("r".to_owned()));
    for client in [&ann, &bob] {
        let mut draft = feed.received(client, &event(r#"["secret",{"n":7}]"#), true);
        draft.came_to("deny");
        draft.came_to("pass");
    }
    feed.joined(&bob, "s");
    feed.joined(&bob, "r");
    feed.joined(&bob, &hidden::of_user("x"));
    feed.sent(&bob, &event("[1]"));
    feed.disconnected(&bob, "transport close");
    let received = |socket: &str, user: Option<&str>| {
        json!({"what": "received", "namespace": "/", "socket": socket, "user": user, "event": "chat",
            "args": ["xxxxxx", {"n": 7}], "wants_ack": true, "outcome": "deny"})
    };
    assert_eq!(next(&mut user).await, received("a", Some("ann")));
    assert_eq!(next(&mut room).await, received("a", Some("ann")));
    assert_eq!(next(&mut socket).await, received("b", None));
    let moved = |what: &str, room: &str| json!({"what": what, "namespace": "/", "socket": "b", "user": null, "room": room});
    assert_eq!(next(&mut room).await, moved("joined", "r"));
    assert_eq!(next(&mut socket).await, moved("joined", "s"));
    assert_eq!(next(&mut socket).await, moved("joined", "r"));
    let sent = next(&mut socket).await;
    assert_eq!(
        (&sent["what"], &sent["args"]),
        (&json!("sent"), &json!([1]))
    );
    let gone = next(&mut socket).await;
    assert_eq!(gone["reason"], "transport close");
    drop((socket, user, room));
    assert!(!feed.is_on());
}

#[tokio::test]
async fn who_reads_slowly_loses_and_is_told_how_much() {
    let feed = Arc::new(Feed::default());
    let mut lines = Lines::new(
        feed.follow(of(Subject::Everyone)).expect("room"),
        Redact::None,
    );
    for _ in 0..QUEUED + 3 {
        feed.joined(&client("a", None, &[]), "r");
    }
    let first = lines.next().await.expect("lines");
    assert!(first.starts_with("{\"dropped\":3}\n{\"at_ms\""), "{first}");
    let large = format!("[\"{}\"]", "x".repeat(QUEUED_BYTES));
    feed.sent(&client("a", None, &[]), &event(&large));
    assert_eq!(lines.following.dropped(), 1);
}

#[test]
fn so_many_may_look_and_no_more() {
    let feed = Arc::new(Feed::default());
    let follow = || feed.follow(of(Subject::Everyone));
    let mut all: Vec<_> = (0..MAX_FOLLOWERS).map(|_| follow().ok()).collect();
    assert!(all.iter().all(Option::is_some));
    assert!(follow().is_err());
    all.pop();
    assert!(follow().is_ok());
}
