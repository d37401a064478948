//! `sluice policy test`: what a policy says to events that are played, in the broker's own engine.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::terms::Terms;
use crate::cli::Exit;
use crate::replay::{self, Form, Played, Player, Script, Update};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Test {
    #[command(flatten)]
    terms: Terms,
    /// The events: a JSON object a line, as `sluice record` writes them; - is standard input
    #[arg(long, value_name = "FILE", required_unless_present = "serve")]
    events: Option<PathBuf>,
    /// Show what comes of them as JSON, an object a line
    #[arg(long)]
    json: bool,
    /// Write what comes of them into the file, as what is expected from now on
    #[arg(long)]
    update: bool,
    /// Keep compiled modules in this folder, which must belong to you alone
    #[arg(long, value_name = "DIR", env = "SLUICE_PLUGINS__CACHE")]
    cache: Option<PathBuf>,
    /// Answer the tests of the SDK, which write calls to standard input
    #[arg(long, conflicts_with_all = ["events", "json", "update", "config", "grant"])]
    serve: bool,
}

impl Test {
    pub(super) fn run(&self) -> Result<(), Exit> {
        let mut player = self.terms.load(self.cache.clone())?;
        let Some(events) = &self.events else {
            let (input, output) = (io::stdin().lock(), io::stdout().lock());
            return whole(replay::serve(&mut player, input, output));
        };
        let played = match self.update {
            false => self.play(&mut player, events, None),
            true => self.play_and_update(&mut player, events),
        }?;
        let Some(first) = played.unmet.first().filter(|_| !self.update) else {
            return Ok(());
        };
        Err(Exit::Failed(anyhow::anyhow!(
            "{} of {} expectations are not met, the first on line {first}",
            played.unmet.len(),
            played.expected,
        )))
    }

    fn play(
        &self,
        player: &mut Player,
        events: &Path,
        update: Option<&mut Update>,
    ) -> Result<Played, Exit> {
        let script = match events.as_os_str() == "-" {
            true => Script::Stdin,
            false => Script::File(events.to_owned()),
        };
        let form = if self.json { Form::Json } else { Form::Table };
        let output = Lenient(io::BufWriter::new(io::stdout().lock()));
        let played = script.play(player, self.terms.config(), form, output, update);
        played.map_err(|error| self.terms.exit(error))
    }

    fn play_and_update(&self, player: &mut Player, events: &Path) -> Result<Played, Exit> {
        if events.as_os_str() == "-" {
            let told = "--update writes into the file of --events, and standard input is none";
            return Err(Exit::Usage(told.to_owned()));
        }
        let failed = |error: io::Error| {
            let error = anyhow::Error::from(error);
            Exit::Failed(error.context(format!("cannot write {}", events.display())))
        };
        let mut update = Update::of(events).map_err(failed)?;
        match self.play(player, events, Some(&mut update)) {
            Ok(played) => update.finish().map_err(failed).map(|()| played),
            Err(exit) => {
                update.give_up();
                Err(exit)
            }
        }
    }
}

fn whole(result: io::Result<()>) -> Result<(), Exit> {
    match result {
        // Whoever asked has gone: there is nobody left to answer.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Exit::Failed(error.into())),
        Ok(()) => Ok(()),
    }
}

/// A reader that has gone (`sluice policy test … | head`) is no failure, and the exit code still tells.
struct Lenient<W>(W);

impl<W: Write> Write for Lenient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }
}
