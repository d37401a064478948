//! The line `ready {…}` by which a server says that it serves, and where.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

/// What the line says, once it comes.
pub(crate) fn first_line(stdout: impl Read + Send + 'static, patience: Duration) -> Result<Value> {
    let (sender, line) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        // Nobody listens any more when the start has failed.
        let _ = lines.next().map(|line| sender.send(line));
        // Read on: a server whose output nobody takes would block.
        lines.for_each(drop);
    });
    let line = line
        .recv_timeout(patience)
        .context("it has not said that it is ready")?;
    let ready = line
        .strip_prefix("ready ")
        .with_context(|| format!("instead of the ready line: {line}"))?;
    serde_json::from_str(ready).context("the ready line has no JSON")
}
