//! `sluice policy`: what authors and operators do with a module outside the broker.

mod bench;
mod inspect;
mod keygen;
mod keys;
mod new;
mod push;
mod sign;
mod terms;
mod test;
mod verify;

use clap::Subcommand;

use super::Exit;

#[derive(Debug, Subcommand)]
pub(super) enum Policy {
    /// Make a crate: a policy that builds, with a test
    New(new::New),
    /// Play events against a policy, and compare what comes of them
    Test(test::Test),
    /// Measure what calls of a policy cost
    Bench(bench::Bench),
    /// Show what a module is: description, interests, imports, digest
    Inspect(inspect::Inspect),
    /// Make a pair of keys to sign modules with (minisign)
    Keygen(keygen::Keygen),
    /// Sign modules: FILE.minisig beside each
    Sign(sign::Sign),
    /// Have all nodes of a cluster serve a module, through any of them
    Push(push::Push),
    /// Tell whether modules are signed with one of these keys
    Verify(verify::Verify),
}

impl Policy {
    pub(super) fn run(&self) -> Result<(), Exit> {
        match self {
            Self::New(new) => super::print(&new.run()?),
            Self::Test(test) => test.run(),
            Self::Bench(bench) => super::print(&bench.run()?),
            Self::Inspect(inspect) => super::print(&inspect.run()?),
            Self::Keygen(keygen) => super::print(&keygen.run()?),
            Self::Sign(sign) => super::print(&sign.run()?),
            Self::Push(push) => super::print(&push.run()?),
            Self::Verify(verify) => super::print(&verify.run()?),
        }
    }
}
