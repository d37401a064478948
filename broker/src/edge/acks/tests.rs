use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::packet::msgpack::{self, Kind, Limits};

const LIMITS: Limits = Limits {
    attachments: 10,
    text: 10_000,
};

#[test]
fn an_answer_becomes_an_event_and_an_answer_again() {
    for (packet, event, args) in [
        ("437[1,2]", "427", "[1,2]"),
        ("437[]", "427", "[]"),
        ("437 [ ]", "427 ", "[ ]"),
        ("43/a[,9[\"]\"]", "42/a[,9", "[\"]\"]"),
        (
            "461-/x,12[{\"_placeholder\":true,\"num\":0}]",
            "451-/x,12",
            "[{\"_placeholder\":true,\"num\":0}]",
        ),
    ] {
        let marked = mark_polled(packet).unwrap();
        let text = marked.strip_prefix(event).unwrap();
        let json: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        assert_eq!(json[0], "!");
        let back: serde_json::Value = serde_json::from_str(&unmark(text).unwrap()).unwrap();
        assert_eq!(
            back,
            serde_json::from_str::<serde_json::Value>(args).unwrap()
        );
    }
    for other in [
        "42[\"!\",1]",
        "427[\"a\"]",
        "43",
        "437",
        "2",
        "40{}",
        "437{}",
        "43/x,7\"[\"",
    ] {
        assert_eq!(mark_polled(other), None, "{other}");
    }
    assert_eq!(unmark("[\"!\",1]"), None);
}

#[test]
fn an_answer_that_has_not_come_whole_is_waited_for() {
    let packet = "43/x,7[1]";
    for len in 0..packet.len() - 2 {
        assert_eq!(
            find(&mut packet.bytes().take(len)),
            Found::Undecided,
            "{len}"
        );
    }
    let packet = msgpack::packet(Kind::Ack, "/x", "[1]", &[], Some(7));
    let is_answer = |bytes: &[u8]| matches!(find_binary(bytes, false), Found::Answer(_));
    assert!(is_answer(&packet));
    assert!(is_answer(&packet[..packet.len() - 1]));
    for len in 0..packet.len() - 2 {
        assert_eq!(
            find_binary(&packet[..len], false),
            Found::Undecided,
            "{len}"
        );
        assert_eq!(find_binary(&packet[..len], true), Found::Other, "{len}");
    }
}

#[test]
fn answers_in_msgpack_are_found_whatever_their_length() {
    for count in [0, 1, 14, 15, 16, 300] {
        let args = json!(vec![5; count]).to_string();
        let packet = msgpack::packet(Kind::Ack, "/", &args, &[], Some(70_000));
        let Found::Answer(edit) = find_binary(&packet, true) else {
            panic!("{count}");
        };
        assert_eq!(edit.growth() % 4, 0);
        assert!(edit.growth() <= LONGEST_MARK);
        let edited = Bytes::from(edit.apply(&packet));
        assert_eq!(edited.len(), packet.len() + edit.growth());
        let (text, _) = msgpack::to_json(&edited, LIMITS).unwrap();
        let text: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&text["type"], &text["id"]), (&json!(2), &json!(70_000)));
        assert_eq!(unmark_binary(&text["data"].to_string()), Some(args));
    }
    let event = msgpack::packet(Kind::Event, "/", "[\"a\"]", &[], Some(7));
    assert_eq!(find_binary(&event, true), Found::Other);
    for junk in [
        &b""[..],
        b"\xff",
        b"\x81\xa4type\x03",
        b"\x81\xa4type",
        b"\xdf\xff\xff\xff\xff",
    ] {
        assert_eq!(find_binary(junk, true), Found::Other);
    }
}
