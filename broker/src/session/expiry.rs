//! The end of what a socket was let in with: when it is looked after, and what happens then.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::answer::tell;
use super::{Broker, OPEN, Session};
use crate::config;
use crate::event::{Client, Code, Denial, Event};
use crate::fanout::{Ending, Outlet};
use crate::moment::unix_millis;
use crate::telemetry::events::RefreshWanted;

/// A client that has less than this left when it comes in, or has shown something newer, is not asked for more: who
/// shows what hardly lasts would be asked all the time.
const SHORTEST_ASKED_MS: u64 = 500;

/// What a session that rests on something knows of that.
#[derive(Debug, Default)]
pub(super) struct Term {
    /// When it is looked after next.
    pub due: Option<u64>,
    /// Its client has been asked for something newer.
    pub is_asked: bool,
    /// What the client has shown is being judged.
    pub is_judged: bool,
    /// The end came meanwhile.
    pub is_over: bool,
    /// When the client last showed something.
    pub shown: Option<Instant>,
    /// By which it is found.
    pub token: Option<Arc<str>>,
}

// === impl Session ===

impl Session {
    /// Has it looked after when what it rests on ends, or before that; and found by the name of that.
    pub(super) fn watch_term(self: &Arc<Self>) {
        let rests_on = {
            let identity = self.client.identity.read();
            let grant = identity.grant.as_ref();
            grant.map(|it| (it.expires_ms.get(), it.token.clone()))
        };
        let mut term = self.term.lock();
        if rests_on.is_none() && term.is_none() {
            return;
        }
        let (expires, token) = rests_on.unwrap_or_default();
        let config = self.term_config();
        let term = term.get_or_insert_default();
        term.is_asked = false;
        let watches = &self.broker.watches;
        let due = match config.on_expiry {
            config::OnExpiry::Ignore => None,
            config::OnExpiry::Disconnect => expires,
            config::OnExpiry::Refresh => expires.map(|at| asked_at(at, unix_millis(), &config)),
        };
        match (term.due, due) {
            (before, Some(at)) => watches.at(self, before, at),
            (Some(before), None) => watches.not_at(self, before),
            (None, None) => {}
        }
        term.due = due;
        if term.token != token {
            if let Some(token) = &term.token {
                watches.holds_not(self, token);
            }
            if let Some(token) = &token {
                watches.holds(self, token);
            }
            term.token = token;
        }
    }

    /// It is looked after and found no more.
    pub(super) fn forget_term(&self) {
        if let Some(term) = self.term.lock().take() {
            let watches = &self.broker.watches;
            if let Some(due) = term.due {
                watches.not_at(self, due);
            }
            if let Some(token) = &term.token {
                watches.holds_not(self, token);
            }
        }
    }

    /// Its time has come: what it rests on has ended, or is about to.
    pub(super) fn is_due(self: &Arc<Self>, now_ms: u64) {
        let config = self.term_config();
        let expires = self.client.identity.read().expires_ms();
        let mut held = self.term.lock();
        let Some(term) = &mut *held else {
            return;
        };
        term.due = None;
        let Some(expires) = expires.filter(|_| config.on_expiry != config::OnExpiry::Ignore) else {
            return;
        };
        if now_ms >= expires {
            // Begun in time, so what comes of it counts.
            term.is_over = term.is_judged;
            let ends = !term.is_judged && self.stage.load(Ordering::Acquire) == OPEN;
            drop(held);
            if ends {
                self.expired();
            }
            return;
        }
        term.due = Some(expires);
        self.broker.watches.at(self, None, expires);
        let asks = config.refreshes() && !term.is_asked;
        term.is_asked |= asks;
        drop(held);
        if asks {
            self.ask_for_newer(&config, expires - now_ms);
        }
    }

    /// It is told, and ended.
    pub(super) fn expired(&self) {
        let broker = &self.broker;
        broker.end(&self.client, &*self.outlet, &expired(), Ending::Expired);
    }

    /// What it rests on has been revoked, which may have been while it came in.
    pub(crate) fn end_if_revoked(&self) -> bool {
        let broker = &self.broker;
        let is_revoked = broker.revocations.bars(&self.client, unix_millis());
        if is_revoked {
            broker.end(&self.client, &*self.outlet, &revoked(), Ending::Revoked);
        }
        is_revoked
    }

    fn ask_for_newer(self: &Arc<Self>, config: &config::Session, left_ms: u64) {
        let args = format!(r#"[{{"expires_in_ms":{left_ms}}}]"#);
        let event = Event {
            name: config.refresh_event.clone(),
            args: args.into(),
            attachments: Arc::new([]),
            volatile: false,
        };
        RefreshWanted {
            client: &self.client,
        }
        .emit();
        let session = Arc::downgrade(self);
        self.broker
            .asking
            .ask_one(&*self.outlet, &event, move |args| {
                if let Some(session) = session.upgrade() {
                    session.answered(args);
                }
            });
    }

    pub(super) fn term_config(&self) -> config::Session {
        let pipelines = self.broker.pipelines.load();
        let pipeline = pipelines.at(&self.client.namespace);
        pipeline.map_or_else(config::Session::default, |it| it.namespace.session.clone())
    }
}

// === impl Broker ===

impl Broker {
    /// Tells a client why, and ends its socket, on the socket's own reactor.
    pub(crate) fn end(&self, client: &Client, outlet: &dyn Outlet, why: &Denial, ending: Ending) {
        let pipelines = self.pipelines.load();
        tell(outlet, pipelines.at(&client.namespace).map(|it| &**it), why);
        outlet.end(ending);
    }

    /// What keeps a client out whom all policies would let in.
    pub(super) fn check_grant(&self, client: &Client) -> Result<(), Denial> {
        let now_ms = unix_millis();
        if client
            .identity
            .read()
            .expires_ms()
            .is_some_and(|at| at <= now_ms)
        {
            return Err(expired());
        }
        match self.revocations.bars(client, now_ms) {
            true => Err(revoked()),
            false => Ok(()),
        }
    }
}

fn expired() -> Denial {
    let what = "what this session rests on has expired";
    Denial::broker(Code::TokenExpired, what)
}

pub(crate) fn revoked() -> Denial {
    Denial::broker(Code::Revoked, "this session has been revoked")
}

/// When a client is asked for something newer: some time before the end, but not before half of the time that it has.
fn asked_at(expires_ms: u64, now_ms: u64, config: &config::Session) -> u64 {
    let left = expires_ms.saturating_sub(now_ms);
    if left < SHORTEST_ASKED_MS {
        return expires_ms;
    }
    let before = u64::try_from(config.refresh_before.as_millis()).unwrap_or(u64::MAX);
    expires_ms - before.min(left / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_asked_in_time_and_not_all_the_time() {
        let config = config::Session::default();
        let at = |expires| asked_at(expires, 1_000_000, &config) - 1_000_000;
        assert_eq!(at(1_000_000 + 3_600_000), 3_570_000);
        assert_eq!(at(1_000_000 + 60_000), 30_000);
        assert_eq!(at(1_000_000 + 10_000), 5_000);
        assert_eq!(at(1_000_000 + 500), 250);
        assert_eq!(at(1_000_000 + 499), 499, "not at all");
    }
}
