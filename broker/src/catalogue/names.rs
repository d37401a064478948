//! Names that references can be made of, for whatever people call things.

use std::collections::HashSet;

/// Names that have been given.
#[derive(Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// A name that nothing else has: the text with whatever is not a letter, digit, `.`, `-` or `_` taken out.
    pub(super) fn of(&mut self, text: &str) -> String {
        let plain = plain(text);
        let mut name = plain.clone();
        let mut number = 2;
        while !self.0.insert(name.clone()) {
            name = format!("{plain}-{number}");
            number += 1;
        }
        name
    }
}

pub(super) fn plain(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let words: Vec<String> = text
        .split(|c: char| !allowed(c) && c != '*')
        .map(|word| word.replace('*', "any"))
        .filter(|word| !word.is_empty())
        .collect();
    match &words[..] {
        [] => "root".to_owned(),
        words => words.join("_"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_plain_and_not_given_twice() {
        let mut names = Names::default();
        let given = [
            "/",
            "/chat",
            "/org-{id}",
            "room message",
            "room:message",
            "*",
            "a*",
            "ü",
        ]
        .map(|text| names.of(text));
        let expected = [
            "root",
            "chat",
            "org-_id",
            "room_message",
            "room_message-2",
            "any",
            "aany",
            "root-2",
        ];
        assert_eq!(given, expected);
    }
}
