//! The course of a session: heartbeats, polls, the move to a WebSocket, and the times after which it ends.

use std::net::SocketAddr;
use std::thread;

use serde_json::json;
use sluice_tests::PATIENCE;
use sluice_tests::http::Response;
use sluice_tests::raw::{Polling, Socket, upgrade_status};

use super::packets::{line, websocket_seen};
use super::servers::{Case, Seen, Servers};

/// Status and text of an answer.
fn told(response: std::io::Result<Response>) -> String {
    match response {
        Ok(response) if response.status == 200 => response.text(),
        Ok(response) => format!("{} {}", response.status, response.text()),
        Err(error) => format!("{error}"),
    }
}

/// A WebSocket for a session that began with polling.
fn probing(to: SocketAddr, session: &Polling) -> Socket {
    let mut socket = Socket::bare(to, &format!("&sid={}", session.sid));
    socket.send("2probe");
    socket
}

/// What comes over a WebSocket, until it ends or `last` comes.
fn until(socket: &mut Socket, last: &str) -> Seen {
    let mut seen = Seen::new();
    loop {
        let line = line(socket.read_within(PATIENCE));
        let is_over = websocket_seen(&line) || line == last;
        seen.push(line);
        if is_over {
            return seen;
        }
    }
}

/// The session is still polled.
fn is_polled(session: &Polling) -> Seen {
    let mut seen = vec![told(session.post(br#"421["x"]"#))];
    loop {
        let text = told(session.poll());
        // What only keeps the requests moving.
        if text == "6" || text == "2" {
            continue;
        }
        let packets = text.split('\u{1e}').map(str::to_owned);
        seen.extend(packets.filter(|packet| packet != "6" && packet != "2"));
        if text.contains("431")
            || seen
                .last()
                .is_none_or(|last| last.starts_with('4') && last.contains("code") || last == "1")
        {
            return seen;
        }
    }
}

#[test]
fn sessions_go_as_with_nodes_server() {
    let servers = Servers::start(&json!({}), "");
    servers.compare(&[
        Case::new("two polls at a time", |to| {
            let session = Polling::open(to).connected();
            thread::scope(|scope| {
                let other = scope.spawn(|| told(session.poll()));
                let one = told(session.poll());
                let mut seen = vec![one, other.join().unwrap()];
                // Whichever came first.
                seen.sort();
                seen.push(told(session.poll()));
                seen
            })
        }),
        Case::new("a close by the client while a poll waits", |to| {
            let session = Polling::open(to).connected();
            thread::scope(|scope| {
                let poll = scope.spawn(|| told(session.poll()));
                let close = told(session.post(b"1"));
                let polled = poll.join().unwrap();
                // It came before or after the end.
                let polled = if polled == "6" { String::new() } else { polled };
                let _ = polled;
                vec![close, told(session.poll()), told(session.post(b"3"))]
            })
        }),
        Case::new("an upgrade", |to| {
            let session = Polling::open(to).connected();
            let mut socket = probing(to, &session);
            let mut seen = until(&mut socket, "3probe");
            seen.push(told(session.poll()));
            socket.send("5");
            socket.send(r#"421["x"]"#);
            seen.extend(until(&mut socket, r#"431[{"ok":true}]"#));
            seen.push(told(session.poll()));
            seen.push(told(session.post(b"3")));
            let again = Socket::bare(to, &format!("&sid={}", session.sid));
            let mut again = again;
            seen.extend(until(&mut again, ""));
            socket.send(r#"422["y"]"#);
            seen.extend(until(&mut socket, r#"432[{"ok":true}]"#));
            seen
        }),
        Case::new("events while a client moves over", |to| {
            let session = Polling::open(to).connected();
            let mut socket = probing(to, &session);
            let mut seen = until(&mut socket, "3probe");
            seen.push(told(session.post(br#"421["x"]"#)));
            // The last poll may bring nothing, or what is there already; then it comes over the WebSocket.
            let polled = told(session.poll());
            seen.extend(
                polled
                    .split('\u{1e}')
                    .filter(|packet| *packet != "6")
                    .map(str::to_owned),
            );
            socket.send("5");
            socket.send(r#"422["y"]"#);
            seen.extend(until(&mut socket, r#"432[{"ok":true}]"#));
            seen.push(told(session.poll()));
            seen
        }),
        Case::new("a second WebSocket during an upgrade", |to| {
            let session = Polling::open(to).connected();
            let mut socket = probing(to, &session);
            let mut seen = until(&mut socket, "3probe");
            let mut second = Socket::bare(to, &format!("&sid={}", session.sid));
            seen.extend(until(&mut second, ""));
            socket.send("5");
            socket.send(r#"421["x"]"#);
            seen.extend(until(&mut socket, r#"431[{"ok":true}]"#));
            seen
        }),
        Case::new("an upgrade that is broken off", |to| {
            let session = Polling::open(to).connected();
            let mut socket = probing(to, &session);
            let mut seen = until(&mut socket, "3probe");
            socket.shutdown();
            seen.extend(is_polled(&session));
            seen
        }),
        Case::new("an upgrade that is closed", |to| {
            let session = Polling::open(to).connected();
            let mut socket = probing(to, &session);
            let mut seen = until(&mut socket, "3probe");
            socket.close();
            seen.extend(until(&mut socket, ""));
            seen.extend(is_polled(&session));
            seen
        }),
        Case::new("an upgrade without a probe", |to| {
            let session = Polling::open(to).connected();
            let mut socket = Socket::bare(to, &format!("&sid={}", session.sid));
            socket.send(r#"421["x"]"#);
            let mut seen = until(&mut socket, "");
            seen.extend(is_polled(&session));
            seen
        }),
        Case::new("something else after the probe", |to| {
            let session = Polling::open(to).connected();
            let mut socket = probing(to, &session);
            let mut seen = until(&mut socket, "3probe");
            socket.send(r#"421["x"]"#);
            seen.extend(until(&mut socket, ""));
            seen.extend(is_polled(&session));
            seen
        }),
        Case::new("a plain request for the WebSocket of a session", |to| {
            let session = Polling::open(to).connected();
            vec![upgrade_status(to, &format!("&sid={}x", session.sid), &[]).to_string()]
        }),
    ]);
}

#[test]
fn times_and_sizes_are_kept_as_by_nodes_server() {
    let fits = || format!("421[\"x\",\"{}\"]", "y".repeat(9_000));
    let exactly = |length: usize| {
        let empty = r#"421["x",""]"#;
        format!("421[\"x\",\"{}\"]", "y".repeat(length - empty.len()))
    };
    let short = |line: String| match line.len() {
        0..100 => line,
        length => format!("{} … {length}", &line[..20]),
    };
    Servers::hasty().compare(&[
        Case::new("no connect (websocket)", |to| {
            until(&mut Socket::open(to, ""), "")
        }),
        Case::new("no connect (polling)", |to| {
            let session = Polling::open(to);
            let mut seen = Seen::new();
            loop {
                let text = told(session.poll());
                if text == "2" {
                    session.post(b"3").unwrap();
                    continue;
                }
                let is_over = text.starts_with("400");
                seen.push(text.trim_start_matches("6\u{1e}").to_owned());
                if is_over {
                    return seen;
                }
            }
        }),
        Case::new("a refused connect ends with its time", |to| {
            let mut socket = Socket::open(to, "");
            socket.send("40/nope,");
            // A heartbeat may come in between.
            let seen = until(&mut socket, "").into_iter();
            seen.filter(|line| line != "2").collect()
        }),
        Case::new("heartbeats (websocket)", |to| {
            let mut socket = Socket::open(to, "");
            socket.send("40");
            let mut seen = Seen::new();
            for _ in 0..4 {
                let line = line(socket.read_within(PATIENCE));
                if line == "2" {
                    socket.send("3");
                }
                seen.push(line);
            }
            seen
        }),
        Case::new("heartbeats (polling)", |to| {
            let session = Polling::open(to);
            session.post(b"40").unwrap();
            let mut seen = Seen::new();
            while seen.len() < 4 {
                for packet in told(session.poll()).split('\u{1e}') {
                    if packet == "2" {
                        session.post(b"3").unwrap();
                    }
                    seen.push(super::packets::normal(packet));
                }
            }
            seen
        }),
        Case::new("heartbeats that are not answered (websocket)", |to| {
            let mut socket = Socket::open(to, "");
            socket.send("40");
            until(&mut socket, "")
        }),
        Case::new("heartbeats that are not answered (polling)", |to| {
            let session = Polling::open(to);
            session.post(b"40").unwrap();
            let mut seen = Seen::new();
            loop {
                let text = told(session.poll());
                let is_over = text.starts_with("400");
                seen.extend(text.split('\u{1e}').map(super::packets::normal));
                if is_over {
                    return seen;
                }
            }
        }),
        Case::new("an upgrade that takes too long", |to| {
            let session = Polling::open(to).connected();
            let mut socket = probing(to, &session);
            let mut seen = until(&mut socket, "3probe");
            seen.extend(until(&mut socket, ""));
            seen.extend(is_polled(&session));
            seen
        }),
        Case::new("a message that fits", move |to| {
            let mut socket = Socket::open(to, "").connected();
            socket.send(&fits());
            until(&mut socket, r#"431[{"ok":true}]"#)
                .into_iter()
                .map(short)
                .filter(|line| line != "2")
                .collect()
        }),
        Case::new("a message that just fits", move |to| {
            let mut socket = Socket::open(to, "").connected();
            socket.send(&exactly(10_000));
            until(&mut socket, r#"431[{"ok":true}]"#)
                .into_iter()
                .map(short)
                .filter(|line| line != "2")
                .collect()
        }),
        Case::new("a message that is a byte too large", move |to| {
            let mut socket = Socket::open(to, "").connected();
            socket.send(&exactly(10_001));
            until(&mut socket, "")
                .into_iter()
                .map(short)
                .filter(|line| line != "2")
                .collect()
        }),
        Case::new("bytes that are too large", move |to| {
            let mut socket = Socket::open(to, "").connected();
            socket.send_binary(&[0; 10_001]);
            until(&mut socket, "")
                .into_iter()
                .filter(|line| line != "2")
                .collect()
        }),
        Case::new("a post that just fits", move |to| {
            let session = Polling::open(to).connected();
            vec![told(session.post(exactly(10_000).as_bytes()))]
        }),
        Case::new("a post that is a byte too large", move |to| {
            let session = Polling::open(to).connected();
            let mut seen = vec![told(session.post(exactly(10_001).as_bytes()))];
            seen.extend(is_polled(&session));
            seen
        }),
    ]);
}
