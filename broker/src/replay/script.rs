//! A file of lines: played one after the other, and each held against what it expects.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::expect::Expect;
use super::line::{self, Call, MAX_LINE, Says};
use super::outcome::Outcome;
use super::player::{NotReady, Player};
use super::report::{Form, Report};

/// Where lines come from.
#[derive(Debug, Clone)]
pub(crate) enum Script {
    File(PathBuf),
    Stdin,
}

/// Why lines were not played to the end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScriptError {
    #[error("{0}: {1}")]
    Unreadable(String, io::Error),
    #[error("{file}:{number}: {reason}")]
    Line {
        file: String,
        number: usize,
        reason: String,
    },
    #[error("{file}:{number}: the configuration is not taken: {error}")]
    Configuration {
        file: String,
        number: usize,
        error: NotReady,
    },
    #[error(transparent)]
    NotReady(#[from] NotReady),
    #[error("the outcome cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// What became of the expectations.
#[derive(Debug, Default)]
pub(crate) struct Played {
    pub calls: usize,
    pub expected: usize,
    /// The numbers of the lines whose expectation was not met.
    pub unmet: Vec<usize>,
}

/// A line that was a call, for whoever shows it.
pub(super) struct Shown<'a> {
    pub number: usize,
    pub socket: u64,
    pub hook: &'static str,
    pub about: &'a str,
    pub outcome: &'a Outcome,
    /// Where it was not met.
    pub unmet: Option<&'a Expect>,
}

impl Script {
    /// What messages call it.
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
        }
    }

    fn open(&self) -> io::Result<Box<dyn BufRead>> {
        Ok(match self {
            Self::File(path) => Box::new(io::BufReader::new(std::fs::File::open(path)?)),
            Self::Stdin => Box::new(io::stdin().lock()),
        })
    }

    pub(super) fn wrong(&self, number: usize, reason: String) -> ScriptError {
        let file = self.name();
        ScriptError::Line {
            file,
            number,
            reason,
        }
    }

    /// Hands every line that is not blank to `each`, with its number.
    pub(super) fn each(
        &self,
        mut each: impl FnMut(usize, &str) -> Result<(), ScriptError>,
    ) -> Result<(), ScriptError> {
        let unreadable = |error| ScriptError::Unreadable(self.name(), error);
        let mut input = self.open().map_err(unreadable)?;
        let mut text = String::new();
        for number in 1.. {
            text.clear();
            let read = io::Read::take(&mut input, MAX_LINE).read_line(&mut text);
            if read.map_err(unreadable)? == 0 {
                break;
            }
            each(number, &text)?;
        }
        Ok(())
    }

    /// Plays all lines and shows what came of each. A policy without a configuration gets `config`, or an empty one,
    /// unless the first line has one.
    pub(crate) fn play(
        &self,
        player: &mut Player,
        config: Option<Value>,
        form: Form,
        output: impl Write,
        mut update: Option<&mut Update>,
    ) -> Result<Played, ScriptError> {
        let mut report = Report::new(form, output);
        let mut config = Some(config);
        let mut play = Play {
            player,
            played: Played::default(),
        };
        self.each(|number, text| {
            if text.trim().is_empty() {
                return update.as_mut().map_or(Ok(()), |update| update.keep(text));
            }
            let wrong = |reason| self.wrong(number, reason);
            let line = line::read(text).map_err(wrong)?;
            play.player.at(line.at_ms).map_err(wrong)?;
            match line.says {
                Says::Configure(own) => {
                    // Told on the command line, it holds in the place of the first one.
                    let own = config.take().flatten().unwrap_or(own);
                    let taken = play.player.configure(own);
                    taken.map_err(|error| ScriptError::Configuration {
                        file: self.name(),
                        number,
                        error,
                    })?;
                }
                Says::Http(url, answer) => play.player.answer(url, answer),
                Says::Dropped(lines) => report.dropped(lines),
                Says::Call(call) => {
                    if let Some(config) = config.take() {
                        play.player.configure(config.unwrap_or_else(empty))?;
                    }
                    let outcome = play.call(number, *call, &mut report).map_err(wrong)??;
                    return update
                        .as_mut()
                        .map_or(Ok(()), |update| update.expect(text, &outcome));
                }
            }
            update.as_mut().map_or(Ok(()), |update| update.keep(text))
        })?;
        if let Some(config) = config.take() {
            play.player.configure(config.unwrap_or_else(empty))?;
        }
        report.end(&play.played)?;
        Ok(play.played)
    }
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

struct Play<'p> {
    player: &'p mut Player,
    played: Played,
}

impl Play<'_> {
    fn call(
        &mut self,
        number: usize,
        mut call: Call,
        report: &mut Report<impl Write>,
    ) -> Result<Result<Outcome, ScriptError>, String> {
        let expect = call.expect.take();
        let (socket, hook) = (call.socket, call.ask.hook());
        let about = call.ask.about().to_owned();
        let outcome = self.player.call(call)?;
        let unmet = expect.as_ref().filter(|it| !it.is_met(&outcome.show()));
        self.played.calls += 1;
        self.played.expected += usize::from(expect.is_some());
        self.played.unmet.extend(unmet.map(|_| number));
        let shown = report.call(&Shown {
            number,
            socket,
            hook,
            about: &about,
            outcome: &outcome,
            unmet,
        });
        Ok(shown.map(|()| outcome).map_err(ScriptError::Output))
    }
}

/// The file as it will be once its lines expect what has come of them.
pub(crate) struct Update {
    path: PathBuf,
    beside: PathBuf,
    file: io::BufWriter<std::fs::File>,
}

impl Update {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        Ok(Self {
            file: io::BufWriter::new(std::fs::File::create(&beside)?),
            path: path.to_owned(),
            beside,
        })
    }

    fn keep(&mut self, text: &str) -> Result<(), ScriptError> {
        Ok(self.file.write_all(text.as_bytes())?)
    }

    fn expect(&mut self, text: &str, outcome: &Outcome) -> Result<(), ScriptError> {
        let mut shown = outcome.show_answer();
        // Its words come from the engine and may differ another time.
        shown.without_reason();
        let shown = serde_json::to_string(&shown).map_err(io::Error::from)?;
        let line = line::expecting(text, &shown).map_err(io::Error::from)?;
        Ok(writeln!(self.file, "{line}")?)
    }

    /// In one step, so that nobody sees half of it.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        std::fs::rename(&self.beside, &self.path)
    }

    /// Leaves the file as it was.
    pub(crate) fn give_up(self) {
        // It is of no use to anyone; that it stays is no harm either.
        let _ = std::fs::remove_file(&self.beside);
    }
}
