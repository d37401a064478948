//! A NATS server on a machine of its own, as far as the kernel can make one: a network namespace, with a wire to each
//! node that can be pulled.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A network namespace and pairs of virtual Ethernet devices that lead into it. They go with the test.
pub(crate) struct Wires {
    name: String,
    /// The number of the first wire among all of this process.
    first: u32,
}

impl Wires {
    /// So many wires. It takes the right to make network namespaces: `cargo xtask test` leaves out the scenarios whose
    /// names contain `on_wires` where there is none.
    pub(crate) fn lay(count: usize) -> Self {
        static LAID: AtomicU32 = AtomicU32::new(0);
        let count = u32::try_from(count).expect("a few wires");
        let first = LAID.fetch_add(count, Ordering::Relaxed);
        let name = format!("sluice-{}-{first}", std::process::id());
        ip(&["netns", "add", &name]);
        let wires = Self { name, first };
        for wire in 0..count {
            let (near, far) = (wires.near(wire), format!("far{wire}"));
            ip(&[
                "link",
                "add",
                &near,
                "type",
                "veth",
                "peer",
                "name",
                &far,
                "netns",
                &wires.name,
            ]);
            let [here, there] = wires.ends(wire);
            ip(&["addr", "add", &format!("{here}/30"), "dev", &near]);
            ip(&["link", "set", &near, "up"]);
            wires.inside(&["addr", "add", &format!("{there}/30"), "dev", &far]);
            wires.inside(&["link", "set", &far, "up"]);
        }
        wires
    }

    /// The server's address at the end of a wire.
    pub(crate) fn address(&self, wire: usize) -> Ipv4Addr {
        let [_, there] = self.ends(u32::try_from(wire).expect("a wire"));
        there
    }

    /// Pulls a wire: what is sent is lost, and nobody is told.
    pub(crate) fn cut(&self, wire: usize) {
        self.inside(&["link", "set", &format!("far{wire}"), "down"]);
    }

    /// Plugs it in again.
    pub(crate) fn heal(&self, wire: usize) {
        self.inside(&["link", "set", &format!("far{wire}"), "up"]);
    }

    /// What a program's command line begins with, so that it runs at the other ends.
    pub(crate) fn enter(&self) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]);
        command
    }

    fn inside(&self, arguments: &[&str]) {
        ip(&[&["-n", &self.name], arguments].concat());
    }

    /// Devices' names have 15 characters at most.
    fn near(&self, wire: u32) -> String {
        format!("s{}.{}", std::process::id(), self.first + wire)
    }

    /// Addresses that are nobody's (RFC 2544), others for each process that may run at the same time.
    fn ends(&self, wire: u32) -> [Ipv4Addr; 2] {
        let process = std::process::id() % 512;
        let network = (self.first + wire) % 64;
        let base = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + process * 256 + network * 4;
        [base + 1, base + 2].map(Ipv4Addr::from)
    }
}

impl Drop for Wires {
    /// The devices' near ends go with their far ones.
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "delete", &self.name])
            .status();
    }
}

fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output();
    let done = done.expect("`ip` of iproute2 runs");
    assert!(
        done.status.success(),
        "ip {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&done.stderr)
    );
}
