//! What waits for one client, in the order in which it was appended.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;

use super::Bounds;
use super::frames::{Frames, SMALL};
use crate::edge::deflate::Outbound;
use crate::telemetry::metrics::{Carried, metrics};
use crate::tls::WriteHalf;

/// As many copied bytes make a piece, so that what has been written can be let go.
const PIECE: usize = 16 << 10;

/// Pieces written by one system call.
const SLICES: usize = 32;

pub(super) struct Queue {
    /// `None` once the connection has ended.
    pub socket: Option<WriteHalf>,
    /// In front of the tail.
    pieces: VecDeque<Piece>,
    /// Small frames.
    tail: Frames,
    tail_messages: u32,
    /// Bytes of the front that are written already.
    written: usize,
    bytes: usize,
    /// Of them, those that are in the metrics.
    told: usize,
    messages: u32,
    pub stage: Stage,
    /// Here, because what it makes has to leave in the order in which it is made.
    pub outbound: Option<Box<Outbound>>,
}

struct Piece {
    bytes: Bytes,
    messages: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Idle,
    /// On the flusher's list.
    Listed,
    /// The client does not take more for now.
    Blocked,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    All,
    Blocked,
    /// The connection is gone.
    Gone,
}

// === impl Queue ===

impl Queue {
    pub(super) fn new(socket: WriteHalf, outbound: Option<Outbound>) -> Self {
        Self {
            socket: Some(socket),
            pieces: VecDeque::new(),
            tail: Frames::NONE,
            tail_messages: 0,
            written: 0,
            bytes: 0,
            told: 0,
            messages: 0,
            stage: Stage::Idle,
            outbound: outbound.map(Box::new),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// One message alone is always taken: it is bounded where it comes from.
    pub(super) fn is_full(&self, len: usize, bounds: Bounds) -> bool {
        let is_full = self.bytes.saturating_add(len) > bounds.bytes as usize
            || self.messages >= bounds.messages;
        is_full && self.messages > 0
    }

    pub(super) fn put(&mut self, frames: Frames) {
        match frames.len() {
            0..=SMALL if self.is_empty() => {
                self.tail_messages = 1;
                self.bytes = frames.len();
                self.messages = 1;
                self.tail = frames;
            }
            0..=SMALL => self.copy(frames.as_ref()),
            _ => self.share(frames.into()),
        }
    }

    pub(super) fn copy(&mut self, frames: &[u8]) {
        if self.tail.len() >= PIECE {
            self.freeze();
        }
        self.tail.extend(frames);
        self.tail_messages += 1;
        self.bytes += frames.len();
        self.messages += 1;
    }

    fn share(&mut self, frames: Bytes) {
        self.freeze();
        self.bytes += frames.len();
        self.messages += 1;
        self.pieces.push_back(Piece {
            bytes: frames,
            messages: 1,
        });
    }

    /// Makes a piece of the tail.
    fn freeze(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(Piece {
                bytes: std::mem::replace(&mut self.tail, Frames::NONE).into(),
                messages: std::mem::take(&mut self.tail_messages),
            });
        }
    }

    pub(super) fn write(&mut self) -> Flushed {
        while self.bytes > 0 {
            let Some(socket) = &self.socket else {
                self.clear();
                return Flushed::Gone;
            };
            let written = if self.pieces.is_empty() {
                socket.send(self.tail.as_ref().get(self.written..).unwrap_or_default())
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let count = self.slices(&mut slices);
                socket.send_vectored(slices.get(..count).unwrap_or_default())
            };
            match written {
                Ok(1..) => self.advance(written.unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.tell(self.bytes);
                    self.tail.shrink();
                    return Flushed::Blocked;
                }
                // The reader meets the end of the connection too, and tells.
                Ok(0) | Err(_) => {
                    self.end();
                    return Flushed::Gone;
                }
            }
        }
        // Under TLS, what was taken may be waiting still.
        match self.socket.as_ref().map(WriteHalf::flush) {
            None | Some(Ok(())) => Flushed::All,
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => Flushed::Blocked,
            Some(Err(_)) => {
                self.end();
                Flushed::Gone
            }
        }
    }

    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES]) -> usize {
        let pieces = self.pieces.iter().map(|piece| &piece.bytes[..]);
        let all = pieces.chain(std::iter::once(self.tail.as_ref()));
        let mut skip = self.written;
        let mut count = 0;
        for (slice, bytes) in slices.iter_mut().zip(all) {
            *slice = IoSlice::new(bytes.get(skip..).unwrap_or_default());
            skip = 0;
            count += 1;
        }
        count
    }

    /// Lets go of what has been written.
    fn advance(&mut self, count: usize) {
        Carried::WebSocket.sent(count);
        self.bytes = self.bytes.saturating_sub(count);
        self.written += count;
        while let Some(front) = self.pieces.front() {
            if self.written < front.bytes.len() {
                return;
            }
            self.written -= front.bytes.len();
            self.messages = self.messages.saturating_sub(front.messages);
            self.pieces.pop_front();
        }
        if self.written >= self.tail.len() {
            self.clear();
        }
    }

    pub(super) fn end(&mut self) {
        self.socket = None;
        self.outbound = None;
        self.clear();
    }

    /// More waits for a client that takes nothing at the moment.
    pub(super) fn tell_waiting(&mut self) {
        self.tell(self.bytes);
    }

    /// What waits is in the metrics only where a client does not take it: nobody else pays for that.
    fn tell(&mut self, bytes: usize) {
        if bytes == self.told {
            return;
        }
        let traffic = &metrics().traffic;
        match (self.told, bytes) {
            (0, _) => _ = traffic.blocked.inc(),
            (_, 0) => _ = traffic.blocked.dec(),
            _ => {}
        }
        let signed = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        traffic.send_queue.inc_by(signed(bytes) - signed(self.told));
        self.told = bytes;
    }

    fn clear(&mut self) {
        self.pieces = VecDeque::new();
        // An idle connection keeps none.
        self.tail.let_go();
        self.tail_messages = 0;
        self.written = 0;
        self.tell(0);
        self.bytes = 0;
        self.messages = 0;
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.tell(0);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::tls::Stream;

    /// What a client receives of frames of these sizes, `turn` at a time; those that others receive as well are marked.
    async fn received(frames: &[(usize, bool)], turn: usize) -> (Vec<u8>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let mut queue = Queue::new(Stream::Plain(server).into_split().1, None);
        let mut sent = Vec::new();
        for (number, frames) in frames.chunks(turn).enumerate() {
            for (place, &(len, is_shared)) in frames.iter().enumerate() {
                let frame: Vec<u8> = (0..len).map(|byte| (byte + place + number) as u8).collect();
                sent.extend(&frame);
                match is_shared {
                    true => queue.put(Bytes::from(frame).into()),
                    false => queue.put(frame.into()),
                }
            }
            assert!(!queue.is_empty() && queue.messages as usize == frames.len());
            assert_eq!(queue.write(), Flushed::All);
            assert!(queue.is_empty() && queue.messages == 0);
        }
        queue.end();
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap();
        (sent, read)
    }

    #[tokio::test]
    async fn what_goes_in_comes_out_in_its_order() {
        let frames: Vec<_> = (0..60)
            .map(|number| match number % 5 {
                0 => (2 * SMALL + number, number % 2 == 0),
                _ => (1 + number, number % 3 == 0),
            })
            .collect();
        for turn in [1, 2, 3, 60] {
            let (sent, read) = received(&frames, turn).await;
            assert!(sent == read, "{turn} at a time");
        }
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_blocks_and_loses_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let mut queue = Queue::new(Stream::Plain(server).into_split().1, None);
        let mut sent = 0;
        while queue.write() == Flushed::All {
            queue.put(vec![7; SMALL].into());
            sent += SMALL;
        }
        let mut read = 0;
        while read < sent {
            let mut bytes = vec![0; SMALL];
            read += client.read(&mut bytes).await.unwrap();
            if let Some(socket) = &queue.socket {
                let writable = std::future::poll_fn(|cx| socket.poll_write_ready(cx));
                let _ = tokio::time::timeout(std::time::Duration::from_millis(1), writable).await;
            }
            queue.write();
        }
        assert_eq!(queue.write(), Flushed::All);
        assert_eq!(read, sent);
    }
}
