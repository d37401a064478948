//! `[server.cors]`: the web pages of other origins that may connect.

use config::ValueKind;
use http::{HeaderName, Method, Uri};

use super::section::Section;
use super::setting::{Setting, Wrong, lone_or_list, lone_or_list_from_text, lone_or_list_schema};

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
    List(Vec<Allowed>),
}

/// In lower case and without default ports, as browsers send them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Allowed {
    Exact(String),
    /// Those of all hosts below a domain, however far, and not the domain's own.
    Below {
        /// With what follows it: `https://`.
        scheme: String,
        /// With the dot before it, and the port behind it.
        domain: String,
    },
}

impl Cors {
    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        let cors = Self {
            origins: s.get(
                "origins",
                "[]",
                "Origins whose pages may connect, with `https://*.example.com` for all hosts below a domain; none: the same origin only; `[\"*\"]`: any.",
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
        lone_or_list_schema()
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        Self::from_names(&lone_or_list_from_text(text)?)
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        Self::from_names(&lone_or_list(value)?)
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

impl Allowed {
    /// Whether it stands for the origin of a page, as a browser sends it.
    pub(crate) fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Exact(allowed) => allowed.eq_ignore_ascii_case(origin),
            Self::Below { scheme, domain } => {
                let origin = origin.to_ascii_lowercase();
                let host = origin.strip_prefix(scheme.as_str());
                host.and_then(|host| host.strip_suffix(domain.as_str()))
                    .is_some_and(|labels| labels.split('.').all(is_label))
            }
        }
    }
}

/// One part of a host's name. Browsers write others than ASCII as `xn--…`.
fn is_label(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.bytes().all(is_fit)
}

/// An origin as browsers send it (RFC 6454, section 6.2), so that it can be compared byte by byte.
fn origin(text: &str) -> Result<Allowed, Wrong> {
    // Of pages without an origin of their own, such as those of an app that are files.
    if text == "null" {
        return Ok(Allowed::Exact(text.to_owned()));
    }
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
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let text = text.strip_suffix(default_port).unwrap_or(&text);
    if !host.contains('*') {
        return Ok(Allowed::Exact(text.to_owned()));
    }
    let scheme = format!("{scheme}://");
    let domain = text
        .strip_prefix(scheme.as_str())
        .and_then(|host| host.strip_prefix('*'))
        .filter(|domain| domain.strip_prefix('.').is_some_and(is_domain));
    match domain {
        Some(domain) => Ok(Allowed::Below {
            domain: domain.to_owned(),
            scheme,
        }),
        None => Err(Wrong::new(
            "holds `*` somewhere else than before a domain, as in `https://*.example.com`",
        )),
    }
}

/// A host's name, and perhaps a port.
fn is_domain(text: &str) -> bool {
    let host = text.split_once(':').map_or(text, |(host, _)| host);
    host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let list = |names: &[&str]| {
            Ok(Origins::List(
                names
                    .iter()
                    .map(|n| Allowed::Exact((*n).to_owned()))
                    .collect(),
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
            "https://*",
            "https://*.",
            "https://a.*.example.com",
            "https://*a.example.com",
            "https://*.*.example.com",
            "https://*..example.com",
            "https://*.example.com/",
            "*.example.com",
            "https://example.com:x",
            "https://example.com:99999",
        ] {
            assert!(Origins::from_text(wrong).is_err(), "{wrong}");
        }
    }
    #[test]
    fn hosts_below_a_domain() {
        let below = |pattern| match Origins::from_text(pattern) {
            Ok(Origins::List(list)) => list.into_iter().next().unwrap(),
            other => panic!("{pattern}: {other:?}"),
        };
        let plain = below("https://*.Example.com:443");
        for origin in [
            "https://a.example.com",
            "https://A.example.com",
            "https://a.b.example.com",
            "https://xn--bcher-kva.example.com",
        ] {
            assert!(plain.matches(origin), "{origin}");
        }
        for origin in [
            "null",
            "",
            "https://example.com",
            "https://.example.com",
            "https://a..example.com",
            "http://a.example.com",
            "https://a.example.com:8443",
            "https://a.example.com.evil",
            "https://aexample.com",
            "https://evil/.example.com",
            "https://evil@a.example.com",
            "https://evil:1.example.com",
            "https://evil?.example.com",
            "https://evil#.example.com",
            "https://a.example.com/",
        ] {
            assert!(!plain.matches(origin), "{origin}");
        }
        let port = below("http://*.localhost:8080");
        assert!(port.matches("http://app.localhost:8080"));
        assert!(!port.matches("http://app.localhost"));
        assert!(!port.matches("http://app.localhost:80801"));
        assert!(below("null").matches("null"));
    }
}
