//! Compiled modules on disk, so that a start does not compile what an earlier one has.
//!
//! Compiled code is machine code, which the engine runs as it is: who can put it into the folder runs what they like
//! as the broker. An entry therefore counts only with a code (HMAC-SHA256) over the module's digest, the engine and
//! all of its bytes, made with a key that only the broker's user can read. That is safe against who can write files
//! there and not read the key: a copy of the folder from elsewhere, an image or a backup that was tampered with, a
//! volume that others mount, and against damage. It is not against the broker's own user or root, who need no cache to
//! run what they like. The folder is refused if others may write to it, the key if others may read it.
//!
//! Which modules may be loaded is decided before, from the module's bytes, each time.

mod file;
mod folder;

use std::hash::{Hash as _, Hasher};
use std::path::{Path, PathBuf};
use std::time::Instant;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::module::Digest;
use crate::hex::Hex;
use crate::telemetry::events::{CacheEntryRejected, CacheUnwritable, ModuleReady};
use crate::telemetry::metrics::Compiled;

/// The form of an entry: this, the code, the compiled module.
const MAGIC: &[u8; 16] = b"sluice-module-1\n";
const CODE_BYTES: usize = 32;

/// A larger file is not looked into.
const MAX_ENTRY: u64 = 256 << 20;

/// A folder of compiled modules, which one engine may use.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    key: [u8; file::KEY_BYTES],
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("plugins.cache: {}: {reason}", path.display())]
pub(crate) struct Unusable {
    path: PathBuf,
    reason: String,
}

impl Cache {
    /// Makes the folder and its key if they are not there.
    ///
    /// # Errors
    /// The folder cannot be made, or others than the broker's user could put something into it.
    pub(crate) fn open(dir: &Path) -> Result<Self, Unusable> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |reason: String| Unusable { path, reason }
        };
        folder::prepare(dir).map_err(unusable(dir))?;
        let key = file::key(dir).map_err(unusable(&file::key_path(dir)))?;
        Ok(Self {
            dir: dir.to_owned(),
            key,
        })
    }

    /// The entry of a module that was compiled before, if there is one that can be trusted.
    fn load(&self, engine: &Engine, digest: Digest) -> Option<Component> {
        let path = self.path(engine, digest);
        let bytes = match file::read(&path, MAX_ENTRY) {
            Ok(bytes) => bytes?,
            Err(reason) => return rejected(&path, &reason),
        };
        let Some(compiled) = self.verified(engine, digest, &bytes) else {
            return rejected(&path, "it is damaged, or not made by this broker");
        };
        match deserialize(engine, compiled) {
            Ok(component) => {
                file::touch(&path);
                Some(component)
            }
            // Made on another kind of processor, for instance.
            Err(error) => rejected(&path, &error.to_string()),
        }
    }

    /// The compiled module in an entry, if the entry is one of this cache for this module and engine.
    fn verified<'a>(
        &self,
        engine: &Engine,
        digest: Digest,
        entry: &'a [u8],
    ) -> Option<Verified<'a>> {
        let rest = entry.strip_prefix(MAGIC)?;
        let (code, compiled) = rest.split_at_checked(CODE_BYTES)?;
        let expected = self.code(&fingerprint(engine), digest, compiled);
        expected.verify_slice(code).ok()?;
        Some(Verified(compiled))
    }

    fn store(&self, engine: &Engine, digest: Digest, component: &Component) {
        let path = self.path(engine, digest);
        let stored = component
            .serialize()
            .map_err(|error| error.to_string())
            .and_then(|compiled| {
                let code = self.code(&fingerprint(engine), digest, &compiled);
                let code = code.finalize().into_bytes();
                file::replace(&path, &[MAGIC, &code, &compiled]).map_err(|error| error.to_string())
            })
            .and_then(|()| folder::prune(&self.dir).map_err(|error| error.to_string()));
        if let Err(reason) = stored {
            CacheUnwritable {
                file: &path,
                reason: &reason,
            }
            .emit();
        }
    }

    fn code(&self, fingerprint: &[u8; 32], digest: Digest, compiled: &[u8]) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let mut code = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key");
        // Each of a length that is known, but for the last.
        code.update(MAGIC);
        code.update(fingerprint);
        code.update(digest.as_bytes());
        code.update(compiled);
        code
    }

    fn path(&self, engine: &Engine, digest: Digest) -> PathBuf {
        let engine = fingerprint(engine);
        let (module, engine) = (Hex(digest.as_bytes()), Hex(&engine[..8]));
        self.dir
            .join(format!("{module}-{engine}.{}", folder::ENTRY))
    }
}

/// Compiles a module, or takes it from the cache: tens of milliseconds of work, or less than one.
///
/// # Errors
/// It is not a whole component.
pub(super) fn component(
    engine: &super::Engine,
    digest: Digest,
    bytes: &[u8],
) -> wasmtime::Result<(Component, Compiled)> {
    take_or_compile(&engine.wasm, engine.cache.as_ref(), digest, bytes)
}

fn take_or_compile(
    engine: &Engine,
    cache: Option<&Cache>,
    digest: Digest,
    bytes: &[u8],
) -> wasmtime::Result<(Component, Compiled)> {
    let begin = Instant::now();
    let ready = |compiled| {
        ModuleReady {
            digest: &digest.to_string(),
            compiled,
            took: begin.elapsed(),
        }
        .emit();
        compiled
    };
    if let Some(component) = cache.and_then(|cache| cache.load(engine, digest)) {
        return Ok((component, ready(Compiled::Cache)));
    }
    let component = Component::new(engine, bytes)?;
    if let Some(cache) = cache {
        cache.store(engine, digest, &component);
    }
    Ok((component, ready(Compiled::Fresh)))
}

/// Bytes whose code has been checked.
struct Verified<'a>(&'a [u8]);

#[expect(
    unsafe_code,
    reason = "compiled modules come back no other way; what is loaded has been checked against its code"
)]
fn deserialize(engine: &Engine, Verified(compiled): Verified<'_>) -> wasmtime::Result<Component> {
    // SAFETY: the bytes have to be what `Component::serialize` made. They are in memory that nobody else writes to, and
    // their code says that this cache's key signed them: as what `store` had from `serialize`, for an engine of the same
    // version and settings. The engine's own header is compared too, features of the processor included.
    unsafe { Component::deserialize(engine, compiled) }
}

/// What makes two engines able to run each other's compiled modules, and our version beside it.
fn fingerprint(engine: &Engine) -> [u8; 32] {
    let mut hasher = Sha(Sha256::new());
    hasher.write(env!("CARGO_PKG_VERSION").as_bytes());
    hasher.write_u8(0);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}

/// The standard hashers may change with the compiler, and are no digests.
struct Sha(Sha256);

impl Hasher for Sha {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Nobody asks: the whole digest is what is wanted.
    fn finish(&self) -> u64 {
        0
    }
}

fn rejected<T>(file: &Path, reason: &str) -> Option<T> {
    CacheEntryRejected { file, reason }.emit();
    None
}

#[cfg(test)]
mod tests;
