//! Patterns over event names: `*` stands for any characters, none included, and everything else for itself.

use std::fmt;

/// A pattern that has been taken apart once, so that matching costs time linear in the name whatever the pattern is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Glob {
    text: Box<str>,
    shape: Shape,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Shape {
    Any,
    Literal,
    Pieces {
        prefix: Box<str>,
        /// What has to appear in this order between the two ends; never empty texts.
        middle: Box<[Box<str>]>,
        suffix: Box<str>,
    },
}

impl Glob {
    pub(crate) fn new(pattern: &str) -> Self {
        let shape = match (pattern.split_once('*'), pattern.rsplit_once('*')) {
            (Some((prefix, rest)), Some((_, suffix))) => {
                let middle = rest.strip_suffix(suffix).unwrap_or_default();
                let middle: Box<[_]> = middle
                    .split('*')
                    .filter(|piece| !piece.is_empty())
                    .map(Box::from)
                    .collect();
                if prefix.is_empty() && suffix.is_empty() && middle.is_empty() {
                    Shape::Any
                } else {
                    Shape::Pieces {
                        prefix: prefix.into(),
                        middle,
                        suffix: suffix.into(),
                    }
                }
            }
            _ => Shape::Literal,
        };
        Self {
            text: pattern.into(),
            shape,
        }
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        match &self.shape {
            Shape::Any => true,
            Shape::Literal => *self.text == *name,
            Shape::Pieces {
                prefix,
                middle,
                suffix,
            } => {
                // Both ends are cut off before the middle is searched, so that they cannot share characters.
                let Some(inner) = name
                    .strip_prefix(&**prefix)
                    .and_then(|rest| rest.strip_suffix(&**suffix))
                else {
                    return false;
                };
                // The earliest place of each piece leaves the most room for the next: no need to try others.
                let mut rest = inner;
                middle.iter().all(|piece| {
                    let found = rest.split_once(&**piece);
                    rest = found.map_or("", |(_, after)| after);
                    found.is_some()
                })
            }
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let glob = Glob::new(pattern);
        for name in yes {
            assert!(glob.matches(name), "{pattern} has to match {name:?}");
        }
        for name in no {
            assert!(!glob.matches(name), "{pattern} must not match {name:?}");
        }
    }

    #[test]
    fn literals() {
        check("chat", &["chat"], &["", "chats", "cha", "Chat"]);
        check("", &[""], &["a"]);
        check("a.c[0]?", &["a.c[0]?"], &["abc[0]?", "a.c0x"]);
    }

    #[test]
    fn any() {
        check("*", &["", "a", "*", "ünï\ncode"], &[]);
        check("***", &["", "abc"], &[]);
    }

    #[test]
    fn ends() {
        check(
            "chat:*",
            &["chat:", "chat:a", "chat:*"],
            &["chat", "xchat:"],
        );
        check(
            "*:done",
            &[":done", "a:done", ":done:done"],
            &["done", "a:done "],
        );
        check("a*b", &["ab", "a-b", "abab"], &["a", "b", "ba", "abc"]);
    }

    #[test]
    fn the_two_ends_do_not_share_characters() {
        check("aba*aba", &["abaaba", "aba-aba"], &["aba", "ababa"]);
        check("a*a", &["aa"], &["a"]);
    }

    #[test]
    fn middles_are_found_in_order() {
        check("*b*d*", &["bd", "abcde", "bbdd"], &["db", "b", "d", ""]);
        check("a*b*b*c", &["abbc", "a-b-b-c"], &["abc", "ab-c"]);
        check("a**b", &["ab", "acb"], &["a"]);
        check("*é*", &["café au lait"], &["cafe"]);
    }

    #[test]
    fn hostile_patterns_cost_no_more_than_others() {
        let glob = Glob::new(&"a*".repeat(200));
        let name = format!("{}b", "a".repeat(100_000));
        assert!(glob.matches(&name));
        let glob = Glob::new(&format!("{}c", "a*".repeat(200)));
        let started = std::time::Instant::now();
        assert!(!glob.matches(&name));
        assert!(started.elapsed() < std::time::Duration::from_secs(1));
    }
}
