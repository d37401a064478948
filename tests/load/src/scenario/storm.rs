//! All connections break and come back at once, while bystanders exchange events.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Bench;
use super::steady::Steady;
use crate::fleet::{Fleet, Seen, late};
use crate::report::{Meter, Report};
use crate::{LoadError, PATIENCE, Result, message};

const BYSTANDERS: usize = 50;
/// Events of all bystanders a second.
const RATE: usize = 2000;

/// `latency` is the bystanders', from the cut until all are back; `more["calm_p99"]` theirs before.
pub fn storm(bench: &Bench, sockets: usize) -> Result<Report> {
    let mut fleet = bench.fleet(sockets)?;
    let mut steady = Steady::new(bench, BYSTANDERS, RATE)?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        // On a thread of their own: the storm's own work must not look like latency.
        let bystanders = scope.spawn(|| {
            steady.run(|| stop.load(Ordering::Relaxed))?;
            let lost = steady.drain()?;
            Ok::<_, LoadError>((steady, lost))
        });
        let storm = blow(bench, &mut fleet);
        stop.store(true, Ordering::Relaxed);
        let bystanders = bystanders.join();
        let (steady, lost) =
            bystanders.map_err(|_| LoadError::Protocol("the bystanders fell over".into()))??;
        let (mut report, from, to) = storm?;
        report.lost = lost;
        report.refused = steady.echo().refused;
        report.reordered = steady.echo().reordered;
        report.duplicated = steady.echo().duplicated;
        report.latency = steady.between(from, to);
        let calm = steady.between(0, from).p99;
        report.more.insert("calm_p99".into(), calm as f64);
        Ok(report)
    })
}

/// The report of all coming back, and when that began and ended.
fn blow(bench: &Bench, fleet: &mut Fleet) -> Result<(Report, u64, u64)> {
    let sockets = fleet.len();
    let calm = Instant::now() + bench.warm + bench.time;
    while Instant::now() < calm {
        fleet.turn(Duration::from_millis(50), |_, _, _| {})?;
    }
    let meter = Meter::start(bench.server)?;
    let from = message::now();
    for socket in 0..sockets {
        fleet.cut(socket);
    }
    for socket in 0..sockets {
        fleet.redial(socket)?;
    }
    let deadline = Instant::now() + PATIENCE;
    let (mut back, mut again, mut tries) = (0, Vec::new(), 0_u64);
    while back < sockets {
        fleet.turn(Duration::from_millis(10), |_, socket, seen| match seen {
            Seen::Entered => back += 1,
            Seen::Refused(_) | Seen::Gone => again.push(socket),
            Seen::Event(_) | Seen::Ack(..) => {}
        })?;
        for socket in again.drain(..) {
            fleet.cut(socket);
            fleet.redial(socket)?;
            tries += 1;
        }
        late(deadline, || {
            format!("coming back, of which {back} of {sockets} have,")
        })?;
    }
    let mut report = meter.stop(sockets as u64)?;
    report.more.insert("back_ms".into(), report.seconds * 1e3);
    report.more.insert("tried_again".into(), tries as f64);
    Ok((report, from, message::now()))
}
