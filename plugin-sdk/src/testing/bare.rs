//! A policy that is called with nothing in between: what its own work costs natively.

use std::rc::Rc;

use serde_json::Value;

use super::native::Native;
use super::world::World;
use crate::{Policy, Verdict};

/// For benchmarks of policies that ask the broker for nothing.
#[doc(hidden)]
#[derive(Debug)]
pub struct Bare<P>(Native<P>);

impl<P: Policy> Bare<P> {
    /// # Errors
    ///
    /// What the operator would be told.
    pub fn new(config: &Value) -> Result<Self, String> {
        let world = Rc::new(World::new().into());
        Ok(Self(Native::configure(&world, config)?.0))
    }

    /// An event that the first of the policy's rules matches.
    pub fn event(&mut self, args: &str) -> Verdict {
        self.0.event_of_first_rule(args)
    }
}
