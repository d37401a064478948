//! One walk over text that is known to be JSON: how deep it is, and whether its placeholders have attachments.
//!
//! Only the brackets, the keys of objects and two of their values matter here. It is not a parser: what it is given
//! has been parsed, so that it can step from token to token.

use super::MAX_DEPTH;

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
enum Key {
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
    let mut at = 0;
    while let Some(&byte) = text.as_bytes().get(at) {
        let end = match byte {
            b'"' => string_end(text, at),
            b'[' | b'{' | b']' | b'}' | b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => at + 1,
            _ => scalar_end(text, at),
        };
        match byte {
            b'[' | b'{' if open.len() == MAX_DEPTH => {
                return Err(format!("nested deeper than {MAX_DEPTH}"));
            }
            b'[' => {
                note(&mut open, "");
                open.push(Frame::Array);
            }
            b'{' => {
                note(&mut open, "");
                open.push(Frame::Object {
                    key: Key::Expected,
                    placeholder: false,
                    num: None,
                });
            }
            b']' | b'}' => {
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
            b',' => {
                if let Some(Frame::Object { key, .. }) = open.last_mut() {
                    *key = Key::Expected;
                }
            }
            b':' | b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => note(&mut open, text.get(at..end).unwrap_or_default()),
        }
        at = end;
    }
    Ok(())
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

fn key_of(token: &str) -> Key {
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

fn check_index(num: Option<&str>, attachments: usize) -> Result<(), String> {
    // As JavaScript reads it: `1.0` and `10e-1` are the integer 1. Text that is no number is nothing.
    let number: f64 = num
        .filter(|token| token.starts_with(|c: char| c == '-' || c.is_ascii_digit()))
        .and_then(|token| token.parse().ok())
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
