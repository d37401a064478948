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
pub fn add(metric: usize, by: u64) {
    host::metric_add(metric, by);
}

/// Sets a gauge. A metric that is none of the policy's, or no gauge, is left alone.
pub fn set(metric: usize, value: f64) {
    host::metric_set(metric, value);
}
