//! Which modules are trusted: public keys that sign them, and digests that pin one.

use std::fmt;

use config::ValueKind;
use minisign::PublicKey;

use super::setting::{Setting, Wrong};

/// A public key in minisign's format.
#[derive(Clone)]
pub(crate) struct TrustedKey(PublicKey);

impl TrustedKey {
    /// Reads a key as minisign prints it: one line of base64.
    pub(crate) fn from_base64(text: &str) -> Option<Self> {
        // The length is that of the kind of key, its number and its 32 bytes.
        let key = PublicKey::from_base64(text).ok()?;
        // The only kind of key that minisign has.
        key.to_bytes().starts_with(b"Ed").then_some(Self(key))
    }

    /// What tells keys apart, as minisign shows it.
    pub(crate) fn id(&self) -> String {
        key_id(self.0.keynum())
    }

    pub(crate) fn as_minisign(&self) -> &PublicKey {
        &self.0
    }
}

/// The number of a key, which stands in its signatures too, as minisign shows it.
pub(crate) fn key_id(number: &[u8]) -> String {
    number.iter().rev().map(|b| format!("{b:02X}")).collect()
}

impl PartialEq for TrustedKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bytes() == other.0.to_bytes()
    }
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedKey({})", self.id())
    }
}

impl Setting for Vec<TrustedKey> {
    const EXPECTED: &'static str =
        r#"a list of public keys as minisign prints them, such as `["RWQ…"]`"#;
    const TYPE: &'static str = "list of minisign public keys";
    const QUOTED: bool = false;

    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "array", "items": { "type": "string", "pattern": "^RW" } })
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        keys(&Vec::from_text(text)?)
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        keys(&Vec::from_value(value)?)
    }
}

fn keys(texts: &[String]) -> Result<Vec<TrustedKey>, Wrong> {
    let key = |text: &String| {
        TrustedKey::from_base64(text)
            .ok_or_else(|| Wrong::new("holds something that is no such key"))
    };
    texts.iter().map(key).collect()
}

/// The sha256 of a module's bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pin(String);

/// As digests are shown everywhere: `sha256:` and 64 lower-case digits.
impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

impl Setting for Pin {
    const EXPECTED: &'static str = "64 hexadecimal digits, after `sha256:` or alone";
    const TYPE: &'static str = "sha256";

    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "string", "pattern": "^(sha256:)?[0-9A-Fa-f]{64}$" })
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Wrong::new("is not a digest"));
        }
        Ok(Self(format!("sha256:{}", digits.to_ascii_lowercase())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key that the author of minisign signs its releases with.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    #[test]
    fn keys_are_read_as_minisign_prints_them() {
        let key = TrustedKey::from_base64(KEY).unwrap();
        assert_eq!(key.id(), "E7620F1842B4E81F");
        assert_eq!(key, key.clone());
        assert_eq!(format!("{key:?}"), "TrustedKey(E7620F1842B4E81F)");
        let list = Vec::<TrustedKey>::from_text(&format!("[\"{KEY}\"]")).unwrap();
        assert_eq!(list, [key]);
        let other_kind = KEY.replacen("RWQ", "RXQ", 1);
        for wrong in ["", "RWQ", &KEY[1..], &KEY.replace('6', "-"), &other_kind] {
            assert!(TrustedKey::from_base64(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn digests_are_read_with_and_without_their_kind() {
        let digits = "0123456789abcdefABCDEF0123456789".repeat(2);
        let shown = format!("sha256:{}", digits.to_lowercase());
        for text in [&digits, &format!("sha256:{digits}")] {
            assert_eq!(Pin::from_text(text).unwrap().to_string(), shown);
        }
        for wrong in ["", "sha256:", &digits[1..], &digits.replace('0', "g")] {
            assert!(Pin::from_text(wrong).is_err(), "{wrong}");
        }
    }
}
