//! Counters and values that a policy keeps.

use super::Host;
use crate::config::Capability;
use crate::plugin::bindings::store;
use store::Scope;

impl store::Host for Host {
    fn add(&mut self, at: Scope, key: String, by: i64, ttl_ms: u64) -> Result<i64, String> {
        self.check(at)?;
        let now = self.terms.clock.millis();
        let sum = self.terms.state.add(&key, by, ttl_ms, now);
        sum.map_err(|error| error.to_string())
    }

    fn get(&mut self, at: Scope, key: String) -> Result<Option<Vec<u8>>, String> {
        self.check(at)?;
        let now = self.terms.clock.millis();
        let value = self.terms.state.get(&key, now);
        let value = value.map_err(|error| error.to_string())?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn set(&mut self, at: Scope, key: String, value: Vec<u8>, ttl_ms: u64) -> Result<(), String> {
        self.check(at)?;
        let now = self.terms.clock.millis();
        let done = self.terms.state.set(&key, &value, ttl_ms, now);
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
        let state = &self.terms.state;
        let swapped = state.compare_and_swap(&key, old.as_deref(), &new, ttl_ms, now);
        swapped.map_err(|error| error.to_string())
    }

    fn delete(&mut self, at: Scope, key: String) -> Result<(), String> {
        self.check(at)?;
        let done = self.terms.state.delete(&key);
        done.map_err(|error| error.to_string())
    }
}

impl Host {
    /// A policy that asks for the capability `cluster-state` does not load in this version, so nobody gets here by an
    /// honest way, unless it is tried out: there this node is the cluster.
    fn check(&self, at: Scope) -> Result<(), String> {
        match at {
            Scope::Node => Ok(()),
            Scope::Cluster if self.is_granted(Capability::ClusterState) => Ok(()),
            Scope::Cluster => Err("the capability `cluster-state` is not granted".to_owned()),
        }
    }
}
