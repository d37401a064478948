//! A call of a native test may ask as often as one in a broker.

use serde_json::json;
use sluice_plugin_sdk::{http, prelude::*, store, testing};

#[policy]
struct Asks {}

#[policy(grants(http, cluster_state))]
impl Asks {
    #[on_connect]
    fn ask(&mut self, (requests, counts): (u32, u32)) -> Result<Identity, Denial> {
        for _ in 0..requests {
            http::get("https://auth.example.com/me").fetch()?;
        }
        for _ in 0..counts {
            store::strictly("logins").add(1, None)?;
        }
        Ok(Identity::user("alice"))
    }
}

#[test]
fn the_fifth_request_of_a_call_is_refused() {
    let mut asks = testing::policy::<Asks>(json!({})).unwrap();
    asks.answer("https://auth.example.com/me", 200, json!({}));
    // Each call has its own.
    for few in [json!([4, 0]), json!([0, 4]), json!([2, 2])] {
        assert!(asks.connect(few).identity().is_some());
    }
    for many in [json!([5, 0]), json!([0, 5]), json!([3, 2])] {
        let admission = asks.connect(many.clone());
        assert!(admission.denial().is_some(), "{many}: {admission:?}");
    }
    assert_eq!(asks.requests().len(), 4 + 2 + 4 + 3);
}
