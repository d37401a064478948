//! Which certificate a client is shown, by the host name that it asks for (RFC 6066, section 3).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// A certificate for each name, and one for everyone else.
pub(super) struct Names {
    default: Arc<CertifiedKey>,
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what is behind `*.`, which stands for one label.
    wild: HashMap<String, Arc<CertifiedKey>>,
}

impl Names {
    pub(super) fn new(default: Arc<CertifiedKey>) -> Self {
        Self {
            default,
            exact: HashMap::new(),
            wild: HashMap::new(),
        }
    }

    /// A name in lower case, or `*.` and one. The first certificate for it counts; false: there was one.
    pub(super) fn add(&mut self, name: &str, certificate: &Arc<CertifiedKey>) -> bool {
        let (names, name) = match name.strip_prefix("*.") {
            Some(behind) => (&mut self.wild, behind),
            None => (&mut self.exact, name),
        };
        if names.contains_key(name) {
            return false;
        }
        names.insert(name.to_owned(), Arc::clone(certificate));
        true
    }

    fn of(&self, name: &str) -> &Arc<CertifiedKey> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let wild = || self.wild.get(name.split_once('.')?.1);
        self.exact.get(&name).or_else(wild).unwrap_or(&self.default)
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let certificate = match hello.server_name() {
            Some(name) => self.of(name),
            None => &self.default,
        };
        Some(Arc::clone(certificate))
    }
}

/// Keys are not shown.
impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (exact, wild) = (self.exact.keys(), self.wild.keys());
        f.debug_set().entries(exact).entries(wild).finish()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey as Made, generate_simple_self_signed};
    use rustls::pki_types::PrivateKeyDer;

    use super::*;

    fn certificate() -> Arc<CertifiedKey> {
        let Made { cert, signing_key } = generate_simple_self_signed([]).unwrap();
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let provider = rustls::crypto::ring::default_provider();
        Arc::new(CertifiedKey::from_der(vec![cert.der().clone()], key, &provider).unwrap())
    }

    #[test]
    fn the_nearest_name_counts() {
        let [default, exact, wild] = [certificate(), certificate(), certificate()];
        let mut names = Names::new(default.clone());
        assert!(names.add("a.example.com", &exact));
        assert!(names.add("*.example.com", &wild));
        assert!(!names.add("a.example.com", &wild));
        for (name, expected) in [
            ("a.example.com", &exact),
            ("A.Example.COM.", &exact),
            ("b.example.com", &wild),
            ("a.b.example.com", &default),
            ("example.com", &default),
            ("com", &default),
            ("", &default),
        ] {
            assert!(Arc::ptr_eq(names.of(name), expected), "{name}");
        }
        assert!(!format!("{names:?}").contains("PRIVATE"));
    }
}
