//! Who may come in: how many connections, sessions and sockets there may be, how fast new ones may come, and how much
//! memory they may take. Nothing here speaks a protocol: who refuses says so in its own words.
//!
//! A client is a session: one that polls has several connections for one, and a proxy's connection carries many. So
//! what is configured bounds sessions, and connections are bounded by [`A_SESSION`] for each.

mod addresses;
mod bucket;
mod forwarded;
mod memory;
#[cfg(test)]
mod tests;
mod users;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use http::HeaderMap;
use parking_lot::Mutex;

use crate::config;
use crate::telemetry::events::ConnectionRefused;
use crate::telemetry::metrics::Limit;
use addresses::{Addresses, Key};
use bucket::Bucket;
use memory::Memory;
use users::Users;

/// Connections that may come with one session: a polling client has one request that waits, one that it sends, and
/// tries a WebSocket beside them.
const A_SESSION: u32 = 4;

/// What all who let somebody in ask.
pub(crate) struct Admission {
    limits: ArcSwap<config::Admission>,
    since: Instant,
    sessions: Mutex<Bucket>,
    connections: Mutex<Bucket>,
    addresses: Addresses,
    users: Users,
    pub(crate) memory: Memory,
}

/// Which limit somebody met, and when it is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub limit: Limit,
    pub retry_after: Duration,
}

/// A connection of an address. Given back when it is dropped.
pub(crate) struct Held {
    admission: Arc<Admission>,
    key: Key,
}

/// A socket of a user. Given back when it is dropped.
pub(crate) struct UserPlace {
    admission: Arc<Admission>,
    user: Arc<str>,
}

// === impl Refused ===

impl Refused {
    fn by(limit: Limit) -> Self {
        Self {
            limit,
            retry_after: Duration::from_secs(1),
        }
    }

    fn until(limit: Limit, retry_after: Duration) -> Self {
        Self { limit, retry_after }
    }

    /// As HTTP's `Retry-After` says it.
    pub(crate) fn seconds(self) -> u64 {
        self.retry_after.as_millis().div_ceil(1000).max(1) as u64
    }

    /// Others would be let in.
    pub(crate) fn is_of_address(self) -> bool {
        matches!(self.limit, Limit::ConnectionsPerIp | Limit::RatePerIp)
    }

    /// The limit's key.
    pub(crate) fn limit(self) -> &'static str {
        self.limit.as_str()
    }

    /// Tells the operator.
    pub(crate) fn tell(self, address: IpAddr) {
        ConnectionRefused {
            address,
            limit: self.limit,
        }
        .emit();
    }
}

// === impl Admission ===

impl Admission {
    pub(crate) fn new(config: &config::Admission) -> Self {
        Self {
            memory: Memory::new(config.max_memory),
            limits: ArcSwap::from_pointee(config.clone()),
            since: Instant::now(),
            sessions: Mutex::default(),
            connections: Mutex::default(),
            addresses: Addresses::default(),
            users: Users::default(),
        }
    }

    /// From now on, for whoever comes. Nobody who is in is thrown out; where there was no limit, those who are in are
    /// not counted.
    pub(crate) fn reconfigure(&self, config: &config::Admission) {
        self.memory.reconfigure(config.max_memory);
        self.limits.store(Arc::new(config.clone()));
    }

    /// To be asked for at each use, and not kept.
    pub(crate) fn limits(&self) -> Guard<Arc<config::Admission>> {
        self.limits.load()
    }

    /// A connection that has been accepted, of as many as there are.
    pub(crate) fn connection(
        self: &Arc<Self>,
        address: IpAddr,
        open: usize,
    ) -> Result<Option<Held>, Refused> {
        let limits = self.limits.load();
        if open >= limits.max_connections {
            return Err(Refused::by(Limit::Connections));
        }
        if self.memory.is_full() {
            return Err(Refused::by(Limit::Memory));
        }
        // Its clients are told apart when they say who they are.
        if limits.trusted_proxies.contain(address) {
            return Ok(None);
        }
        if let Some(mut rate) = limits.connect_rate {
            rate.count = rate.count.saturating_mul(A_SESSION);
            let taken = self.connections.lock().take(rate, self.now());
            taken.map_err(|wait| Refused::until(Limit::Rate, wait))?;
        }
        self.hold(address, &limits)
    }

    /// Whether a connection of this address begins with whom it speaks for.
    pub(crate) fn says_for_whom(&self, address: IpAddr) -> bool {
        let limits = self.limits.load();
        limits.proxy_protocol && limits.trusted_proxies.contain(address)
    }

    /// The same of one whose address is only known now, because its proxy said so.
    pub(crate) fn proxied(self: &Arc<Self>, address: IpAddr) -> Result<Option<Held>, Refused> {
        let limits = self.limits.load();
        // One that speaks for another proxy.
        if limits.trusted_proxies.contain(address) {
            return Ok(None);
        }
        self.hold(address, &limits)
    }

    fn hold(
        self: &Arc<Self>,
        address: IpAddr,
        limits: &config::Admission,
    ) -> Result<Option<Held>, Refused> {
        let Some(sessions) = limits.max_connections_per_ip else {
            return Ok(None);
        };
        let most = sessions.saturating_mul(A_SESSION as usize);
        let key = Key::of(address);
        match self.addresses.connect(key, most) {
            true => Ok(Some(Held {
                admission: self.clone(),
                key,
            })),
            false => Err(Refused::by(Limit::ConnectionsPerIp)),
        }
    }

    /// A new session, of as many as there are. `true`: it has been counted, and is to leave.
    pub(crate) fn session(&self, address: IpAddr, open: usize) -> Result<bool, Refused> {
        let limits = self.limits.load();
        // A session outlives its requests, so connections are not all there is to bound.
        if open >= limits.max_connections {
            return Err(Refused::by(Limit::Connections));
        }
        if self.memory.is_full() {
            return Err(Refused::by(Limit::Memory));
        }
        let most = limits.max_connections_per_ip;
        let rate = limits.connect_rate_per_ip;
        let key = Key::of(address);
        if most.is_some() || rate.is_some() {
            self.addresses.open(key, most, rate, self.now())?;
        }
        if let Some(rate) = limits.connect_rate
            && let Err(wait) = self.sessions.lock().take(rate, self.now())
        {
            if most.is_some() {
                self.addresses.leave(key);
            }
            return Err(Refused::until(Limit::Rate, wait));
        }
        Ok(most.is_some())
    }

    /// A session that was counted is over.
    pub(crate) fn leave(&self, address: IpAddr) {
        self.addresses.leave(Key::of(address));
    }

    /// A socket of a user. `None`: it has as many as it may.
    pub(crate) fn user(self: &Arc<Self>, user: &Arc<str>) -> Result<Option<UserPlace>, Refused> {
        let Some(most) = self.limits.load().max_connections_per_user else {
            return Ok(None);
        };
        match self.users.enter(user, most) {
            true => Ok(Some(UserPlace {
                admission: self.clone(),
                user: user.clone(),
            })),
            false => Err(Refused::by(Limit::ConnectionsPerUser)),
        }
    }

    /// Where a request comes from: its peer, or whom a trusted proxy speaks for.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        forwarded::client(peer, headers, &self.limits.load())
    }

    /// Whether a peer is one of the proxies whose words are believed.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.limits.load().trusted_proxies.contain(peer)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.admission.addresses.disconnect(self.key);
    }
}

impl Drop for UserPlace {
    fn drop(&mut self) {
        self.admission.users.leave(&self.user);
    }
}
