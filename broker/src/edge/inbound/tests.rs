use super::*;

const MASK: [u8; 4] = [7, 77, 177, 200];

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    crate::edge::wire::clients_frame(first, MASK, payload)
}

/// A client that is in whichever namespace it names.
struct Anywhere;

impl Namespaces for Anywhere {
    fn is_in(&self, _: &str) -> bool {
        true
    }

    fn leaves(&self, _: &str) {}
}

/// What the library would read, the bytes coming in pieces of `step`.
fn read(inbound: &mut Inbound, bytes: &[u8], step: usize) -> (Vec<u8>, Result<(), Violation>) {
    let mut out = Vec::new();
    for piece in bytes.chunks(step) {
        let result = inbound.take(piece, &Anywhere, &mut |bytes| out.extend(bytes));
        if result.is_err() {
            return (out, result);
        }
    }
    (out, Ok(()))
}

const STEPS: [usize; 7] = [1, 2, 3, 7, 100, 1000, usize::MAX];

#[test]
fn what_needs_nothing_passes_as_it_is() {
    let mut bytes = Vec::new();
    for payload in [8, 125, 126, 65_535, 65_536, 70_000] {
        let event = format!("42[\"{}\"]", "x".repeat(payload - 6));
        bytes.extend(frame(0x81, event.as_bytes()));
        bytes.extend(frame(0x81, b"451-[\"x\"]"));
        bytes.extend(frame(0x82, &vec![b'4'; payload]));
    }
    bytes.extend(frame(0x81, br#"42["plain",{"not":"a\u00e9 name"}]"#));
    bytes.extend(frame(
        0x81,
        &[b"42[\"".to_vec(), vec![b'n'; 3000], b"\\\"]".to_vec()].concat(),
    ));
    for step in STEPS {
        let mut inbound = Inbound::new(1 << 20, Parser::Text);
        let (out, result) = read(&mut inbound, &bytes, step);
        assert_eq!(result, Ok(()));
        assert!(out == bytes, "step {step}");
        assert!(inbound.at_boundary());
    }
}

#[test]
fn a_name_with_an_escape_is_marked() {
    for (payload, marked) in [
        (r#"42["a\u00e9",1]"#, r#"42["=",    "a\u00e9",1]"#),
        (r#"42/x,17["\"",{}]"#, r#"42/x,17["=",    "\"",{}]"#),
    ] {
        let long = |text: &str| format!("{}{}", text, " ".repeat(115));
        for (payload, marked) in [
            (payload.to_owned(), marked.to_owned()),
            (long(payload), long(marked)),
        ] {
            let bytes = [
                frame(0x81, b"3"),
                frame(0x81, payload.as_bytes()),
                frame(0x89, b"p"),
            ]
            .concat();
            let expected = [
                frame(0x81, b"3"),
                frame(0x81, marked.as_bytes()),
                frame(0x89, b"p"),
            ]
            .concat();
            for step in STEPS {
                let (out, result) = read(&mut Inbound::new(1000, Parser::Text), &bytes, step);
                assert_eq!(result, Ok(()));
                assert_eq!(out, expected, "step {step}");
            }
        }
    }
}

#[test]
fn messages_may_come_in_parts_with_control_frames_between_them() {
    let bytes = [
        frame(0x01, br#"42["a\n","#),
        frame(0x89, b"ping"),
        frame(0x00, b"1"),
        frame(0x80, b"]"),
    ]
    .concat();
    for step in STEPS {
        let mut inbound = Inbound::new(100, Parser::Text);
        let (out, result) = read(&mut inbound, &bytes, step);
        assert_eq!(result, Ok(()));
        assert_eq!(out.len(), bytes.len() + escape::MARK.len());
        assert!(inbound.at_boundary());
        // In the middle of a message nothing may be put in between.
        read(&mut inbound, &frame(0x01, b"42["), step).1.unwrap();
        assert!(!inbound.at_boundary());
    }
}

#[test]
fn a_broken_protocol_is_told_by_its_code() {
    let unmasked = vec![0x81, 1, b'2'];
    let huge = [
        vec![0x82, 0xff],
        u64::MAX.to_be_bytes().to_vec(),
        MASK.to_vec(),
    ]
    .concat();
    for (bytes, code) in [
        (unmasked, 1002),
        (frame(0xc1, b"x"), 1002),
        (frame(0x83, b"x"), 1002),
        (frame(0x8b, b"x"), 1002),
        (frame(0x80, b"x"), 1002),
        (frame(0x09, b"x"), 1002),
        (frame(0x89, &[0; 126]), 1002),
        ([frame(0x01, b"4"), frame(0x81, b"x")].concat(), 1002),
        (frame(0x81, &[b'x'; 101]), 1009),
        (
            [frame(0x01, b"42[\"a\","), frame(0x80, &[b' '; 94])].concat(),
            1009,
        ),
        (huge, 1009),
    ] {
        for step in STEPS {
            let bytes = [frame(0x81, b"42[\"before\"]"), bytes.clone()].concat();
            let (out, result) = read(&mut Inbound::new(100, Parser::Text), &bytes, step);
            assert_eq!(
                result.map_err(|violation| violation.code),
                Err(Some(code)),
                "{bytes:?}"
            );
            assert!(out.starts_with(&frame(0x81, b"42[\"before\"]")));
        }
    }
}

#[test]
fn what_has_no_effect_is_left_out_and_what_is_out_of_place_ends_it() {
    let (first, last) = (frame(0x81, b"42[\"a\"]"), frame(0x81, b"42[\"b\"]"));
    for step in STEPS {
        let ignored = [first.clone(), frame(0x81, b"6x"), last.clone()].concat();
        let (out, result) = read(&mut Inbound::new(100, Parser::Text), &ignored, step);
        assert_eq!(result, Ok(()));
        assert_eq!(out, [first.clone(), last.clone()].concat(), "step {step}");
        for (wrong, fault) in [
            (frame(0x81, b"2"), Fault::Direction),
            (frame(0x81, b"4abc"), Fault::Parse),
            (frame(0x81, b"40"), Fault::State),
            (frame(0x82, b"nobody announced it"), Fault::Parse),
        ] {
            let bytes = [first.clone(), wrong, last.clone()].concat();
            let (out, result) = read(&mut Inbound::new(100, Parser::Text), &bytes, step);
            assert_eq!(result, Err(unmannerly(fault)));
            assert_eq!(out, first, "step {step}");
        }
    }
}
