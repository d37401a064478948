//! Load balancers before brokers: the real programs with the configurations that the examples ship.

mod deployed;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::eventually;
use crate::process::Process;

pub use deployed::shipped;

/// The addresses that the shipped configurations name: where clients come in, and three nodes.
const SHIPPED: (&str, [&str; 3]) = (
    "127.0.0.1:8000",
    ["127.0.0.1:3001", "127.0.0.1:3002", "127.0.0.1:3003"],
);

/// A load balancer that ends with the test.
pub struct Proxy {
    pub address: SocketAddr,
    process: Process,
    _dir: TempDir,
}

impl Proxy {
    /// nginx with a shipped configuration, whose three nodes are these.
    pub fn nginx(shipped: &str, nodes: [SocketAddr; 3]) -> Self {
        let place = Place::free();
        let config = at(&place, shipped, nodes);
        Self::run_nginx(place, &config)
    }

    /// HAProxy with a shipped configuration, whose three nodes are these.
    pub fn haproxy(shipped: &str, nodes: [SocketAddr; 3]) -> Self {
        let place = Place::free();
        let config = at(&place, shipped, nodes);
        Self::run_haproxy(place, &config)
    }

    fn run_nginx(place: Place, config: &str) -> Self {
        let globals = "daemon off; pid nginx.pid; error_log stderr;";
        let arguments = ["-p", ".", "-c", FILE, "-g", globals];
        Self::run("nginx", &arguments, place, &with_own_folders(config))
    }

    fn run_haproxy(place: Place, config: &str) -> Self {
        Self::run("haproxy", &["-db", "-f", FILE], place, config)
    }

    fn run(program: &str, arguments: &[&str], place: Place, config: &str) -> Self {
        let Place { dir, address } = place;
        std::fs::write(dir.path().join(FILE), config).unwrap();
        let child = Command::new(find(program))
            .args(arguments)
            .current_dir(dir.path())
            // Caddy keeps what it makes where it is at home.
            .env("HOME", dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}: run `cargo xtask test`"));
        let mut process = Process(child);
        eventually("the load balancer's listener", || {
            let ended = process.wait(std::time::Duration::ZERO);
            assert!(ended.is_none(), "{program} ended with {ended:?}");
            TcpStream::connect(address).ok()
        });
        Self {
            address,
            process,
            _dir: dir,
        }
    }

    /// The address of a namespace behind it.
    pub fn url(&self, namespace: &str) -> String {
        format!("http://{}{namespace}", self.address)
    }
}

/// The configuration in a proxy's folder.
const FILE: &str = "proxy.conf";

/// Where a load balancer keeps its files, and where clients come in.
struct Place {
    dir: TempDir,
    address: SocketAddr,
}

impl Place {
    fn free() -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        Self {
            dir: TempDir::new().expect("a temporary folder"),
            address: free.local_addr().expect("an address"),
        }
    }
}

/// Puts real addresses where the configuration has those of the example.
fn at(place: &Place, shipped: &str, nodes: [SocketAddr; 3]) -> String {
    let (entrance, names) = SHIPPED;
    let config = replaced(shipped, entrance, &place.address.to_string());
    with_nodes(&config, names, nodes)
}

/// Puts the addresses of nodes where the configuration has these.
fn with_nodes(config: &str, names: [&str; 3], nodes: [SocketAddr; 3]) -> String {
    names
        .into_iter()
        .zip(nodes)
        .fold(config.to_owned(), |config, (name, node)| {
            replaced(&config, name, &node.to_string())
        })
}

fn replaced(config: &str, what: &str, by: &str) -> String {
    assert!(config.contains(what), "no {what}: {config}");
    config.replace(what, by)
}

/// Debian's build of nginx keeps what does not fit into memory in folders of root's.
fn with_own_folders(config: &str) -> String {
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("    {what}_temp_path {what};\n"));
    config.replacen("http {\n", &format!("http {{\n{}", folders.concat()), 1)
}

/// Debian puts servers where only root's path leads.
fn find(program: &str) -> String {
    let there = format!("/usr/sbin/{program}");
    if Path::new(&there).exists() {
        return there;
    }
    program.to_owned()
}

impl Drop for Proxy {
    /// nginx ends its workers itself, if it is asked to.
    fn drop(&mut self) {
        let has_ended = self.process.wait(std::time::Duration::ZERO).is_some();
        if !has_ended {
            self.process.signal(rustix::process::Signal::TERM);
            self.process.wait(std::time::Duration::from_secs(5));
        }
    }
}
