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
        let mut child = command
            .env("NATS_URL", nats.url())
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
        let ready = said.recv_timeout(PATIENCE);
        assert_eq!(
            ready.as_deref(),
            Ok("ready"),
            "{command:?} (`cargo xtask test` installs what it needs)"
        );
        Self { process }
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}
