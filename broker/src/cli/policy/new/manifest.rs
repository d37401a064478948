//! Cargo's files of the SDK, without the workspace that they are part of.

use std::collections::BTreeSet;

use anyhow::Context as _;
use toml::{Table, Value};

/// Where the SDK lies in the workspace.
const SDK_FOLDER: &str = "plugin-sdk/";

/// The `[workspace]` of a manifest.
pub(super) fn workspace(manifest: &str) -> anyhow::Result<Table> {
    let manifest: Table = manifest.parse()?;
    table(&manifest, "workspace")
}

/// A manifest with what it inherits filled in, and without what only the workspace's own tests need.
pub(super) fn standalone(manifest: &str, workspace: &Table) -> anyhow::Result<String> {
    let mut manifest: Table = manifest.parse()?;
    let given = table(workspace, "package")?;
    for (key, value) in entries(&mut manifest, "package") {
        if is_inherited(value) {
            *value = given.get(key).context("no such key")?.clone();
        }
    }
    if manifest.get("lints").is_some_and(is_inherited) {
        let lints = table(workspace, "lints")?;
        manifest.insert("lints".to_owned(), Value::Table(lints));
    }
    dependencies(&mut manifest, workspace)?;
    for (_, target) in entries(&mut manifest, "target") {
        if let Value::Table(target) = target {
            dependencies(target, workspace)?;
        }
    }
    Ok(toml::to_string(&manifest)?)
}

fn dependencies(of: &mut Table, workspace: &Table) -> anyhow::Result<()> {
    of.remove("dev-dependencies");
    let given = table(workspace, "dependencies")?;
    for (name, value) in entries(of, "dependencies") {
        if is_inherited(value) {
            let given = given.get(name).context("no such dependency")?;
            *value = Value::Table(dependency(given, value));
        }
    }
    Ok(())
}

/// What the workspace says of a dependency, and what one of its crates adds.
fn dependency(given: &Value, own: &Value) -> Table {
    let mut all = match given {
        Value::Table(given) => given.clone(),
        version => Table::from_iter([("version".to_owned(), version.clone())]),
    };
    for (key, value) in own.as_table().into_iter().flatten() {
        match (all.get_mut(key), value) {
            _ if key == "workspace" => {}
            // Features add up, everything else is said once.
            (Some(Value::Array(features)), Value::Array(more)) => features.extend(more.clone()),
            _ => _ = all.insert(key.clone(), value.clone()),
        }
    }
    if let Some(Value::String(path)) = all.get_mut("path") {
        *path = path.strip_prefix(SDK_FOLDER).unwrap_or(path).to_owned();
    }
    all
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

fn table(of: &Table, key: &str) -> anyhow::Result<Table> {
    let table = of.get(key).and_then(Value::as_table);
    Ok(table.with_context(|| format!("no [{key}]"))?.clone())
}

fn entries<'a>(of: &'a mut Table, key: &str) -> impl Iterator<Item = (&'a String, &'a mut Value)> {
    let table = of.get_mut(key).and_then(Value::as_table_mut);
    table.into_iter().flatten()
}

/// The part of a lock that a package needs: with the versions that are known to work together, a new crate does not
/// depend on what is published the day it is made.
pub(super) fn lock(lock: &str, package: &str) -> anyhow::Result<String> {
    let mut lock: Table = lock.parse()?;
    let Some(Value::Array(packages)) = lock.get_mut("package") else {
        anyhow::bail!("no packages");
    };
    let mut needed = BTreeSet::new();
    let mut open = vec![package.to_owned()];
    while let Some(name) = open.pop() {
        let of_this_name = packages.iter().filter(|it| name_of(it) == name);
        let dependencies = of_this_name.filter_map(|it| it.get("dependencies")?.as_array());
        // A name, and where there are several of that name a version.
        let names = dependencies
            .flatten()
            .filter_map(|it| it.as_str()?.split(' ').next());
        let names: Vec<_> = names.map(str::to_owned).collect();
        if needed.insert(name) {
            open.extend(names);
        }
    }
    packages.retain(|it| needed.contains(name_of(it)));
    Ok(toml::to_string(&lock)?)
}

fn name_of(package: &Value) -> &str {
    package
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: &str = r#"
        [workspace.package]
        edition = "2024"
        [workspace.dependencies]
        a = "1"
        b = { version = "2", features = ["x"] }
        c = { path = "plugin-sdk/macros" }
        [workspace.lints.rust]
        unsafe_code = "deny"
    "#;

    #[test]
    fn what_is_inherited_is_filled_in() {
        let manifest = r#"
            [package]
            name = "sdk"
            edition.workspace = true
            [dependencies]
            a.workspace = true
            c.workspace = true
            d = "4"
            [target.'cfg(unix)'.dependencies]
            b = { workspace = true, features = ["y"], optional = true }
            [dev-dependencies]
            nowhere.workspace = true
            [lints]
            workspace = true
        "#;
        let expected: Table = r#"
            [package]
            name = "sdk"
            edition = "2024"
            [dependencies]
            a = { version = "1" }
            c = { path = "macros" }
            d = "4"
            [target.'cfg(unix)'.dependencies]
            b = { version = "2", features = ["x", "y"], optional = true }
            [lints.rust]
            unsafe_code = "deny"
        "#
        .parse()
        .unwrap();
        let workspace = workspace(WORKSPACE).unwrap();
        let manifest: Table = standalone(manifest, &workspace).unwrap().parse().unwrap();
        assert_eq!(manifest, expected);
        assert!(standalone("[dependencies]\nz.workspace = true\n", &workspace).is_err());
    }

    #[test]
    fn a_lock_is_cut_down_to_what_is_needed() {
        let text = r#"
            version = 4
            [[package]]
            name = "sdk"
            version = "0.1.0"
            dependencies = ["a", "b 2.0.0"]
            [[package]]
            name = "a"
            version = "1.0.0"
            dependencies = ["sdk"]
            [[package]]
            name = "b"
            version = "2.0.0"
            [[package]]
            name = "other"
            version = "1.0.0"
            dependencies = ["a"]
        "#;
        let cut: Table = lock(text, "sdk").unwrap().parse().unwrap();
        let names = cut["package"].as_array().unwrap().iter().map(name_of);
        assert_eq!(names.collect::<Vec<_>>(), ["sdk", "a", "b"]);
        assert_eq!(cut["version"].as_integer(), Some(4));
    }
}
