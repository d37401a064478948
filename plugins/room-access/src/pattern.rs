//! Patterns over names: `*` stands for any characters, `{user}` and `{attributes.NAME}` for exactly what the client is.

use std::borrow::Cow;

use crate::rule::Who;

/// A pattern, taken apart at its stars.
#[derive(Debug, PartialEq)]
pub(crate) struct Pattern(Vec<Vec<Part>>);

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    User,
    Attribute(String),
}

impl Pattern {
    /// A pattern with placeholders.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        let chunks = text.split('*').map(|chunk| parts(text, chunk));
        chunks.collect::<Result<_, _>>().map(Self)
    }

    /// A pattern without.
    pub(crate) fn glob(text: &str) -> Self {
        let chunks = text.split('*');
        Self(
            chunks
                .map(|chunk| vec![Part::Text(chunk.to_owned())])
                .collect(),
        )
    }

    /// What it matches for anyone, as the broker matches it.
    pub(crate) fn widest(&self) -> String {
        let chunks = self.0.iter().map(|parts| {
            let parts = parts.iter().map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::User | Part::Attribute(_) => "*",
            });
            parts.collect::<String>()
        });
        chunks.collect::<Vec<_>>().join("*")
    }

    /// False where a placeholder stands for something that the client does not have: everyone without an organisation
    /// would otherwise share the room `org-`.
    pub(crate) fn matches(&self, name: &str, who: &Who) -> bool {
        let chunks = self.0.iter().map(|parts| fill(parts, who));
        let Some(chunks) = chunks.collect::<Option<Vec<_>>>() else {
            return false;
        };
        match &*chunks {
            [] => false,
            [all] => name == all,
            [first, middle @ .., last] => {
                let inner = name
                    .strip_prefix(&**first)
                    .and_then(|rest| rest.strip_suffix(&**last));
                // The earliest place of each leaves the most to those after it.
                let mut middle = middle.iter();
                let rest = inner.and_then(|inner| {
                    middle.try_fold(inner, |rest, chunk| Some(rest.split_once(&**chunk)?.1))
                });
                rest.is_some()
            }
        }
    }
}

fn parts(pattern: &str, chunk: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = chunk;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return Err(format!("{pattern:?} has a `{{` without its `}}`"));
        };
        parts.push(Part::Text(before.to_owned()));
        parts.push(match (name, name.strip_prefix("attributes.")) {
            ("user", _) => Part::User,
            (_, Some(attribute)) if !attribute.is_empty() => Part::Attribute(attribute.to_owned()),
            _ => {
                return Err(format!(
                    "{pattern:?} has `{{{name}}}`, there are `{{user}}` and `{{attributes.NAME}}`"
                ));
            }
        });
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

/// The text of a chunk. What is filled in stands for itself, stars included.
fn fill<'a>(parts: &'a [Part], who: &Who) -> Option<Cow<'a, str>> {
    if let [Part::Text(text)] = parts {
        return Some(Cow::Borrowed(text));
    }
    let mut chunk = String::new();
    for part in parts {
        match part {
            Part::Text(text) => chunk.push_str(text),
            Part::User => chunk.push_str(who.user().filter(|user| !user.is_empty())?),
            Part::Attribute(name) => {
                let value = who.attribute(name)?;
                if value.is_empty() {
                    return None;
                }
                chunk.push_str(&value);
            }
        }
    }
    Some(Cow::Owned(chunk))
}
