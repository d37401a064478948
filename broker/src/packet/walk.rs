//! Walks over text that is known to be JSON, and one of them: how deep it is, and whether its placeholders have
//! attachments.
//!
//! Only the brackets, the keys of objects and two of their values matter there. It is not a parser: what it is given
//! has been parsed, so that it can step from token to token.

use std::ops::Range;

use super::MAX_DEPTH;

/// The tokens of a text, with where they begin: brackets, commas, colons, and scalars as they are written.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Goes on at another place of the text.
    pub(super) fn seek(&mut self, at: usize) {
        self.at = at;
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.as_bytes().get(self.at) {
            self.at += 1;
        }
        let start = self.at;
        self.at = match self.text.as_bytes().get(start)? {
            b'"' => string_end(self.text, start),
            b'[' | b'{' | b']' | b'}' | b',' | b':' => start + 1,
            _ => scalar_end(self.text, start),
        };
        Some((start, self.text.get(start..self.at)?))
    }
}

/// An array or object that is open.
#[derive(Clone, Copy)]
enum Frame<'a> {
    Array,
    /// What is known of `_placeholder` and `num`, of which JavaScript's parser keeps the last.
    Object {
        key: Key,
        placeholder: bool,
        num: Option<&'a str>,
    },
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Key {
    /// A key comes next.
    Expected,
    Placeholder,
    Num,
    Other,
}

/// What decoders will make of `text`: with attachments, every object whose `_placeholder` is `true` is replaced by the
/// attachment that its `num` says, and one that does not exist closes the connection. Objects that JavaScript never
/// gets to, within a placeholder or under a key that comes again, are held to the same.
pub(super) fn check(text: &str, attachments: usize) -> Result<(), String> {
    let mut open: Vec<Frame<'_>> = Vec::with_capacity(8);
    for (_, token) in Tokens::new(text) {
        match token.as_bytes().first() {
            Some(b'[' | b'{') if open.len() == MAX_DEPTH => {
                return Err(format!("nested deeper than {MAX_DEPTH}"));
            }
            Some(b'[') => {
                note(&mut open, "");
                open.push(Frame::Array);
            }
            Some(b'{') => {
                note(&mut open, "");
                open.push(Frame::Object {
                    key: Key::Expected,
                    placeholder: false,
                    num: None,
                });
            }
            Some(b']' | b'}') => {
                if let Some(Frame::Object {
                    placeholder: true,
                    num,
                    ..
                }) = open.pop()
                    && attachments > 0
                {
                    check_index(num, attachments)?;
                }
            }
            Some(b',') => {
                if let Some(Frame::Object { key, .. }) = open.last_mut() {
                    *key = Key::Expected;
                }
            }
            Some(b':') => {}
            _ => note(&mut open, token),
        }
    }
    Ok(())
}

/// Where the placeholders of attachments stand in text that has passed [`check`], and which attachment each is for.
pub(super) fn placeholders(text: &str) -> Vec<(Range<usize>, usize)> {
    let mut found: Vec<(Range<usize>, usize)> = Vec::new();
    let mut open: Vec<Frame<'_>> = Vec::with_capacity(8);
    let mut begins = Vec::with_capacity(8);
    for (at, token) in Tokens::new(text) {
        match token.as_bytes().first() {
            Some(first @ (b'[' | b'{')) => {
                note(&mut open, "");
                begins.push(at);
                open.push(match first {
                    b'[' => Frame::Array,
                    _ => Frame::Object {
                        key: Key::Expected,
                        placeholder: false,
                        num: None,
                    },
                });
            }
            Some(b']' | b'}') => {
                let (closed, begin) = (open.pop(), begins.pop().unwrap_or_default());
                if let Some(Frame::Object {
                    placeholder: true,
                    num,
                    ..
                }) = closed
                {
                    // What stands inside of a placeholder, nobody gets to.
                    found.retain(|(range, _)| range.start < begin);
                    let number = num.and_then(number).unwrap_or_default() as usize;
                    found.push((begin..at + 1, number));
                }
            }
            Some(b',') => {
                if let Some(Frame::Object { key, .. }) = open.last_mut() {
                    *key = Key::Expected;
                }
            }
            Some(b':') => {}
            _ => note(&mut open, token),
        }
    }
    found
}

/// Takes note of a key, or of a value: its text, empty for an array or object.
fn note<'a>(open: &mut [Frame<'a>], token: &'a str) {
    let Some(Frame::Object {
        key,
        placeholder,
        num,
    }) = open.last_mut()
    else {
        return;
    };
    match key {
        Key::Expected => *key = key_of(token),
        Key::Placeholder => *placeholder = token == "true",
        Key::Num => *num = Some(token),
        Key::Other => {}
    }
}

pub(super) fn key_of(token: &str) -> Key {
    // A key may be written with escapes. One that cannot be decoded is neither of the two.
    let decoded = token
        .contains('\\')
        .then(|| serde_json::from_str::<String>(token).unwrap_or_default());
    let name = match &decoded {
        Some(name) => name,
        None => token.trim_matches('"'),
    };
    match name {
        "_placeholder" => Key::Placeholder,
        "num" => Key::Num,
        _ => Key::Other,
    }
}

/// The number of a token as JavaScript reads it: `1.0` and `10e-1` are the integer 1. Text that is no number is nothing.
pub(super) fn number(token: &str) -> Option<f64> {
    let is_number = token.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    token.parse().ok().filter(|_| is_number)
}

fn check_index(num: Option<&str>, attachments: usize) -> Result<(), String> {
    let number = num
        .and_then(number)
        .ok_or("a placeholder without a number")?;
    if number.fract() != 0.0 || number < 0.0 || number >= attachments as f64 {
        return Err(format!(
            "a placeholder for none of the {attachments} attachments"
        ));
    }
    Ok(())
}

/// The index after the quote that ends the string that begins at `start`.
fn string_end(text: &str, start: usize) -> usize {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

fn scalar_end(text: &str, start: usize) -> usize {
    text.bytes()
        .enumerate()
        .skip(start)
        .find(|(_, byte)| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r'))
        .map_or(text.len(), |(index, _)| index)
}
