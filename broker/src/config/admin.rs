//! `[admin]`: the operator's listener, and who may ask what of it.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::admin_ui::AdminUi;
use super::secret::Secret;
use super::section::Section;
use super::server::Server;
use super::setting::names;
use crate::tls;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Admin {
    pub listen: SocketAddr,
    /// May do everything. Without any token, `listen` is a loopback address.
    pub token: Option<Secret>,
    /// Those of others, each with a name and a scope.
    pub tokens: Vec<AdminToken>,
    /// `None`: the official Admin UI cannot attach.
    pub ui: Option<AdminUi>,
    /// `None`: plain text.
    pub tls: Option<tls::Settings>,
}

/// The token of somebody who may ask.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AdminToken {
    /// What the log calls whoever has it.
    pub name: String,
    pub token: Secret,
    pub scope: Scope,
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Looking.
    Read,
    /// Looking, and changing things.
    Write,
}

names!(Scope, "read" => Scope::Read, "write" => Scope::Write);

impl Scope {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Each is compared with what a request brings.
const MOST_TOKENS: usize = 64;

const LONGEST_NAME: usize = 64;
const NAME: &str = "1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`";

impl Admin {
    pub(super) fn read(s: &mut Section<'_, '_>, server: &Server) -> Self {
        let listen = s.get(
            "listen",
            "127.0.0.1:9090",
            "Where health, metrics and the API are served; port 0 takes any free one.",
        );
        let token = s.live(|s| {
            s.optional(
                "token",
                "${ADMIN_TOKEN}",
                "The bearer token that may do everything; one is needed unless `listen` is a loopback address.",
            )
        });
        let mut earlier = Vec::new();
        let tokens = s.live(|s| {
            s.each(
                "tokens",
                "The bearer token of somebody else, who may do a part of it.",
                |s| AdminToken::read(s, &mut earlier),
            )
        });
        if tokens.len() > MOST_TOKENS {
            s.report("tokens", "there are too many", Some("at most 64"));
        }
        let admin = Self {
            listen,
            token,
            tokens: tokens.into_iter().flatten().collect(),
            ui: s.table("ui", "The official Socket.IO Admin UI.", AdminUi::read),
            tls: s.live(super::tls::read),
        };
        if admin.has_one_twice() {
            s.report(
                "tokens",
                "a token is given twice",
                Some("one for each name"),
            );
        }
        if admin.listen == server.listen && server.listen.port() != 0 {
            s.complain("listen", "is `server.listen` too", Some("another address"));
        }
        // A token that was given and is wrong has its own problem.
        let has_token = s.has("token") || s.has("tokens");
        if !admin.listen.ip().to_canonical().is_loopback() && !has_token {
            s.complain(
                "listen",
                "is not a loopback address and `admin.token` is not set",
                Some("a loopback address, or a token"),
            );
        }
        admin
    }

    /// Every token: what the log calls whoever has it, and what it is good for.
    pub(crate) fn all_tokens(&self) -> impl Iterator<Item = (&str, &Secret, Scope)> {
        let owner = self.token.iter().map(|it| (OWNER, it, Scope::Write));
        let others = self.tokens.iter();
        owner.chain(others.map(|it| (&*it.name, &it.token, it.scope)))
    }

    fn has_one_twice(&self) -> bool {
        let mut seen = HashSet::new();
        let mut all = self.all_tokens();
        !all.all(|(_, token, _)| seen.insert(token.expose()))
    }
}

impl AdminToken {
    /// Adds its name to those of the tokens before it. `None` means that a problem has been reported.
    fn read(s: &mut Section<'_, '_>, earlier: &mut Vec<String>) -> Option<Self> {
        let name = s.required::<String>(
            "name",
            "prometheus",
            "What the log calls whoever has it; `admin` is the one of `admin.token`.",
        );
        s.label("token", "name");
        if let Some(name) = &name {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            let is_name = (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(allowed);
            if !is_name {
                s.complain("name", "is not a name", Some(NAME));
            } else if earlier.contains(name) || RESERVED.contains(&&**name) {
                s.complain("name", "is taken", Some("another name"));
            }
            earlier.push(name.clone());
        }
        let token = s.required("token", "${PROMETHEUS_TOKEN}", "The token.");
        let scope = s.get(
            "scope",
            "read",
            "What it is good for: `read` looks at everything but secrets, `write` changes things too.",
        );
        Some(Self {
            name: name?,
            token: token?,
            scope,
        })
    }
}

/// What the log calls whoever has `admin.token`, and whoever needs none.
const OWNER: &str = "admin";
pub(crate) const NOBODY: &str = "local";
const RESERVED: [&str; 2] = [OWNER, NOBODY];
