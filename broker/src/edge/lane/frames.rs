//! Frames that wait for one client, next to each other.

use bytes::Bytes;

use super::spare;

/// Frames up to this size stand behind each other, in the turn's log or copied; larger ones are shared by all their recipients.
pub(super) const SMALL: usize = 1024;

/// Frames of one owner, or of several. Alone in its turn, what has several is not even copied.
pub(in crate::edge) enum Frames {
    Shared(Bytes),
    Own(Vec<u8>),
}

// === impl Frames ===

impl AsRef<[u8]> for Frames {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Own(bytes) => bytes,
        }
    }
}

impl From<Bytes> for Frames {
    fn from(bytes: Bytes) -> Self {
        Self::Shared(bytes)
    }
}

impl From<Vec<u8>> for Frames {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Own(bytes)
    }
}

impl From<Frames> for Bytes {
    fn from(frames: Frames) -> Self {
        match frames {
            Frames::Shared(bytes) => bytes,
            Frames::Own(bytes) => bytes.into(),
        }
    }
}

impl Frames {
    pub(super) const NONE: Self = Self::Own(Vec::new());

    pub(super) fn len(&self) -> usize {
        self.as_ref().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn extend(&mut self, frames: &[u8]) {
        let first: &[u8] = match self {
            Self::Own(bytes)
                if bytes.capacity() > SMALL || bytes.capacity() - bytes.len() >= frames.len() =>
            {
                return bytes.extend_from_slice(frames);
            }
            // Made for the first one only.
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        };
        // More may follow.
        let mut bytes = spare::take(2 * (first.len() + frames.len()));
        bytes.extend_from_slice(first);
        bytes.extend_from_slice(frames);
        *self = Self::Own(bytes);
    }

    /// Holds no more memory than it has to: who does not take it may not for long.
    pub(super) fn shrink(&mut self) {
        if let Self::Own(bytes) = self
            && bytes.capacity() > 2 * bytes.len() + SMALL
        {
            bytes.shrink_to_fit();
        }
    }

    /// The memory goes to whoever needs some next.
    pub(super) fn let_go(&mut self) {
        if let Self::Own(bytes) = std::mem::replace(self, Self::NONE) {
            spare::give(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_costs_no_more_than_shared_bytes() {
        assert_eq!(size_of::<Frames>(), size_of::<Bytes>());
    }
}
