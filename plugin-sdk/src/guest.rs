//! The component's side of the contract: generated bindings, and the glue between them and a [`Policy`].
//!
//! Only `export!` names what is here. The conversions are exhaustive on purpose: a change of the contract that
//! the SDK does not follow does not compile.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::thread::LocalKey;

use crate::call::Traits;
use crate::guest::bindings::sluice::policy::types;
use crate::interests::{Route, Routes};
use crate::{Admission, ConnectCall, Denial, DisconnectReason, EventCall, Policy, Verdict, config};

#[allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated: calls across the component boundary"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit/v0.1",
        world: "policy",
        pub_export_macro: true,
        default_bindings_module: "sluice_plugin_sdk::guest::bindings",
        export_macro_name: "export_component",
    });
}

pub use bindings::export_component;

/// Where the configured policy is kept.
pub type Slot<P> = RefCell<Option<Kept<P>>>;

/// The configured policy, and which method each of its rules belongs to.
pub struct Kept<P> {
    policy: P,
    routes: Routes,
}

/// What `export!` adds to a policy: its name, its version and the one instance of it.
pub trait Exported: Policy {
    /// The name of its crate.
    const NAME: &'static str;
    /// The version of its crate.
    const VERSION: &'static str;

    /// Where the configured policy is kept.
    fn slot() -> &'static LocalKey<Slot<Self>>;
}

/// The component that a policy becomes.
pub struct Component<P>(PhantomData<P>);

impl<P: Exported> Component<P> {
    /// A call before `configure` is a mistake of the host, not of a client: it traps, so that the operator's
    /// failure policy decides.
    #[expect(clippy::expect_used, reason = "the contract: configure comes first")]
    fn with<T>(hook: impl FnOnce(&mut P, &Routes) -> T) -> T {
        P::slot().with_borrow_mut(|slot| {
            let kept = slot.as_mut().expect("a hook was called before configure");
            hook(&mut kept.policy, &kept.routes)
        })
    }
}

impl<P: Exported> bindings::Guest for Component<P> {
    fn describe() -> types::Description {
        types::Description {
            name: P::NAME.to_owned(),
            version: P::VERSION.to_owned(),
            hooks: P::HOOKS.into(),
            capabilities: P::CAPABILITIES.into(),
        }
    }

    fn configure(config: String) -> Result<types::Interests, String> {
        let policy = config::parse::<P>(&config)?.configure()?;
        let interests = policy.interests();
        let routes = interests.routes();
        P::slot().set(Some(Kept { policy, routes }));
        Ok(interests.into())
    }

    fn on_connect(socket: u64, auth: String) -> types::Admission {
        let call = ConnectCall {
            socket,
            auth: &auth,
        };
        Self::with(|policy, _| policy.on_connect(&call)).into()
    }

    fn on_event(
        socket: u64,
        event: u32,
        traits: types::EventTraits,
        args: String,
    ) -> types::Verdict {
        let rule = event as usize;
        let mut call = EventCall {
            socket,
            rule,
            route: Route::default(),
            traits: Traits {
                wants_ack: traits.contains(types::EventTraits::WANTS_ACK),
                has_attachments: traits.contains(types::EventTraits::HAS_ATTACHMENTS),
                replaced: traits.contains(types::EventTraits::REPLACED),
            },
            args: &args,
        };
        Self::with(|policy, routes| {
            call.route = routes.events.get(rule).copied().unwrap_or_default();
            policy.on_event(&call)
        })
        .into()
    }

    fn on_disconnect(socket: u64, reason: types::DisconnectReason) {
        Self::with(|policy, _| policy.on_disconnect(socket, reason.into()));
    }
}

// === between the contract's types and the SDK's ===

impl From<crate::Hooks> for types::Hooks {
    fn from(hooks: crate::Hooks) -> Self {
        use crate::Hooks;
        let mut flags = Self::empty();
        flags.set(Self::CONNECT, hooks.contains(Hooks::CONNECT));
        flags.set(Self::EVENT, hooks.contains(Hooks::EVENT));
        flags.set(Self::DISCONNECT, hooks.contains(Hooks::DISCONNECT));
        flags
    }
}

impl From<crate::Capabilities> for types::Capabilities {
    fn from(capabilities: crate::Capabilities) -> Self {
        use crate::Capabilities;
        let mut flags = Self::empty();
        flags.set(Self::EMIT, capabilities.contains(Capabilities::EMIT));
        flags.set(Self::ROOMS, capabilities.contains(Capabilities::ROOMS));
        flags.set(
            Self::CLUSTER_STATE,
            capabilities.contains(Capabilities::CLUSTER_STATE),
        );
        flags.set(Self::HTTP, capabilities.contains(Capabilities::HTTP));
        flags
    }
}

impl From<crate::Interests> for types::Interests {
    fn from(interests: crate::Interests) -> Self {
        let (events, _rooms, buckets, _metrics) = interests.into_parts();
        Self {
            events: events
                .into_iter()
                .map(|crate::EventRule { name, args }| types::EventRule { name, args })
                .collect(),
            buckets: buckets
                .into_iter()
                .map(|bucket| {
                    let crate::Bucket {
                        name,
                        burst,
                        per_second,
                        window_ms,
                        scope: _,
                    } = bucket;
                    types::BucketRule {
                        name,
                        burst,
                        per_second,
                        window_ms,
                    }
                })
                .collect(),
        }
    }
}

impl From<Denial> for types::Denial {
    fn from(denial: Denial) -> Self {
        let Denial {
            code,
            message,
            retry_after_ms,
            data,
            disconnect,
        } = denial;
        Self {
            code,
            message,
            retry_after_ms,
            data,
            disconnect,
        }
    }
}

impl From<Verdict> for types::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Replace(args) => Self::Replace(args),
            Verdict::Deny(denial) => Self::Deny(denial.into()),
            Verdict::Drop => Self::Drop,
            Verdict::Coalesce { .. } | Verdict::Reply(_) => unreachable!("{NEWER}"),
        }
    }
}

impl From<Admission> for types::Admission {
    fn from(admission: Admission) -> Self {
        match admission {
            Admission::Pass => Self::Pass,
            Admission::Accept(identity) => {
                let crate::Identity {
                    user,
                    attributes,
                    rooms,
                } = identity;
                Self::Accept(types::Identity {
                    user,
                    attributes,
                    rooms,
                })
            }
            Admission::Deny(denial) => Self::Deny(denial.into()),
        }
    }
}

impl From<types::DisconnectReason> for DisconnectReason {
    fn from(reason: types::DisconnectReason) -> Self {
        match reason {
            types::DisconnectReason::Client => Self::Client,
            types::DisconnectReason::Server => Self::Server,
            types::DisconnectReason::Transport => Self::Transport,
            types::DisconnectReason::Timeout => Self::Timeout,
            types::DisconnectReason::Policy => Self::Policy,
        }
    }
}

/// Until the bindings are those of the newer contract.
const NEWER: &str = "this takes version 0.2 of the contract";

/// The broker, as the modules `current`, `limits` and `log` call it.
pub(crate) mod host {
    use super::NEWER;
    use super::bindings::sluice::policy::{limits, log as lines, types};
    use crate::http::{Error, Request, Response};
    use crate::log::Level;
    use crate::{Decision, Scope, Subject, Target};

    pub(crate) use super::bindings::sluice::policy::current::{
        address, attachment, attachment_count, attachment_len, attribute, event_name, header,
        in_room, namespace, now_ms, query, user,
    };

    pub(crate) fn take(bucket: usize, whom: Subject, cost: u32) -> Decision {
        let whom = match whom {
            Subject::Socket => types::Subject::Socket,
            Subject::User => types::Subject::User,
            Subject::Address => types::Subject::Address,
            Subject::Namespace => types::Subject::Namespace,
            Subject::Global => types::Subject::Global,
        };
        // A number that does not fit is no bucket's; the host knows what to do with such.
        let bucket = u32::try_from(bucket).unwrap_or(u32::MAX);
        let limits::Decision {
            allowed,
            remaining,
            retry_after_ms,
        } = limits::take(bucket, whom, cost);
        Decision {
            allowed,
            remaining,
            retry_after_ms,
        }
    }

    pub(crate) fn log(level: Level, message: &str) {
        let level = match level {
            Level::Debug => lines::Level::Debug,
            Level::Info => lines::Level::Info,
            Level::Warn => lines::Level::Warn,
            Level::Error => lines::Level::Error,
        };
        lines::write(level, message);
    }

    pub(crate) fn socket_id() -> String {
        String::new()
    }
    pub(crate) fn event_id() -> String {
        String::new()
    }
    pub(crate) fn rooms() -> Vec<String> {
        Vec::new()
    }
    pub(crate) fn metric_add(_: usize, _: u64) {}
    pub(crate) fn metric_set(_: usize, _: f64) {}
    pub(crate) fn emit(_: Target<'_>, _: &str, _: &str) -> Result<(), String> {
        Err(NEWER.to_owned())
    }
    pub(crate) fn join(_: &str) -> Result<(), String> {
        Err(NEWER.to_owned())
    }
    pub(crate) fn leave(_: &str) -> Result<(), String> {
        Err(NEWER.to_owned())
    }
    pub(crate) fn disconnect() -> Result<(), String> {
        Err(NEWER.to_owned())
    }
    pub(crate) fn set_attribute(_: &str, _: &str) -> Result<(), String> {
        Err(NEWER.to_owned())
    }
    pub(crate) fn store_add(_: Scope, _: &str, _: i64, _: u64) -> Result<i64, String> {
        Err(NEWER.to_owned())
    }
    pub(crate) fn store_get(_: Scope, _: &str) -> Result<Option<Vec<u8>>, String> {
        Err(NEWER.to_owned())
    }
    pub(crate) fn store_set(_: Scope, _: &str, _: &[u8], _: u64) -> Result<(), String> {
        Err(NEWER.to_owned())
    }
    pub(crate) fn store_compare_and_swap(
        _: Scope,
        _: &str,
        _: Option<&[u8]>,
        _: &[u8],
        _: u64,
    ) -> Result<bool, String> {
        Err(NEWER.to_owned())
    }
    pub(crate) fn store_delete(_: Scope, _: &str) -> Result<(), String> {
        Err(NEWER.to_owned())
    }
    pub(crate) fn fetch(_: Request) -> Result<Response, Error> {
        Err(Error::Refused(NEWER.to_owned()))
    }
}
