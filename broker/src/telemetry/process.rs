//! What the process takes up, read from the system when the metrics are.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use rustix::time::{ClockId, clock_gettime};

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
        // Absent where there is no /proc.
        if let Some(bytes) = resident_bytes() {
            let memory = ConstGauge::new(bytes);
            memory.encode(encoder.encode_descriptor(
                "process_resident_memory",
                "Memory of the process that is resident",
                Some(&Unit::Bytes),
                memory.metric_type(),
            )?)?;
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // Without the one that lists them.
            let open = ConstGauge::new(entries.count().saturating_sub(1) as i64);
            open.encode(encoder.encode_descriptor(
                "process_open_fds",
                "Open file descriptors of the process",
                None,
                open.metric_type(),
            )?)?;
        }
        Ok(())
    }
}

fn resident_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
