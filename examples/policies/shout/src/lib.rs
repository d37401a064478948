//! Delivers the text of one event in capitals: a policy in ten lines.

use sluice_plugin_sdk::prelude::*;

/// Its configuration: the event's name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shout {
    event: String,
}

impl Policy for Shout {
    const HOOKS: Hooks = Hooks::EVENT;

    fn interests(&self) -> Interests {
        Interests::new().event_with_args(&self.event)
    }

    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        match call.args::<(String,)>() {
            Ok((text,)) => Verdict::replace(&[text.to_uppercase()]),
            Err(error) => error.into(),
        }
    }
}

export!(Shout);
