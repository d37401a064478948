//! Texts that a browser shows as they are.

/// What stands for a character in HTML: exactly the set of validator.js' `escape`. All of it is plain in JSON too.
#[must_use]
pub fn html(char: char) -> Option<&'static str> {
    Some(match char {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&#x27;",
        '/' => "&#x2F;",
        '\\' => "&#x5C;",
        '`' => "&#96;",
        _ => return None,
    })
}
