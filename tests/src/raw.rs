//! Engine.IO by hand, for clients that do what no library lets them do.

use std::io::{ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::{Error, Message, WebSocket};

use crate::relay::dial;
use crate::{PATIENCE, http};

/// What arrived on a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    Text(String),
    Binary(Vec<u8>),
    /// The connection has ended; the code of a close frame, where one came. A close frame without a code has 1005
    /// (RFC 6455, section 7.1.5).
    Closed(Option<u16>),
}

/// A WebSocket to the broker.
pub struct Socket {
    inner: WebSocket<TcpStream>,
    /// The transport's session id, which the handshake gave.
    pub sid: String,
    /// What the socket is called once it is connected.
    pub id: String,
    /// The whole answer of the handshake.
    pub handshake: Value,
}

impl Socket {
    /// Upgrades, and reads the Engine.IO handshake. `query` is added to the address as it is.
    ///
    /// # Panics
    ///
    /// When the broker refuses.
    pub fn open(to: SocketAddr, query: &str) -> Self {
        Self::bare(to, query).greeted()
    }

    /// The same with headers of the test's own.
    ///
    /// # Panics
    ///
    /// When the broker refuses.
    pub fn open_with(to: SocketAddr, headers: &[(&str, &str)]) -> Self {
        Self::over(upgrade(to, "", headers).expect("an upgrade")).greeted()
    }

    fn greeted(mut self) -> Self {
        let socket = &mut self;
        let Packet::Text(text) = socket.read() else {
            panic!("no handshake")
        };
        let json = text
            .strip_prefix('0')
            .unwrap_or_else(|| panic!("no handshake: {text}"));
        socket.handshake = serde_json::from_str(json).expect("JSON in the handshake");
        socket.sid = socket.handshake["sid"]
            .as_str()
            .expect("a session id")
            .to_owned();
        self
    }

    fn over(inner: WebSocket<TcpStream>) -> Self {
        Self {
            inner,
            sid: String::new(),
            id: String::new(),
            handshake: Value::Null,
        }
    }

    /// Upgrades and reads nothing: a session that began with polling gets no handshake.
    ///
    /// # Panics
    ///
    /// When the broker refuses.
    pub fn bare(to: SocketAddr, query: &str) -> Self {
        Self::over(upgrade(to, query, &[]).expect("an upgrade"))
    }

    /// Joins the namespace `/` and waits for the answer.
    ///
    /// # Panics
    ///
    /// When it is not let in.
    pub fn connected(mut self) -> Self {
        self.send("40");
        let answer = self.packet();
        let Packet::Text(text) = &answer else {
            panic!("{answer:?}")
        };
        let welcome = text.strip_prefix("40").map(serde_json::from_str::<Value>);
        let Some(Ok(welcome)) = welcome else {
            panic!("{answer:?}")
        };
        self.id = welcome["sid"].as_str().expect("an id").to_owned();
        self
    }

    /// Sends a text message. A connection that the other side has closed swallows it: the next read tells.
    pub fn send(&mut self, text: &str) {
        let _ = self.inner.send(Message::text(text));
    }

    pub fn send_binary(&mut self, bytes: &[u8]) {
        let _ = self.inner.send(Message::binary(bytes.to_vec()));
    }

    /// Sends a text message whose bytes need not be text.
    pub fn send_raw_text(&mut self, bytes: &[u8]) {
        let frame = Frame::message(bytes.to_vec(), OpCode::Data(Data::Text), true);
        let _ = self.inner.send(Message::Frame(frame));
    }

    /// Sends bytes past the library: whatever they are, the server gets them so.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.inner.get_mut().write_all(bytes);
    }

    /// Begins the closing handshake.
    pub fn close(&mut self) {
        let _ = self.inner.close(None);
    }

    /// Cuts the connection without a close frame.
    pub fn shutdown(&mut self) {
        let _ = self.inner.get_ref().shutdown(std::net::Shutdown::Both);
    }

    /// The next message; pings of the protocol are shown like any other.
    ///
    /// # Panics
    ///
    /// When nothing comes within [`PATIENCE`].
    pub fn read(&mut self) -> Packet {
        self.read_within(PATIENCE)
            .expect("a message, or the end of the connection")
    }

    /// The next message; `None` when nothing has come in that time.
    pub fn read_within(&mut self, limit: Duration) -> Option<Packet> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.inner
                .get_ref()
                .set_read_timeout(Some(left))
                .expect("a timeout");
            match self.inner.read() {
                Ok(Message::Text(text)) => return Some(Packet::Text(text.as_str().to_owned())),
                Ok(Message::Binary(bytes)) => return Some(Packet::Binary(bytes.to_vec())),
                Ok(Message::Close(frame)) => {
                    let code = frame.map_or(1005, |frame| frame.code.into());
                    return Some(Packet::Closed(Some(code)));
                }
                Ok(_) => {}
                Err(Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(
                    Error::ConnectionClosed
                    | Error::AlreadyClosed
                    | Error::Io(_)
                    | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
                ) => return Some(Packet::Closed(None)),
                Err(error) => panic!("the broker broke the protocol: {error}"),
            }
        }
    }

    /// The next message that is no ping; pings are answered.
    ///
    /// # Panics
    ///
    /// When nothing comes within [`PATIENCE`].
    pub fn packet(&mut self) -> Packet {
        loop {
            match self.read() {
                Packet::Text(text) if text == "2" => self.send("3"),
                other => return other,
            }
        }
    }

    /// Waits for the end of the connection, answering pings on the way: what came before it, and the close code.
    pub fn until_closed(&mut self) -> (Vec<Packet>, Option<u16>) {
        let mut before = Vec::new();
        loop {
            match self.packet() {
                Packet::Closed(code) => return (before, code),
                // Engine.IO's own goodbye.
                Packet::Text(text) if text == "1" => {}
                other => before.push(other),
            }
        }
    }
}

/// A WebSocket frame as a client sends it: the first byte is the test's own (`FIN`, reserved bits and opcode), and the
/// mask is one that changes nothing.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, 0x80, payload.len() as u64);
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// The head of a frame that announces so many bytes; `masked` is 0x80, or 0 for what no client may send.
pub fn head(first: u8, masked: u8, length: u64) -> Vec<u8> {
    let bytes = length.to_be_bytes();
    match length {
        0..126 => vec![first, masked | bytes[7]],
        126..0x1_0000 => vec![first, masked | 126, bytes[6], bytes[7]],
        _ => [&[first, masked | 127][..], &bytes].concat(),
    }
}

/// A connection on which no read or write takes longer than [`PATIENCE`].
///
/// # Panics
///
/// When there is none.
pub fn connect(to: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(to).expect("a connection"))
}

/// The same from another address of this machine, such as 127.0.0.2.
///
/// # Panics
///
/// When there is no way.
pub fn connect_from(source: IpAddr, to: SocketAddr) -> TcpStream {
    patient(dial(source, to).expect("a connection from an address of this machine"))
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// The bare upgrade, with headers of the test's own.
///
/// # Errors
///
/// With the broker's answer when it refuses.
pub fn upgrade(
    to: SocketAddr,
    query: &str,
    headers: &[(&str, &str)],
) -> Result<WebSocket<TcpStream>, Box<Error>> {
    let stream = TcpStream::connect(to).map_err(|error| Box::new(Error::Io(error)))?;
    let stream = patient(stream);
    // A packet and its attachment are two small writes; the second would wait until the first is acknowledged.
    stream.set_nodelay(true).expect("no delay");
    let mut request = tungstenite::http::Request::builder()
        .uri(format!(
            "ws://{to}/socket.io/?EIO=4&transport=websocket{query}"
        ))
        .header("Host", to.to_string())
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header(
            "Sec-WebSocket-Key",
            tungstenite::handshake::client::generate_key(),
        );
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).expect("a request");
    match tungstenite::client(request, stream) {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::HandshakeError::Failure(error)) => Err(Box::new(error)),
        Err(error) => panic!("the upgrade hangs: {error}"),
    }
}

/// The status with which an upgrade is refused; 101 when it is not.
///
/// # Panics
///
/// When there is no answer.
pub fn upgrade_status(to: SocketAddr, query: &str, headers: &[(&str, &str)]) -> u16 {
    match upgrade(to, query, headers).map_err(|error| *error) {
        Ok(_) => 101,
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("no answer to the upgrade: {error}"),
    }
}

/// A session over polling.
pub struct Polling {
    to: SocketAddr,
    pub sid: String,
}

impl Polling {
    /// The Engine.IO handshake.
    ///
    /// # Panics
    ///
    /// When the broker refuses.
    pub fn open(to: SocketAddr) -> Self {
        let response = http::request(to, "GET", "/socket.io/?EIO=4&transport=polling", &[], &[])
            .expect("an answer");
        assert_eq!(response.status, 200, "{response:?}");
        let text = response.text();
        let json: Value = serde_json::from_str(text.trim_start_matches('0'))
            .unwrap_or_else(|error| panic!("{error}: {text}"));
        Self {
            to,
            sid: json["sid"].as_str().expect("a session id").to_owned(),
        }
    }

    /// Joins the namespace `/` and waits for the answer.
    ///
    /// # Panics
    ///
    /// When it is not let in.
    pub fn connected(self) -> Self {
        assert_eq!(self.post(b"40").expect("an answer").status, 200);
        loop {
            let packets = self.poll().expect("an answer").text();
            if packets
                .split('\u{1e}')
                .any(|packet| packet.starts_with("40"))
            {
                return self;
            }
            assert_eq!(packets, "2", "instead of the answer to CONNECT");
            self.post(b"3").expect("an answer");
        }
    }

    fn path(&self) -> String {
        format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid)
    }

    /// Posts packets.
    ///
    /// # Errors
    ///
    /// When the connection breaks before there is an answer.
    pub fn post(&self, body: &[u8]) -> std::io::Result<http::Response> {
        http::request(
            self.to,
            "POST",
            &self.path(),
            &[("Content-Type", "text/plain;charset=UTF-8")],
            body,
        )
    }

    /// Polls once.
    ///
    /// # Errors
    ///
    /// When the connection breaks before there is an answer.
    pub fn poll(&self) -> std::io::Result<http::Response> {
        http::request(self.to, "GET", &self.path(), &[], &[])
    }
}
