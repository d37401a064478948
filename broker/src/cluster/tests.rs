//! Nodes on a network within the process: the same logic, without NATS.

mod network;
mod parts;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::event::Recipients;
use crate::fanout::tests::{Socket, event, room};
use network::{End, Network};

/// The count of what is missing is one for all tests of the process: those that lose something take turns.
static COUNTING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A node with one reactor, which is driven by hand.
struct Node {
    id: NodeId,
    fanout: Arc<Fanout>,
    cluster: Arc<Cluster>,
    end: Arc<End>,
}

fn config(max_rooms: usize) -> config::Cluster {
    config::Cluster {
        servers: Vec::new(),
        name: "test".to_owned(),
        login: config::Login::Nobody,
        tls: Default::default(),
        heartbeat: Duration::from_millis(20),
        node_timeout: Duration::from_millis(300),
        hold: Duration::from_millis(200),
        max_queued_messages: 1000,
        max_queued_bytes: 1 << 20,
        max_rooms,
        survey_timeout: Duration::from_secs(1),
        partition: config::Partition::Divide,
        replicas: 1,
        missing_timeout: Duration::from_secs(60),
    }
}

impl Node {
    async fn start(network: &Arc<Network>, number: u64, max_rooms: usize) -> Self {
        // What tells nodes apart stands in front.
        let id = NodeId(number << 40 | number);
        let config = config(max_rooms);
        let nodes = Arc::new(Nodes::new(id, &config));
        let fanout = Arc::new(Fanout::new(1, id, Some(nodes.clone())));
        let end = network.end(id);
        let vitals = Vitals::default;
        let cluster = Cluster::start(id, &config, end.clone(), fanout.clone(), nodes, vitals);
        cluster.settled(Duration::from_secs(5)).await;
        Self {
            id,
            fanout,
            cluster,
            end,
        }
    }

    fn enter(&self, token: u64, rooms: &[&str]) -> Socket {
        Socket::enter(&self.fanout, token, "/", rooms)
    }

    fn turn(&self) {
        self.fanout.homes().for_each(|home| home.deliver_waiting());
    }

    /// Ends when every other node knows of the room.
    async fn known(&self, room: &str) {
        let (told, known) = tokio::sync::oneshot::channel();
        self.fanout.when_known(
            "/",
            room,
            Box::new(move || told.send(()).unwrap_or_default()),
        );
        tokio::time::timeout(Duration::from_secs(5), known)
            .await
            .expect("known")
            .expect("told");
    }

    async fn sees(&self, others: &[&Node]) {
        let expected: HashSet<_> = others.iter().map(|node| node.id).collect();
        eventually(|| {
            let seen: HashSet<_> = self.cluster.others().iter().map(|it| it.id).collect();
            seen == expected
        })
        .await;
    }
}

async fn three(network: &Arc<Network>) -> [Node; 3] {
    let nodes = [
        Node::start(network, 1, 100).await,
        Node::start(network, 2, 100).await,
        Node::start(network, 3, 100).await,
    ];
    let [a, b, c] = &nodes;
    a.sees(&[b, c]).await;
    b.sees(&[a, c]).await;
    c.sees(&[a, b]).await;
    nodes
}

async fn eventually(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .expect("in time");
}

/// What a socket has received when the mark comes.
async fn until_mark(node: &Node, socket: &Socket) -> Vec<String> {
    let mut received = Vec::new();
    eventually(|| {
        node.turn();
        received.extend(socket.received());
        received.last().is_some_and(|last| last == "mark [1]")
    })
    .await;
    received.pop();
    received
}

#[tokio::test]
async fn an_event_goes_to_the_nodes_that_have_members_and_to_no_other() {
    let network = Arc::default();
    let [a, b, c] = three(&network).await;
    let sender = a.enter(1, &[]);
    let there = b.enter(2, &["x", "y"]);
    let elsewhere = c.enter(3, &["z"]);
    b.known("y").await;
    c.known("z").await;
    for number in 0..100 {
        let to = if number % 2 == 0 { "x" } else { "y" };
        sender.emit(&a.fanout, &room(to, false), &event(&format!("e{number}")));
    }
    sender.emit(&a.fanout, &room("x", false), &event("mark"));
    let expected: Vec<_> = (0..100).map(|number| format!("e{number} [1]")).collect();
    assert_eq!(until_mark(&b, &there).await, expected);
    assert_eq!(network.carried(c.id), 0);

    // To the whole namespace, and to a back end's choice of rooms: everyone once.
    sender.emit(&a.fanout, &Recipients::Others, &event("all"));
    a.fanout
        .publish(
            "/",
            &["x".into(), "y".into(), "z".into()],
            &["y".into()],
            &event("some"),
        )
        .await;
    sender.emit(&a.fanout, &Recipients::Others, &event("mark"));
    assert_eq!(until_mark(&b, &there).await, ["all [1]"]);
    assert_eq!(until_mark(&c, &elsewhere).await, ["all [1]", "some [1]"]);
    // A namespace that nobody here is in.
    a.fanout.publish("/nowhere", &[], &[], &event("e")).await;
    assert!(sender.received().is_empty());
}

#[tokio::test]
async fn a_join_is_acknowledged_when_others_know_of_it() {
    let network = Arc::default();
    let [a, b, _c] = three(&network).await;
    let (sender, joining) = (a.enter(1, &[]), b.enter(2, &[]));
    for number in 0..50 {
        let name = format!("room {number}");
        joining.join(&name).unwrap();
        b.known(&name).await;
        sender.emit(&a.fanout, &room(&name, false), &event("mark"));
        assert_eq!(until_mark(&b, &joining).await, [] as [&str; 0]);
        joining.leave(&name);
    }
    // Nobody is told anything for rooms that were left.
    eventually(|| {
        let before = network.carried(b.id);
        sender.emit(&a.fanout, &room("room 49", false), &event("late"));
        before == network.carried(b.id)
    })
    .await;
}

#[tokio::test]
async fn what_is_lost_is_counted_by_who_misses_it() {
    let _alone = COUNTING.lock().await;
    let network = Arc::default();
    let [a, b, _c] = three(&network).await;
    let (sender, there) = (a.enter(1, &[]), b.enter(2, &["x"]));
    b.known("x").await;
    let before = metrics().cluster.missing.get();
    let emit = |name| sender.emit(&a.fanout, &room("x", false), &event(name));
    emit("mark");
    until_mark(&b, &there).await;
    network.lose(2);
    emit("lost");
    emit("lost");
    // The next one that arrives, or the next sign of life, tells.
    eventually(|| metrics().cluster.missing.get() >= before + 2).await;
    emit("mark");
    assert_eq!(until_mark(&b, &there).await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_node_that_is_silent_is_gone_and_comes_back() {
    let network = Arc::default();
    let [a, b, c] = three(&network).await;
    let sender = a.enter(1, &[]);
    let there = b.enter(2, &["x"]);
    b.known("x").await;
    network.cut(b.id);
    a.sees(&[&c]).await;
    // A join waits for those that live.
    sender.join("y").unwrap();
    a.known("y").await;
    there.join("new").unwrap();
    network.mend(b.id);
    a.sees(&[&b, &c]).await;
    b.sees(&[&a, &c]).await;
    // What changed while it was away is known.
    for name in ["x", "new"] {
        eventually(|| {
            sender.emit(&a.fanout, &room(name, false), &event("mark"));
            b.turn();
            !there.received().is_empty()
        })
        .await;
    }
    b.cluster.leave(Duration::from_secs(1)).await;
    a.sees(&[&c]).await;
}

#[tokio::test]
async fn who_comes_back_and_has_missed_nothing_says_so() {
    let network = Arc::default();
    let [a, b, c] = three(&network).await;
    let _there = a.enter(1, &["x"]);
    a.known("x").await;
    network.cut(b.id);
    a.sees(&[&c]).await;
    network.mend(b.id);
    a.sees(&[&b, &c]).await;
    // Nothing has changed that it would have to be told.
    eventually(|| {
        a.cluster
            .members
            .lock()
            .owing(a.cluster.nodes.interest.version())
            .is_empty()
    })
    .await;
}

#[tokio::test]
async fn without_a_connection_the_node_goes_on_and_nobody_is_thought_dead() {
    let network = Arc::default();
    let [a, b, c] = three(&network).await;
    let (sender, local) = (a.enter(1, &[]), a.enter(2, &["x"]));
    let there = b.enter(3, &["x"]);
    b.known("x").await;
    a.end.connect(false);
    sender.join("y").unwrap();
    a.known("y").await;
    sender.emit(&a.fanout, &room("x", false), &event("mark"));
    assert_eq!(local.received(), ["mark [1]"]);
    // It was held until there is a connection again.
    a.end.connect(true);
    assert_eq!(until_mark(&b, &there).await, [] as [&str; 0]);
    a.sees(&[&b, &c]).await;
    // A room of which others were not told meanwhile.
    let other = b.enter(4, &[]);
    eventually(|| {
        other.emit(&b.fanout, &room("y", false), &event("e"));
        a.turn();
        !sender.received().is_empty()
    })
    .await;
}

#[tokio::test]
async fn very_many_rooms_are_known_in_buckets() {
    let network = Arc::default();
    let a = Node::start(&network, 1, 100).await;
    let b = Node::start(&network, 2, 10).await;
    let sender = a.enter(1, &[]);
    let there = b.enter(2, &[]);
    let names: Vec<_> = (0..50).map(|number| format!("room {number}")).collect();
    for name in &names {
        there.join(name).unwrap();
    }
    for name in &names {
        b.known(name).await;
        sender.emit(&a.fanout, &room(name, false), &event("mark"));
        assert_eq!(until_mark(&b, &there).await, [] as [&str; 0]);
    }
    for name in names.iter().skip(3) {
        there.leave(name);
    }
    b.enter(3, &["last"]);
    b.known("last").await;
    let before = network.carried(b.id);
    sender.emit(&a.fanout, &room("room 10", false), &event("nobody"));
    sender.emit(&a.fanout, &room("room 1", false), &event("mark"));
    assert_eq!(until_mark(&b, &there).await, [] as [&str; 0]);
    assert_eq!(network.carried(b.id), before + 1);
}

#[tokio::test]
async fn a_survey_says_who_did_not_answer() {
    let network = Arc::default();
    let [a, b, c] = three(&network).await;
    let heard = Arc::new(AtomicBool::new(false));
    for node in [&b, &c] {
        let id = node.id.0;
        node.cluster.answer("double", move |_, number: u64| {
            Box::pin(async move { (number * 2, vec![id; 200_000]) })
        });
        let heard = heard.clone();
        node.cluster.hear("word", move |_, word: String| {
            heard.store(word == "hello", Ordering::Relaxed);
        });
    }
    // Those that answer are waited for, those that cannot are not: but one that is cut off is, to the end.
    let (long, short) = (Duration::from_secs(10), Duration::from_secs(2));
    let ask = |topic, patience| {
        a.cluster
            .survey::<(u64, Vec<u64>)>(topic, &21_u64, patience)
    };
    let survey = ask("double", long).await;
    let answers = survey
        .answers
        .iter()
        .map(|(id, (number, ids))| (*id, *number, ids[199_999]));
    assert_eq!(
        answers.collect::<Vec<_>>(),
        [(b.id, 42, b.id.0), (c.id, 42, c.id.0)]
    );
    assert!(survey.silent.is_empty());
    // Nobody knows of it, and nobody waits for that.
    assert_eq!(ask("halve", long).await.silent, [b.id, c.id]);
    let ask_one = |id, topic| a.cluster.ask::<(u64, Vec<u64>)>(id, topic, &21_u64, long);
    let (number, ids) = ask_one(c.id, "double").await.unwrap();
    assert_eq!((number, ids[199_999]), (42, c.id.0));
    assert!(ask_one(c.id, "halve").await.is_none());
    assert!(ask_one(a.id, "double").await.is_none());
    network.cut(b.id);
    assert_eq!(ask("double", short).await.silent, [b.id]);
    assert!(ask_one(b.id, "double").await.is_none());
    assert!(ask_one(c.id, "double").await.is_some());
    a.cluster.tell("word", &"hello");
    eventually(|| heard.load(Ordering::Relaxed)).await;
}
