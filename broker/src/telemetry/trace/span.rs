//! A span: what was done, for how long, and what came of it.

use std::borrow::Cow;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::SystemTime;

use super::Context;
use crate::event::SocketName;

/// Bytes of a text that a client or a policy chose.
const LONGEST: usize = 128;

/// Who does it for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Internal,
    /// Somebody waits for it: a client, or a back end.
    Server,
    /// Somebody else is asked.
    Client,
    /// Something is handed over, and goes on elsewhere.
    Producer,
    Consumer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(Cow<'static, str>),
    Number(i64),
}

#[derive(Debug)]
pub(super) struct Span {
    pub context: Context,
    pub parent: Option<NonZeroU64>,
    pub name: Cow<'static, str>,
    pub kind: Kind,
    pub start: SystemTime,
    pub end: SystemTime,
    pub attributes: Vec<(&'static str, Value)>,
    /// Others that it goes on with, of whichever traces.
    pub links: Vec<Context>,
    pub has_failed: bool,
}

impl Span {
    pub(super) fn new(
        context: Context,
        parent: Option<NonZeroU64>,
        name: Cow<'static, str>,
        kind: Kind,
    ) -> Self {
        let now = SystemTime::now();
        Self {
            context,
            parent,
            name,
            kind,
            start: now,
            end: now,
            attributes: Vec::new(),
            links: Vec::new(),
            has_failed: false,
        }
    }

    /// What was done, which is over now. Nobody looks at what stays behind.
    pub(super) fn end(&mut self) -> Self {
        Self {
            context: self.context,
            parent: self.parent,
            name: std::mem::take(&mut self.name),
            kind: self.kind,
            start: self.start,
            end: SystemTime::now(),
            attributes: std::mem::take(&mut self.attributes),
            links: std::mem::take(&mut self.links),
            has_failed: self.has_failed,
        }
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

/// Somebody else's words, or a name of the broker's making: no longer than is shown.
impl From<&SocketName> for Value {
    fn from(name: &SocketName) -> Self {
        Self::said(name)
    }
}

impl From<&Arc<str>> for Value {
    fn from(text: &Arc<str>) -> Self {
        Self::said(text)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl Value {
    /// Somebody else's words.
    pub(crate) fn said(text: &str) -> Self {
        let end = text.floor_char_boundary(LONGEST);
        Self::Text(Cow::Owned(text.get(..end).unwrap_or_default().to_owned()))
    }
}
