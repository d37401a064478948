//! A strict reader of JSON text (RFC 8259) that makes nothing of what it reads: it tells where things are.
//!
//! Texts are read a character at a time, so that a caller can count and replace as it goes. A surrogate without its
//! other half, which JavaScript allows in its strings, counts as one character.

use std::borrow::Cow;
use std::ops::Range;

use crate::plain::{Interest, plain};

/// The text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Malformed;

/// What a value is, by its first character.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Begins with a quote.
    String,
    /// Begins with a digit or a minus.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
    /// Begins with a brace.
    Object,
    /// Begins with a bracket.
    Array,
}

/// What a value is whose first byte is this one.
static KINDS: [Option<Kind>; 256] = {
    let mut kinds = [None; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'"' => Some(Kind::String),
            b'-' | b'0'..=b'9' => Some(Kind::Number),
            b't' | b'f' => Some(Kind::Boolean),
            b'n' => Some(Kind::Null),
            b'{' => Some(Kind::Object),
            b'[' => Some(Kind::Array),
            _ => None,
        };
        byte += 1;
    }
    kinds
};

/// A position in a text.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the beginning of a text.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// How many bytes have been read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The kind of the value that comes next; only its first character has been looked at.
    #[inline(always)]
    pub fn kind(&mut self) -> Result<Kind, Malformed> {
        self.skip_space();
        let byte = self.byte().ok_or(Malformed)?;
        KINDS[usize::from(byte)].ok_or(Malformed)
    }

    /// This character, after any space.
    #[inline(always)]
    pub fn expect(&mut self, wanted: u8) -> Result<(), Malformed> {
        if self.accept(wanted) {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// This character, after any space, if it is there.
    #[inline(always)]
    pub fn accept(&mut self, wanted: u8) -> bool {
        self.skip_space();
        let found = self.byte() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    /// Whether another item follows in an array or object, whose first has been read unless `first`.
    #[inline(always)]
    pub fn next_item(&mut self, first: bool, end: u8) -> Result<bool, Malformed> {
        self.skip_space();
        match self.byte() {
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            _ if first => Ok(true),
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            _ => Err(Malformed),
        }
    }

    /// Nothing but space is left.
    pub fn end(&mut self) -> Result<(), Malformed> {
        self.skip_space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// Skips characters of a text that are one byte each and of no interest. How many they were.
    ///
    /// Most of most texts is such characters, so that the rest can take its time.
    pub fn skip_plain(&mut self, interest: Interest) -> usize {
        let count = plain(self.rest(), interest);
        self.at += count;
        count
    }

    /// The quote that ends a text, if it comes next.
    #[inline(always)]
    pub fn ends_text(&mut self) -> bool {
        let ends = self.byte() == Some(b'"');
        self.at += usize::from(ends);
        ends
    }

    /// The next character of a text whose opening quote has been read, and where it stands; none at its end.
    pub fn next_char(&mut self) -> Result<Option<(Range<usize>, char)>, Malformed> {
        let start = self.at;
        let char = match self.byte().ok_or(Malformed)? {
            b'"' => {
                self.at += 1;
                return Ok(None);
            }
            b'\\' => {
                self.at += 1;
                self.escape()?
            }
            ..0x20 => return Err(Malformed),
            ascii @ 0x20..0x80 => {
                self.at += 1;
                char::from(ascii)
            }
            _ => {
                let rest = self.text.get(self.at..).ok_or(Malformed)?;
                let char = rest.chars().next().ok_or(Malformed)?;
                self.at += char.len_utf8();
                char
            }
        };
        Ok(Some((start..self.at, char)))
    }

    /// A text as it is meant, borrowed where it is all plain.
    pub fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.expect(b'"')?;
        let start = self.at;
        self.skip_plain(Interest::Json);
        let plain = self.text.get(start..self.at).ok_or(Malformed)?;
        if self.ends_text() {
            return Ok(Cow::Borrowed(plain));
        }
        let mut copy = plain.to_owned();
        while let Some((_, char)) = self.next_char()? {
            copy.push(char);
        }
        Ok(Cow::Owned(copy))
    }

    /// A number as it is written.
    pub fn number(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        self.text.get(start..self.at).ok_or(Malformed)
    }

    /// `true`, `false` or `null`.
    pub fn literal(&mut self) -> Result<(), Malformed> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let literals: [&[u8]; 3] = [b"true", b"false", b"null"];
        let found = literals
            .into_iter()
            .find(|literal| rest.starts_with(literal));
        self.at += found.ok_or(Malformed)?.len();
        Ok(())
    }

    /// Skips a value, whatever it is. What lies inside it has been checked by the broker and is not checked again; depth
    /// is counted and not recursed into, so that no text overflows the stack.
    ///
    /// # Errors
    ///
    /// When the text ends before the value does.
    pub fn skip_value(&mut self) -> Result<(), Malformed> {
        let mut depth = 0_u32;
        loop {
            match self.kind()? {
                Kind::String => self.skip_string()?,
                Kind::Number => {
                    self.number()?;
                }
                Kind::Boolean | Kind::Null => self.literal()?,
                Kind::Object | Kind::Array => {
                    self.at += 1;
                    depth += 1;
                }
            }
            // To the next value, out of everything that ends here.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                self.skip_space();
                match self.byte().ok_or(Malformed)? {
                    b']' | b'}' => depth -= 1,
                    b',' | b':' => {}
                    _ => break,
                }
                self.at += 1;
            }
        }
    }

    fn skip_string(&mut self) -> Result<(), Malformed> {
        self.expect(b'"')?;
        loop {
            self.skip_plain(Interest::Json);
            if self.ends_text() || self.next_char()?.is_none() {
                return Ok(());
            }
        }
    }

    /// Where the value that comes next ends, if it is what stands for a binary attachment:
    /// `{"_placeholder":true,"num":0}`, in either order.
    #[must_use]
    pub fn placeholder(mut self) -> Option<Self> {
        self.expect(b'{').ok()?;
        let (mut marked, mut numbered) = (false, false);
        let mut first = true;
        while self.next_item(first, b'}').ok()? {
            first = false;
            let key = self.string().ok()?;
            self.expect(b':').ok()?;
            let kind = self.kind().ok()?;
            match (&*key, kind) {
                ("_placeholder", Kind::Boolean) if self.byte() == Some(b't') => {
                    self.literal().ok()?;
                    marked = true;
                }
                ("num", Kind::Number) => {
                    let number = self.number().ok()?;
                    numbered = number.bytes().all(|byte| byte.is_ascii_digit());
                }
                _ => return None,
            }
        }
        (marked && numbered).then_some(self)
    }

    #[inline(always)]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Seldom any: what clients send is written without.
    #[inline(always)]
    fn skip_space(&mut self) {
        if let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.skip_spaces();
        }
    }

    #[cold]
    fn skip_spaces(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
    }

    /// One or more.
    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// What an escape stands for; its backslash has been read.
    fn escape(&mut self) -> Result<char, Malformed> {
        let byte = self.byte().ok_or(Malformed)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode_escape()?,
            _ => return Err(Malformed),
        })
    }

    fn unicode_escape(&mut self) -> Result<char, Malformed> {
        let high = self.hex()?;
        if (0xD800..0xDC00).contains(&high) && self.rest().starts_with(b"\\u") {
            let mut ahead = *self;
            ahead.at += 2;
            let low = ahead.hex()?;
            if (0xDC00..0xE000).contains(&low) {
                self.at = ahead.at;
                let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                return char::from_u32(code).ok_or(Malformed);
            }
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, Malformed> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or(Malformed)?;
            self.at += 1;
        }
        Ok(code)
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
