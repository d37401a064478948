//! The binary: all it does is to turn the outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    match sluice::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            eprintln!("{exit}");
            exit.code()
        }
    }
}
