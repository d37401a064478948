//! What the protocol library is to read before anything else.

use tokio::io::ReadBuf;

use crate::edge::inbound::Header;

/// Bytes that are to be read first.
#[derive(Default)]
pub(super) struct Ahead {
    pub(super) bytes: Vec<u8>,
    read: usize,
}

impl Ahead {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn set(&mut self, bytes: &[u8]) {
        self.bytes = bytes.to_vec();
        self.read = 0;
    }

    pub(super) fn read(&mut self, buf: &mut ReadBuf<'_>) {
        let rest = self.bytes.get(self.read..).unwrap_or_default();
        let len = rest.len().min(buf.remaining());
        buf.put_slice(rest.get(..len).unwrap_or_default());
        self.read += len;
        if self.read >= self.bytes.len() {
            *self = Self::default();
        }
    }
}

/// How much of the first frame the library reads at a time. It makes room for a whole message behind what it has read of
/// it already, and keeps that room: given the header alone, it has enough for what a client comes in with, and many send
/// nothing else.
pub(super) fn first(bytes: &[u8]) -> usize {
    match Header::read(bytes, 0) {
        Ok(Some(header)) => header.len,
        Ok(None) | Err(_) => bytes.len(),
    }
}
