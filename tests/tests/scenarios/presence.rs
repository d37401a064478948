//! Members of a room see who is in it, and who joins and leaves.

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Driver};

use crate::shared::{RELAY, SECRET, mark, own_code, signed_in};

/// The relay, with a route for those who ask who is in a room.
pub(crate) fn relay() -> String {
    let route = "[[namespace.route]]\n";
    let presence = format!("{route}event = \"who\"\naction = \"presence\"\nroom = \"/0\"\n{route}");
    RELAY.replacen(route, &presence, 1)
}

/// The ack of whoever asks: the sockets, each with its user, and the nodes that have said nothing.
pub(crate) fn who(client: &Client, room: &str) -> (Vec<(String, Value)>, Value) {
    let mut answer = client.ask("who", json!([room]));
    assert_eq!(answer.len(), 1, "{answer:?}");
    assert_eq!(answer[0]["ok"], true, "{answer:?}");
    let members = answer[0]["members"].as_array().unwrap().iter();
    let members = members.map(|it| {
        (
            it["socket"].as_str().unwrap().to_owned(),
            it["user"].clone(),
        )
    });
    (members.collect(), answer[0]["silent"].take())
}

fn moved(event: &str, room: &str, who: &Client, user: &str) -> [Value; 1] {
    [json!({"room": room, "event": event, "socket": who.sid, "user": user})]
}

#[test]
fn members_see_who_is_there_and_who_comes_and_goes() {
    let node = Driver::node();
    let policy = format!("[[policy]]\nname = \"jwt-auth\"\nconfig = {{ secret = \"{SECRET}\" }}\n");
    let config = format!("[server]\nreactors = 3\n{policy}{}", relay());
    let broker = Broker::start(&config, &["jwt-auth"]);
    let [ann, ben, cid] =
        ["ann", "ben", "cid"].map(|name| node.connect(name, &broker.url("/"), &signed_in(name)));
    assert_eq!(own_code(&ann.denied("who", json!(["r"]))), "not_in_room");
    ann.ok("join", json!(["r"]));
    let is = |client: &Client, user: &str| (client.sid.clone(), json!(user));
    assert_eq!(who(&ann, "r"), (vec![is(&ann, "ann")], json!([])));

    // Once for each that really joins, and only to those who ask.
    ben.ok("join", json!(["r"]));
    assert_eq!(ann.expect("presence"), moved("join", "r", &ben, "ben"));
    ben.ok("join", json!(["r"]));
    ben.ok("join", json!(["elsewhere"]));
    let mut both = vec![is(&ann, "ann"), is(&ben, "ben")];
    both.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(who(&ben, "r"), (both, json!([])));
    mark(&ann, &[&ann, &ben, &cid]);

    // Whatever the cause.
    for (what, event) in [("join", "join"), ("leave", "leave")] {
        let order = json!({"sockets": [cid.sid], what: ["r"]});
        let done = broker.post(&format!("/api/v1/sockets/{what}"), &order);
        assert_eq!(done.status, 200, "{done:?}");
        for watcher in [&ann, &ben] {
            assert_eq!(watcher.expect("presence"), moved(event, "r", &cid, "cid"));
        }
    }
    cid.ok("join", json!(["r"]));
    cid.ok("leave", json!(["r"]));
    cid.ok("leave", json!(["r"]));
    cid.ok("join", json!(["r"]));
    cid.cut();
    for watcher in [&ann, &ben] {
        for event in ["join", "leave", "join", "leave"] {
            assert_eq!(watcher.expect("presence"), moved(event, "r", &cid, "cid"));
        }
    }

    // Until they leave it themselves: who comes back is told nothing before he asks again.
    ann.ok("leave", json!(["r"]));
    assert_eq!(ben.expect("presence"), moved("leave", "r", &ann, "ann"));
    ann.ok("join", json!(["r"]));
    assert_eq!(ben.expect("presence"), moved("join", "r", &ann, "ann"));
    let dan = node.connect("dan", &broker.url("/"), &signed_in("dan"));
    dan.ok("join", json!(["r"]));
    assert_eq!(ben.expect("presence"), moved("join", "r", &dan, "dan"));
    mark(&ann, &[&ann, &ben, &dan]);
    // None of it is a room that anybody sees.
    assert_eq!(broker.metrics().sum("sluice_rooms", &[]), 2.0);
}
