//! Events with acks at a steady pace, whatever else goes on: what bystanders do while something happens to the server.

use std::time::{Duration, Instant};

use super::echo::Echo;
use super::{Bench, DRAIN};
use crate::Result;
use crate::fleet::Fleet;
use crate::report::{Latencies, Quantiles};

/// Events are sent in small groups, so that the generator does not wake for each.
const PACE: Duration = Duration::from_millis(1);

pub(super) struct Steady {
    fleet: Fleet,
    echo: Echo,
    sockets: usize,
    /// How many events each millisecond.
    group: usize,
    turn: usize,
    /// When each was sent, by [`crate::message::now`], and how long its ack took, in microseconds.
    pub(super) samples: Vec<(u64, u64)>,
}

impl Steady {
    /// This many sockets of users of their own, with so many events a second together.
    pub(super) fn new(bench: &Bench, sockets: usize, rate: usize) -> Result<Self> {
        /// Numbers of users that no other socket of a scenario has.
        const OTHERS: usize = 1_000_000;
        let auths = bench.auths_from(OTHERS, sockets);
        Ok(Self {
            fleet: Fleet::connected(bench.address, auths, sockets)?,
            echo: Echo::new(sockets),
            sockets,
            group: (rate / 1000).max(1),
            turn: 0,
            samples: Vec::new(),
        })
    }

    /// Goes on until it is told to stop.
    pub(super) fn run(&mut self, mut stop: impl FnMut() -> bool) -> Result<()> {
        let mut next = Instant::now();
        while !stop() {
            if Instant::now() >= next {
                for _ in 0..self.group {
                    self.turn = (self.turn + 1) % self.sockets;
                    self.echo.send(&mut self.fleet.out, self.turn);
                }
                next += PACE;
            }
            self.receive(next.saturating_duration_since(Instant::now()))?;
        }
        Ok(())
    }

    /// Waits for what is under way; how many acks were lost.
    pub(super) fn drain(&mut self) -> Result<u64> {
        let end = Instant::now() + DRAIN;
        while self.echo.outstanding > 0 && Instant::now() < end {
            self.receive(PACE)?;
        }
        Ok(self.echo.outstanding)
    }

    pub(super) fn echo(&self) -> &Echo {
        &self.echo
    }

    fn receive(&mut self, wait: Duration) -> Result<()> {
        let (echo, samples) = (&mut self.echo, &mut self.samples);
        self.fleet.turn(wait, |out, socket, seen| {
            if let Some(sent) = echo.acked(socket, &seen) {
                samples.push((sent, out.now.saturating_sub(sent)));
            }
        })
    }

    /// The latencies of events that were sent in this span.
    pub(super) fn between(&self, from: u64, to: u64) -> Quantiles {
        quantiles(
            self.samples
                .iter()
                .filter(|(sent, _)| (from..to).contains(sent)),
        )
    }
}

pub(super) fn quantiles<'a>(samples: impl Iterator<Item = &'a (u64, u64)>) -> Quantiles {
    let mut latencies = Latencies::new();
    for &(_, latency) in samples {
        latencies.record(latency);
    }
    latencies.quantiles()
}
