//! The operator's status page, in Chromium.

use serde_json::json;
use sluice_tests::{Broker, Browser, Client, Driver, Setup, eventually, policy};

use crate::shared::{RELAY, SECRET, clients, signed_in};

/// What a client calls itself and its room, to be taken for markup.
const HOSTILE: &str = "<img src=x onerror=\"document.title='stolen'\">";

/// A number of the page.
const EVENTS: &str = "parseFloat(document.querySelector('#tile-events')?.textContent)";

fn config() -> String {
    format!(
        r#"
        [[policy]]
        name = "jwt-auth"
        config = {{ secret = "{SECRET}" }}
        [[policy]]
        name = "stamp"
        [[policy]]
        name = "rate-limit"
        [policy.config]
        limits = [{{ events = "limited", limit = "1 per hour" }}]
        {RELAY}"#
    )
}

fn start() -> Broker {
    Setup::new(&config())
        .modules(&["jwt-auth", "rate-limit"])
        .file("policies/stamp.wasm", policy("fixture-stamp"))
        .start()
}

fn address(broker: &Broker) -> String {
    format!("http://{}/", broker.admin())
}

/// But for what the API refused: any browser says so itself.
fn nothing_is_wrong(page: &mut Browser, refused: &str) {
    let mut problems = page.problems();
    problems.retain(|it| refused.is_empty() || !it.contains(refused));
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(page.eval("document.querySelectorAll('main img').length"), 0);
}

/// Clicks what the dialog asks to be clicked.
fn confirm(page: &mut Browser, title: &str) {
    page.reads("#confirm-title", title);
    page.click("#confirm-yes");
}

#[test]
fn it_shows_what_the_node_does_and_nothing_leaves_it() {
    let node = Driver::node();
    let broker = start();
    let alice = node.connect("alice", &broker.url("/"), &signed_in("alice"));
    let hostile = node.connect("hostile", &broker.url("/"), &signed_in(HOSTILE));
    hostile.ok("join", json!([HOSTILE]));
    let mut page = Browser::start();
    page.open(&address(&broker), &json!({}));
    page.reads("#readiness", "ready");
    page.reads("#tile-connections", "2");
    let traffic = alice.flood("all:x", 1_000_000, 200, &json!({"ack": false}));
    page.until(&format!("{EVENTS} > 50"));
    page.until("parseFloat(document.querySelector('#tile-deliveries')?.textContent) > 100");
    page.until("/µs|ms/.test(document.querySelector('#tile-p99')?.textContent)");
    page.until("/MiB/.test(document.querySelector('#tile-memory')?.textContent)");
    // A denial of a policy and one of the broker's own, each under its name.
    alice.ok("limited", json!([1]));
    alice.denied("limited", json!([2]));
    alice.denied("join", json!([]));
    page.reads("#charts", "rate-limit");
    page.reads("#charts", "broker");
    page.until(
        "[...document.querySelectorAll('.chart')].every(it => /\\d/.test(it.querySelector('svg[role=img]').ariaLabel))",
    );
    page.reads("#policy-rows", "stamp");
    page.reads("#policy-rows", "deny 1");
    page.reads("#node-rows", broker.ready["node"].as_str().unwrap());
    page.reads("#room-rows", HOSTILE);

    // Whoever is in the room, and what happens there: texts are crossed out, and what clients named is text.
    page.click("#room-rows tr:first-child button:text('Watch')");
    page.reads("#look-note", "watching room");
    page.reads("#look-sockets", HOSTILE);
    hostile.ok("all:said", json!([{"text": "a secret", "n": 7}]));
    page.reads("#look-rows", r#"all:said [{"n":7,"text":"xxxxxxxx"}"#);
    alice.ok("join", json!([HOSTILE]));
    page.reads("#look-rows", "joined");
    page.reads("#look-sockets", "alice");
    page.reads("#look-rows", "sent");
    assert_eq!(
        page.eval("document.body.textContent.includes('a secret')"),
        false
    );

    page.until("document.querySelectorAll('.chart path').length >= 8");
    page.shoot("page-light");
    page.prefers("dark");
    page.shoot("page-dark");
    let dark = page.eval("getComputedStyle(document.body).backgroundColor");
    page.click("#theme");
    let light = page.eval("getComputedStyle(document.body).backgroundColor");
    assert_ne!(dark, light, "the switch switches");
    page.resize(390, 800);
    page.shoot("page-narrow");
    assert_eq!(
        page.eval("document.documentElement.scrollWidth <= innerWidth"),
        true,
        "nothing is wider than a narrow window"
    );
    alice.calm();
    drop(traffic.wait());
    page.until(&format!("{EVENTS} === 0"));
    nothing_is_wrong(&mut page, "");
    assert_ne!(page.eval("document.title"), "stolen");

    // Nothing is computed, and nobody told, when it is closed.
    drop(page);
    eventually("nobody who looks", || {
        alice.ok("all:last", json!([1]));
        let follows = broker
            .get("/metrics")
            .text()
            .contains("sluice_live_watchers 0\n");
        follows.then_some(())
    });
}

#[test]
fn clients_are_disconnected_policies_rolled_back_and_events_emitted() {
    let node = Driver::node();
    let broker = start();
    let client = |name: &str| node.connect(name, &broker.url("/"), &signed_in(name));
    let (alice, bob) = (client("alice"), client("bob"));
    assert_eq!(
        broker.upload("stamp", &policy("fixture-stamp-b")).status,
        200
    );
    let mut page = Browser::start();
    page.open(&address(&broker), &json!({}));
    page.reads("#readiness", "ready");

    // By keyboard, and only when it was confirmed.
    page.fill("#emit-event", "news");
    page.fill("#emit-args", "[1");
    page.press("Enter");
    page.click("#emit-form button");
    page.reads("#emit-note", "Arguments");
    page.fill("#emit-args", r#"["to all", 1]"#);
    page.click("#emit-form button");
    page.reads("#confirm-title", "Emit “news”");
    page.press("Escape");
    page.click("#emit-form button");
    confirm(&mut page, "Emit “news”");
    page.reads("#done", "Emitted to 2 sockets");
    for one in [&alice, &bob] {
        assert_eq!(one.expect("news"), [json!("to all"), json!(1)]);
    }
    page.fill("#emit-event", "connect");
    page.click("#emit-form button");
    confirm(&mut page, "Emit “connect”");
    page.reads("#confirm-wrong", "reserved_event");
    page.press("Escape");

    let generation = |broker: &Broker| broker.policy("stamp")["generation"].clone();
    let before = generation(&broker);
    page.until("!document.querySelector('[aria-label=\"Roll back stamp\"]').disabled");
    page.click("[aria-label='Roll back stamp']");
    confirm(&mut page, "Roll back stamp");
    page.reads("#done", "stamp serves generation");
    assert_ne!(generation(&broker), before);

    // One socket, found by its user.
    page.select("#look-kind", "user");
    page.fill("#look-name", "alice");
    page.click("#look-form button[type=submit]");
    page.reads("#look-sockets", "alice");
    page.click("#look-sockets button.danger");
    confirm(&mut page, "Disconnect");
    page.reads("#done", "1 socket disconnected");
    assert_eq!(alice.disconnected(), "io server disconnect");
    page.reads("#look-rows", "disconnected");
    page.reads("#look-sockets", "Nobody");
    assert_eq!(bob.state()["connected"], true);
    nothing_is_wrong(&mut page, "422");
}

#[test]
fn with_a_token_it_shows_nothing_before_it_is_given() {
    let node = Driver::node();
    let broker = Setup::new(RELAY)
        .env("SLUICE_ADMIN__TOKEN", "a-token-of-some-length")
        .start();
    let [_a]: [Client; 1] = clients(&node, &broker, ["a"]);
    let mut page = Browser::start();
    page.open(&address(&broker), &json!({}));
    page.reads("#token-title", "Token");
    page.until("document.querySelector('#token-dialog').open");
    page.fill("#token", "wrong");
    page.press("Enter");
    page.reads("#token-wrong", "wrong_token");
    assert_eq!(
        page.eval("document.querySelector('#tiles').childElementCount"),
        0
    );
    page.fill("#token", "a-token-of-some-length");
    page.press("Enter");
    page.reads("#tile-connections", "1");
    // In this tab until it is closed, and nowhere else.
    assert_eq!(page.eval("localStorage.length + document.cookie.length"), 0);
    page.reload();
    page.reads("#tile-connections", "1");
    nothing_is_wrong(&mut page, "401");
    page.click("#forget");
    page.until("document.querySelector('#token-dialog').open");
}

#[test]
fn whoever_may_only_look_sees_everything_and_can_press_nothing() {
    let node = Driver::node();
    let tokens = "[admin]\ntoken = \"the-owner\"\n[[admin.tokens]]\nname = \"dashboards\"\ntoken = \"only-looks\"\n";
    let broker = Broker::start(&format!("{tokens}{RELAY}"), &[]);
    let [a]: [Client; 1] = clients(&node, &broker, ["a"]);
    a.ok("join", json!(["hall"]));
    let mut page = Browser::start();
    let enter = |page: &mut Browser, token: &str| {
        page.until("document.querySelector('#token-dialog').open");
        page.fill("#token", token);
        page.press("Enter");
        page.reads("#tile-connections", "1");
        page.reads("#room-rows", "hall");
    };
    let off = "[...document.querySelectorAll('[data-writes]')].every(it => it.disabled && it.title.includes('dashboards'))";
    page.open(&address(&broker), &json!({}));
    enter(&mut page, "only-looks");
    page.reads(
        "#scope",
        "The token “dashboards” may look, and not change anything.",
    );
    page.click("#room-rows button:text('Watch')");
    page.reads("#look-sockets", &a.sid);
    a.ok("all:said", json!([1]));
    page.reads("#look-rows", "all:said");
    assert_eq!(
        page.eval("document.querySelectorAll('[data-writes]').length"),
        4
    );
    assert_eq!(page.eval(off), true);
    // By keyboard neither.
    page.fill("#emit-event", "news");
    page.press("Enter");
    assert_eq!(
        page.eval("document.querySelector('#confirm-dialog').open"),
        false
    );
    page.shoot("page-read");
    page.click("#forget");
    enter(&mut page, "the-owner");
    page.until(
        "document.querySelector('#scope').hidden && !document.querySelector('#emit-ask').disabled",
    );
    page.until("[...document.querySelectorAll('#room-rows [data-writes]')].every(it => !it.disabled && !it.title)");
    nothing_is_wrong(&mut page, "401");
}

#[test]
fn what_does_not_fit_on_the_page_is_on_the_next() {
    let node = Driver::node();
    let broker = Broker::start(RELAY, &[]);
    let [a]: [Client; 1] = clients(&node, &broker, ["a"]);
    for number in 0..60 {
        a.ok("join", json!([format!("room {number:02}")]));
    }
    let mut page = Browser::start();
    page.open(&address(&broker), &json!({}));
    page.reads("#room-note", "the first 50, there are more");
    page.reads("#room-rows", "room 49");
    page.click("#room-next");
    page.reads("#room-note", "further 10, the last");
    page.reads("#room-rows", "room 59");
    page.until("document.querySelector('#room-next').hidden");
    // It stays where it is when it is asked for again, whatever comes before it.
    a.ok("join", json!(["room 00a"]));
    a.ok("join", json!(["room 60"]));
    page.reads("#room-rows", "room 60");
    assert_eq!(
        page.eval("document.querySelectorAll('#room-rows tr').length"),
        11
    );
    page.click("#room-first");
    page.reads("#room-rows", "room 00a");
    page.until("document.querySelector('#room-first').hidden");
    nothing_is_wrong(&mut page, "");
}
