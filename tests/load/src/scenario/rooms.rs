//! What it costs that there are many rooms: the same traffic, in more and more of them.

use std::time::{Duration, Instant};

use super::Bench;
use crate::fleet::{Fleet, Outbox, Seen, late};
use crate::ledger::Ledger;
use crate::message::{self, Message};
use crate::report::{Latencies, Meter, Report};
use crate::{PATIENCE, Result};

/// Pairs of a sender and a receiver. Each has rooms of its own and goes through them in turn.
const PAIRS: usize = 10;
/// Sockets that are in the other rooms, two and two, and do nothing.
const OTHERS: usize = 200;
/// No socket is in more rooms than this.
const MOST: usize = 1000;
const IN_FLIGHT: usize = 8;

/// One event is one delivery, into one of so many rooms.
pub fn rooms(bench: &Bench, rooms: usize) -> Result<Report> {
    let mut fleet = bench.fleet(2 * PAIRS + OTHERS)?;
    let each = (rooms / PAIRS).clamp(1, MOST);
    let mut memberships = Vec::new();
    for pair in 0..PAIRS {
        for room in 0..each {
            memberships.extend([pair, PAIRS + pair].map(|socket| (socket, name(pair, room))));
        }
    }
    for room in 0..rooms.saturating_sub(PAIRS * each) {
        let first = room % OTHERS;
        let second = (first + 1 + room / OTHERS % (OTHERS - 1)) % OTHERS;
        memberships.extend([first, second].map(|socket| (2 * PAIRS + socket, format!("q{room}"))));
    }
    enter(&mut fleet, &memberships)?;

    let mut traffic = Traffic::new(each);
    for pair in 0..PAIRS {
        for _ in 0..IN_FLIGHT {
            traffic.send(&mut fleet.out, pair);
        }
    }
    traffic.run(&mut fleet, bench.warm)?;
    let meter = Meter::start(bench.server)?;
    traffic.events = 0;
    traffic.latencies.clear();
    traffic.run(&mut fleet, bench.time)?;
    let mut report = meter.stop(traffic.events)?;
    traffic.ending = true;
    traffic.run(&mut fleet, Duration::from_millis(500))?;
    for (ledger, &sent) in traffic.ledgers.iter().zip(&traffic.sent) {
        report.lost += ledger.lost(sent);
        report.duplicated += ledger.duplicated;
        report.reordered += ledger.reordered;
    }
    report.refused = traffic.denied;
    report.latency = traffic.latencies.quantiles();
    Ok(report)
}

fn name(pair: usize, room: usize) -> String {
    format!("p{pair}-{room}")
}

/// Joins, a bounded number at a time.
fn enter(fleet: &mut Fleet, memberships: &[(usize, String)]) -> Result<()> {
    const AT_ONCE: usize = 10_000;
    let deadline = Instant::now() + PATIENCE;
    for some in memberships.chunks(AT_ONCE) {
        for (socket, room) in some {
            fleet
                .out
                .send(*socket, |packet| message::join(packet, 0, room));
        }
        let mut outstanding = some.len();
        while outstanding > 0 {
            fleet.turn(Duration::from_millis(50), |_, _, seen| {
                outstanding -= usize::from(matches!(seen, Seen::Ack(..)));
            })?;
            late(deadline, || {
                format!("joining {} rooms", memberships.len() / 2)
            })?;
        }
    }
    Ok(())
}

struct Traffic {
    rooms: Vec<Vec<String>>,
    sent: Vec<u64>,
    ledgers: Vec<Ledger>,
    events: u64,
    denied: u64,
    latencies: Latencies,
    ending: bool,
}

impl Traffic {
    fn new(each: usize) -> Self {
        let rooms = |pair| (0..each).map(|room| name(pair, room)).collect();
        Self {
            rooms: (0..PAIRS).map(rooms).collect(),
            sent: vec![0; PAIRS],
            ledgers: vec![Ledger::default(); PAIRS],
            events: 0,
            denied: 0,
            latencies: Latencies::new(),
            ending: false,
        }
    }

    fn send(&mut self, out: &mut Outbox, pair: usize) {
        let seq = self.sent[pair];
        self.sent[pair] += 1;
        let message = Message {
            from: pair as u64,
            seq,
            at: message::now(),
        };
        let rooms = &self.rooms[pair];
        let room = &rooms[seq as usize % rooms.len()];
        out.send(pair, |packet| {
            message::event(packet, "message", None, &message, room, None)
        });
    }

    fn run(&mut self, fleet: &mut Fleet, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            fleet.turn(Duration::from_millis(10), |out, _, seen| {
                let Seen::Event(event) = seen else { return };
                let Some(message) =
                    message::read(event).filter(|message| message.from < PAIRS as u64)
                else {
                    self.denied += 1;
                    return;
                };
                let pair = message.from as usize;
                self.ledgers[pair].came(message.seq);
                self.events += 1;
                self.latencies.record(out.now.saturating_sub(message.at));
                if !self.ending {
                    self.send(out, pair);
                }
            })?;
        }
        Ok(())
    }
}
