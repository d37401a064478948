//! Connections made, let in and cut, as fast as the server can.

use std::time::{Duration, Instant};

use super::Bench;
use crate::fleet::{Fleet, Seen};
use crate::report::{Latencies, Meter, Report};
use crate::{LoadError, Result, message};

/// How many different users come.
const USERS: usize = 1000;

/// So many at a time: one that is in is cut, and comes again.
pub fn connects(bench: &Bench, at_once: usize) -> Result<Report> {
    let mut fleet = Fleet::new(bench.address, bench.auths(USERS))?;
    let mut began = Vec::new();
    for _ in 0..at_once {
        fleet.dial()?;
        began.push(message::now());
    }
    let mut crowd = Crowd {
        began,
        entered: 0,
        refused: 0,
        lost: 0,
        latencies: Latencies::new(),
        again: Vec::new(),
    };
    crowd.run(&mut fleet, bench.warm)?;
    let meter = Meter::start(bench.server)?;
    (crowd.entered, crowd.refused, crowd.lost) = (0, 0, 0);
    crowd.latencies.clear();
    crowd.run(&mut fleet, bench.time)?;
    let mut report = meter.stop(crowd.entered)?;
    report.refused = crowd.refused;
    report.lost = crowd.lost;
    report.latency = crowd.latencies.quantiles();
    Ok(report)
}

struct Crowd {
    /// When each began to connect.
    began: Vec<u64>,
    entered: u64,
    refused: u64,
    lost: u64,
    latencies: Latencies,
    again: Vec<usize>,
}

impl Crowd {
    fn run(&mut self, fleet: &mut Fleet, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            fleet.turn(Duration::from_millis(10), |_, socket, seen| {
                self.on(socket, &seen)
            })?;
            for socket in std::mem::take(&mut self.again) {
                fleet.cut(socket);
                fleet.redial(socket)?;
                self.began[socket] = message::now();
            }
            if self.refused > 1000 {
                return Err(LoadError::Protocol("every connection is refused".into()));
            }
        }
        Ok(())
    }

    fn on(&mut self, socket: usize, seen: &Seen<'_>) {
        match seen {
            Seen::Entered => {
                self.entered += 1;
                self.latencies
                    .record(message::now().saturating_sub(self.began[socket]));
            }
            Seen::Refused(_) => self.refused += 1,
            Seen::Gone => self.lost += 1,
            Seen::Event(_) | Seen::Ack(..) => return,
        }
        self.again.push(socket);
    }
}
