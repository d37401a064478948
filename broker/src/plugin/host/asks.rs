//! What a policy asks over HTTP, or counts over all nodes, while a client connects. The call waits, and its thread goes on with others; the time
//! that it waits does not count as its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::Host;
use crate::config::Capability;
use crate::plugin::bindings::http::{self, Error};
use crate::plugin::fetch::{FetchError, Fetcher, Request, Response};
use crate::plugin::instance::{Overrun, ticks};
use crate::plugin::tally::StrictCounters;

/// Requests that one call may make.
pub(in crate::plugin) const A_CALL: u32 = 4;

/// What is left of so many after one more.
pub(in crate::plugin) fn one_less(left: u32) -> Result<u32, String> {
    let left = left.checked_sub(1);
    left.ok_or_else(|| format!("a call makes no more than {A_CALL} requests"))
}

/// The requests of one call, and the time that the call itself has taken.
pub(in crate::plugin) struct Asks {
    /// `None`: it may not ask back ends.
    fetcher: Option<Arc<Fetcher>>,
    /// `None`: the node is alone.
    tally: Option<Arc<dyn StrictCounters>>,
    left: u32,
    /// For all of the call beside what it waits.
    deadline: Duration,
    used: Duration,
    /// `None`: it waits.
    running_since: Option<Instant>,
}

impl Asks {
    /// For a call that begins now.
    pub(in crate::plugin) fn new(
        fetcher: Option<Arc<Fetcher>>,
        tally: Option<Arc<dyn StrictCounters>>,
        deadline: Duration,
    ) -> Self {
        Self {
            fetcher,
            tally,
            left: A_CALL,
            deadline,
            used: Duration::ZERO,
            running_since: Some(Instant::now()),
        }
    }

    /// The time that the call has taken, without what it has waited.
    pub(in crate::plugin) fn used(&self) -> Duration {
        self.used + self.running_since.map_or(Duration::ZERO, |it| it.elapsed())
    }

    fn wait(&mut self) {
        self.used = self.used();
        self.running_since = None;
    }

    /// What is left of the deadline.
    fn go_on(&mut self) -> Duration {
        self.running_since = Some(Instant::now());
        self.deadline.saturating_sub(self.used)
    }

    fn take_one(&mut self) -> Result<(), String> {
        self.left = one_less(self.left)?;
        Ok(())
    }
}

/// In the place of [`http::Host::fetch`], for stores whose calls may wait.
pub(in crate::plugin) fn let_ask(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker
        .instance("sluice:policy/http@0.2.0")?
        .func_wrap_async("fetch", |store, (request,): (http::Request,)| {
            Box::new(async move { Ok((fetch(store, request).await,)) })
        })?;
    linker
        .instance("sluice:policy/store@0.2.0")?
        .func_wrap_async("add-strictly", |store, asked: (String, i64, u64)| {
            Box::new(async move { Ok((add_strictly(store, asked).await,)) })
        })
}

async fn fetch(
    mut store: StoreContextMut<'_, Host>,
    request: http::Request,
) -> Result<http::Response, Error> {
    let Some(asks) = &mut store.data_mut().asks else {
        return Err(not_here());
    };
    let Some(fetcher) = asks.fetcher.clone() else {
        return Err(not_here());
    };
    asks.take_one().map_err(Error::Refused)?;
    asks.wait();
    let answer = fetcher.fetch(request.into()).await;
    go_on(&mut store);
    answer.map(|response| of(&response)).map_err(Error::from)
}

/// In the place of [`store::Host::add_strictly`](crate::plugin::bindings::store::Host), as [`fetch`].
async fn add_strictly(
    mut store: StoreContextMut<'_, Host>,
    (key, by, ttl_ms): (String, i64, u64),
) -> Result<i64, String> {
    let host = store.data_mut();
    host.check_strict(&key)?;
    let Some(asks) = &mut host.asks else {
        return Err("counting strictly is for on-connect only".to_owned());
    };
    asks.take_one()?;
    let Some(tally) = asks.tally.clone() else {
        return host.add_alone(&key, by, ttl_ms);
    };
    asks.wait();
    let policy = host.terms.policy.clone();
    let answer = tally.add(&policy, &key, by, ttl_ms).await;
    go_on(&mut store);
    answer
}

/// The call goes on with what it has left of its time.
fn go_on(store: &mut StoreContextMut<'_, Host>) {
    let host = store.data_mut();
    if let Some(asks) = &mut host.asks {
        let left = asks.go_on();
        // What the thread has done meanwhile was for others.
        host.overrun = Overrun::default();
        store.set_epoch_deadline(ticks(left));
    }
}

impl http::Host for Host {
    fn fetch(&mut self, request: http::Request) -> Result<http::Response, Error> {
        match self.terms.clock.rehearsal() {
            Some(rehearsal) if self.is_granted(Capability::Http) => rehearsal.fetch(request),
            _ => Err(not_here()),
        }
    }
}

fn not_here() -> Error {
    Error::Refused(
        "requests are made from on-connect only, by a policy with the capability `http`".to_owned(),
    )
}

impl From<http::Request> for Request {
    fn from(of: http::Request) -> Self {
        Self {
            method: of.method,
            url: of.url,
            headers: of.headers,
            body: of.body,
            timeout_ms: of.timeout_ms,
            max_age_ms: of.max_age_ms,
        }
    }
}

/// Copied, because others may be given the same answer.
fn of(response: &Response) -> http::Response {
    http::Response {
        status: response.status,
        headers: response.headers.clone(),
        body: response.body.to_vec(),
    }
}

impl From<FetchError> for Error {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Refused(why) => Self::Refused(why),
            FetchError::Timeout => Self::Timeout,
            FetchError::TooLarge => Self::TooLarge,
            FetchError::Failed(why) => Self::Failed(why),
            FetchError::Busy => Self::Failed(error.to_string()),
        }
    }
}
