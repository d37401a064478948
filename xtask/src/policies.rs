//! Builds policies into components and puts them where configurations and tests look for them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::setup;
use crate::workspace::{cargo, metadata, root, run, target, write_if_changed};

/// The folders whose crates are policies.
const FOLDERS: [&str; 3] = ["plugins", "examples/policies", "tests/policies"];

/// Builds every policy of the workspace. The folder of the modules.
pub(crate) fn build_all() -> Result<PathBuf> {
    build(&in_folders(&FOLDERS)?)
}

/// Builds the policies that are part of the product. The folder of the modules.
pub(crate) fn build_first_party() -> Result<PathBuf> {
    build(&first_party()?)
}

/// The names of the policies that are part of the product.
pub(crate) fn first_party() -> Result<Vec<String>> {
    in_folders(&FOLDERS[..1])
}

/// The names of the policies that have tests of their own: those of the product, and the examples.
pub(crate) fn tested() -> Result<Vec<String>> {
    in_folders(&FOLDERS[..2])
}

fn build(names: &[String]) -> Result<PathBuf> {
    setup::wasm_target()?;
    let mut command = cargo();
    command.args(["build", "--profile", "policy", "--target", "wasm32-wasip2"]);
    for name in names {
        command.args(["--package", name]);
    }
    run(&mut command)?;
    let built = target()?.join("wasm32-wasip2/policy");
    let folder = target()?.join("policies");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    for name in names {
        // The library that cargo makes has underscores; a policy's name has none.
        let from = built.join(format!("{}.wasm", name.replace('-', "_")));
        let module =
            std::fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
        write_if_changed(&folder.join(format!("{name}.wasm")), &module)?;
    }
    Ok(folder)
}

/// The names of the workspace's packages that lie in these folders.
fn in_folders(folders: &[&str]) -> Result<Vec<String>> {
    let packages = metadata()?["packages"]
        .as_array()
        .context("`cargo metadata` lists no packages")?;
    let is_policy = |package: &&Value| {
        let manifest = package["manifest_path"].as_str().map(Path::new);
        let folder = manifest.and_then(Path::parent).and_then(Path::parent);
        folders
            .iter()
            .any(|wanted| folder == Some(&root().join(wanted)))
    };
    let names = packages
        .iter()
        .filter(is_policy)
        .filter_map(|package| package["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}
