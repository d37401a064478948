use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::super::log::Shared;
use super::super::tests::pair;
use super::*;

/// How frames come in.
#[derive(Debug, Clone, Copy)]
enum Way {
    Own,
    Shared,
    /// By the log, where there is room.
    Logged,
}

fn push(queue: &mut Queue, frame: Vec<u8>, way: Way, log: &Log) {
    match way {
        Way::Own => queue.put(frame.into(), log),
        Way::Shared => queue.put(Bytes::from(frame).into(), log),
        Way::Logged => {
            let shared = Shared::from(Bytes::from(frame));
            queue.refer(shared.in_log(log).unwrap(), log);
        }
    }
}

/// What a client receives of frames of these sizes, `turn` at a time.
async fn received(frames: &[(usize, Way)], turn: usize) -> (Vec<u8>, Vec<u8>) {
    let (mut queue, mut client) = connected().await;
    let log = Log::here();
    let mut sent = Vec::new();
    for (number, frames) in frames.chunks(turn).enumerate() {
        for (place, &(len, way)) in frames.iter().enumerate() {
            let frame: Vec<u8> = (0..len).map(|byte| (byte + place + number) as u8).collect();
            sent.extend(&frame);
            push(&mut queue, frame, way, &log);
            if place % 7 == 0 {
                // Of another room.
                let _ = Shared::from(Bytes::from_static(b"elsewhere")).in_log(&log);
            }
        }
        assert!(!queue.is_empty() && queue.messages as usize == frames.len());
        assert_eq!(queue.write(&log), Flushed::All);
        assert!(queue.is_empty() && queue.messages == 0);
        log.clear();
    }
    queue.end();
    let mut read = Vec::new();
    client.read_to_end(&mut read).await.unwrap();
    (sent, read)
}

async fn connected() -> (Queue, TcpStream) {
    let (socket, client) = pair().await;
    (Queue::new(socket, None), client)
}

#[tokio::test]
async fn what_goes_in_comes_out_in_its_order() {
    let frames: Vec<_> = (0..120)
        .map(|number| match number % 10 {
            0 => (2 * SMALL + number, Way::Own),
            5 => (2 * SMALL + number, Way::Shared),
            1 => (1 + number, Way::Own),
            2 => (1 + number, Way::Shared),
            _ => (1 + number, Way::Logged),
        })
        .collect();
    for turn in [1, 2, 3, 120] {
        let (sent, read) = received(&frames, turn).await;
        assert!(sent == read, "{turn} at a time");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_blocks_and_loses_nothing() {
    for way in [Way::Own, Way::Logged] {
        let (mut queue, mut client) = connected().await;
        let log = Log::here();
        let mut sent = Vec::<u8>::new();
        for number in 0_u32.. {
            if queue.write(&log) != Flushed::All {
                break;
            }
            // What was in the log stands there no more.
            log.clear();
            for number in [4 * number, 4 * number + 1] {
                let frame = number.to_be_bytes().repeat(SMALL / 4);
                sent.extend(&frame);
                push(&mut queue, frame, way, &log);
            }
        }
        log.clear();
        let mut read = Vec::new();
        while read.len() < sent.len() {
            client.read_buf(&mut read).await.unwrap();
            if let Some(socket) = &queue.socket {
                let writable = std::future::poll_fn(|cx| socket.poll_write_ready(cx));
                let _ = tokio::time::timeout(std::time::Duration::from_millis(1), writable).await;
            }
            queue.write(&log);
        }
        assert_eq!(queue.write(&log), Flushed::All);
        assert!(read == sent, "{way:?}");
    }
}
