//! What a connection costs that does nothing.

use std::time::{Duration, Instant};

use super::Bench;
use crate::Result;
use crate::fleet::Fleet;
use crate::process::Server;
use crate::report::{Meter, Report};

/// Connections with which the server has allocated what it allocates once.
const FIRST: usize = 50;

/// `more["bytes"]`: resident memory for each of this many sockets.
pub fn idle(bench: &Bench, sockets: usize) -> Result<Report> {
    let mut fleet = Fleet::connected(bench.address, bench.auths(FIRST + sockets), FIRST)?;
    let before = settled(&mut fleet, bench.server)?;
    let meter = Meter::start(bench.server)?;
    fleet.grow(sockets)?;
    let mut report = meter.stop(sockets as u64)?;
    report.resident = settled(&mut fleet, bench.server)?;
    let each = report.resident.saturating_sub(before) as f64 / sockets as f64;
    report.more.insert("bytes".into(), each);
    Ok(report)
}

/// Memory once it has stopped changing: the same, within a thousandth, five times in a row.
fn settled(fleet: &mut Fleet, server: Option<Server>) -> Result<u64> {
    const LONGEST: Duration = Duration::from_secs(10);
    let Some(server) = server else {
        return Ok(0);
    };
    let deadline = Instant::now() + LONGEST;
    let (mut last, mut same) = (server.resident()?, 0);
    while same < 5 && Instant::now() < deadline {
        let pause = Instant::now() + Duration::from_millis(200);
        while Instant::now() < pause {
            fleet.turn(Duration::from_millis(50), |_, _, _| {})?;
        }
        let now = server.resident()?;
        same = if now.abs_diff(last) <= last / 1000 {
            same + 1
        } else {
            0
        };
        last = now;
    }
    Ok(last)
}
