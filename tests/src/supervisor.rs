//! What systemd is to a service that speaks sd_notify(3): a socket that takes datagrams.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Instant;

use tempfile::TempDir;

use crate::PATIENCE;

/// Takes what a broker says to its supervisor.
pub struct Supervisor {
    socket: UnixDatagram,
    path: PathBuf,
    _dir: TempDir,
}

impl Supervisor {
    #[expect(clippy::new_without_default, reason = "it binds a socket")]
    pub fn new() -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        Self {
            socket,
            path,
            _dir: dir,
        }
    }

    /// What `NOTIFY_SOCKET` is to be.
    pub fn address(&self) -> &str {
        self.path.to_str().expect("a path in UTF-8")
    }

    /// The lines of what is said next.
    ///
    /// # Panics
    ///
    /// When nothing is said.
    pub fn next(&self) -> Vec<String> {
        let mut text = [0; 4096];
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = self.socket.recv(&mut text).expect("something that is said");
        let text = String::from_utf8_lossy(&text[..length]);
        text.lines().map(str::to_owned).collect()
    }

    /// Passes over what is said until a line begins like this: all that is said with it.
    ///
    /// # Panics
    ///
    /// When it does not come.
    pub fn until(&self, beginning: &str) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lines = self.next();
            if lines.iter().any(|line| line.starts_with(beginning)) {
                return lines;
            }
            assert!(
                Instant::now() < deadline,
                "waited for {beginning}, last: {lines:?}"
            );
        }
    }
}
