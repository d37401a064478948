//! `[admin]`: the operator's listener.

use std::net::SocketAddr;

use super::secret::Secret;
use super::section::Section;
use super::server::Server;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Admin {
    pub listen: SocketAddr,
    /// Without one, `listen` is a loopback address.
    pub token: Option<Secret>,
}

impl Admin {
    pub(super) fn read(s: &mut Section<'_, '_>, server: &Server) -> Self {
        let admin = Self {
            listen: s.get(
                "listen",
                "127.0.0.1:9090",
                "Where health, metrics and the API are served; port 0 takes any free one.",
            ),
            token: s.optional(
                "token",
                "${ADMIN_TOKEN}",
                "The bearer token that everything but the probes asks for; needed unless `listen` is a loopback address.",
            ),
        };
        if admin.listen == server.listen && server.listen.port() != 0 {
            s.complain("listen", "is `server.listen` too", Some("another address"));
        }
        // A token that was given and is wrong has its own problem.
        if !admin.listen.ip().to_canonical().is_loopback() && !s.has("token") {
            s.complain(
                "listen",
                "is not a loopback address and `admin.token` is not set",
                Some("a loopback address, or a token"),
            );
        }
        admin
    }
}
