//! The subjects of a cluster. Back ends rely on `emit.…` and `event.…`; `node.…` and `ctl.…` are between nodes.

mod template;

use std::fmt::{Display, Write as _};

pub(crate) use template::Template;

/// Subjects below `sluice.<cluster>`.
#[derive(Debug, Clone)]
pub(crate) struct Subjects {
    prefix: String,
}

/// Bytes of a token. Longer names make a subject that servers refuse, in an endless storm of reconnections.
const LONGEST: usize = 1024;

/// A name is too long to stand in a subject.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name of {0} bytes is too long for a subject")]
pub(crate) struct TooLong(usize);

impl Subjects {
    /// `cluster` is checked by the configuration: it needs no escapes.
    pub(crate) fn of(cluster: &str) -> Self {
        Self {
            prefix: format!("sluice.{cluster}"),
        }
    }

    /// What back ends publish to clients of any namespace.
    pub(crate) fn emits(&self) -> String {
        format!("{}.emit.*", self.prefix)
    }

    /// The events for the sockets of a node.
    pub(crate) fn node(&self, node: impl Display) -> String {
        format!("{}.node.{node}", self.prefix)
    }

    /// What nodes say to one of them.
    pub(crate) fn to_node(&self, node: impl Display) -> String {
        format!("{}.ctl.node.{node}", self.prefix)
    }

    /// What a node says to all.
    pub(crate) fn to_all(&self) -> String {
        format!("{}.ctl.all", self.prefix)
    }

    /// What all subjects of the cluster begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// A name as a token: letters, digits, `_` and `-` stand for themselves, every other byte is `=XX`, nothing is `=`.
pub(crate) fn token(name: &str) -> Result<String, TooLong> {
    if name.is_empty() {
        return Ok("=".to_owned());
    }
    let mut token = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            token.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(token, "={byte:02X}");
        }
    }
    if token.len() > LONGEST {
        return Err(TooLong(name.len()));
    }
    Ok(token)
}

/// The name that a token stands for; `None`: it stands for none.
pub(crate) fn name(token: &str) -> Option<String> {
    if token == "=" {
        return Some(String::new());
    }
    let mut name = Vec::with_capacity(token.len());
    let mut bytes = token.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'=' {
            let digits = [bytes.next()?, bytes.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            name.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            name.push(byte);
        }
    }
    String::from_utf8(name).ok().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_a_token_and_back() {
        let names = [
            "",
            "/",
            "/chat",
            "a.b*c>",
            "ü ☃",
            "plain-Name_1",
            "=2F",
            "\u{0}\n",
        ];
        for text in names {
            let token = token(text).unwrap();
            assert!(
                !token.is_empty() && !token.contains(['.', '*', '>', ' ', '\n']),
                "{token}"
            );
            assert_eq!(name(&token).as_deref(), Some(text), "{token}");
        }
        assert_eq!(token("/").unwrap(), "=2F");
        for wrong in ["=2", "=zz", "=FF", ""] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
        assert_eq!(token(&"/".repeat(400)), Err(TooLong(400)));
    }

    #[test]
    fn subjects_are_those_that_are_promised() {
        let subjects = Subjects::of("eu");
        assert_eq!(subjects.emits(), "sluice.eu.emit.*");
        assert_eq!(subjects.node("n1"), "sluice.eu.node.n1");
    }
}
