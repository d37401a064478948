//! The WebAssembly engine of the process, and the clock that ends calls which run too long.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;
use wasmtime::component::Linker;
use wasmtime::{Config, Engine as Wasm};

use super::cache::Cache;
use super::contract;
use super::fetch::Fetchers;
use super::host::{self, Host};
use super::tally::StrictCounters;
use super::wasi;
use crate::moment;

/// One tick of the deadline clock. A deadline is counted in ticks, so it is kept to about this.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Stack of a guest call. Enough for recursive-descent parsers; a reactor's own stack is several times as large,
/// so a guest that recurses without end traps instead of touching it.
const GUEST_STACK: usize = 512 << 10;

/// The engine with everything a policy may import already linked.
pub(crate) struct Engine {
    pub(super) wasm: Wasm,
    pub(super) linker: Linker<Host>,
    /// For calls that may wait for an answer from a back end; what is linked with it can be called in no other way.
    pub(super) asking_linker: Linker<Host>,
    pub(super) fetchers: Fetchers,
    /// Set where there are other nodes.
    pub(super) tally: OnceLock<Arc<dyn StrictCounters>>,
    /// Where modules are kept that are compiled.
    pub(super) cache: Option<Cache>,
}

impl Engine {
    /// An engine whose policies ask nobody: what they may do is checked, and no client is served.
    pub(crate) fn new() -> wasmtime::Result<Self> {
        Self::build(Fetchers::new(None))
    }

    /// An engine whose policies may ask over HTTP, with sockets that belong to this runtime.
    pub(crate) fn serving(runtime: Handle) -> wasmtime::Result<Self> {
        Self::build(Fetchers::new(Some(runtime)))
    }

    /// Starts the engine's clock, a thread that ends with it.
    fn build(fetchers: Fetchers) -> wasmtime::Result<Self> {
        moment::use_counter()?;
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            // Costs 0.3 µs a call, and no guest function is asynchronous.
            .concurrency_support(false)
            .max_wasm_stack(GUEST_STACK);
        let wasm = Wasm::new(&config)?;
        let mut linker = Linker::new(&wasm);
        contract::add_to_linker(&mut linker)?;
        wasi::add_to_linker(&mut linker)?;
        let mut asking_linker = linker.clone();
        host::let_ask(&mut asking_linker)?;
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
        Ok(Self {
            wasm,
            linker,
            asking_linker,
            fetchers,
            tally: OnceLock::new(),
            cache: None,
        })
    }

    /// What is counted strictly is counted there from now on.
    pub(crate) fn counts_with(&self, tally: Arc<dyn StrictCounters>) {
        // Said once, at start.
        let _ = self.tally.set(tally);
    }

    /// The same engine, which keeps what it compiles.
    pub(crate) fn with_cache(self, cache: Option<Cache>) -> Self {
        Self { cache, ..self }
    }
}
