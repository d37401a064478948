//! Milliseconds that may be none, in nine bytes: where they are kept for each socket, sixteen would be wasted.

use std::fmt;

/// A number of milliseconds, or none.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Millis {
    is_some: bool,
    bytes: [u8; 8],
}

impl Millis {
    pub(crate) fn get(self) -> Option<u64> {
        self.is_some.then(|| u64::from_ne_bytes(self.bytes))
    }
}

impl From<Option<u64>> for Millis {
    fn from(ms: Option<u64>) -> Self {
        Self {
            is_some: ms.is_some(),
            bytes: ms.unwrap_or_default().to_ne_bytes(),
        }
    }
}

impl fmt::Debug for Millis {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.get(), to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        for ms in [None, Some(0), Some(1), Some(u64::MAX)] {
            assert_eq!(Millis::from(ms).get(), ms);
        }
        assert_eq!(Millis::default().get(), None);
        assert_eq!(size_of::<Millis>(), 9);
    }
}
