//! JSON Pointers (RFC 6901) that find their value in JSON text without a tree being made of the rest.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A pointer into the array of an event's arguments.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pointer {
    text: Box<str>,
    tokens: Box<[Token]>,
}

#[derive(Clone, PartialEq, Eq)]
struct Token {
    name: Box<str>,
    /// What the name means in an array.
    index: Option<usize>,
}

impl Pointer {
    /// The whole argument of that number.
    pub(crate) fn argument(number: usize) -> Self {
        Self {
            text: format!("/{number}").into(),
            tokens: [Token::new(number.to_string())].into(),
        }
    }

    /// `Err` says what is wrong with the text.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix('/').ok_or("does not begin with `/`")?;
        let tokens = rest.split('/').map(unescape).collect::<Option<Box<[_]>>>();
        let tokens = tokens.ok_or("has a `~` that neither 0 nor 1 follows")?;
        if tokens.first().is_none_or(|token| token.index.is_none()) {
            return Err("does not begin with the number of an argument");
        }
        Ok(Self {
            text: text.into(),
            tokens,
        })
    }

    /// The text of the value; `None` where there is none. Of two members of one name the later counts, as it does for
    /// JavaScript and for policies: a room must not be read from the one that nobody else has seen.
    pub(crate) fn find<'a>(&self, json: &'a str) -> Option<&'a str> {
        let mut json = json;
        for token in &self.tokens {
            let mut found = None;
            let step = Step {
                token,
                found: &mut found,
            };
            // The visitor leaves an array as soon as it has the element, which the reader takes for a mistake.
            _ = serde_json::Deserializer::from_str(json).deserialize_any(step);
            json = found?;
        }
        Some(json)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

fn unescape(token: &str) -> Option<Token> {
    let mut name = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        name.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            c => c,
        });
    }
    Some(Token::new(name))
}

impl Token {
    fn new(name: String) -> Self {
        let digits = name.bytes().all(|b| b.is_ascii_digit());
        let canonical = name == "0" || (digits && !name.starts_with('0'));
        Self {
            index: name.parse().ok().filter(|_| canonical),
            name: name.into(),
        }
    }
}

/// One level down.
struct Step<'t, 'f, 'a> {
    token: &'t Token,
    found: &'f mut Option<&'a str>,
}

impl<'a> Visitor<'a> for Step<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some(index) = self.token.index else {
            return Ok(());
        };
        for _ in 0..index {
            if seq.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        *self.found = seq.next_element::<&RawValue>()?.map(RawValue::get);
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let mut last = None;
        while let Some(same) = map.next_key_seed(Is(&self.token.name))? {
            if same {
                last = Some(map.next_value::<&RawValue>()?.get());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        *self.found = last;
        Ok(())
    }
}

/// Compares a key without keeping it.
struct Is<'t>(&'t str);

impl<'a> DeserializeSeed<'a> for Is<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'a>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}
