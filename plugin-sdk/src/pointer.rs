//! Finding one value in the text of a JSON document without reading the rest: what lies on the way is skipped, nothing
//! is copied and no tree is built.
//!
//! The broker has checked that the text is JSON; on any other text the search ends with nothing, or with a part that
//! does not parse.

use std::borrow::Cow;

/// The text of the value that a JSON Pointer (RFC 6901) names. Where an object has a key more than once, the last one
/// counts, as it does for every JavaScript client.
pub(crate) fn find<'a>(text: &'a str, pointer: &str) -> Option<&'a str> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.spaces();
    if !pointer.is_empty() {
        for step in pointer.strip_prefix('/')?.split('/') {
            scanner.enter(&unescape(step))?;
        }
    }
    let start = scanner.at;
    scanner.skip()?;
    text.get(start..scanner.at)
}

/// `~1` stands for a slash and `~0` for a tilde.
fn unescape(step: &str) -> Cow<'_, str> {
    if step.contains('~') {
        Cow::Owned(step.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(step)
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// From the beginning of a value to the beginning of one of its members.
    fn enter(&mut self, step: &str) -> Option<()> {
        match self.next()? {
            b'[' => self.element(position(step)?),
            b'{' => self.member(step),
            _ => None,
        }
    }

    fn element(&mut self, position: usize) -> Option<()> {
        self.spaces();
        if self.peek()? == b']' {
            return None;
        }
        for _ in 0..position {
            self.skip()?;
            self.spaces();
            if self.next()? != b',' {
                return None;
            }
            self.spaces();
        }
        Some(())
    }

    fn member(&mut self, name: &str) -> Option<()> {
        let mut found = None;
        self.spaces();
        while self.peek()? == b'"' {
            let key = self.string()?;
            self.spaces();
            if self.next()? != b':' {
                return None;
            }
            self.spaces();
            if is_key(key, name) {
                found = Some(self.at);
            }
            self.skip()?;
            self.spaces();
            if self.next()? != b',' {
                break;
            }
            self.spaces();
        }
        self.at = found?;
        Some(())
    }

    /// A string, with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.next()? {
                b'"' => return self.text.get(start..self.at),
                b'\\' => self.at += 1,
                _ => {}
            }
        }
    }

    /// To the end of a value. Depth is counted and not recursed into, so no text overflows the stack.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0u32;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'[' | b'{' => {
                    depth = depth.checked_add(1)?;
                    self.at += 1;
                }
                b']' | b'}' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => {
                    if depth == 0 {
                        return None;
                    }
                    self.at += 1;
                }
                _ => self.scalar(),
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self) {
        while let Some(byte) = self.peek() {
            if matches!(
                byte,
                b',' | b':' | b']' | b'}' | b'"' | b'[' | b'{' | b' ' | b'\t' | b'\n' | b'\r'
            ) {
                break;
            }
            self.at += 1;
        }
    }
}

/// A position as RFC 6901 writes it: without a sign or leading zeros.
fn position(step: &str) -> Option<usize> {
    let plain = step.bytes().all(|byte| byte.is_ascii_digit());
    (plain && (step == "0" || !step.starts_with('0')))
        .then(|| step.parse().ok())
        .flatten()
}

/// Whether a key, in its quotes, is this name.
fn is_key(key: &str, name: &str) -> bool {
    if key.contains('\\') {
        return serde_json::from_str::<String>(key).is_ok_and(|key| key == name);
    }
    key.get(1..key.len() - 1) == Some(name)
}

#[cfg(test)]
mod tests {
    use super::find;
    use serde_json::Value;

    #[test]
    fn it_finds_what_a_tree_would() {
        let text = r#" [ {"text" : "a \"quoted\\" , "deep":[[1,2,{"x":[]}],-1.5e3 ,true], "":{"a/b":1,"m~n":null}}, [], "]",7 ] "#;
        let tree: Value = serde_json::from_str(text).unwrap();
        let mut compared = 0;
        for pointer in [
            "",
            "/0",
            "/1",
            "/2",
            "/3",
            "/4",
            "/0/text",
            "/0/deep",
            "/0/deep/0/2/x",
            "/0/deep/1",
            "/0/deep/2",
            "/0/deep/3",
            "/0//a~1b",
            "/0//m~0n",
            "/0/nothing",
            "/1/0",
            "/2/0",
            "/-",
            "/00",
            "/01",
            "/+1",
            "0",
            "/0/text/0",
            "/0/deep/0/2/x/0",
            "/18446744073709551616",
        ] {
            let found =
                find(text, pointer).map(|text| serde_json::from_str::<Value>(text).unwrap());
            assert_eq!(found.as_ref(), tree.pointer(pointer), "{pointer}");
            compared += usize::from(found.is_some());
        }
        assert_eq!(compared, 12);
    }

    #[test]
    fn the_last_of_equal_keys_counts_however_it_is_written() {
        let text = r#"[{"text":"good","\u0074ext":"bad"}]"#;
        assert_eq!(find(text, "/0/text"), Some(r#""bad""#));
        assert_eq!(find(r#"{"a":{"b":1},"a":2}"#, "/a/b"), None);
    }

    #[test]
    fn what_is_no_json_finds_nothing_and_ends() {
        let valid = r#"[{"a":"\\\"","b":[1,{"c":null}]}]"#;
        for cut in 0..valid.len() {
            for pointer in ["", "/0", "/0/a", "/0/b/1/c", "/1"] {
                let _ = find(&valid[..cut], pointer);
                let _ = find(&valid[cut..], pointer);
            }
        }
        let deep = "[".repeat(1_000_000);
        assert_eq!(find(&deep, "/0/0"), None);
        for text in [
            "", "\"", "\"\\", "{\"a\"", "{\"a\":", "{a:1}", "]", ",", "[,]",
        ] {
            assert_eq!(find(text, "/0").or(find(text, "/a")), None, "{text}");
        }
    }
}
