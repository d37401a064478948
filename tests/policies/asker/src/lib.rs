//! Asks a back end what the client tells it to, and tells the client what came of it.

use std::time::Duration;

use sluice_plugin_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asker {
    /// The back end, without a path.
    url: String,
}

/// What a client wants to be asked.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    /// A path of the back end, or a whole address.
    ask: String,
    /// Again and again, beside the first time.
    again: u32,
    max_age_ms: u64,
    secret: Option<String>,
    /// Never answers after it has asked.
    spin: bool,
}

impl Policy for Asker {
    const HOOKS: Hooks = Hooks::CONNECT.and(Hooks::EVENT);
    const CAPABILITIES: Capabilities = Capabilities::HTTP;

    fn interests(&self) -> Interests {
        Interests::new().event("ask")
    }

    fn on_connect(&mut self, call: &ConnectCall<'_>) -> Admission {
        let auth = match call.auth::<Auth>() {
            Ok(auth) => auth,
            Err(error) => return error.into(),
        };
        let mut outcome = self.ask(&auth);
        for _ in 0..auth.again {
            outcome = self.ask(&auth);
        }
        if auth.spin {
            loop {
                std::hint::spin_loop();
            }
        }
        match outcome {
            Ok(response) if response.is_success() => {
                Identity::user(String::from_utf8_lossy(&response.body)).into()
            }
            Ok(response) => Denial::new(format!("status_{}", response.status), "No").into(),
            Err(error) => Denial::new(code(&error), error.to_string()).into(),
        }
    }

    fn on_event(&mut self, _call: &EventCall<'_>) -> Verdict {
        match self.ask(&Auth::default()) {
            Ok(_) => Verdict::Pass,
            Err(error) => Denial::new(code(&error), error.to_string()).into(),
        }
    }
}

impl Asker {
    fn ask(&self, auth: &Auth) -> Result<http::Response, http::Error> {
        let url = if auth.ask.contains("://") {
            auth.ask.clone()
        } else {
            format!("{}{}", self.url, auth.ask)
        };
        let mut request = http::get(url).max_age(Duration::from_millis(auth.max_age_ms));
        if let Some(secret) = &auth.secret {
            request = request.header("authorization", secret.as_str());
        }
        request.fetch()
    }
}

fn code(error: &http::Error) -> &'static str {
    match error {
        http::Error::Refused(_) => "refused",
        http::Error::Timeout => "timeout",
        http::Error::TooLarge => "too_large",
        http::Error::Failed(_) => "failed",
    }
}

export!(Asker);
