use super::*;
use crate::config::{Action, Namespace, RoomSource, Route};
use crate::event::{Effect, Identity};
use crate::glob::Glob;
use crate::pipeline::{Pipeline, Pipelines};
use crate::plugin::DisconnectReason;
use crate::router::Pointer;
use crate::session::tests::{self, Told};

/// With routes for join, leave and who.
fn routed() -> Arc<Broker> {
    let room = || RoomSource::Pointer(Pointer::parse("/0").unwrap());
    let route = |event, action| Route {
        event: Glob::new(event),
        action,
        rename: None,
        volatile: false,
        batch: None,
    };
    let presence = Action::Presence {
        room: room(),
        name: "seen".into(),
    };
    let namespace = Namespace {
        path: "/".to_owned(),
        policies: Vec::new(),
        denial_event: "error".to_owned(),
        routes: vec![
            route("join", Action::Join { room: room() }),
            route("leave", Action::Leave { room: room() }),
            route("who", presence),
        ],
        lifecycle: None,
        is_operators: false,
        session: crate::config::Session::default(),
    };
    let pipeline = Pipeline {
        namespace,
        steps: Vec::new(),
    };
    let pipelines = Pipelines::new(1, Vec::new(), vec![pipeline]).unwrap();
    tests::broker(pipelines)
}

fn enter(broker: &Arc<Broker>, token: u64, rooms: &[&str]) -> (Arc<Session>, Arc<Told>) {
    let identity = Identity {
        user: (token == 2).then(|| "ben \"b\"".into()),
        rooms: rooms.iter().map(|&room| room.to_owned()).collect(),
        ..Identity::default()
    };
    tests::enter(broker, token, identity)
}

fn say(session: &Arc<Session>, event: &str, room: &str) {
    session.handle(&format!(r#"["{event}","{room}"]"#), Arc::new([]), None);
}

fn seen(event: &str, room: &str) -> String {
    format!(r#"seen [{{"room":"{room}","event":"{event}","socket":"s2","user":"ben \"b\""}}]"#)
}

#[test]
fn every_way_in_and_out_is_told() {
    let broker = routed();
    let (a, told) = enter(&broker, 1, &[]);
    for room in ["r", "q"] {
        say(&a, "join", room);
        say(&a, "who", room);
    }
    // A policy that lets it in names its rooms, and others may say something later.
    let (b, silent) = enter(&broker, 2, &["r"]);
    assert_eq!(told.take(), [seen("join", "r")]);
    say(&b, "join", "r");
    say(&b, "join", "unwatched");
    b.apply(vec![Effect::Join("q".into()), Effect::Leave("r".into())]);
    say(&b, "leave", "r");
    assert_eq!(told.take(), [seen("join", "q"), seen("leave", "r")]);
    say(&b, "join", "r");
    b.close(DisconnectReason::Client, "gone");
    let ends = [seen("join", "r"), seen("leave", "q"), seen("leave", "r")];
    assert_eq!(told.take(), ends);
    assert!(silent.take().is_empty());
    // Nobody watches, and nobody is there.
    a.close(DisconnectReason::Client, "gone");
    assert!(told.take().is_empty());
    assert!(broker.fanout.census().is_empty());
}

#[test]
fn whoever_leaves_a_room_watches_it_no_longer() {
    let broker = routed();
    let (a, told) = enter(&broker, 1, &["r", "q"]);
    for room in ["r", "q"] {
        say(&a, "who", room);
    }
    say(&a, "leave", "r");
    say(&a, "join", "r");
    let (b, _) = enter(&broker, 2, &["r", "q"]);
    assert_eq!(told.take(), [seen("join", "q")]);
    broker.tell_gone("n1");
    let gone = r#"seen [{"event":"node_gone","node":"n1"}]"#;
    broker
        .fanout
        .homes()
        .for_each(|home| home.deliver_waiting());
    assert_eq!(told.take(), [gone]);
    say(&a, "leave", "q");
    assert_eq!(a.client.rooms_seen(), ["r".into()]);
    assert_eq!(a.client.rooms.lock().len(), 1, "no hidden room stays");
    broker.tell_gone("n2");
    broker
        .fanout
        .homes()
        .for_each(|home| home.deliver_waiting());
    say(&b, "leave", "q");
    assert!(told.take().is_empty());
}

#[test]
fn only_members_may_ask() {
    let broker = routed();
    let (a, told) = enter(&broker, 1, &[]);
    a.handle(r#"["who","r"]"#, Arc::new([]), Some(7));
    // Its own name leads to it, and is no room that anybody joins.
    a.handle(r#"["who","s1"]"#, Arc::new([]), Some(8));
    let told = told.take();
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|it| it.contains("not_in_room")), "{told:?}");
    assert!(a.client.rooms.lock().is_empty());
}

#[tokio::test]
async fn the_answer_names_everyone_in_it() {
    let broker = routed();
    let sockets = Arc::new(Sockets::new(broker.clone(), "n"));
    broker.roll.is_kept_by(&sockets, Handle::current());
    let (a, told) = enter(&broker, 1, &["r"]);
    let _b = enter(&broker, 2, &["r"]);
    let _c = enter(&broker, 3, &["q"]);
    a.handle(r#"["who","r"]"#, Arc::new([]), Some(7));
    let answered = async {
        while told.0.lock().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let home = broker.fanout.homes().next().unwrap();
    tokio::select! {
        () = answered => {}
        () = home.serve() => {}
    }
    let members = r#"{"socket":"s1","user":null},{"socket":"s2","user":"ben \"b\""}"#;
    let answer = format!(r#"7 [{{"ok":true,"members":[{members}],"silent":[]}}]"#);
    assert_eq!(told.take(), [answer]);
}
