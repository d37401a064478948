//! Lists that are longer than one answer, page by page: complete, each once, whatever comes and goes meanwhile.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sluice_tests::raw::Socket;
use sluice_tests::{Broker, Cluster, Driver, eventually};

use super::{answer, ask};
use crate::shared::{RELAY, clients};

/// A page of a list: what is in it, and where it goes on.
fn page(broker: &Broker, path: &str, after: Option<&str>) -> (Vec<Value>, Option<String>) {
    let mut asked = format!("{path}&limit=7");
    if let Some(after) = after {
        asked += &format!("&after={after}");
    }
    let answer = broker.get(&asked);
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    assert_eq!(
        answer["truncated"],
        answer.get("next").is_some(),
        "{answer}"
    );
    let items = ["sockets", "rooms", "members"];
    let items = items.iter().find_map(|it| answer[it].as_array()).unwrap();
    assert!(items.len() <= 7, "{answer}");
    let next = answer["next"].as_str().map(str::to_owned);
    (items.clone(), next)
}

/// All pages; `meanwhile` is called after each.
fn pages(broker: &Broker, path: &str, mut meanwhile: impl FnMut(usize)) -> Vec<Value> {
    let (mut all, mut next) = page(broker, path, None);
    let mut number = 0;
    while let Some(after) = next {
        meanwhile(number);
        let (more, then) = page(broker, path, Some(&after));
        all.extend(more);
        next = then;
        number += 1;
    }
    all
}

fn named(items: &[Value], key: &str) -> Vec<String> {
    let names = items.iter().map(|it| it[key].as_str().unwrap().to_owned());
    names.collect()
}

fn crowd(broker: &Broker, count: usize) -> Vec<Socket> {
    let sockets = (0..count).map(|_| Socket::open(broker.listen, "").connected());
    sockets.collect()
}

#[test]
fn pages_of_sockets_are_complete_over_all_nodes_while_some_come_and_go() {
    let cluster = Cluster::start(2, &format!("[server]\nreactors = 2\n{RELAY}"));
    let mut stay = crowd(&cluster[0], 20);
    stay.extend(crowd(&cluster[1], 20));
    let mut passing = crowd(&cluster[1], 6);
    let count = |wanted: usize| {
        eventually("all to be known", || {
            let listed = cluster[0].get("/api/v1/sockets?limit=100").json();
            (listed["sockets"].as_array()?.len() == wanted).then_some(())
        });
    };
    count(46);
    let wanted: BTreeSet<String> = broker_ids(&cluster[0]);
    assert_eq!(wanted.len(), 46);
    let quiet = pages(&cluster[0], "/api/v1/sockets?namespace=/", |_| {});
    let ids = named(&quiet, "id");
    assert_eq!(ids.iter().cloned().collect::<BTreeSet<_>>(), wanted);
    assert_eq!(ids.len(), 46, "each once");
    // The oldest first, of whichever node.
    let since = named(&quiet, "since");
    assert!(since.is_sorted(), "{since:?}");
    let other = pages(&cluster[1], "/api/v1/sockets?namespace=/", |_| {});
    assert_eq!(named(&other, "id"), ids, "whichever node is asked");

    // Half-way, some go, those that were listed last among them, and others come.
    let staying: BTreeSet<String> = stay.iter().map(|it| it.id.clone()).collect();
    let mut late = Vec::new();
    let seen = pages(&cluster[0], "/api/v1/sockets?namespace=/", |number| {
        if number == 2 {
            passing.clear();
            late.extend(crowd(&cluster[0], 3));
            count(43);
        }
    });
    let ids = named(&seen, "id");
    let once: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(once.len(), ids.len(), "each once");
    assert!(staying.is_subset(&once), "nobody who stayed is missed");
    drop(stay);
}

fn broker_ids(broker: &Broker) -> BTreeSet<String> {
    let listed = broker.get("/api/v1/sockets?limit=1000").json();
    named(listed["sockets"].as_array().unwrap(), "id")
        .into_iter()
        .collect()
}

#[test]
fn rooms_and_members_come_in_pages_too() {
    let node = Driver::node();
    let cluster = Cluster::start(2, RELAY);
    let [a] = clients(&node, &cluster[0], ["a"]);
    let [b] = clients(&node, &cluster[1], ["b"]);
    for number in 0..30 {
        let client = if number % 3 == 0 { &b } else { &a };
        client.ok("join", json!([format!("room {number:02}")]));
    }
    a.ok("join", json!(["room 00"]));
    a.ok("join", json!(["other"]));
    let expected: Vec<_> = (0..30).map(|number| format!("room {number:02}")).collect();
    for broker in [&cluster[0], &cluster[1]] {
        let rooms = pages(broker, "/api/v1/rooms?prefix=room", |_| {});
        assert_eq!(named(&rooms, "name"), expected);
        assert_eq!(rooms[0]["sockets"], 2, "{}", rooms[0]);
    }
    // What is empty by then is not listed, and nothing else is missed.
    let seen = pages(&cluster[1], "/api/v1/rooms?prefix=room", |number| {
        if number == 0 {
            for gone in 7..14 {
                let client = if gone % 3 == 0 { &b } else { &a };
                client.ok("leave", json!([format!("room {gone:02}")]));
            }
            eventually("the rooms to be empty", || {
                let left = cluster[1].get("/api/v1/rooms?prefix=room&limit=100").json();
                (left["rooms"].as_array()?.len() == 23).then_some(())
            });
        }
    });
    assert_eq!(seen.len(), 23);

    let _crowd = crowd(&cluster[0], 12);
    let ids: Vec<_> = broker_ids(&cluster[0]).into_iter().collect();
    let joined = cluster[1].post(
        "/api/v1/sockets/join",
        &json!({"sockets": ids, "join": ["hall"]}),
    );
    assert_eq!(joined.json()["sockets"], 14, "{joined:?}");
    let members = pages(&cluster[1], "/api/v1/presence?room=hall", |_| {});
    let members: BTreeSet<_> = named(&members, "socket").into_iter().collect();
    assert_eq!(members, ids.into_iter().collect());
}

#[test]
fn a_cursor_of_nothing_is_refused_by_name() {
    let broker = Broker::start(RELAY, &[]);
    let _crowd = crowd(&broker, 3);
    let listed = broker.get("/api/v1/sockets?limit=2").json();
    let next = listed["next"].as_str().unwrap().to_owned();
    for (path, cursor) in [
        ("/api/v1/sockets?after=", "nonsense"),
        ("/api/v1/sockets?after=", ""),
        ("/api/v1/sockets?after=", &next[..next.len() / 2]),
        // Of another list.
        ("/api/v1/rooms?after=", &next),
        ("/api/v1/revocations?after=", &next),
        ("/api/v1/presence?room=x&after=", "%00"),
    ] {
        let refused = broker.get(&format!("{path}{cursor}"));
        assert_eq!(refused.status, 400, "{path}{cursor}: {refused:?}");
        let problem = refused.json();
        assert_eq!(problem["code"], "bad_parameter", "{problem}");
        assert_eq!(problem["field"], "after", "{problem}");
    }
}

#[test]
fn revocations_come_in_pages() {
    let broker = Broker::start(RELAY, &[]);
    for number in 0..10 {
        let user = format!("user-{number}");
        let made = broker.post("/api/v1/revocations", &json!({"user": user}));
        assert_eq!(made.status, 200, "{made:?}");
    }
    let mut users = Vec::new();
    let mut after = String::new();
    loop {
        let answer = broker
            .get(&format!("/api/v1/revocations?limit=3{after}"))
            .json();
        users.extend(named(answer["revocations"].as_array().unwrap(), "user"));
        let Some(next) = answer["next"].as_str() else {
            assert_eq!(answer["truncated"], false, "{answer}");
            break;
        };
        after = format!("&after={next}");
        // The latest stands in front of everything that was seen.
        broker.post("/api/v1/revocations", &json!({"user": "late"}));
    }
    let each: BTreeSet<_> = users.iter().cloned().collect();
    assert_eq!((users.len(), each.len()), (10, 10), "{users:?}");
    let shown = answer(&broker, &["revoke", "--list", "--all"]);
    assert_eq!(shown["revocations"].as_array().map(Vec::len), Some(11));
}

#[test]
fn the_command_line_lists_as_many_as_are_wanted() {
    let broker = Broker::start(RELAY, &[]);
    let _crowd = crowd(&broker, 120);
    let count = |arguments: &[&str]| {
        let listed = answer(&broker, arguments);
        (
            listed["sockets"].as_array().map_or(0, Vec::len),
            listed["truncated"].clone(),
        )
    };
    assert_eq!(count(&["sockets"]), (100, json!(true)));
    assert_eq!(count(&["sockets", "--limit", "110"]), (110, json!(true)));
    assert_eq!(count(&["sockets", "--limit", "20000"]), (120, json!(false)));
    assert_eq!(count(&["sockets", "--all"]), (120, json!(false)));
    let told = ask(&broker, &["sockets"]);
    assert!(told.stderr.contains("`--all`"), "{told:?}");
    assert!(ask(&broker, &["sockets", "--all"]).stderr.is_empty());
    for wrong in [
        &["sockets", "--limit", "0"][..],
        &["sockets", "--all", "--limit", "5"],
        &["revoke", "--user", "x", "--all"],
    ] {
        assert_eq!(ask(&broker, wrong).code, Some(2), "{wrong:?}");
    }
}
