//! Asks the example whether it answers, as `cargo xtask dev --check` does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(10);

/// The page and the script that it loads are there.
pub(crate) fn page(to: SocketAddr) -> Result<()> {
    for path in [
        "/",
        "/chat.js",
        "/node_modules/socket.io-client/dist/socket.io.esm.min.js",
    ] {
        let answer = request(to, "GET", path, "")?;
        ensure!(!answer.is_empty(), "{path} is empty");
    }
    Ok(())
}

/// The broker lets the token in and keeps a made-up one out.
pub(crate) fn broker(to: SocketAddr, token: &str) -> Result<()> {
    let welcome = connect(to, token)?;
    ensure!(
        welcome.starts_with("40"),
        "the broker refused a good token: {welcome}"
    );
    let refusal = connect(to, "made-up")?;
    ensure!(
        refusal.starts_with("44"),
        "the broker let a made-up token in: {refusal}"
    );
    Ok(())
}

/// Engine.IO over polling: handshake, CONNECT, and the answer to it.
fn connect(to: SocketAddr, token: &str) -> Result<String> {
    let open = request(to, "GET", "/socket.io/?EIO=4&transport=polling", "")?;
    let handshake: Value =
        serde_json::from_str(open.trim_start_matches('0')).context("no handshake")?;
    let sid = handshake["sid"].as_str().context("no session id")?;
    let session = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    request(
        to,
        "POST",
        &session,
        &format!("40{}", json!({ "token": token })),
    )?;
    // A poll brings what has gathered: a ping may come before the answer.
    for _ in 0..3 {
        let packets = request(to, "GET", &session, "")?;
        if let Some(answer) = packets
            .split('\u{1e}')
            .find(|packet| packet.starts_with('4'))
        {
            return Ok(answer.to_owned());
        }
        request(to, "POST", &session, "3")?;
    }
    bail!("no answer to CONNECT")
}

/// The body of the answer to one request.
pub(crate) fn request(to: SocketAddr, method: &str, path: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)
        .with_context(|| format!("nothing listens on {to}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Type: text/plain\r\n\
         Content-Length: {length}\r\n\r\n{body}",
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .with_context(|| format!("{method} {path}: no answer"))?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.contains(" 200 "), "{method} {path}: {status}");
    Ok(body.to_owned())
}
