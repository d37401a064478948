use flate2::{Compress, Compression, FlushCompress};

use super::*;

const PLAIN: Side = Side {
    bits: 15,
    takeover: false,
};
const KEPT: Side = Side {
    bits: 15,
    takeover: true,
};
const MOST: usize = 1_000_000;

/// A client's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    wire::clients_frame(first, [0x11, 0x22, 0x33, 0xf4], payload)
}

/// What the library is to read: a frame with a mask of zeros.
fn read(first: u8, payload: &[u8]) -> Vec<u8> {
    wire::clients_frame(first, [0; 4], payload)
}

fn deflated(engine: &mut Compress, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() * 2 + 100);
    engine
        .compress_vec(message, &mut out, FlushCompress::Sync)
        .expect("compressed");
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(out.len() - 4);
    out
}

fn alone(message: &[u8]) -> Vec<u8> {
    deflated(&mut Compress::new(Compression::new(6), false), message)
}

fn fed(side: Side, bytes: &[u8]) -> Result<Vec<u8>, Violation> {
    let mut out = Vec::new();
    Inbound::new(side, MOST as u64)
        .feed(bytes, &mut out)
        .map(|()| out)
}

#[track_caller]
fn refused(bytes: &[u8], code: u16) {
    for side in [PLAIN, KEPT] {
        let fault = fed(side, bytes).expect_err("a fault");
        assert_eq!(fault.code, Some(code), "{}", fault.what);
    }
}

/// The examples of RFC 7692, section 7.2.3.
#[test]
fn the_standards_examples() {
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let text = read(0x81, b"Hello");
    assert_eq!(fed(PLAIN, &frame(0xc1, &hello)).as_deref(), Ok(&text[..]));
    // In two fragments.
    let mut pieces = frame(0x41, &hello[..3]);
    pieces.extend(frame(0x80, &hello[3..]));
    assert_eq!(fed(PLAIN, &pieces).as_deref(), Ok(&text[..]));
    // Referring to the message before.
    let mut two = frame(0xc1, &hello);
    two.extend(frame(0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00]));
    assert_eq!(fed(KEPT, &two), Ok([&text[..], &text].concat()));
    // Without compression, in a block with the final bit, and in two blocks.
    for payload in [
        &[
            0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
        ][..],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        &[
            0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
        ],
    ] {
        for side in [PLAIN, KEPT] {
            let twice = [frame(0xc1, payload), frame(0xc1, payload)].concat();
            assert_eq!(fed(side, &twice), Ok([&text[..], &text].concat()));
        }
    }
    // An empty message, and one that the standard does not foresee.
    for payload in [&[0x00][..], &[]] {
        for side in [PLAIN, KEPT] {
            let both = [frame(0xc2, payload), frame(0xc1, &hello)].concat();
            assert_eq!(fed(side, &both), Ok([&read(0x82, b"")[..], &text].concat()));
        }
    }
}

#[test]
fn any_messages_in_any_pieces() {
    let mut state = 1u32;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    for round in 0..60 {
        let bits = 9 + (round % 7) as u8;
        let takeover = round % 2 == 0;
        let side = Side { bits, takeover };
        let level = Compression::new(1 + (round % 9) as u32);
        let mut engine = Compress::new_with_window_bits(level, false, bits);
        let (mut sent, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..8 {
            let length = [0, 1, 100, 126, 3000, 70_000][next(6)];
            let message: Vec<u8> = (0..length).map(|_| b"abcdefgh"[next(8)]).collect();
            let opcode = 1 + next(2) as u8;
            if next(3) == 0 || length == 0 {
                sent.extend(frame(0x80 | opcode, &message));
                expected.extend(frame(0x80 | opcode, &message));
                continue;
            }
            let payload = deflated(&mut engine, &message);
            if !takeover {
                engine.reset();
            }
            // In up to four fragments, with pings in between.
            let mut cuts: Vec<usize> = (0..next(4)).map(|_| next(payload.len() + 1)).collect();
            cuts.extend([0, payload.len()]);
            cuts.sort_unstable();
            for (place, cut) in cuts.windows(2).enumerate() {
                let first = if place == 0 { 0x40 | opcode } else { 0 };
                let last = if place + 2 == cuts.len() { 0x80 } else { 0 };
                sent.extend(frame(first | last, &payload[cut[0]..cut[1]]));
                if last == 0 {
                    sent.extend(frame(0x89, b"still there?"));
                    expected.extend(frame(0x89, b"still there?"));
                }
            }
            expected.extend(read(0x80 | opcode, &message));
        }
        for step in [1, 2, 7, 1000, sent.len()] {
            let mut inbound = Inbound::new(side, MOST as u64);
            let mut out = Vec::new();
            for piece in sent.chunks(step) {
                inbound.feed(piece, &mut out).expect("frames");
            }
            assert!(out == expected, "round {round}, {step} bytes at a time");
        }
    }
}

#[test]
fn a_message_that_came_in_pieces_uncompressed_passes_as_it_is() {
    let sent = [
        frame(0x01, b"one"),
        frame(0x8a, b""),
        frame(0x00, b""),
        frame(0x80, b"two"),
        frame(0x88, &[0x03, 0xe8]),
    ]
    .concat();
    for side in [PLAIN, KEPT] {
        assert_eq!(fed(side, &sent), Ok(sent.clone()));
    }
}

#[test]
fn headers_that_break_the_rules() {
    let long = [0; 126];
    let (text, begun) = (alone(b"text"), frame(0x01, b"x"));
    for wrong in [
        // RSV2, RSV3.
        frame(0xa1, b""),
        frame(0x91, b""),
        // Kinds that there are not.
        frame(0x83, b""),
        frame(0x8b, b""),
        frame(0x87, b""),
        // Control frames: compressed, in pieces, too long.
        frame(0xc9, b""),
        frame(0x09, b""),
        frame(0x88, &long),
        // Out of order.
        frame(0x80, b"x"),
        frame(0xc0, &text),
        [begun.clone(), frame(0x81, b"x")].concat(),
        [begun.clone(), frame(0xc1, &text)].concat(),
        [begun, frame(0xc0, &text)].concat(),
        [frame(0x41, &text), frame(0xc0, &text)].concat(),
        [frame(0x41, &text), frame(0x82, b"x")].concat(),
        // Without a mask.
        vec![0x81, 0x01, b'x'],
        vec![0xc1, 0x00],
    ] {
        refused(&wrong, 1002);
    }
}

#[test]
fn what_cannot_be_decompressed() {
    for payload in [
        &b"what is this"[..],
        // A kind of block that there is not.
        &[0x06],
        // A length that contradicts itself.
        &[0x00, 0x05, 0x00, 0x00, 0x00],
        // Further back than there is anything.
        &[0xf2, 0x00, 0x11, 0x00, 0x00],
    ] {
        refused(&frame(0xc1, payload), 1007);
    }
    // Final blocks without end.
    refused(&frame(0xc1, &[0x03, 0x00].repeat(2000)), 1007);
}

#[test]
fn messages_that_are_too_large() {
    let text = |length| vec![b'a'; length];
    for side in [PLAIN, KEPT] {
        let largest = [
            frame(0x82, &text(MOST)),
            frame(0xc2, &alone(&text(MOST))),
            frame(0x02, &text(MOST - 1)),
            frame(0x80, &text(1)),
        ]
        .concat();
        let out = fed(side, &largest).expect("as large as may be");
        assert_eq!(out.len(), 3 * MOST + 3 * 14 + 6);
    }
    refused(&frame(0x82, &text(MOST + 1)), 1009);
    refused(&frame(0xc2, &alone(&text(MOST + 1))), 1009);
    // Before it has come: what a header claims is enough.
    for first in [0x81, 0xc1] {
        let claim = [&[first, 0xff][..], &u64::MAX.to_be_bytes(), &[0; 4]].concat();
        refused(&claim, 1009);
    }
    for compressed in [0, 0x40] {
        let pieces = [
            frame(0x02 | compressed, &text(MOST / 2)),
            frame(0x00, &text(MOST / 2)),
            frame(0x00, &text(1)),
        ]
        .concat();
        refused(&pieces, 1009);
    }
}

#[test]
fn a_bomb_costs_no_more_than_a_message_may() {
    // Hundreds of megabytes, a thousandth of that on the wire.
    let piece = vec![0; 1 << 20];
    let mut engine = Compress::new(Compression::new(9), false);
    let mut bomb = Vec::new();
    for _ in 0..200 {
        bomb.extend(deflated(&mut engine, &piece));
        bomb.extend([0, 0, 0xff, 0xff]);
    }
    assert!(bomb.len() < MOST / 4);
    let sent = frame(0xc2, &bomb);
    for side in [PLAIN, KEPT] {
        let mut inbound = Inbound::new(side, MOST as u64);
        let mut out = Vec::new();
        let used = allocation_counter::measure(|| {
            assert_eq!(inbound.feed(&sent, &mut out), Err(TOO_LARGE));
        });
        assert!(out.is_empty());
        assert!(used.bytes_max < 6 * MOST as u64, "{} bytes", used.bytes_max);
    }
}

#[test]
fn nothing_is_held_between_messages() {
    let bytes = [frame(0xc1, &alone(&[b'x'; 5000])), frame(0x81, b"x")].concat();
    // The thread's own engine.
    fed(PLAIN, &bytes).expect("frames");
    let mut inbound = Inbound::new(PLAIN, MOST as u64);
    let used = allocation_counter::measure(|| {
        inbound.feed(&bytes, &mut Vec::new()).expect("frames");
    });
    assert_eq!(used.bytes_current, 0);
    assert!(size_of::<Inbound>() < 250, "{}", size_of::<Inbound>());
}
