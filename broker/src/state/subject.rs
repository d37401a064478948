//! Whom a bucket counts, and how that is written.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// Whom a bucket counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SubjectKey {
    /// The broker's own number of a socket; never used again, so its keys go with it.
    Socket(u64),
    User(Arc<str>),
    Address(IpAddr),
    Namespace(Arc<str>),
    Global,
}

/// What names nobody that a bucket can count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected `user:NAME`, `address:IP`, `socket:NUMBER`, `namespace:PATH` or `global`, for instance `user:alice`"
)]
pub(crate) struct SubjectError;

// === impl SubjectKey ===

impl fmt::Display for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(token) => write!(f, "socket:{token}"),
            Self::User(user) => write!(f, "user:{user}"),
            Self::Address(address) => write!(f, "address:{address}"),
            Self::Namespace(path) => write!(f, "namespace:{path}"),
            Self::Global => f.write_str("global"),
        }
    }
}

impl FromStr for SubjectKey {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        if text == "global" {
            return Ok(Self::Global);
        }
        let (kind, name) = text.split_once(':').ok_or(SubjectError)?;
        match kind {
            "socket" => name.parse().map(Self::Socket).map_err(|_| SubjectError),
            "user" => Ok(Self::User(name.into())),
            "address" => name.parse().map(Self::Address).map_err(|_| SubjectError),
            "namespace" => Ok(Self::Namespace(name.into())),
            _ => Err(SubjectError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_read_as_they_are_written() {
        for text in [
            "user:alice",
            "user:a:b",
            "user:",
            "address:192.0.2.1",
            "address:2001:db8::1",
            "socket:7",
            "namespace:/chat",
            "global",
        ] {
            let subject: SubjectKey = text.parse().expect("a subject");
            assert_eq!(subject.to_string(), text);
        }
        for text in ["", "alice", "user", "socket:a", "address:here", "room:r"] {
            assert_eq!(text.parse::<SubjectKey>(), Err(SubjectError), "{text}");
        }
    }
}
