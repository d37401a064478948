//! What a client may say, judged by how its packets begin, as Node's server judges them (engine.io `Socket.onPacket`,
//! socket.io `Client.ondecoded`, socket.io-parser `Decoder`).
//!
//! The protocol library is laxer here and stricter there, and ends connections in ways that clients of Node's server
//! do not know. So what would end a connection, or has no effect, does not reach it.

use std::borrow::Cow;

use super::parser::Parser;
use crate::telemetry::metrics::EndReason;

/// What is to become of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    Pass,
    /// It has no effect.
    Ignore,
    End(Fault),
}

/// What a client did that ends its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It broke the protocol of WebSockets.
    Transport,
    /// A packet is none.
    Parse,
    /// A packet is one that the server sends, and not the client.
    Direction,
    /// A packet comes at the wrong time: for a namespace that the client is not in, or is in already.
    State,
}

/// The text ends before its packet can be judged, and goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Undecided;

type Judged<T = Judgement> = Result<T, Undecided>;

/// A connection's namespaces, as its client may know them.
pub(super) trait Namespaces {
    fn is_in(&self, namespace: &str) -> bool;
    /// It has sent its DISCONNECT.
    fn leaves(&self, namespace: &str);
}

/// What has to be kept between the packets of a connection.
#[derive(Debug)]
pub(super) struct Manners {
    /// Messages are text; what is in those of another parser, the library judges.
    parser: Parser,
    /// Attachments that are still to come; `None` behind a packet that was not judged.
    awaited: Option<u8>,
}

/// Attachments of one event; their total size is bounded by `max_payload`.
pub(super) const MAX_ATTACHMENTS: usize = 64;

/// More than any client names; what is longer is judged by the library.
const LONGEST_NAMESPACE: usize = 512;

impl Fault {
    /// To be kept in a byte, in which 0 is none.
    pub(super) fn number(self) -> u8 {
        match self {
            Fault::Transport => 1,
            Fault::Parse => 2,
            Fault::Direction => 3,
            Fault::State => 4,
        }
    }

    pub(super) fn numbered(number: u8) -> Option<Self> {
        match number {
            1 => Some(Fault::Transport),
            2 => Some(Fault::Parse),
            3 => Some(Fault::Direction),
            4 => Some(Fault::State),
            _ => None,
        }
    }

    /// The reason that Node's server would give.
    pub(super) fn reason(self) -> EndReason {
        match self {
            Fault::Transport | Fault::Direction => EndReason::TransportError,
            Fault::Parse => EndReason::ParseError,
            Fault::State => EndReason::ForcedClose,
        }
    }

    /// What the log calls it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Fault::Transport => "protocol_error",
            Fault::Parse => "parse_error",
            Fault::Direction | Fault::State => "out_of_turn",
        }
    }

    pub(super) fn message(self) -> &'static str {
        match self {
            Fault::Transport => "the client broke the protocol of WebSockets",
            Fault::Parse => "the client sent what cannot be parsed",
            Fault::Direction => "the client sent what only a server sends",
            Fault::State => "the client is not in the namespace, or in it already",
        }
    }
}

impl Manners {
    pub(super) fn new(parser: Parser) -> Self {
        Self {
            parser,
            awaited: Some(0),
        }
    }

    pub(super) fn is_msgpack(&self) -> bool {
        self.parser == Parser::Msgpack
    }

    /// A text passes that could not be judged.
    pub(super) fn pass(&mut self) {
        self.awaited = None;
    }

    /// Judges the text of an Engine.IO packet. `is_whole`: the text ends where `text` does.
    pub(super) fn text(
        &mut self,
        text: impl Iterator<Item = u8>,
        is_whole: bool,
        namespaces: &impl Namespaces,
    ) -> Judged {
        let mut text = Text { text, is_whole };
        let judgement = match text.next()? {
            Some(b'4') if self.parser == Parser::Text => {
                return self.message(&mut text, namespaces);
            }
            Some(b'4') => Judgement::Pass,
            Some(b'b') => self.binary(),
            Some(b'1') => Judgement::Pass,
            Some(b'3') if text.next()?.is_none() => Judgement::Pass,
            Some(b'0' | b'3' | b'5' | b'6') => Judgement::Ignore,
            Some(b'2') => Judgement::End(Fault::Direction),
            _ => Judgement::End(Fault::Parse),
        };
        Ok(judgement)
    }

    /// Judges an attachment.
    pub(super) fn binary(&mut self) -> Judgement {
        match self.awaited {
            _ if self.parser != Parser::Text => Judgement::Pass,
            None => Judgement::Pass,
            Some(0) => Judgement::End(Fault::Parse),
            Some(count) => {
                self.awaited = Some(count - 1);
                Judgement::Pass
            }
        }
    }

    fn message(
        &mut self,
        text: &mut Text<impl Iterator<Item = u8>>,
        namespaces: &impl Namespaces,
    ) -> Judged {
        const MALFORMED: Judgement = Judgement::End(Fault::Parse);
        let kind = text.next()?;
        if self.awaited.is_some_and(|count| count > 0) {
            return Ok(MALFORMED);
        }
        let attachments = match kind {
            Some(b'5' | b'6') => match text.attachments()? {
                Some(count) => count,
                None => return Ok(MALFORMED),
            },
            _ => 0,
        };
        let Some(rest) = text.rest()? else {
            self.pass();
            return Ok(Judgement::Pass);
        };
        let is_in = namespaces.is_in(&rest.namespace);
        let is_well_formed = match (kind, rest.payload) {
            (Some(b'0'), payload) => matches!(payload, None | Some(b'{')),
            (Some(b'1'), payload) => payload.is_none(),
            (Some(b'2' | b'5'), Some(b'[')) => text.names_an_event()?,
            (Some(b'3' | b'6'), Some(b'[')) | (Some(b'3'), None) => true,
            (Some(b'4'), _) => true,
            _ => false,
        };
        if !is_well_formed {
            return Ok(MALFORMED);
        }
        let judgement = match kind {
            Some(b'4') => Judgement::End(Fault::State),
            Some(b'0') if is_in => Judgement::End(Fault::State),
            Some(b'0') => Judgement::Pass,
            _ if !is_in => Judgement::End(Fault::State),
            Some(b'3') if !rest.has_id || rest.payload.is_none() => Judgement::Ignore,
            Some(b'6') if !rest.has_id => MALFORMED,
            _ => Judgement::Pass,
        };
        if judgement == Judgement::Pass {
            // No more than `MAX_ATTACHMENTS`.
            self.awaited = Some(u8::try_from(attachments).unwrap_or(u8::MAX));
            if kind == Some(b'1') {
                namespaces.leaves(&rest.namespace);
            }
        }
        Ok(judgement)
    }
}

/// A text that may go on behind what there is of it.
struct Text<I> {
    text: I,
    is_whole: bool,
}

/// What is behind the type of a packet.
struct Rest {
    namespace: Cow<'static, str>,
    has_id: bool,
    /// The first character of the payload.
    payload: Option<u8>,
}

impl<I: Iterator<Item = u8>> Text<I> {
    /// `None`: the text has ended.
    fn next(&mut self) -> Judged<Option<u8>> {
        match self.text.next() {
            None if !self.is_whole => Err(Undecided),
            next => Ok(next),
        }
    }

    /// The number of attachments, with the dash behind it.
    fn attachments(&mut self) -> Judged<Option<usize>> {
        let mut count = 0_usize;
        loop {
            match self.next()? {
                Some(digit @ b'0'..=b'9') => {
                    count = count
                        .saturating_mul(10)
                        .saturating_add(usize::from(digit - b'0'));
                }
                Some(b'-') if (1..=MAX_ATTACHMENTS).contains(&count) => return Ok(Some(count)),
                _ => return Ok(None),
            }
        }
    }

    /// The namespace, the number of the ack and the begin of the payload. `None`: there is too much of it to say.
    fn rest(&mut self) -> Judged<Option<Rest>> {
        let mut namespace = Cow::Borrowed("/");
        let mut next = self.next()?;
        if next == Some(b'/') {
            let mut bytes = vec![b'/'];
            loop {
                match self.next()? {
                    None | Some(b',') => break,
                    Some(_) if bytes.len() == LONGEST_NAMESPACE => return Ok(None),
                    Some(byte) => bytes.push(byte),
                }
            }
            // What is no UTF-8 names nothing.
            namespace = String::from_utf8(bytes).unwrap_or_default().into();
            next = self.next()?;
        }
        let has_id = next.is_some_and(|byte| byte.is_ascii_digit());
        while next.is_some_and(|byte| byte.is_ascii_digit()) {
            next = self.next()?;
        }
        while next.is_some_and(is_space) {
            next = self.next()?;
        }
        Ok(Some(Rest {
            namespace,
            has_id,
            payload: next,
        }))
    }

    /// Behind the bracket: whether a text comes first.
    fn names_an_event(&mut self) -> Judged<bool> {
        loop {
            match self.next()? {
                Some(byte) if is_space(byte) => {}
                next => return Ok(next == Some(b'"')),
            }
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests;
