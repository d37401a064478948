use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::command::What as Wanted;
use super::*;
use crate::backend::{SocketInfo, Steering};
use crate::config::{Secret, UiMode};
use crate::event::{Handshake, Identity, Peer};
use crate::fanout::Listener as _;
use crate::feed::{Feed, Subject, Wanted as Followed};

fn client() -> Client {
    Client {
        peer: Peer {
            token: 1,
            name: "s1".into(),
            address: Ipv4Addr::LOCALHOST.into(),
            handshake: Arc::new(Handshake::default()),
        },
        namespace: "/chat".into(),
        identity: Identity {
            user: Some("ann".into()),
            attributes: [("role".into(), "x".into())].into(),
            ..Identity::default()
        }
        .into(),
        rooms: Mutex::new(["r".into()].into()),
    }
}

fn event(name: &str, args: &Value) -> Event {
    Event {
        name: name.into(),
        args: args.to_string().into(),
        attachments: [].into(),
        volatile: false,
    }
}

fn args(event: &Event) -> Value {
    serde_json::from_str(&event.args).expect("JSON")
}

fn read(name: &str, args: &Value) -> Result<Wanted, String> {
    let read = Command::read(&client(), &event(name, args));
    read.map(|it| it.what).map_err(|denial| denial.message)
}

#[test]
fn commands_are_read_as_the_page_sends_them() {
    let Ok(Wanted::Emit(emit)) = read("emit", &json!(["/", "r", "news", 1, {"a": 2}])) else {
        panic!("no emit");
    };
    assert_eq!((&*emit.namespace, &*emit.event), ("/", "news"));
    assert_eq!(emit.rooms, ["r"]);
    assert_eq!(&*emit.args, r#"[1,{"a":2}]"#);
    for none in [json!(null), json!("")] {
        let Ok(Wanted::Emit(emit)) = read("emit", &json!(["/", none, "news"])) else {
            panic!("no emit");
        };
        assert!(emit.rooms.is_empty());
        assert_eq!(&*emit.args, "[]");
    }
    let steer = |name, args| match read(name, &args) {
        Ok(Wanted::Steer(steer)) => (steer.whom.namespace, steer.whom.rooms, steer.what),
        _ => panic!("nobody is moved"),
    };
    let rooms = |rooms: &[&str]| rooms.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        steer("join", json!(["/", "new", "s1"])),
        (
            "/".to_owned(),
            rooms(&["s1"]),
            Steering::Join(rooms(&["new"]))
        )
    );
    assert_eq!(
        steer("leave", json!(["/", "r"])),
        ("/".to_owned(), rooms(&[]), Steering::Leave(rooms(&["r"])))
    );
    assert_eq!(
        steer("_disconnect", json!(["/", true, "s1"])),
        (
            "/".to_owned(),
            rooms(&["s1"]),
            Steering::Disconnect { close: true }
        )
    );
}

#[test]
fn binary_arguments_are_carried() {
    let place = |number| json!({"_placeholder": true, "num": number});
    let read = |name: &str, args: Value, attachments: &[&'static [u8]]| {
        let attachments = attachments.iter().map(|it| bytes::Bytes::from_static(it));
        let event = Event {
            attachments: attachments.collect(),
            ..event(name, &args)
        };
        Command::read(&client(), &event).map(|it| it.what)
    };
    let args = json!(["/", null, "news", place(1), {"a": place(0)}]);
    let Ok(Wanted::Emit(emit)) = read("emit", args, &[b"a", b"bc"]) else {
        panic!("no emit");
    };
    assert_eq!(emit.attachments[..], [&b"a"[..], b"bc"]);
    let args: Value = serde_json::from_str(&emit.args).expect("JSON");
    assert_eq!(args, json!([place(1), {"a": place(0)}]));
    // They belong to nothing else.
    assert!(read("emit", json!(["/", place(0), "news"]), &[b"a"]).is_err());
    assert!(read("join", json!(["/", "r", place(0)]), &[b"a"]).is_err());
    assert!(read("join", json!(["/", "r", "s", place(0)]), &[b"a"]).is_err());
}

#[test]
fn what_is_no_command_is_told() {
    for (name, args) in [
        ("emit", json!([])),
        ("emit", json!(["/", null, "connect"])),
        ("emit", json!(["/", "\0user:ann", "x"])),
        ("emit", json!(["/", 7, "x"])),
        ("join", json!(["/"])),
        ("join", json!(["/", ""])),
        ("join", json!(["/", "x".repeat(5000)])),
        ("_disconnect", json!([null, false])),
        ("_disconnect", json!(["/", false, "\0watchers"])),
        ("chat", json!(["/"])),
    ] {
        assert!(read(name, &args).is_err(), "{name} {args}");
    }
}

#[test]
fn config_says_what_may_be_done() {
    let features = |is_readonly, shows_all| {
        args(&shape::config(is_readonly, shows_all))[0]["supportedFeatures"].clone()
    };
    assert_eq!(features(true, false), json!(["AGGREGATED_EVENTS"]));
    assert_eq!(
        features(false, true),
        json!([
            "EMIT",
            "JOIN",
            "LEAVE",
            "DISCONNECT",
            "MJOIN",
            "MLEAVE",
            "MDISCONNECT",
            "AGGREGATED_EVENTS",
            "ALL_EVENTS"
        ])
    );
}

#[tokio::test]
async fn what_happens_has_the_shapes_of_the_official_server() {
    let feed = Arc::new(Feed::default());
    let followed = Followed {
        subject: Subject::Everyone,
        namespace: None,
        beside: Some("/admin".to_owned()),
    };
    let mut following = feed.follow(followed).expect("room");
    let client = client();
    feed.connected(&client, "polling");
    feed.joined(&client, "r");
    feed.received(&client, &event("x", &json!([])), false)
        .came_to("pass");
    feed.sent(&client, &event("y", &json!([1, "two"])));
    feed.left(&client, "r");
    feed.disconnected(&client, "transport close");
    let mut told = Vec::new();
    for _ in 0..6 {
        let happening = following.next().await.expect("more");
        let event = shape::happening(&happening);
        let mut args = args(&event);
        let at = args.as_array_mut().and_then(Vec::pop).expect("a time");
        assert!(at.as_str().expect("text").ends_with('Z'), "{at}");
        told.push((event.name.to_string(), args));
    }
    let (name, connected) = told.remove(0);
    assert_eq!(name, "socket_connected");
    let socket = &connected[0];
    for (key, value) in [
        ("id", json!("s1")),
        ("nsp", json!("/chat")),
        ("transport", json!("polling")),
        ("data", json!({"user": "ann", "attributes": {"role": "x"}})),
        ("rooms", json!(["s1", "r"])),
    ] {
        assert_eq!(socket[key], value, "{socket}");
    }
    assert_eq!(socket["handshake"]["address"], "127.0.0.1");
    assert_eq!(socket["handshake"]["secure"], false);
    let told: Vec<_> = told
        .iter()
        .map(|(name, args)| (name.as_str(), args.clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("room_joined", json!(["/chat", "r", "s1"])),
            ("event_received", json!(["/chat", "s1", ["x"]])),
            ("event_sent", json!(["/chat", "s1", ["y", 1, "two"]])),
            ("room_left", json!(["/chat", "r", "s1"])),
            (
                "socket_disconnected",
                json!(["/chat", "s1", "transport close"])
            ),
        ]
    );
}

#[test]
fn sockets_of_other_nodes_look_the_same() {
    let socket = SocketInfo {
        id: "s2".to_owned(),
        namespace: "/".to_owned(),
        user: None,
        attributes: Default::default(),
        rooms: vec!["r".to_owned()],
        address: "10.0.0.1".to_owned(),
        transport: "websocket".to_owned(),
        since: "2026-01-01T00:00:00.000Z".to_owned(),
        secure: true,
        expires: None,
        token_id: None,
        certificate: None,
        node: "n2".to_owned(),
    };
    let socket = &args(&shape::all_sockets(&[socket]))[0][0];
    assert_eq!(socket["clientId"], "s2");
    assert_eq!(socket["rooms"], json!(["s2", "r"]));
    assert_eq!(socket["handshake"]["secure"], true);
    assert_eq!(socket["handshake"]["time"], "2026-01-01T00:00:00.000Z");
    assert_eq!(socket["handshake"]["issued"], 1_767_225_600_000_u64);
}

#[tokio::test]
async fn a_readonly_one_refuses_commands() {
    let config = |readonly| config::AdminUi {
        path: "/admin".to_owned(),
        username: "ann".to_owned(),
        password: Secret::new(String::new()),
        mode: UiMode::Development,
        readonly,
    };
    let command = |readonly| {
        let ui = AdminUi::new(&config(readonly), Handle::current());
        ui.command(&client(), &event("leave", &json!(["/", "r"])))
    };
    assert!(command(false).is_ok());
    assert_eq!(command(true).unwrap_err().code, "readonly");
}
