//! The versions of the contract that this broker speaks: which one a component was built against, and calls of a
//! component of any of them, in the words of the newest.

mod v0_1;

use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Engine, Store};

use super::bindings::{self, types};
use super::host::Host;
use crate::telemetry::metrics::Hook;

/// A version of `sluice:policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contract {
    V0_1,
    V0_2,
}

/// What interfaces of the contract are called, up to their own name.
const PACKAGE: &str = "sluice:policy/";

/// A component that has no part of any contract that this broker speaks.
#[derive(Debug)]
pub(super) enum Foreign {
    /// It imports nothing of the contract.
    None,
    /// It was built against another version, which is this.
    Version(String),
}

/// All that a policy may have.
const HOOKS: [Hook; 4] = [
    Hook::Connect,
    Hook::Event,
    Hook::Subscribe,
    Hook::Disconnect,
];

pub(super) fn implements(hooks: types::Hooks, hook: Hook) -> bool {
    hooks.contains(match hook {
        Hook::Connect => types::Hooks::CONNECT,
        Hook::Event => types::Hooks::EVENT,
        Hook::Subscribe => types::Hooks::SUBSCRIBE,
        Hook::Disconnect => types::Hooks::DISCONNECT,
    })
}

/// Those of them that a component has.
pub(super) fn hooks(of: types::Hooks) -> impl Iterator<Item = Hook> + Clone {
    HOOKS.into_iter().filter(move |hook| implements(of, *hook))
}

impl Contract {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1",
            Self::V0_2 => "0.2",
        }
    }

    /// The version that a component was built against, by what it imports: even one that asks for nothing imports the
    /// types of its exports.
    pub(super) fn of(component: &Component, engine: &Engine) -> Result<Self, Foreign> {
        let ty = component.component_type();
        let mut versions = ty.imports(engine).filter_map(|(name, _)| {
            let (_, version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
            Some(version.to_owned())
        });
        let version = versions.next().ok_or(Foreign::None)?;
        // Before 1.0, versions that share the second number understand each other.
        match version.splitn(3, '.').collect::<Vec<_>>()[..] {
            ["0", "1", _] => Ok(Self::V0_1),
            ["0", "2", _] => Ok(Self::V0_2),
            _ => Err(Foreign::Version(version)),
        }
    }
}

/// Links what policies of every version may import.
pub(super) fn add_to_linker(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    bindings::v0_2::Policy::add_to_linker::<_, HasSelf<Host>>(linker, |host| host)?;
    bindings::v0_1::Policy::add_to_linker::<_, HasSelf<Host>>(linker, |host| host)
}

/// A component whose imports are resolved.
pub(super) enum GuestPre {
    V0_1(bindings::v0_1::PolicyPre<Host>),
    V0_2(bindings::v0_2::PolicyPre<Host>),
}

/// An instance of it.
pub(super) enum Guest {
    V0_1(bindings::v0_1::Policy),
    V0_2(bindings::v0_2::Policy),
}

impl GuestPre {
    pub(super) fn new(contract: Contract, pre: InstancePre<Host>) -> wasmtime::Result<Self> {
        Ok(match contract {
            Contract::V0_1 => Self::V0_1(bindings::v0_1::PolicyPre::new(pre)?),
            Contract::V0_2 => Self::V0_2(bindings::v0_2::PolicyPre::new(pre)?),
        })
    }

    pub(super) fn component(&self) -> &Component {
        match self {
            Self::V0_1(pre) => pre.instance_pre().component(),
            Self::V0_2(pre) => pre.instance_pre().component(),
        }
    }

    pub(super) fn instantiate(&self, store: &mut Store<Host>) -> wasmtime::Result<Guest> {
        Ok(match self {
            Self::V0_1(pre) => Guest::V0_1(pre.instantiate(store)?),
            Self::V0_2(pre) => Guest::V0_2(pre.instantiate(store)?),
        })
    }
}

impl Guest {
    pub(super) fn describe(&self, store: &mut Store<Host>) -> wasmtime::Result<types::Description> {
        match self {
            Self::V0_1(guest) => guest.call_describe(store).map(Into::into),
            Self::V0_2(guest) => guest.call_describe(store),
        }
    }

    pub(super) fn configure(
        &self,
        store: &mut Store<Host>,
        config: &str,
    ) -> wasmtime::Result<Result<types::Interests, String>> {
        match self {
            Self::V0_1(guest) => {
                let interests = guest.call_configure(store, config)?;
                Ok(interests.map(Into::into))
            }
            Self::V0_2(guest) => guest.call_configure(store, config),
        }
    }

    pub(super) fn on_connect(
        &self,
        store: &mut Store<Host>,
        socket: u64,
        auth: &str,
    ) -> wasmtime::Result<types::Admission> {
        match self {
            Self::V0_1(guest) => guest.call_on_connect(store, socket, auth).map(Into::into),
            Self::V0_2(guest) => guest.call_on_connect(store, socket, auth),
        }
    }

    pub(super) fn on_event(
        &self,
        store: &mut Store<Host>,
        socket: u64,
        rule: u32,
        traits: types::EventTraits,
        args: &str,
    ) -> wasmtime::Result<types::Verdict> {
        match self {
            Self::V0_1(guest) => guest
                .call_on_event(store, socket, rule, v0_1::traits(traits), args)
                .map(Into::into),
            Self::V0_2(guest) => guest.call_on_event(store, socket, rule, traits, args),
        }
    }

    pub(super) fn on_subscribe(
        &self,
        store: &mut Store<Host>,
        socket: u64,
        rule: u32,
        room: &str,
    ) -> wasmtime::Result<types::Subscription> {
        match self {
            // It has no such hook, and is never asked.
            Self::V0_1(_) => Ok(types::Subscription::Pass),
            Self::V0_2(guest) => guest.call_on_subscribe(store, socket, rule, room),
        }
    }

    pub(super) fn on_disconnect(
        &self,
        store: &mut Store<Host>,
        socket: u64,
        reason: types::DisconnectReason,
    ) -> wasmtime::Result<()> {
        match self {
            Self::V0_1(guest) => guest.call_on_disconnect(store, socket, v0_1::reason(reason)),
            Self::V0_2(guest) => guest.call_on_disconnect(store, socket, reason),
        }
    }
}
