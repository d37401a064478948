//! Where the broker differs from Node's server on purpose.

use super::servers::Seen;

/// Cases in which the two differ, and are meant to.
pub(super) struct Known {
    /// Their names, without the transport where it makes no difference.
    cases: &'static [&'static str],
    pub why: &'static str,
    /// What a client of the broker sees; [`END`] is the end of its session, of whichever transport.
    pub broker: &'static [&'static str],
}

/// A WebSocket that is closed without a code, or the goodbye to a poll.
const END: &str = "the end";

const BAD_REQUEST: &str = r#"400 application/json {"code":3,"message":"Bad request"}"#;
const CONNECTED: &str = "40{sid}";
const MARK: &str = r#"42["mark"]"#;
const MARKED: &str = r#"4399999[{"ok":true}]"#;
const OK: &str = r#"431[{"ok":true}]"#;

impl Known {
    pub(super) fn of(case: &str) -> Option<&'static Self> {
        let bare = case
            .trim_end_matches(" (websocket)")
            .trim_end_matches(" (polling)");
        DELIBERATE
            .iter()
            .find(|known| known.cases.iter().any(|it| [case, bare].contains(it)))
    }

    pub(super) fn is(&self, seen: &Seen) -> bool {
        let is_end = |line: &str| line == "closed 1005" || line == "1";
        let is = |(known, line): (&&str, &String)| *known == line || *known == END && is_end(line);
        self.broker.len() == seen.len() && self.broker.iter().zip(seen).all(is)
    }
}

const DELIBERATE: &[Known] = &[
    // Requests.
    Known {
        cases: &["EIO=3 upgrade", "no EIO upgrade"],
        why: "refused before the upgrade; Node's server says so in the middle of the WebSocket",
        broker: &["400"],
    },
    Known {
        cases: &["upgrade with polling"],
        why: "a handshake of the transport that was asked for; Node's server upgrades and closes",
        broker: &["200"],
    },
    Known {
        cases: &["a session's requests"],
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
        cases: &["what a post is answered"],
        why: "text/html was for browsers that are no more",
        broker: &["200 text/plain;charset=utf-8 ok"],
    },
    Known {
        cases: &["an upgrade that is not offered"],
        why: "Node's server offers none, and takes one all the same",
        broker: &["400"],
    },
    // Refusals have a body that says why.
    Known {
        cases: &["a post of bytes"],
        why: "a body",
        broker: &[BAD_REQUEST],
    },
    Known {
        cases: &["two polls at a time"],
        why: "a body",
        broker: &[
            "1",
            r#"400 {"code":3,"message":"Bad request"}"#,
            r#"400 {"code":1,"message":"Session ID unknown"}"#,
        ],
    },
    Known {
        cases: &["a post that is a byte too large"],
        why: "a body",
        broker: &[
            r#"413 {"code":3,"message":"Payload too large"}"#,
            "ok",
            r#"42["x"]"#,
            OK,
        ],
    },
    // Denials: a client that is told why can be mended, one that is cut off connects again and does the same.
    Known {
        cases: &["connect with what is no JSON"],
        why: "refused by name",
        broker: &[
            r#"44{"message":"the auth payload is not JSON","data":{"code":"invalid_packet","message":"the auth payload is not JSON","policy":null}}"#,
            END,
        ],
    },
    Known {
        cases: &["reserved: connect"],
        why: "denied with the code `reserved_event`",
        broker: &[
            CONNECTED,
            r#"431[{"error":{"code":"reserved_event","message":"the event name `connect` is reserved","policy":null}}]"#,
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &["reserved: connect_error"],
        why: "denied with the code `reserved_event`",
        broker: &[
            CONNECTED,
            r#"431[{"error":{"code":"reserved_event","message":"the event name `connect_error` is reserved","policy":null}}]"#,
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &["reserved: disconnect"],
        why: "denied with the code `reserved_event`",
        broker: &[
            CONNECTED,
            r#"431[{"error":{"code":"reserved_event","message":"the event name `disconnect` is reserved","policy":null}}]"#,
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &["reserved: disconnecting"],
        why: "denied with the code `reserved_event`",
        broker: &[
            CONNECTED,
            r#"431[{"error":{"code":"reserved_event","message":"the event name `disconnecting` is reserved","policy":null}}]"#,
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &["reserved: newListener"],
        why: "denied with the code `reserved_event`",
        broker: &[
            CONNECTED,
            r#"431[{"error":{"code":"reserved_event","message":"the event name `newListener` is reserved","policy":null}}]"#,
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &["reserved: removeListener"],
        why: "denied with the code `reserved_event`",
        broker: &[
            CONNECTED,
            r#"431[{"error":{"code":"reserved_event","message":"the event name `removeListener` is reserved","policy":null}}]"#,
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &["attachments and a reserved name"],
        why: "denied with the code `reserved_event`",
        broker: &[
            CONNECTED,
            r#"42["error",{"code":"reserved_event","message":"the event name `connect` is reserved","policy":null}]"#,
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &["more after the array (websocket)"],
        why: "denied with the code `invalid_packet`",
        broker: &[
            CONNECTED,
            r#"42["error",{"code":"invalid_packet","message":"not JSON: trailing characters at line 1 column 6","policy":null}]"#,
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &[
            "a placeholder out of range",
            "a placeholder below range",
            "a placeholder with half a number",
        ],
        why: "denied with the code `invalid_packet`",
        broker: &[
            CONNECTED,
            r#"431[{"error":{"code":"invalid_packet","message":"a placeholder for none of the 1 attachments","policy":null}}]"#,
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &[
            "a placeholder without a number",
            "a placeholder with a text for a number",
        ],
        why: "denied with the code `invalid_packet`",
        broker: &[
            CONNECTED,
            r#"431[{"error":{"code":"invalid_packet","message":"a placeholder without a number","policy":null}}]"#,
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &["half a surrogate pair in a name"],
        why: "no name that policies and other clients could be told",
        broker: &[
            CONNECTED,
            r#"431[{"error":{"code":"invalid_packet","message":"the name of the event is not Unicode","policy":null}}]"#,
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &["nested deeply"],
        why: "JSON parsers elsewhere end their process at a depth of their own",
        broker: &[
            CONNECTED,
            r#"431[{"error":{"code":"invalid_packet","message":"nested deeper than 127","policy":null}}]"#,
            MARK,
            MARKED,
        ],
    },
    // Events have names, and names are text.
    Known {
        cases: &[
            "an event with a number as name",
            "no payload",
            "no payload but an id",
            "attachments and no payload",
        ],
        why: "what Node's server takes for an event without a name, or with a number for one",
        broker: &[CONNECTED, END],
    },
    // What is passed on is passed on as it came; Node's server takes it apart and puts it together again.
    Known {
        cases: &["an attachment twice"],
        why: "not sent twice",
        broker: &[
            CONNECTED,
            r#"451-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#,
            "BAQIDBA==",
            OK,
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &["an attachment that is not used"],
        why: "passed on",
        broker: &[CONNECTED, r#"451-["x",1]"#, "BAQIDBA==", OK, MARK, MARKED],
    },
    Known {
        cases: &["a placeholder that is not true"],
        why: "passed on",
        broker: &[
            CONNECTED,
            r#"451-["x",{"_placeholder":1,"num":7}]"#,
            "BAQIDBA==",
            OK,
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &["attachments the other way round"],
        why: "not sorted",
        broker: &[
            CONNECTED,
            r#"452-["x",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#,
            "BAQIDBA==",
            "BAAEC",
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &["ten attachments"],
        why: "passed on",
        broker: &[
            CONNECTED,
            r#"4510-["x"]"#,
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            OK,
            MARK,
            MARKED,
        ],
    },
    Known {
        cases: &["eleven attachments"],
        why: "64 are allowed, not ten",
        broker: &[
            CONNECTED,
            r#"4511-["x"]"#,
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            "BAA==",
            OK,
            MARK,
            MARKED,
        ],
    },
    // Ends of sessions.
    Known {
        cases: &[
            "no packet (polling)",
            "an unknown engine packet (polling)",
            "an engine packet that is a letter (polling)",
            "an engine packet beyond ASCII (polling)",
            "a ping from the client (polling)",
            "a probe on a transport in use (polling)",
            "an empty packet in a payload",
            "an empty packet at the end of a payload",
            "a false packet in a payload",
        ],
        why: "a client that polls later is told too; Node's server tells only one that waits",
        broker: &[CONNECTED, END],
    },
    Known {
        cases: &["a close (websocket)", "a close with words (websocket)"],
        why: "what the protocol says; Node's server waits until the WebSocket is closed",
        broker: &[CONNECTED, END],
    },
    Known {
        cases: &[
            "bytes as text (websocket)",
            "bytes as text without padding (websocket)",
            "bytes as text that is no base64 (websocket)",
        ],
        why: "base64 is for polling",
        broker: &[CONNECTED, END],
    },
    Known {
        cases: &[
            "bytes as text without padding (polling)",
            "bytes as text that is no base64 (polling)",
        ],
        why: "no base64",
        broker: &[CONNECTED, END],
    },
];
