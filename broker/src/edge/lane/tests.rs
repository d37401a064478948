use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::edge::bench::link;
use crate::edge::link::Links;
use crate::tls::Stream;

/// What is written to a client, and the client.
pub(super) async fn pair() -> (WriteHalf, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let client = client.await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (Stream::Plain(server).into_split().1, client)
}

/// Lanes of one reactor, which is this thread, and their clients.
async fn connected<const N: usize>() -> [(Arc<Lane>, TcpStream); N] {
    let links = Arc::new(Links::default());
    let terms = Terms::here(Duration::from_secs(60), u64::MAX, Arc::new(Pace::new()));
    let mut lanes = Vec::new();
    for _ in 0..N {
        let (socket, client) = pair().await;
        let lane = Lane::new(socket, link(&links), terms.clone(), None);
        lanes.push((lane, client));
    }
    lanes.try_into().ok().unwrap()
}

fn shared(text: String) -> Shared {
    Bytes::from(text).into()
}

/// All that a client is sent before its connection ends.
async fn read(mut client: TcpStream) -> String {
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn what_is_for_many_and_what_is_for_one_keep_their_order() {
    let [(a, to_a), (b, to_b)] = connected().await;
    let mut wanted = [String::new(), String::new()];
    for turn in 0..50 {
        for event in 0..turn {
            let both = shared(format!("<both {turn} {event}>"));
            for (lane, wanted) in [&a, &b].into_iter().zip(&mut wanted) {
                lane.push(&both, Bounds::NONE).unwrap();
                wanted.push_str(&format!("<both {turn} {event}>"));
            }
            if event % 3 == 0 {
                let own = format!("<own {turn} {event}>");
                a.push_own(own.clone().into_bytes(), Bounds::NONE).unwrap();
                wanted[0].push_str(&own);
            }
            if event % 5 == 0 {
                // An answer of a back end comes from a thread that is no reactor's, and so may an event.
                let answer = format!("<answer {turn} {event}>");
                let event = shared(answer.clone());
                std::thread::scope(|scope| {
                    scope.spawn(|| b.push(&event, Bounds::NONE).unwrap());
                });
                wanted[1].push_str(&answer);
            }
        }
        // The flusher comes behind what is ready.
        tokio::task::yield_now().await;
    }
    for lane in [a, b] {
        lane.clone().finish().await;
        lane.end();
    }
    assert_eq!([read(to_a).await, read(to_b).await], wanted);
}

#[tokio::test]
async fn the_last_words_leave_after_their_turn() {
    let [(lane, client)] = connected().await;
    let mut wanted = 0;
    loop {
        lane.push_own(vec![b'x'; 50_000], Bounds::NONE).unwrap();
        wanted += 50_000;
        if !lane.flush() {
            break;
        }
    }
    let last = "<last>";
    lane.push(&shared(last.to_owned()), Bounds::NONE).unwrap();
    wanted += last.len();
    // While it waits for its client, the turn ends without it.
    let mut finished = Box::pin(lane.clone().finish());
    assert!((&mut finished).now_or_never().is_none());
    tokio::task::yield_now().await;
    let read = tokio::spawn(read(client));
    finished.await;
    lane.end();
    let read = read.await.unwrap();
    assert!(read.len() == wanted && read.ends_with(last));
}

#[tokio::test]
async fn who_takes_nothing_for_a_while_gets_what_was_gathered_then() {
    let [(a, to_a), (b, to_b)] = connected().await;
    let mut wanted = String::new();
    let mut number = 0;
    while !a.is_blocked() {
        for _ in 0..64 {
            let text = format!("<{number}>{}", "x".repeat(900));
            let both = shared(text.clone());
            a.push(&both, Bounds::NONE).unwrap();
            b.push(&both, Bounds::NONE).unwrap();
            wanted.push_str(&text);
            number += 1;
        }
        tokio::task::yield_now().await;
    }
    let both = shared("<last>".to_owned());
    a.push(&both, Bounds::NONE).unwrap();
    b.push(&both, Bounds::NONE).unwrap();
    wanted.push_str("<last>");
    let reads = [to_a, to_b].map(|client| tokio::spawn(read(client)));
    for lane in [a, b] {
        lane.clone().finish().await;
        lane.end();
    }
    for read in reads {
        assert!(read.await.unwrap() == wanted);
    }
}
