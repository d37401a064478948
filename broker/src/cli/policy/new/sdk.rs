//! The SDK as it lies in the binary, made to stand outside this workspace.

use super::manifest;

include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// The name of its crate.
pub(super) const NAME: &str = "sluice-plugin-sdk";

/// Its files, named from its folder.
///
/// # Errors
/// A manifest asks the workspace for something that it does not have.
pub(super) fn files() -> anyhow::Result<Vec<(&'static str, String)>> {
    let workspace = manifest::workspace(WORKSPACE)?;
    let files = SDK.iter().map(|(name, text)| {
        let text = match name.ends_with("Cargo.toml") {
            true => manifest::standalone(text, &workspace)?,
            false => (*text).to_owned(),
        };
        Ok((*name, text))
    });
    files.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_whole() {
        let files = files().unwrap();
        for file in [
            "Cargo.toml",
            "src/lib.rs",
            "src/prelude.rs",
            "wit/policy.wit",
        ] {
            assert!(files.iter().any(|(name, _)| *name == file), "{file}");
        }
        let (_, manifest) = files
            .iter()
            .find(|(name, _)| *name == "Cargo.toml")
            .unwrap();
        assert!(!manifest.contains("workspace"), "{manifest}");
    }
}
