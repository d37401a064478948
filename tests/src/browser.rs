//! Chromium, as a process that does what it is told.

use std::io::Write;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::process::{Process, each_line};
use crate::{PATIENCE, prepared};

/// A browser with one page. Ends with the test.
pub struct Browser {
    stdin: ChildStdin,
    answers: mpsc::Receiver<String>,
    next: u64,
    _process: Process,
}

impl Browser {
    /// # Panics
    ///
    /// When there is no Node.
    pub fn start() -> Self {
        let script = prepared("SLUICE_TEST_NODE_CLIENT").with_file_name("browser.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node starts");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = child.stdout.take().expect("a pipe");
        let (lines, answers) = mpsc::channel();
        each_line(stdout, move |line| drop(lines.send(line)));
        Self {
            stdin,
            answers,
            next: 0,
            _process: Process(child),
        }
    }

    /// Opens an address; `how` may name `scheme`, `width` and `height`.
    pub fn open(&mut self, url: &str, how: &Value) {
        let mut command = json!({"do": "open", "url": url});
        for (key, value) in how.as_object().into_iter().flatten() {
            command[key] = value.clone();
        }
        self.call(command);
    }

    /// Serves the files of a folder beside the driver's script, at an origin of its own, which is the answer.
    pub fn serve(&mut self, folder: &str) -> String {
        let origin = self.call(json!({"do": "serve", "folder": folder}));
        origin.as_str().expect("an origin").to_owned()
    }

    /// Loads the page again.
    pub fn reload(&mut self) {
        self.call(json!({"do": "reload"}));
    }

    /// The value of an expression of JavaScript in the page.
    pub fn eval(&mut self, script: &str) -> Value {
        self.call(json!({"do": "eval", "script": script}))
    }

    /// Waits until an expression is true; its value.
    ///
    /// # Panics
    ///
    /// When it has not become true within [`PATIENCE`]; with what is wrong with the page.
    pub fn until(&mut self, script: &str) -> Value {
        let timeout = PATIENCE.as_millis() as u64;
        match self.try_call(json!({"do": "until", "script": script, "timeout": timeout})) {
            Ok(value) => value,
            Err(error) => {
                let problems = self.problems();
                let text = self.eval("document.body.innerText");
                panic!("{script}: {error}\nproblems: {problems:#?}\nthe page: {text}");
            }
        }
    }

    /// Waits until an element's text has this in it.
    pub fn reads(&mut self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        self.until(&format!(
            "document.querySelector({selector})?.textContent.includes({text})"
        ));
    }

    pub fn click(&mut self, selector: &str) {
        let timeout = PATIENCE.as_millis() as u64;
        self.call(json!({"do": "click", "selector": selector, "timeout": timeout}));
    }

    pub fn fill(&mut self, selector: &str, text: &str) {
        let timeout = PATIENCE.as_millis() as u64;
        self.call(json!({"do": "fill", "selector": selector, "text": text, "timeout": timeout}));
    }

    pub fn select(&mut self, selector: &str, option: &str) {
        let timeout = PATIENCE.as_millis() as u64;
        self.call(
            json!({"do": "select", "selector": selector, "text": option, "timeout": timeout}),
        );
    }

    pub fn press(&mut self, key: &str) {
        self.call(json!({"do": "press", "key": key}));
    }

    /// `dark` or `light`, as the system has it.
    pub fn prefers(&mut self, scheme: &str) {
        self.call(json!({"do": "scheme", "scheme": scheme}));
    }

    pub fn resize(&mut self, width: u32, height: u32) {
        self.call(json!({"do": "size", "width": width, "height": height}));
    }

    /// Leaves a picture of the whole page for people to look at.
    pub fn shoot(&mut self, name: &str) {
        let folder = std::env::var_os("SLUICE_TEST_PICTURES").map(PathBuf::from);
        let folder = folder.unwrap_or_else(std::env::temp_dir);
        let path = folder.join(format!("sluice-{name}.png"));
        self.call(json!({"do": "shot", "path": path}));
    }

    /// What has gone wrong since the page was opened: errors, and requests to other origins.
    pub fn problems(&mut self) -> Vec<String> {
        let problems = self.call(json!({"do": "problems"}));
        serde_json::from_value(problems).expect("texts")
    }

    fn call(&mut self, command: Value) -> Value {
        let what = command.to_string();
        self.try_call(command)
            .unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    fn try_call(&mut self, mut command: Value) -> Result<Value, String> {
        self.next += 1;
        command["id"] = json!(self.next);
        writeln!(self.stdin, "{command}")
            .and_then(|()| self.stdin.flush())
            .expect("the browser's process listens");
        // Chromium may still be starting, on a machine that does much else.
        let line = self
            .answers
            .recv_timeout(PATIENCE * 3)
            .unwrap_or_else(|error| panic!("{command}: no answer of the browser: {error}"));
        let mut answer: Value = serde_json::from_str(&line).expect("JSON");
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }
}
