//! The policy as clients meet it.

use serde_json::{Value, json};
use sluice_plugin_sdk::testing::{self, Harness};
use sluice_plugin_sdk::{Denial, Verdict};

use crate::RateLimit;

fn policy(config: Value) -> Harness<RateLimit> {
    testing::policy(config).unwrap()
}

/// Sends so many, and says how many of them passed.
fn passed(policy: &mut Harness<RateLimit>, event: &str, count: usize) -> usize {
    (0..count)
        .filter(|_| policy.event(event, json!(["hi"])) == Verdict::Pass)
        .count()
}

fn denial(policy: &mut Harness<RateLimit>, event: &str) -> Denial {
    policy.event(event, json!(["hi"])).denial().unwrap().clone()
}

#[test]
fn a_hundred_messages_a_minute_and_no_more() {
    let mut policy = policy(json!({ "limit": "100 per minute" }));
    policy.socket("alice").user("alice");
    assert_eq!(passed(&mut policy, "message", 100), 100);
    policy.clock().advance(10_000);
    let denial = denial(&mut policy, "message");
    assert_eq!(denial.code, "rate_limited");
    assert_eq!(denial.message, "Rate limit exceeded");
    assert_eq!(denial.retry_after_ms, Some(50_000));
    assert!(!denial.disconnect);

    policy.socket("bob").user("bob");
    assert_eq!(
        passed(&mut policy, "message", 1),
        1,
        "others are not affected"
    );

    policy.socket("alice");
    policy.clock().advance(49_999);
    assert_eq!(passed(&mut policy, "message", 1), 0);
    policy.clock().advance(1);
    assert_eq!(passed(&mut policy, "message", 200), 100);
}

#[test]
fn a_window_cannot_be_straddled() {
    // A counter that is reset every minute would let 200 through around the reset.
    let mut policy = policy(json!({ "limit": 100, "window": "1m" }));
    policy.clock().advance(59_000);
    assert_eq!(passed(&mut policy, "message", 100), 100);
    policy.clock().advance(2_000);
    assert_eq!(passed(&mut policy, "message", 100), 0);
}

#[test]
fn a_burst_and_a_rate_are_a_token_bucket() {
    let mut policy = policy(json!({ "burst": 10, "rate": 5 }));
    assert_eq!(passed(&mut policy, "message", 20), 10);
    assert_eq!(denial(&mut policy, "message").retry_after_ms, Some(200));
    policy.clock().advance(1_000);
    assert_eq!(passed(&mut policy, "message", 20), 5);
    policy.clock().advance(3_600_000);
    assert_eq!(
        passed(&mut policy, "message", 20),
        10,
        "never more than the burst"
    );
}

#[test]
fn a_user_shares_its_limit_over_all_sockets() {
    let mut policy = policy(json!({ "limit": "3 per minute" }));
    policy.socket("phone").user("alice").address("192.0.2.1");
    assert_eq!(passed(&mut policy, "message", 2), 2);
    policy.socket("laptop").user("alice").address("192.0.2.2");
    assert_eq!(passed(&mut policy, "message", 2), 1);
}

#[test]
fn clients_without_a_user_are_told_apart_by_address() {
    let mut policy = policy(json!({ "limit": "1 per minute" }));
    for (socket, address, wanted) in [
        ("a", "192.0.2.1", 1),
        ("b", "192.0.2.1", 0),
        ("c", "192.0.2.2", 1),
    ] {
        policy.socket(socket).address(address);
        assert_eq!(passed(&mut policy, "message", 1), wanted, "{socket}");
    }
    // A user whose name is an address is still another one.
    policy.socket("d").user("192.0.2.1").address("192.0.2.3");
    assert_eq!(passed(&mut policy, "message", 1), 1);
}

#[test]
fn sockets_and_addresses_can_be_counted_instead() {
    let mut by_socket = policy(json!({ "limit": "1 per minute", "per": "socket" }));
    for socket in ["phone", "laptop"] {
        by_socket.socket(socket).user("alice");
        assert_eq!(passed(&mut by_socket, "message", 2), 1);
    }
    let mut by_address = policy(json!({ "limit": "1 per minute", "per": "address" }));
    by_address
        .socket("alice")
        .user("alice")
        .address("192.0.2.1");
    assert_eq!(passed(&mut by_address, "message", 1), 1);
    by_address.socket("bob").user("bob").address("192.0.2.1");
    assert_eq!(passed(&mut by_address, "message", 1), 0);
}

#[test]
fn the_first_limit_that_matches_counts() {
    let mut policy = policy(json!({
        "limits": [
            { "events": "message", "limit": "2 per minute", "message": "Slow down", "code": "too_many_messages" },
            { "events": ["typing", "cursor:*"], "burst": 3, "rate": 1, "per": "socket" },
        ],
        "limit": "1 per minute",
    }));
    assert_eq!(passed(&mut policy, "message", 5), 2);
    let denial = denial(&mut policy, "message");
    assert_eq!(
        (denial.code.as_str(), denial.message.as_str()),
        ("too_many_messages", "Slow down")
    );
    assert_eq!(passed(&mut policy, "typing", 2), 2);
    assert_eq!(
        passed(&mut policy, "cursor:move", 2),
        1,
        "the events of a limit share it"
    );
    assert_eq!(passed(&mut policy, "vote", 1), 1);
    assert_eq!(
        passed(&mut policy, "poll", 1),
        0,
        "all the others share the last"
    );
}

#[test]
fn events_without_a_limit_are_not_limited() {
    let mut policy =
        policy(json!({ "limits": [{ "events": "message", "limit": "1 per minute" }] }));
    assert_eq!(passed(&mut policy, "message", 3), 1);
    assert_eq!(passed(&mut policy, "cursor", 1_000), 1_000);
    assert!(
        policy.interests().events().iter().all(|rule| !rule.args),
        "no arguments are copied"
    );
}

#[test]
fn some_events_cost_more() {
    let mut policy = policy(json!({
        "limits": [{ "events": "upload", "burst": 10, "rate": 1, "cost": 4 }],
    }));
    assert_eq!(passed(&mut policy, "upload", 5), 2);
    assert_eq!(denial(&mut policy, "upload").retry_after_ms, Some(2_000));
}

#[test]
fn a_client_that_does_not_listen_is_disconnected() {
    let mut policy = policy(json!({
        "limits": [
            { "events": "message", "limit": "1 per second" },
            { "events": "vote", "limit": "1 per second" },
        ],
        "disconnect_after": 3,
    }));
    policy.socket("phone").user("alice");
    assert_eq!(
        passed(&mut policy, "message", 1) + passed(&mut policy, "vote", 1),
        2
    );
    assert!(!denial(&mut policy, "message").disconnect);
    assert!(!denial(&mut policy, "vote").disconnect);
    policy.socket("laptop").user("alice");
    assert!(
        !denial(&mut policy, "message").disconnect,
        "denials are counted by socket"
    );

    policy.socket("phone");
    policy.clock().advance(60_000);
    assert_eq!(
        passed(&mut policy, "message", 1),
        1,
        "good behaviour does not wipe them out"
    );
    let last = denial(&mut policy, "message");
    assert!(last.disconnect);
    assert_eq!(last.retry_after_ms, Some(1_000));
    assert!(
        denial(&mut policy, "message").disconnect,
        "should it still be there"
    );
}

#[test]
fn one_denial_can_be_enough() {
    let mut policy = policy(json!({ "limit": "1 per second", "disconnect_after": 1 }));
    assert_eq!(passed(&mut policy, "message", 1), 1);
    assert!(denial(&mut policy, "message").disconnect);
}

#[test]
fn a_reload_forgets_nothing() {
    let mut policy = policy(json!({ "limit": "5 per minute" }));
    assert_eq!(passed(&mut policy, "message", 3), 3);
    policy
        .reload(json!({ "limit": "4 per minute", "message": "Enough" }))
        .unwrap();
    assert_eq!(passed(&mut policy, "message", 3), 1);
    assert_eq!(denial(&mut policy, "message").message, "Enough");
    assert!(policy.reload(json!({})).is_err());
    assert_eq!(denial(&mut policy, "message").message, "Enough");
}

#[test]
fn a_wrong_configuration_says_which_key() {
    for (config, says) in [
        (json!({}), "`limit` or `limits` is missing"),
        (json!({ "limits": [] }), "`limit` or `limits` is missing"),
        (json!({ "limit": 100 }), "needs a `window`"),
        (
            json!({ "limit": "100 per minute", "window": "1m" }),
            "says its window",
        ),
        (
            json!({ "limit": "a lot" }),
            "`limit`: \"a lot\" is not like",
        ),
        (json!({ "limit": true }), "`limit`: a number, or a text"),
        (
            json!({ "limit": 100, "window": "soon" }),
            "`window`: \"soon\" is no duration",
        ),
        (json!({ "burst": 5 }), "`burst` needs a `rate`"),
        (json!({ "rate": 5 }), "`rate` needs a `burst`"),
        (json!({ "burst": 5, "rate": 0 }), "`rate` is 0"),
        (
            json!({ "burst": 5, "rate": 1, "limit": "1/s" }),
            "a limit is said by",
        ),
        (json!({ "burst": -5, "rate": 1 }), "`burst`: invalid value"),
        (
            json!({ "limit": "1/s", "per": "device" }),
            "`per`: unknown variant `device`",
        ),
        (
            json!({ "limit": "1/s", "disconnect_after": 0 }),
            "`disconnect_after` is 0",
        ),
        (json!({ "limit": "5/s", "cost": 6 }), "`cost` is 6"),
        (
            json!({ "limits": [{ "events": "a", "limit": "1/s" }, { "events": "b", "burst": 0, "rate": 1 }] }),
            "`limits[1]`: `burst` is 0",
        ),
        (
            json!({ "limits": [{ "events": [], "limit": "1/s" }] }),
            "`limits[0]`: `events` is empty",
        ),
        (
            json!({ "limits": [{ "event": "a", "limit": "1/s" }] }),
            "`limits[0].event`: unknown field",
        ),
        (
            json!({ "limits": [{ "events": "*", "limit": "1/s" }], "limit": "2/s" }),
            "two limits are about",
        ),
    ] {
        let error = testing::policy::<RateLimit>(config.clone()).err().unwrap();
        assert!(error.contains(says), "{config}: {error}");
    }
}
