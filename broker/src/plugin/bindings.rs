//! The host's side of the contract, generated from the SDK's `wit` folder: the one copy there is, and what was the
//! one copy before it.

/// What policies are built against now. Everything else here is written for it.
pub(super) mod v0_2 {
    wasmtime::component::bindgen!({
        path: "../plugin-sdk/wit",
        world: "policy",
    });
}

/// What policies were built against before; `contract` carries it over.
pub(super) mod v0_1 {
    wasmtime::component::bindgen!({
        path: "../plugin-sdk/wit/v0.1",
        world: "policy",
    });
}

pub(crate) use v0_2::sluice::policy::types;
pub(super) use v0_2::sluice::policy::{
    advance, current, effects, http, limits, log, metrics, session, store,
};
