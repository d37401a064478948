//! Counters and values by key, which the broker keeps: every instance of the policy sees the same ones, and they
//! outlive a reload. Their number and size are bounded; where there is no room, what was used longest ago goes first.
//!
//! The functions here are about the state of this node; [`cluster()`] has the same for the state that all nodes share.
//! Values are what serde writes as JSON, or bytes. A key is 1 to 256 bytes long, a value at most 64 KiB. A time to live
//! is a duration, or `None` for no end.
//!
//! ```
//! use std::time::Duration;
//! use sluice_plugin_sdk::{prelude::*, testing};
//! use serde_json::json;
//!
//! #[policy]
//! struct OneVote {}
//!
//! #[policy]
//! impl OneVote {
//!     #[on_event("vote")]
//!     fn vote(&mut self, (choice,): (String,)) -> Result<Verdict, Denial> {
//!         let user = current::user().unwrap_or_default();
//!         let votes = store::counter(&user).add(1, Duration::from_secs(3_600))?;
//!         if votes > 1 {
//!             let first: Option<String> = store::get(&format!("choice:{user}"))?;
//!             deny!("voted", "You have voted for {}", first.unwrap_or_default());
//!         }
//!         store::set(&format!("choice:{user}"), &choice, Duration::from_secs(3_600))?;
//!         Ok(Verdict::Pass)
//!     }
//! }
//!
//! let mut votes = testing::policy::<OneVote>(json!({})).unwrap();
//! votes.socket("a").user("alice");
//! assert_eq!(votes.event("vote", json!(["red"])), Verdict::Pass);
//! let again = votes.event("vote", json!(["blue"]));
//! assert_eq!(again.denial().unwrap().message, "You have voted for red");
//! votes.clock().advance(3_600_000);
//! assert_eq!(votes.event("vote", json!(["blue"])), Verdict::Pass);
//! ```
mod handle;

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Scope;

pub use handle::{Counter, Store, StoreError, Strict};

/// What this node keeps for itself.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy]
/// # impl Example {
/// #[on_event("*")]
/// fn event(&mut self) -> Result<(), Denial> {
///     store::node().set("topic", "tea", None)?;
///     Ok(())
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.event("e", json!([])), Verdict::Pass);
/// ```
#[must_use]
pub fn node() -> Store {
    Store::at(Scope::Node)
}

/// What all nodes share; takes the capability `cluster-state`.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy(grants(cluster_state))]
/// # impl Example {
/// #[on_event("*")]
/// fn event(&mut self) -> Result<(), Denial> {
///     store::cluster().set("topic", "tea", None)?;
///     Ok(())
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.event("e", json!([])), Verdict::Pass);
/// ```
#[must_use]
pub fn cluster() -> Store {
    Store::at(Scope::Cluster)
}

/// A counter that all nodes count as one, which takes a question to the cluster's store: for `on_connect` only, and for
/// what is rare, such as logins. Takes the capability `cluster-state`.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy(grants(cluster_state))]
/// # impl Example {
/// #[on_connect]
/// fn connect(&mut self) -> Result<Admission, Denial> {
///     let logins = store::strictly("logins").add(1, None)?;
///     assert_eq!(logins, 1);
///     Ok(Admission::Pass)
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.connect(json!({})), Admission::Pass);
/// ```
#[must_use]
pub fn strictly(key: &str) -> Strict<'_> {
    Strict(key)
}

/// A counter on this node.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy]
/// # impl Example {
/// #[on_event("*")]
/// fn event(&mut self) -> Result<(), Denial> {
///     let events = store::counter("events").add(1, None)?;
///     assert_eq!(events, store::counter("events").get()?);
///     Ok(())
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.event("e", json!([])), Verdict::Pass);
/// ```
#[must_use]
pub fn counter(key: &str) -> Counter<'_> {
    node().counter(key)
}

/// [`Store::get`] on this node.
///
/// # Errors
///
/// As there.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy]
/// # impl Example {
/// #[on_event("*")]
/// fn event(&mut self) -> Result<(), Denial> {
///     let topic: Option<String> = store::get("topic")?;
///     assert_eq!(topic, None);
///     Ok(())
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.event("e", json!([])), Verdict::Pass);
/// ```
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>, StoreError> {
    node().get(key)
}

/// [`Store::set`] on this node.
///
/// # Errors
///
/// As there.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy]
/// # impl Example {
/// #[on_event("*")]
/// fn event(&mut self) -> Result<(), Denial> {
///     store::set("last", &(current::event_name(), current::now_ms()), None)?;
///     assert!(store::get::<(String, u64)>("last")?.is_some());
///     Ok(())
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.event("e", json!([])), Verdict::Pass);
/// ```
pub fn set<T: Serialize + ?Sized>(
    key: &str,
    value: &T,
    ttl: impl Into<Option<Duration>>,
) -> Result<(), StoreError> {
    node().set(key, value, ttl)
}

/// [`Store::compare_and_swap`] on this node.
///
/// # Errors
///
/// As there.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy]
/// # impl Example {
/// #[on_event("*")]
/// fn event(&mut self) -> Result<(), Denial> {
///     assert!(store::compare_and_swap("owner", None, "alice", None)?);
///     assert!(!store::compare_and_swap("owner", None, "bob", None)?);
///     Ok(())
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.event("e", json!([])), Verdict::Pass);
/// ```
pub fn compare_and_swap<T: Serialize + ?Sized>(
    key: &str,
    old: Option<&T>,
    new: &T,
    ttl: impl Into<Option<Duration>>,
) -> Result<bool, StoreError> {
    node().compare_and_swap(key, old, new, ttl)
}

/// [`Store::update`] on this node.
///
/// # Errors
///
/// As there.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy]
/// # impl Example {
/// #[on_event("*")]
/// fn event(&mut self) -> Result<(), Denial> {
///     let names = store::update("names", None, |names: Option<Vec<String>>| {
///         let mut names = names.unwrap_or_default();
///         names.push("alice".to_owned());
///         names
///     })?;
///     assert_eq!(names, ["alice"]);
///     Ok(())
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.event("e", json!([])), Verdict::Pass);
/// ```
pub fn update<T: Serialize + DeserializeOwned>(
    key: &str,
    ttl: impl Into<Option<Duration>>,
    change: impl FnMut(Option<T>) -> T,
) -> Result<T, StoreError> {
    node().update(key, ttl, change)
}

/// [`Store::delete`] on this node.
///
/// # Errors
///
/// As there.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy]
/// # impl Example {
/// #[on_event("*")]
/// fn event(&mut self) -> Result<(), Denial> {
///     store::set("topic", "tea", None)?;
///     store::delete("topic")?;
///     assert_eq!(store::get::<String>("topic")?, None);
///     Ok(())
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.event("e", json!([])), Verdict::Pass);
/// ```
pub fn delete(key: &str) -> Result<(), StoreError> {
    node().delete(key)
}
