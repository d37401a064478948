//! What waits for a reactor: how much of it, in which order, and who delivers it.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fanout::inbox::{Inbox, Pushed};
use crate::fanout::message::Message;

use super::*;

fn message(args: &str) -> Arc<Message> {
    let event = Event {
        args: args.into(),
        ..event("e")
    };
    Arc::new(Message::new(
        &"/".into(),
        None::<&[&str]>,
        &[],
        &event,
        None,
    ))
}

#[test]
fn it_is_bounded_in_messages_and_bytes_and_takes_one_of_any_size() {
    let inbox = Inbox::bounded(3, 10_000);
    let push = |args: &str| inbox.push(&message(args)) != Pushed::Full;
    assert!(push(&" ".repeat(20_000)));
    assert!(!push("1"));
    assert_eq!(inbox.out().next().unwrap().event.args.len(), 20_000);
    assert!((0..3).all(|n| push(&n.to_string())));
    assert!(!push("3"));
    let mut out = inbox.out();
    assert_eq!(&*out.next().unwrap().event.args, "0");
    // What is on its way out makes room, and is not overtaken.
    assert!((3..6).all(|n| push(&n.to_string())));
    let rest: Vec<_> = std::iter::from_fn(|| out.next()).collect();
    let rest: Vec<_> = rest.iter().map(|it| it.event.args.to_string()).collect();
    assert_eq!(rest, ["1", "2", "3", "4", "5"]);
}

#[test]
fn a_reactor_that_rests_is_woken_by_the_next_message() {
    use futures_util::FutureExt as _;
    let inbox = Inbox::bounded(3, 1000);
    assert_eq!(inbox.push(&message("1")), Pushed::Asleep);
    // Whoever brings something wakes it, at a time of his own.
    assert_eq!(inbox.push(&message("2")), Pushed::Asleep);
    assert_eq!(inbox.woken().now_or_never(), None);
    inbox.wake();
    inbox.wake();
    assert_eq!(inbox.woken().now_or_never(), Some(()));
    assert_eq!(inbox.woken().now_or_never(), None);
    // It looks again before it rests.
    assert_eq!(inbox.push(&message("3")), Pushed::Seen);
    let mut out = inbox.out();
    assert!(out.next().is_some() && out.next().is_some());
    drop(out);
    assert!(!inbox.rest());
    assert!(inbox.out().next().is_some());
    assert!(inbox.rest());
    assert_eq!(inbox.push(&message("4")), Pushed::Asleep);
    // Woken for what others have delivered in its place meanwhile, it rests again.
    assert!(inbox.out().next().is_some());
    inbox.wake();
    assert_eq!(inbox.woken().now_or_never(), Some(()));
    assert!(inbox.rest());
}

/// What one turn of a reactor emits is handed over at once, and wakes others at its end.
#[tokio::test]
async fn a_turn_wakes_each_other_reactor_once() {
    let fanout = Fanout::alone(2);
    let a = Socket::enter_at(&fanout, 0, 1, "/", &[]);
    let b = Socket::enter_at(&fanout, 1, 2, "/", &[]);
    let homes = fanout.homes().map(|home| tokio::spawn(home.serve()));
    let homes: Vec<_> = homes.collect();
    tokio::task::yield_now().await;
    for n in 0..10 {
        a.emit(&fanout, &Recipients::Others, &event(&n.to_string()));
    }
    assert_eq!(b.home.0.waiting(), 10);
    while b.home.0.waiting() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(b.received().len(), 10);
    homes.iter().for_each(tokio::task::JoinHandle::abort);
}

#[test]
fn what_finds_no_room_is_delivered_by_whoever_brings_it() {
    let fanout = Fanout::alone(2);
    let a = Socket::enter_at(&fanout, 0, 1, "/", &[]);
    let b = Socket::enter_at(&fanout, 1, 2, "/", &[]);
    // Its reactor does nothing at all.
    for n in 0..10_000 {
        a.emit(&fanout, &Recipients::Others, &event(&n.to_string()));
    }
    let mut received = b.received();
    assert!(received.len() > 1000, "{}", received.len());
    while b.home.0.deliver_waiting() {}
    received.extend(b.received());
    let expected: Vec<_> = (0..10_000).map(|n| format!("{n} [1]")).collect();
    assert_eq!(received, expected);
}

/// Two reactors flood each other, and neither looks into its inbox before it is done: both have to deliver for the
/// other one meanwhile.
#[test]
fn reactors_that_flood_each_other_end_and_lose_nothing() {
    const EVENTS: usize = 20_000;
    let fanout = Fanout::alone(2);
    let sockets =
        [0, 1].map(|reactor| Socket::enter_at(&fanout, reactor, reactor as u64, "/", &["x"]));
    let flooding = AtomicUsize::new(2);
    std::thread::scope(|scope| {
        for socket in &sockets {
            scope.spawn(|| {
                for n in 0..EVENTS {
                    let to = if n % 3 == 0 {
                        Recipients::Others
                    } else {
                        room("x", false)
                    };
                    socket.emit(&fanout, &to, &event(&n.to_string()));
                }
                flooding.fetch_sub(1, Ordering::Relaxed);
                while flooding.load(Ordering::Relaxed) > 0 {
                    std::thread::yield_now();
                }
                while socket.home.0.deliver_waiting() {}
            });
        }
    });
    let expected: Vec<_> = (0..EVENTS).map(|n| format!("{n} [1]")).collect();
    for socket in &sockets {
        assert_eq!(socket.received(), expected);
    }
}

/// Clients of several reactors and back ends, while reactors serve: each sender's events are in order everywhere.
#[test]
fn every_sender_is_heard_in_order_on_every_reactor() {
    const EVENTS: usize = 3000;
    let fanout = Fanout::alone(4);
    let sockets: Vec<_> = (0..4)
        .map(|reactor| Socket::enter_at(&fanout, reactor, reactor as u64, "/", &["x", "y"]))
        .collect();
    let waiting = AtomicUsize::new(sockets.len());
    std::thread::scope(|scope| {
        let reactors: Vec<_> = sockets
            .iter()
            .map(|socket| {
                let (fanout, waiting) = (&fanout, &waiting);
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread();
                    let runtime = { runtime }.build().unwrap();
                    runtime.block_on(async {
                        let serving = runtime.spawn(socket.home.clone().serve());
                        for n in 0..EVENTS {
                            let to = match n % 3 {
                                0 => Recipients::All,
                                1 => room("x", true),
                                _ => Recipients::SenderRooms {
                                    include_sender: true,
                                },
                            };
                            let name = format!("{}-{n}", socket.client.peer.token);
                            socket.emit(fanout, &to, &event(&name));
                            if n % 50 == 0 {
                                tokio::task::yield_now().await;
                            }
                        }
                        while socket.inbox.0.lock().len() < 4 * EVENTS {
                            tokio::task::yield_now().await;
                        }
                        // As long as others wait for something, it may be this reactor's turn to wake them.
                        waiting.fetch_sub(1, Ordering::Relaxed);
                        while waiting.load(Ordering::Relaxed) > 0 {
                            tokio::task::yield_now().await;
                        }
                        serving.abort();
                    });
                })
            })
            .collect();
        for reactor in reactors {
            reactor.join().unwrap();
        }
    });
    for socket in &sockets {
        let received = socket.received();
        for sender in 0..4 {
            let prefix = format!("{sender}-");
            let from: Vec<_> = received
                .iter()
                .filter(|it| it.starts_with(&prefix))
                .collect();
            let expected: Vec<_> = (0..EVENTS).map(|n| format!("{sender}-{n} [1]")).collect();
            assert_eq!(from, expected.iter().collect::<Vec<_>>());
        }
    }
}
