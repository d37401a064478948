//! Text with some parts replaced, copied only when the first part is.

use std::borrow::Cow;
use std::ops::Range;

/// A text that is read from front to back, with what becomes of it.
#[derive(Debug)]
pub struct Rewrite<'a> {
    text: &'a str,
    /// Where what has been dealt with begins and ends.
    start: usize,
    done: usize,
    copy: Option<String>,
}

impl<'a> Rewrite<'a> {
    /// Of the text from here on.
    #[must_use]
    pub fn new(text: &'a str, start: usize) -> Self {
        Self {
            text,
            start,
            done: start,
            copy: None,
        }
    }

    /// Puts something in place of a part that comes after all that has been replaced.
    pub fn replace(&mut self, part: Range<usize>, with: &str) {
        let between = self.text.get(self.done..part.start).unwrap_or_default();
        let copy = self
            .copy
            .get_or_insert_with(|| String::with_capacity(self.text.len() + 64));
        copy.push_str(between);
        copy.push_str(with);
        self.done = part.end;
    }

    /// Whether nothing has been replaced.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.copy.is_none()
    }

    /// The text up to here.
    #[must_use]
    pub fn finish(self, end: usize) -> Cow<'a, str> {
        match self.copy {
            None => Cow::Borrowed(self.text.get(self.start..end).unwrap_or_default()),
            Some(mut copy) => {
                copy.push_str(self.text.get(self.done..end).unwrap_or_default());
                Cow::Owned(copy)
            }
        }
    }
}
