//! What a broker is started with, and commands that end by themselves.

use std::ffi::OsString;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, each_line};
use crate::{Broker, Logs, PATIENCE, policy, prepared};

/// What a broker is started with.
#[derive(Debug)]
pub struct Setup {
    dir: TempDir,
    config_file: String,
    environment: Vec<(OsString, Option<OsString>)>,
}

impl Setup {
    /// A configuration file with this TOML. Listeners are on free ports and the log is structured unless the text, or
    /// a variable, says otherwise; `policies` beside the file is the folder of modules.
    pub fn new(config: &str) -> Self {
        let setup = Self {
            dir: TempDir::new().expect("a temporary folder"),
            config_file: "sluice.toml".to_owned(),
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

    /// Starts with another file than `sluice.toml`.
    #[must_use]
    pub fn config_file(mut self, name: &str) -> Self {
        name.clone_into(&mut self.config_file);
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// A variable that counts where the test does not say otherwise.
    #[must_use]
    pub(crate) fn default_env(mut self, name: &str, value: &str) -> Self {
        self.environment
            .insert(0, (name.into(), Some(value.into())));
        self
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.into(), Some(value.into())));
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
        let running = self.launch();
        let address = |name: &str| {
            running.ready[name]
                .as_str()
                .and_then(|text| text.parse::<SocketAddr>().ok())
        };
        let ready = &running.ready;
        Broker {
            listen: address("listen")
                .unwrap_or_else(|| panic!("no address to connect to: {ready}")),
            admin: address("admin"),
            ready: running.ready,
            logs: running.logs,
            process: running.process,
            stdout: running.stdout,
            setup: self,
        }
    }

    pub(crate) fn launch(&self) -> Running {
        let mut child = self
            .command(&["run", "--config", &self.config_file])
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
        Running {
            ready: serde_json::from_str(ready).expect("JSON in the ready line"),
            logs,
            process,
            stdout,
        }
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    ///
    /// When it has not ended within [`PATIENCE`].
    pub fn run(&self, arguments: &[&str]) -> Exited {
        self.run_with_input(arguments, "")
    }

    /// The same with a text on its standard input, which has to fit into a pipe.
    ///
    /// # Panics
    ///
    /// When it has not ended within [`PATIENCE`].
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Exited {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // A command that does not read has closed it.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
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

/// A process that has said that it is ready.
pub(crate) struct Running {
    pub(crate) ready: Value,
    pub(crate) logs: Logs,
    pub(crate) process: Process,
    pub(crate) stdout: mpsc::Receiver<String>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Exited {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}
