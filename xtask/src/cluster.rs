//! `cargo xtask cluster`: the cluster example, from nothing to three nodes, two back ends and a load balancer.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::running::{Ending, Running};
use crate::workspace::{self, program, root, target};
use crate::{dev, setup};

const EXAMPLE: &str = "examples/cluster";
/// The ports that the example's files name.
const NODES: [u16; 3] = [3001, 3002, 3003];
const ADMIN: [u16; 3] = [9091, 9092, 9093];
const ENTRANCE: u16 = 8000;
const NATS: u16 = 4222;

#[derive(Args)]
pub(crate) struct Options {
    /// What stands before the nodes.
    #[arg(long, value_enum, default_value_t = Balancer::HaproxyCookie)]
    proxy: Balancer,
    /// Start everything, let clients of all nodes use it, and stop.
    #[arg(long)]
    check: bool,
    /// Cargo's profile for the broker.
    #[arg(long, default_value = "release")]
    profile: String,
}

/// The configurations of the example.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Balancer {
    Nginx,
    HaproxySource,
    HaproxyCookie,
    None,
}

/// One broker.
struct Node {
    address: SocketAddr,
    admin: String,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let python = setup::python()?;
    setup::npm(EXAMPLE)?;
    let binary = setup::broker(&options.profile)?;
    let mut proxy = options.proxy;
    if proxy != Balancer::None
        && let Err(error) = setup::load_balancers()
    {
        eprintln!("without a load balancer: {error:#}");
        proxy = Balancer::None;
    }
    let folder = target()?.join("cluster");
    std::fs::create_dir_all(&folder)?;
    let mut running = Running::new(&folder)?;
    let nats = running.start_nats(&python.join("nats-server"), dev::port(None, NATS)?)?;
    let nodes = nodes(&mut running, &binary, &nats)?;
    back_ends(&mut running, &python.join("python"), &nats)?;
    let entrance = load_balancer(&mut running, proxy, &nodes, &folder)?;
    if options.check {
        check(&nodes, entrance)?;
        return running.stop();
    }
    introduce(&nodes, entrance, &nats, &folder);
    match running.wait()? {
        Ending::Asked => running.stop(),
        Ending::Gone(name) => bail!(
            "{name} has ended by itself; its log is in {}",
            folder.display()
        ),
    }
}

fn nodes(running: &mut Running, binary: &Path, nats: &str) -> Result<Vec<Node>> {
    let mut nodes = Vec::new();
    for (number, (port, admin)) in NODES.into_iter().zip(ADMIN).enumerate() {
        let mut command = program(binary, EXAMPLE);
        command
            .args(["run", "--config", "sluice.toml"])
            .env("SLUICE_CLUSTER__NATS_URL", nats)
            .env("SLUICE_SERVER__LISTEN", listen(dev::port(None, port)?))
            .env("SLUICE_ADMIN__LISTEN", listen(dev::port(None, admin)?));
        let ready = running.start_ready(&format!("node-{}", number + 1), &mut command)?;
        let said = |what: &str| {
            let text = ready[what].as_str();
            text.with_context(|| format!("a broker does not say its `{what}`"))
        };
        nodes.push(Node {
            address: said("listen")?.parse()?,
            admin: said("admin")?.to_owned(),
        });
    }
    Ok(nodes)
}

fn listen(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn back_ends(running: &mut Running, python: &Path, nats: &str) -> Result<()> {
    for (name, mut command) in [
        ("backend-python", program(python, EXAMPLE)),
        ("backend-node", program("node", EXAMPLE)),
    ] {
        let script = if name == "backend-node" {
            "backend.mjs"
        } else {
            "backend.py"
        };
        running.start_line(name, command.arg(script).env("NATS_URL", nats))?;
    }
    Ok(())
}

/// Starts it with the example's configuration and the addresses of these nodes; where clients come in.
fn load_balancer(
    running: &mut Running,
    proxy: Balancer,
    nodes: &[Node],
    folder: &Path,
) -> Result<Option<SocketAddr>> {
    let (name, file) = match proxy {
        Balancer::Nginx => ("nginx", "nginx.conf"),
        Balancer::HaproxySource => ("haproxy", "haproxy-source.cfg"),
        Balancer::HaproxyCookie => ("haproxy", "haproxy-cookie.cfg"),
        Balancer::None => return Ok(None),
    };
    let port = match dev::port(None, ENTRANCE)? {
        // It has to be in the file.
        0 => free_port()?,
        port => port,
    };
    let mut config = std::fs::read_to_string(root().join(EXAMPLE).join(file))?;
    config = config.replace(&listen(ENTRANCE), &listen(port));
    for (usual, node) in NODES.into_iter().zip(nodes) {
        config = config.replace(&listen(usual), &node.address.to_string());
    }
    let path = folder.join(file);
    std::fs::write(&path, config)?;
    let mut command = program(server(name), folder);
    if name == "nginx" {
        command.args(["-p", ".", "-g", "daemon off; pid nginx.pid;", "-c"]);
    } else {
        command.args(["-db", "-f"]);
    }
    running.start(name, command.arg(path))?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    running.wait_for(name, || {
        std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()
    })?;
    Ok(Some(address))
}

fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    Ok(listener.local_addr()?.port())
}

/// Debian puts servers where only root's path leads.
fn server(name: &str) -> PathBuf {
    let there = Path::new("/usr/sbin").join(name);
    if there.exists() {
        return there;
    }
    name.into()
}

fn check(nodes: &[Node], entrance: Option<SocketAddr>) -> Result<()> {
    let addresses = nodes.iter().map(|node| node.address).chain(entrance);
    let mut client = program("node", EXAMPLE);
    client
        .arg("client.mjs")
        .args(addresses.map(|address| format!("http://{address}")));
    workspace::run(&mut client)
}

fn introduce(nodes: &[Node], entrance: Option<SocketAddr>, nats: &str, folder: &Path) {
    println!();
    for (number, node) in nodes.iter().enumerate() {
        println!(
            "Node {} serves on http://{}, and its operator on http://{}/api/v1/cluster",
            number + 1,
            node.address,
            node.admin
        );
    }
    if let Some(entrance) = entrance {
        println!("All of them are behind http://{entrance}");
    }
    println!("NATS is at {nats}. Logs are in {}", folder.display());
    println!();
    println!("A client on each node, and what they see of each other and of the back ends:");
    print!("  node {EXAMPLE}/client.mjs");
    for node in nodes {
        print!(" http://{}", node.address);
    }
    println!("\n\nCtrl-C stops everything.");
}
