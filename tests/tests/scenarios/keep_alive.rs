//! An HTTP connection that is used for more than one request, as browsers and proxies do.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use sluice_tests::http::Response;
use sluice_tests::raw;

/// The handshake of a polling session.
pub(crate) const HANDSHAKE: &str = "/socket.io/?EIO=4&transport=polling";

pub(crate) struct KeepAlive {
    to: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl KeepAlive {
    pub(crate) fn open(to: SocketAddr) -> Self {
        Self {
            to,
            stream: BufReader::new(raw::connect(to)),
        }
    }

    /// Sends a head that announces `announced` bytes, and `body`, which may be shorter.
    pub(crate) fn send(&mut self, method: &str, path: &str, announced: usize, body: &str) {
        let to = self.to;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: text/plain;charset=UTF-8\r\n\
             Content-Length: {announced}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
    }

    /// The answer to the oldest request without one.
    pub(crate) fn answer(&mut self) -> Response {
        self.answer_or_end().expect("an answer")
    }

    /// `None`: the connection ended before there was one.
    pub(crate) fn answer_or_end(&mut self) -> Option<Response> {
        let head = self.head();
        if head.is_empty() {
            return None;
        }
        let mut lines = head.iter();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok())
            .unwrap_or_else(|| panic!("no answer: {head:?}"));
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        let length = response.header("content-length").expect("a length");
        response.body.resize(length.parse().unwrap(), 0);
        self.stream.read_exact(&mut response.body).unwrap();
        Some(response)
    }

    fn head(&mut self) -> Vec<String> {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            match line.trim_end() {
                "" => return head,
                line => head.push(line.to_owned()),
            }
        }
    }

    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.send("GET", path, 0, "");
        self.answer()
    }

    /// Waits for the end of the connection; false when more comes instead.
    pub(crate) fn has_ended(&mut self) -> bool {
        // A reset is an end too.
        let next = self.stream.fill_buf().map(<[u8]>::len);
        matches!(&next, Ok(0))
            || next.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    }

    pub(crate) fn post(&mut self, path: &str, body: &str) -> Response {
        self.send("POST", path, body.len(), body);
        self.answer()
    }
}

/// The packet that opens a session, from the answer to a handshake.
pub(crate) fn open_packet(response: &Response) -> Value {
    assert_eq!(response.status, 200, "{response:?}");
    let text = response.text();
    let json = text.strip_prefix('0').expect("an open packet");
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The path of a session's requests, from the answer to its handshake.
pub(crate) fn session_path(response: &Response) -> String {
    let open = open_packet(response);
    format!("{HANDSHAKE}&sid={}", open["sid"].as_str().unwrap())
}
