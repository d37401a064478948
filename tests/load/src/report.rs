//! What a run of a scenario comes to.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::process::Server;
use crate::{LoadError, Result};

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Report {
    /// How many of what the scenario counts were done: acks, deliveries, connects, connections.
    pub operations: u64,
    pub seconds: f64,
    /// Operations a second.
    pub rate: f64,
    /// The server's processor time an operation, in microseconds.
    pub cpu_us: f64,
    /// How much of one processor the server used.
    pub cpus: f64,
    /// The generator's own processor time an operation, in microseconds: it shares the processors with the server.
    pub generator_us: f64,
    /// The server's resident memory at the end, in bytes.
    pub resident: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub reordered: u64,
    /// What the server denied, or answered otherwise than it should.
    pub refused: u64,
    /// Microseconds.
    pub latency: Quantiles,
    /// What only this scenario knows.
    pub more: BTreeMap<String, f64>,
}

#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub struct Quantiles {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
}

/// Latencies in microseconds, within 0.1 %.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    #[expect(
        clippy::expect_used,
        reason = "these bounds are constants that the histogram takes"
    )]
    pub fn new() -> Self {
        /// Longer than any run.
        const LONGEST: u64 = 600_000_000;
        Self(Histogram::new_with_bounds(1, LONGEST, 3).expect("bounds of a histogram"))
    }

    pub fn record(&mut self, micros: u64) {
        self.0.saturating_record(micros.max(1));
    }

    pub fn clear(&mut self) {
        self.0.reset();
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    pub fn quantiles(&self) -> Quantiles {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Quantiles {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: self.0.max(),
        }
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

/// A measured stretch of time: what the server has spent since it began.
#[derive(Debug)]
pub struct Meter {
    server: Option<Server>,
    since: Instant,
    cpu: Duration,
    own: Duration,
}

/// This process, as it is watched itself.
fn own_cpu() -> Result<Duration> {
    Server::new(std::process::id()).cpu_alone()
}

impl Meter {
    pub fn start(server: Option<Server>) -> Result<Self> {
        let cpu = server.map_or(Ok(Duration::ZERO), |server| server.cpu())?;
        let own = own_cpu()?;
        let since = Instant::now();
        Ok(Self {
            server,
            since,
            cpu,
            own,
        })
    }

    /// The report of this many operations.
    pub fn stop(&self, operations: u64) -> Result<Report> {
        let seconds = self.since.elapsed().as_secs_f64();
        let own = own_cpu()?.saturating_sub(self.own);
        let (cpu, resident) = match self.server {
            Some(server) => (server.cpu()?.saturating_sub(self.cpu), server.resident()?),
            None => (Duration::ZERO, 0),
        };
        if operations == 0 {
            return Err(LoadError::Late {
                what: "the first operation".into(),
                limit: self.since.elapsed(),
            });
        }
        Ok(Report {
            operations,
            seconds,
            rate: operations as f64 / seconds,
            cpu_us: cpu.as_secs_f64() * 1e6 / operations as f64,
            cpus: cpu.as_secs_f64() / seconds,
            generator_us: own.as_secs_f64() * 1e6 / operations as f64,
            resident,
            ..Report::default()
        })
    }
}
