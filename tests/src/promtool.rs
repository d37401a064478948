//! promtool, which knows what Prometheus takes.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Runs it with a text on its standard input; what it said.
///
/// # Panics
///
/// When it is not content.
pub fn promtool(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool: {error}: run `cargo xtask test`"));
    let mut stdin = child.stdin.take().expect("a pipe");
    // A command that does not read has closed it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("its end");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}:\n{said}");
    said
}
