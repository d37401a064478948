//! `[server.cookie]`: the cookie that a handshake sets, as Engine.IO's `cookie` option does.

use std::time::Duration;

use super::section::Section;
use super::setting::names;

/// A cookie with the id of the session, for load balancers that keep its requests together by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cookie {
    pub name: String,
    pub path: String,
    pub http_only: bool,
    pub same_site: SameSite,
    pub secure: bool,
    /// `None`: until the browser ends.
    pub max_age: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SameSite {
    Strict,
    Lax,
    None,
}

names!(SameSite,
    "strict" => SameSite::Strict,
    "lax" => SameSite::Lax,
    "none" => SameSite::None,
);

/// Browsers keep none for longer.
const LONGEST: Duration = Duration::from_secs(400 * 86_400);

impl Cookie {
    /// `None`: there is to be none.
    pub(super) fn read(s: &mut Section<'_, '_>) -> Option<Self> {
        let enabled: bool = s.get(
            "enabled",
            "false",
            "Sets a cookie with the session's id on the answer to a polling handshake.",
        );
        let cookie = Self {
            name: s.get("name", "io", "Its name."),
            path: s.get("path", "/", "The paths for which browsers send it."),
            http_only: s.get("http_only", "true", "Scripts of the page do not see it."),
            same_site: s.get(
                "same_site",
                "lax",
                "With which requests of other sites it is sent: `strict`, `lax` or `none`, which asks for `secure`.",
            ),
            secure: s.get("secure", "false", "It is sent over TLS only."),
            max_age: s.optional(
                "max_age",
                "1day",
                "How long browsers keep it; until they end unless given.",
            ),
        };
        if !cookie.name.bytes().all(is_token) {
            s.complain("name", "is no cookie's name", Some("letters and digits"));
        }
        if !cookie.path.starts_with('/') || !cookie.path.bytes().all(is_in_path) {
            s.complain("path", "is not a path", Some("a path such as `/`"));
        }
        if cookie.same_site == SameSite::None && !cookie.secure {
            s.complain(
                "same_site",
                "is taken by no browser without TLS",
                Some("`secure = true` beside it"),
            );
        }
        if cookie.max_age.is_some_and(|age| age > LONGEST) {
            s.complain("max_age", "is too long", Some("at most 400days"));
        }
        enabled.then_some(cookie)
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 6265, section 4.1.1.
fn is_in_path(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b';'
}
