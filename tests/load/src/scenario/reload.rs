//! A policy's module is replaced again and again under load: what the clients notice of it.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::Bench;
use super::steady::{Steady, quantiles};
use crate::report::{Meter, Report};
use crate::{LoadError, Result, message};

const SOCKETS: usize = 50;
/// Events a second.
const RATE: usize = 10_000;
/// How long a reload may be felt.
const WINDOW: Duration = Duration::from_millis(1500);
/// Of so many microseconds each.
const SLICE: u64 = 10_000;

/// `more["disturbed_ms"]`: the time within the window after a replacement in which slices of 10 ms have a 99th percentile
/// of over twice that of before; the worst of all replacements. `more["calm_ms"]`: the same of a window without one.
pub fn reload(bench: &Bench, module: &Path, times: usize) -> Result<Report> {
    let mut steady = Steady::new(bench, SOCKETS, RATE)?;
    let bytes = fs::read(module).map_err(|error| LoadError::Io("the module", error))?;
    let stop = AtomicBool::new(false);
    let (moments, meter) = thread::scope(|scope| {
        let replacing = scope.spawn(|| {
            thread::sleep(bench.warm);
            let calm = message::now();
            let meter = Meter::start(bench.server);
            thread::sleep(WINDOW);
            let mut moments = vec![calm];
            for time in 0..times {
                moments.push(message::now());
                replace(module, &bytes, time)?;
                thread::sleep(WINDOW);
            }
            stop.store(true, Ordering::Relaxed);
            Ok::<_, LoadError>((moments, meter?))
        });
        let ran = steady.run(|| stop.load(Ordering::Relaxed) || replacing.is_finished());
        let replaced = replacing
            .join()
            .map_err(|_| LoadError::Protocol("replacing fell over".into()))?;
        ran.and(replaced)
    })?;
    let lost = steady.drain()?;
    let first = moments.get(1).copied().unwrap_or_default();
    let measured = steady
        .samples
        .iter()
        .filter(|(sent, _)| *sent >= moments[0])
        .count();
    let mut report = meter.stop(measured as u64)?;
    report.lost = lost;
    report.refused = steady.echo().refused;
    report.reordered = steady.echo().reordered;
    report.duplicated = steady.echo().duplicated;
    report.latency = steady.between(first, u64::MAX);
    let before = steady.between(moments[0], first).p99;
    let disturbed = |from: &u64| disturbance(&steady.samples, *from, before);
    let worst = moments[1..].iter().map(disturbed).fold(0.0, f64::max);
    report.more.insert("before_p99".into(), before as f64);
    report.more.insert("disturbed_ms".into(), worst);
    report.more.insert("calm_ms".into(), disturbed(&moments[0]));
    Ok(report)
}

/// Milliseconds in slices that are disturbed, in the window from here on.
fn disturbance(samples: &[(u64, u64)], from: u64, before: u64) -> f64 {
    let slices = WINDOW.as_micros() as u64 / SLICE;
    let disturbed = (0..slices).filter(|slice| {
        let span = from + slice * SLICE..from + (slice + 1) * SLICE;
        quantiles(samples.iter().filter(|(sent, _)| span.contains(sent))).p99 > 2 * before
    });
    (disturbed.count() as u64 * SLICE) as f64 / 1e3
}

/// Puts the module in place with a custom section more, so that it is another one, by a rename.
fn replace(module: &Path, bytes: &[u8], time: usize) -> Result<()> {
    let mark = format!("\u{4}load{time:08}");
    let mut bytes = bytes.to_vec();
    bytes.extend([0, mark.len() as u8]);
    bytes.extend(mark.bytes());
    let beside = module.with_extension("new");
    fs::write(&beside, bytes)
        .and_then(|()| fs::rename(&beside, module))
        .map_err(|error| LoadError::Io("the module", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_that_are_slow_are_counted() {
        let calm: Vec<_> = (0..150_000).step_by(100).map(|at| (at, 300)).collect();
        assert!(disturbance(&calm, 0, 300).abs() < f64::EPSILON);
        let slow = |&(at, latency): &(u64, u64)| match at {
            20_000..45_000 => (at, latency + 301),
            _ => (at, latency),
        };
        let slow: Vec<_> = calm.iter().map(slow).collect();
        assert!((disturbance(&slow, 0, 300) - 30.0).abs() < f64::EPSILON);
    }
}
