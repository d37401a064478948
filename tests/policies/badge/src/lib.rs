//! Takes clients for who their certificate says they are.

use sluice_plugin_sdk::prelude::*;

#[policy]
struct Badge {
    /// Clients without a certificate are let in, and are nobody.
    #[serde(default)]
    optional: bool,
}

#[policy]
impl Badge {
    #[on_connect]
    fn connect(&self) -> Result<Admission, Denial> {
        match current::client_certificate() {
            Some(shown) => Ok(Identity::user(shown.common_name.unwrap_or_default()).into()),
            None if self.optional => Ok(Admission::Pass),
            None => deny!("no_badge", "Show a certificate"),
        }
    }

    #[on_event("who", args = false)]
    fn who(&self) -> Verdict {
        Verdict::reply(&[current::client_certificate()])
    }
}
