//! What the server's process, and those that it has started, have spent: read from `/proc`.

use std::fs;
use std::time::Duration;

use crate::{LoadError, Result};

/// A process and its descendants, such as the workers of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    pid: u32,
}

impl Server {
    pub fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// Processor time, the kernel's on its behalf included.
    pub fn cpu(&self) -> Result<Duration> {
        Ok(duration(self.sum(ticks)?))
    }

    /// The same without that of descendants.
    pub fn cpu_alone(&self) -> Result<Duration> {
        ticks(self.pid)
            .map(duration)
            .ok_or(LoadError::Process(self.pid))
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> Result<u64> {
        self.sum(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))?;
            let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kib * 1024)
        })
    }

    fn sum(&self, of: impl Fn(u32) -> Option<u64>) -> Result<u64> {
        let mut waiting = vec![self.pid];
        let mut sum = 0;
        while let Some(pid) = waiting.pop() {
            match of(pid) {
                Some(value) => sum += value,
                // A child may just have ended.
                None if pid != self.pid => {}
                None => return Err(LoadError::Process(pid)),
            }
            let threads = fs::read_dir(format!("/proc/{pid}/task"))
                .into_iter()
                .flatten();
            for thread in threads.flatten() {
                let children = fs::read_to_string(thread.path().join("children"));
                let children = children.unwrap_or_default();
                waiting.extend(
                    children
                        .split_whitespace()
                        .filter_map(|pid| pid.parse::<u32>().ok()),
                );
            }
        }
        Ok(sum)
    }
}

/// What a process has used, in the kernel's ticks.
fn ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn duration(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_spends_time_and_memory() {
        let this = Server::new(std::process::id());
        let before = this.cpu().unwrap();
        let mut sum = 0_u64;
        while this.cpu().unwrap() == before {
            sum = (0..10_000).fold(sum, |sum, n| std::hint::black_box(sum ^ n));
        }
        assert!(this.resident().unwrap() > 100_000);
        Server::new(u32::MAX).cpu().unwrap_err();
    }
}
