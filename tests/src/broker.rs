//! The broker's real binary, started with a configuration of its own.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, each_line};
use crate::{Logs, Metrics, PATIENCE, http, policy, prepared, raw};

/// What a broker is started with.
#[derive(Debug)]
pub struct Setup {
    dir: TempDir,
    environment: Vec<(OsString, Option<OsString>)>,
}

impl Setup {
    /// A configuration file with this TOML. Listeners are on free ports and the log is structured unless the text, or
    /// a variable, says otherwise; `policies` beside the file is the folder of modules.
    pub fn new(config: &str) -> Self {
        let setup = Self {
            dir: TempDir::new().expect("a temporary folder"),
            environment: Vec::new(),
        };
        std::fs::create_dir(setup.dir.path().join("policies")).unwrap();
        setup
            .file("sluice.toml", config)
            .env("SLUICE_SERVER__LISTEN", "127.0.0.1:0")
            .env("SLUICE_ADMIN__LISTEN", "127.0.0.1:0")
            .env("SLUICE_TELEMETRY__FORMAT", "json")
            .env("SLUICE_PLUGINS__DIR", "policies")
    }

    /// Puts modules that `cargo xtask test` has built into the folder of modules.
    #[must_use]
    pub fn modules(self, names: &[&str]) -> Self {
        for name in names {
            std::fs::write(
                self.dir.path().join(format!("policies/{name}.wasm")),
                policy(name),
            )
            .unwrap();
        }
        self
    }

    /// Writes a file, named from the configuration's folder.
    #[must_use]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.dir.path().join(name), content).unwrap();
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), Some(value.into())));
        self
    }

    /// Takes back a variable, one of those that [`Setup::new`] sets included.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.push((name.into(), None));
        self
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The binary with the set-up's environment and nothing else's.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(prepared("SLUICE_TEST_BIN"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SLUICE_") {
                command.env_remove(name);
            }
        }
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Runs the broker and waits until it serves.
    ///
    /// # Panics
    ///
    /// When it ends instead, or has not said that it is ready within [`PATIENCE`]; with its log.
    pub fn start(self) -> Broker {
        let mut child = self
            .command(&["run", "--config", "sluice.toml"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the broker's binary starts");
        let logs = Logs::default();
        let writer = logs.clone();
        each_line(child.stderr.take().expect("a pipe"), move |line| {
            writer.push(line)
        });
        let (lines, stdout) = mpsc::channel();
        each_line(child.stdout.take().expect("a pipe"), move |line| {
            drop(lines.send(line))
        });
        let mut process = Process(child);
        let Ok(line) = stdout.recv_timeout(PATIENCE) else {
            let status = process.wait(Duration::ZERO);
            panic!(
                "the broker is not ready (status {status:?}); its log:\n{}",
                logs.text()
            );
        };
        let ready = line
            .strip_prefix("ready ")
            .unwrap_or_else(|| panic!("instead of the ready line: {line}"));
        let ready: Value = serde_json::from_str(ready).expect("JSON in the ready line");
        let address = |name: &str| {
            ready[name]
                .as_str()
                .and_then(|text| text.parse::<SocketAddr>().ok())
        };
        Broker {
            listen: address("listen")
                .unwrap_or_else(|| panic!("no address to connect to: {ready}")),
            admin: address("admin"),
            ready,
            logs,
            process,
            setup: self,
            stdout,
        }
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    ///
    /// When it has not ended within [`PATIENCE`].
    pub fn run(&self, arguments: &[&str]) -> Exited {
        let mut child = self
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (sender, collected) = mpsc::channel();
        for (index, pipe) in [
            Box::new(child.stdout.take().expect("a pipe")) as Box<dyn std::io::Read + Send>,
            Box::new(child.stderr.take().expect("a pipe")),
        ]
        .into_iter()
        .enumerate()
        {
            let sender = sender.clone();
            each_line(pipe, move |line| drop(sender.send((index, line))));
        }
        drop(sender);
        let mut process = Process(child);
        let status = process.wait(PATIENCE);
        let Some(status) = status else {
            drop(process);
            panic!(
                "{arguments:?} has not ended: {:?}",
                collected.iter().collect::<Vec<_>>()
            );
        };
        let mut texts = [String::new(), String::new()];
        for (index, line) in collected {
            texts[index].push_str(&line);
            texts[index].push('\n');
        }
        let [stdout, stderr] = texts;
        Exited {
            code: status.code(),
            stdout,
            stderr,
        }
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Exited {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A broker that serves. Ends with the test, and prints its log when the test fails.
pub struct Broker {
    pub listen: SocketAddr,
    admin: Option<SocketAddr>,
    /// What the `ready` line said.
    pub ready: Value,
    pub logs: Logs,
    process: Process,
    setup: Setup,
    stdout: mpsc::Receiver<String>,
}

impl Broker {
    /// A broker with this configuration and these modules.
    pub fn start(config: &str, modules: &[&str]) -> Self {
        Setup::new(config).modules(modules).start()
    }

    /// The address of a namespace.
    pub fn url(&self, namespace: &str) -> String {
        format!("http://{}{namespace}", self.listen)
    }

    /// The folder that the configuration stands in.
    pub fn dir(&self) -> &Path {
        self.setup.dir()
    }

    pub fn admin(&self) -> SocketAddr {
        self.admin.expect("an admin listener")
    }

    /// Asks the operator's listener.
    pub fn get(&self, path: &str) -> http::Response {
        http::request(self.admin(), "GET", path, &[], &[]).expect("an answer of the admin listener")
    }

    /// Posts JSON to the operator's listener.
    pub fn post(&self, path: &str, body: &Value) -> http::Response {
        let headers = [("Content-Type", "application/json")];
        http::request(
            self.admin(),
            "POST",
            path,
            &headers,
            body.to_string().as_bytes(),
        )
        .expect("an answer")
    }

    pub fn metrics(&self) -> Metrics {
        let response = self.get("/metrics");
        assert_eq!(response.status, 200, "{response:?}");
        Metrics::new(response.text())
    }

    /// What `/api/v1/policies` says of one policy.
    ///
    /// # Panics
    ///
    /// When there is none of that name.
    pub fn policy(&self, name: &str) -> Value {
        self.policies()
            .into_iter()
            .find(|policy| policy["name"] == name)
            .expect("a policy of that name")
    }

    pub fn policies(&self) -> Vec<Value> {
        let mut answer = self.get("/api/v1/policies").json();
        let list = if answer.is_array() {
            answer
        } else {
            answer["policies"].take()
        };
        list.as_array().cloned().unwrap_or_default()
    }

    /// A WebSocket that a test speaks Engine.IO on by hand.
    pub fn socket(&self) -> raw::Socket {
        raw::Socket::open(self.listen, "")
    }

    fn module(&self, name: &str) -> PathBuf {
        self.dir().join(format!("policies/{name}.wasm"))
    }

    /// Replaces a module as a careful operator does: written beside it, then renamed.
    pub fn replace_module(&self, name: &str, bytes: &[u8]) {
        let beside = self.dir().join(format!("policies/.{name}.new"));
        std::fs::write(&beside, bytes).unwrap();
        std::fs::rename(beside, self.module(name)).unwrap();
    }

    /// Replaces a module as `cp` does, only slower: emptied, then written piece by piece.
    pub fn overwrite_module_slowly(&self, name: &str, bytes: &[u8], pause: Duration) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.module(name)).unwrap();
        for piece in bytes.chunks(bytes.len().div_ceil(4).max(1)) {
            std::thread::sleep(pause);
            file.write_all(piece).unwrap();
        }
    }

    pub fn remove_module(&self, name: &str) {
        std::fs::remove_file(self.module(name)).unwrap();
    }

    /// Replaces the configuration file in one step.
    pub fn reconfigure(&self, config: &str) {
        let beside = self.dir().join(".sluice.toml.new");
        std::fs::write(&beside, config).unwrap();
        std::fs::rename(beside, self.dir().join("sluice.toml")).unwrap();
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.0.id()))
            .expect("the broker runs");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .expect("its memory");
        line.split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse::<u64>().ok())
            .expect("a number")
            * 1024
    }

    pub fn signal_term(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Waits for the process to end by itself; the exit code, and how long it took.
    ///
    /// # Panics
    ///
    /// When it has not within [`PATIENCE`], or a signal ended it.
    pub fn wait_exit(&mut self) -> (i32, Duration) {
        let start = Instant::now();
        let status: ExitStatus = self.process.wait(PATIENCE).expect("the broker ends");
        (
            status
                .code()
                .unwrap_or_else(|| panic!("a signal ended the broker: {status}")),
            start.elapsed(),
        )
    }

    /// Whether it is still running.
    pub fn runs(&mut self) -> bool {
        self.process.wait(Duration::ZERO).is_none()
    }

    /// Ends it as an operator does. The exit code.
    pub fn stop(mut self) -> i32 {
        self.signal_term();
        self.wait_exit().0
    }

    /// What it has written to standard output after the `ready` line.
    pub fn more_output(&self) -> Vec<String> {
        self.stdout.try_iter().collect()
    }

    /// Sends an event to clients through the operator's interface.
    pub fn emit(&self, namespace: &str, rooms: &[&str], event: &str, args: &Value) {
        let body = json!({"namespace": namespace, "rooms": rooms, "event": event, "args": args});
        let response = self.post("/api/v1/emit", &body);
        assert!((200..300).contains(&response.status), "{response:?}");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- the broker's log ---\n{}\n--- its end ---",
                self.logs.text()
            );
        }
    }
}
