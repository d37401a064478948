//! Packets, right and wrong, over both transports.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use sluice_tests::raw::{Packet, Polling, Socket};

use super::servers::{Case, Seen, Servers};

/// Its ack comes when everything before it has been dealt with.
const MARK: &str = r#"4299999["mark"]"#;
const MARKED: &str = r#"4399999[{"ok":true}]"#;

/// Longer than an answer takes.
pub(super) const WAIT: Duration = Duration::from_secs(5);

/// The scripts. A step that begins with `>` waits for an answer, and `<` waits for a packet that begins so; one that
/// begins with `B` is bytes, in base64. Behind one that begins with `!` nothing more is sent.
const SCRIPTS: &[(&str, &[&str])] = &[
    // Entering namespaces.
    ("connect", &[">40"]),
    ("connect with a payload", &[r#">40{"token":"x"}"#]),
    ("connect to another namespace", &[">40", ">40/custom,"]),
    (
        "connect to another namespace without a comma",
        &[">40", ">40/custom"],
    ),
    (
        "connect to another namespace only",
        &[r#">40/custom,{"a":1}"#, r#"42/custom,1["x"]"#, ">40"],
    ),
    ("connect to an unknown namespace", &[">40/nope,", ">40"]),
    (
        "connect to an unknown namespace with a query",
        &[">40/nope?a=b,", ">40"],
    ),
    ("connect with a text as payload", &[r#">40"x""#]),
    ("connect with an array as payload", &[r#">40["x"]"#]),
    ("connect with null as payload", &[">40null"]),
    ("connect with a number as payload", &[">40abc"]),
    ("connect with what is no JSON", &[">40{"]),
    ("connect with an id", &[">407{}"]),
    ("a second connect", &[">40", "40"]),
    (
        "a second connect with a payload",
        &[">40", r#"40{"token":1}"#],
    ),
    (
        "a second connect to another namespace",
        &[">40", ">40/custom,", "40/custom,"],
    ),
    (
        "connect again after disconnect",
        &[">40", ">40/custom,", "41", ">42/custom,[\"x\"]", ">40"],
    ),
    ("a refused connect", &[r#">40{"deny":true}"#, ">40"]),
    (
        "a refused connect to another namespace",
        &[r#">40/custom,{"deny":true}"#, ">40"],
    ),
    ("an event before connect", &[r#"42["x"]"#]),
    ("an event with an ack before connect", &[r#"421["x"]"#]),
    ("an ack before connect", &[r#"431["x"]"#]),
    ("disconnect before connect", &["41"]),
    (
        "a connect error from the client",
        &[">40", r#"44{"message":"x"}"#],
    ),
    ("a connect error before connect", &[r#"44{"message":"x"}"#]),
    // Leaving them.
    (
        "disconnect of another namespace",
        &[">40", ">40/custom,", "41/custom,", r#"421["x"]"#],
    ),
    (
        "disconnect of what was never entered",
        &[">40", "41/custom,"],
    ),
    ("disconnect of what does not exist", &[">40", "41/nope,"]),
    ("disconnect with a payload", &[">40", "41{}"]),
    ("disconnect with an array", &[">40", "41[]"]),
    (
        "an event to a namespace never entered",
        &[">40", r#"42/custom,1["x"]"#],
    ),
    (
        "an event to a namespace that does not exist",
        &[">40", r#"42/nope,1["x"]"#],
    ),
    (
        "disconnected by the server",
        &[
            ">40",
            ">40/custom,",
            r#"42["bye"]"#,
            "<41",
            ">42/custom,[\"x\"]",
            ">40",
        ],
    ),
    (
        "disconnect",
        &[
            ">40",
            ">40/custom,",
            "41",
            ">42/custom,[\"x\"]",
            "421[\"x\"]",
        ],
    ),
    (
        "an event after disconnect",
        &[
            ">40",
            ">40/custom,",
            "41/custom,",
            ">42[\"x\"]",
            "42/custom,1[\"x\"]",
        ],
    ),
    // Events.
    ("an event", &[">40", r#"42["x",1,"2",{"3":[]},null,true]"#]),
    ("an event without arguments", &[">40", r#"42["x"]"#]),
    ("an event with an ack", &[">40", r#"42456["x",1]"#]),
    ("an event with ack 0", &[">40", r#"420["x",1]"#]),
    (
        "an event with a long ack id",
        &[">40", r#"429007199254740991["x",1]"#],
    ),
    (
        "an event in another namespace",
        &[
            ">40",
            ">40/custom,",
            r#"42/custom,["x"]"#,
            r#"42/custom,1["y"]"#,
        ],
    ),
    (
        "an event with the main namespace named",
        &[">40", r#"42/,1["x"]"#],
    ),
    ("an event with an empty name", &[">40", r#"42["",1]"#]),
    ("an event with a number as name", &[">40", r#"421[5,1]"#]),
    (
        "an event with escapes in its name",
        &[">40", "421[\"caf\\u00e9\",1]"],
    ),
    (
        "an event with quotes in its name",
        &[">40", r#"421["say \"hi\"",1]"#],
    ),
    (
        "an event with unicode in its name",
        &[">40", r#"421["café 🙂",1]"#],
    ),
    (
        "an event with a line break in its name",
        &[">40", r#"421["a\nb",1]"#],
    ),
    ("an event called error", &[">40", r#"421["error",1]"#]),
    ("reserved: connect", &[">40", r#"421["connect"]"#]),
    (
        "reserved: connect_error",
        &[">40", r#"421["connect_error"]"#],
    ),
    ("reserved: disconnect", &[">40", r#"421["disconnect"]"#]),
    (
        "reserved: disconnecting",
        &[">40", r#"421["disconnecting"]"#],
    ),
    ("reserved: newListener", &[">40", r#"421["newListener"]"#]),
    (
        "reserved: removeListener",
        &[">40", r#"421["removeListener"]"#],
    ),
    (
        "not reserved: connect in other letters",
        &[">40", r#"421["Connect"]"#],
    ),
    // What is no event.
    ("no payload", &[">40", "42"]),
    ("no payload but an id", &[">40", "427"]),
    ("an open bracket", &[">40", "42["]),
    ("an open text", &[">40", "!42[\"x"]),
    ("an open array", &[">40", r#"!42["x""#]),
    ("an open object", &[">40", "42{"]),
    ("an object", &[">40", "42{}"]),
    ("a text", &[">40", r#"42"x""#]),
    ("an empty array", &[">40", "42[]"]),
    ("null as name", &[">40", "42[null,1]"]),
    ("an object as name", &[">40", "42[{},1]"]),
    ("true as name", &[">40", "42[true,1]"]),
    ("more after the array", &[">40", r#"42["x"]]"#]),
    ("a comma too many", &[">40", r#"!42["x",]"#]),
    ("a number with a zero", &[">40", r#"!42["x",01]"#]),
    ("not a number", &[">40", r#"!42["x",NaN]"#]),
    ("a control character", &[">40", "!42[\"x\",\"\u{1}\"]"]),
    ("a false escape", &[">40", r#"!42["x","\q"]"#]),
    (
        "half a surrogate pair in an argument",
        &[">40", r#"421["x","\ud800"]"#],
    ),
    (
        "half a surrogate pair in a name",
        &[">40", r#"421["\ud800",1]"#],
    ),
    ("a negative id", &[">40", r#"42-1["x"]"#]),
    ("letters for a payload", &[">40", "42abc"]),
    // Acks.
    ("an ack that nobody asked for", &[">40", r#"437["x"]"#]),
    ("an ack without an id", &[">40", r#"43["x"]"#]),
    ("an ack without a payload", &[">40", "437"]),
    ("an ack with an object", &[">40", "437{}"]),
    // Attachments.
    (
        "an event with an attachment",
        &[
            ">40",
            r#"451-["x",{"_placeholder":true,"num":0}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "an event with an attachment and an ack",
        &[
            ">40",
            r#"451-12["x",{"_placeholder":true,"num":0}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "two attachments",
        &[
            ">40",
            r#"452-12["x",{"_placeholder":true,"num":0},"t",{"_placeholder":true,"num":1}]"#,
            "BAQIDBA==",
            "BAAEC",
        ],
    ),
    (
        "attachments in another namespace",
        &[
            ">40",
            ">40/custom,",
            r#"451-/custom,12["x",{"_placeholder":true,"num":0}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "an empty attachment",
        &[">40", r#"451-["x",{"_placeholder":true,"num":0}]"#, "B"],
    ),
    (
        "an attachment twice",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "an attachment that is not used",
        &[">40", r#"451-1["x",1]"#, "BAQIDBA=="],
    ),
    (
        "attachments the other way round",
        &[
            ">40",
            r#"452-["x",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#,
            "BAQIDBA==",
            "BAAEC",
        ],
    ),
    (
        "ten attachments",
        &[
            ">40",
            r#"4510-1["x"]"#,
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
        ],
    ),
    (
        "eleven attachments",
        &[
            ">40",
            r#"4511-1["x"]"#,
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
        ],
    ),
    ("sixty-five attachments", &[">40", r#"4565-1["x"]"#]),
    (
        "an ack with attachments",
        &[
            ">40",
            r#"461-7[{"_placeholder":true,"num":0}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "a placeholder out of range",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":true,"num":1}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "a placeholder below range",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":true,"num":-1}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "a placeholder without a number",
        &[">40", r#"451-1["x",{"_placeholder":true}]"#, "BAQIDBA=="],
    ),
    (
        "a placeholder with a text for a number",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":true,"num":"0"}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "a placeholder with half a number",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":true,"num":0.5}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "a placeholder that is not true",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":1,"num":7}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "a placeholder in a text packet",
        &[">40", r#"421["x",{"_placeholder":true,"num":7}]"#],
    ),
    (
        "text while an attachment is awaited",
        &[
            ">40",
            r#"451-["x",{"_placeholder":true,"num":0}]"#,
            r#"421["y"]"#,
        ],
    ),
    (
        "disconnect while an attachment is awaited",
        &[">40", r#"451-["x",{"_placeholder":true,"num":0}]"#, "41"],
    ),
    ("bytes that nothing announced", &[">40", "BAQIDBA=="]),
    ("bytes before connect", &["BAQIDBA=="]),
    ("no attachments announced", &[">40", r#"450-["x"]"#]),
    ("attachments without a number", &[">40", r#"45-["x"]"#]),
    ("attachments without a dash", &[">40", r#"451["x"]"#]),
    ("attachments below zero", &[">40", r#"45-1-["x"]"#]),
    ("attachments with a fraction", &[">40", r#"451.5-["x"]"#]),
    (
        "attachments without end",
        &[">40", r#"4599999999999999999999-["x"]"#],
    ),
    ("attachments and no payload", &[">40", "451-", "BAQIDBA=="]),
    (
        "attachments and what is no JSON",
        &[">40", "451-[", "BAQIDBA=="],
    ),
    ("attachments and an object", &[">40", "451-{}", "BAQIDBA=="]),
    (
        "attachments and a reserved name",
        &[">40", r#"451-["connect"]"#, "BAQIDBA=="],
    ),
    (
        "bytes as text",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":true,"num":0}]"#,
            "bAQIDBA==",
        ],
    ),
    (
        "bytes as text without padding",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":true,"num":0}]"#,
            "bAQIDBA",
        ],
    ),
    (
        "bytes as text that is no base64",
        &[">40", r#"451-1["x",{"_placeholder":true,"num":0}]"#, "b*"],
    ),
    (
        "bytes after enough of them",
        &[
            ">40",
            r#"451-["x",{"_placeholder":true,"num":0}]"#,
            ">BAQIDBA==",
            "BAQIDBA==",
        ],
    ),
    // Packet types.
    ("an empty message", &[">40", "4"]),
    ("an unknown type", &[">40", r#"47["x"]"#]),
    ("a letter as type", &[">40", "4abc"]),
    ("no packet", &[">40", ""]),
    ("an unknown engine packet", &[">40", "7"]),
    ("an engine packet that is a letter", &[">40", "abc"]),
    ("an engine packet beyond ASCII", &[">40", "é"]),
    ("a second open", &[">40", "0{}"]),
    ("a close", &[">40", "1"]),
    ("a close with words", &[">40", "1x"]),
    ("a close before connect", &["1"]),
    ("a ping from the client", &[">40", "2"]),
    ("a probe on a transport in use", &[">40", "2probe"]),
    ("a pong that nobody asked for", &[">40", "3"]),
    ("a pong of a probe", &[">40", "3probe"]),
    ("a pong with words", &[">40", "3hello"]),
    ("an upgrade on a transport in use", &[">40", "5"]),
    ("a noop from the client", &[">40", "6"]),
    ("a noop with words", &[">40", "6x"]),
];

#[test]
fn packets_are_answered_as_by_nodes_server() {
    let servers = Servers::start(&json!({}), "");
    let cases: Vec<_> = SCRIPTS
        .iter()
        .flat_map(|(name, steps)| {
            [
                Case::new(format!("{name} (websocket)"), |to| websocket(to, steps)),
                Case::new(format!("{name} (polling)"), |to| polling(to, steps)),
            ]
        })
        .collect();
    let deep = format!("421[\"x\",{}{}]", "[".repeat(140), "]".repeat(140));
    let deep = ["websocket", "polling"].map(|transport| {
        let deep = deep.clone();
        Case::new(format!("nested deeply ({transport})"), move |to| {
            let steps = [">40", &deep];
            match transport {
                "websocket" => websocket(to, &steps),
                _ => polling(to, &steps),
            }
        })
    });
    let cases: Vec<_> = cases.into_iter().chain(payloads()).chain(deep).collect();
    servers.compare(&cases);
}

/// Several packets in one message, which only polling knows.
fn payloads() -> Vec<Case> {
    let payload = |name: &'static str, body: &'static str| {
        Case::new(name, move |to| polling(to, &[">40", body]))
    };
    vec![
        payload("two packets in a payload", "421[\"x\"]\u{1e}422[\"y\"]"),
        payload(
            "an event and its attachment in a payload",
            "451-1[\"x\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQIDBA==",
        ),
        payload(
            "an empty packet in a payload",
            "421[\"x\"]\u{1e}\u{1e}422[\"y\"]",
        ),
        payload(
            "an empty packet at the end of a payload",
            "421[\"x\"]\u{1e}",
        ),
        payload(
            "a false packet in a payload",
            "421[\"x\"]\u{1e}7\u{1e}422[\"y\"]",
        ),
        payload("a close in a payload", "421[\"x\"]\u{1e}1\u{1e}422[\"y\"]"),
    ]
}

/// An answer without what is different every time.
pub(super) fn normal(text: &str) -> String {
    match text.split_once(r#"{"sid":""#) {
        Some((before, rest)) if text.starts_with("40") => {
            format!(
                "{before}{{sid{}",
                rest.split_once('"').map_or("", |(_, after)| after)
            )
        }
        _ => text.to_owned(),
    }
}

/// What has come over a WebSocket, as a line.
pub(super) fn line(packet: Option<Packet>) -> String {
    match packet {
        Some(Packet::Text(text)) => normal(&text),
        Some(Packet::Binary(bytes)) => format!("B{}", BASE64_STANDARD.encode(bytes)),
        Some(Packet::Closed(Some(code))) => format!("closed {code}"),
        Some(Packet::Closed(None)) => "cut".to_owned(),
        None => "nothing".to_owned(),
    }
}

/// Nothing comes behind this line.
pub(super) fn websocket_seen(line: &str) -> bool {
    line.starts_with("closed") || line == "cut" || line == "nothing"
}

/// A session over one of the transports.
trait Wire {
    fn send(&mut self, step: &str);

    /// Reads what has come. True: nothing will come behind it.
    fn read(&mut self, seen: &mut Seen) -> bool;
}

fn play(mut wire: impl Wire, steps: &[&str]) -> Seen {
    let mut seen = Seen::new();
    let mut sends_mark = true;
    for step in steps {
        let is_over = match step.split_at_checked(1) {
            Some((">", step)) => {
                wire.send(step);
                wire.read(&mut seen)
            }
            Some(("<", wanted)) => loop {
                if seen.iter().any(|line| line.starts_with(wanted)) {
                    break false;
                }
                if wire.read(&mut seen) {
                    break true;
                }
            },
            Some(("!", step)) => {
                sends_mark = false;
                wire.send(step);
                false
            }
            _ => {
                wire.send(step);
                false
            }
        };
        if is_over {
            return seen;
        }
    }
    if sends_mark {
        wire.send(MARK);
    }
    while !wire.read(&mut seen) {}
    seen
}

fn websocket(to: SocketAddr, steps: &[&str]) -> Seen {
    play(Socket::open(to, ""), steps)
}

fn polling(to: SocketAddr, steps: &[&str]) -> Seen {
    play(Polled(Polling::open(to), Vec::new()), steps)
}

impl Wire for Socket {
    fn send(&mut self, step: &str) {
        match step.strip_prefix('B') {
            Some(bytes) => self.send_binary(&BASE64_STANDARD.decode(bytes).unwrap()),
            None => Socket::send(self, step),
        }
    }

    fn read(&mut self, seen: &mut Seen) -> bool {
        loop {
            let line = line(self.read_within(WAIT));
            if line == "2" {
                Socket::send(self, "3");
                continue;
            }
            let is_over = websocket_seen(&line) || line == MARKED;
            seen.push(line);
            return is_over;
        }
    }
}

/// A polling session, and what its requests were told that is no packet.
struct Polled(Polling, Vec<String>);

impl Wire for Polled {
    fn send(&mut self, step: &str) {
        let body = match step.strip_prefix('B') {
            Some(bytes) => format!("b{bytes}"),
            None => step.to_owned(),
        };
        let response = self.0.post(body.as_bytes()).unwrap();
        if response.status != 200 {
            self.1
                .push(format!("post: {} {}", response.status, response.text()));
        }
    }

    fn read(&mut self, seen: &mut Seen) -> bool {
        loop {
            seen.append(&mut self.1);
            let before = seen.len();
            let response = self.0.poll().unwrap();
            if response.status != 200 {
                seen.push(format!("poll: {} {}", response.status, response.text()));
                return true;
            }
            let text = response.text();
            for packet in text.split('\u{1e}') {
                match packet.strip_prefix('b') {
                    // Has no effect, and Node's server says it before each goodbye.
                    None if packet == "6" => {}
                    None if packet == "2" => drop(self.0.post(b"3").unwrap()),
                    None => seen.push(normal(packet)),
                    Some(bytes) => seen.push(format!("B{bytes}")),
                }
            }
            if seen.len() > before {
                return seen.iter().any(|line| line == MARKED || line == "1");
            }
        }
    }
}
