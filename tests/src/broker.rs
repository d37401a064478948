//! The broker's real binary while it serves.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::Process;
use crate::{Exited, Logs, Metrics, PATIENCE, Setup, http, raw};

/// A broker that serves. Ends with the test, and prints its log when the test fails.
pub struct Broker {
    pub listen: SocketAddr,
    pub(crate) admin: Option<SocketAddr>,
    /// What the `ready` line said.
    pub ready: Value,
    pub logs: Logs,
    pub(crate) process: Process,
    pub(crate) setup: Setup,
    pub(crate) stdout: mpsc::Receiver<String>,
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
        self.post_with(path, &[], body)
    }

    /// The same with more headers.
    pub fn post_with(&self, path: &str, more: &[(&str, &str)], body: &Value) -> http::Response {
        let headers = [&[("Content-Type", "application/json")], more].concat();
        let body = body.to_string();
        http::request(self.admin(), "POST", path, &headers, body.as_bytes()).expect("an answer")
    }

    /// Takes something back at the operator's listener.
    pub fn delete(&self, path: &str) -> http::Response {
        http::request(self.admin(), "DELETE", path, &[], &[]).expect("an answer")
    }

    /// Puts a module as a policy: the answer to `PUT /api/v1/policies/{name}`.
    pub fn upload(&self, name: &str, module: &[u8]) -> http::Response {
        let path = format!("/api/v1/policies/{name}");
        http::request(self.admin(), "PUT", &path, &[], module).expect("an answer")
    }

    /// Posts to something of a policy, such as `rollback?generation=3`.
    pub fn command(&self, name: &str, what: &str) -> http::Response {
        let path = format!("/api/v1/policies/{name}/{what}");
        http::request(self.admin(), "POST", &path, &[], &[]).expect("an answer")
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
        let answer = self.get("/api/v1/policies").json();
        answer.as_array().expect("a list of policies").clone()
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

    /// Runs another command beside it, in the configuration's folder.
    pub fn run(&self, arguments: &[&str]) -> Exited {
        self.setup.run(arguments)
    }

    /// The process as the load generator watches it.
    pub fn load(&self) -> sluice_load::process::Server {
        sluice_load::process::Server::new(self.process.0.id())
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> u64 {
        self.load().resident().expect("the broker runs")
    }

    pub fn signal_term(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Asks it to read its configuration again.
    pub fn signal_hangup(&self) {
        self.process.signal(Signal::HUP);
    }

    pub fn signal_interrupt(&self) {
        self.process.signal(Signal::INT);
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

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it where it stands, as a machine that hangs does: its connections stay.
    pub fn pause(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Starts it again at its addresses, with the files of its folder. Its log begins anew.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    pub fn start_again(&mut self) {
        self.process.kill();
        self.setup
            .set("SLUICE_SERVER__LISTEN", &self.listen.to_string());
        if let Some(admin) = self.admin {
            self.setup.set("SLUICE_ADMIN__LISTEN", &admin.to_string());
        }
        let running = self.setup.launch();
        self.ready = running.ready;
        self.logs = running.logs;
        self.process = running.process;
        self.stdout = running.stdout;
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

    /// Sends an event through the operator's interface: to these rooms, or to everyone where none is named.
    ///
    /// # Panics
    ///
    /// When it is refused.
    pub fn emit(&self, namespace: &str, rooms: &[&str], event: &str, args: &Value) {
        let mut body = json!({"namespace": namespace, "event": event, "args": args});
        if !rooms.is_empty() {
            body["rooms"] = json!(rooms);
        }
        let response = self.post("/api/v1/emit", &body);
        assert_eq!(response.status, 200, "{response:?}");
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
