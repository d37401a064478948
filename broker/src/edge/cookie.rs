//! The cookie of a session, written as Node's server writes it (RFC 6265, section 4.1).

use http::HeaderValue;

use crate::config::{Cookie, SameSite};

pub(super) fn of_session(cookie: &Cookie, sid: &str) -> Option<HeaderValue> {
    let mut text = format!("{}={sid}", cookie.name);
    if let Some(age) = cookie.max_age {
        text.push_str(&format!("; Max-Age={}", age.as_secs()));
    }
    text.push_str(&format!("; Path={}", cookie.path));
    if cookie.http_only {
        text.push_str("; HttpOnly");
    }
    if cookie.secure {
        text.push_str("; Secure");
    }
    text.push_str(match cookie.same_site {
        SameSite::Strict => "; SameSite=Strict",
        SameSite::Lax => "; SameSite=Lax",
        SameSite::None => "; SameSite=None",
    });
    // The configuration has checked the name and the path; the id is the library's.
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn written_as_nodes_server_does() {
        let mut cookie = Cookie {
            name: "io".into(),
            path: "/".into(),
            http_only: true,
            same_site: SameSite::Lax,
            secure: false,
            max_age: None,
        };
        let written = |cookie: &Cookie| of_session(cookie, "abc_-").unwrap();
        assert_eq!(written(&cookie), "io=abc_-; Path=/; HttpOnly; SameSite=Lax");
        cookie.same_site = SameSite::None;
        cookie.secure = true;
        cookie.http_only = false;
        cookie.max_age = Some(Duration::from_secs(86_400));
        assert_eq!(
            written(&cookie),
            "io=abc_-; Max-Age=86400; Path=/; Secure; SameSite=None"
        );
    }
}
