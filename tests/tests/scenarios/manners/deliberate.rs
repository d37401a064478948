//! Where the broker differs from Node's server on purpose.

/// A case in which the two differ, and are meant to.
pub(super) struct Known {
    pub case: &'static str,
    pub why: &'static str,
    /// What a client of the broker sees.
    pub broker: &'static [&'static str],
}

const BAD_REQUEST: &str = r#"400 application/json {"code":3,"message":"Bad request"}"#;

pub(super) const DELIBERATE: &[Known] = &[
    Known {
        case: "EIO=3 upgrade",
        why: "refused before the upgrade; Node's server says so in the middle of the WebSocket",
        broker: &["400"],
    },
    Known {
        case: "no EIO upgrade",
        why: "refused before the upgrade; Node's server says so in the middle of the WebSocket",
        broker: &["400"],
    },
    Known {
        case: "upgrade with polling",
        why: "a handshake of the transport that was asked for; Node's server upgrades and closes",
        broker: &["200"],
    },
    Known {
        case: "a session's requests",
        why: "a method that there is none for is the client's mistake, not an internal error",
        broker: &[
            BAD_REQUEST,
            BAD_REQUEST,
            BAD_REQUEST,
            "400 application/json ",
            BAD_REQUEST,
            BAD_REQUEST,
        ],
    },
    Known {
        case: "a post of bytes",
        why: "refusals have a body that says why",
        broker: &[BAD_REQUEST],
    },
    Known {
        case: "what a post is answered",
        why: "text/html was for browsers that are no more",
        broker: &["200 text/plain;charset=utf-8 ok"],
    },
];
