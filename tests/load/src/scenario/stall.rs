//! One reader of many stops reading, under paced fan-out: when the server lets go of it, and what the others notice.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::fanout::{ROOM, Room};
use super::{Bench, join};
use crate::fleet::{Fleet, Seen, late};
use crate::report::{Meter, Report};
use crate::{PATIENCE, Result};

/// Bytes of each message's text: enough to fill the buffers of a reader that stopped within the run.
const TEXT: usize = 4000;
/// Broadcasts a second.
const RATE: u32 = 50;

/// `latency` is that of the others after the stop, `more["before_p99"]` before it. `more["filled_ms"]` is how long
/// the server could still write to the one that stopped, `more["gone_ms"]` how long after that it kept the connection.
pub fn stall(bench: &Bench, receivers: usize) -> Result<Report> {
    let mut fleet = bench.fleet(receivers + 1)?;
    let stalled = enter_narrow(&mut fleet)?;
    join(&mut fleet, 1..stalled + 1, |_| ROOM.to_owned())?;
    let mut room = Room::new(receivers);
    room.text = Some("x".repeat(TEXT));
    let gap = Duration::from_secs(1) / RATE;
    room.pace(&mut fleet, bench.warm, gap)?;

    let (server, client) = (
        bench.address.port(),
        fleet.port(stalled).unwrap_or_default(),
    );
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| watch(server, client, &stop));
        let outcome = before_and_after(bench, &mut fleet, &mut room, stalled, gap);
        stop.store(true, Ordering::Relaxed);
        let seen = watch.join().unwrap_or_default();
        let (report, before, since) = outcome?;
        let mut report = room.finish(&mut fleet, report)?;
        let ms = |moment: Option<Instant>, since: Instant| {
            moment.map_or(f64::NAN, |moment| {
                moment.saturating_duration_since(since).as_secs_f64() * 1e3
            })
        };
        let filled = seen.last_growth.unwrap_or(since).max(since);
        let ratio = report.latency.p99 as f64 / before.max(1) as f64;
        report.more.insert("before_p99".into(), before as f64);
        report.more.insert("p99_ratio".into(), ratio);
        report
            .more
            .insert("filled_ms".into(), ms(Some(filled), since));
        // No number where it never went: JSON has none, and no target is met.
        let gone = seen.gone.map(|gone| ms(Some(gone), filled));
        report.more.insert("gone_ms".into(), gone.unwrap_or(NEVER));
        Ok(report)
    })
}

/// In place of a time for what did not happen.
const NEVER: f64 = 1e9;

/// The report of the time after the stop, the 99th percentile before it, and when it was.
fn before_and_after(
    bench: &Bench,
    fleet: &mut Fleet,
    room: &mut Room,
    stalled: usize,
    gap: Duration,
) -> Result<(Report, u64, Instant)> {
    room.measure();
    room.pace(fleet, bench.time, gap)?;
    let before = room.latencies().p99;
    let meter = Meter::start(bench.server)?;
    room.measure();
    fleet.pause(stalled, true);
    let since = Instant::now();
    room.pace(fleet, bench.time * 2, gap)?;
    Ok((meter.stop(room.deliveries())?, before, since))
}

/// One more socket that takes little at a time.
fn enter_narrow(fleet: &mut Fleet) -> Result<usize> {
    let narrow = fleet.dial_narrow()?;
    let mut entered = false;
    let deadline = Instant::now() + PATIENCE;
    while !entered {
        fleet.turn(Duration::from_millis(50), |_, socket, seen| {
            entered |= socket == narrow && matches!(seen, Seen::Entered);
        })?;
        late(deadline, || "connecting the one that stops".to_owned())?;
    }
    Ok(narrow)
}

#[derive(Default)]
struct Watched {
    /// When the server's kernel last took more for it.
    last_growth: Option<Instant>,
    gone: Option<Instant>,
}

/// Looks at the server's end of a connection until it is gone.
fn watch(server: u16, client: u16, stop: &AtomicBool) -> Watched {
    const INTERVAL: Duration = Duration::from_millis(20);
    let mut seen = Watched::default();
    let mut most = 0;
    while !stop.load(Ordering::Relaxed) {
        let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        match queued(&table, server, client) {
            Some(queued) => {
                if queued > most {
                    seen.last_growth = Some(Instant::now());
                }
                most = queued;
            }
            None => {
                seen.gone = Some(Instant::now());
                return seen;
            }
        }
        thread::sleep(INTERVAL);
    }
    seen
}

/// How many bytes wait in the server's kernel; `None` when the connection is not established any more.
fn queued(table: &str, server: u16, client: u16) -> Option<u64> {
    const ESTABLISHED: &str = "01";
    let (server, client) = (format!(":{server:04X}"), format!(":{client:04X}"));
    let mut rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.find_map(|row| match row[..] {
        [_, local, remote, ESTABLISHED, queues, ..]
            if local.ends_with(&server) && remote.ends_with(&client) =>
        {
            let (queued, _) = queues.split_once(':')?;
            u64::from_str_radix(queued, 16).ok()
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n\
             0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000\n\
             1: 0100007F:0BB8 0100007F:9C18 01 0001F000:00000000 00:00000000\n\
             2: 0100007F:0BB8 0100007F:9C19 04 0001F000:00000000 00:00000000\n";
        assert_eq!(queued(table, 3000, 0x9C18), Some(0x1F000));
        assert_eq!(queued(table, 3000, 0x9C19), None);
        assert_eq!(queued(table, 3001, 0x9C18), None);
    }
}
