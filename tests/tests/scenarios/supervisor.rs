//! What a supervisor such as systemd is told, and whether it can believe it.

use serde_json::json;
use sluice_tests::{Broker, Driver, PATIENCE, Setup, Supervisor, eventually};

use crate::shared::{RELAY, websocket};

fn setup(config: &str, supervisor: &Supervisor) -> Setup {
    Setup::new(config).env("NOTIFY_SOCKET", supervisor.address())
}

fn value<'a>(lines: &'a [String], key: &str) -> &'a str {
    let line = lines.iter().find_map(|line| line.strip_prefix(key));
    line.unwrap_or_else(|| panic!("no {key} in {lines:?}"))
}

#[test]
fn a_supervisor_is_told_from_the_first_client_to_the_last() {
    let supervisor = Supervisor::new();
    let mut broker = setup("[server]\ndrain_period = \"40s\"\n", &supervisor)
        .env("WATCHDOG_USEC", "200000")
        .start();
    assert_eq!(supervisor.next(), ["READY=1", "STATUS=Serving"]);
    // A reactor may be late, which is not what this is about.
    let fed = supervisor.until("WATCHDOG=1");
    assert_eq!(fed, ["WATCHDOG=1", "STATUS=Serving: 0 connections"]);
    let driver = Driver::node();
    let client = driver.connect("a", &broker.url("/"), &websocket());
    let fed = supervisor.until("STATUS=Serving: 1 ");
    assert_eq!(fed[0], "WATCHDOG=1");

    broker.signal_term();
    let stopping = supervisor.until("STOPPING=1");
    // Whatever a unit file allows, it is asked to wait for the clients.
    let asked: u64 = value(&stopping, "EXTEND_TIMEOUT_USEC=").parse().unwrap();
    assert!(asked > 40_000_000, "{asked}");
    assert_eq!(client.disconnected(), "transport close");
    assert_eq!(broker.wait_exit().0, 0);
}

/// `systemctl reload` returns when what has changed serves.
#[test]
fn a_supervisor_is_told_when_a_reload_is_over() {
    let supervisor = Supervisor::new();
    let broker = setup(RELAY, &supervisor).start();
    supervisor.until("READY=1");
    broker.reconfigure(&RELAY.replace("event = \"all:*\"", "event = \"every:*\""));
    broker.signal_hangup();
    let begun = supervisor.until("RELOADING=1");
    let at: u64 = value(&begun, "MONOTONIC_USEC=").parse().unwrap();
    assert!(at > 0);
    supervisor.until("READY=1");
    let driver = Driver::node();
    let names = ["a", "b"];
    let [a, b] = names.map(|name| driver.connect(name, &broker.url("/"), &websocket()));
    a.ok("every:one", json!([]));
    assert_eq!(b.expect("every:one"), [] as [serde_json::Value; 0]);
    assert_eq!(
        a.expect("every:one"),
        [] as [serde_json::Value; 0],
        "and its sender"
    );
}

/// As systemd has it in containers, where no file can be shared.
#[cfg(target_os = "linux")]
#[test]
fn its_socket_need_not_be_a_file() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let name = format!("sluice-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let _broker = Setup::new("")
        .env("NOTIFY_SOCKET", &format!("@{name}"))
        .start();
    let mut text = [0; 64];
    let length = socket.recv(&mut text).unwrap();
    assert_eq!(&text[..length], b"READY=1\nSTATUS=Serving");
}

#[test]
fn without_one_that_listens_the_node_serves_and_says_so() {
    for nowhere in ["/nowhere/at/all", "vsock:2:1234"] {
        let broker = Setup::new("").env("NOTIFY_SOCKET", nowhere).start();
        let driver = Driver::node();
        driver.connect("a", &broker.url("/"), &websocket());
        let untold = broker.metrics().sum("sluice_supervisor_untold_total", &[]);
        assert!(untold > 0.0, "{nowhere}");
    }
}

/// A policy may take a second for a call, which is long for whoever else is on its reactor, and too long where several
/// clients have it do so: the watchdog is not fed and `/healthz` fails, until the reactor answers again.
#[test]
fn a_reactor_that_hangs_does_not_go_unnoticed() {
    let supervisor = Supervisor::new();
    let config = r#"
        [server]
        reactors = 1
        [[policy]]
        name = "fixture-loop"
        timeout = "1s"
        [policy.breaker]
        failures = 0
    "#;
    let broker: Broker = setup(config, &supervisor)
        .modules(&["fixture-loop"])
        .env("WATCHDOG_USEC", "400000")
        .start();
    let driver = Driver::node();
    let names = ["a", "b", "c", "d"];
    let clients = names.map(|name| driver.connect(name, &broker.url("/"), &websocket()));
    supervisor.until("WATCHDOG=1");
    eventually("a node that is well", || {
        (broker.get("/healthz").status == 200).then_some(())
    });
    for client in &clients {
        client.emit("loop", json!([]));
    }
    let silence = supervisor.until("STATUS=Reactor 0 does not answer");
    assert_eq!(silence.len(), 1, "the watchdog is not fed: {silence:?}");
    let sick = eventually("a health check that fails", || {
        Some(broker.get("/healthz")).filter(|response| response.status == 503)
    });
    assert_eq!(sick.text(), "reactors that do not answer: 0");
    supervisor.until("WATCHDOG=1");
    eventually("a health check that passes", || {
        (broker.get("/healthz").status == 200).then_some(())
    });
    assert!(broker.metrics().sum("sluice_reactor_silent_total", &[]) > 0.0);
    broker.logs.wait("the record", |record| {
        record.message() == "reactor does not answer"
    });
}
