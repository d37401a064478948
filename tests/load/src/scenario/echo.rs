//! Events with acks in a closed loop: each ack sends the next event.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Bench, DRAIN};
use crate::Result;
use crate::fleet::{Outbox, Seen};
use crate::message::{self, Message};
use crate::report::{Latencies, Meter, Report};

/// What every server answers to an event that passes its checks.
const DONE: &[u8] = br#"[{"ok":true}]"#;

/// This many sockets that have so many events in flight each.
pub fn echo(bench: &Bench, sockets: usize, in_flight: usize) -> Result<Report> {
    let mut fleet = bench.fleet(sockets)?;
    let mut echo = Echo::new(sockets);
    for socket in 0..sockets {
        for _ in 0..in_flight {
            echo.send(&mut fleet.out, socket);
        }
    }
    let warm = Instant::now() + bench.warm;
    while Instant::now() < warm {
        fleet.turn(TURN, |out, socket, seen| echo.on(out, socket, &seen))?;
    }
    let meter = Meter::start(bench.server)?;
    (echo.acks, echo.latencies) = (0, Latencies::new());
    let end = Instant::now() + bench.time;
    while Instant::now() < end {
        fleet.turn(TURN, |out, socket, seen| echo.on(out, socket, &seen))?;
    }
    let mut report = meter.stop(echo.acks)?;
    echo.ending = true;
    let end = Instant::now() + DRAIN;
    while echo.outstanding > 0 && Instant::now() < end {
        fleet.turn(TURN, |out, socket, seen| echo.on(out, socket, &seen))?;
    }
    report.lost = echo.outstanding;
    report.reordered = echo.reordered;
    report.duplicated = echo.duplicated;
    report.refused = echo.refused;
    report.latency = echo.latencies.quantiles();
    Ok(report)
}

const TURN: Duration = Duration::from_millis(10);

pub(super) struct Echo {
    sockets: Vec<Socket>,
    pub(super) outstanding: u64,
    pub(super) acks: u64,
    pub(super) reordered: u64,
    pub(super) duplicated: u64,
    pub(super) refused: u64,
    latencies: Latencies,
    ending: bool,
}

/// The next number of a socket, and those whose acks have not come: which, and when they were sent.
#[derive(Default)]
struct Socket {
    next: u64,
    waiting: VecDeque<(u64, u64)>,
}

impl Echo {
    pub(super) fn new(sockets: usize) -> Self {
        Self {
            sockets: (0..sockets).map(|_| Socket::default()).collect(),
            outstanding: 0,
            acks: 0,
            reordered: 0,
            duplicated: 0,
            refused: 0,
            latencies: Latencies::new(),
            ending: false,
        }
    }

    pub(super) fn send(&mut self, out: &mut Outbox, number: usize) {
        let socket = &mut self.sockets[number];
        let message = Message {
            from: number as u64,
            seq: socket.next,
            at: message::now(),
        };
        socket.next += 1;
        socket.waiting.push_back((message.seq, message.at));
        self.outstanding += 1;
        out.send(number, |packet| {
            message::event(packet, "save", Some(message.seq), &message, "r0", None);
        });
    }

    fn on(&mut self, out: &mut Outbox, number: usize, seen: &Seen<'_>) {
        let Some(sent) = self.acked(number, seen) else {
            return;
        };
        self.latencies.record(out.now.saturating_sub(sent));
        if !self.ending {
            self.send(out, number);
        }
    }

    /// Takes note of an ack; when its event was sent.
    pub(super) fn acked(&mut self, number: usize, seen: &Seen<'_>) -> Option<u64> {
        let &Seen::Ack(seq, answer) = seen else {
            return None;
        };
        let waiting = &mut self.sockets[number].waiting;
        let Some(at) = waiting.iter().position(|&(waiting, _)| waiting == seq) else {
            self.duplicated += 1;
            return None;
        };
        // They are in the order in which they were sent, so an ack in order is the first one's.
        self.reordered += u64::from(at != 0);
        let (_, sent) = waiting.remove(at)?;
        self.refused += u64::from(answer != DONE);
        self.acks += 1;
        self.outstanding -= 1;
        Some(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acked(numbers: &[u64]) -> Echo {
        let mut echo = Echo::new(1);
        let mut out = Outbox::with_sockets(1);
        for _ in 0..4 {
            echo.send(&mut out, 0);
        }
        echo.ending = true;
        for &seq in numbers {
            echo.on(&mut out, 0, &Seen::Ack(seq, DONE));
        }
        echo
    }

    #[test]
    fn acks_are_counted_with_their_order() {
        let echo = acked(&[0, 1, 2, 3]);
        assert_eq!(
            (echo.outstanding, echo.reordered, echo.duplicated),
            (0, 0, 0)
        );
        let echo = acked(&[1, 0, 2]);
        assert_eq!(
            (echo.outstanding, echo.reordered, echo.duplicated),
            (1, 1, 0)
        );
        let echo = acked(&[0, 0]);
        assert_eq!(
            (echo.outstanding, echo.reordered, echo.duplicated),
            (3, 0, 1)
        );
    }
}
