//! Texts of JSON without what they say: strings keep their length and nothing else, keys and numbers stay.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// Which strings of an event's arguments are taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Redact {
    /// Every one.
    #[default]
    Strings,
    None,
    /// Those at these JSON Pointers (RFC 6901), and in what is there.
    At(Vec<Vec<String>>),
}

impl<'de> Deserialize<'de> for Redact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Words {
            One(String),
            Many(Vec<String>),
        }
        let wrong = || {
            serde::de::Error::custom(
                "expected \"strings\", \"none\" or a list of JSON Pointers into the arguments",
            )
        };
        match Words::deserialize(deserializer).map_err(|_: D::Error| wrong())? {
            Words::One(word) if word == "strings" => Ok(Self::Strings),
            Words::One(word) if word == "none" => Ok(Self::None),
            Words::One(_) => Err(wrong()),
            Words::Many(pointers) => {
                let all = pointers.iter().map(|pointer| tokens(pointer));
                all.collect::<Option<_>>().map(Self::At).ok_or_else(wrong)
            }
        }
    }
}

fn tokens(pointer: &str) -> Option<Vec<String>> {
    let rest = pointer.strip_prefix('/')?;
    let tokens = rest.split('/');
    Some(
        tokens
            .map(|it| it.replace("~1", "/").replace("~0", "~"))
            .collect(),
    )
}

impl JsonSchema for Redact {
    fn schema_name() -> Cow<'static, str> {
        "Redact".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Which strings of an event's arguments are taken out: all, none, or those at JSON Pointers.",
            "anyOf": [
                {"enum": ["strings", "none"]},
                {"type": "array", "items": {"type": "string", "pattern": "^/"}},
            ],
        })
    }
}

impl Redact {
    /// What is no argument: it is as private as the most private of them.
    pub(super) fn is_off(&self) -> bool {
        *self == Self::None
    }

    /// Arguments: the text of a JSON array that was checked.
    pub(crate) fn args(&self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Strings => Walk::over(text, &|_| true),
            Self::At(pointers) => Walk::over(text, &|path| {
                pointers.iter().any(|pointer| path.starts_with(pointer))
            }),
        }
    }

    /// Other JSON that was checked.
    pub(super) fn all(&self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Strings | Self::At(_) => Walk::over(text, &|_| true),
        }
    }

    pub(super) fn text(&self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Strings | Self::At(_) => covered(text),
        }
    }
}

fn covered(text: &str) -> String {
    "x".repeat(text.chars().count())
}

/// A walk over JSON that is known to be JSON.
struct Walk<'a> {
    rest: &'a str,
    out: String,
    path: Vec<String>,
    is_hidden: &'a dyn Fn(&[String]) -> bool,
}

impl<'a> Walk<'a> {
    fn over(text: &'a str, is_hidden: &'a dyn Fn(&[String]) -> bool) -> String {
        let mut walk = Self {
            rest: text,
            out: String::with_capacity(text.len()),
            path: Vec::new(),
            is_hidden,
        };
        walk.containers();
        walk.out
    }

    /// Takes so many bytes over as they are.
    fn copy(&mut self, bytes: usize) {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.out.push_str(taken);
        self.rest = rest;
    }

    /// The string that comes next, with its quotes.
    fn string(&mut self) -> &'a str {
        let mut is_escaped = false;
        let end = self.rest.bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            ends
        });
        let length = end.map_or(self.rest.len(), |end| end + 2);
        let (string, rest) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        string
    }

    fn containers(&mut self) {
        /// A key is expected, in an object.
        #[derive(Clone, Copy, PartialEq)]
        enum In {
            Key,
            Value,
            Array(usize),
        }
        let mut stack: Vec<In> = Vec::new();
        while let Some(byte) = self.rest.bytes().next() {
            match byte {
                b'"' if stack.last() == Some(&In::Key) => {
                    let key = self.string();
                    self.out.push_str(key);
                    self.path
                        .push(serde_json::from_str(key).unwrap_or_default());
                }
                b'"' => {
                    let value = self.string();
                    match (self.is_hidden)(&self.path) {
                        false => self.out.push_str(value),
                        true => {
                            let value: String = serde_json::from_str(value).unwrap_or_default();
                            self.out.push('"');
                            self.out.push_str(&covered(&value));
                            self.out.push('"');
                        }
                    }
                }
                b'{' => {
                    stack.push(In::Key);
                    self.copy(1);
                }
                b'[' => {
                    stack.push(In::Array(0));
                    self.path.push("0".to_owned());
                    self.copy(1);
                }
                b':' => {
                    if let Some(last) = stack.last_mut() {
                        *last = In::Value;
                    }
                    self.copy(1);
                }
                b',' => {
                    self.path.pop();
                    match stack.last_mut() {
                        Some(In::Array(index)) => {
                            *index += 1;
                            self.path.push(index.to_string());
                        }
                        Some(last) => *last = In::Key,
                        None => {}
                    }
                    self.copy(1);
                }
                b'}' | b']' => {
                    // An object without members has put nothing there.
                    if stack.pop() != Some(In::Key) {
                        self.path.pop();
                    }
                    self.copy(1);
                }
                _ => {
                    let end = self.rest.find(['"', '{', '}', '[', ']', ':', ',']);
                    self.copy(end.unwrap_or(self.rest.len()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Redact {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn strings_keep_their_length_and_everything_else_stays() {
        let text = r#"["höi \"x\"", 1.50, {"to" : "a\\", "n":[true,null,"\u0041b"], "e":{}}, ""]"#;
        assert_eq!(
            Redact::Strings.args(text),
            r#"["xxxxxxx", 1.50, {"to" : "xx", "n":[true,null,"xx"], "e":{}}, ""]"#
        );
        assert_eq!(Redact::None.args(text), text);
    }

    #[test]
    fn pointers_name_what_goes() {
        let redact = read(r#"["/0/text", "/1", "/2/a~1b"]"#);
        assert_eq!(
            redact.args(
                r#"[{"room":"r","e":{},"text":"hello"},["a",{"b":"c"}],{"a/b":"d","a":"e"},"f"]"#
            ),
            r#"[{"room":"r","e":{},"text":"xxxxx"},["x",{"b":"x"}],{"a/b":"x","a":"e"},"f"]"#
        );
        assert_eq!(redact.all(r#"{"token":"abc"}"#), r#"{"token":"xxx"}"#);
    }

    #[test]
    fn what_is_no_way_to_redact_is_told() {
        for text in ["\"all\"", "[\"0\"]", "[\"\"]", "3"] {
            let told = serde_json::from_str::<Redact>(text).unwrap_err();
            assert!(told.to_string().contains("JSON Pointers"), "{told}");
        }
        assert_eq!(read("\"none\""), Redact::None);
    }
}
