//! `[server.cors]`: the web pages of other origins that may connect.

use config::ValueKind;
use http::{HeaderName, Method, Uri};

use super::section::Section;
use super::setting::{Setting, Wrong, unfit};

/// Which web pages of other origins may connect, and what they are told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cors {
    pub origins: Origins,
    pub methods: Vec<String>,
    /// Empty: those that the browser asks for.
    pub headers: Vec<String>,
    pub credentials: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origins {
    SameOrigin,
    Any,
    /// In lower case and without default ports, as browsers send them.
    List(Vec<String>),
}

impl Cors {
    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        let cors = Self {
            origins: s.get(
                "origins",
                "[]",
                "Origins whose pages may connect; none: the same origin only; `[\"*\"]`: any.",
            ),
            methods: s.get(
                "methods",
                r#"["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"]"#,
                "The methods that a preflight request is told.",
            ),
            headers: s.get(
                "headers",
                "[]",
                "The request headers that a preflight request is told; none: those that it asks for.",
            ),
            credentials: s.get(
                "credentials",
                "false",
                "Pages may send cookies and read answers to such requests.",
            ),
        };
        if cors.methods.iter().any(|m| m.parse::<Method>().is_err()) {
            s.complain("methods", "holds something that is not a method", None);
        }
        if cors
            .headers
            .iter()
            .any(|h| h.parse::<HeaderName>().is_err())
        {
            s.complain(
                "headers",
                "holds something that is not a header's name",
                None,
            );
        }
        cors
    }
}

impl Setting for Origins {
    const EXPECTED: &'static str = r#"`["*"]` or a list of origins such as `["https://example.com", "http://localhost:8080"]`"#;
    const TYPE: &'static str = "list";
    const QUOTED: bool = false;

    fn schema() -> serde_json::Value {
        serde_json::json!({ "anyOf": [{ "type": "string", "minLength": 1 }, Vec::<String>::schema()] })
    }

    /// A lone origin needs no brackets.
    fn from_text(text: &str) -> Result<Self, Wrong> {
        if text.trim_start().starts_with('[') {
            Self::from_names(&Vec::from_text(text)?)
        } else {
            Self::from_names(&[text.to_owned()])
        }
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        match value {
            ValueKind::String(text) => Self::from_names(std::slice::from_ref(text)),
            ValueKind::Array(_) => Self::from_names(&Vec::from_value(value)?),
            other => Err(unfit(other)),
        }
    }
}

impl Origins {
    fn from_names(names: &[String]) -> Result<Self, Wrong> {
        match names {
            [] => Ok(Self::SameOrigin),
            [any] if any == "*" => Ok(Self::Any),
            names => names
                .iter()
                .map(|name| origin(name))
                .collect::<Result<_, _>>()
                .map(Self::List),
        }
    }
}

/// An origin as browsers send it (RFC 6454, section 6.2), so that it can be compared byte by byte.
fn origin(text: &str) -> Result<String, Wrong> {
    if text == "*" {
        return Err(Wrong::new("holds `*` beside others, which it includes"));
    }
    let text = text.to_ascii_lowercase();
    let wrong =
        || Wrong::new("holds something that is not an origin: a scheme, a host and no path");
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong());
    };
    let host = match authority.port_u16() {
        Some(port) => format!("{}:{port}", authority.host()),
        None => authority.host().to_owned(),
    };
    if format!("{scheme}://{host}") != text {
        return Err(wrong());
    }
    if host.contains('*') {
        return Err(Wrong::new(
            "holds `*` in a host: origins are compared as they are",
        ));
    }
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    Ok(text.strip_suffix(default_port).unwrap_or(&text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let list = |names: &[&str]| {
            Ok(Origins::List(
                names.iter().map(|n| (*n).to_owned()).collect(),
            ))
        };
        assert_eq!(Origins::from_text("[]"), Ok(Origins::SameOrigin));
        assert_eq!(Origins::from_text("*"), Ok(Origins::Any));
        assert_eq!(Origins::from_text(r#"["*"]"#), Ok(Origins::Any));
        assert_eq!(
            Origins::from_text("http://localhost:8080"),
            list(&["http://localhost:8080"])
        );
        assert_eq!(
            Origins::from_text(r#"["HTTPS://Example.com:443", "http://[::1]:80", "app://x:80"]"#),
            list(&["https://example.com", "http://[::1]", "app://x:80"])
        );
        for wrong in [
            "",
            "example.com",
            "https://example.com/",
            "https://example.com/a",
            "https://u:p@example.com",
            "//example.com",
            r#"["*", "https://example.com"]"#,
            "https://*.example.com",
            "https://example.com:x",
            "https://example.com:99999",
        ] {
            assert!(Origins::from_text(wrong).is_err(), "{wrong}");
        }
    }
}
