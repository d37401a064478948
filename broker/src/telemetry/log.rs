//! Where records go: to stderr, by way of a thread of their own. Whoever reads stderr may stall, and a reactor that
//! writes must not stall with it, so lines that find no room are dropped and counted.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

/// A second of every throttled kind at once, several times over. A line is at most a few kilobytes.
const LINES: usize = 8192;

/// How long the end of the process waits for a reader of stderr.
const PATIENCE: Duration = Duration::from_secs(1);

/// The log of this process, from [`stderr`] on.
static LOG: OnceLock<Log> = OnceLock::new();

/// Writes to stderr without waiting for it.
pub(super) fn stderr() -> &'static Log {
    LOG.get_or_init(|| Log::new(io::stderr()))
}

/// Waits until the lines of this process so far are written, or until it is clear that nobody takes them. Tells
/// which: what writes to stderr itself would wait for ever then.
pub(crate) fn flush() -> bool {
    LOG.get().is_none_or(|log| log.flush(PATIENCE))
}

/// A writer of lines that never waits.
pub(super) struct Log {
    lines: NonBlocking,
    dropped: ErrorCounter,
    counts: Arc<Counts>,
    /// Never dropped: its drop prints to standard output, which is not its own, when the queue is full. What it would
    /// wait for, [`Log::flush`] does.
    _worker: WorkerGuard,
}

#[derive(Default)]
struct Counts {
    /// Lines that were to be written, the dropped ones among them.
    wanted: AtomicU64,
    /// Lines that the thread is done with, the failed ones among them.
    done: AtomicU64,
    failed: AtomicU64,
}

// === impl Log ===

impl Log {
    fn new(to: impl Write + Send + 'static) -> Self {
        let counts = Arc::new(Counts::default());
        let (lines, worker) = NonBlockingBuilder::default()
            .buffered_lines_limit(LINES)
            .lossy(true)
            .thread_name("log")
            .finish(Counted {
                to,
                counts: counts.clone(),
            });
        Self {
            dropped: lines.error_counter(),
            lines,
            counts,
            _worker: worker,
        }
    }

    /// Lines that were not written, for want of room or of a reader.
    fn dropped(&self) -> u64 {
        let failed = self.counts.failed.load(Ordering::Relaxed);
        self.without_room().saturating_add(failed)
    }

    fn without_room(&self) -> u64 {
        self.dropped.dropped_lines() as u64
    }

    fn flush(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let wanted = self.counts.wanted.load(Ordering::Acquire);
        let goal = wanted.saturating_sub(self.without_room());
        while self.counts.done.load(Ordering::Acquire) < goal {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

impl MakeWriter<'_> for &'static Log {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line(self)
    }
}

/// A record is written to it in one piece.
pub(super) struct Line(&'static Log);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.counts.wanted.fetch_add(1, Ordering::AcqRel);
        self.0.lines.clone().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the thread writes to.
struct Counted<W> {
    to: W,
    counts: Arc<Counts>,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    /// The thread calls this once a line.
    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        let written = self.to.write_all(line);
        if written.is_err() {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.counts.done.fetch_add(1, Ordering::AcqRel);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Counts the lost lines of this process when the metrics are read.
#[derive(Debug)]
pub(super) struct LogLines;

impl Collector for LogLines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let count = ConstCounter::new(LOG.get().map_or(0, Log::dropped));
        count.encode(encoder.encode_descriptor(
            "log_lines_dropped",
            "Log lines that were not written because the reader of stderr stalls or is gone",
            None,
            count.metric_type(),
        )?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, SyncSender};

    use super::*;

    /// A pipe that takes one line, then waits for its reader; broken without one.
    struct Pipe(SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.send(bytes.to_vec()) {
                Ok(()) => Ok(bytes.len()),
                Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A log, which has to live on as that of a process does.
    fn log() -> (&'static Log, Receiver<Vec<u8>>) {
        let (writer, reader) = mpsc::sync_channel(1);
        (Box::leak(Box::new(Log::new(Pipe(writer)))), reader)
    }

    #[test]
    fn a_reader_that_stalls_holds_up_neither_writers_nor_the_end() {
        let (log, reader) = log();
        let written = LINES + 500;
        for number in 0..written {
            write!(log.make_writer(), "{number}").unwrap();
        }
        // One line is in the pipe, one with the thread, and the rest of them in the queue.
        let dropped = usize::try_from(log.dropped()).unwrap();
        assert!((498..=500).contains(&dropped), "{dropped}");
        let start = Instant::now();
        assert!(!log.flush(Duration::from_millis(50)));
        assert!(start.elapsed() < Duration::from_secs(10));
        // The reader goes on, and has missed nothing but the newest.
        let kept = written - dropped;
        for number in 0..kept {
            assert_eq!(reader.recv().unwrap(), number.to_string().into_bytes());
        }
        assert!(log.flush(Duration::from_secs(10)));
    }

    #[test]
    fn a_reader_that_is_gone_is_counted() {
        let (log, reader) = log();
        drop(reader);
        for _ in 0..3 {
            log.make_writer().write_all(b"x").unwrap();
        }
        assert!(log.flush(Duration::from_secs(10)));
        assert_eq!(log.dropped(), 3);
    }
}
