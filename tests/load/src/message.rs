//! What sockets send to each other: who sent it, the how-manieth it is, when, and a text.

use std::sync::OnceLock;
use std::time::Instant;

use crate::wire::number;

/// Microseconds since this process first asked.
pub fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_micros() as u64
}

/// Seven of eight texts are plain, one has to be escaped.
const TEXTS: [&str; 8] = [
    PLAIN,
    PLAIN,
    PLAIN,
    "The deploy of <b>build 4711</b> is done & the tests are green; who has a moment to look at it?",
    PLAIN,
    PLAIN,
    PLAIN,
    PLAIN,
];
const PLAIN: &str = "The deploy of build 4711 is done and all the tests are green; who has a moment to look at it now?";

/// Appends `42[name,{…}]`, asking for an ack if there is a number for one. The object has the same fields, in the same
/// order, for every server: about 160 bytes with the texts that are built in.
pub fn event(
    out: &mut Vec<u8>,
    name: &str,
    ack: Option<u64>,
    message: &Message,
    room: &str,
    text: Option<&str>,
) {
    out.extend(b"42");
    if let Some(ack) = ack {
        digits(out, ack);
    }
    out.extend(b"[\"");
    out.extend(name.as_bytes());
    out.extend(b"\",{\"from\":");
    digits(out, message.from);
    out.extend(b",\"seq\":");
    digits(out, message.seq);
    out.extend(b",\"at\":");
    digits(out, message.at);
    out.extend(b",\"room\":\"");
    out.extend(room.as_bytes());
    out.extend(b"\",\"text\":\"");
    let built_in = TEXTS[(message.seq % 8) as usize];
    out.extend(text.unwrap_or(built_in).as_bytes());
    out.extend(b"\"}]");
}

/// Appends `42ack["join",room]`.
pub fn join(out: &mut Vec<u8>, ack: u64, room: &str) {
    out.extend(b"42");
    digits(out, ack);
    out.extend(b"[\"join\",\"");
    out.extend(room.as_bytes());
    out.extend(b"\"]");
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    pub from: u64,
    pub seq: u64,
    /// When it was sent, by [`now`].
    pub at: u64,
}

/// The message in `["name",{…}]`; `None` when it is not one of ours.
pub fn read(event: &[u8]) -> Option<Message> {
    let rest = after(event, b"\"from\":")?;
    let (from, rest) = number(rest);
    let (seq, rest) = number(after(rest, b"\"seq\":")?);
    let (at, _) = number(after(rest, b"\"at\":")?);
    Some(Message { from, seq, at })
}

/// What follows a key. It stands close to the beginning, whoever wrote the JSON.
fn after<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let window = &text[..text.len().min(64)];
    let at = memchr::memmem::find(window, key)?;
    text.get(at + key.len()..)
}

fn digits(out: &mut Vec<u8>, mut value: u64) {
    let mut text = [0; 20];
    let mut at = text.len();
    loop {
        at -= 1;
        text[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend(&text[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let message = Message {
            from: 12,
            seq: 3,
            at: 1_234_567,
        };
        let mut out = Vec::new();
        event(&mut out, "save", Some(7), &message, "r0", None);
        assert!(out.starts_with(b"427[\"save\",{"), "{out:?}");
        assert!((150..=190).contains(&out.len()), "{} bytes", out.len());
        assert_eq!(read(&out[3..]), Some(message));
        serde_json::from_slice::<serde_json::Value>(&out[3..]).unwrap();
        assert_eq!(read(br#"["message",{"other":1}]"#), None);
    }
}
