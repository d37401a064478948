//! `[plugins]`: the folder from which policies are taken.

use std::path::PathBuf;

use super::section::Section;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plugins {
    /// A folder that exists, relative to the working directory or absolute.
    pub dir: Option<PathBuf>,
    pub watch: bool,
}

impl Plugins {
    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        let dir = s.optional::<PathBuf>(
            "dir",
            "policies",
            "A folder of policies: each .wasm in it that no [[policy]] names takes part too.",
        );
        let dir = dir.map(|dir| s.resolve(&dir));
        if dir.as_ref().is_some_and(|dir| !dir.is_dir()) {
            s.complain("dir", "is not a folder", Some("a folder that exists"));
        }
        let watch = s.get(
            "watch",
            "true",
            "Policies and the configuration file are loaded again when they change.",
        );
        s.later(&["trusted_keys"]);
        Self { dir, watch }
    }
}
