//! A real NATS server, with JetStream unless it is configured otherwise, on a free port.

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
        Self::start_with("jetstream: enabled", &[])
    }

    /// Starts a server with this configuration, and files beside it, which it finds by their names.
    pub fn start_with(config: &str, files: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        for (name, content) in [(CONFIG, config)].iter().chain(files) {
            std::fs::write(dir.path().join(name), content).expect("a file of the server's");
        }
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

const CONFIG: &str = "nats.conf";

fn run(dir: &TempDir, port: &str) -> (Process, SocketAddr) {
    let child = Command::new(prepared("SLUICE_TEST_NATS"))
        .current_dir(dir.path())
        .args(["--config", CONFIG])
        .args(["--addr", "127.0.0.1", "--port", port, "--ports_file_dir"])
        .arg(dir.path())
        .arg("--store_dir")
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
        ports["nats"][0].as_str()?.split_once("://")?.1.parse().ok()
    });
    (process, address)
}
