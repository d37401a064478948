//! A component whose one function does nothing: what any call costs at least.

use wasmtime::Store;
use wasmtime::component::{Component, Linker, TypedFunc};

use super::engine::Engine;

/// As text:
///
/// ```wat
/// (component
///   (core module $m (func (export "f")))
///   (core instance $i (instantiate $m))
///   (func (export "run") (canon lift (core func $i "f"))))
/// ```
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0\
    \x01\x1f\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x05\x01\x01f\0\0\x0a\x04\x01\x02\0\x0b\
    \x02\x04\x01\0\0\0\
    \x06\x07\x01\0\0\x01\0\x01f\
    \x07\x05\x01\x40\0\x01\0\
    \x08\x06\x01\0\0\0\0\0\
    \x0b\x09\x01\0\x03run\x01\0\0";

/// An instance of it.
pub(crate) struct Empty {
    store: Store<()>,
    run: TypedFunc<(), ()>,
}

impl Empty {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let component = Component::new(&engine.wasm, COMPONENT)?;
        let mut store = Store::new(&engine.wasm, ());
        // No deadline: longer than anyone lives, and not so long that it overflows.
        store.set_epoch_deadline(u64::from(u32::MAX));
        let instance = Linker::new(&engine.wasm).instantiate(&mut store, &component)?;
        let run = instance.get_typed_func(&mut store, "run")?;
        Ok(Self { store, run })
    }

    pub(crate) fn call(&mut self) -> wasmtime::Result<()> {
        self.run.call(&mut self.store, ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_be_called_again_and_again() {
        let engine = Engine::new().unwrap();
        let mut empty = Empty::new(&engine).unwrap();
        empty.call().unwrap();
        empty.call().unwrap();
    }
}
