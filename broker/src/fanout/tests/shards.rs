//! Several reactors: who is told, and what is known of all of them.

use crate::fanout::directory::Peers;

use super::*;

/// Every reactor looks into its inbox. The answer is how many messages there were.
fn drain(fanout: &Fanout) -> usize {
    let before: usize = waiting(fanout);
    for Home(shard) in fanout.homes() {
        while shard.deliver_waiting() {}
    }
    before
}

fn waiting(fanout: &Fanout) -> usize {
    fanout.homes().map(|Home(shard)| shard.waiting()).sum()
}

/// A socket on each of three reactors, the third in another namespace as well.
fn sockets(fanout: &Fanout) -> [Socket; 4] {
    [
        Socket::enter_at(fanout, 0, 1, "/", &["x", "y"]),
        Socket::enter_at(fanout, 1, 2, "/", &["x", "y"]),
        Socket::enter_at(fanout, 2, 3, "/", &["z"]),
        Socket::enter_at(fanout, 2, 4, "/other", &["x"]),
    ]
}

#[test]
fn an_event_is_one_message_to_each_other_reactor_that_has_members() {
    let fanout = Fanout::alone(4);
    let sockets = sockets(&fanout);
    let [a, ..] = &sockets;
    let got = |to: &Recipients| {
        a.emit(&fanout, to, &event("e"));
        let messages = drain(&fanout);
        let received = sockets.each_ref().map(|socket| socket.received().len());
        (messages, received)
    };
    assert_eq!(got(&Recipients::All), (2, [1, 1, 1, 0]));
    assert_eq!(got(&Recipients::Others), (2, [0, 1, 1, 0]));
    assert_eq!(got(&Recipients::Sender), (0, [1, 0, 0, 0]));
    assert_eq!(got(&room("x", false)), (1, [0, 1, 0, 0]));
    assert_eq!(got(&room("z", false)), (1, [0, 0, 1, 0]));
    assert_eq!(got(&room("nobody is here", true)), (0, [0, 0, 0, 0]));
    // In two rooms with the sender, and told once.
    let mine = |include_sender| Recipients::SenderRooms { include_sender };
    assert_eq!(got(&mine(false)), (1, [0, 1, 0, 0]));
    assert_eq!(got(&mine(true)), (1, [1, 1, 0, 0]));
}

#[test]
fn a_join_is_known_to_all_when_it_returns_and_a_leave_too() {
    let fanout = Fanout::alone(2);
    let a = Socket::enter_at(&fanout, 0, 1, "/", &[]);
    let [b, c] = [2, 3].map(|token| Socket::enter_at(&fanout, 1, token, "/", &[]));
    let messages = || {
        a.emit(&fanout, &room("x", true), &event("e"));
        drain(&fanout)
    };
    assert_eq!(messages(), 0);
    b.join("x").unwrap();
    b.join("x").unwrap();
    c.join("x").unwrap();
    assert_eq!(messages(), 1);
    b.leave("x");
    b.leave("x");
    assert_eq!(messages(), 1);
    c.exit();
    assert_eq!(messages(), 0);
    assert_eq!((b.received().len(), c.received().len()), (1, 2));
}

#[test]
fn a_back_end_learns_how_many_clients_of_all_reactors_it_reached() {
    let fanout = Fanout::alone(4);
    let sockets = sockets(&fanout);
    let got = |rooms: &[&str], except: &[&str]| {
        let count = publish(&fanout, "/", rooms, except, &event("e"));
        let received = sockets.each_ref().map(|socket| socket.received().len());
        assert_eq!(count, received.iter().sum::<usize>());
        received
    };
    assert_eq!(got(&[], &[]), [1, 1, 1, 0]);
    assert_eq!(got(&["x", "y"], &[]), [1, 1, 0, 0]);
    assert_eq!(got(&["x", "z"], &["y"]), [0, 0, 1, 0]);
    assert_eq!(got(&[], &["x"]), [0, 0, 1, 0]);
}

/// Reactors that are held up do not keep a back end from its answer.
#[tokio::test(start_paused = true)]
async fn whoever_waits_too_long_for_a_delivery_does_it_himself() {
    let fanout = Fanout::alone(4);
    let sockets = sockets(&fanout);
    assert_eq!(fanout.publish("/", &[], &[], &event("e")).await, 3);
    assert_eq!(sockets[2].received().len(), 1);
    assert_eq!(drain(&fanout), 0);
}

#[test]
fn a_socket_is_in_the_room_of_its_name() {
    let fanout = Fanout::alone(3);
    let sockets = sockets(&fanout);
    let [a, b, c, _] = &sockets;
    let got = |to: &Recipients| {
        a.emit(&fanout, to, &event("e"));
        let messages = drain(&fanout);
        (messages, sockets.each_ref().map(|it| it.received().len()))
    };
    assert_eq!(got(&room("socket-1", true)), (0, [1, 0, 0, 0]));
    assert_eq!(got(&room("socket-1", false)), (0, [0, 0, 0, 0]));
    assert_eq!(got(&room("socket-2", false)), (1, [0, 1, 0, 0]));
    // Of another namespace.
    assert_eq!(got(&room("socket-4", false)), (0, [0, 0, 0, 0]));
    // It costs no room.
    assert_eq!(fanout.census()[0].rooms, 3);
    assert!(!a.client.rooms.lock().contains("socket-1"));
    let by_name = |rooms: &[&str], except: &[&str]| {
        publish(&fanout, "/", rooms, except, &event("e"));
        sockets.each_ref().map(|it| it.received().len())
    };
    assert_eq!(by_name(&["socket-3"], &[]), [0, 0, 1, 0]);
    assert_eq!(by_name(&["socket-2", "x"], &[]), [1, 1, 0, 0]);
    assert_eq!(by_name(&[], &["socket-2"]), [1, 0, 1, 0]);
    assert_eq!(by_name(&["x"], &["socket-1"]), [0, 1, 0, 0]);
    // Others may join a room of that name, and so may the socket itself: it still gets everything once.
    c.join("socket-2").unwrap();
    b.join("socket-2").unwrap();
    assert_eq!(fanout.census()[0].rooms, 4);
    assert_eq!(got(&room("socket-2", false)), (2, [0, 1, 1, 0]));
    b.leave("socket-2");
    assert_eq!(got(&room("socket-2", false)), (2, [0, 1, 1, 0]));
    b.exit();
    assert_eq!(got(&room("socket-2", false)), (1, [0, 0, 1, 0]));
    c.leave("socket-2");
    assert_eq!(got(&room("socket-2", false)), (0, [0, 0, 0, 0]));
    assert_eq!(fanout.census()[0].rooms, 3);
}

#[test]
fn what_is_counted_is_counted_once_for_all_reactors() {
    let fanout = Fanout::alone(4);
    let sockets = sockets(&fanout);
    let census = || {
        let census = fanout.census().into_iter();
        let of = census.map(|it| (it.namespace.to_string(), it.sockets, it.rooms));
        of.collect::<Vec<_>>()
    };
    let (root, other) = ("/".to_owned(), "/other".to_owned());
    assert_eq!(census(), [(root.clone(), 3, 3), (other, 1, 1)]);
    sockets[3].exit();
    sockets[0].exit();
    assert_eq!(census(), [(root.clone(), 2, 3)]);
    sockets[1].exit();
    sockets[1].exit();
    assert_eq!(census(), [(root, 1, 1)]);
    sockets[2].exit();
    assert_eq!(census(), []);
}

#[test]
fn the_last_of_its_reactor_may_say_farewell_to_the_others() {
    let fanout = Fanout::alone(2);
    let a = Socket::enter_at(&fanout, 0, 1, "/", &[]);
    let b = Socket::enter_at(&fanout, 1, 2, "/", &["x"]);
    a.exit();
    a.emit(&fanout, &Recipients::All, &event("e"));
    a.emit(&fanout, &room("x", true), &event("e"));
    assert_eq!(drain(&fanout), 2);
    assert_eq!(b.received().len(), 2);
    b.exit();
    a.emit(&fanout, &Recipients::All, &event("e"));
    assert_eq!(drain(&fanout), 0);
}

#[test]
fn there_may_be_a_thousand_reactors() {
    let fanout = Fanout::alone(1024);
    let sockets = [0, 63, 64, 1023].map(|it| Socket::enter_at(&fanout, it, it as u64, "/", &["x"]));
    for room in [Recipients::Others, room("x", false)] {
        sockets[2].emit(&fanout, &room, &event("e"));
        assert_eq!(drain(&fanout), 3);
    }
    assert_eq!(publish(&fanout, "/", &["x"], &[], &event("e")), 4);
    assert_eq!(Peers::default().len(), 0);
}
