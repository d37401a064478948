//! `sluice drain`: a node without clients, and then its end.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::client::{Asking, Client, is_gone};
use super::table::text;
use super::{Exit, tell};

const DRAIN: &str = "/api/v1/drain";

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(200);

/// Looks between two lines where there is no terminal to write over the last one.
const LOOKS_A_LINE: usize = 25;

#[derive(Debug, Args)]
pub(super) struct Drain {
    #[command(flatten)]
    asking: Asking,
    /// Time over which clients are closed, such as 5m; `server.drain_period` without this
    #[arg(long, value_name = "TIME", conflicts_with_all = ["undo", "status"])]
    period: Option<String>,
    /// Let the node stay, without clients, until `sluice drain --undo`
    #[arg(long, conflicts_with_all = ["undo", "status"])]
    stay: bool,
    /// Do not wait until nobody is left
    #[arg(long, conflicts_with_all = ["undo", "status"])]
    no_wait: bool,
    /// Let clients in again
    #[arg(long, conflicts_with = "status")]
    undo: bool,
    /// Only say how far it is
    #[arg(long)]
    status: bool,
}

impl Drain {
    pub(super) fn run(&self) -> Result<String, Exit> {
        let client = self.asking.client()?;
        let answer = match (self.undo, self.status) {
            (true, _) => client.delete(DRAIN)?,
            (_, true) => client.get(DRAIN)?,
            (false, false) => self.drain(&client)?,
        };
        Ok(self.asking.shown(&answer, show))
    }

    fn drain(&self, client: &Client) -> Result<Value, Exit> {
        let mut body = json!({"exit": !self.stay});
        if let Some(period) = &self.period {
            body["period"] = json!(period);
        }
        let begun = client.post_json(DRAIN, &body)?;
        match self.no_wait {
            true => Ok(begun),
            false => self.follow(client, begun),
        }
    }

    /// Until nobody is left, or the process is no more, which is the end that was asked for.
    fn follow(&self, client: &Client, begun: Value) -> Result<Value, Exit> {
        let mut progress = Progress::new(self.asking.is_json());
        let mut last = begun;
        while last["state"] == "draining" {
            progress.show(&last);
            std::thread::sleep(LOOK);
            match client.get(DRAIN) {
                Ok(status) if status["state"] == "serving" => {
                    progress.end();
                    let what = "somebody has had the node serve again";
                    return Err(Exit::Failed(anyhow::anyhow!(what)));
                }
                Ok(status) => last = status,
                // It ends between two looks where nobody is left.
                Err(error) if is_gone(&error) && !self.stay => {
                    last["state"] = "ended".into();
                }
                Err(error) => {
                    progress.end();
                    return Err(error);
                }
            }
        }
        progress.show(&last);
        progress.end();
        Ok(last)
    }
}

/// What the person at the terminal sees meanwhile.
struct Progress {
    is_silent: bool,
    is_terminal: bool,
    looks: usize,
    /// A line is there that has no end.
    is_open: bool,
}

impl Progress {
    fn new(is_silent: bool) -> Self {
        Self {
            is_silent,
            is_terminal: std::io::stderr().is_terminal(),
            looks: 0,
            is_open: false,
        }
    }

    fn show(&mut self, status: &Value) {
        if self.is_silent {
            return;
        }
        let line = line(status);
        if self.is_terminal {
            let mut err = std::io::stderr().lock();
            // A terminal that is gone sees nothing.
            let _ = write!(err, "\r\u{1b}[K{line}").and_then(|()| err.flush());
            self.is_open = true;
        } else if self.looks.is_multiple_of(LOOKS_A_LINE) {
            tell(&format!("{line}\n"));
        }
        self.looks += 1;
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.is_open) {
            tell("\n");
        }
    }
}

fn line(status: &Value) -> String {
    let [closed, total, left] = ["closed", "total", "left"].map(|it| text(&status[it]));
    format!("draining: {closed} of {total} sockets closed, {left} left")
}

fn show(status: &Value) -> String {
    let [closed, total, left] = ["closed", "total", "left"].map(|it| text(&status[it]));
    match status["state"].as_str() {
        Some("serving") => "serving\n".to_owned(),
        Some("drained") => format!("drained: {closed} of {total} sockets closed, {left} left\n"),
        Some("ended") => format!("drained: the node has ended; it had {total} sockets\n"),
        _ => format!("{}\n", line(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_says_how_far_it_is() {
        let status = |state: &str| json!({"state": state, "total": 5, "closed": 3, "left": 2});
        assert_eq!(show(&status("serving")), "serving\n");
        assert_eq!(
            show(&status("draining")),
            "draining: 3 of 5 sockets closed, 2 left\n"
        );
        assert!(show(&status("ended")).contains("the node has ended"));
    }
}
