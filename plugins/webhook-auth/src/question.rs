//! What the back end is asked: who wants to come in, in one JSON object.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use sluice_plugin_sdk::current;

/// What goes into the question beside namespace and address.
#[derive(Debug)]
pub(crate) struct Question {
    /// Names of headers of the handshake, in lower case.
    pub(crate) headers: Vec<String>,
    /// Names of parameters of its query.
    pub(crate) query: Vec<String>,
    /// Whether to pass on what the client sent with its CONNECT.
    pub(crate) auth: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    namespace: String,
    address: String,
    headers: BTreeMap<&'a str, String>,
    query: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<&'a RawValue>,
}

impl Question {
    /// The same for the same client, whenever it comes: answers are remembered by it.
    pub(crate) fn body(&self, auth: &str) -> String {
        let headers = present(&self.headers, current::header);
        let query = present(&self.query, current::query);
        let auth = if self.auth {
            serde_json::from_str(auth).ok()
        } else {
            None
        };
        let body = Body {
            namespace: current::namespace(),
            address: current::address(),
            headers,
            query,
            auth,
        };
        // Texts and JSON that has been read: there is nothing in it that JSON cannot say.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

fn present(names: &[String], value: impl Fn(&str) -> Option<String>) -> BTreeMap<&str, String> {
    let found = names.iter().map(|name| Some((&**name, value(name)?)));
    found.flatten().collect()
}
