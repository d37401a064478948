//! Requests to hosts that the operator lists, when a client connects. Takes the capability `http`.
//!
//! ```
//! use std::time::Duration;
//! use sluice_plugin_sdk::{prelude::*, testing};
//! use serde_json::json;
//!
//! #[policy]
//! struct Ask { url: String }
//!
//! #[derive(Deserialize)]
//! struct Known { user: String }
//!
//! #[policy(grants(http))]
//! impl Ask {
//!     #[on_connect]
//!     fn ask(&mut self, call: &ConnectCall<'_>) -> Result<Identity, Denial> {
//!         let token: String = call.get("/token")?;
//!         let response = http::get(&self.url)
//!             .header("authorization", &format!("Bearer {token}"))
//!             .timeout(Duration::from_millis(500))
//!             .max_age(Duration::from_secs(10))
//!             .fetch()?;
//!         if !response.is_success() {
//!             deny!("unknown", "Who are you?");
//!         }
//!         Ok(Identity::user(response.json::<Known>()?.user))
//!     }
//! }
//!
//! let mut ask = testing::policy::<Ask>(json!({ "url": "https://auth.example.com/me" })).unwrap();
//! ask.answer("https://auth.example.com/me", 200, json!({ "user": "alice" }));
//! let admission = ask.connect(json!({ "token": "t" }));
//! assert_eq!(admission.identity().unwrap().user.as_deref(), Some("alice"));
//! assert_eq!(ask.requests()[0].headers[0].1, "Bearer t");
//! ```

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Denial, host, log};

/// A request, which [`fetch`](Request::fetch) sends.
///
/// ```
/// use sluice_plugin_sdk::http;
///
/// let request = http::post("https://auth.example.com/check").json(&("a", 1)).unwrap();
/// assert_eq!((request.method.as_str(), request.body.as_slice()), ("POST", br#"["a",1]"#.as_slice()));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a request is sent by `fetch`"]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// With its scheme and host.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Empty: none.
    pub body: Vec<u8>,
    /// 0: as the operator has set, which is also the longest there is.
    pub timeout_ms: u32,
    /// How old the answer to an equal GET may be; 0: it is asked in any case.
    pub max_age_ms: u32,
}

/// What came back.
///
/// ```
/// use sluice_plugin_sdk::http::Response;
///
/// let response = Response { status: 200, body: b"[1,2]".to_vec(), ..Response::default() };
/// assert!(response.is_success());
/// assert_eq!(response.json::<Vec<u8>>().unwrap(), [1, 2]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// 200 and so on.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Empty: none.
    pub body: Vec<u8>,
}

/// Why there is no answer. As a denial its code is `upstream_failed`, and the reason goes to the log instead of the
/// client.
///
/// ```
/// use sluice_plugin_sdk::{Denial, http};
///
/// assert_eq!(Denial::from(http::Error::Timeout).code, "upstream_failed");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// What is wrong with the request, or why it may not be made.
    Refused(String),
    /// It took too long.
    Timeout,
    /// The answer is larger than the operator allows.
    TooLarge,
    /// No answer came, or one that makes no sense.
    Failed(String),
}

/// A GET request.
///
/// ```
/// use sluice_plugin_sdk::http;
///
/// let request = http::get("https://auth.example.com/me").header("accept", "application/json");
/// assert_eq!(request.method, "GET");
/// ```
pub fn get(url: impl Into<String>) -> Request {
    Request::new("GET", url)
}

/// A POST request.
///
/// ```
/// use sluice_plugin_sdk::http;
///
/// let request = http::post("https://auth.example.com/check").body("token=t");
/// assert_eq!(request.method, "POST");
/// ```
pub fn post(url: impl Into<String>) -> Request {
    Request::new("POST", url)
}

// === impl Request ===

impl Request {
    /// A request with another method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            ..Self::default()
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With this body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With what serde writes as JSON for its body, and the content type that says so.
    ///
    /// # Errors
    ///
    /// When JSON cannot say it.
    pub fn json<T: Serialize + ?Sized>(self, body: &T) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(|error| Error::Refused(error.to_string()))?;
        Ok(self.header("content-type", "application/json").body(body))
    }

    /// Waits no longer than this; never longer than the operator has set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout_ms = ms(timeout).max(1);
        self
    }

    /// The answer to an equal GET that is not older will do.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age_ms = ms(age);
        self
    }

    /// Sends it and waits for the answer. A status such as 404 is an answer too.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub fn fetch(self) -> Result<Response, Error> {
        host::fetch(self)
    }
}

/// Saturates.
fn ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

// === impl Response ===

impl Response {
    /// Whether the status is one of 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header; names are case-insensitive.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// The body as what serde reads from JSON.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Error::Failed(format!("the answer is of another form: {error}")))
    }
}

// === impl Error ===

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "the request was refused: {why}"),
            Self::Timeout => f.write_str("no answer came in time"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Failed(why) => write!(f, "the request failed: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for Denial {
    fn from(error: Error) -> Self {
        log::error(error.to_string());
        Self::new(
            "upstream_failed",
            "A policy got no answer from its back end",
        )
    }
}
