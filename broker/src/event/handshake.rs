//! What came with the first request of a connection, packed: it is kept for as long as the connection is, and an idle
//! one is to cost little.

use std::sync::Arc;

use super::ClientCertificate;

/// Query, headers and certificate; all namespaces of a connection share them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Handshake {
    /// The query, and behind it the headers, each `name:value` and a line feed: neither a name nor a value has one, and
    /// no name has a colon.
    bytes: Box<[u8]>,
    /// Bytes of the query; the head of a request is far smaller than what this can say.
    query: u32,
    /// It came over TLS, as far as this node sees.
    is_secure: bool,
    /// Most clients have none.
    certificate: Option<Arc<ClientCertificate>>,
}

impl Handshake {
    /// Names of headers are to be in lower case.
    pub(crate) fn new<'a>(query: &str, headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut bytes = query.as_bytes().to_vec();
        for (name, value) in headers {
            bytes.extend(name.as_bytes());
            bytes.push(b':');
            bytes.extend(value);
            bytes.push(b'\n');
        }
        Self {
            bytes: bytes.into(),
            query: u32::try_from(query.len()).unwrap_or(u32::MAX),
            is_secure: false,
            certificate: None,
        }
    }

    /// The same of a client that has shown a certificate.
    pub(crate) fn shown_by(self, certificate: Option<Arc<ClientCertificate>>) -> Self {
        Self {
            certificate,
            ..self
        }
    }

    /// The same of a client whose first connection was under TLS, or not.
    pub(crate) fn under_tls(self, is_secure: bool) -> Self {
        Self { is_secure, ..self }
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// What the client has shown on its first connection.
    pub(crate) fn certificate(&self) -> Option<&Arc<ClientCertificate>> {
        self.certificate.as_ref()
    }

    /// The query, as it came.
    pub(crate) fn query(&self) -> &str {
        let query = self.bytes.get(..self.query as usize).unwrap_or_default();
        // It was text, and is whole.
        std::str::from_utf8(query).unwrap_or_default()
    }

    /// A header's first value; its name is written in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self
            .headers()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let lines = self.bytes.get(self.query as usize..).unwrap_or_default();
        lines.split(|byte| *byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at_checked(colon)?;
            Some((std::str::from_utf8(name).ok()?, value.get(1..)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let headers: [(&str, &[u8]); 3] = [
            ("host", b"example.com:80"),
            ("x-note", b"\xff:"),
            ("x-note", b"second"),
        ];
        let handshake = Handshake::new("a=b:c&d", headers.into_iter());
        assert_eq!(handshake.query(), "a=b:c&d");
        assert_eq!(handshake.header("Host"), Some(&b"example.com:80"[..]));
        assert_eq!(handshake.header("x-note"), Some(&b"\xff:"[..]));
        assert_eq!(handshake.header("a=b"), None);
        assert!(handshake.headers().eq(headers));
        assert_eq!(Handshake::default().headers().count(), 0);
    }
}
