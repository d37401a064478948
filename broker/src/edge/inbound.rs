//! What a client sends over a WebSocket, frame by frame, before the protocol library reads it.
//!
//! Almost all of it passes as it is. Frames that break the protocol end the connection with the close code that says
//! so, for which the library has no room; packets that Node's server would not take do not reach it (see `manners`);
//! events whose name the library could not read are marked (see `escape`).

mod header;
mod text;

use super::acks::{self, Edit};
use super::escape;
use super::manners::{Fault, Judgement, Manners, Namespaces};
use super::parser::Parser;
pub(super) use header::Header;
use text::Text;

/// An Engine.IO `close` as a client would send it: a masked text frame with the packet `1` and a mask of zeros.
pub(super) const CLOSE: [u8; 7] = [0x81, 0x81, 0, 0, 0, 0, b'1'];
/// The answer to a heartbeat, as a client would send it.
pub(super) const PONG: [u8; 7] = [0x81, 0x81, 0, 0, 0, 0, b'3'];

const MASK: usize = 4;

/// How much of a message is looked at to find the name of its event. Longer names have no escapes.
const LOOKED_AT: usize = 1024;

/// The packets with which a client that polled moves over, as it would send them.
pub(super) const PROBE: [u8; 12] = *b"\x81\x86\0\0\0\x002probe";
pub(super) const UPGRADE: [u8; 7] = [0x81, 0x81, 0, 0, 0, 0, b'5'];

/// The client did what ends its connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub fault: Fault,
    /// Of the close frame (RFC 6455, section 7.4.1).
    pub code: Option<u16>,
    pub what: &'static str,
}

pub(super) const fn protocol_error(what: &'static str) -> Violation {
    Violation {
        fault: Fault::Transport,
        code: Some(1002),
        what,
    }
}

pub(super) const TOO_LARGE: Violation = Violation {
    fault: Fault::Transport,
    code: Some(1009),
    what: "a message is too large",
};

/// Node's server gives no code for what is wrong with a packet.
const fn unmannerly(fault: Fault) -> Violation {
    Violation {
        fault,
        code: None,
        what: "",
    }
}

pub(super) struct Inbound {
    /// Bytes of one message.
    max_message: u64,
    /// The begin of a frame that cannot be judged yet.
    held: Box<[u8]>,
    /// Bytes of the current frame's payload that are still to come.
    payload: u64,
    /// Bytes of the current message so far; `None` between two messages.
    message: Option<u64>,
    text: Text,
    manners: Manners,
}

impl Inbound {
    pub(super) fn new(max_message: u64, parser: Parser) -> Self {
        Self {
            max_message,
            held: Box::default(),
            payload: 0,
            message: None,
            text: Text::default(),
            manners: Manners::new(parser),
        }
    }

    /// Takes what has been read, and puts out what the library is to read.
    ///
    /// # Errors
    /// The client broke the protocol. What it sent before has been put out.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        namespaces: &impl Namespaces,
        out: &mut impl FnMut(&[u8]),
    ) -> Result<(), Violation> {
        if self.held.is_empty() {
            let used = self.walk(bytes, namespaces, out)?;
            self.held = bytes.get(used..).unwrap_or_default().into();
            return Ok(());
        }
        let mut all = std::mem::take(&mut self.held).into_vec();
        all.extend(bytes);
        let used = self.walk(&all, namespaces, out)?;
        self.held = all.get(used..).unwrap_or_default().into();
        Ok(())
    }

    /// The library has read no message that has not ended.
    pub(super) fn at_boundary(&self) -> bool {
        self.payload == 0 && self.message.is_none()
    }

    /// The answer is how many bytes have been dealt with.
    fn walk(
        &mut self,
        bytes: &[u8],
        namespaces: &impl Namespaces,
        out: &mut impl FnMut(&[u8]),
    ) -> Result<usize, Violation> {
        // What is between the two passes as it is.
        let (mut from, mut at) = (0, 0);
        let result = loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let skipped = rest
                .len()
                .min(usize::try_from(self.payload).unwrap_or(usize::MAX));
            let come = rest.get(..skipped).unwrap_or_default();
            if let Err(violation) = self.text.take(come) {
                break Err(violation);
            }
            self.payload -= skipped as u64;
            // Before the library is given the end of it, which would close without a code.
            if self.at_boundary()
                && let Err(violation) = self.text.ends()
            {
                break Err(violation);
            }
            at += skipped;
            let rest = rest.get(skipped..).unwrap_or_default();
            let header = match Header::read(rest, 0) {
                Ok(Some(header)) => header,
                Ok(None) => break Ok(()),
                Err(violation) => break Err(violation),
            };
            let payload = rest.get(header.len..).unwrap_or_default();
            let judged = self.judge(&header, payload, namespaces);
            match self.read_over(&header, payload, judged) {
                Ok(Judged::Pass) => at += header.len,
                Ok(Judged::Undecided) => break Ok(()),
                Ok(Judged::Skip { len }) => {
                    out(bytes.get(from..at).unwrap_or_default());
                    at += header.len + len;
                    from = at;
                    self.payload = 0;
                }
                Ok(Judged::Mark { before }) => {
                    out(bytes.get(from..at).unwrap_or_default());
                    let mut marked = header.longer(escape::MARK.len());
                    marked.extend(payload.get(..before).unwrap_or_default());
                    marked.extend(header.masked(escape::MARK.as_bytes(), before));
                    out(&marked);
                    at += header.len + before;
                    from = at;
                    self.payload -= before as u64;
                }
                Ok(Judged::Answer(edit)) => {
                    out(bytes.get(from..at).unwrap_or_default());
                    out(&header.edited(payload, &edit));
                    at += header.len + edit.from;
                    from = at;
                    self.payload -= edit.from as u64;
                }
                Err(violation) => break Err(violation),
            }
        };
        out(bytes.get(from..at).unwrap_or_default());
        result.map(|()| at)
    }

    /// Sees that what is no text is told so before anything that is wrong with its packet.
    fn read_over(
        &mut self,
        header: &Header,
        payload: &[u8],
        judged: Result<Judged, Violation>,
    ) -> Result<Judged, Violation> {
        let all = usize::try_from(header.payload).unwrap_or(usize::MAX);
        let read = match &judged {
            Ok(Judged::Undecided) | Err(Violation { code: Some(_), .. }) => return judged,
            // The rest is read over where it passes.
            Ok(Judged::Pass) => 0,
            Ok(Judged::Mark { before }) => *before,
            Ok(Judged::Answer(edit)) => edit.from,
            Ok(Judged::Skip { .. }) | Err(_) => all.min(payload.len()),
        };
        self.text.begin(header);
        self.text.take(payload.get(..read).unwrap_or_default())?;
        if judged.is_err() && header.is_last() && read == all {
            self.text.ends()?;
        }
        judged
    }

    fn judge(
        &mut self,
        header: &Header,
        payload: &[u8],
        namespaces: &impl Namespaces,
    ) -> Result<Judged, Violation> {
        const TEXT: u8 = 1;
        const BINARY: u8 = 2;
        let opcode = header.opcode();
        if opcode >= 8 {
            return self.judge_control(header, payload);
        }
        let is_first = opcode != 0;
        if is_first == self.message.is_some() {
            return Err(protocol_error(
                "a message within a message, or a part of none",
            ));
        }
        let message = self.message.unwrap_or(0).saturating_add(header.payload);
        if message > self.max_message {
            return Err(TOO_LARGE);
        }
        let judged = match opcode {
            TEXT => self.look(header, payload, namespaces)?,
            BINARY => match self.manners.binary() {
                Judgement::End(fault) => return Err(unmannerly(fault)),
                Judgement::Pass | Judgement::Ignore => self.look_at_binary(header, payload),
            },
            _ => Judged::Pass,
        };
        if !matches!(judged, Judged::Undecided) {
            self.message = (!header.is_last()).then_some(message);
            self.payload = header.payload;
        }
        Ok(judged)
    }

    fn judge_control(&mut self, header: &Header, payload: &[u8]) -> Result<Judged, Violation> {
        const CLOSE: u8 = 8;
        let len = usize::try_from(header.payload).unwrap_or(usize::MAX);
        if header.opcode() == CLOSE {
            let Some(payload) = payload.get(..len) else {
                return Ok(Judged::Undecided);
            };
            let reason: Vec<u8> = header.unmasked(payload).skip(2).collect();
            if len == 1 {
                return Err(protocol_error("half a code"));
            }
            if std::str::from_utf8(&reason).is_err() {
                return Err(Violation {
                    fault: Fault::Transport,
                    code: Some(1007),
                    what: "a reason that is no text",
                });
            }
        }
        self.payload = header.payload;
        Ok(Judged::Pass)
    }

    /// Looks at the begin of a message.
    fn look(
        &mut self,
        header: &Header,
        payload: &[u8],
        namespaces: &impl Namespaces,
    ) -> Result<Judged, Violation> {
        let len = usize::try_from(header.payload).unwrap_or(usize::MAX);
        let visible = payload.len().min(len).min(LOOKED_AT);
        let may_wait = visible < len.min(LOOKED_AT);
        let is_whole = visible == len && header.is_last();
        let text = || header.unmasked(payload).take(visible);
        let found = escape::find(&mut text());
        if found == escape::Found::Undecided && may_wait {
            return Ok(Judged::Undecided);
        }
        match self.manners.text(text(), is_whole, namespaces) {
            Err(_) if may_wait => return Ok(Judged::Undecided),
            // In parts, or longer than anything that is looked at: the library judges it.
            Err(_) => self.manners.pass(),
            Ok(Judgement::Pass) => {}
            Ok(Judgement::Ignore) if may_wait => return Ok(Judged::Undecided),
            Ok(Judgement::Ignore) if is_whole => return Ok(Judged::Skip { len }),
            Ok(Judgement::Ignore) => return Err(unmannerly(Fault::Parse)),
            Ok(Judgement::End(fault)) => return Err(unmannerly(fault)),
        }
        if let escape::Found::Escaped { before } = found {
            return Ok(Judged::Mark { before });
        }
        Ok(match acks::find(&mut text()) {
            acks::Found::Answer(edit) => Judged::Answer(edit),
            acks::Found::Undecided if may_wait => Judged::Undecided,
            acks::Found::Other | acks::Found::Undecided => Judged::Pass,
        })
    }

    /// Looks at the begin of a packet in msgpack.
    fn look_at_binary(&self, header: &Header, payload: &[u8]) -> Judged {
        if !self.manners.is_msgpack() {
            return Judged::Pass;
        }
        let len = usize::try_from(header.payload).unwrap_or(usize::MAX);
        let mut begin = [0; acks::LOOKED_AT];
        let visible = payload.len().min(len).min(begin.len());
        for (to, byte) in begin.iter_mut().zip(header.unmasked(payload)) {
            *to = byte;
        }
        let begin = begin.get(..visible).unwrap_or_default();
        match acks::find_binary(begin, visible == len) {
            acks::Found::Answer(edit) => Judged::Answer(edit),
            acks::Found::Undecided => Judged::Undecided,
            acks::Found::Other => Judged::Pass,
        }
    }
}

enum Judged {
    Pass,
    /// More of the frame has to come first.
    Undecided,
    /// The library is not to read the frame, which has so many bytes of payload.
    Skip {
        len: usize,
    },
    /// It is to be read as an event.
    Answer(Edit),
    /// The mark belongs behind so many bytes of the payload.
    Mark {
        before: usize,
    },
}

#[cfg(test)]
mod tests;
