//! A real NATS server, with JetStream, on a free port.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;
use crate::{eventually, prepared};

/// A server that ends with the test.
pub struct Nats {
    pub address: SocketAddr,
    process: Option<Process>,
    dir: TempDir,
}

impl Nats {
    /// Starts a server. It writes the port it has got into a file.
    pub fn start() -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let (process, address) = run(&dir, "-1");
        Self {
            address,
            process: Some(process),
            dir,
        }
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again where it was, with what it had stored.
    pub fn start_again(&mut self) {
        self.kill();
        let (process, address) = run(&self.dir, &self.address.port().to_string());
        assert_eq!(address, self.address);
        self.process = Some(process);
    }

    /// Stops it where it stands, as a machine that hangs does: its connections stay.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("nats-server runs");
        process.signal(signal);
    }

    /// The address as clients are configured with it.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }
}

fn run(dir: &TempDir, port: &str) -> (Process, SocketAddr) {
    let child = Command::new(prepared("SLUICE_TEST_NATS"))
        .args(["--addr", "127.0.0.1", "--port", port, "--ports_file_dir"])
        .arg(dir.path())
        .args(["--jetstream", "--store_dir"])
        .arg(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nats-server starts");
    let file = dir.path().join(format!("nats-server_{}.ports", child.id()));
    let process = Process(child);
    let address = eventually("the ports file of nats-server", || {
        // Half a file is no JSON: then it is not there yet.
        let ports: Value = serde_json::from_slice(&std::fs::read(&file).ok()?).ok()?;
        ports["nats"][0]
            .as_str()?
            .strip_prefix("nats://")?
            .parse()
            .ok()
    });
    (process, address)
}
