//! What `#[policy]` makes of a struct and its methods.

use serde_json::json;
use sluice_plugin_sdk::prelude::*;
use sluice_plugin_sdk::{Policy, testing};

/// Everything at once.
#[policy]
struct Busy {
    #[serde(default)]
    watched: Vec<String>,
    extra: Option<String>,
    #[serde(default)]
    limits: Vec<Limit>,
    /// Not a key of the configuration.
    #[serde(skip)]
    total: u32,
}

#[config]
struct Limit {
    event: String,
    most: u32,
}

#[derive(Deserialize)]
struct Login {
    name: String,
}

#[policy(grants(emit, cluster_state))]
impl Busy {
    #[configure]
    fn prepare(&mut self) -> Result<(), String> {
        self.total = self.limits.iter().map(|limit| limit.most).sum();
        if self.limits.iter().any(|limit| limit.event.is_empty()) {
            return Err("`limits`: an event has a name".to_owned());
        }
        Ok(())
    }

    #[buckets]
    fn buckets(&self) -> Vec<Bucket> {
        let buckets = self.limits.iter();
        buckets
            .map(|limit| Bucket::tokens(&limit.event, limit.most, 0.0))
            .collect()
    }

    #[metrics]
    fn metrics(&self) -> [Metric; 1] {
        [Metric::counter("added")]
    }

    #[on_connect]
    fn enter(&mut self, login: Login, call: &ConnectCall<'_>) -> Option<Identity> {
        (login.name != "nobody").then(|| {
            let token = call.socket().to_string();
            Identity::user(login.name).attribute("token", token)
        })
    }

    #[on_event(self.watched, self.extra)]
    fn watch(&self, call: &EventCall<'_>) -> Verdict {
        Verdict::reply(&(call.nth(), call.rule()))
    }

    #[on_event("add")]
    fn add(&mut self, left: u32, right: u32) -> Verdict {
        metrics::add(0, 1);
        Verdict::reply(&[left + right + self.total])
    }

    #[on_event("pair")]
    fn pair(
        &mut self,
        (name, rest): (&str, Option<bool>),
        call: &EventCall<'_>,
    ) -> Result<(), Denial> {
        if name == "no" {
            deny!("no", "{name} {rest:?} {}", call.wants_ack());
        }
        Ok(())
    }

    #[on_event("take:*", args = false)]
    fn take(&mut self, call: &EventCall<'_>) -> Result<Verdict, Denial> {
        assert!(call.args_text().is_empty());
        if take(0, Subject::Socket, 1).allowed {
            return Ok(Verdict::Drop);
        }
        Err(Denial::new("empty", "Nothing is left"))
    }

    #[on_event("*")]
    fn rest(&mut self) {}

    #[on_subscribe("user:*", "group:*")]
    fn enter_room(&mut self, room: &str, call: &SubscribeCall<'_>) -> Result<(), Denial> {
        deny!(denial!("closed", "{room} {}", call.nth()))
    }

    #[on_disconnect]
    fn leave(&mut self, socket: u64, reason: DisconnectReason) {
        log::info(format!("{socket} {reason:?}"));
    }
}

/// The same name twice, since the attribute belongs to neither.
impl Busy {
    fn on_event() -> u8 {
        1
    }
}

#[expect(clippy::unwrap_used, reason = "the way in which a test fails")]
fn busy() -> testing::Harness<Busy> {
    let config = json!({
        "watched": ["a", "b:*"],
        "extra": "c",
        "limits": [{ "event": "x", "most": 2 }],
    });
    testing::policy(config).unwrap()
}

#[test]
fn the_methods_say_what_the_policy_is() {
    let all = Hooks::CONNECT | Hooks::EVENT | Hooks::SUBSCRIBE | Hooks::DISCONNECT;
    assert_eq!(Busy::HOOKS, all);
    assert_eq!(
        Busy::CAPABILITIES,
        Capabilities::EMIT | Capabilities::CLUSTER_STATE
    );
    assert_eq!(Busy::on_event(), 1);
    let busy = busy();
    let rules = busy.interests().events().iter();
    let rules: Vec<_> = rules.map(|rule| (rule.name.as_str(), rule.args)).collect();
    let expected = [
        ("a", true),
        ("b:*", true),
        ("c", true),
        ("add", true),
        ("pair", true),
        ("take:*", false),
        ("*", false),
    ];
    assert_eq!(rules, expected);
    assert_eq!(busy.interests().rooms(), ["user:*", "group:*"]);
    assert_eq!(busy.interests().buckets()[0].name, "x");
    assert_eq!(busy.interests().metrics(), [Metric::counter("added")]);
}

#[test]
fn an_event_goes_to_the_first_method_that_wants_it() {
    let mut busy = busy();
    assert_eq!(busy.event("b:1", json!([])), Verdict::reply(&(1, 1)));
    assert_eq!(busy.event("c", json!([])), Verdict::reply(&(2, 2)));
    assert_eq!(busy.event("other", json!([1])), Verdict::Pass);
    assert_eq!(busy.event("take:1", json!([])), Verdict::Drop);
    assert_eq!(busy.event("take:2", json!([])), Verdict::Drop);
    assert_eq!(
        busy.event("take:3", json!([])).denial().unwrap().code,
        "empty"
    );
}

#[test]
fn arguments_have_the_types_of_the_parameters() {
    let mut busy = busy();
    assert_eq!(busy.event("add", json!([1, 2])), Verdict::reply(&[5]));
    assert_eq!(busy.metric("added"), 1.0);
    for wrong in [json!([1]), json!([1, 2, 3]), json!([1, "2"])] {
        let verdict = busy.event("add", wrong.clone());
        assert_eq!(
            verdict.denial().unwrap().code,
            "invalid_arguments",
            "{wrong}"
        );
    }
    assert_eq!(busy.event("pair", json!(["yes", null])), Verdict::Pass);
    let verdict = busy
        .socket("a")
        .wants_ack()
        .event("pair", json!(["no", true]));
    assert_eq!(verdict.denial().unwrap().message, "no Some(true) true");
}

#[test]
fn the_other_hooks_are_called_too() {
    let mut busy = busy();
    let admission = busy.socket("a").connect(json!({ "name": "alice" }));
    let expected = Identity::user("alice").attribute("token", "1");
    assert_eq!(admission, expected.into());
    assert_eq!(busy.connect(json!({ "name": "nobody" })), Admission::Pass);
    let wrong = busy.connect(json!({}));
    assert_eq!(wrong.denial().unwrap().message, "missing field `name`");
    let subscription = busy.subscribe("group:1");
    assert_eq!(subscription.denial().unwrap().message, "group:1 1");
    assert_eq!(busy.subscribe("lobby"), Subscription::Pass);
    busy.disconnect(DisconnectReason::Timeout);
    assert_eq!(busy.logs()[0].1, "1 Timeout");
}

#[test]
fn a_configuration_is_checked_key_by_key() {
    let error = |config| testing::policy::<Busy>(config).err().unwrap();
    let unknown = error(json!({ "watchd": [] }));
    assert!(
        unknown.starts_with("`watchd`: unknown field `watchd`, expected one of"),
        "{unknown}"
    );
    let nested = error(json!({ "limits": [{ "event": "a", "mst": 1 }] }));
    assert!(
        nested.starts_with("`limits[0].mst`: unknown field"),
        "{nested}"
    );
    assert_eq!(
        error(json!({ "limits": [{ "event": "a" }] })),
        "`limits[0]`: missing field `most`"
    );
    assert_eq!(
        error(json!({ "limits": [{ "event": "", "most": 1 }] })),
        "`limits`: an event has a name"
    );
    let skipped = error(json!({ "total": 1 }));
    assert!(skipped.starts_with("`total`: unknown field"), "{skipped}");
}

mod unit {
    use super::*;

    #[policy]
    pub(super) struct Quiet;

    #[policy]
    impl Quiet {
        #[on_event("typing")]
        fn hush(&self) -> Verdict {
            Verdict::Drop
        }
    }
}

#[test]
fn a_policy_may_have_no_configuration_at_all() {
    let mut quiet = testing::policy::<unit::Quiet>(json!({})).unwrap();
    assert_eq!(quiet.event("typing", json!([])), Verdict::Drop);
    let error = testing::policy::<unit::Quiet>(json!({ "loud": true }))
        .err()
        .unwrap();
    assert!(error.starts_with("`loud`: unknown field"), "{error}");
}
