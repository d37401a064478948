//! What a client's certificate says of it.

/// A certificate that a client has shown the key of, and that an authority of the operator's has signed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientCertificate {
    /// As text of RFC 4514: `CN=alice,O=Example`.
    pub subject: String,
    /// The last common name of the subject, unescaped.
    #[serde(default)]
    pub common_name: Option<String>,
    /// `DNS:…`, `email:…`, `URI:…` and `IP:…`, in the order of the certificate.
    #[serde(default)]
    pub alternative_names: Vec<String>,
    /// The SHA-256 of the certificate, as 64 lower-case hexadecimal digits.
    #[serde(default)]
    pub fingerprint: String,
}
