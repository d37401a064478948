//! What is shipped beside the binary and made by it, so that it says what the binary does: completions and man pages.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Exit, print};

#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// The shell that is to know the commands
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(super) struct Manual {
    /// Where the pages are written: one for each command
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "sluice", &mut script);
        print(&String::from_utf8_lossy(&script))
    }
}

impl Manual {
    pub(super) fn run(self) -> Result<(), Exit> {
        write(&self.out).map_err(|error| {
            let said = format!("cannot write {}: {error}", self.out.display());
            Exit::Failed(anyhow::Error::msg(said))
        })
    }
}

fn write(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(complete(Cli::command()), folder)
}

/// `sluice help …` is no command that a page is looked for.
fn complete(command: Command) -> Command {
    let command = command.disable_help_subcommand(true);
    let names: Vec<_> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, complete)
    })
}
