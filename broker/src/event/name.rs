//! What a socket is called: kept in place, because every socket keeps one, and all that the broker makes are short.

use std::fmt;
use std::ops::Deref;

/// The name of a socket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SocketName {
    len: u8,
    bytes: [u8; LONGEST],
}

/// Two more than a name in the protocol's own alphabet and length.
const LONGEST: usize = 22;

impl SocketName {
    /// Of a longer text, as much as there is room for.
    pub(crate) fn new(text: &str) -> Self {
        let text = text.get(..text.floor_char_boundary(LONGEST));
        let text = text.unwrap_or_default();
        let mut bytes = [0; LONGEST];
        for (place, byte) in bytes.iter_mut().zip(text.bytes()) {
            *place = byte;
        }
        Self {
            // No more than `LONGEST`.
            len: text.len() as u8,
            bytes,
        }
    }
}

impl Deref for SocketName {
    type Target = str;

    fn deref(&self) -> &str {
        let text = self.bytes.get(..self.len.into()).unwrap_or_default();
        // It was text.
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Display for SocketName {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self)
    }
}

impl fmt::Debug for SocketName {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, to)
    }
}

impl From<&str> for SocketName {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for SocketName {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_as_far_as_there_is_room() {
        for name in ["", "s1", "AbCdEfGhIjKlMnOpQr-_"] {
            assert_eq!(&*SocketName::new(name), name);
            assert_eq!(SocketName::new(name).to_string(), name);
        }
        assert_eq!(&*SocketName::new(&"x".repeat(30)), "x".repeat(LONGEST));
        assert_eq!(&*SocketName::new(&"ü".repeat(20)), "ü".repeat(LONGEST / 2));
    }
}
