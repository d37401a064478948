//! A program beside the brokers that says `ready` when it serves, such as a back end of an example.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use crate::process::{Process, each_line};
use crate::{Nats, PATIENCE, prepared};

/// Ends with the test.
pub struct Service {
    process: Process,
}

impl Service {
    /// A script for Node.
    pub fn node(script: &Path, nats: &Nats) -> Self {
        Self::start(Command::new("node").arg(script), nats)
    }

    /// A script for Python.
    pub fn python(script: &Path, nats: &Nats) -> Self {
        Self::start(
            Command::new(prepared("SLUICE_TEST_PYTHON")).arg(script),
            nats,
        )
    }

    fn start(command: &mut Command, nats: &Nats) -> Self {
        let (service, said) = Self::run(command.env("NATS_URL", nats.url()));
        assert_eq!(said, "ready", "{command:?}");
        service
    }

    /// A program that says something else when it serves; what that is.
    ///
    /// # Panics
    ///
    /// When it says nothing.
    pub fn run(command: &mut Command) -> (Self, String) {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, said) = mpsc::channel();
        each_line(child.stdout.take().expect("a pipe"), move |line| {
            // Shown with the test that fails; nobody listens after the first.
            eprintln!("{line}");
            drop(sender.send(line));
        });
        let process = Process(child);
        let said = said.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            panic!("{command:?}: {error} (`cargo xtask test` installs what it needs)")
        });
        (Self { process }, said)
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}
