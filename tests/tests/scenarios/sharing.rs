//! What nodes share of the state of policies: limits, counters, values, and counting as one.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use sluice_tests::{Broker, Client, Cluster, Driver, Setup, eventually};

use crate::shared::clients;

fn setup(config: &str) -> Setup {
    let config = format!(
        "[[policy]]\nname = \"union\"\nmodule = \"policies/fixture-union.wasm\"\ngrant = [\"cluster-state\"]\n\
         [policy.config]\n{config}\n[[namespace]]\npath = \"/\"\npolicies = [\"union\"]\n\
         [[namespace.route]]\nevent = \"*\"\naction = \"ignore\"\n"
    );
    Setup::new(&config).modules(&["fixture-union"])
}

fn ask(client: &Client, event: &str, args: Value) -> Value {
    client.ask(event, args)[0].clone()
}

/// Waits until a client is told this.
fn told(client: &Client, event: &str, args: &Value, expected: &Value) {
    eventually(&format!("{event} {args} to be {expected}"), || {
        (ask(client, event, args.clone()) == *expected).then_some(())
    });
}

fn one_on_each(node: &Driver, cluster: &Cluster) -> Vec<Client> {
    (0..cluster.len())
        .map(|number| {
            let name = format!("c{number}");
            let [client] = clients(node, &cluster[number], [&name]);
            client
        })
        .collect()
}

#[test]
fn a_limit_is_one_limit_on_three_nodes() {
    // So little comes back that it does not matter how long the test takes.
    let cluster = Cluster::start_with(3, |_| setup("burst = 30"));
    let node = Driver::node();
    let clients = one_on_each(&node, &cluster);
    let shown = |number: usize| cluster[number].get("/api/v1/policies/union/state").json();
    let left = |number| shown(number)["buckets"][0]["remaining"].as_u64();
    let takes = |number: usize, times| {
        let client: &Client = &clients[number];
        (0..times)
            .filter(|_| ask(client, "take", json!([])) == true)
            .count()
    };
    let mut given = takes(0, 10);
    assert_eq!(given, 10);
    // Each hears of all of it, and gives what is left. Little has come back meanwhile.
    let rest = |given: usize| 30_u64.saturating_sub(given as u64) + 3;
    eventually("the second to hear", || {
        left(1).filter(|left| *left <= rest(given))
    });
    assert_eq!(shown(1)["buckets"][0]["scope"], "cluster");
    given += takes(1, 40);
    eventually("the third to hear", || {
        left(2).filter(|left| *left <= rest(given))
    });
    given += takes(2, 40);
    eventually("the first to hear", || {
        left(0).filter(|left| *left <= rest(given))
    });
    given += takes(0, 40);
    // One comes back every two seconds, and each node may give that before it hears of the others.
    let back = 3 * (cluster_seconds(&cluster) / 2 + 1);
    assert!(
        (30..=30 + back).contains(&given),
        "{given}, {back} came back"
    );
}

/// Each of three nodes is asked for far more than there is, all the time.
#[test]
fn at_a_steady_load_a_limit_holds_over_all_nodes_within_a_tenth() {
    const LIMIT: u64 = 180;
    // So few that a node that hears of the others a second late gives less than a tenth too much.
    const RATE: u64 = 15;
    const TAKES: u64 = 8 * RATE;
    let cluster = Cluster::start_with(3, |_| setup(&format!("burst = {LIMIT}")));
    let node = Driver::node();
    let clients = one_on_each(&node, &cluster);
    let begin = Instant::now();
    let floods: Vec<_> = clients
        .iter()
        .map(|client| client.flood("take", TAKES, RATE, &json!({"timeout": 20_000})))
        .collect();
    let given: usize = floods
        .into_iter()
        .map(|flood| {
            let answers = flood.wait().answers;
            assert_eq!(answers.len() as u64, TAKES);
            answers
                .iter()
                .filter(|(_, ack, _)| *ack == json!(true))
                .count()
        })
        .sum();
    let there_was = LIMIT as f64 * (1.0 + begin.elapsed().as_secs_f64() / 60.0);
    let part = given as f64 / there_was;
    assert!((0.9..=1.1).contains(&part), "{given} of {there_was}");
}

fn cluster_seconds(cluster: &Cluster) -> usize {
    let uptime = cluster[0].get("/api/v1/node").json()["uptime_seconds"].as_u64();
    usize::try_from(uptime.expect("a number")).expect("a short test")
}

#[test]
fn values_and_counters_are_everywhere_and_a_node_that_comes_later_has_them() {
    let mut cluster = Cluster::start_with(3, |_| setup(""));
    let node = Driver::node();
    let on = one_on_each(&node, &cluster);
    assert_eq!(ask(&on[0], "set", json!(["topic", "tea"])), true);
    told(&on[1], "get", &json!(["topic"]), &json!("tea"));
    told(&on[2], "get", &json!(["topic"]), &json!("tea"));
    ask(&on[2], "set", json!(["topic", "rain"]));
    told(&on[0], "get", &json!(["topic"]), &json!("rain"));
    for client in &on {
        ask(client, "add", json!(["n", 2]));
    }
    for client in &on {
        told(client, "add", &json!(["n", 0]), &json!(6));
    }
    ask(&on[1], "set", json!(["gone", "x"]));
    told(&on[0], "get", &json!(["gone"]), &json!("x"));
    ask(&on[0], "delete", json!(["gone"]));
    told(&on[1], "get", &json!(["gone"]), &Value::Null);

    // One dies and comes back with nothing, under another name.
    cluster[2].kill();
    ask(&on[0], "add", json!(["n", 1]));
    cluster[2].start_again();
    let [again] = clients(&node, &cluster[2], ["again"]);
    told(&again, "get", &json!(["topic"]), &json!("rain"));
    told(&again, "add", &json!(["n", 0]), &json!(7));
    assert_eq!(ask(&again, "get", json!(["gone"])), Value::Null);
}

#[test]
fn a_node_that_is_cut_off_goes_on_and_its_counts_come_home() {
    let mut cluster = Cluster::start_with(2, |_| setup(""));
    let node = Driver::node();
    let on = one_on_each(&node, &cluster);
    ask(&on[0], "add", json!(["n", 1]));
    told(&on[1], "add", &json!(["n", 0]), &json!(1));
    cluster.nats.kill();
    for number in 0..2 {
        eventually("the loss of NATS", || {
            (cluster[number].get("/readyz").status == 503).then_some(())
        });
    }
    ask(&on[0], "add", json!(["n", 10]));
    ask(&on[1], "add", json!(["n", 100]));
    assert_eq!(ask(&on[1], "add", json!(["n", 0])), 101);
    cluster.nats.start_again();
    for client in &on {
        told(client, "add", &json!(["n", 0]), &json!(111));
    }
}

fn login(node: &Driver, broker: &Broker, name: &str) -> bool {
    // The driver wants a name that no other client has.
    static LOGINS: AtomicU32 = AtomicU32::new(0);
    let client = format!("l{}", LOGINS.fetch_add(1, Ordering::Relaxed));
    let options = json!({"auth": {"login": name}});
    node.try_connect(&client, &broker.url("/"), &options)
        .is_ok()
}

#[test]
fn logins_are_counted_over_all_nodes_as_one() {
    let mut cluster = Cluster::start_with(3, |_| setup("logins = 5"));
    let node = Driver::node();
    // Whoever needs the store first makes it, and the others find it, which may take longer than a policy waits.
    for number in 0..3 {
        let mut tries = 0;
        eventually("the store", || {
            tries += 1;
            login(&node, &cluster[number], &format!("try-{number}-{tries}")).then_some(())
        });
    }
    let logins: Vec<_> = (0..9)
        .map(|number| login(&node, &cluster[number % 3], "alice"))
        .collect();
    assert_eq!(
        logins.iter().filter(|is_in| **is_in).count(),
        5,
        "{logins:?}"
    );
    assert!(login(&node, &cluster[1], "bob"));
    // Elsewhere than while a client connects, it is refused.
    let [client] = clients(&node, &cluster[0], ["c"]);
    let refused = ask(&client, "strictly", json!(["x"]));
    assert!(
        refused
            .as_str()
            .is_some_and(|why| why.contains("on-connect")),
        "{refused}"
    );
    // Without the store the policy is told, and this one denies.
    cluster.nats.kill();
    assert!(!login(&node, &cluster[1], "bob"));
    cluster.nats.start_again();
    eventually("the store", || {
        login(&node, &cluster[1], "bob").then_some(())
    });
}

#[test]
fn a_node_that_is_alone_shares_with_itself() {
    let broker = setup("burst = 3\nlogins = 1").start();
    let node = Driver::node();
    assert!(login(&node, &broker, "alice"));
    assert!(!login(&node, &broker, "alice"));
    let [client] = clients(&node, &broker, ["c"]);
    let given = (0..5).filter(|_| ask(&client, "take", json!([])) == true);
    assert_eq!(given.count(), 3);
    ask(&client, "add", json!(["n", 2]));
    assert_eq!(ask(&client, "get", json!(["n"])), "2");
}

/// What is each node's own goes on all of them; who does not answer is named.
#[test]
fn what_a_policy_remembers_is_dropped_on_all_nodes() {
    let config = "[[policy]]\nname = \"ledger\"\nmodule = \"policies/fixture-ledger.wasm\"\nconfig = { edition = 1 }\n\
                  [[namespace]]\npath = \"/\"\npolicies = [\"ledger\"]\n\
                  [[namespace.route]]\nevent = \"*\"\naction = \"ignore\"\n";
    // Who is cut off is not named any more once it is no member.
    let cluster = Cluster::start_apart_with(3, |_| {
        Setup::new(config)
            .modules(&["fixture-ledger"])
            .env("SLUICE_CLUSTER__NODE_TIMEOUT", "30s")
    });
    let node = Driver::node();
    let clients = one_on_each(&node, &cluster);
    let remember = || {
        for client in &clients {
            assert_eq!(ask(client, "set", json!(["colour", "red", 0])), true);
        }
    };
    let colours = || -> Vec<Value> {
        let each = clients.iter();
        each.map(|client| ask(client, "get", json!(["colour"])))
            .collect()
    };
    let drop_at = |number: usize| {
        let answer = cluster[number].delete("/api/v1/policies/ledger/state?prefix=col");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    remember();
    assert_eq!(drop_at(1), json!({"removed": 3}));
    assert_eq!(colours(), [Value::Null, Value::Null, Value::Null]);

    remember();
    cluster.cut(2);
    let dropped = drop_at(0);
    assert_eq!(dropped["removed"], 2, "{dropped}");
    assert_eq!(dropped["silent"], json!([cluster.name(2)]));
    assert_eq!(colours(), [Value::Null, Value::Null, json!("red")]);
}
