//! The environment, captured once: the process's variables and, behind them, a `.env` file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::problem::Problem;

/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "SLUICE_";
/// Names the configuration file, so it can name no key in it.
pub(crate) const FILE_VARIABLE: &str = "SLUICE_CONFIG";

/// The variables that a configuration is read with. A value passed to the process wins over one from the file.
#[derive(Clone, Default)]
pub(crate) struct Env {
    process: BTreeMap<String, String>,
    /// Names of variables whose values are not UTF-8.
    garbled: Vec<String>,
    file: Option<DotEnv>,
}

#[derive(Clone)]
struct DotEnv {
    path: PathBuf,
    variables: BTreeMap<String, String>,
}

/// One `SLUICE_` variable.
pub(super) struct Variable<'a> {
    pub name: &'a str,
    /// `Err` when it is not UTF-8.
    pub value: Result<&'a str, ()>,
    /// As it is shown in a problem.
    pub origin: String,
}

impl Env {
    pub(crate) fn from_process() -> Self {
        let mut env = Self::default();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => _ = env.process.insert(name, value),
                Err(_) => env.garbled.push(name),
            }
        }
        env
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let from_file = || self.file.as_ref()?.variables.get(name);
        self.process
            .get(name)
            .or_else(from_file)
            .map(String::as_str)
    }

    /// Reads the `.env` of a folder, in place of one read before, and returns its path if there is one.
    pub(super) fn read_file(
        &mut self,
        folder: &Path,
        problems: &mut Vec<Problem>,
    ) -> Option<PathBuf> {
        self.file = None;
        let path = folder.join(".env");
        // A folder of that name is somebody's virtual environment.
        if !path.is_file() {
            return None;
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let variables = parse(&text, &path, problems);
                self.file = Some(DotEnv {
                    path: path.clone(),
                    variables,
                });
            }
            Err(error) => problems.push(Problem::of_source(
                path.display().to_string(),
                format!("cannot be read: {error}"),
            )),
        }
        Some(path)
    }

    /// The variables that have to name keys, in order of their names.
    pub(super) fn settings(&self) -> Vec<Variable<'_>> {
        let process = self.process.iter().map(|(name, value)| Variable {
            name,
            value: Ok(value),
            origin: name.clone(),
        });
        let garbled = self.garbled.iter().map(|name| Variable {
            name,
            value: Err(()),
            origin: name.clone(),
        });
        let file = self.file.iter().flat_map(|file| {
            let hidden =
                |name: &String| self.process.contains_key(name) || self.garbled.contains(name);
            file.variables
                .iter()
                .filter(move |(name, _)| !hidden(name))
                .map(|(name, value)| Variable {
                    name,
                    value: Ok(value),
                    origin: format!("{name} in {}", file.path.display()),
                })
        });
        let mut all: Vec<_> = process
            .chain(garbled)
            .filter(|variable| variable.name != FILE_VARIABLE)
            .chain(file)
            .filter(|variable| variable.name.starts_with(PREFIX))
            .filter(|variable| !is_service_link(variable))
            .collect();
        all.sort_by(|a, b| a.name.cmp(b.name));
        all
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let process = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            process,
            ..Self::default()
        }
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.iter().flat_map(|file| file.variables.keys());
        f.debug_set()
            .entries(self.process.keys().chain(file))
            .finish()
    }
}

/// The first of two lines for one name counts. A line that cannot be read is never shown: it may hold a secret.
fn parse(text: &str, path: &Path, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let text = text.trim_start_matches('\u{feff}');
    let mut variables = BTreeMap::new();
    for item in dotenvy::from_read_iter(text.as_bytes()) {
        match item {
            Ok((name, value)) => _ = variables.entry(name).or_insert(value),
            Err(dotenvy::Error::LineParse(line, _)) => {
                let number = text
                    .find(line.trim_end())
                    .and_then(|start| text.get(..start))
                    .map(|before| before.matches('\n').count() + 1);
                let origin = match number {
                    Some(number) => format!("{}:{number}", path.display()),
                    None => path.display().to_string(),
                };
                problems.push(Problem::of_source(origin, "is not of the form NAME=value"));
            }
            Err(_) => {
                let origin = path.display().to_string();
                problems.push(Problem::of_source(origin, "cannot be read"));
                break;
            }
        }
    }
    variables
}

/// Kubernetes gives every pod variables about each service in its namespace; those of a service named `sluice`
/// (`SLUICE_SERVICE_HOST`, `SLUICE_PORT=tcp://…`, `SLUICE_PORT_3000_TCP_ADDR`) look like ours and are not.
fn is_service_link(variable: &Variable<'_>) -> bool {
    let Some(rest) = variable.name.strip_prefix("SLUICE") else {
        return false;
    };
    let numbered_port = || {
        let (_, port) = rest.rsplit_once("_PORT_")?;
        let port = port.trim_start_matches(|c: char| c.is_ascii_digit());
        ["_TCP", "_UDP", "_SCTP"]
            .iter()
            .find_map(|protocol| port.strip_prefix(protocol))
            .filter(|field| matches!(*field, "" | "_PROTO" | "_PORT" | "_ADDR"))
    };
    let is_url = || variable.value.is_ok_and(|value| value.contains("://"));
    !rest.contains("__")
        && (rest.ends_with("_SERVICE_HOST")
            || rest.contains("_SERVICE_PORT")
            || (rest.ends_with("_PORT") && is_url())
            || numbered_port().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignores_what_kubernetes_says_about_services() {
        let env = Env::from_iter([
            ("SLUICE_SERVICE_HOST", "10.0.0.1"),
            ("SLUICE_SERVICE_PORT", "3000"),
            ("SLUICE_SERVICE_PORT_HTTP", "3000"),
            ("SLUICE_PORT", "tcp://10.0.0.1:3000"),
            ("SLUICE_PORT_3000_TCP", "tcp://10.0.0.1:3000"),
            ("SLUICE_PORT_3000_TCP_PORT", "3000"),
            ("SLUICE_ADMIN_PORT_9090_TCP_ADDR", "10.0.0.2"),
            ("SLUICE_CONFIG", "x.toml"),
            ("OTHER", "x"),
        ]);
        assert!(env.settings().is_empty());
        let env = Env::from_iter([("SLUICE_PORT", "3000"), ("SLUICE_ADMIN__PORT", "a://b")]);
        assert_eq!(env.settings().len(), 2);
    }

    #[test]
    fn debug_shows_names_only() {
        let env = Env::from_iter([("NAME", "hunter2")]);
        assert_eq!(format!("{env:?}"), "{\"NAME\"}");
    }
}
