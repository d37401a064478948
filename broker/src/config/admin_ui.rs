//! `[admin.ui]`: what the official Socket.IO Admin UI attaches to.

use std::str::FromStr as _;

use super::secret::Secret;
use super::section::Section;
use super::setting::names;

/// The namespace that the Admin UI enters on the clients' listener.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AdminUi {
    pub path: String,
    pub username: String,
    /// A bcrypt hash, as the official server takes.
    pub password: Secret,
    pub mode: UiMode,
    pub readonly: bool,
}

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UiMode {
    /// Every socket, and every event of every socket with its arguments.
    Development,
    /// Numbers.
    Production,
}

names!(UiMode, "development" => UiMode::Development, "production" => UiMode::Production);

/// A hash that costs more keeps a processor busy for seconds whenever somebody tries a password.
const MOST_COST: u32 = 14;

impl AdminUi {
    /// `None`: it is not enabled, or a problem has been reported.
    pub(super) fn read(s: &mut Section<'_, '_>) -> Option<Self> {
        let enabled: bool = s.get(
            "enabled",
            "false",
            "Whether the official Socket.IO Admin UI may attach to the clients' listener.",
        );
        let path: String = s.get("path", "/admin", "The namespace that it enters.");
        let username: Option<String> = s.optional(
            "username",
            "admin",
            "Who may enter; needed where it is enabled.",
        );
        let password: Option<Secret> = s.optional(
            "password",
            "${ADMIN_UI_PASSWORD}",
            "The bcrypt hash of the password, as the official server takes; needed where it is enabled.",
        );
        let mode: UiMode = s.get(
            "mode",
            "production",
            "production: numbers; development: every socket and every event with its arguments as well.",
        );
        let readonly: bool = s.get(
            "readonly",
            "false",
            "Whether it may only look: no emitting, joining, leaving and disconnecting.",
        );
        let odd = |c: char| ",?{}".contains(c) || c.is_control() || c.is_whitespace();
        if !path.starts_with('/') || path.len() < 2 || path.contains(odd) {
            s.complain("path", "is no namespace of its own", Some("`/name`"));
        }
        if let Some(password) = &password {
            check(s, password);
        }
        if !enabled {
            return None;
        }
        for (name, is_there) in [
            ("username", username.is_some()),
            ("password", password.is_some()),
        ] {
            if !is_there && !s.has(name) {
                let what =
                    "is needed where the Admin UI is enabled: it stands on the clients' listener";
                s.report(name, what, None);
            }
        }
        Some(Self {
            path,
            username: username?,
            password: password?,
            mode,
            readonly,
        })
    }
}

fn check(s: &mut Section<'_, '_>, password: &Secret) {
    const EXPECTED: &str = "what `htpasswd -nbBC 10 \"\" PASSWORD` prints behind the colon";
    match bcrypt::HashParts::from_str(password.expose()) {
        Ok(parts) if parts.get_cost() > MOST_COST => {
            let what = format!("costs more than {MOST_COST}: a wrong password would take seconds");
            s.complain("password", &what, Some("a cost of 10 to 12"));
        }
        Ok(_) => {}
        Err(_) => s.complain("password", "is no bcrypt hash", Some(EXPECTED)),
    }
}
