//! What the protocol library is to read before anything else.

use tokio::io::ReadBuf;

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
