//! Globs over event names, as the broker matches them.

/// `*` stands for any characters, none included; everything else for itself.
pub(super) fn matches(glob: &str, name: &str) -> bool {
    let Some((head, rest)) = glob.split_once('*') else {
        return glob == name;
    };
    let Some(mut name) = name.strip_prefix(head) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = name.find(part) else {
            return false;
        };
        name = name.get(at + part.len()..).unwrap_or_default();
    }
    name.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_is_any_characters() {
        for (glob, name) in [
            ("message", "message"),
            ("*", ""),
            ("*", "any thing"),
            ("chat:*", "chat:"),
            ("chat:*", "chat:été"),
            ("*:end", "the:end"),
            ("a*b*c", "abbc"),
            ("a*b*c", "a-b-b-c"),
            ("**", "x"),
        ] {
            assert!(matches(glob, name), "{glob} {name}");
        }
        for (glob, name) in [
            ("message", "messages"),
            ("message", "a message"),
            ("chat:*", "chat"),
            ("a*a", "a"),
            ("a*b*c", "a-c-b"),
            ("", "x"),
            ("?", "x"),
        ] {
            assert!(!matches(glob, name), "{glob} {name}");
        }
    }
}
