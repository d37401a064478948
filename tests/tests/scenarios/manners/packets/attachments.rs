//! Packets with attachments, and what may be wrong with them.

use super::scripts::Script;

pub(super) const ATTACHMENTS: &[Script] = &[
    (
        "an event with an attachment",
        &[
            ">40",
            r#"451-["x",{"_placeholder":true,"num":0}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "an event with an attachment and an ack",
        &[
            ">40",
            r#"451-12["x",{"_placeholder":true,"num":0}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "two attachments",
        &[
            ">40",
            r#"452-12["x",{"_placeholder":true,"num":0},"t",{"_placeholder":true,"num":1}]"#,
            "BAQIDBA==",
            "BAAEC",
        ],
    ),
    (
        "attachments in another namespace",
        &[
            ">40",
            ">40/custom,",
            r#"451-/custom,12["x",{"_placeholder":true,"num":0}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "an empty attachment",
        &[">40", r#"451-["x",{"_placeholder":true,"num":0}]"#, "B"],
    ),
    (
        "an attachment twice",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "an attachment that is not used",
        &[">40", r#"451-1["x",1]"#, "BAQIDBA=="],
    ),
    (
        "attachments the other way round",
        &[
            ">40",
            r#"452-["x",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#,
            "BAQIDBA==",
            "BAAEC",
        ],
    ),
    (
        "ten attachments",
        &[
            ">40",
            r#"4510-1["x"]"#,
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
        ],
    ),
    (
        "eleven attachments",
        &[
            ">40",
            r#"4511-1["x"]"#,
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
        ],
    ),
    ("sixty-five attachments", &[">40", r#"4565-1["x"]"#]),
    (
        "an ack with attachments",
        &[
            ">40",
            r#"461-7[{"_placeholder":true,"num":0}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "a placeholder out of range",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":true,"num":1}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "a placeholder below range",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":true,"num":-1}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "a placeholder without a number",
        &[">40", r#"451-1["x",{"_placeholder":true}]"#, "BAQIDBA=="],
    ),
    (
        "a placeholder with a text for a number",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":true,"num":"0"}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "a placeholder with half a number",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":true,"num":0.5}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "a placeholder that is not true",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":1,"num":7}]"#,
            "BAQIDBA==",
        ],
    ),
    (
        "a placeholder in a text packet",
        &[">40", r#"421["x",{"_placeholder":true,"num":7}]"#],
    ),
    (
        "text while an attachment is awaited",
        &[
            ">40",
            r#"451-["x",{"_placeholder":true,"num":0}]"#,
            r#"421["y"]"#,
        ],
    ),
    (
        "disconnect while an attachment is awaited",
        &[">40", r#"451-["x",{"_placeholder":true,"num":0}]"#, "41"],
    ),
    ("bytes that nothing announced", &[">40", "BAQIDBA=="]),
    ("bytes before connect", &["BAQIDBA=="]),
    ("no attachments announced", &[">40", r#"450-["x"]"#]),
    ("attachments without a number", &[">40", r#"45-["x"]"#]),
    ("attachments without a dash", &[">40", r#"451["x"]"#]),
    ("attachments below zero", &[">40", r#"45-1-["x"]"#]),
    ("attachments with a fraction", &[">40", r#"451.5-["x"]"#]),
    (
        "attachments without end",
        &[">40", r#"4599999999999999999999-["x"]"#],
    ),
    ("attachments and no payload", &[">40", "451-", "BAQIDBA=="]),
    (
        "attachments and what is no JSON",
        &[">40", "451-[", "BAQIDBA=="],
    ),
    ("attachments and an object", &[">40", "451-{}", "BAQIDBA=="]),
    (
        "attachments and a reserved name",
        &[">40", r#"451-["connect"]"#, "BAQIDBA=="],
    ),
    (
        "bytes as text",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":true,"num":0}]"#,
            "bAQIDBA==",
        ],
    ),
    (
        "bytes as text without padding",
        &[
            ">40",
            r#"451-1["x",{"_placeholder":true,"num":0}]"#,
            "bAQIDBA",
        ],
    ),
    (
        "bytes as text that is no base64",
        &[">40", r#"451-1["x",{"_placeholder":true,"num":0}]"#, "b*"],
    ),
    (
        "bytes after enough of them",
        &[
            ">40",
            r#"451-["x",{"_placeholder":true,"num":0}]"#,
            ">BAQIDBA==",
            "BAQIDBA==",
        ],
    ),
];
