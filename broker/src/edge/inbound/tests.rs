use super::*;

const MASK: [u8; 4] = [7, 77, 177, 200];

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    crate::edge::wire::begin_frame(&mut frame, first, payload.len());
    frame[1] |= 0x80;
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b));
    frame
}

/// What the library would read, the bytes coming in pieces of `step`.
fn read(inbound: &mut Inbound, bytes: &[u8], step: usize) -> (Vec<u8>, Result<(), Violation>) {
    let mut out = Vec::new();
    for piece in bytes.chunks(step) {
        let result = inbound.take(piece, &mut |bytes| out.extend(bytes));
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
    for payload in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
        bytes.extend(frame(0x81, &vec![b'x'; payload]));
        bytes.extend(frame(0x82, &vec![b'4'; payload]));
    }
    bytes.extend(frame(0x81, br#"42["plain",{"not":"a\u00e9 name"}]"#));
    bytes.extend(frame(
        0x81,
        &[b"42[\"".to_vec(), vec![b'n'; 3000], b"\\\"]".to_vec()].concat(),
    ));
    for step in STEPS {
        let mut inbound = Inbound::new(1 << 20);
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
                frame(0x81, b"2"),
                frame(0x81, payload.as_bytes()),
                frame(0x89, b"p"),
            ]
            .concat();
            let expected = [
                frame(0x81, b"2"),
                frame(0x81, marked.as_bytes()),
                frame(0x89, b"p"),
            ]
            .concat();
            for step in STEPS {
                let (out, result) = read(&mut Inbound::new(1000), &bytes, step);
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
        let mut inbound = Inbound::new(100);
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
        ([frame(0x01, b"x"), frame(0x81, b"x")].concat(), 1002),
        (frame(0x81, &[b'x'; 101]), 1009),
        (
            [frame(0x02, &[0; 60]), frame(0x80, &[0; 60])].concat(),
            1009,
        ),
        (huge, 1009),
    ] {
        for step in STEPS {
            let bytes = [frame(0x81, b"before"), bytes.clone()].concat();
            let (out, result) = read(&mut Inbound::new(100), &bytes, step);
            assert_eq!(
                result.map_err(|violation| violation.code),
                Err(code),
                "{bytes:?}"
            );
            assert!(out.starts_with(&frame(0x81, b"before")));
        }
    }
}

#[test]
fn the_packet_that_moves_a_client_over_is_noticed_once() {
    let mut inbound = Inbound::new(100);
    read(&mut inbound, &frame(0x81, b"2probe"), 1).1.unwrap();
    assert!(!inbound.has_upgraded());
    read(&mut inbound, &frame(0x81, b"5"), 1).1.unwrap();
    assert!(inbound.has_upgraded());
    assert!(!inbound.has_upgraded());
}
