//! `${NAME}` inside the texts of a file.

use std::borrow::Cow;

/// What became of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded<'a> {
    pub text: Cow<'a, str>,
    /// A variable went into it, so it may be a secret.
    pub substituted: bool,
}

/// Why a text could not be filled in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unexpanded {
    Missing(String),
    /// `${` that no name and `}` follow.
    Malformed,
}

/// Replaces every `${NAME}` by what `variable` knows; `$${` stands for a literal `${`.
pub(super) fn expand<'a>(
    text: &'a str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Expanded<'a>, Unexpanded> {
    let mut out = String::new();
    let mut substituted = false;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(literal) = before.strip_suffix('$') {
            out.push_str(literal);
            out.push_str("${");
            rest = after;
            continue;
        }
        let (name, after) = after
            .split_once('}')
            .filter(|(name, _)| is_name(name))
            .ok_or(Unexpanded::Malformed)?;
        let value = variable(name).ok_or_else(|| Unexpanded::Missing(name.to_owned()))?;
        out.push_str(before);
        out.push_str(&value);
        substituted = true;
        rest = after;
    }
    let text = if rest.len() == text.len() {
        Cow::Borrowed(text)
    } else {
        out.push_str(rest);
        Cow::Owned(out)
    };
    Ok(Expanded { text, substituted })
}

fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        match name {
            "A" => Some("one".to_owned()),
            "_B2" => Some("${A}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str, substituted: bool) {
        let text = expand(text, variable).unwrap();
        assert_eq!((&*text.text, text.substituted), (expected, substituted));
    }

    #[test]
    fn replaces_names() {
        check("", "", false);
        check("plain $A $ {A} }", "plain $A $ {A} }", false);
        check("${A}", "one", true);
        check("<${A}${EMPTY}-${A}>", "<one-one>", true);
        // What a variable holds is not looked at again.
        check("${_B2}", "${A}", true);
    }

    #[test]
    fn a_doubled_dollar_is_literal() {
        check("$${A}", "${A}", false);
        check("x$${A}y${A}", "x${A}yone", true);
        check("$$${A}", "$${A}", false);
    }

    #[test]
    fn says_what_is_wrong() {
        let missing = |name: &str| Err(Unexpanded::Missing(name.to_owned()));
        assert_eq!(expand("${NOPE}", variable), missing("NOPE"));
        assert_eq!(expand("${A", variable), Err(Unexpanded::Malformed));
        assert_eq!(expand("${}", variable), Err(Unexpanded::Malformed));
        assert_eq!(expand("${a b}", variable), Err(Unexpanded::Malformed));
        assert_eq!(expand("${1A}", variable), Err(Unexpanded::Malformed));
    }
}
