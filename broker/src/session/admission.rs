//! Whether a client may enter a namespace: before there is a session, its policies are asked.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Broker, traced};
use crate::admission::UserPlace;
use crate::event::{Client, Code, Denial, Effect};
use crate::fanout::Expected;
use crate::pipeline::Pipeline;
use crate::telemetry::events::{ConnectionDenied, UnknownNamespace, UserRefused};
use crate::telemetry::trace::{self, Context};

/// Longest name of a namespace, in bytes. Names are the client's choice where the configuration has a pattern.
const MAX_NAMESPACE: usize = 256;

/// Why a connection to a namespace was refused.
pub(crate) enum Refusal {
    /// There is no such namespace: the protocol has its own words for that.
    NoNamespace,
    Denied(Denial),
}

/// What a client that is let in comes with.
#[derive(Default)]
pub(crate) struct Welcome {
    /// What policies want done once it is in.
    pub effects: Vec<Effect>,
    /// Where the number of a user's sockets is bounded.
    pub place: Option<UserPlace>,
    /// Where other nodes have been told of it: until it is in.
    pub expected: Option<Expected>,
}

/// Asks the policies of a namespace whether to let a client in. `auth` is the text that came with its CONNECT, `handshake`
/// the span of its connection's, where that is recorded.
///
/// Waits where a policy asks somebody else; then whoever drops the future, because the client has gone, leaves nothing
/// behind.
pub(crate) async fn admit(
    broker: &Broker,
    client: &Arc<Client>,
    auth: Option<&str>,
    handshake: Option<&Context>,
) -> Result<Welcome, Refusal> {
    let recording = traced::connect(client, handshake);
    trace::scope(recording, ask(broker, client, auth)).await
}

async fn ask(
    broker: &Broker,
    client: &Arc<Client>,
    auth: Option<&str>,
) -> Result<Welcome, Refusal> {
    let candidate = Candidate { broker, client };
    let pipeline = candidate.pipeline()?;
    if pipeline.namespace.is_operators {
        return candidate.admit_operator(auth).await;
    }
    let mut effects = Vec::new();
    let mut seen = broker.recorder.connect(client, auth);
    let verdict = match candidate.check(auth) {
        Ok(auth) => pipeline.admit(client, auth, &mut effects).await,
        Err(denial) => Err(denial),
    };
    client.identity.write().settle();
    let expected = match &verdict {
        Ok(()) => candidate.is_expected(&effects).await,
        Err(_) => None,
    };
    // It may have taken a while.
    let verdict = verdict.and_then(|()| candidate.check_draining());
    let verdict = verdict.and_then(|()| broker.check_grant(client));
    let verdict = match verdict {
        Ok(()) => candidate.take_place(),
        Err(denial) => Err(candidate.denied(denial)),
    };
    seen.came_to(if verdict.is_ok() { "accept" } else { "deny" });
    candidate.pipeline()?;
    match verdict {
        Ok(place) => {
            traced::came_to("accept");
            // Its session takes care of it from now on.
            std::mem::forget(candidate);
            Ok(Welcome {
                effects,
                place,
                expected,
            })
        }
        Err(denial) => Err(Refusal::Denied(denial)),
    }
}

/// A client that policies are asked about. What they have counted for it goes with it.
struct Candidate<'a> {
    broker: &'a Broker,
    client: &'a Arc<Client>,
}

impl Candidate<'_> {
    fn pipeline(&self) -> Result<Arc<Pipeline>, Refusal> {
        let namespace = &self.client.namespace;
        match self.broker.pipelines.load().at(namespace) {
            Some(pipeline) if namespace.len() <= MAX_NAMESPACE => Ok(pipeline.clone()),
            _ => {
                traced::came_to("unknown_namespace");
                UnknownNamespace {
                    client: self.client,
                }
                .emit();
                Err(Refusal::NoNamespace)
            }
        }
    }

    /// Other nodes know of it when this ends: to be connected is a promise as to have joined is.
    async fn is_expected(&self, effects: &[Effect]) -> Option<Expected> {
        let rooms = effects.iter().filter_map(|effect| match effect {
            Effect::Join(room) => Some(&**room),
            _ => None,
        });
        let expected = self.broker.fanout.expect(self.client, rooms)?;
        expected.known().await;
        Some(expected)
    }

    fn check<'t>(&self, auth: Option<&'t str>) -> Result<&'t str, Denial> {
        self.check_draining().and_then(|()| check_auth(auth))
    }

    fn denied(&self, denial: Denial) -> Denial {
        traced::denied(&denial);
        ConnectionDenied {
            client: self.client,
            denial: &denial,
        }
        .emit();
        denial
    }

    /// Into the namespace of the Admin UI, where no policy is asked and nothing is recorded.
    async fn admit_operator(self, auth: Option<&str>) -> Result<Welcome, Refusal> {
        let ui = self.broker.admin_ui.as_ref();
        // `admin.ui` was added while the broker serves, and is read at the start only.
        let ui = ui.ok_or(Refusal::NoNamespace)?;
        let admitted = match self.check(auth) {
            Ok(auth) => ui.admit(auth).await,
            Err(denial) => Err(denial),
        };
        match admitted {
            Ok(effects) => {
                traced::came_to("accept");
                std::mem::forget(self);
                Ok(Welcome {
                    effects,
                    ..Welcome::default()
                })
            }
            Err(denial) => Err(Refusal::Denied(self.denied(denial))),
        }
    }

    /// Policies have said who it is, so it can be seen whether it is here too often.
    fn take_place(&self) -> Result<Option<UserPlace>, Denial> {
        let Some(user) = self.client.identity.read().user.clone() else {
            return Ok(None);
        };
        let place = self.broker.admission.user(&user);
        place.map_err(|_| {
            let denial = Denial::broker(Code::Overloaded, "too many connections of this user");
            UserRefused {
                client: self.client,
                denial: &denial,
            }
            .emit();
            traced::denied(&denial);
            denial
        })
    }

    fn check_draining(&self) -> Result<(), Denial> {
        match self.broker.draining.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(Denial::broker(
                Code::Draining,
                "this server is shutting down",
            )),
        }
    }
}

impl Drop for Candidate<'_> {
    fn drop(&mut self) {
        self.broker.store.forget_socket(self.client.peer.token);
    }
}

/// Policies get JSON or nothing.
fn check_auth(auth: Option<&str>) -> Result<&str, Denial> {
    match auth {
        None => Ok("{}"),
        Some(text) => match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => Ok(text),
            Err(_) => Err(Denial::broker(
                Code::InvalidPacket,
                "the auth payload is not JSON",
            )),
        },
    }
}
