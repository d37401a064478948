//! The compiled policy in the broker's engine: a subprocess that is asked over its pipes. `PROTOCOL.md` beside this file
//! says what is written and read.

#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::effects::Effect;
use super::engine::{Answer, Ask};
use super::world::{Socket, World};
use crate::Interests;
use crate::http::{Error, Response};
use wire::{Line, Reply};

/// How long an answer may take: the engine's own deadlines are far shorter, so that this much says that it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Component {
    command: Command,
    process: Process,
    /// What it was told, so that it can be told again.
    config: Value,
    answers: BTreeMap<String, Value>,
    now_ms: u64,
}

/// The broker that runs the policy.
#[derive(Debug)]
struct Process {
    child: Child,
    input: ChildStdin,
    /// Lines, from a thread that reads them, so that waiting for one can end.
    output: Receiver<String>,
}

/// The component that the environment names: a file, or a folder that holds the file of the package whose tests run.
pub(super) fn from_env() -> Option<PathBuf> {
    let path = PathBuf::from(env::var_os("SLUICE_TEST_COMPONENT")?);
    if !path.is_dir() {
        return Some(path);
    }
    let package = env::var("CARGO_PKG_NAME").unwrap_or_default();
    Some(path.join(format!("{package}.wasm")))
}

impl Component {
    pub(super) fn of(file: &Path) -> Self {
        let broker = env::var_os("SLUICE_BIN").unwrap_or_else(|| "sluice".into());
        let mut command = Command::new(broker);
        command.args(["policy", "test"]).arg(file).arg("--serve");
        Self::start(command)
    }

    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self {
            process: Process::start(&mut command),
            command,
            config: Value::Null,
            answers: BTreeMap::new(),
            now_ms: 0,
        }
    }

    #[expect(clippy::panic, reason = "the way in which a test fails")]
    pub(super) fn configure(&mut self, config: &Value, now_ms: u64) -> Result<Interests, String> {
        self.move_to(now_ms);
        let line = json!({ "configure": config, "at_ms": now_ms });
        let reply = self.process.exchange(&line);
        match (reply.configured, reply.refused) {
            (Some(configured), _) => {
                self.config = config.clone();
                Ok(configured.interests.into())
            }
            (None, Some(refused)) => Err(refused),
            (None, None) => panic!("the broker answered something else to a configuration"),
        }
    }

    /// The broker's clock never goes back. A test that sets it back starts anew, and without state.
    fn move_to(&mut self, now_ms: u64) {
        let before = std::mem::replace(&mut self.now_ms, now_ms);
        if now_ms >= before || self.config.is_null() {
            return;
        }
        self.process = Process::start(&mut self.command);
        self.process
            .exchange(&json!({ "configure": self.config, "at_ms": now_ms }));
        for answer in self.answers.values() {
            self.process.exchange(&json!({ "http": answer }));
        }
    }

    pub(super) fn answer(&mut self, url: &str, answer: &Result<Response, Error>) {
        let answer = wire::upstream(url, answer);
        self.process.exchange(&json!({ "http": answer }));
        self.answers.insert(url.to_owned(), answer);
    }

    pub(super) fn ask(
        &mut self,
        world: &mut World,
        socket: &Socket,
        ask: Ask<'_>,
    ) -> (Answer, Vec<Effect>) {
        self.move_to(world.now_ms);
        let line = Line::new(world.now_ms, socket, ask);
        let mut reply = self.process.exchange(&line);
        let records = std::mem::take(&mut reply.records);
        world.logs.extend(records.logs());
        world.values.extend(records.metrics);
        let requests = records.http.into_iter().map(Into::into);
        world.upstream.requests.extend(requests);
        let effects = records.effects.into_iter().map(Into::into).collect();
        (reply.answer(line.hook()), effects)
    }
}

/// The only way in which the broker and this module may disagree is a test that fails, so that is how it is told.
#[expect(clippy::panic, reason = "only tests get here")]
impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            panic!("{command:?} has no pipes");
        };
        let (lines, receiver) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            input,
            output: receiver,
        }
    }

    /// Writes a line and reads the one that answers it.
    fn exchange(&mut self, line: &impl Serialize) -> Reply {
        let mut text = serde_json::to_string(line)
            .unwrap_or_else(|error| panic!("this cannot be handed to a component: {error}"));
        text.push('\n');
        if self.input.write_all(text.as_bytes()).is_err() {
            panic!("the broker is gone: {:?}", self.child.wait());
        }
        let answer = match self.output.recv_timeout(PATIENCE) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => panic!("the broker does not answer {text}"),
            Err(RecvTimeoutError::Disconnected) => {
                panic!(
                    "the broker has ended with {:?}, asked {text}",
                    self.child.wait()
                )
            }
        };
        let reply: Reply = serde_json::from_str(&answer).unwrap_or_else(|error| {
            panic!("the broker's answer makes no sense: {error}: {answer}")
        });
        if let Some(error) = reply.error {
            panic!("the broker does not understand {text}: {error}");
        }
        reply
    }
}

impl Drop for Process {
    /// Whatever it is doing, nobody waits for it any more.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
