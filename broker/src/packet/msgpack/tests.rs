//! What is in hexadecimal was written by npm's socket.io-msgpack-parser 3.0.2, and what is beside it is what its decoder
//! and `JSON.stringify` made of it.

use super::*;
use crate::event::Denial;

const LIMITS: Limits = Limits {
    attachments: 3,
    text: 10_000,
};

fn bytes(hex: &str) -> Bytes {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).expect("ASCII"))
        .map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal"))
        .collect::<Vec<_>>()
        .into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn written(json: &str, attachments: &[Bytes]) -> String {
    let mut out = Vec::new();
    write::json(&mut out, json, attachments);
    hex(&out)
}

fn read(hex: &str) -> Result<(String, Vec<String>), Denial> {
    let (text, attachments) = to_json(&bytes(hex), LIMITS)?;
    Ok((text, attachments.iter().map(|one| self::hex(one)).collect()))
}

#[track_caller]
fn reads(hex: &str, json: &str, attachments: &[&str]) {
    let (text, attached) = read(hex).expect(hex);
    assert_eq!(text, json, "{hex}");
    assert_eq!(attached, attachments, "{hex}");
}

#[track_caller]
fn refused(hex: &str, why: &str) {
    let denial = read(hex).expect_err(hex);
    assert_eq!(denial.code, "invalid_packet");
    assert!(denial.message.contains(why), "{hex}: {}", denial.message);
}

#[test]
fn packets_are_those_of_the_parser() {
    let made = |kind, namespace, data, id| hex(&packet(kind, namespace, data, &[], id));
    assert_eq!(
        made(Kind::Event, "/", r#"["hello"]"#, None),
        "83a47479706502a36e7370a12fa46461746191a568656c6c6f"
    );
    assert_eq!(
        made(Kind::Ack, "/admin", r#"[{"ok":true}]"#, Some(7)),
        "84a47479706503a36e7370a62f61646d696ea2696407a4646174619181a26f6bc3"
    );
    assert_eq!(
        made(Kind::Event, "/", r#"["x", 1]"#, Some(300)),
        "84a47479706502a36e7370a12fa26964cd012ca46461746192a17801"
    );
    assert_eq!(
        made(Kind::Connect, "/", r#"{"sid":"abc","pid":"def"}"#, None),
        "83a47479706500a36e7370a12fa46461746182a3736964a3616263a3706964a3646566"
    );
    assert_eq!(
        made(
            Kind::ConnectError,
            "/",
            r#"{"message":"no","data":{"code":"no_route"}}"#,
            None
        ),
        "83a47479706504a36e7370a12fa46461746182a76d657373616765a26e6fa46461746181a4636f6465a86e6f5f726f757465"
    );
}

#[test]
fn values_are_written_and_read_as_by_the_parser() {
    for (json, hex) in [
        ("null", "c0"),
        ("true", "c3"),
        ("false", "c2"),
        ("0", "00"),
        ("1", "01"),
        ("127", "7f"),
        ("128", "cc80"),
        ("255", "ccff"),
        ("256", "cd0100"),
        ("65535", "cdffff"),
        ("65536", "ce00010000"),
        ("4294967295", "ceffffffff"),
        ("4294967296", "cf0000000100000000"),
        ("9007199254740991", "cf001fffffffffffff"),
        ("-1", "ff"),
        ("-32", "e0"),
        ("-33", "d0df"),
        ("-128", "d080"),
        ("-129", "d1ff7f"),
        ("-32768", "d18000"),
        ("-32769", "d2ffff7fff"),
        ("-2147483648", "d280000000"),
        ("-2147483649", "d3ffffffff7fffffff"),
        ("-9007199254740991", "d3ffe0000000000001"),
        ("0.5", "cb3fe0000000000000"),
        ("-0.1", "cbbfb999999999999a"),
        ("1e-7", "cb3e7ad7f29abcaf48"),
        (r#""""#, "a0"),
        (r#""a""#, "a161"),
        (r#""é日😀\"\\\n\u0000""#, "adc3a9e697a5f09f9880225c0a00"),
        ("[]", "90"),
        ("{}", "80"),
        (r#"{"a":{"b":[1,[2]]}}"#, "81a16181a16292019102"),
        (
            "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]",
            "dc0010000102030405060708090a0b0c0d0e0f",
        ),
        (
            r#"{"k0":0,"k1":1,"k2":2,"k3":3,"k4":4,"k5":5,"k6":6,"k7":7,"k8":8,"k9":9,"k10":10,"k11":11,"k12":12,"k13":13,"k14":14,"k15":15}"#,
            "de0010a26b3000a26b3101a26b3202a26b3303a26b3404a26b3505a26b3606a26b3707a26b3808a26b3909a36b31300aa36b31310ba36b31320ca36b31330da36b31340ea36b31350f",
        ),
    ] {
        assert_eq!(written(json, &[]), hex, "{json}");
        reads(hex, json, &[]);
    }
    for (length, header) in [(31, "bf"), (32, "d920")] {
        let text = "x".repeat(length);
        let hex = format!("{header}{}", "78".repeat(length));
        assert_eq!(written(&format!("\"{text}\""), &[]), hex);
        reads(&hex, &format!("\"{text}\""), &[]);
    }
}

#[test]
fn numbers_that_json_writes_in_other_ways() {
    for (json, hex) in [
        ("1.0", "01"),
        ("1e2", "64"),
        ("-0", "00"),
        ("-0.0", "00"),
        ("18446744073709551615", "cfffffffffffffffff"),
        ("-9223372036854775808", "d38000000000000000"),
        // More than a 64-bit integer holds.
        ("18446744073709551616", "cb43f0000000000000"),
        ("1e300", "cb7e37e43c8800759c"),
        ("1e400", "cb7ff0000000000000"),
        ("-1e400", "cbfff0000000000000"),
    ] {
        assert_eq!(written(json, &[]), hex, "{json}");
    }
    for (hex, json) in [
        ("cb4008000000000000", "3"),
        ("cb8000000000000000", "0"),
        ("cb4415af1d78b58c40", "100000000000000000000"),
        ("ca3dcccccd", "0.10000000149011612"),
        ("cb7ff8000000000000", "null"),
        ("cb7ff0000000000000", "null"),
        ("cbfff0000000000000", "null"),
        ("cfffffffffffffffff", "18446744073709551615"),
        ("d3ffffffffffffffff", "-1"),
    ] {
        reads(hex, json, &[]);
    }
    // Not digit by digit what JavaScript writes, but the same number.
    let (text, _) = read("cb444b1ae4d6e2ef50").expect("a number");
    assert_eq!(text.parse(), Ok(1e21));
}

#[test]
fn values_that_json_does_not_have() {
    for (hex, json) in [
        ("d40000", "null"),
        ("92d4000001", "[null,1]"),
        ("83a161d40000a16201a163d40000", r#"{"b":1}"#),
        ("81a161d40000", "{}"),
        ("d700000001a20e1afbb3", r#""2026-11-24T15:09:39.123Z""#),
        ("d700ffffffffffffffff", r#""1969-12-31T23:59:59.999Z""#),
        ("d7007fffffffffffffff", "null"),
        ("8101a178", r#"{"1":"x"}"#),
        ("82c0a178c3a179", r#"{"null":"x","true":"y"}"#),
        ("81cb3ff8000000000000a178", r#"{"1.5":"x"}"#),
        ("81cb4008000000000000a178", r#"{"3":"x"}"#),
        ("81ffa178", r#"{"-1":"x"}"#),
    ] {
        reads(hex, json, &[]);
    }
}

#[test]
fn binary_values_become_attachments_and_come_back() {
    let zero = r#"{"_placeholder":true,"num":0}"#;
    let one = r#"{"_placeholder":true,"num":1}"#;
    reads("c403010203", zero, &["010203"]);
    // An array buffer.
    reads("c702000405", zero, &["0405"]);
    reads(
        "81a16192c4017881a162c400",
        &format!(r#"{{"a":[{zero},{{"b":{one}}}]}}"#),
        &["78", ""],
    );
    // Extensions of others.
    reads("d401ff", &format!("[1,{zero}]"), &["ff"]);
    reads("d500aabb", &format!("[0,{zero}]"), &["aabb"]);
    reads("d6ff00000001", &format!("[-1,{zero}]"), &["00000001"]);
    reads("c70305010203", &format!("[5,{zero}]"), &["010203"]);

    let [a, b] = [Bytes::from_static(b"x"), Bytes::from_static(b"")];
    assert_eq!(
        written(
            &format!(r#"{{"a":[{zero},{{"b":{one}}}]}}"#),
            &[a.clone(), b.clone()]
        ),
        "81a16192c4017881a162c400"
    );
    // One attachment in two places, written in other ways, with more in it than belongs there.
    let odd = r#"[ {"num":[7],"\u005fplaceholder":true,"x":{"y":[[]]},"num":1.0}, [1], {"num":0,"_placeholder":true} , {"_placeholder":false}]"#;
    assert_eq!(
        written(odd, &[b, a]),
        "94c401789101c40081ac5f706c616365686f6c646572c2"
    );
    // Without attachments they are objects.
    assert_eq!(
        written(zero, &[]),
        "82ac5f706c616365686f6c646572c3a36e756d00"
    );
}

#[test]
fn long_binary_values_have_long_headers() {
    for (length, header) in [
        (255, "c4ff"),
        (256, "c50100"),
        (65_535, "c5ffff"),
        (65_536, "c600010000"),
    ] {
        let attachment = Bytes::from(vec![7; length]);
        let packed = written(
            r#"{"_placeholder":true,"num":0}"#,
            std::slice::from_ref(&attachment),
        );
        assert_eq!(packed, format!("{header}{}", "07".repeat(length)));
        let (_, attached) = to_json(&bytes(&packed), LIMITS).expect("binary");
        assert_eq!(attached[..], [attachment]);
    }
}

#[test]
fn what_is_not_msgpack_is_refused() {
    for cut in [
        "",
        "91",
        "92c0",
        "81",
        "81a161",
        "a261",
        "d9",
        "d905",
        "da00",
        "dbffffffff61",
        "cc",
        "cd00",
        "ce000000",
        "cf00000000000000",
        "d0",
        "d1",
        "d2",
        "d3",
        "ca",
        "cb00",
        "c4",
        "c402ff",
        "c5ffff",
        "c6ffffffff",
        "dc",
        "dcffff",
        "ddffffffff",
        "deffff",
        "dfffffffff",
        "d4",
        "d400",
        "d70000",
        "d8",
        "c7",
        "c705",
        "c70500",
        "c8ffff",
        "c9ffffffff00",
    ] {
        refused(cut, "cut off");
    }
    for more in ["c0c0", "9000", "a000", "c40000"] {
        refused(more, "after its end");
    }
    refused("c1", "begins nothing");
    refused("91c1", "begins nothing");
    for text in [
        "a1ff",
        "a2c3a9".replace("a9", "28").as_str(),
        "a3eda080",
        "81a1ff00",
    ] {
        refused(text, "not UTF-8");
    }
    for key in [
        "8190",
        "8180",
        "81c400",
        "81d40000",
        "81d7000000000000000000",
        "81c1",
    ] {
        refused(&format!("{key}c0"), "a key that is neither");
    }
    refused("81cb7ff8000000000000c0", "not a finite number");
}

#[test]
fn depth_is_bounded_as_in_text() {
    let nested = |depth: usize, open: &str| format!("{}00", open.repeat(depth));
    for open in ["91", "81a161"] {
        let (text, _) = read(&nested(crate::packet::MAX_DEPTH, open)).expect("not too deep");
        assert!(crate::packet::check_args(&format!("[{text}]"), 0).is_err());
        refused(
            &nested(crate::packet::MAX_DEPTH + 1, open),
            "deeper than 127",
        );
        refused(&nested(5000, open), "deeper than 127");
    }
    // A placeholder is an object.
    let deep = format!("{}c400", "91".repeat(crate::packet::MAX_DEPTH));
    refused(&deep, "deeper than 127");
}

#[test]
fn what_bytes_become_is_bounded() {
    refused("94c400c400c400c400", "more than 3 binary values");
    // One byte becomes six.
    let denial = read(&format!("92da1000{}c0", "00".repeat(4096))).expect_err("too long");
    assert_eq!(denial.code, "too_large");
    let many = format!("dd00001000{}", "c0".repeat(4096));
    assert_eq!(read(&many).expect_err("too long").code, "too_large");
    // A length alone makes nothing.
    let used = allocation_counter::measure(|| {
        for claim in ["ddffffffff", "dfffffffff", "dbffffffff", "c6ffffffff"] {
            assert!(read(claim).is_err());
        }
    });
    assert!(used.bytes_max < 10_000, "{} bytes", used.bytes_max);
}

/// Bytes that are nearly msgpack: whatever comes of them is JSON that is written and read again alike.
#[test]
fn noise_neither_panics_nor_becomes_bad_json() {
    let mut state = 3u64;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u8
    };
    let mut read_well = 0;
    for _ in 0..20_000 {
        let length = next() % 40;
        let mut noise = vec![0x90 | (next() % 4)];
        // Small numbers, short texts and containers are what most of it is made of.
        noise.extend((0..length).map(|_| match next() % 4 {
            0 => 0x80 | (next() % 64),
            1 => 0xc0 | (next() % 32),
            _ => next() % 128,
        }));
        let Ok((text, attachments)) = to_json(&noise.into(), LIMITS) else {
            continue;
        };
        read_well += 1;
        serde_json::from_str::<serde::de::IgnoredAny>(&text).expect(&text);
        let mut again = Vec::new();
        write::json(&mut again, &text, &attachments);
        let (same, attached) = to_json(&again.into(), LIMITS).expect(&text);
        assert_eq!((same, attached), (text, attachments));
    }
    assert!(read_well > 300, "{read_well}");
}

/// Another implementation reads what is written.
#[test]
fn rmp_serde_reads_the_same_values() {
    for json in [
        r#"["chat",{"room":"a","n":[1,-1,1.5,1e300,null,true,"é\n"]},[],{}]"#,
        r#"[[[[[{"a":{"b":{"c":[{},[],""]}}}]]]]]"#,
    ] {
        let mut out = Vec::new();
        write::json(&mut out, json, &[]);
        let expected: serde_json::Value = serde_json::from_str(json).expect("JSON");
        let read: serde_json::Value = rmp_serde::from_slice(&out).expect("msgpack");
        assert_eq!(read, expected);
    }
}
