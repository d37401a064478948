//! The WebAssembly engine of the process, and the clock that ends calls which run too long.

use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Config, Engine as Wasm};

use super::contract;
use super::host::Host;
use super::wasi;

/// One tick of the deadline clock. A deadline is counted in ticks, so it is kept to about this.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Stack of a guest call. Enough for recursive-descent parsers; a reactor's own stack is several times as large,
/// so a guest that recurses without end traps instead of touching it.
const GUEST_STACK: usize = 512 << 10;

/// The engine with everything a policy may import already linked.
pub(crate) struct Engine {
    pub(super) wasm: Wasm,
    pub(super) linker: Linker<Host>,
}

impl Engine {
    /// Builds the engine and starts its clock, a thread that ends with the engine.
    pub(crate) fn new() -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            // Costs 0.3 µs a call, and no policy call is asynchronous.
            .concurrency_support(false)
            .max_wasm_stack(GUEST_STACK);
        let wasm = Wasm::new(&config)?;
        let mut linker = Linker::new(&wasm);
        contract::add_to_linker(&mut linker)?;
        wasi::add_to_linker(&mut linker)?;
        let weak = wasm.weak();
        std::thread::Builder::new()
            .name("deadlines".into())
            .spawn(move || {
                while let Some(wasm) = weak.upgrade() {
                    wasm.increment_epoch();
                    drop(wasm);
                    std::thread::sleep(TICK);
                }
            })?;
        Ok(Self { wasm, linker })
    }
}
