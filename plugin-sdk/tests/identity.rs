//! What the broker refuses of an identity, a native test sees refused as well.

use serde_json::json;
use sluice_plugin_sdk::{prelude::*, testing};

#[policy]
struct Named {}

#[policy]
impl Named {
    #[on_connect]
    fn admit(&mut self, name: String) -> Identity {
        Identity::user("alice").token_id(name)
    }
}

#[test]
fn a_name_of_a_token_that_nobody_could_revoke_lets_nobody_in() {
    let mut named = testing::policy::<Named>(json!({})).unwrap();
    for good in [1, 1024] {
        let admission = named.connect(json!("t".repeat(good)));
        assert!(admission.identity().is_some(), "{admission:?}");
    }
    for bad in [0, 1025] {
        let admission = named.socket("bad").connect(json!("t".repeat(bad)));
        let denial = admission.denial().unwrap_or_else(|| panic!("{bad}"));
        assert_eq!(denial.code, "token_id_invalid");
        assert_eq!(denial.message, "a token's id has 1 to 1024 bytes");
    }
}
