//! The component's side of the contract: generated bindings, and the glue between them and a [`Policy`].
//!
//! Only `export!` names what is here. `exports` are the functions of the component, `convert` has the contract's types in the SDK's, `host` the broker behind
//! `current`, `take` and the others, `heap` the allocator.

mod convert;
pub mod exports;
pub(crate) mod host;

use std::cell::RefCell;
use std::marker::PhantomData;
use std::thread::LocalKey;

use crate::call::Traits;
use crate::guest::bindings::sluice::policy::types;
use crate::interests::{Promise, Route, Routes};
use crate::{ConnectCall, EventCall, Policy, SubscribeCall, config};

pub use crate::heap::Heap;

#[allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated: calls across the component boundary"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
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
        if let Promise(Some(promise)) = interests.promise {
            promise(interests.events());
        }
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
        rule: u32,
        traits: types::EventTraits,
        args: String,
    ) -> types::Verdict {
        let rule = rule as usize;
        Self::with(|policy, routes| {
            policy.on_event(&EventCall {
                socket,
                rule,
                route: route(&routes.events, rule),
                traits: Traits {
                    wants_ack: traits.contains(types::EventTraits::WANTS_ACK),
                    has_attachments: traits.contains(types::EventTraits::HAS_ATTACHMENTS),
                    replaced: traits.contains(types::EventTraits::REPLACED),
                },
                args: &args,
            })
        })
        .into()
    }

    fn on_subscribe(socket: u64, rule: u32, room: String) -> types::Subscription {
        let rule = rule as usize;
        Self::with(|policy, routes| {
            policy.on_subscribe(&SubscribeCall {
                socket,
                rule,
                route: route(&routes.rooms, rule),
                room: &room,
            })
        })
        .into()
    }

    fn on_disconnect(socket: u64, reason: types::DisconnectReason) {
        Self::with(|policy, _| policy.on_disconnect(socket, reason.into()));
    }
}

/// A rule that is none of the policy's leads to no method of it, which traps.
fn route(routes: &[Route], rule: usize) -> Route {
    routes.get(rule).copied().unwrap_or(Route {
        handler: u32::MAX,
        nth: 0,
    })
}
