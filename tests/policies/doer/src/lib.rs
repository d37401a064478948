//! Does what its clients tell it to: every effect, counters and values, replies, windows and rooms.

use std::time::Duration;

use serde_json::Value;
use sluice_plugin_sdk::prelude::*;

/// Windows are as long as the operator says.
#[policy]
struct Doer {
    #[serde(default = "second")]
    window_ms: u64,
}

fn second() -> u64 {
    1000
}

/// What a client wants to happen when it connects.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    welcome: bool,
    deny: bool,
    attribute: Option<String>,
}

#[policy(grants(emit, rooms))]
impl Doer {
    #[metrics]
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::counter("asked"), Metric::gauge("last")]
    }

    #[on_connect]
    fn connect(&self, auth: Auth) -> Result<Admission, Denial> {
        if auth.welcome {
            effects::emit(Target::Sender, "welcome", &[current::socket_id()])?;
            effects::emit(Target::Others, "arrived", &[current::socket_id()])?;
            effects::join("welcomed")?;
        }
        if auth.deny {
            return Err(Denial::new("closed", "as asked"));
        }
        Ok(Admission::Accept(Identity {
            attributes: auth
                .attribute
                .map(|it| ("told".to_owned(), it))
                .into_iter()
                .collect(),
            ..Identity::default()
        }))
    }

    /// Whom, the event's name and its arguments.
    #[on_event("do:emit")]
    fn emit(&self, to: String, event: String, args: Value) -> Result<(), Denial> {
        let to = match &*to {
            "sender" => Target::Sender,
            "others" => Target::Others,
            "all" => Target::All,
            room => Target::Room(room),
        };
        Ok(effects::emit(to, &event, &args)?)
    }

    /// The same, but the event itself is denied.
    #[on_event("do:refuse")]
    fn refuse(&self, to: String, event: String, args: Value) -> Result<(), Denial> {
        self.emit(to, event, args)?;
        Err(Denial::new("no", "but the effect holds"))
    }

    #[on_event("do:join")]
    fn join(&self, room: String) -> Result<(), Denial> {
        Ok(effects::join(&room)?)
    }

    #[on_event("do:leave")]
    fn leave(&self, room: String) -> Result<(), Denial> {
        Ok(effects::leave(&room)?)
    }

    #[on_event("do:disconnect")]
    fn disconnect(&self) -> Result<(), Denial> {
        Ok(effects::disconnect()?)
    }

    #[on_event("do:attribute")]
    fn attribute(&self, name: String, value: String) -> Result<(), Denial> {
        Ok(effects::set_attribute(&name, &value)?)
    }

    #[on_event("ask:attribute")]
    fn ask_attribute(&self, name: String) -> Verdict {
        Verdict::reply(&[current::attribute(&name)])
    }

    #[on_event("ask:facts")]
    fn ask_facts(&self) -> Verdict {
        Verdict::reply(&(current::socket_id(), current::event_id(), current::rooms()))
    }

    #[on_event("count")]
    fn count(&self, key: String, by: i64) -> Result<Verdict, Denial> {
        metrics::add(0, 1);
        let sum = store::counter(&key).add(by, None)?;
        metrics::set(1, sum as f64);
        Ok(Verdict::reply(&[sum]))
    }

    #[on_event("keep")]
    fn keep(&self, key: String, value: Value) -> Result<Verdict, Denial> {
        let before = store::get::<Value>(&key)?;
        store::set(&key, &value, None)?;
        Ok(Verdict::reply(&[before]))
    }

    #[on_event("move", args = false)]
    fn leading(&self) -> Verdict {
        Verdict::coalesce_leading("move", Duration::from_millis(self.window_ms))
    }

    #[on_event("settle", args = false)]
    fn trailing(&self) -> Verdict {
        Verdict::coalesce("settle", Duration::from_millis(self.window_ms))
    }

    /// Longer than any test waits.
    #[on_event("someday", args = false)]
    fn someday(&self) -> Verdict {
        Verdict::coalesce("someday", Duration::from_secs(60))
    }

    #[on_subscribe("secret:*")]
    fn secret(&self, room: &str) -> Result<(), Denial> {
        if current::attribute("told").as_deref() == Some(room) {
            effects::emit(Target::Room(room), "joined", &[current::socket_id()])?;
            return Ok(());
        }
        Err(Denial::new("secret", "ask for the word"))
    }

    #[on_disconnect]
    fn gone(&self) {
        // There is nobody to tell of a failure.
        let _ = effects::emit(Target::Others, "left", &[current::socket_id()]);
        let _ = effects::join("ghosts");
    }
}
