//! `server.client_files`: the official client, served beside the endpoint.

use std::path::PathBuf;

use super::section::Section;

/// Every build of it in the npm package; a map stands beside each.
pub(crate) const BUILDS: [&str; 4] = [
    "socket.io.js",
    "socket.io.min.js",
    "socket.io.esm.min.js",
    "socket.io.msgpack.min.js",
];

const KEY: &str = "client_files";

/// The folder; `None`: the client is not served, or a problem has been reported.
pub(super) fn read(s: &mut Section<'_, '_>) -> Option<PathBuf> {
    let folder: Option<PathBuf> = s.optional(
        KEY,
        "node_modules/socket.io-client/dist",
        "The `dist` folder of npm's socket.io-client, whose files are served below `path` (`/socket.io/socket.io.js`).",
    );
    let folder = s.resolve(&folder?);
    if !BUILDS.iter().any(|build| folder.join(build).is_file()) {
        s.complain(
            KEY,
            "is no folder with the client in it",
            Some("the `dist` folder of npm's socket.io-client"),
        );
        return None;
    }
    Some(folder)
}
