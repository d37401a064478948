//! The plugin folder: modules that take part because they lie there, and the settings beside them. And the files of
//! modules wherever they are: read as a whole, written as a whole.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::{signature, watch};
use crate::config;

/// A module larger than this is not taken: a policy of that size is a mistake, or something else.
pub(crate) const MAX_MODULE: u64 = 64 << 20;

/// The bytes of a module, and the text of the signature that came with it, or why that cannot be read.
#[derive(Debug, Clone)]
pub(crate) struct Artifact {
    pub bytes: Bytes,
    pub signature: Result<Option<Arc<str>>, String>,
}

/// Modules in the plugin folder that no configured policy is or is made of, in the order of their names.
///
/// # Errors
/// Why it is not known what lies in the folder.
pub(super) fn dropped_in(config: &config::Config) -> io::Result<Vec<PathBuf>> {
    let Some(folder) = &config.plugins.dir else {
        return Ok(Vec::new());
    };
    let mut files = watch::modules(folder)?;
    let modules: HashSet<_> = config.policies.iter().map(|it| real(&it.module)).collect();
    files.retain(|file| {
        let name = stem(file);
        // Editors and copying programs leave hidden files behind.
        !name.starts_with('.')
            && is_there(file)
            && !modules.contains(&real(file))
            && config.policies.iter().all(|policy| policy.name != name)
    });
    Ok(files)
}

/// What a dropped-in module is to be run with.
///
/// # Errors
/// What is wrong with the settings beside it, in one line.
pub(super) fn drop_in(
    file: &Path,
    config: &config::Config,
    env: &config::Env,
) -> Result<config::DropIn, String> {
    let settings = file.with_extension("toml");
    let settings = is_there(&settings).then_some(settings);
    let drop_in = config::drop_in(file, settings.as_deref(), env)
        .map_err(|problems| problems.to_string().replace('\n', "; "))?;
    match drop_in.unknown_namespace(&config.namespaces) {
        Some(path) => Err(format!("namespaces: `{path}` is not configured")),
        None => Ok(drop_in),
    }
}

/// The name of the policy that a module in the folder becomes.
pub(super) fn stem(file: &Path) -> String {
    file.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// What stands at the path of a module.
pub(crate) fn read(module: &Path) -> Result<Artifact, String> {
    let failed = |error: io::Error| error.to_string();
    // Asked before it is opened: opening a pipe waits for who writes to it.
    if !fs::metadata(module).map_err(failed)?.is_file() {
        return Err("is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    fs::File::open(module)
        .and_then(|file| file.take(MAX_MODULE + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_MODULE {
        return Err(format!("larger than {} MiB", MAX_MODULE >> 20));
    }
    Ok(Artifact {
        bytes: bytes.into(),
        signature: signature::beside(module).map(|text| text.map(Arc::from)),
    })
}

/// The configured policy, another than `name`, that has this file as its module too.
pub(super) fn shared_with<'a>(
    module: &Path,
    name: &str,
    config: &'a config::Config,
) -> Option<&'a str> {
    let module = real(module);
    let mut others = config.policies.iter().filter(|other| other.name != name);
    let other = others.find(|other| real(&other.module) == module)?;
    Some(&other.name)
}

/// Puts a module at a path, as a whole: whoever reads finds the old one or the new one.
pub(super) fn write(module: &Path, artifact: &Artifact) -> io::Result<()> {
    if module.is_symlink() {
        // Neither the link nor what it leads to is the broker's to change: both belong to a deployment.
        return Err(io::Error::other("it is a link"));
    }
    let signature = signature::file_of(module);
    // Both are written before either takes its place.
    let new = Beside::write(module, &artifact.bytes)?;
    match &artifact.signature {
        Ok(Some(text)) => Beside::write(&signature, text.as_bytes())?.rename(&signature)?,
        // What is there is that of another module.
        Ok(None) | Err(_) => match fs::remove_file(&signature) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        },
    }
    new.rename(module)
}

/// Takes a module away, and its signature with it.
pub(super) fn remove(module: &Path) -> io::Result<()> {
    fs::remove_file(module)?;
    match fs::remove_file(signature::file_of(module)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file on its way, under a name that nobody takes for a module; removed unless it takes its place.
struct Beside(PathBuf);

impl Beside {
    fn write(file: &Path, bytes: &[u8]) -> io::Result<Self> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let path = file.with_file_name(format!(".{name}.{:016x}", rand::random::<u64>()));
        let mut new = fs::File::create_new(&path)?;
        let beside = Self(path);
        new.write_all(bytes)?;
        if let Ok(old) = fs::metadata(file) {
            new.set_permissions(old.permissions())?;
        }
        new.sync_all()?;
        Ok(beside)
    }

    fn rename(&self, to: &Path) -> io::Result<()> {
        fs::rename(&self.0, to)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Renamed, it is no longer there.
        let _ = fs::remove_file(&self.0);
    }
}

/// A file, or something that cannot be looked into: reading it will tell why. Taken for absent, a link to nowhere
/// would unload a policy, or strip it of its settings.
pub(super) fn is_there(file: &Path) -> bool {
    match fs::metadata(file) {
        Ok(found) => found.is_file(),
        Err(_) => fs::symlink_metadata(file).is_ok(),
    }
}

/// The same for every way to spell the path of a file.
fn real(file: &Path) -> PathBuf {
    file.canonicalize().unwrap_or_else(|_| file.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn config(dir: &Path, text: &str) -> config::Config {
        let path = dir.join("sluice.toml");
        fs::write(&path, format!("[plugins]\ndir = \"policies\"\n{text}")).unwrap();
        config::load(Some(&path), config::Env::default())
            .unwrap()
            .config
    }

    fn names(config: &config::Config) -> Vec<String> {
        let files = dropped_in(config).unwrap();
        files.iter().map(|file| stem(file)).collect()
    }

    fn folder(modules: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("policies")).unwrap();
        for module in modules {
            fs::write(dir.path().join("policies").join(module), "x").unwrap();
        }
        dir
    }

    #[test]
    fn what_no_policy_names_is_dropped_in() {
        let dir = folder(&[
            "b.wasm", "a.wasm", "c.wasm", ".b.wasm", "a.toml", "notes.md",
        ]);
        fs::create_dir(dir.path().join("policies/folder.wasm")).unwrap();
        let config = config(dir.path(), "[[policy]]\nname = \"c\"\n");
        assert_eq!(names(&config), ["a", "b"]);
    }

    #[test]
    fn a_module_takes_part_once_however_it_is_spelled() {
        let dir = folder(&["a.wasm"]);
        let absolute = dir.path().join("policies/a.wasm");
        let spellings = [
            "policies/a.wasm",
            "policies/../policies/./a.wasm",
            absolute.to_str().unwrap(),
        ];
        for spelling in spellings {
            let policy = format!("[[policy]]\nname = \"other\"\nmodule = \"{spelling}\"\n");
            assert!(names(&config(dir.path(), &policy)).is_empty(), "{spelling}");
        }
        symlink("policies", dir.path().join("link")).unwrap();
        let policy = "[[policy]]\nname = \"other\"\nmodule = \"link/a.wasm\"\n";
        assert!(names(&config(dir.path(), policy)).is_empty());
    }

    #[test]
    fn a_folder_that_is_gone_is_not_an_empty_one() {
        let dir = folder(&[]);
        let config = config(dir.path(), "");
        assert!(names(&config).is_empty());
        fs::remove_dir(dir.path().join("policies")).unwrap();
        assert!(dropped_in(&config).is_err());
    }

    #[test]
    fn a_link_to_nowhere_is_not_absent() {
        let dir = folder(&["b.wasm"]);
        symlink("gone", dir.path().join("policies/a.wasm")).unwrap();
        symlink("gone", dir.path().join("policies/b.toml")).unwrap();
        let config = config(dir.path(), "");
        assert_eq!(names(&config), ["a", "b"]);
        let b = dir.path().join("policies/b.wasm");
        assert!(drop_in(&b, &config, &config::Env::default()).is_err());
    }

    #[test]
    fn what_is_no_file_or_too_large_is_not_read() {
        let dir = folder(&["a.wasm"]);
        let read_one = read(&dir.path().join("policies/a.wasm")).unwrap();
        assert_eq!(read_one.bytes, "x");
        assert!(read(dir.path()).unwrap_err().contains("not a file"));
        let large = dir.path().join("large.wasm");
        fs::File::create(&large)
            .unwrap()
            .set_len(MAX_MODULE + 1)
            .unwrap();
        assert!(read(&large).unwrap_err().contains("64 MiB"));
    }
    #[test]
    fn a_module_is_written_as_a_whole_with_its_signature() {
        let dir = folder(&["a.wasm"]);
        let path = dir.path().join("policies/a.wasm");
        let artifact = |bytes: &'static str, signature: Option<&'static str>| Artifact {
            bytes: bytes.into(),
            signature: Ok(signature.map(Arc::from)),
        };
        write(&path, &artifact("new", Some("signed"))).unwrap();
        let there = read(&path).unwrap();
        assert_eq!(there.bytes, "new");
        assert_eq!(there.signature.unwrap().as_deref(), Some("signed"));
        write(&path, &artifact("newer", None)).unwrap();
        assert_eq!(read(&path).unwrap().signature, Ok(None));
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");

        // A link is somebody else's.
        symlink("a.wasm", dir.path().join("policies/b.wasm")).unwrap();
        assert!(write(&dir.path().join("policies/b.wasm"), &artifact("x", None)).is_err());
        // And a folder that is not there is not made.
        assert!(write(&dir.path().join("gone/a.wasm"), &artifact("x", None)).is_err());
        assert_eq!(read(&path).unwrap().bytes, "newer");
    }
}
