//! The SDK's tests of a compiled policy: a line in, a line out. The SDK's `testing/PROTOCOL.md` says what they hold.

use std::io::{self, BufRead, Write};

use serde::Serialize;
use serde_json::json;

use super::line::{self, Line, MAX_LINE, Says};
use super::player::{NotReady, Player};
use crate::plugin::Refused;

/// Answers every line until there are no more.
///
/// # Errors
/// The other side cannot be read from or written to.
pub(crate) fn serve(
    player: &mut Player,
    mut input: impl BufRead,
    mut output: impl Write,
) -> io::Result<()> {
    let mut text = String::new();
    loop {
        text.clear();
        if io::Read::take(&mut input, MAX_LINE).read_line(&mut text)? == 0 {
            return Ok(());
        }
        let answer = match line::read(&text).and_then(|line| answer(player, line)) {
            Ok(answer) => answer,
            Err(error) => json!({ "error": error }).to_string(),
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
}

fn answer(player: &mut Player, line: Line) -> Result<String, String> {
    player.at(line.at_ms)?;
    match line.says {
        Says::Configure(config) => match player.configure(config) {
            Ok(()) => text(&json!({ "configured": player.describe() })),
            Err(NotReady::Refused(Refused::Configuration(reason))) => {
                text(&json!({ "refused": reason }))
            }
            Err(error) => text(&json!({ "refused": error.to_string() })),
        },
        Says::Http(url, answer) => {
            player.answer(url, answer);
            text(&json!({ "ok": true }))
        }
        Says::Call(call) => text(&player.call(*call)?.show()),
        Says::Dropped(_) => text(&json!({ "ok": true })),
    }
}

fn text(answer: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(answer).map_err(|error| error.to_string())
}
