//! Children that never outlive their test.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A child process that is killed when it goes out of scope.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("the process takes signals");
    }

    /// Ends it without a word, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Waits for the process to end by itself; `None` when it has not within `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self
                .0
                .try_wait()
                .expect("the status of a child can be asked")
            {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Calls `each` with every line of a pipe, on a thread of its own, until the pipe ends. Lines that are not UTF-8
/// are passed on with replacement characters.
pub(crate) fn each_line(
    pipe: impl Read + Send + 'static,
    mut each: impl FnMut(String) + Send + 'static,
) {
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while let Ok(1..) = reader.read_until(b'\n', &mut line) {
            each(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    });
}
