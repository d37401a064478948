//! One sender and a room of many, that may be on two nodes of a cluster.

use std::net::SocketAddr;
use std::time::Duration;

use super::fanout::{ROOM, Room};
use super::{Bench, join};
use crate::Result;
use crate::fleet::Fleet;
use crate::process::Server;
use crate::report::{Meter, Report};

/// The node of the sender, where it is another than that of the receivers.
#[derive(Debug, Clone, Copy)]
pub struct Away {
    pub address: SocketAddr,
    pub node: Server,
    /// What stands between the nodes.
    pub bus: Server,
}

/// So many broadcasts of one sender in flight, or so many deliveries a second, of about this many bytes each. The report
/// has the processor time of all nodes together; what each part had of it is beside.
pub fn across(
    bench: &Bench,
    away: Option<Away>,
    receivers: usize,
    pace: Pace,
    bytes: usize,
) -> Result<Report> {
    let sender = away.map_or(bench.address, |away| away.address);
    let mut fleet = Fleet::connected(sender, bench.auths(receivers + 1), 1)?;
    fleet.aim(bench.address);
    fleet.grow(receivers)?;
    join(&mut fleet, 1..receivers + 1, |_| ROOM.to_owned())?;
    let mut room = Room::new(receivers);
    room.text = Some("x".repeat(bytes.saturating_sub(FIELDS)));
    if let Pace::Window(window) = pace {
        room.open(&mut fleet, window);
    }
    let pass = |room: &mut Room, fleet: &mut Fleet, time| match pace {
        Pace::Window(_) => room.run(fleet, time),
        Pace::Rate(rate) => {
            let gap = Duration::from_secs_f64(receivers as f64 / rate as f64);
            room.pace(fleet, time, gap)
        }
    };
    pass(&mut room, &mut fleet, bench.warm)?;
    let parts = away.map_or_else(Vec::new, |away| {
        vec![("node", away.node), ("bus", away.bus)]
    });
    let meter = Meter::start(bench.server)?;
    let before: Vec<_> = parts.iter().map(|(_, part)| part.cpu()).collect();
    room.measure();
    pass(&mut room, &mut fleet, bench.time)?;
    let mut report = meter.stop(room.deliveries())?;
    let operations = report.operations as f64;
    for ((name, part), before) in parts.iter().zip(before) {
        let spent = part.cpu()?.saturating_sub(before?).as_secs_f64();
        let each = spent * 1e6 / operations;
        report.more.insert(format!("{name}_us"), each);
        if *name == "node" {
            report.cpu_us += each;
            report.cpus += spent / report.seconds;
        }
    }
    room.finish(&mut fleet, report)
}

/// How fast the sender goes.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// So many broadcasts in flight, and one that all have makes place for the next.
    Window(u64),
    /// So many deliveries a second.
    Rate(u64),
}

/// What a message has besides its text, about.
const FIELDS: usize = 64;
