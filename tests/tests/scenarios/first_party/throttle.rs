//! Of events that come too fast the first and the last of a window arrive.

use serde_json::{Value, json};
use sluice_tests::{Broker, Driver};

use crate::shared::{RELAY, clients, mark};

fn start(events: &str) -> Broker {
    let config = format!("[[policy]]\nname = \"throttle\"\n[policy.config]\n{events}\n{RELAY}");
    Broker::start(&config, &["throttle"])
}

#[test]
fn the_last_value_always_arrives() {
    let node = Driver::node();
    let broker = start(r#"events = [{ event = "cursorMove", window = "50ms" }]"#);
    let [hand, eye] = clients(&node, &broker, ["hand", "eye"]);
    for x in 1..=50 {
        hand.emit("cursorMove", json!([{"x": x, "y": "🖱"}]));
    }
    assert_eq!(eye.expect("cursorMove"), [json!({"x": 1, "y": "🖱"})]);
    let mut last = 1;
    while last < 50 {
        let x = eye.expect("cursorMove")[0]["x"].as_u64().unwrap();
        assert!(x > last, "{x} after {last}");
        last = x;
    }
    mark(&hand, &[&eye]);
    // What comes alone does not wait.
    hand.emit("cursorMove", json!([{"x": 51}]));
    assert_eq!(eye.expect("cursorMove"), [json!({"x": 51})]);
}

/// The windows are so long that only the end of the connection ends them: nothing here depends on time.
#[test]
fn what_does_not_belong_together_is_kept_apart() {
    let node = Driver::node();
    let broker = start(
        r#"events = [
            { event = "drag", window = "1m", key = "/0/id" },
            { event = ["search", "scroll:*"], window = "1m", leading = false },
            { event = "ping", window = "1m", trailing = false },
        ]"#,
    );
    let [hand, eye] = clients(&node, &broker, ["hand", "eye"]);
    for (id, x) in [("a", 1), ("b", 2), ("a", 3), ("b", 4), ("a", 5)] {
        hand.emit("drag", json!([{"id": id, "x": x}]));
    }
    hand.emit("search", json!(["s"]));
    hand.emit("search", json!(["sl"]));
    hand.emit("scroll:left", json!([1]));
    for number in [1, 2, 3] {
        hand.emit("ping", json!([number]));
    }
    // The first of each, but of those that wait.
    assert_eq!(eye.expect("drag"), [json!({"id": "a", "x": 1})]);
    assert_eq!(eye.expect("drag"), [json!({"id": "b", "x": 2})]);
    assert_eq!(eye.expect("ping"), [json!(1)]);
    mark(&hand, &[&eye]);
    hand.disconnect();
    let mut late: Vec<Value> = ["drag", "drag", "search", "scroll:left"]
        .iter()
        .map(|event| eye.expect(event)[0].clone())
        .collect();
    late[..2].sort_by_key(|value| value["x"].as_u64());
    assert_eq!(
        late,
        [
            json!({"id": "b", "x": 4}),
            json!({"id": "a", "x": 5}),
            json!("sl"),
            json!(1),
        ]
    );
}
