//! Which browser pages may talk to the broker, and the headers that tell them so (Fetch Standard, "CORS protocol").
//!
//! Browsers do not apply CORS to WebSockets, so the origin is checked here, for upgrades too: that is what keeps a
//! foreign page from using a visitor's cookies.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};

use crate::config;

/// The origin of a page that has none of its own.
const OPAQUE: &str = "null";

/// What a request may do.
pub(super) enum Decision {
    /// Served, with these headers on the answer.
    Serve(HeaderMap),
    /// A preflight request, answered by these headers alone.
    Preflight(HeaderMap),
    /// From a page that is not allowed.
    Refuse,
}

pub(super) fn decide<B>(config: &config::Cors, request: &Request<B>) -> Decision {
    let headers = request.headers();
    let Some(origin) = headers.get(header::ORIGIN) else {
        // Not a browser, or a browser's same-origin GET.
        return Decision::Serve(HeaderMap::new());
    };
    let mut answer = HeaderMap::new();
    if allows(config, origin) {
        grant(config, origin, &mut answer);
    } else if !is_same_origin(origin, headers.get(header::HOST)) {
        return Decision::Refuse;
    }
    let preflight = request.method() == Method::OPTIONS
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if preflight {
        describe(config, headers, &mut answer);
        Decision::Preflight(answer)
    } else {
        Decision::Serve(answer)
    }
}

fn allows(config: &config::Cors, origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    match &config.origins {
        config::Origins::SameOrigin => false,
        // Any page can be one without an origin of its own: a frame in a sandbox. Where answers to it would be
        // readable with a visitor's cookies, it has to be named.
        config::Origins::Any => !config.credentials || origin != OPAQUE,
        config::Origins::List(list) => list.iter().any(|allowed| allowed.matches(origin)),
    }
}

fn grant(config: &config::Cors, origin: &HeaderValue, answer: &mut HeaderMap) {
    let any = matches!(config.origins, config::Origins::Any);
    // With credentials the star is not allowed: the origin is named instead.
    let named = !any || config.credentials;
    let value = if named {
        answer.insert(header::VARY, HeaderValue::from_static("Origin"));
        origin.clone()
    } else {
        HeaderValue::from_static("*")
    };
    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
    if config.credentials {
        let yes = HeaderValue::from_static("true");
        answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
    }
}

fn describe(config: &config::Cors, request: &HeaderMap, answer: &mut HeaderMap) {
    put_list(
        answer,
        header::ACCESS_CONTROL_ALLOW_METHODS,
        &config.methods,
    );
    if config.headers.is_empty() {
        // As Node's: what the page asks for, unless the configuration says which.
        if let Some(asked) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
    } else {
        put_list(
            answer,
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            &config.headers,
        );
    }
}

fn put_list(answer: &mut HeaderMap, name: HeaderName, list: &[String]) {
    if let Ok(value) = HeaderValue::from_str(&list.join(",")) {
        answer.insert(name, value);
    }
}

/// Compares without the scheme: behind a proxy that ends TLS the broker does not know it.
fn is_same_origin(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), host.map(HeaderValue::to_str)) else {
        return false;
    };
    origin
        .split_once("://")
        .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

/// Adds the headers of a decision to an answer.
pub(super) fn apply<B>(response: &mut Response<B>, headers: HeaderMap) {
    for (name, value) in &headers {
        response.headers_mut().append(name, value.clone());
    }
}

/// The status of an answered preflight.
pub(super) const PREFLIGHT: StatusCode = StatusCode::NO_CONTENT;

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: config::Origins, credentials: bool) -> config::Cors {
        config::Cors {
            origins,
            methods: vec!["GET".into(), "POST".into()],
            headers: Vec::new(),
            credentials,
        }
    }

    fn request(method: Method, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri("/socket.io/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    fn served(decision: Decision) -> Option<HeaderMap> {
        match decision {
            Decision::Serve(headers) => Some(headers),
            Decision::Preflight(_) | Decision::Refuse => None,
        }
    }

    #[test]
    fn without_configuration_only_the_same_origin_is_served() {
        let cors = cors(config::Origins::SameOrigin, false);
        let own = [
            ("host", "a.example:3000"),
            ("origin", "http://a.example:3000"),
        ];
        assert!(served(decide(&cors, &request(Method::GET, &own))).is_some());
        let foreign = [("host", "a.example"), ("origin", "http://b.example")];
        assert!(matches!(
            decide(&cors, &request(Method::GET, &foreign)),
            Decision::Refuse
        ));
        let opaque = [("host", "a.example"), ("origin", "null")];
        assert!(matches!(
            decide(&cors, &request(Method::GET, &opaque)),
            Decision::Refuse
        ));
        assert!(served(decide(&cors, &request(Method::GET, &[]))).is_some());
    }

    #[test]
    fn a_listed_origin_is_named_in_the_answer() {
        let cors = cors(
            config::Origins::List(vec![config::Allowed::Exact("https://app.example".into())]),
            true,
        );
        let listed = [("host", "a.example"), ("origin", "https://app.example")];
        let headers = served(decide(&cors, &request(Method::GET, &listed))).unwrap();
        assert_eq!(
            headers["access-control-allow-origin"],
            "https://app.example"
        );
        assert_eq!(headers["access-control-allow-credentials"], "true");
        assert_eq!(headers["vary"], "Origin");
        let other = [
            ("host", "a.example"),
            ("origin", "https://app.example.evil"),
        ];
        assert!(matches!(
            decide(&cors, &request(Method::GET, &other)),
            Decision::Refuse
        ));
    }

    #[test]
    fn a_star_names_the_origin_only_where_credentials_need_it() {
        let any = [("host", "a.example"), ("origin", "https://x.example")];
        let star = cors(config::Origins::Any, false);
        let headers = served(decide(&star, &request(Method::GET, &any))).unwrap();
        assert_eq!(headers["access-control-allow-origin"], "*");
        let named = cors(config::Origins::Any, true);
        let headers = served(decide(&named, &request(Method::GET, &any))).unwrap();
        assert_eq!(headers["access-control-allow-origin"], "https://x.example");
        let opaque = [("host", "a.example"), ("origin", "null")];
        assert!(served(decide(&star, &request(Method::GET, &opaque))).is_some());
        assert!(served(decide(&named, &request(Method::GET, &opaque))).is_none());
    }

    #[test]
    fn a_preflight_is_answered_with_methods_and_the_headers_it_asks_for() {
        let cors = cors(config::Origins::Any, false);
        let asked = [
            ("origin", "https://x.example"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "x-custom"),
        ];
        let Decision::Preflight(headers) = decide(&cors, &request(Method::OPTIONS, &asked)) else {
            panic!("not a preflight");
        };
        assert_eq!(headers["access-control-allow-methods"], "GET,POST");
        assert_eq!(headers["access-control-allow-headers"], "x-custom");
    }
}
