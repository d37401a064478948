//! What the process takes up, read from the system when the metrics are. The names are those that every exporter of
//! Prometheus uses, so they are without our prefix.

use std::fs;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// The start of the process, but for the milliseconds until telemetry begins.
pub(super) static STARTED: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);

#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let cpu = ConstCounter::new(cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9);
        cpu.encode(encoder.encode_descriptor(
            "process_cpu",
            "Processor time of the process",
            Some(&Unit::Seconds),
            cpu.metric_type(),
        )?)?;
        let started = STARTED.duration_since(UNIX_EPOCH).unwrap_or_default();
        let started = ConstGauge::new(started.as_secs_f64());
        started.encode(encoder.encode_descriptor(
            "process_start_time",
            "When the process started, since the Unix epoch",
            Some(&Unit::Seconds),
            started.metric_type(),
        )?)?;
        // Absent where there is no /proc, or where there is no limit.
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: Option<u64>| {
            let Some(value) = value else {
                return Ok(());
            };
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let kind = gauge.metric_type();
            gauge.encode(encoder.encode_descriptor(name, help, unit, kind)?)
        };
        let bytes = Some(&Unit::Bytes);
        gauge(
            "process_resident_memory",
            "Memory of the process that is resident",
            bytes,
            bytes_of(&status, "VmRSS:"),
        )?;
        gauge(
            "process_virtual_memory",
            "Address space of the process",
            bytes,
            bytes_of(&status, "VmSize:"),
        )?;
        gauge(
            "process_memory_limit",
            "Memory that the process may have: of its control group, or else of the machine",
            bytes,
            memory_limit(),
        )?;
        gauge(
            "process_threads",
            "Threads of the process",
            None,
            field(&status, "Threads:"),
        )?;
        // Without the one that lists them.
        let open = fs::read_dir("/proc/self/fd").ok();
        gauge(
            "process_open_fds",
            "Open file descriptors of the process",
            None,
            open.map(|entries| entries.count().saturating_sub(1) as u64),
        )?;
        gauge(
            "process_max_fds",
            "File descriptors that the process may have open",
            None,
            getrlimit(Resource::Nofile).current,
        )
    }
}

/// Memory of the process that is resident; `None` where there is no /proc.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    bytes_of(&status, "VmRSS:")
}

/// The bytes of a line, which says kilobytes.
fn bytes_of(file: &str, name: &str) -> Option<u64> {
    field(file, name).map(|kilobytes| kilobytes * 1024)
}

/// The number of a line such as `VmRSS:     1234 kB`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The least that bounds the process: a limit of its control group or of one above it, or what the machine has.
pub(crate) fn memory_limit() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.and_then(|info| bytes_of(&info, "MemTotal:"));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().flat_map(group_limits);
    limits.chain(machine).min()
}

/// Limits of a line of `/proc/self/cgroup`, `0::/a/b` or, in version 1, `4:memory:/a/b`; those of its parents as well.
/// Inside a container the path is often the host's, and the group is the root of what is mounted.
fn group_limits(line: &str) -> Vec<u64> {
    let mut parts = line.splitn(3, ':');
    let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
    else {
        return Vec::new();
    };
    let (root, file) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|it| it == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    std::path::Path::new(path)
        .ancestors()
        .filter_map(|group| {
            let group = group.strip_prefix("/").unwrap_or(group);
            let file = std::path::Path::new(root).join(group).join(file);
            // Without a limit it says `max`, or a number beyond any machine.
            fs::read_to_string(file).ok()?.trim().parse().ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_behind_their_names() {
        let status = "Name:\tsluice\nVmSize:\t  2048 kB\nVmRSS:\t  1024 kB\nThreads:\t7\n";
        assert_eq!(field(status, "VmRSS:"), Some(1024));
        assert_eq!(field(status, "Threads:"), Some(7));
        assert_eq!(field(status, "VmSwap:"), None);
    }

    #[test]
    fn a_line_that_is_no_group_limits_nothing() {
        assert!(group_limits("").is_empty());
        assert!(group_limits("3:cpu,cpuacct:/a").is_empty());
        assert!(group_limits("0::/there/is/no/such/group/here").len() <= 1);
    }

    #[test]
    fn a_process_may_have_more_memory_than_it_has() {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let resident = field(&status, "VmRSS:").unwrap() * 1024;
        assert!(memory_limit().is_some_and(|limit| limit > resident));
    }
}
