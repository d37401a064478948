//! `[plugins]`: the folder from which policies are taken.

use std::path::PathBuf;

use super::section::Section;
use super::trust::TrustedKey;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plugins {
    /// A folder that exists, relative to the working directory or absolute.
    pub dir: Option<PathBuf>,
    pub watch: bool,
    /// A folder that is made if it is not there, and has to be the broker's own.
    pub cache: Option<PathBuf>,
    /// Modules have to be signed with one of these. Empty: none has to be.
    pub trusted_keys: Vec<TrustedKey>,
}

impl Plugins {
    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        let dir = s.live(|s| {
            s.optional::<PathBuf>(
                "dir",
                "policies",
                "A folder of policies: each .wasm in it that no [[policy]] names takes part too.",
            )
        });
        let dir = dir.map(|dir| s.resolve(&dir));
        if dir.as_ref().is_some_and(|dir| !dir.is_dir()) {
            s.complain("dir", "is not a folder", Some("a folder that exists"));
        }
        let watch = s.live(|s| {
            s.get(
                "watch",
                "true",
                "Policies and the configuration file are loaded again when they change.",
            )
        });
        let cache = s.optional::<PathBuf>(
            "cache",
            "/var/cache/sluice",
            "A folder for compiled modules, which makes starts faster; nobody else may write to it.",
        );
        let trusted_keys = s.live(|s| {
            s.optional::<Vec<TrustedKey>>(
                "trusted_keys",
                r#"["RWQjEyyB/whnODf9NSA1hvKivG1t/Momlml/QkKL38z4TQV82SS/qPO+"]"#,
                "Public keys (minisign). Modules that are not signed with one of them do not load.",
            )
        });
        if trusted_keys.as_ref().is_some_and(Vec::is_empty) {
            let what = "trusts nobody, so that no module loads";
            let expected = "a key, or no `trusted_keys` where modules need no signature";
            s.complain("trusted_keys", what, Some(expected));
        }
        Self {
            dir,
            watch,
            cache: cache.map(|cache| s.resolve(&cache)),
            trusted_keys: trusted_keys.unwrap_or_default(),
        }
    }
}
