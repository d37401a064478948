//! Packets, right and wrong, over both transports.

mod attachments;
mod scripts;

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

#[test]
fn packets_are_answered_as_by_nodes_server() {
    let servers = Servers::start(&json!({}), "");
    let cases: Vec<_> = scripts::PACKETS
        .iter()
        .chain(attachments::ATTACHMENTS)
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
