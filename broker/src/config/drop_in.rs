//! The settings of a policy that was dropped into the folder: `NAME.toml` beside `NAME.wasm`.

use std::path::Path;

use ::config::Map;

use super::env::Env;
use super::file::File;
use super::namespace::Namespace;
use super::policy::{self, Policy};
use super::problem::{Problem, Problems};
use super::reader::Reader;
use super::section::Section;

/// A policy that no `[[policy]]` names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DropIn {
    pub policy: Policy,
    /// Paths of namespaces as they are configured; `None` stands for all.
    pub namespaces: Option<Vec<String>>,
}

/// Reads what a dropped-in module is to be run with. Without a file, its configuration is empty and nothing is
/// granted. `env` is that of the loaded configuration ([`Loaded::env`](super::Loaded::env)).
pub(crate) fn drop_in(wasm: &Path, toml: Option<&Path>, env: &Env) -> Result<DropIn, Problems> {
    let mut problems = Vec::new();
    let name = wasm.file_stem().unwrap_or_default().to_string_lossy();
    if !policy::is_name(&name) {
        problems.push(Problem::of_source(
            wasm.display().to_string(),
            format!(
                "the file's name is not a policy's; expected {}",
                policy::NAME
            ),
        ));
    }
    let file = match toml {
        Some(toml) => match File::read(toml, &mut problems) {
            Some(file) => Some(file),
            None => return Err(Problems(problems)),
        },
        None => None,
    };
    let table = file.as_ref().map(|file| file.values.clone());
    let mut reader = Reader {
        file: file.as_ref(),
        problems,
        ..Reader::new(env, wasm.parent().unwrap_or(Path::new("")))
    };
    let drop_in = Section::root(&mut reader, table.unwrap_or_default(), |s| {
        for key in ["name", "module"] {
            s.refuse(key, "is given by the name of the module's file");
        }
        DropIn {
            policy: Policy {
                name: name.into_owned(),
                module: wasm.to_owned(),
                ..Policy::read_terms(s)
            },
            namespaces: s.optional("namespaces", r#"["/"]"#, "The namespaces to take part in."),
        }
    });
    Problems(reader.problems).into_result().map(|()| drop_in)
}

impl Policy {
    /// A policy that nothing is configured for.
    pub(crate) fn defaults(name: &str, module: &Path) -> Self {
        let env = Env::default();
        let mut reader = Reader::new(&env, Path::new(""));
        Section::root(&mut reader, Map::new(), |s| Self {
            name: name.to_owned(),
            module: module.to_owned(),
            ..Self::read_terms(s)
        })
    }
}

impl DropIn {
    /// The first of its namespaces that is not configured: the drop-in would wait for it in vain.
    pub(crate) fn unknown_namespace(&self, configured: &[Namespace]) -> Option<&str> {
        let known = |path: &&String| configured.iter().any(|namespace| namespace.path == **path);
        let mut unknown = self.namespaces.iter().flatten().filter(|path| !known(path));
        unknown.next().map(String::as_str)
    }
}
