//! Whom a bucket counts, and how that is written.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// Whom a bucket counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject<T> {
    /// The broker's own number of a socket; never used again, so its keys go with it.
    Socket(u64),
    User(T),
    Address(IpAddr),
    Namespace(T),
    Global,
}

/// As it is kept.
pub(crate) type SubjectKey = Subject<Arc<str>>;

/// As it is asked for: hashes and compares as what is kept does, and costs no reference count.
pub(crate) type SubjectRef<'a> = Subject<&'a Arc<str>>;

/// What names nobody that a bucket can count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected `user:NAME`, `address:IP`, `socket:NUMBER`, `namespace:PATH` or `global`, for instance `user:alice`"
)]
pub(crate) struct SubjectError;

// === impl SubjectKey ===

impl SubjectKey {
    pub(crate) fn as_ref(&self) -> SubjectRef<'_> {
        match self {
            Self::Socket(token) => Subject::Socket(*token),
            Self::User(user) => Subject::User(user),
            Self::Address(address) => Subject::Address(*address),
            Self::Namespace(path) => Subject::Namespace(path),
            Self::Global => Subject::Global,
        }
    }
}

impl From<SubjectRef<'_>> for SubjectKey {
    fn from(subject: SubjectRef<'_>) -> Self {
        match subject {
            Subject::Socket(token) => Self::Socket(token),
            Subject::User(user) => Self::User(Arc::clone(user)),
            Subject::Address(address) => Self::Address(address),
            Subject::Namespace(path) => Self::Namespace(Arc::clone(path)),
            Subject::Global => Self::Global,
        }
    }
}

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
