//! Event names that are written with JSON escapes, such as `["caf\u00e9"]`: Node's clients may send them, and the
//! protocol library ends the connection over them, because it looks for the name before anyone else can.
//!
//! Such an event gets a name in front that the library can read, taken off again before the event is handled. A client
//! that sends the mark itself only says what it could have said without.

/// Put behind the opening bracket. Masks repeat every four bytes, so its length has to be a multiple of that: what
/// comes behind it keeps its mask.
pub(super) const MARK: &str = "\"=\",    ";
const _: () = assert!(MARK.len().is_multiple_of(4));

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No event, or one whose name has no escapes.
    Plain,
    Escaped {
        /// What is in front of its name, the opening bracket included.
        before: usize,
    },
    /// The text ends before it can be told.
    Undecided,
}

/// Looks for an event with an escape in its name, in the text of an Engine.IO packet.
pub(super) fn find(text: &mut impl Iterator<Item = u8>) -> Found {
    match text.next() {
        Some(b'4') => find_in_packet(text),
        Some(_) => Found::Plain,
        None => Found::Undecided,
    }
}

/// The same behind the `4` of a message.
fn find_in_packet(text: &mut impl Iterator<Item = u8>) -> Found {
    match text.next() {
        Some(b'2' | b'5') => {}
        Some(_) => return Found::Plain,
        None => return Found::Undecided,
    }
    // The number of attachments, the namespace and the number of the ack have no bracket, but a namespace may.
    let mut before = 2;
    let mut in_namespace = false;
    loop {
        before += 1;
        match text.next() {
            Some(b'/') if !in_namespace => in_namespace = true,
            Some(b',') => in_namespace = false,
            Some(b'[') if !in_namespace => break,
            Some(b'0'..=b'9' | b'-') => {}
            Some(_) if in_namespace => {}
            Some(_) => return Found::Plain,
            None => return Found::Undecided,
        }
    }
    find_in_array(text, before)
}

fn find_in_array(text: &mut impl Iterator<Item = u8>, before: usize) -> Found {
    loop {
        match text.next() {
            Some(b' ' | b'\t' | b'\r' | b'\n') => {}
            Some(b'"') => break,
            Some(_) => return Found::Plain,
            None => return Found::Undecided,
        }
    }
    loop {
        match text.next() {
            Some(b'"') => return Found::Plain,
            Some(b'\\') => return Found::Escaped { before },
            Some(_) => {}
            None => return Found::Undecided,
        }
    }
}

/// Marks an event in the body of a polling request. `None`: there is nothing to mark.
pub(super) fn mark(packet: &str) -> Option<String> {
    match find(&mut packet.bytes()) {
        Found::Escaped { before } => {
            let (head, tail) = packet.split_at_checked(before).unwrap_or((packet, ""));
            Some(format!("{head}{MARK}{tail}"))
        }
        Found::Plain | Found::Undecided => None,
    }
}

/// The event as its client sent it.
pub(super) fn unmark(text: &str) -> Option<String> {
    let rest = text.strip_prefix('[')?.strip_prefix(MARK)?;
    Some(format!("[{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Found {
        find(&mut text.bytes())
    }

    #[test]
    fn escapes_are_found_in_names_only() {
        assert_eq!(found(r#"42["a\u00e9",1]"#), Found::Escaped { before: 3 });
        assert_eq!(found(r#"42/x,12[ "\""]"#), Found::Escaped { before: 8 });
        assert_eq!(found(r#"451-/[x,["\\"]"#), Found::Escaped { before: 9 });
        for plain in [
            r#"42["a","\u00e9"]"#,
            r#"42[1,"\u00e9"]"#,
            r#"43["\u00e9"]"#,
            r#"40{"a":"\u00e9"}"#,
            r#"42{"a":"\u00e9"}"#,
            "2",
            "é",
        ] {
            assert_eq!(found(plain), Found::Plain, "{plain}");
        }
        for undecided in ["", "4", "42", "42/x", "42/x,1", "42[", "42[ ", "42[\"ab"] {
            assert_eq!(found(undecided), Found::Undecided, "{undecided}");
        }
    }

    #[test]
    fn a_mark_comes_and_goes() {
        let marked = mark("42[\"a\\n\",1]").unwrap();
        let text = marked.strip_prefix("42").unwrap();
        let json: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        assert_eq!(json[1], "a\n");
        assert_eq!(unmark(text).as_deref(), Some("[\"a\\n\",1]"));
        assert_eq!(unmark("[\"a\"]"), None);
        assert_eq!(mark("42[\"a\"]"), None);
        assert_eq!(mark("2"), None);
    }
}
