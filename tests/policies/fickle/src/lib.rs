//! Panics where it is told to: at the hook that a client's `auth.fail` names, at the event `work` with the argument
//! `"fail"`, and whenever somebody wants to join the room `broken`.

use sluice_plugin_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fickle {}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    fail: String,
}

impl Policy for Fickle {
    const HOOKS: Hooks = Hooks::CONNECT
        .and(Hooks::EVENT)
        .and(Hooks::SUBSCRIBE)
        .and(Hooks::DISCONNECT);

    fn interests(&self) -> Interests {
        Interests::new().event_with_args("work").room("broken")
    }

    fn on_connect(&mut self, call: &ConnectCall<'_>) -> Admission {
        let auth = call.auth::<Auth>().unwrap_or_default();
        fail_if(auth.fail == "connect");
        Admission::Accept(Identity::new().attribute("fail", auth.fail))
    }

    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        fail_if(call.args_text() == r#"["fail"]"#);
        Verdict::Pass
    }

    fn on_subscribe(&mut self, _call: &SubscribeCall<'_>) -> Subscription {
        fail_if(true);
        Subscription::Pass
    }

    fn on_disconnect(&mut self, _socket: u64, _reason: DisconnectReason) {
        fail_if(current::attribute("fail").as_deref() == Some("disconnect"));
    }
}

#[expect(clippy::panic, reason = "what it is for")]
fn fail_if(wanted: bool) {
    if wanted {
        panic!("asked to");
    }
}

export!(Fickle);
