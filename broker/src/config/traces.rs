//! Where traces go, and how many there are.

use std::time::Duration;

use config::ValueKind;
use http::{HeaderName, HeaderValue, Uri};

use super::section::Section;
use super::setting::{Setting, Wrong, unfit};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Traces {
    /// The share of connections and events that is recorded, from 0 to 1.
    pub sample: f64,
    /// Who collects them; `None`: nobody does, and nothing is recorded.
    pub otlp: Option<Otlp>,
}

/// A collector that speaks OTLP over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Otlp {
    pub endpoint: Uri,
    /// Their values are secrets.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub timeout: Duration,
    /// What the traces are from.
    pub service: String,
}

/// Where a collector takes traces, below the address that it is known by.
const PATH: &str = "/v1/traces";

const LONGEST_NAME: usize = 128;

impl Traces {
    #[cfg(test)]
    pub(crate) fn off() -> Self {
        Self {
            sample: 0.0,
            otlp: None,
        }
    }

    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        let endpoint = s.optional::<Endpoint>(
            "otlp_endpoint",
            "http://127.0.0.1:4318",
            "An OpenTelemetry collector that takes traces over HTTP; `/v1/traces` is added.",
        );
        let headers = s.optional::<Headers>(
            "otlp_headers",
            "authorization=Bearer ${OTLP_TOKEN}",
            "Headers for the collector: `name=value`, with commas between them.",
        );
        let bounds = Duration::from_millis(100)..=Duration::from_secs(60);
        let timeout = s.within(
            "otlp_timeout",
            "10s",
            "How long the collector may take to answer.",
            (bounds, "100ms to 60s"),
        );
        let sample = s.live(|s| {
            s.get::<Share>(
                "trace_sample",
                "0.01",
                "The share of connections and events that is traced, from 0 to 1.",
            )
        });
        let service: String = s.get(
            "service_name",
            "sluice",
            "What the traces are from: `service.name`.",
        );
        if service.is_empty() || service.len() > LONGEST_NAME {
            s.complain("service_name", "is no name", Some("1 to 128 bytes"));
        }
        Self {
            sample: sample.0,
            otlp: endpoint.map(|Endpoint(endpoint)| Otlp {
                endpoint,
                headers: headers.map(|it| it.0).unwrap_or_default(),
                timeout,
                service,
            }),
        }
    }
}

#[derive(Debug)]
struct Endpoint(Uri);

impl Setting for Endpoint {
    const EXPECTED: &'static str = "an address such as `http://127.0.0.1:4318`";
    const TYPE: &'static str = "address";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        let wrong = |_| Wrong::new("is no address");
        let uri: Uri = text.parse().map_err(wrong)?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        if !is_http || uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
            return Err(Wrong::new("is no address of HTTP"));
        }
        if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            return Err(Wrong::new(
                "has a password, which belongs into `otlp_headers`",
            ));
        }
        let path = uri.path().trim_end_matches('/');
        if path.ends_with(PATH) {
            return Ok(Self(uri));
        }
        let whole = format!("{}{PATH}", text.trim_end_matches('/'));
        whole.parse().map(Self).map_err(wrong)
    }
}

/// As `OTEL_EXPORTER_OTLP_HEADERS` has them.
#[derive(Debug)]
struct Headers(Vec<(HeaderName, HeaderValue)>);

impl Setting for Headers {
    const EXPECTED: &'static str = "`name=value`, with commas between them";
    const TYPE: &'static str = "text, secret";
    const SECRET: bool = true;

    fn from_text(text: &str) -> Result<Self, Wrong> {
        let wrong = || Wrong::new("is no list of headers");
        let pairs = text
            .split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty());
        let headers = pairs.map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let name = HeaderName::try_from(name.trim()).ok()?;
            let mut value = HeaderValue::try_from(value.trim()).ok()?;
            // Not shown where the whole of it is.
            value.set_sensitive(true);
            Some((name, value))
        });
        headers.collect::<Option<_>>().map(Self).ok_or_else(wrong)
    }
}

#[derive(Debug)]
struct Share(f64);

impl Setting for Share {
    const EXPECTED: &'static str = "a number from 0 to 1";
    const TYPE: &'static str = "number";
    const QUOTED: bool = false;

    fn schema() -> serde_json::Value {
        let pattern = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$";
        serde_json::json!({ "anyOf": [
            { "type": "number", "minimum": 0, "maximum": 1 },
            { "type": "string", "pattern": pattern },
        ]})
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        match text.trim().parse() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Self(share)),
            _ => Err(Wrong::new("is no share")),
        }
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        match value {
            ValueKind::Float(share) => Self::from_text(&share.to_string()),
            ValueKind::I64(share) => Self::from_text(&share.to_string()),
            ValueKind::String(text) => Self::from_text(text),
            other => Err(unfit(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Option<String> {
        Endpoint::from_text(text).ok().map(|it| it.0.to_string())
    }

    #[test]
    fn a_collector_is_known_by_its_address() {
        let whole = Some("http://127.0.0.1:4318/v1/traces".to_owned());
        assert_eq!(endpoint("http://127.0.0.1:4318"), whole);
        assert_eq!(endpoint("http://127.0.0.1:4318/"), whole);
        assert_eq!(endpoint("http://127.0.0.1:4318/v1/traces"), whole);
        let below = Some("https://otlp.example/tenant/v1/traces".to_owned());
        assert_eq!(endpoint("https://otlp.example/tenant/"), below);
        for wrong in [
            "127.0.0.1:4318",
            "ftp://x",
            "http://",
            "grpc://a:1",
            "http://u:p@a",
            "http://a/?x=1",
        ] {
            assert_eq!(endpoint(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn headers_are_pairs() {
        let headers = Headers::from_text("authorization=Bearer a=b, x-tenant = 7,")
            .ok()
            .map(|it| it.0);
        let headers = headers.expect("headers");
        assert_eq!(headers.len(), 2);
        assert_eq!(headers[0].1, "Bearer a=b");
        assert_eq!(headers[1].0, "x-tenant");
        assert!(!format!("{headers:?}").contains("Bearer"));
        assert!(Headers::from_text("nothing").is_err());
        assert!(Headers::from_text("a b=c").is_err());
    }

    #[test]
    fn a_share_is_from_nought_to_one() {
        let share = |text: &str| Share::from_text(text).ok().map(|it| it.0);
        assert_eq!(share("0.25"), Some(0.25));
        assert_eq!(share("1"), Some(1.0));
        for wrong in ["1.1", "-0.1", "NaN", "5%", ""] {
            assert_eq!(share(wrong), None, "{wrong}");
        }
    }
}
