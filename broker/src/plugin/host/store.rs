//! Counters and values that a policy keeps.

use super::Host;
use crate::config::Capability;
use crate::plugin::bindings::store;
use store::Scope;

impl store::Host for Host {
    fn add(&mut self, at: Scope, key: String, by: i64, ttl_ms: u64) -> Result<i64, String> {
        self.check(at)?;
        let (state, now) = (&self.terms.state, self.terms.clock.millis());
        let sum = match at {
            Scope::Node => state.add(&key, by, ttl_ms, now),
            Scope::Cluster => state.shared().add(&key, by, ttl_ms, now),
        };
        sum.map_err(|error| error.to_string())
    }

    fn get(&mut self, at: Scope, key: String) -> Result<Option<Vec<u8>>, String> {
        self.check(at)?;
        let (state, now) = (&self.terms.state, self.terms.clock.millis());
        let value = match at {
            Scope::Node => state.get(&key, now),
            Scope::Cluster => state.shared().get(&key, now),
        };
        let value = value.map_err(|error| error.to_string())?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn set(&mut self, at: Scope, key: String, value: Vec<u8>, ttl_ms: u64) -> Result<(), String> {
        self.check(at)?;
        let (state, now) = (&self.terms.state, self.terms.clock.millis());
        let done = match at {
            Scope::Node => state.set(&key, &value, ttl_ms, now),
            Scope::Cluster => state.shared().set(&key, &value, ttl_ms, now),
        };
        done.map_err(|error| error.to_string())
    }

    fn compare_and_swap(
        &mut self,
        at: Scope,
        key: String,
        old: Option<Vec<u8>>,
        new: Vec<u8>,
        ttl_ms: u64,
    ) -> Result<bool, String> {
        self.check(at)?;
        let now = self.terms.clock.millis();
        let (state, old) = (&self.terms.state, old.as_deref());
        let swapped = match at {
            Scope::Node => state.compare_and_swap(&key, old, &new, ttl_ms, now),
            Scope::Cluster => state
                .shared()
                .compare_and_swap(&key, old, &new, ttl_ms, now),
        };
        swapped.map_err(|error| error.to_string())
    }

    fn delete(&mut self, at: Scope, key: String) -> Result<(), String> {
        self.check(at)?;
        let state = &self.terms.state;
        let done = match at {
            Scope::Node => state.delete(&key),
            Scope::Cluster => state.shared().delete(&key, self.terms.clock.millis()),
        };
        done.map_err(|error| error.to_string())
    }

    fn add_strictly(&mut self, key: String, by: i64, ttl_ms: u64) -> Result<i64, String> {
        self.check_strict(&key)?;
        match self.terms.clock.rehearsal() {
            Some(rehearsal) if rehearsal.is_connecting() => {
                rehearsal.take_one()?;
                self.add_alone(&key, by, ttl_ms)
            }
            _ => Err("counting strictly is for on-connect only".to_owned()),
        }
    }
}

/// Bytes: the name of a subject is made of it.
const MAX_STRICT_KEY: usize = 240;

impl Host {
    /// A counter of a node that is alone, or of a policy that is tried out.
    pub(super) fn add_alone(&self, key: &str, by: i64, ttl_ms: u64) -> Result<i64, String> {
        let now = self.terms.clock.millis();
        let shared = self.terms.state.shared();
        let sum = shared.add(&format!("strict/{key}"), by, ttl_ms, now);
        sum.map_err(|error| error.to_string())
    }

    /// Whether a key is one of a counter that is counted strictly, and the policy may have such.
    pub(super) fn check_strict(&self, key: &str) -> Result<(), String> {
        self.check(Scope::Cluster)?;
        match key.len() {
            1..=MAX_STRICT_KEY => Ok(()),
            len => Err(format!(
                "a key has 1 to {MAX_STRICT_KEY} bytes, and this one has {len}"
            )),
        }
    }

    fn check(&self, at: Scope) -> Result<(), String> {
        match at {
            Scope::Node => Ok(()),
            Scope::Cluster if self.is_granted(Capability::ClusterState) => Ok(()),
            Scope::Cluster => Err("the capability `cluster-state` is not granted".to_owned()),
        }
    }
}
