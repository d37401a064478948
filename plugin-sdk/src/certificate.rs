//! The certificate of a client.

use serde::Serialize;

/// A certificate that a client has shown the key of, signed by an authority of the operator's; see
/// [`current::client_certificate`](crate::current::client_certificate).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClientCertificate {
    /// As text of RFC 4514, what is said last in the certificate first: `CN=alice,O=Example`.
    pub subject: String,
    /// The last common name of the subject, as it is.
    pub common_name: Option<String>,
    /// Each with its kind: `DNS:a.example.com`, `email:a@example.com`, `URI:spiffe://example.com/a`, `IP:192.0.2.1`.
    pub alternative_names: Vec<String>,
    /// The SHA-256 of the certificate, as 64 lower-case hexadecimal digits.
    pub fingerprint: String,
}

impl ClientCertificate {
    /// One for a test, of a subject that has a common name only.
    ///
    /// ```
    /// use sluice_plugin_sdk::ClientCertificate;
    ///
    /// let certificate = ClientCertificate::named("alice").alternative_name("URI:spiffe://example.com/alice");
    /// assert_eq!(certificate.subject, "CN=alice");
    /// assert_eq!(certificate.common_name.as_deref(), Some("alice"));
    /// ```
    #[must_use]
    pub fn named(common_name: &str) -> Self {
        Self {
            subject: format!("CN={common_name}"),
            common_name: Some(common_name.to_owned()),
            alternative_names: Vec::new(),
            fingerprint: "0".repeat(64),
        }
    }

    /// The same with this subject.
    #[must_use]
    pub fn subject(self, subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            ..self
        }
    }

    /// The same with one more name.
    #[must_use]
    pub fn alternative_name(mut self, name: &str) -> Self {
        self.alternative_names.push(name.to_owned());
        self
    }

    /// The same with this fingerprint.
    #[must_use]
    pub fn fingerprint(self, fingerprint: &str) -> Self {
        Self {
            fingerprint: fingerprint.to_owned(),
            ..self
        }
    }
}
