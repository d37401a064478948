//! Counts and keeps what all nodes share, and replies with what came of it. A client that says `login` is counted over
//! all nodes as one before it is let in.

use std::time::Duration;

use sluice_plugin_sdk::prelude::*;

#[policy]
pub struct Union {
    /// Tokens, and as many come back in a minute.
    #[serde(default)]
    burst: u32,
    /// Logins of a name that are let in.
    #[serde(default)]
    logins: i64,
}

fn reply<T: Serialize>(result: Result<T, store::StoreError>) -> Verdict {
    match result {
        Ok(value) => Verdict::reply(&[value]),
        Err(error) => Verdict::reply(&[error.to_string()]),
    }
}

#[policy(grants(cluster_state))]
impl Union {
    #[buckets]
    fn buckets(&self) -> [Bucket; 1] {
        let burst = self.burst.max(1);
        [Bucket::tokens("takes", burst, f64::from(burst) / 60.0).cluster()]
    }

    #[on_connect]
    fn login(&mut self, call: &ConnectCall<'_>) -> Result<Admission, Denial> {
        let Ok(name) = call.get::<String>("/login") else {
            return Ok(Admission::Pass);
        };
        let logins = store::strictly(&name).add(1, Duration::from_secs(3600))?;
        if logins > self.logins {
            deny!("logins", "{} logins are too many", logins);
        }
        Ok(Identity::user(name).into())
    }

    #[on_event("take")]
    fn take(&mut self) -> Verdict {
        Verdict::reply(&[take(0, Subject::Global, 1).allowed])
    }

    #[on_event("add")]
    fn add(&mut self, (key, by): (String, i64)) -> Verdict {
        reply(store::cluster().counter(&key).add(by, None))
    }

    #[on_event("get")]
    fn get(&mut self, key: String) -> Verdict {
        let value = store::cluster().get_bytes(&key);
        reply(value.map(|value| value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())))
    }

    #[on_event("set")]
    fn set(&mut self, (key, value): (String, String)) -> Verdict {
        let done = store::cluster().set_bytes(&key, value.as_bytes(), None);
        reply(done.map(|()| true))
    }

    #[on_event("delete")]
    fn delete(&mut self, key: String) -> Verdict {
        reply(store::cluster().delete(&key).map(|()| true))
    }

    #[on_event("strictly")]
    fn strictly(&mut self, key: String) -> Verdict {
        reply(store::strictly(&key).add(1, None))
    }
}
