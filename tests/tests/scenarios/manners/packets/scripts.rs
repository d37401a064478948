//! What clients say, packet by packet.

/// A script's name and its steps. A step that begins with `>` waits for an answer, and `<` waits for a packet that begins so; one that
/// begins with `B` is bytes, in base64. Behind one that begins with `!` nothing more is sent.
pub(super) type Script = (&'static str, &'static [&'static str]);

pub(super) const PACKETS: &[Script] = &[
    // Entering namespaces.
    ("connect", &[">40"]),
    ("connect with a payload", &[r#">40{"token":"x"}"#]),
    ("connect to another namespace", &[">40", ">40/custom,"]),
    (
        "connect to another namespace without a comma",
        &[">40", ">40/custom"],
    ),
    (
        "connect to another namespace only",
        &[r#">40/custom,{"a":1}"#, r#"42/custom,1["x"]"#, ">40"],
    ),
    ("connect to an unknown namespace", &[">40/nope,", ">40"]),
    (
        "connect to an unknown namespace with a query",
        &[">40/nope?a=b,", ">40"],
    ),
    ("connect with a text as payload", &[r#">40"x""#]),
    ("connect with an array as payload", &[r#">40["x"]"#]),
    ("connect with null as payload", &[">40null"]),
    ("connect with a number as payload", &[">40abc"]),
    ("connect with what is no JSON", &[">40{"]),
    ("connect with an id", &[">407{}"]),
    ("a second connect", &[">40", "40"]),
    (
        "a second connect with a payload",
        &[">40", r#"40{"token":1}"#],
    ),
    (
        "a second connect to another namespace",
        &[">40", ">40/custom,", "40/custom,"],
    ),
    (
        "connect again after disconnect",
        &[">40", ">40/custom,", "41", ">42/custom,[\"x\"]", ">40"],
    ),
    ("a refused connect", &[r#">40{"deny":true}"#, ">40"]),
    (
        "a refused connect to another namespace",
        &[r#">40/custom,{"deny":true}"#, ">40"],
    ),
    ("an event before connect", &[r#"42["x"]"#]),
    ("an event with an ack before connect", &[r#"421["x"]"#]),
    ("an ack before connect", &[r#"431["x"]"#]),
    ("disconnect before connect", &["41"]),
    (
        "a connect error from the client",
        &[">40", r#"44{"message":"x"}"#],
    ),
    ("a connect error before connect", &[r#"44{"message":"x"}"#]),
    // Leaving them.
    (
        "disconnect of another namespace",
        &[">40", ">40/custom,", "41/custom,", r#"421["x"]"#],
    ),
    (
        "disconnect of what was never entered",
        &[">40", "41/custom,"],
    ),
    ("disconnect of what does not exist", &[">40", "41/nope,"]),
    ("disconnect with a payload", &[">40", "41{}"]),
    ("disconnect with an array", &[">40", "41[]"]),
    (
        "an event to a namespace never entered",
        &[">40", r#"42/custom,1["x"]"#],
    ),
    (
        "an event to a namespace that does not exist",
        &[">40", r#"42/nope,1["x"]"#],
    ),
    (
        "disconnected by the server",
        &[
            ">40",
            ">40/custom,",
            r#"42["bye"]"#,
            "<41",
            ">42/custom,[\"x\"]",
            ">40",
        ],
    ),
    (
        "disconnect",
        &[
            ">40",
            ">40/custom,",
            "41",
            ">42/custom,[\"x\"]",
            "421[\"x\"]",
        ],
    ),
    (
        "an event after disconnect",
        &[
            ">40",
            ">40/custom,",
            "41/custom,",
            ">42[\"x\"]",
            "42/custom,1[\"x\"]",
        ],
    ),
    // Events.
    ("an event", &[">40", r#"42["x",1,"2",{"3":[]},null,true]"#]),
    ("an event without arguments", &[">40", r#"42["x"]"#]),
    ("an event with an ack", &[">40", r#"42456["x",1]"#]),
    ("an event with ack 0", &[">40", r#"420["x",1]"#]),
    (
        "an event with a long ack id",
        &[">40", r#"429007199254740991["x",1]"#],
    ),
    (
        "an event in another namespace",
        &[
            ">40",
            ">40/custom,",
            r#"42/custom,["x"]"#,
            r#"42/custom,1["y"]"#,
        ],
    ),
    (
        "an event with the main namespace named",
        &[">40", r#"42/,1["x"]"#],
    ),
    ("an event with an empty name", &[">40", r#"42["",1]"#]),
    ("an event with a number as name", &[">40", r#"421[5,1]"#]),
    (
        "an event with escapes in its name",
        &[">40", "421[\"caf\\u00e9\",1]"],
    ),
    (
        "an event with quotes in its name",
        &[">40", r#"421["say \"hi\"",1]"#],
    ),
    (
        "an event with unicode in its name",
        &[">40", r#"421["café 🙂",1]"#],
    ),
    (
        "an event with a line break in its name",
        &[">40", r#"421["a\nb",1]"#],
    ),
    ("an event called error", &[">40", r#"421["error",1]"#]),
    ("reserved: connect", &[">40", r#"421["connect"]"#]),
    (
        "reserved: connect_error",
        &[">40", r#"421["connect_error"]"#],
    ),
    ("reserved: disconnect", &[">40", r#"421["disconnect"]"#]),
    (
        "reserved: disconnecting",
        &[">40", r#"421["disconnecting"]"#],
    ),
    ("reserved: newListener", &[">40", r#"421["newListener"]"#]),
    (
        "reserved: removeListener",
        &[">40", r#"421["removeListener"]"#],
    ),
    (
        "not reserved: connect in other letters",
        &[">40", r#"421["Connect"]"#],
    ),
    // What is no event.
    ("no payload", &[">40", "42"]),
    ("no payload but an id", &[">40", "427"]),
    ("an open bracket", &[">40", "42["]),
    ("an open text", &[">40", "!42[\"x"]),
    ("an open array", &[">40", r#"!42["x""#]),
    ("an open object", &[">40", "42{"]),
    ("an object", &[">40", "42{}"]),
    ("a text", &[">40", r#"42"x""#]),
    ("an empty array", &[">40", "42[]"]),
    ("null as name", &[">40", "42[null,1]"]),
    ("an object as name", &[">40", "42[{},1]"]),
    ("true as name", &[">40", "42[true,1]"]),
    ("more after the array", &[">40", r#"42["x"]]"#]),
    ("a comma too many", &[">40", r#"!42["x",]"#]),
    ("a number with a zero", &[">40", r#"!42["x",01]"#]),
    ("not a number", &[">40", r#"!42["x",NaN]"#]),
    ("a control character", &[">40", "!42[\"x\",\"\u{1}\"]"]),
    ("a false escape", &[">40", r#"!42["x","\q"]"#]),
    (
        "half a surrogate pair in an argument",
        &[">40", r#"421["x","\ud800"]"#],
    ),
    (
        "half a surrogate pair in a name",
        &[">40", r#"421["\ud800",1]"#],
    ),
    ("a negative id", &[">40", r#"42-1["x"]"#]),
    ("letters for a payload", &[">40", "42abc"]),
    // Acks.
    ("an ack that nobody asked for", &[">40", r#"437["x"]"#]),
    ("an ack without an id", &[">40", r#"43["x"]"#]),
    ("an ack without a payload", &[">40", "437"]),
    ("an ack with an object", &[">40", "437{}"]),
    // Packet types.
    ("an empty message", &[">40", "4"]),
    ("an unknown type", &[">40", r#"47["x"]"#]),
    ("a letter as type", &[">40", "4abc"]),
    ("no packet", &[">40", ""]),
    ("an unknown engine packet", &[">40", "7"]),
    ("an engine packet that is a letter", &[">40", "abc"]),
    ("an engine packet beyond ASCII", &[">40", "é"]),
    ("a second open", &[">40", "0{}"]),
    ("a close", &[">40", "1"]),
    ("a close with words", &[">40", "1x"]),
    ("a close before connect", &["1"]),
    ("a ping from the client", &[">40", "2"]),
    ("a probe on a transport in use", &[">40", "2probe"]),
    ("a pong that nobody asked for", &[">40", "3"]),
    ("a pong of a probe", &[">40", "3probe"]),
    ("a pong with words", &[">40", "3hello"]),
    ("an upgrade on a transport in use", &[">40", "5"]),
    ("a noop from the client", &[">40", "6"]),
    ("a noop with words", &[">40", "6x"]),
];
