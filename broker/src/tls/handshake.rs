//! The begin of a TLS connection.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::session::Session;
use super::{Loaded, Stream, Tls, certificate};
use crate::event::ClientCertificate;
use crate::telemetry::events::TlsHandshakeEnded;
use crate::telemetry::metrics::Handshaken;

/// The first byte of everything that TLS has to say in the beginning (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// What a client is told that speaks HTTP in plain text, as nginx does.
const PLAIN: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 51\r\nConnection: close\r\n\r\nThis port speaks TLS: use https:// or wss:// here.\n";

/// What a client that was told has to take it.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection that is ready for HTTP.
pub(crate) struct Accepted {
    pub stream: Stream,
    /// Of the client, where it has one.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// Why there is no TLS with a client.
enum Failure {
    /// It has gone, or never said anything: as what checks whether a port is open.
    Gone,
    Plain(TcpStream),
    Failed(io::Error),
}

impl Tls {
    /// A client was to wait for others for longer than is sensible.
    pub(crate) fn is_busy(&self, address: IpAddr) {
        TlsHandshakeEnded {
            listener: self.listener,
            outcome: Handshaken::Busy,
            address,
            reason: "",
        }
        .emit();
    }

    /// Agrees with a client on TLS. `None`: it has come to nothing, which has been told.
    pub(crate) async fn accept(
        &self,
        loaded: &Loaded,
        socket: TcpStream,
        address: IpAddr,
        patience: Duration,
    ) -> Option<Accepted> {
        let greeted = tokio::time::timeout(patience, greet(socket, loaded.config.clone())).await;
        let mut reason = String::new();
        let (outcome, accepted) = match greeted {
            Ok(Ok(accepted)) => (Handshaken::Ok, Some(accepted)),
            Ok(Err(Failure::Gone)) => (Handshaken::Gone, None),
            Ok(Err(Failure::Plain(socket))) => {
                // Clients that do not read what they are told are not waited for.
                let _ = tokio::time::timeout(GOODBYE, refuse(socket)).await;
                (Handshaken::PlainHttp, None)
            }
            Ok(Err(Failure::Failed(error))) => {
                reason = error.to_string();
                (Handshaken::Failed, None)
            }
            Err(_) => (Handshaken::Timeout, None),
        };
        TlsHandshakeEnded {
            listener: self.listener,
            outcome,
            address,
            reason: &reason,
        }
        .emit();
        accepted
    }
}

async fn greet(mut socket: TcpStream, config: Arc<ServerConfig>) -> Result<Accepted, Failure> {
    let mut first = [0];
    match socket.peek(&mut first).await {
        Ok(1) if first == [HANDSHAKE] => {}
        // A method's name.
        Ok(1) if first.iter().all(u8::is_ascii_uppercase) => return Err(Failure::Plain(socket)),
        Ok(1) => {}
        _ => return Err(Failure::Gone),
    }
    let failed = |error: rustls::Error| Failure::Failed(io::Error::other(error));
    let mut session = Box::new(Session::new(config).map_err(failed)?);
    poll_fn(|cx| session.poll_handshake(&mut socket, cx))
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Failure::Failed(error),
            _ => Failure::Gone,
        })?;
    let certificate = session.certificate();
    let certificate = certificate.map(|der| Arc::new(certificate::of_client(der)));
    Ok(Accepted {
        stream: Stream::Tls(socket, session),
        certificate,
    })
}

/// Says what is wrong. What the client has sent is read first: a socket that is closed before that is reset, and what
/// was said on it may be lost.
async fn refuse(mut socket: TcpStream) -> io::Result<()> {
    let mut request = [0; 4096];
    let _ = socket.read(&mut request).await?;
    socket.write_all(PLAIN.as_bytes()).await?;
    socket.shutdown().await?;
    while socket.read(&mut request).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_in_plain_text_has_its_length() {
        let (head, body) = PLAIN.split_once("\r\n\r\n").unwrap();
        let length = format!("Content-Length: {}\r\n", body.len());
        assert!(head.contains(&length), "{length}");
    }
}
