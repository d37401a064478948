//! Keeps what clients tell it, and replies with what came of it: text, a number, true, null, or the words of an error.

use std::time::Duration;

use sluice_plugin_sdk::prelude::*;

#[policy]
pub struct Ledger {
    /// Says nothing: what changes when only the settings do.
    #[serde(default)]
    edition: u32,
}

/// Milliseconds; 0: without end.
fn ttl(ms: u64) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms))
}

fn reply<T: Serialize>(result: Result<T, store::StoreError>) -> Verdict {
    match result {
        Ok(value) => Verdict::reply(&[value]),
        Err(error) => Verdict::reply(&[error.to_string()]),
    }
}

#[policy]
impl Ledger {
    #[on_event("edition")]
    fn edition(&mut self) -> Verdict {
        Verdict::reply(&[self.edition])
    }

    #[on_event("add")]
    fn add(&mut self, (key, by, ms): (String, i64, u64)) -> Verdict {
        reply(store::counter(&key).add(by, ttl(ms)))
    }

    #[on_event("get")]
    fn get(&mut self, key: String) -> Verdict {
        let value = store::node().get_bytes(&key);
        reply(value.map(|value| value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())))
    }

    #[on_event("set")]
    fn set(&mut self, (key, value, ms): (String, String, u64)) -> Verdict {
        let done = store::node().set_bytes(&key, value.as_bytes(), ttl(ms));
        reply(done.map(|()| true))
    }

    #[on_event("swap")]
    fn swap(&mut self, (key, old, new): (String, Option<String>, String)) -> Verdict {
        let old = old.as_deref().map(str::as_bytes);
        reply(store::node().compare_and_swap_bytes(&key, old, new.as_bytes(), None))
    }

    #[on_event("delete")]
    fn delete(&mut self, key: String) -> Verdict {
        reply(store::delete(&key).map(|()| true))
    }
}
