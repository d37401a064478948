//! A compiled component that was found to be a policy, with the description it gives of itself.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wasmtime::Store;
use wasmtime::component::InstancePre;

use super::asking::{counts_strictly, may_wait};
use super::bindings::types::Description;
use super::cache;
use super::contract::{Contract, Foreign, GuestPre};
use super::engine::Engine;
use super::host::Host;
use crate::hex::Hex;
use crate::telemetry::metrics::Compiled;

/// What `describe` may take: it only hands out constants.
const DESCRIBE: Duration = Duration::from_secs(1);

/// Memory a module has while it is asked for its description, before it has settings of its own.
const DESCRIBE_MEMORY: u64 = 64 << 20;

/// Why a file is not a policy. Each says what the file is instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAPolicy {
    #[error("the file is empty")]
    Empty,
    #[error("not WebAssembly")]
    NotWasm,
    #[error(
        "a core WebAssembly module, not a component: build it with `--target wasm32-wasip2`, \
         which makes a component"
    )]
    CoreModule,
    #[error("not a whole WebAssembly component, perhaps cut off: {0}")]
    Invalid(String),
    #[error(
        "a component, but not a policy: it has no part of sluice:policy, the contract of policies; write it with \
         sluice-plugin-sdk"
    )]
    NotOfContract,
    #[error(
        "built against version {0} of the contract sluice:policy, and this broker speaks 0.1 and 0.2: run a broker \
         that speaks it, or build the policy with an SDK of one of these"
    )]
    OtherVersion(String),
    #[error("it does not fit version {contract} of the contract sluice:policy: {reason}")]
    OtherWorld {
        contract: &'static str,
        reason: String,
    },
    #[error("its description could not be read: {0}")]
    Describe(String),
}

/// The sha256 of a module's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256:{}", Hex(&self.0))
    }
}

pub(crate) struct Module {
    pub digest: Digest,
    pub compiled: Compiled,
    /// The version of the contract that it was built against.
    pub contract: Contract,
    pub description: Description,
    pub(super) pre: GuestPre,
    /// Whether its connect hook counts over all nodes as one, and waits for that.
    pub(super) counts_strictly: bool,
    /// For a connect hook that may wait.
    pub(super) asking: Option<InstancePre<Host>>,
}

impl Module {
    /// Compiles a component: tens of milliseconds of work, never to be done on a reactor.
    pub(crate) fn compile(engine: &Engine, bytes: &[u8]) -> Result<Self, NotAPolicy> {
        check_header(bytes)?;
        let digest = Digest::of(bytes);
        let (component, compiled) = cache::component(engine, digest, bytes)
            .map_err(|error| NotAPolicy::Invalid(one_line(&error)))?;
        let contract = Contract::of(&component, &engine.wasm).map_err(|foreign| match foreign {
            Foreign::None => NotAPolicy::NotOfContract,
            Foreign::Version(version) => NotAPolicy::OtherVersion(version),
        })?;
        let misfit = |error| NotAPolicy::OtherWorld {
            contract: contract.as_str(),
            reason: one_line(&error),
        };
        let pre = engine
            .linker
            .instantiate_pre(&component)
            .and_then(|pre| GuestPre::new(contract, pre))
            .map_err(misfit)?;
        let description = describe(engine, &pre)?;
        let counts_strictly = counts_strictly(&component, &engine.wasm, &description);
        let asking = match counts_strictly || may_wait(contract, &description) {
            true => Some(engine.asking_linker.instantiate_pre(&component)),
            false => None,
        };
        Ok(Self {
            digest,
            compiled,
            contract,
            description,
            pre,
            counts_strictly,
            asking: asking.transpose().map_err(misfit)?,
        })
    }
}

/// Eight bytes tell a component from a core module (component model, binary format).
fn check_header(bytes: &[u8]) -> Result<(), NotAPolicy> {
    match bytes {
        [] => Err(NotAPolicy::Empty),
        [0x00, b'a', b's', b'm', 0x01, 0x00, 0x00, 0x00, ..] => Err(NotAPolicy::CoreModule),
        [0x00, b'a', b's', b'm', ..] => Ok(()),
        _ => Err(NotAPolicy::NotWasm),
    }
}

fn describe(engine: &Engine, pre: &GuestPre) -> Result<Description, NotAPolicy> {
    let mut store = Store::new(&engine.wasm, Host::undescribed(DESCRIBE_MEMORY));
    store.limiter(|host| &mut host.memory);
    store.set_epoch_deadline(DESCRIBE.as_millis() as u64);
    pre.instantiate(&mut store)
        .and_then(|guest| guest.describe(&mut store))
        .map_err(|error| NotAPolicy::Describe(one_line(&error)))
}

/// An error with its causes, without the line breaks and backtraces that engines put in.
pub(super) fn one_line(error: &wasmtime::Error) -> String {
    let causes: Vec<String> = error
        .chain()
        .map(|cause| cause.to_string())
        .filter(|cause| !cause.contains("wasm backtrace"))
        .map(|cause| cause.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    causes.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(bytes: &[u8]) -> String {
        let engine = Engine::new().unwrap();
        match Module::compile(&engine, bytes) {
            Ok(_) => panic!("not a policy"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_file_that_is_no_policy_is_told_what_it_is() {
        assert!(compile(b"").contains("empty"));
        assert!(compile(b"<html>").contains("not WebAssembly"));
        let core = b"\0asm\x01\0\0\0";
        assert!(compile(core).contains("wasm32-wasip2"));
        let cut = b"\0asm\x0d\0\x01\0\x01\xff";
        assert!(compile(cut).contains("cut off"));
        let empty_component = b"\0asm\x0d\0\x01\0";
        assert!(compile(empty_component).contains("not a policy"));
    }
}
