//! Delivers the text of one event in capitals: a policy in ten lines.

use sluice_plugin_sdk::prelude::*;

/// Its configuration: the event's name, or a glob.
#[policy]
pub struct Shout {
    event: String,
}

#[policy]
impl Shout {
    #[on_event(self.event)]
    fn shout(&mut self, text: String) -> Verdict {
        Verdict::replace(&[text.to_uppercase()])
    }
}
