//! A real NATS server, with JetStream unless it is configured otherwise, on a free port; or some that are one cluster.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;
use crate::wires::Wires;
use crate::{eventually, prepared};

/// A server that ends with the test.
pub struct Nats {
    pub address: SocketAddr,
    process: Option<Process>,
    place: Place,
}

/// Where a server keeps its files, and where it runs.
struct Place {
    dir: TempDir,
    wires: Option<Arc<Wires>>,
}

impl Nats {
    /// Starts a server. It writes the port it has got into a file.
    pub fn start() -> Self {
        Self::start_with("jetstream: enabled", &[])
    }

    /// Starts a server with this configuration, and files beside it, which it finds by their names.
    pub fn start_with(config: &str, files: &[(&str, &str)]) -> Self {
        let place = Place::new(config, files, None);
        let (process, address) = place.run("-1");
        Self {
            address,
            process: Some(process),
            place,
        }
    }

    /// Starts a server at the far ends of wires. Its address here is that of the first.
    pub(crate) fn start_behind(wires: &Arc<Wires>) -> Self {
        let place = Place::new("jetstream: enabled", &[], Some(wires.clone()));
        let (process, address) = place.run("-1");
        Self {
            address: SocketAddr::new(wires.address(0).into(), address.port()),
            process: Some(process),
            place,
        }
    }

    /// Starts three servers that are one cluster, with JetStream.
    ///
    /// # Panics
    ///
    /// When they do not find each other.
    pub fn start_three() -> [Self; 3] {
        let free = [(); 3].map(|()| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            listener.local_addr().expect("an address")
        });
        let routes = free
            .map(|address| format!("\"nats://{address}\""))
            .join(", ");
        let mut number = 0;
        let servers = free.map(|route| {
            number += 1;
            let config = format!(
                "server_name: s{number}\njetstream: enabled\n\
                 cluster {{ name: three, listen: \"{route}\", routes: [{routes}], no_advertise: true }}"
            );
            Self::start_with(&config, &[])
        });
        eventually("a cluster that keeps streams", || {
            let bus = crate::Bus::connect(&servers[0]);
            bus.can_keep(3).then_some(())
        });
        servers
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again where it was, with what it had stored.
    pub fn start_again(&mut self) {
        self.kill();
        let (process, address) = self.place.run(&self.address.port().to_string());
        assert_eq!(address.port(), self.address.port());
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

impl Place {
    fn new(config: &str, files: &[(&str, &str)], wires: Option<Arc<Wires>>) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        for (name, content) in [(CONFIG, config)].iter().chain(files) {
            std::fs::write(dir.path().join(name), content).expect("a file of the server's");
        }
        Self { dir, wires }
    }

    fn run(&self, port: &str) -> (Process, SocketAddr) {
        let program = prepared("SLUICE_TEST_NATS");
        let (mut command, address) = match &self.wires {
            Some(wires) => {
                let mut command = wires.enter();
                command.arg(program);
                (command, "0.0.0.0")
            }
            None => (Command::new(program), "127.0.0.1"),
        };
        let dir = self.dir.path();
        let child = command
            .current_dir(dir)
            .args(["--config", CONFIG])
            .args(["--addr", address, "--port", port, "--ports_file_dir"])
            .arg(dir)
            .arg("--store_dir")
            .arg(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server starts");
        let file = dir.join(format!("nats-server_{}.ports", child.id()));
        let process = Process(child);
        let address = eventually("the ports file of nats-server", || {
            // Half a file is no JSON: then it is not there yet.
            let ports: Value = serde_json::from_slice(&std::fs::read(&file).ok()?).ok()?;
            ports["nats"][0].as_str()?.split_once("://")?.1.parse().ok()
        });
        (process, address)
    }
}
