//! The host's side of the contract, generated from the SDK's `policy.wit`: the one copy there is.

wasmtime::component::bindgen!({
    path: "../plugin-sdk/wit/v0.1",
    world: "policy",
});

pub(crate) use sluice::policy::types;
