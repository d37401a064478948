//! WebSocket frames, right and wrong (RFC 6455), and how the connection ends that they come on.

use std::net::SocketAddr;

use serde_json::json;
use sluice_tests::raw::{Socket, frame, head};

use super::packets::{line, websocket_seen};
use super::servers::{Case, Seen, Servers};

const TEXT: u8 = 0x81;
const FIRST_TEXT: u8 = 0x01;
const MORE: u8 = 0x00;
const LAST: u8 = 0x80;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;

/// Ends every script that the connection has survived.
const MARK: &str = r#"429["mark"]"#;
const MARKED: &str = r#"439[{"ok":true}]"#;

fn play(to: SocketAddr, bytes: &[u8]) -> Seen {
    let mut socket = Socket::open(to, "").connected();
    socket.send_bytes(bytes);
    socket.send(MARK);
    let mut seen = Seen::new();
    loop {
        let line = line(socket.read_within(super::packets::WAIT));
        if line == "2" {
            socket.send("3");
            continue;
        }
        let is_over = websocket_seen(&line) || line == MARKED;
        // The code matters; that nothing was left to be read of one that is cut, does not.
        seen.push(line);
        if is_over {
            return seen;
        }
    }
}

fn case(name: &str, frames: &[Vec<u8>]) -> Case {
    let bytes = frames.concat();
    Case::new(name, move |to| play(to, &bytes))
}

/// A close frame with a code and a reason.
fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes()[..], reason].concat())
}

/// An event in parts of so many bytes.
fn in_parts(event: &str, size: usize) -> Vec<Vec<u8>> {
    let parts: Vec<_> = event.as_bytes().chunks(size).collect();
    let last = parts.len() - 1;
    let first_byte = |index| match (index == 0, index == last) {
        (true, true) => TEXT,
        (true, false) => FIRST_TEXT,
        (false, false) => MORE,
        (false, true) => LAST,
    };
    let frames = parts.iter().enumerate();
    frames
        .map(|(index, part)| frame(first_byte(index), part))
        .collect()
}

fn framing() -> Vec<Case> {
    let ping_between = {
        let mut frames = in_parts(r#"421["x",1]"#, 4);
        frames.insert(1, frame(PING, b"hello"));
        frames.insert(2, frame(0x8a, b"nobody asked"));
        frames
    };
    let unmasked = [head(TEXT, 0, 4), b"42[]".to_vec()].concat();
    vec![
        case("a message in parts", &in_parts(r#"421["x",1]"#, 3)),
        case(
            "a message in parts of one byte",
            &in_parts(r#"421["x","ü🙂"]"#, 1),
        ),
        case(
            "empty parts",
            &[
                frame(FIRST_TEXT, b""),
                frame(MORE, b""),
                frame(MORE, br#"421["x"]"#),
                frame(LAST, b""),
            ],
        ),
        case("pings between the parts", &ping_between),
        case("an empty message", &[frame(TEXT, b"")]),
        case("a ping", &[frame(PING, b"hello")]),
        case("no mask", &[unmasked]),
        case("the first reserved bit", &[frame(0xc1, b"421[\"x\"]")]),
        case("the second reserved bit", &[frame(0xa1, b"421[\"x\"]")]),
        case("the third reserved bit", &[frame(0x91, b"421[\"x\"]")]),
        case("a reserved bit of a ping", &[frame(0xc9, b"")]),
        case("an unknown kind of data", &[frame(0x83, b"421[\"x\"]")]),
        case("an unknown kind of control", &[frame(0x8b, b"")]),
        case("a ping in parts", &[frame(0x09, b"a"), frame(LAST, b"b")]),
        case("a ping that is too long", &[frame(PING, &[0; 126])]),
        case("a part of nothing", &[frame(LAST, b"421[\"x\"]")]),
        case(
            "a message within another",
            &[frame(FIRST_TEXT, b"42"), frame(TEXT, b"421[\"x\"]")],
        ),
        case(
            "a frame of the largest length",
            &[head(0x82, 0x80, u64::MAX), vec![0; 4]],
        ),
        case(
            "a frame that is never sent",
            &[head(TEXT, 0x80, 1 << 40), vec![0; 4]],
        ),
        case(
            "a part that is never sent",
            &[
                frame(FIRST_TEXT, b"42"),
                head(LAST, 0x80, 1 << 30),
                vec![0; 4],
            ],
        ),
        case(
            "parts that are too large together",
            &in_parts(
                &format!("421[\"x\",\"{}\"]", "y".repeat(1_000_000)),
                100_000,
            ),
        ),
        case(
            "parts that just fit together",
            &in_parts(
                &format!("421[\"x\",\"{}\"]", "y".repeat(1_000_000 - 11)),
                100_000,
            ),
        ),
    ]
}

fn text() -> Vec<Case> {
    vec![
        case(
            "a byte that is no text",
            &[frame(TEXT, b"421[\"x\",\"\xff\"]")],
        ),
        case("half a character", &[frame(TEXT, b"421[\"x\",\"\xc3\"]")]),
        case(
            "half a surrogate pair in UTF-8",
            &[frame(TEXT, b"421[\"x\",\"\xed\xa0\x80\"]")],
        ),
        case(
            "a longer form than needed",
            &[frame(TEXT, b"421[\"x\",\"\xc0\xaf\"]")],
        ),
        case(
            "text that ends in a character",
            &[frame(TEXT, b"421[\"x\"]\xe2\x82")],
        ),
        case(
            "a character in two parts",
            &[
                frame(FIRST_TEXT, b"421[\"x\",\"\xe2"),
                frame(LAST, b"\x82\xac\"]"),
            ],
        ),
        case(
            "a false character in two parts",
            &[frame(FIRST_TEXT, b"421[\"x\",\"\xe2"), frame(LAST, b"x\"]")],
        ),
        case("nothing but a false byte", &[frame(TEXT, b"\x80")]),
        case("a false byte in a namespace", &[frame(TEXT, b"40/\xff,")]),
    ]
}

fn closing() -> Vec<Case> {
    let mut cases = vec![
        case("a close without a code", &[frame(CLOSE, b"")]),
        case("a close with half a code", &[frame(CLOSE, b"\x03")]),
        case("a close with a false reason", &[close(1000, b"\xff")]),
        case("a close with a reason", &[close(1000, b"bye")]),
        case("a close that is too long", &[frame(CLOSE, &[0x03; 126])]),
        case(
            "a close in the middle of a message",
            &[frame(FIRST_TEXT, b"42"), close(1000, b"")],
        ),
    ];
    for code in [
        0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1011, 1014, 1015, 1016, 2999, 3000,
        4999, 5000, 65535,
    ] {
        cases.push(case(&format!("a close with {code}"), &[close(code, b"")]));
    }
    cases
}

#[test]
fn frames_are_taken_as_by_nodes_server() {
    let servers = Servers::start(&json!({}), "");
    servers.compare(
        &[framing(), text(), closing()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>(),
    );
}
