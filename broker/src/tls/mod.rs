//! TLS of the two listeners: what is configured (`settings`), read from `files` and chosen by the name that a client
//! asks for (`names`); the handshake of a connection (`handshake`), its state (`session`) and the `stream` that clients
//! are served on, which may as well be without TLS; and what a `certificate` says.
//!
//! What a listener serves with is replaced as a whole: connections go on with what they began with.

mod certificate;
mod files;
mod handshake;
mod session;
mod settings;
mod stream;

mod names;

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;

use crate::telemetry::events::{TlsCertificateExpired, TlsKeyExposed, TlsLoaded, TlsRenewalFailed};
pub(crate) use crate::telemetry::metrics::Listener;
use crate::telemetry::metrics::metrics;
pub(crate) use files::{Fault, Identity};
pub(crate) use handshake::Accepted;
pub(crate) use settings::{ClientAuth, Host, Loaded, MinVersion, Settings};
pub(crate) use stream::{Parted, ReadHalf, Stream, WriteHalf};

/// TLS of a listener, or that it has none.
pub(crate) struct Tls {
    listener: Listener,
    /// `None`: in plain text.
    now: ArcSwapOption<Loaded>,
}

/// What a listener is to serve with from now on.
pub(crate) enum Prepared {
    /// What it serves with already.
    Same,
    New(Option<Loaded>),
}

impl Tls {
    /// A listener that serves in plain text until it is told otherwise.
    pub(crate) fn new(listener: Listener) -> Self {
        Self {
            listener,
            now: ArcSwapOption::empty(),
        }
    }

    /// Reads and checks all files. Asks the file system, which may take its time: not to be done on a reactor.
    ///
    /// # Errors
    /// What is wrong, with the key of the configuration and the file.
    pub(crate) fn prepare(&self, settings: Option<&Settings>) -> Result<Prepared, String> {
        let loaded = settings.map(|settings| self.load(settings)).transpose()?;
        let now = self.now.load();
        let is_same = match (now.as_ref(), &loaded) {
            (Some(now), Some(new)) => now.digest == new.digest && now.settings == new.settings,
            (None, None) => true,
            _ => false,
        };
        Ok(match is_same {
            true => Prepared::Same,
            false => Prepared::New(loaded),
        })
    }

    fn load(&self, settings: &Settings) -> Result<Loaded, String> {
        let loaded = settings.clone().load();
        loaded.map_err(|fault| format!("{}.tls.{fault}", section(self.listener)))
    }

    /// Connections that begin from now on are served with this.
    pub(crate) fn commit(&self, prepared: Prepared) {
        let Prepared::New(loaded) = prepared else {
            return;
        };
        let loaded = loaded.map(Arc::new);
        let before = self.now.swap(loaded.clone());
        self.tell(before.as_deref(), loaded.as_deref());
    }

    /// What is served with, if there is TLS at all.
    pub(crate) fn serving(&self) -> Option<Arc<Loaded>> {
        self.now.load_full()
    }

    /// Takes up what the files of `before` hold now. Asks the file system.
    ///
    /// # Errors
    /// What is wrong with them; what was served with before goes on.
    pub(crate) fn renew(&self, before: &Arc<Loaded>) -> Result<(), String> {
        let loaded = self.load(&before.settings)?;
        if loaded.digest == before.digest {
            return Ok(());
        }
        let loaded = Arc::new(loaded);
        let was = self.now.compare_and_swap(before, Some(loaded.clone()));
        // Otherwise other settings have come meanwhile, with their files read.
        if was.as_ref().is_some_and(|was| Arc::ptr_eq(was, before)) {
            self.tell(Some(before), Some(&loaded));
        }
        Ok(())
    }

    /// Tells that a renewal has failed; once for as long as it is for the same reason.
    pub(crate) fn not_renewed(&self, reason: &str) {
        TlsRenewalFailed {
            listener: self.listener,
            reason,
        }
        .emit();
    }

    fn tell(&self, before: Option<&Loaded>, now: Option<&Loaded>) {
        let listener = self.listener;
        for shown in before.into_iter().flat_map(|before| &before.certificates) {
            metrics().tls.forget(listener, &shown.host);
        }
        let Some(now) = now else {
            return;
        };
        let today = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        for shown in &now.certificates {
            let (host, file) = (&*shown.host, &*shown.file);
            metrics().tls.expires(listener, host, shown.not_after);
            if shown.not_after < i64::try_from(today).unwrap_or(i64::MAX) {
                TlsCertificateExpired {
                    listener,
                    host,
                    file,
                }
                .emit();
            }
            if shown.is_exposed {
                TlsKeyExposed {
                    listener,
                    file: &shown.key,
                }
                .emit();
            }
        }
        TlsLoaded {
            listener,
            certificates: now.certificates.len(),
        }
        .emit();
    }
}

impl Loaded {
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }
}

fn section(listener: Listener) -> &'static str {
    match listener {
        Listener::Public => "server",
        Listener::Admin => "admin",
    }
}
