//! What `examples/deploy` ships, run or read as it stands there.

mod files;
mod proxies;
