//! Sockets, rooms and namespaces.

use super::*;
use crate::backend::{Steering, Whom};

fn steer(path: &str, body: &Value) -> Request<Body> {
    let mut request = post(body.to_string());
    *request.uri_mut() = format!("/api/v1/sockets/{path}").parse().unwrap();
    request
}

#[tokio::test]
async fn lists_say_who_did_not_answer() {
    let node = Arc::<Fake>::default();
    let answer = ask(
        &node,
        None,
        get("/api/v1/sockets?namespace=%2Fa&user=u&limit=5&node=n2"),
    )
    .await;
    assert_eq!(
        answer.json(),
        json!({"sockets": [], "truncated": false, "silent": ["n2"]})
    );
    let filter = SocketFilter {
        namespace: Some("/a".to_owned()),
        room: None,
        user: Some("u".to_owned()),
        id: None,
        after: None,
        limit: 5,
    };
    assert_eq!(*node.looked.lock(), [(filter, Some("n2".to_owned()))]);
    let answer = ask(&node, None, get("/api/v1/sockets/abc")).await;
    assert_eq!(answer.problem(), problem(404, "unknown_socket", None));
    assert!(answer.body.contains("n2"), "{}", answer.body);
    for path in ["rooms?prefix=a", "namespaces"] {
        let answer = ask(&node, None, get(&format!("/api/v1/{path}"))).await;
        assert_eq!(answer.json()["silent"], json!(["n2"]), "{}", answer.body);
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("limit=x", "limit"),
        ("after=x", "after"),
        ("after=", "after"),
        ("rom=x", "rom"),
        ("room=x&room=y", "room"),
    ] {
        let answer = ask(&node, None, get(&format!("/api/v1/sockets?{query}"))).await;
        assert_eq!(answer.problem(), problem(400, "bad_parameter", Some(field)));
    }
}

#[tokio::test]
async fn sockets_are_moved_as_the_request_says() {
    let node = Arc::<Fake>::default();
    let body = json!({"namespace": "/a", "sockets": ["s"], "rooms": ["r"], "users": ["u"], "except": ["e"], "join": ["x"]});
    let answer = ask(&node, None, steer("join", &body)).await;
    assert_eq!(answer.json(), json!({"sockets": 3, "refused": 0}));
    ask(&node, None, steer("leave", &json!({"leave": ["x", "y"]}))).await;
    ask(&node, None, steer("disconnect", &json!({"close": true}))).await;
    let everyone = || Whom {
        namespace: "/".to_owned(),
        ..Whom::default()
    };
    let names = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
    let some = Whom {
        namespace: "/a".to_owned(),
        rooms: names(&["r", "s"]),
        users: names(&["u"]),
        except: names(&["e"]),
    };
    let expected = [
        (some, Steering::Join(names(&["x"]))),
        (everyone(), Steering::Leave(names(&["x", "y"]))),
        (everyone(), Steering::Disconnect { close: true }),
    ];
    let expected = expected.map(|(whom, what)| Steer { whom, what });
    assert_eq!(*node.steered.lock(), expected);
}

#[tokio::test]
async fn what_is_wrong_moves_nobody() {
    let node = Arc::<Fake>::default();
    let long = "x".repeat(513);
    for (path, body, code, field) in [
        ("join", json!({}), "bad_field", "join"),
        ("join", json!({"join": []}), "bad_field", "join"),
        ("join", json!({"join": "x"}), "bad_field", "join"),
        ("join", json!({"join": [""]}), "bad_field", "join[0]"),
        ("join", json!({"join": ["a", long]}), "bad_field", "join[1]"),
        (
            "join",
            json!({"join": ["\0user:u"]}),
            "reserved_name",
            "join[0]",
        ),
        (
            "join",
            json!({"join": ["x"], "leave": ["x"]}),
            "bad_field",
            "leave",
        ),
        (
            "join",
            json!({"join": ["x"], "rooms": []}),
            "no_rooms",
            "rooms",
        ),
        (
            "join",
            json!({"join": ["x"], "sockets": []}),
            "no_sockets",
            "sockets",
        ),
        ("leave", json!({"join": ["x"]}), "bad_field", "leave"),
        ("disconnect", json!({"users": []}), "no_users", "users"),
        ("disconnect", json!({"close": 1}), "bad_field", "close"),
        (
            "disconnect",
            json!({"socket": ["s"]}),
            "bad_field",
            "socket",
        ),
        (
            "disconnect",
            json!({"rooms": ["\0user:u"]}),
            "reserved_name",
            "rooms[0]",
        ),
    ] {
        let answer = ask(&node, None, steer(path, &body)).await;
        assert_eq!(
            answer.problem(),
            problem(422, code, Some(field)),
            "{path} {body}"
        );
    }
    assert!(node.steered.lock().is_empty());
    let answer = ask(
        &node,
        None,
        steer("disconnect", &json!({"namespace": "/nowhere"})),
    )
    .await;
    assert_eq!(
        answer.problem(),
        problem(404, "unknown_namespace", Some("namespace"))
    );
    let answer = ask(
        &node,
        None,
        steer("disconnect", &json!({"namespace": "/late"})),
    )
    .await;
    assert_eq!(answer.problem(), problem(503, "draining", None));
}
