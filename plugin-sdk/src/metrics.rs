//! Numbers that a policy shows to the operator, beside those that the broker keeps of it anyway. They are declared in
//! [`Interests`](crate::Interests) and named here by their position among them.
//!
//! ```
//! use sluice_plugin_sdk::{prelude::*, testing};
//! use serde_json::json;
//!
//! #[policy]
//! struct Lengths {}
//!
//! #[policy]
//! impl Lengths {
//!     #[metrics]
//!     fn metrics(&self) -> [Metric; 2] {
//!         [Metric::counter("bytes"), Metric::gauge("last")]
//!     }
//!
//!     #[on_event("message")]
//!     fn measure(&mut self, (text,): (String,)) {
//!         metrics::add(0, text.len() as u64);
//!         metrics::set(1, text.len() as f64);
//!     }
//! }
//!
//! let mut lengths = testing::policy::<Lengths>(json!({})).unwrap();
//! lengths.event("message", json!(["hello"]));
//! lengths.event("message", json!(["you"]));
//! assert_eq!((lengths.metric("bytes"), lengths.metric("last")), (8.0, 3.0));
//! ```

use crate::host;

/// Adds to a counter. A metric that is none of the policy's, or no counter, is left alone.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy]
/// # impl Example {
/// #[metrics]
/// fn metrics(&self) -> [Metric; 1] {
///     [Metric::counter("events")]
/// }
///
/// #[on_event("*")]
/// fn event(&mut self) {
///     metrics::add(0, 1);
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # example.event("e", json!([]));
/// # assert_eq!(example.metric("events"), 1.0);
/// ```
pub fn add(metric: usize, by: u64) {
    host::metric_add(metric, by);
}

/// Sets a gauge. A metric that is none of the policy's, or no gauge, is left alone.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy]
/// # impl Example {
/// #[metrics]
/// fn metrics(&self) -> [Metric; 1] {
///     [Metric::gauge("events")]
/// }
///
/// #[on_event("*")]
/// fn event(&mut self) {
///     metrics::set(0, 1.0);
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # example.event("e", json!([]));
/// # assert_eq!(example.metric("events"), 1.0);
/// ```
pub fn set(metric: usize, value: f64) {
    host::metric_set(metric, value);
}
