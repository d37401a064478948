//! A store, a counter of it, and what can go wrong with both.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Denial, Scope, host, log};

/// How often [`Store::update`] tries again when others have been faster.
const UPDATES: u32 = 16;

/// A place where state is kept; [`node()`](super::node) or [`cluster()`](super::cluster).
///
/// ```
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct Topic {}
///
/// #[policy(grants(cluster_state))]
/// impl Topic {
///     #[on_event("topic")]
///     fn topic(&mut self, (topic,): (String,)) -> Result<Verdict, Denial> {
///         let before = store::cluster().get::<String>("topic")?;
///         store::cluster().set("topic", &topic, None)?;
///         Ok(Verdict::reply(&[before]))
///     }
/// }
///
/// let mut topics = testing::policy::<Topic>(json!({})).unwrap();
/// assert_eq!(topics.event("topic", json!(["tea"])), Verdict::reply(&[None::<&str>]));
/// assert_eq!(topics.event("topic", json!(["rain"])), Verdict::reply(&["tea"]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Store(Scope);

/// A counter of a [`Store`]; made by [`counter`](super::counter).
///
/// ```
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct Hits {}
///
/// #[policy]
/// impl Hits {
///     #[on_event("hit")]
///     fn hit(&mut self) -> Result<Verdict, Denial> {
///         Ok(Verdict::reply(&[store::counter("hits").add(1, None)?]))
///     }
/// }
///
/// let mut hits = testing::policy::<Hits>(json!({})).unwrap();
/// hits.event("hit", json!([]));
/// assert_eq!(hits.event("hit", json!([])), Verdict::reply(&[2]));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Counter<'k> {
    scope: Scope,
    key: &'k str,
}

/// A counter that all nodes count as one; made by [`strictly`](super::strictly).
///
/// ```
/// use std::time::Duration;
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct Logins { most: i64 }
///
/// #[policy(grants(cluster_state))]
/// impl Logins {
///     #[on_connect]
///     fn login(&mut self, call: &ConnectCall<'_>) -> Result<Identity, Denial> {
///         let name: String = call.get("/name")?;
///         if store::strictly(&name).add(1, Duration::from_secs(60))? > self.most {
///             deny!("logins", "Too many logins, come back in a minute");
///         }
///         Ok(Identity::user(name))
///     }
/// }
///
/// let mut logins = testing::policy::<Logins>(json!({ "most": 1 })).unwrap();
/// assert!(logins.connect(json!({ "name": "alice" })).identity().is_some());
/// assert_eq!(logins.connect(json!({ "name": "alice" })).denial().unwrap().code, "logins");
/// logins.clock().advance(60_000);
/// assert!(logins.connect(json!({ "name": "alice" })).identity().is_some());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Strict<'k>(pub(super) &'k str);

/// Why the state could not be read or written, in words for the log. As a denial its code is `state_failed`, and the
/// words go to the log instead of the client.
///
/// ```
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct NoKey {}
///
/// #[policy]
/// impl NoKey {
///     #[on_event("*")]
///     fn count(&mut self) -> Result<(), Denial> {
///         store::counter("").add(1, None)?;
///         Ok(())
///     }
/// }
///
/// let mut no_key = testing::policy::<NoKey>(json!({})).unwrap();
/// assert_eq!(no_key.event("x", json!([])).denial().unwrap().code, "state_failed");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(String);

// === impl Store ===

impl Store {
    pub(super) fn at(scope: Scope) -> Self {
        Self(scope)
    }

    /// A counter. It begins with 0.
    #[must_use]
    pub fn counter(self, key: &str) -> Counter<'_> {
        Counter { scope: self.0, key }
    }

    /// The value of a key; none if there is none.
    ///
    /// # Errors
    ///
    /// When the key is unusable, the state unavailable, or the value of another type.
    pub fn get<T: DeserializeOwned>(self, key: &str) -> Result<Option<T>, StoreError> {
        self.get_bytes(key)?
            .map(|bytes| from_json(key, &bytes))
            .transpose()
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    ///
    /// When the key or the value is unusable, or the state unavailable.
    pub fn set<T: Serialize + ?Sized>(
        self,
        key: &str,
        value: &T,
        ttl: impl Into<Option<Duration>>,
    ) -> Result<(), StoreError> {
        self.set_bytes(key, &to_json(key, value)?, ttl)
    }

    /// Sets the value of a key if it still is `old`, or if there is none and `old` is none. False: it is not.
    ///
    /// Values are the same when serde writes them the same; [`update`](Self::update) does not depend on that.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn compare_and_swap<T: Serialize + ?Sized>(
        self,
        key: &str,
        old: Option<&T>,
        new: &T,
        ttl: impl Into<Option<Duration>>,
    ) -> Result<bool, StoreError> {
        let old = old.map(|old| to_json(key, old)).transpose()?;
        self.compare_and_swap_bytes(key, old.as_deref(), &to_json(key, new)?, ttl)
    }

    /// Makes a new value of the old one, and tries again when another instance has been faster, so `change` may be
    /// called more than once. Answers the new value.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`set`](Self::set), and when others have been faster 16 times.
    pub fn update<T: Serialize + DeserializeOwned>(
        self,
        key: &str,
        ttl: impl Into<Option<Duration>>,
        mut change: impl FnMut(Option<T>) -> T,
    ) -> Result<T, StoreError> {
        let ttl = ttl.into();
        for _ in 0..UPDATES {
            let old = self.get_bytes(key)?;
            let value = old.as_deref().map(|old| from_json(key, old)).transpose()?;
            let new = change(value);
            let text = to_json(key, &new)?;
            if self.compare_and_swap_bytes(key, old.as_deref(), &text, ttl)? {
                return Ok(new);
            }
        }
        Err(StoreError(format!("{key}: others change it all the time")))
    }

    /// The bytes of a key; of a counter, its decimal text.
    ///
    /// # Errors
    ///
    /// When the key is unusable or the state unavailable.
    pub fn get_bytes(self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        host::store_get(self.0, key).map_err(StoreError)
    }

    /// Sets the bytes of a key.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn set_bytes(
        self,
        key: &str,
        value: &[u8],
        ttl: impl Into<Option<Duration>>,
    ) -> Result<(), StoreError> {
        host::store_set(self.0, key, value, ms(ttl.into())).map_err(StoreError)
    }

    /// [`compare_and_swap`](Self::compare_and_swap) for bytes.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn compare_and_swap_bytes(
        self,
        key: &str,
        old: Option<&[u8]>,
        new: &[u8],
        ttl: impl Into<Option<Duration>>,
    ) -> Result<bool, StoreError> {
        host::store_compare_and_swap(self.0, key, old, new, ms(ttl.into())).map_err(StoreError)
    }

    /// Forgets a key; one that is not there is forgotten already.
    ///
    /// # Errors
    ///
    /// When the key is unusable or the state unavailable.
    pub fn delete(self, key: &str) -> Result<(), StoreError> {
        host::store_delete(self.0, key).map_err(StoreError)
    }
}

// === impl Counter ===

impl Counter<'_> {
    /// Adds to it and answers what it is now. The time to live is set when it begins, and not by later calls.
    ///
    /// # Errors
    ///
    /// When the key is unusable, holds something else, or the state is unavailable.
    pub fn add(self, by: i64, ttl: impl Into<Option<Duration>>) -> Result<i64, StoreError> {
        host::store_add(self.scope, self.key, by, ms(ttl.into())).map_err(StoreError)
    }

    /// What it is now.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn get(self) -> Result<i64, StoreError> {
        Ok(Store(self.scope).get(self.key)?.unwrap_or(0))
    }
}

// === impl Strict ===

impl Strict<'_> {
    /// Adds to it and answers what it is now, over all nodes. The time to live is set when it begins, and not by later
    /// calls. Adding 0 looks.
    ///
    /// # Errors
    ///
    /// When it is not `on_connect` that asks, the key is unusable, or the cluster's store does not answer in time. It
    /// may have been counted all the same then.
    pub fn add(self, by: i64, ttl: impl Into<Option<Duration>>) -> Result<i64, StoreError> {
        host::store_add_strictly(self.0, by, ms(ttl.into())).map_err(StoreError)
    }
}

/// 0 means no end, so what is shorter than a millisecond is one.
fn ms(ttl: Option<Duration>) -> u64 {
    ttl.map_or(0, |ttl| {
        u64::try_from(ttl.as_nanos().div_ceil(1_000_000).max(1)).unwrap_or(u64::MAX)
    })
}

fn to_json<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| StoreError(format!("{key}: {error}")))
}

fn from_json<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError(format!("{key}: {error}")))
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for Denial {
    fn from(error: StoreError) -> Self {
        log::error(format!("the state failed: {error}"));
        Self::new("state_failed", "A policy could not reach its state")
    }
}
