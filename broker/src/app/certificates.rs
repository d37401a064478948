//! The certificates of both listeners: read at the start, and again when their files change, whoever renews them.

use std::sync::Arc;
use std::time::Instant;

use crate::cli::Exit;
use crate::config::Config;
use crate::plugin::{Fingerprint, Settling, Watched};
use crate::tls::{Listener, Tls};

#[derive(Clone)]
pub(super) struct Certificates {
    pub public: Arc<Tls>,
    pub admin: Arc<Tls>,
}

impl Certificates {
    pub(super) fn load(config: &Config) -> Result<Self, Exit> {
        let of = |listener, settings: &Option<_>| -> Result<_, Exit> {
            let tls = Tls::new(listener);
            let prepared = tls.prepare(settings.as_ref());
            tls.commit(prepared.map_err(Exit::Configuration)?);
            Ok(Arc::new(tls))
        };
        Ok(Self {
            public: of(Listener::Public, &config.server.tls)?,
            admin: of(Listener::Admin, &config.admin.tls)?,
        })
    }

    /// Reads and checks all files of other settings; what it answers puts them in place.
    pub(super) fn prepare(
        &self,
        config: &Config,
    ) -> Result<impl FnOnce() + Send + 'static, Vec<String>> {
        let public = self.public.prepare(config.server.tls.as_ref());
        let admin = self.admin.prepare(config.admin.tls.as_ref());
        let this = self.clone();
        match (public, admin) {
            (Ok(public), Ok(admin)) => Ok(move || {
                this.public.commit(public);
                this.admin.commit(admin);
            }),
            (public, admin) => Err([public.err(), admin.err()].into_iter().flatten().collect()),
        }
    }

    /// Takes up what becomes of the files, for as long as the process lives.
    pub(super) fn follow(&self) {
        for tls in [&self.public, &self.admin] {
            tokio::spawn(follow(Arc::clone(tls)));
        }
    }
}

/// Settings that are replaced meanwhile have their own files followed from then on.
async fn follow(tls: Arc<Tls>) {
    let mut settling = Settling::new();
    let mut told = None;
    loop {
        tokio::time::sleep(settling.pause()).await;
        let Some(serving) = tls.serving() else {
            continue;
        };
        let (listener, begun) = (tls.clone(), Instant::now());
        // A file system that hangs holds up this task only.
        let looked = tokio::task::spawn_blocking(move || {
            let seen = Fingerprint::of(&Watched {
                files: serving.settings().files(),
                modules: None,
            });
            let renewed = settling
                .see(seen, Instant::now())
                .then(|| listener.renew(&serving));
            (settling, renewed)
        });
        let Ok((back, renewed)) = looked.await else {
            // It panicked, which has been told: what serves goes on.
            return;
        };
        settling = back;
        let Some(renewed) = renewed else {
            continue;
        };
        settling.loaded(renewed.is_err(), begun.elapsed(), Instant::now());
        let reason = renewed.err();
        if let Some(reason) = reason
            .as_ref()
            .filter(|reason| told.as_ref() != Some(*reason))
        {
            tls.not_renewed(reason);
        }
        told = reason;
    }
}
