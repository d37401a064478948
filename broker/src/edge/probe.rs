//! How a client that polls tries a WebSocket before it moves over to it (Engine.IO protocol, "Upgrade").
//!
//! The protocol library would end the session with a WebSocket that does not work, and there are proxies through which
//! none does. So the broker answers the probe, and the library gets a WebSocket that has shown that it works.

use std::io;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::deflate;
use super::link::Link;
use super::stream::{LINGER, hear_out};
use super::wire;
use crate::tls::Stream;

/// Read at once. What is said here is short.
const READ: usize = 512;

/// The packets of a probe.
const PING: &[u8] = b"2probe";
const PONG: &str = "3probe";
const UPGRADE: &[u8] = b"5";

/// A WebSocket that a client tries for a session which is polled.
pub(super) struct Probe<'a> {
    pub stream: &'a mut Stream,
    /// Where compression was agreed on.
    pub inflate: Option<&'a mut deflate::Inbound>,
    pub link: &'a Link,
}

/// The session goes on without a WebSocket that does not work, and may try another.
struct Trial<'a> {
    link: &'a Link,
    has_failed: bool,
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if self.has_failed {
            self.link.ends_probe();
        }
    }
}

impl Probe<'_> {
    /// `ahead` is what has been read already. The answer, if the client moves over, is what it has sent behind that;
    /// otherwise the WebSocket is to be closed.
    pub(super) async fn run(mut self, ahead: &[u8], patience: Duration) -> Option<Bytes> {
        if !self.link.begins_probe() {
            return None;
        }
        let mut trial = Trial {
            link: self.link,
            has_failed: true,
        };
        let mut plain = BytesMut::new();
        let moves_over = tokio::select! {
            moves_over = self.converse(ahead, &mut plain) => moves_over.unwrap_or(false),
            () = tokio::time::sleep(patience) => false,
            () = trial.link.gone() => false,
        };
        trial.has_failed = !moves_over;
        moves_over.then(|| plain.freeze())
    }

    /// True: the client moves over. False: it does not, or what it says is out of place.
    async fn converse(&mut self, ahead: &[u8], plain: &mut BytesMut) -> io::Result<bool> {
        self.take_in(ahead, plain)?;
        let mut read = [0; READ];
        loop {
            while let Some(frame) = take_frame(plain)? {
                match (frame.first, &*frame.payload) {
                    (wire::TEXT, PING) => {
                        self.stream.write_all(&wire::text_frame(PONG)).await?;
                        self.link.probed();
                    }
                    (wire::TEXT, UPGRADE) => {
                        self.link.moves();
                        return Ok(true);
                    }
                    (wire::PING, payload) => {
                        self.stream
                            .write_all(&wire::frame(wire::PONG, payload))
                            .await?;
                    }
                    (wire::PONG, _) => {}
                    _ => return Ok(false),
                }
            }
            let count = self.stream.read(&mut read).await?;
            if count == 0 {
                return Ok(false);
            }
            self.take_in(read.get(..count).unwrap_or_default(), plain)?;
        }
    }

    fn take_in(&mut self, bytes: &[u8], plain: &mut BytesMut) -> io::Result<()> {
        let Some(inflate) = &mut self.inflate else {
            plain.extend(bytes);
            return Ok(());
        };
        let mut inflated = Vec::new();
        let fed = inflate.feed(bytes, &mut inflated);
        plain.extend(inflated);
        fed.map_err(|violation| io::Error::new(io::ErrorKind::InvalidData, violation.what))
    }
}

struct Frame {
    first: u8,
    payload: Vec<u8>,
}

/// `None`: not all of it is there.
///
/// # Errors
/// It has no mask, or is longer than anything that is said here.
fn take_frame(read: &mut BytesMut) -> io::Result<Option<Frame>> {
    const MASK: usize = 4;
    const HEADER: usize = 2 + MASK;
    let &[first, second, ..] = &read[..] else {
        return Ok(None);
    };
    let len = usize::from(second & 0x7f);
    if second & 0x80 == 0 || len > 125 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let (Some(mask), Some(payload)) = (read.get(2..HEADER), read.get(HEADER..HEADER + len)) else {
        return Ok(None);
    };
    let bytes = payload.iter().zip(mask.iter().cycle());
    let payload = bytes.map(|(byte, mask)| byte ^ mask).collect();
    read.advance(HEADER + len);
    Ok(Some(Frame { first, payload }))
}

/// Closes a WebSocket in good order.
pub(super) async fn close(mut stream: Stream) {
    let goodbye = async {
        stream.write_all(&wire::CLOSE_WITHOUT_CODE).await?;
        stream.shutdown().await?;
        hear_out(&mut stream).await;
        io::Result::Ok(())
    };
    // A client that is gone needs no goodbye.
    let _ = tokio::time::timeout(LINGER, goodbye).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        wire::clients_frame(first, [1, 2, 3, 4], payload)
    }

    #[test]
    fn frames_are_taken_as_they_come() {
        let mut read = BytesMut::new();
        let bytes = [frame(0x81, b"2probe"), frame(0x89, b""), b"rest".to_vec()].concat();
        let mut seen = Vec::new();
        for byte in &bytes {
            read.extend([byte]);
            if seen.len() < 2
                && let Some(frame) = take_frame(&mut read).unwrap()
            {
                seen.push((frame.first, frame.payload));
            }
        }
        assert_eq!(seen, [(0x81, b"2probe".to_vec()), (0x89, Vec::new())]);
        assert_eq!(&read[..], b"rest");
    }

    #[test]
    fn nothing_else_is_read() {
        for bytes in [&[0x81, 1][..], &[0x81, 0xfe]] {
            assert!(take_frame(&mut BytesMut::from(bytes)).is_err(), "{bytes:?}");
        }
    }
}
