//! What waits for one client, in the order in which it was appended.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;

use super::Bounds;
use super::frames::{Frames, SMALL};
use super::log::{Log, Run};
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
    /// What follows the tail, for as long as the turn lasts in which it came.
    run: Run,
    run_messages: u32,
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
            run: Run::NONE,
            run_messages: 0,
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

    pub(super) fn put(&mut self, frames: Frames, log: &Log) {
        match frames.len() {
            0..=SMALL if self.is_empty() => {
                self.tail_messages = 1;
                self.bytes = frames.len();
                self.messages = 1;
                self.tail = frames;
            }
            0..=SMALL => self.copy(frames.as_ref(), log),
            _ => self.share(frames.into(), log),
        }
    }

    pub(super) fn copy(&mut self, frames: &[u8], log: &Log) {
        self.settle(log);
        self.extend(frames, 1);
        self.bytes += frames.len();
        self.messages += 1;
    }

    /// What stands in the log.
    pub(super) fn refer(&mut self, run: Run, log: &Log) {
        match self.run.with(run) {
            Some(both) => self.run = both,
            None => {
                self.settle(log);
                self.run = run;
            }
        }
        self.run_messages += 1;
        self.bytes += run.len();
        self.messages += 1;
    }

    /// Keeps what stands in the log, which the log does not for long.
    pub(super) fn settle(&mut self, log: &Log) {
        if self.run.is_empty() {
            return;
        }
        let run = std::mem::replace(&mut self.run, Run::NONE);
        let messages = std::mem::take(&mut self.run_messages);
        let kept = log.read(run, |bytes| self.extend(bytes, messages));
        debug_assert!(
            kept.is_some(),
            "lanes are written out before their turn is over"
        );
        if kept.is_none() {
            self.end();
        }
    }

    fn extend(&mut self, frames: &[u8], messages: u32) {
        if self.tail.len() >= PIECE {
            self.freeze();
        }
        self.tail.extend(frames);
        self.tail_messages += messages;
    }

    fn share(&mut self, frames: Bytes, log: &Log) {
        self.settle(log);
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

    pub(super) fn write(&mut self, log: &Log) -> Flushed {
        while self.bytes > 0 {
            let Some(socket) = &self.socket else {
                self.clear();
                return Flushed::Gone;
            };
            match self.send(socket, log) {
                Ok(count @ 1..) => self.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.settle(log);
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

    /// As much of the front as is taken.
    fn send(&self, socket: &WriteHalf, log: &Log) -> io::Result<usize> {
        if self.run.is_empty() {
            return self.send_with(socket, &[]);
        }
        let sent = log.read(self.run, |run| self.send_with(socket, run));
        debug_assert!(
            sent.is_some(),
            "lanes are written out before their turn is over"
        );
        sent.unwrap_or(Ok(0))
    }

    fn send_with(&self, socket: &WriteHalf, run: &[u8]) -> io::Result<usize> {
        if self.pieces.is_empty() {
            let only = match (self.tail.as_ref(), run) {
                ([], only) | (only, []) => Some(only),
                _ => None,
            };
            if let Some(only) = only {
                return socket.send(only.get(self.written..).unwrap_or_default());
            }
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.slices(run, &mut slices);
        socket.send_vectored(slices.get(..count).unwrap_or_default())
    }

    fn slices<'a>(&'a self, run: &'a [u8], slices: &mut [IoSlice<'a>; SLICES]) -> usize {
        let pieces = self.pieces.iter().map(|piece| &piece.bytes[..]);
        let all = pieces.chain([self.tail.as_ref(), run]);
        let mut skip = self.written;
        let left = all.filter_map(|bytes| {
            let left = bytes.get(skip..);
            skip = skip.saturating_sub(bytes.len());
            left.filter(|left| !left.is_empty())
        });
        let mut count = 0;
        for (slice, bytes) in slices.iter_mut().zip(left) {
            *slice = IoSlice::new(bytes);
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
        if self.written >= self.tail.len() + self.run.len() {
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
        self.run = Run::NONE;
        self.run_messages = 0;
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
mod tests;
