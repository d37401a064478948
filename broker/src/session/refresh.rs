//! A client shows something newer than what it was let in with: the policies are asked again, and what they say takes the
//! place of what they have said.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use serde_json::value::RawValue;

use super::{Broker, OPEN, Session};
use crate::event::{Client, Code, Denial, Effect, Grant, Identity, Peer};
use crate::moment::unix_millis;
use crate::telemetry::events::Refreshed;
use crate::telemetry::metrics::{DropReason, metrics};

/// Bytes of what a client shows. It is handed to every policy of the namespace.
const LONGEST: usize = 64 << 10;

/// Between two attempts of a socket. A policy may have to ask somebody else each time.
const BETWEEN: Duration = Duration::from_secs(1);

/// How a client is told what came of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reply {
    /// It answered the broker: it is told only of a refusal, by the denial event.
    Answer,
    /// It said so by an event of its own, and may wait for an acknowledgement.
    Event(Option<i64>),
}

// === impl Session ===

impl Session {
    /// The client has answered when it was asked for something newer. `args` is the text of a JSON array.
    pub(super) fn answered(self: &Arc<Self>, args: &str) {
        // One that has nothing newer says so by nothing.
        if let Some(auth) = first(args) {
            self.refresh(auth, Reply::Answer);
        }
    }

    /// The client says by an event of its own that it has something newer.
    pub(super) fn offers(self: &Arc<Self>, args: &str, ack: Option<i64>) {
        match first(args) {
            Some(auth) => self.refresh(auth, Reply::Event(ack)),
            None => {
                let what = "expected what the client authenticates with as first argument";
                let denial = Denial::broker(Code::InvalidPacket, what);
                self.refused_refresh(&denial, Reply::Event(ack));
            }
        }
    }

    /// `auth` is JSON text.
    fn refresh(self: &Arc<Self>, auth: &str, reply: Reply) {
        if let Err(denial) = self.begin_refresh(auth) {
            return self.refused_refresh(&denial, reply);
        }
        // Policies may wait for somebody else, and the socket's events do not.
        let (session, auth) = (self.clone(), auth.to_owned());
        tokio::spawn(async move { session.judge_refresh(&auth, reply).await });
    }

    /// One at a time, and not too often.
    fn begin_refresh(&self, auth: &str) -> Result<(), Denial> {
        if auth.len() > LONGEST {
            let what = format!("at most {LONGEST} bytes");
            return Err(Denial::broker(Code::TooLarge, what));
        }
        let mut term = self.term.lock();
        let term = term.get_or_insert_default();
        if term.is_judged {
            let what = "what was shown before is still being judged";
            return Err(Denial::broker(Code::Overloaded, what));
        }
        let now = Instant::now();
        if let Some(shown) = term.shown
            && let Some(rest) = BETWEEN.checked_sub(now - shown).filter(|it| !it.is_zero())
        {
            let mut denial = Denial::broker(Code::Overloaded, "too soon after the last attempt");
            denial.retry_after_ms = u32::try_from(rest.as_millis().max(1)).ok();
            return Err(denial);
        }
        term.shown = Some(now);
        term.is_judged = true;
        Ok(())
    }

    async fn judge_refresh(self: Arc<Self>, auth: &str, reply: Reply) {
        let candidate = self.candidate();
        let admitted = self.broker.admit_again(&candidate, auth).await;
        let is_over = {
            let mut term = self.term.lock();
            let term = term.get_or_insert_default();
            term.is_judged = false;
            std::mem::take(&mut term.is_over)
        };
        // It may have taken a while.
        if self.stage.load(Ordering::Acquire) != OPEN {
            return self.forget_term();
        }
        match admitted.and_then(|effects| self.take_over(&candidate).map(|()| effects)) {
            Ok(effects) => {
                self.apply(effects);
                self.refreshed(reply);
                self.end_if_revoked();
            }
            Err(denial) => {
                self.refused_refresh(&denial, reply);
                if is_over {
                    self.expired();
                }
            }
        }
    }

    /// The same socket, as policies are asked about it: who it is, is for them to say.
    fn candidate(&self) -> Arc<Client> {
        let Client {
            peer,
            namespace,
            rooms,
            ..
        } = &*self.client;
        let grant = Grant {
            is_refresh: true,
            ..Grant::default()
        };
        Arc::new(Client {
            peer: Peer {
                token: peer.token,
                name: peer.name,
                address: peer.address,
                handshake: peer.handshake.clone(),
            },
            namespace: namespace.clone(),
            identity: RwLock::new(Identity {
                grant: Some(Box::new(grant)),
                ..Identity::default()
            }),
            rooms: Mutex::new(rooms.lock().clone()),
        })
    }

    /// What it was let in with is replaced.
    fn take_over(self: &Arc<Self>, candidate: &Client) -> Result<(), Denial> {
        let new = std::mem::take(&mut *candidate.identity.write());
        if new.user != self.client.identity.read().user {
            // Rooms and whatever else a user has would have to change hands.
            let what = "a socket keeps its user: another one needs a connection of its own";
            return Err(Denial::broker(Code::OtherUser, what));
        }
        let rooms = self.client.identity.write().renew(new);
        for room in rooms {
            if self.broker.join(&self.home, &self.client, &room).is_err() {
                metrics().dropped(DropReason::TooManyRooms);
            }
        }
        self.watch_term();
        Ok(())
    }

    fn refreshed(&self, reply: Reply) {
        let expires = self.client.identity.read().expires_ms();
        Refreshed {
            client: &self.client,
            denial: None,
        }
        .emit();
        let Reply::Event(ack) = reply else {
            return;
        };
        let args = match expires {
            Some(at) => {
                let left = at.saturating_sub(unix_millis());
                format!(r#"[{{"ok":true,"expires_in_ms":{left}}}]"#)
            }
            None => r#"[{"ok":true}]"#.to_owned(),
        };
        self.answer(ack, &args);
    }

    fn refused_refresh(&self, denial: &Denial, reply: Reply) {
        Refreshed {
            client: &self.client,
            denial: Some(denial),
        }
        .emit();
        let ack = match reply {
            Reply::Answer => None,
            Reply::Event(ack) => ack,
        };
        self.tell_denial(denial, ack, || self.pipeline_now());
    }
}

// === impl Broker ===

impl Broker {
    /// Asks the policies about a client that is in already. The answer is what they want done besides.
    async fn admit_again(
        &self,
        candidate: &Arc<Client>,
        auth: &str,
    ) -> Result<Vec<Effect>, Denial> {
        let pipeline = self.pipelines.load().at(&candidate.namespace).cloned();
        let Some(pipeline) = pipeline else {
            let what = "the namespace is no longer served";
            return Err(Denial::broker(Code::NoRoute, what));
        };
        let mut effects = Vec::new();
        pipeline.admit(candidate, auth, &mut effects).await?;
        candidate.identity.write().settle();
        self.check_grant(candidate)?;
        Ok(effects)
    }
}

/// The first argument as JSON text, if it is anything.
fn first(args: &str) -> Option<&str> {
    let args: Vec<&RawValue> = serde_json::from_str(args).ok()?;
    let first = args.first()?.get();
    (first != "null").then_some(first)
}
