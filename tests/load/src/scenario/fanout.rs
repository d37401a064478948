//! One sender, a room of many: in a closed loop, or paced.

use std::time::{Duration, Instant};

use super::{Bench, DRAIN, join};
use crate::Result;
use crate::fleet::{Fleet, Outbox, Seen};
use crate::ledger::Ledger;
use crate::message::{self, Message};
use crate::report::{Latencies, Meter, Quantiles, Report};

pub(super) const ROOM: &str = "r0";
const TURN: Duration = Duration::from_millis(10);
/// When nothing has come for so long, more is sent.
const STUCK: Duration = Duration::from_secs(1);

/// Socket 0 sends to a room, of which it may be a member, and has so many broadcasts in flight: one is done when all
/// others have it.
pub fn fanout(bench: &Bench, receivers: usize, window: u64, member: bool) -> Result<Report> {
    let (mut fleet, mut room) = prepare(bench, receivers)?;
    if member {
        join(&mut fleet, 0..1, |_| ROOM.to_owned())?;
    }
    room.open(&mut fleet, window);
    room.run(&mut fleet, bench.warm)?;
    let meter = Meter::start(bench.server)?;
    room.measure();
    room.run(&mut fleet, bench.time)?;
    let report = meter.stop(room.deliveries)?;
    room.finish(&mut fleet, report)
}

/// The same with this many deliveries a second, whatever becomes of them.
pub fn paced(bench: &Bench, receivers: usize, rate: u64) -> Result<Report> {
    let (mut fleet, mut room) = prepare(bench, receivers)?;
    let gap = Duration::from_secs_f64(receivers as f64 / rate as f64);
    room.pace(&mut fleet, bench.warm, gap)?;
    let meter = Meter::start(bench.server)?;
    room.measure();
    room.pace(&mut fleet, bench.time, gap)?;
    let report = meter.stop(room.deliveries)?;
    room.finish(&mut fleet, report)
}

fn prepare(bench: &Bench, receivers: usize) -> Result<(Fleet, Room)> {
    let mut fleet = bench.fleet(receivers + 1)?;
    join(&mut fleet, 1..receivers + 1, |_| ROOM.to_owned())?;
    Ok((fleet, Room::new(receivers)))
}

/// A room whose socket 0 sends and whose others receive.
pub(super) struct Room {
    /// One a socket; the sender's stays empty.
    ledgers: Vec<Ledger>,
    /// How many receivers a broadcast in flight still misses, by turns.
    missing: Vec<u32>,
    sent: u64,
    deliveries: u64,
    denied: u64,
    latencies: Latencies,
    closed: bool,
    /// When something last came.
    moved: Instant,
    /// What was sent before this has been given up.
    abandoned: u64,
    /// What is said, where it is not one of the texts that are built in.
    pub(super) text: Option<String>,
}

/// More than there are ever broadcasts in flight.
const REMEMBERED: usize = 1024;

impl Room {
    pub(super) fn new(receivers: usize) -> Self {
        Self {
            ledgers: vec![Ledger::default(); receivers + 1],
            missing: vec![0; REMEMBERED],
            sent: 0,
            deliveries: 0,
            denied: 0,
            latencies: Latencies::new(),
            closed: false,
            moved: Instant::now(),
            abandoned: 0,
            text: None,
        }
    }

    /// So many broadcasts are in flight from now on.
    pub(super) fn open(&mut self, fleet: &mut Fleet, window: u64) {
        for _ in 0..window {
            self.send(&mut fleet.out);
        }
        self.closed = true;
    }

    fn send(&mut self, out: &mut Outbox) {
        let message = Message {
            from: 0,
            seq: self.sent,
            at: message::now(),
        };
        out.send(0, |packet| {
            message::event(
                packet,
                "message",
                None,
                &message,
                ROOM,
                self.text.as_deref(),
            )
        });
        self.missing[self.sent as usize % REMEMBERED] = self.receivers();
        self.sent += 1;
    }

    pub(super) fn deliveries(&self) -> u64 {
        self.deliveries
    }

    pub(super) fn latencies(&self) -> Quantiles {
        self.latencies.quantiles()
    }

    fn receivers(&self) -> u32 {
        self.ledgers.len() as u32 - 1
    }

    /// Forgets what was counted while warming up, and not what is expected.
    pub(super) fn measure(&mut self) {
        self.deliveries = 0;
        self.latencies.clear();
    }

    fn on(&mut self, out: &mut Outbox, socket: usize, seen: &Seen<'_>) {
        let Seen::Event(event) = seen else {
            return;
        };
        let Some(message) = message::read(event) else {
            self.denied += 1;
            return;
        };
        // A socket of the room that is not one of its receivers is not counted.
        let Some(ledger) = self.ledgers.get_mut(socket) else {
            return;
        };
        ledger.came(message.seq);
        if message.seq < self.abandoned {
            return;
        }
        self.deliveries += 1;
        self.latencies.record(out.now.saturating_sub(message.at));
        let missing = &mut self.missing[message.seq as usize % REMEMBERED];
        *missing = missing.saturating_sub(1);
        if *missing == 0 && self.closed {
            self.send(out);
        }
    }

    fn turn(&mut self, fleet: &mut Fleet, wait: Duration) -> Result<()> {
        let before = self.deliveries;
        fleet.turn(wait, |out, socket, seen| self.on(out, socket, &seen))?;
        if self.deliveries != before {
            self.moved = Instant::now();
        }
        Ok(())
    }

    /// A closed loop. When nothing comes any more, what is in flight has been lost, and as much is sent anew.
    pub(super) fn run(&mut self, fleet: &mut Fleet, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn(fleet, TURN)?;
            if self.moved.elapsed() > STUCK {
                let from = self
                    .sent
                    .saturating_sub(REMEMBERED as u64)
                    .max(self.abandoned);
                let stuck =
                    (from..self.sent).filter(|&seq| self.missing[seq as usize % REMEMBERED] > 0);
                let stuck = stuck.count();
                self.abandoned = self.sent;
                for _ in 0..stuck {
                    self.send(&mut fleet.out);
                }
                self.moved = Instant::now();
            }
        }
        Ok(())
    }

    pub(super) fn pace(&mut self, fleet: &mut Fleet, time: Duration, gap: Duration) -> Result<()> {
        let start = Instant::now();
        let mut next = start;
        while start.elapsed() < time {
            let now = Instant::now();
            if now >= next {
                self.send(&mut fleet.out);
                next += gap;
            }
            self.turn(fleet, next.saturating_duration_since(Instant::now()))?;
        }
        Ok(())
    }

    /// Waits for what is in flight, and adds what was counted.
    pub(super) fn finish(mut self, fleet: &mut Fleet, mut report: Report) -> Result<Report> {
        self.closed = false;
        self.moved = Instant::now();
        while self.lost() > 0 && self.moved.elapsed() < DRAIN {
            self.turn(fleet, TURN)?;
        }
        report.lost = self.lost();
        report.duplicated = self.ledgers.iter().map(|ledger| ledger.duplicated).sum();
        report.reordered = self.ledgers.iter().map(|ledger| ledger.reordered).sum();
        report.refused = self.denied;
        report.latency = self.latencies.quantiles();
        Ok(report)
    }

    fn lost(&self) -> u64 {
        let receivers = self.ledgers.iter().skip(1);
        receivers.map(|ledger| ledger.lost(self.sent)).sum()
    }
}
