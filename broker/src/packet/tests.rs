use super::*;

/// What is sent on after reading.
fn relayed(text: &str, attachments: usize) -> Result<(String, String), String> {
    read(text, attachments)
        .map(|(name, args)| (name.to_string(), args.to_string()))
        .map_err(|denial| format!("{}: {}", denial.code, denial.message))
}

fn passes(text: &str, name: &str, args: &str) {
    assert_eq!(
        relayed(text, 0),
        Ok((name.to_owned(), args.to_owned())),
        "{text}"
    );
}

fn refused(text: &str, attachments: usize, why: &str) {
    let error = relayed(text, attachments).expect_err(text);
    assert!(error.contains(why), "{text}: {error}");
}

#[test]
fn arguments_pass_byte_for_byte() {
    passes(r#"["x"]"#, "x", "[]");
    passes(r#"["x",1]"#, "x", "[1]");
    passes(r#"["",null]"#, "", "[null]");
    passes(
        r#"["chat",{"a":[1,{"b":"]}"}]},"\u00e9\n",true]"#,
        "chat",
        r#"[{"a":[1,{"b":"]}"}]},"\u00e9\n",true]"#,
    );
    passes("\n [ \"x\" , 1 , [ 2 ] ] \r\n\t", "x", "[1 , [ 2 ] ]");
    passes(
        "[\"grüße\",\"日本\u{2028}😀\"]",
        "grüße",
        "[\"日本\u{2028}😀\"]",
    );
    passes(
        r#"["n",12345678901234567890,1e400,-0,0.1000]"#,
        "n",
        "[12345678901234567890,1e400,-0,0.1000]",
    );
    passes(r#"["s","\ud800"]"#, "s", r#"["\ud800"]"#);
    passes(
        r#"["s","\udc00\ud800",{"\ud800":1}]"#,
        "s",
        r#"["\udc00\ud800",{"\ud800":1}]"#,
    );
    passes(r#"["d",{"a":1,"a":2}]"#, "d", r#"[{"a":1,"a":2}]"#);
    passes(r#"["d",""]"#, "d", r#"[""]"#);
}

#[test]
fn names_are_unescaped() {
    passes(r#"["caf\u00e9",1]"#, "café", "[1]");
    passes(r#"["\ud83d\ude00"]"#, "😀", "[]");
    passes(r#"["a\"b\\"]"#, "a\"b\\", "[]");
    passes(r#"["\u0000"]"#, "\0", "[]");
    refused(
        r#"["\ud800"]"#,
        0,
        "invalid_packet: the name of the event is not Unicode",
    );
}

#[test]
fn what_is_no_event_is_refused() {
    refused("", 0, "invalid_packet: not an array");
    refused(r#"{"0":"x"}"#, 0, "invalid_packet: not an array");
    refused(r#""secret""#, 0, "invalid_packet: not an array");
    refused("[]", 0, "invalid_packet: an event has a name");
    for name in ["1", "null", "true", "[\"x\"]", "{\"a\":\"b\"}", "-1.5"] {
        refused(
            &format!("[{name},1]"),
            0,
            "the name of an event is a string",
        );
    }
}

#[test]
fn bad_json_is_refused_wherever_it_stands() {
    for text in [
        "[",
        "[\"x\"",
        "[\"x\",",
        "[\"x\",]",
        "[\"x\",1",
        "[\"x\",1]]",
        "[\"x\",1]x",
        "[\"x\" 1]",
        "[,\"x\"]",
        "[\"x\",01]",
        "[\"x\",1.]",
        "[\"x\",.5]",
        "[\"x\",+1]",
        "[\"x\",1e]",
        "[\"x\",-]",
        "[\"x\",NaN]",
        "[\"x\",Infinity]",
        "[\"x\",undefined]",
        "[\"x\",tru]",
        "[\"x\",True]",
        "[\"x\",'a']",
        "[\"x\",{a:1}]",
        "[\"x\",{\"a\"}]",
        "[\"x\",{\"a\":1,}]",
        "[\"x\",{1:1}]",
        "[\"x\",[1,]]",
        "[\"x\",[1}]",
        "[\"x\",{\"a\":1]]",
        "[\"x\",\"\n\"]",
        "[\"x\",\"\t\"]",
        "[\"x\",\"\\x\"]",
        "[\"x\",\"\\u12g4\"]",
        "[\"x\",\"\\ud8\"]",
        "[\"x\",\"open]",
        "[\"x\",1/*c*/]",
        "[\"x\",\u{a0}1]",
        "[\"x\",1]\0",
        "[\"x\n\"]",
    ] {
        refused(text, 0, "invalid_packet: not JSON");
        refused(text, 1, "invalid_packet: not JSON");
    }
}

#[test]
fn reserved_names_are_refused_however_they_are_written() {
    for name in RESERVED {
        refused(&format!("[\"{name}\",1]"), 0, "reserved_event");
    }
    refused(r#"["\u0063onnect"]"#, 0, "reserved_event");
    passes(r#"["Connect"]"#, "Connect", "[]");
    passes(r#"["connect "]"#, "connect ", "[]");
}

#[test]
fn placeholders_have_attachments() {
    for (arg, attachments) in [
        (r#"{"_placeholder":true,"num":0}"#, 1),
        (r#"{"num":1,"_placeholder":true}"#, 2),
        (r#" { "_placeholder" : true , "num" : 0 } "#, 1),
        (
            r#"{"a":[{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}]}"#,
            2,
        ),
        (r#"{"_placeholder":true,"num":1.0}"#, 2),
        (r#"{"_placeholder":true,"num":10e-1}"#, 2),
        (r#"{"_placeholder":true,"num":-0}"#, 1),
        // JSON.parse keeps the last of several keys.
        (r#"{"_placeholder":true,"num":7,"num":0}"#, 1),
        (r#"{"_placeholder":true,"num":7,"_placeholder":false}"#, 1),
        (
            r#"{"_placeholder":true,"num":7,"_placeholder":{"_placeholder":1}}"#,
            1,
        ),
        (r#"{"\u005fplaceholder":true,"n\u0075m":0}"#, 1),
        // None of these is a placeholder.
        (r#"{"_placeholder":"true","num":7}"#, 1),
        (r#"{"_placeholder":1,"num":7}"#, 1),
        (r#"{"_placeholder":[true],"num":7}"#, 1),
        (r#"{"placeholder":true,"num":7}"#, 1),
        (r#"{"\"_placeholder\"":true,"num":7}"#, 1),
        (r#"{"\ud800_placeholder":true,"num":7}"#, 1),
        (r#"["_placeholder",true,"num",7]"#, 1),
        (r#"{"a":"_placeholder","b":true,"num":7}"#, 1),
        (r#"{"x":{"num":7},"_placeholder":false}"#, 1),
        (r#""{\"_placeholder\":true,\"num\":7}""#, 1),
        (r#"1e400,"\ud800""#, 1),
    ] {
        let text = format!(r#"["x",{arg},2]"#);
        assert!(relayed(&text, attachments).is_ok(), "{text}");
    }
}

#[test]
fn placeholders_without_attachments_are_refused() {
    for arg in [
        r#"{"_placeholder":true,"num":2}"#,
        r#"{"_placeholder":true,"num":-1}"#,
        r#"{"_placeholder":true,"num":0.5}"#,
        r#"{"_placeholder":true,"num":1e400}"#,
        r#"{"_placeholder":true,"num":0,"num":2}"#,
        r#"{"_placeholder":false,"num":2,"_placeholder":true}"#,
        r#"{"\u005fplaceholder":true,"n\u0075m":2}"#,
        r#"{"a":{"b":[0,{"_placeholder":true,"num":2}]}}"#,
        r#"{"_placeholder":true,"num":2,"x":{"_placeholder":false}}"#,
        r#"{"x":{"_placeholder":false},"_placeholder":true,"num":2}"#,
        r#"{"x":[1,2],"_placeholder":true,"num":2}"#,
        r#"{"s":"\ud800","_placeholder":true,"num":2}"#,
        r#"{"s":"\\","_placeholder":true,"num":2}"#,
        r#"{"s":"\"","_placeholder":true,"num":2}"#,
        r#"{"n":1e400,"_placeholder":true,"num":2}"#,
    ] {
        let text = format!(r#"["x",{arg}]"#);
        refused(&text, 2, "for none of the 2 attachments");
        // In a text packet it is an object like others.
        assert!(relayed(&text, 0).is_ok(), "{text}");
    }
    for arg in [
        r#"{"_placeholder":true}"#,
        r#"{"_placeholder":true,"num":"0"}"#,
        r#"{"_placeholder":true,"num":null}"#,
        r#"{"_placeholder":true,"num":[0]}"#,
        r#"{"_placeholder":true,"num":0,"num":{"num":0}}"#,
    ] {
        refused(&format!(r#"["x",{arg}]"#), 2, "without a number");
    }
}

#[test]
fn depth_is_bounded_and_brackets_in_strings_do_not_count() {
    let nested = |depth: usize, open: &str, close: &str| {
        format!("[\"x\",{}0{}]", open.repeat(depth), close.repeat(depth))
    };
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for attachments in [0, 1] {
            assert!(read(&nested(MAX_DEPTH - 1, open, close), attachments).is_ok());
            refused(
                &nested(MAX_DEPTH, open, close),
                attachments,
                "deeper than 127",
            );
            refused(
                &nested(200_000, open, close),
                attachments,
                "deeper than 127",
            );
        }
    }
    // What passes can be read by serde_json, as policies do.
    let (_, args) = read(&nested(MAX_DEPTH - 1, "[", "]"), 0).expect("not too deep");
    assert!(serde_json::from_str::<serde_json::Value>(&args).is_ok());

    assert!(read(&format!("[\"x\",\"{}\"]", "[{".repeat(500)), 0).is_ok());
    assert!(read(&format!("[\"x\"{}]", ",[{}]".repeat(500)), 0).is_ok());
}

#[test]
fn arguments_from_elsewhere_are_checked_alike() {
    for good in ["[]", " [ ] ", "[1,{\"a\":[]}]", "[\"\\ud800\",1e400]"] {
        assert!(check_args(good, 0).is_ok(), "{good}");
    }
    for bad in ["", "null", "{}", "[1", "[1] 2", "\"[]\"", "[1,]"] {
        assert!(check_args(bad, 0).is_err(), "{bad}");
    }
    let placeholder = r#"[{"_placeholder":true,"num":1}]"#;
    assert!(check_args(placeholder, 0).is_ok());
    assert!(check_args(placeholder, 1).is_err());
    assert!(check_args(placeholder, 2).is_ok());
}

#[test]
fn what_is_written_is_read_as_it_was() {
    assert_eq!(event_text("x", "[]"), r#"["x"]"#);
    assert_eq!(event_text("x", " [ ] "), r#"["x"]"#);
    assert_eq!(event_text("x", "[[]]"), r#"["x",[]]"#);
    assert_eq!(event_text("x", "\n[ 1, 2 ]\n"), r#"["x",1, 2]"#);
    for name in [
        "",
        "plain",
        "q\"b\\",
        "\0\u{1f}\u{7f}",
        "grüße\u{2028}😀",
        "[1]",
    ] {
        for args in ["[]", "[1]", r#"["]",{"a":"["}]"#] {
            let text = event_text(name, args);
            assert_eq!(relayed(&text, 0), Ok((name.to_owned(), args.to_owned())));
        }
    }
}
