//! A component's hook called with nothing around it: what benchmarks compare the rest with.

use std::path::Path;

use wasmtime::Store;

use super::bindings::types;
use super::contract::Guest;
use super::engine::Engine;
use super::host::Host;
use super::module::Module;

/// An instance that is called without a client, limits or measurements; the deadline clock ticks all the same.
pub struct Bare {
    store: Store<Host>,
    guest: Guest,
}

/// Longer than any benchmark, in ticks.
const NEVER: u64 = 1 << 40;

impl Bare {
    /// Loads a module and configures it.
    ///
    /// # Errors
    /// Says what is wrong with the module or the configuration.
    pub fn new(module: &Path, config: &str) -> Result<Self, String> {
        let engine = Engine::new().map_err(|error| error.to_string())?;
        let bytes = std::fs::read(module).map_err(|error| error.to_string())?;
        let module = Module::compile(&engine, &bytes).map_err(|error| error.to_string())?;
        let mut store = Store::new(&engine.wasm, Host::undescribed(16 << 20));
        store.set_epoch_deadline(NEVER);
        let failed = |error: wasmtime::Error| error.to_string();
        let guest = module.pre.instantiate(&mut store).map_err(failed)?;
        guest.configure(&mut store, config).map_err(failed)??;
        Ok(Self { store, guest })
    }

    /// Calls the event hook with no arguments. False: the answer was another than pass.
    #[must_use]
    pub fn call(&mut self) -> bool {
        let traits = types::EventTraits::empty();
        let verdict = self.guest.on_event(&mut self.store, 1, 0, traits, "");
        matches!(verdict, Ok(types::Verdict::Pass))
    }
}
