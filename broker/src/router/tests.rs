use std::sync::Arc;

use super::*;
use crate::glob::Glob;

fn event(name: &str, args: &str) -> Event {
    Event {
        name: name.into(),
        args: args.into(),
        attachments: Arc::from([]),
        volatile: false,
    }
}

fn on(event: &str, action: Action) -> Route {
    Route {
        event: Glob::new(event),
        action,
        rename: None,
        volatile: false,
        batch: None,
    }
}

fn at(pointer: &str) -> RoomSource {
    RoomSource::Pointer(Pointer::parse(pointer).unwrap())
}

fn emit(to: To) -> Action {
    Action::Emit { to }
}

fn sent(name: &str, to: Recipients) -> Delivery {
    Delivery::Emit {
        name: name.into(),
        to,
        volatile: false,
        batch: None,
    }
}

fn code(routes: &[Route], event: &Event) -> String {
    route(routes, event).unwrap_err().code
}

// === routes ===

#[test]
fn the_first_route_that_matches_decides() {
    let routes = [
        on("chat:secret", Action::Ignore),
        on("chat:*", emit(To::Others)),
        on("*", emit(To::All)),
    ];
    let go = |name| route(&routes, &event(name, "[]")).unwrap();
    assert_eq!(go("chat:secret"), Delivery::Ignore);
    assert_eq!(go("chat:x"), sent("chat:x", Recipients::Others));
    assert_eq!(go("other"), sent("other", Recipients::All));
}

#[test]
fn an_event_without_a_route_is_denied() {
    assert_eq!(code(&[], &event("chat", "[]")), "no_route");
    let denial = route(&[on("a", Action::Ignore)], &event("chat", "[]")).unwrap_err();
    assert_eq!((denial.code.as_str(), denial.policy), ("no_route", None));
}

#[test]
fn an_event_can_be_renamed() {
    let routes = [Route {
        rename: Some("message".into()),
        ..on("chat", emit(To::Sender))
    }];
    let delivery = route(&routes, &event("chat", "[]")).unwrap();
    assert_eq!(delivery, sent("message", Recipients::Sender));
}

#[test]
fn every_target() {
    let go = |to| route(&[on("*", emit(to))], &event("e", r#"["a"]"#)).unwrap();
    for include_sender in [true, false] {
        assert_eq!(
            go(To::Rooms { include_sender }),
            sent("e", Recipients::SenderRooms { include_sender })
        );
        let name = "a".to_owned();
        assert_eq!(
            go(To::Room {
                room: at("/0"),
                include_sender
            }),
            sent(
                "e",
                Recipients::Room {
                    name,
                    include_sender
                }
            )
        );
    }
    let room = RoomSource::Literal("/not-a-pointer".to_owned());
    assert_eq!(
        route(&[on("*", Action::Join { room })], &event("e", "[]")).unwrap(),
        Delivery::Join("/not-a-pointer".to_owned())
    );
}

// === rooms out of arguments ===

fn join(pointer: &str, args: &str) -> Result<String, String> {
    let routes = [on("*", Action::Join { room: at(pointer) })];
    match route(&routes, &event("join", args)) {
        Ok(Delivery::Join(room)) => Ok(room),
        Ok(other) => panic!("{other:?}"),
        Err(denial) => Err(denial.code),
    }
}

#[test]
fn a_room_is_a_text_or_a_whole_number() {
    assert_eq!(join("/0", r#"["lobby"]"#).unwrap(), "lobby");
    assert_eq!(join("/0", r#"["a\"\u00e9\n"]"#).unwrap(), "a\"é\n");
    assert_eq!(join("/0", "[ 42 ]").unwrap(), "42");
    assert_eq!(join("/0", "[-7]").unwrap(), "-7");
    assert_eq!(
        join("/0", "[9007199254740993]").unwrap(),
        "9007199254740993"
    );
    for wrong in [
        "[]",
        r#"[""]"#,
        "[null]",
        "[true]",
        "[1.5]",
        "[1e3]",
        "[{}]",
        r#"[["a"]]"#,
        r#"["\ud800"]"#,
    ] {
        assert_eq!(join("/0", wrong).unwrap_err(), "invalid_packet", "{wrong}");
    }
}

#[test]
fn the_denial_names_the_pointer() {
    let routes = [on(
        "*",
        Action::Leave {
            room: at("/0/room"),
        },
    )];
    let denial = route(&routes, &event("leave", "[1]")).unwrap_err();
    assert!(denial.message.contains("/0/room"), "{}", denial.message);
}

#[test]
fn the_name_of_a_room_is_bounded() {
    let long = "x".repeat(LONGEST_ROOM);
    assert_eq!(join("/0", &format!("[\"{long}\"]")).unwrap(), long);
    assert_eq!(
        join("/0", &format!("[\"{long}x\"]")).unwrap_err(),
        "too_large"
    );
    let digits = "1".repeat(LONGEST_ROOM + 1);
    assert_eq!(join("/0", &format!("[{digits}]")).unwrap_err(), "too_large");
}

#[test]
fn the_brokers_own_rooms_are_out_of_reach() {
    assert_eq!(
        join("/0", r#"["\u0000user:ann"]"#).unwrap_err(),
        "invalid_packet"
    );
    assert_eq!(join("/0", r#"["a\u0000"]"#).unwrap(), "a\0");
}

// === pointers ===

#[track_caller]
fn finds(pointer: &str, json: &str, expected: Option<&str>) {
    assert_eq!(Pointer::parse(pointer).unwrap().find(json), expected);
}

#[test]
fn pointers_walk_arrays_and_objects() {
    let json =
        r#"[ "a", {"room": {"id": "x", "n": [1, 2, 3]}, "": 5, "0": "zero"}, [[], ["deep"]] ]"#;
    finds("/0", json, Some("\"a\""));
    finds("/1/room/id", json, Some("\"x\""));
    finds("/1/room/n", json, Some("[1, 2, 3]"));
    finds("/1/room/n/2", json, Some("3"));
    finds("/1/", json, Some("5"));
    finds("/1/0", json, Some("\"zero\""));
    finds("/2/1/0", json, Some("\"deep\""));
    finds("/1/room/id/0", json, None);
    finds("/0/0", json, None);
    finds("/3", json, None);
    finds("/2/0/0", json, None);
    finds("/1/nope", json, None);
    finds("/2/00", json, None);
    finds("/2/-", json, None);
    finds("/18446744073709551615", json, None);
    finds("/0", "[]", None);
}

#[test]
fn escapes_on_both_sides() {
    let json = r#"[{"a/b": 1, "m~n": 2, "~1": 3, "caf\u00e9": 4, "q\"": 5}]"#;
    finds("/0/a~1b", json, Some("1"));
    finds("/0/m~0n", json, Some("2"));
    finds("/0/~01", json, Some("3"));
    finds("/0/café", json, Some("4"));
    finds("/0/q\"", json, Some("5"));
}

#[test]
fn the_last_of_two_equal_members_counts() {
    finds(
        "/0/room",
        r#"[{"room": "a", "x": 1, "room": "b"}]"#,
        Some("\"b\""),
    );
    finds(
        "/0/room",
        r#"[{"room": "a", "ro\u006fm": "b"}]"#,
        Some("\"b\""),
    );
    // Nobody knows what comes after a key that cannot be read.
    finds(
        "/0/room",
        r#"[{"room": "a", "\ud800": 1, "room": "b"}]"#,
        None,
    );
}

#[test]
fn deep_nesting_costs_no_stack() {
    let json = format!("[{}{}, 7]", "[".repeat(100_000), "]".repeat(100_000));
    finds("/1", &json, Some("7"));
}

#[test]
fn pointers_are_checked() {
    for wrong in [
        "", "0", "/", "/room", "/00", "/-", "/0/~2", "/0/~", "/-1", "/+1",
    ] {
        assert!(Pointer::parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(Pointer::argument(2), Pointer::parse("/2").unwrap());
    assert_eq!(Pointer::parse("/0/a~1b").unwrap().to_string(), "/0/a~1b");
}

#[test]
fn who_is_in_a_room_is_asked_of_a_room() {
    let routes = [on(
        "who",
        Action::Presence {
            room: at("/0"),
            name: "presence".into(),
        },
    )];
    let asked = route(&routes, &event("who", r#"["r"]"#)).unwrap();
    assert_eq!(asked, Delivery::Presence("r".to_owned()));
    assert_eq!(code(&routes, &event("who", "[]")), "invalid_packet");
}
