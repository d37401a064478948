//! What the broker says about itself: records to stderr, and metrics.
//!
//! Every room reports through the typed [`events`], which log and count in one place, or through the counters of
//! [`metrics`] where an event is too frequent for a record. Imports the plain data of `event`, and of `config` and
//! `state` what it shows.

pub(crate) mod events;
mod exposition;
mod labels;
mod latency;
mod log;
pub(crate) mod metrics;
pub(crate) mod process;
mod spread;
mod throttle;
pub(crate) mod trace;

use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use crate::config::{Format, Telemetry};

pub(crate) use log::flush;
pub(crate) use process::{memory_limit, resident_bytes};

/// Writes what there is of the log when it goes out of scope; [`flush`] where the process ends without that.
#[must_use = "the last records are lost without it"]
pub(crate) struct Records(());

impl Drop for Records {
    fn drop(&mut self) {
        flush();
    }
}

/// Sends records to stderr from now on. Does nothing when a subscriber is installed already, as in tests.
pub(crate) fn init(telemetry: &Telemetry) -> Records {
    let _ = *process::STARTED;
    let (filter, handle) = reload::Layer::new(filter(telemetry));
    let records = fmt::layer().with_writer(log::stderr());
    let records = match telemetry.format {
        Format::Readable => records.with_ansi(std::io::stderr().is_terminal()).boxed(),
        // One object a line, with the fields beside level and message.
        Format::Json => records
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(records);
    if subscriber.try_init().is_ok() {
        // One subscriber a process.
        let _ = FILTER.set(handle);
    }
    Records(())
}

/// Decides from now on by other directives what is logged, and how much is traced.
pub(crate) fn reconfigure(telemetry: &Telemetry) {
    trace::reconfigure(&telemetry.traces);
    if let Some(handle) = FILTER.get() {
        // It is there for as long as the process.
        let _ = handle.reload(filter(telemetry));
    }
}

/// That of the subscriber.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

fn filter(telemetry: &Telemetry) -> EnvFilter {
    // Checked with the configuration, so nothing is left out here.
    EnvFilter::builder().parse_lossy(&telemetry.log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_time_does_no_harm() {
        for format in [Format::Json, Format::Readable] {
            drop(init(&Telemetry {
                log: "off".to_owned(),
                format,
                traces: crate::config::Traces::off(),
            }));
        }
    }
}
