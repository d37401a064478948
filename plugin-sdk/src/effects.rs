//! What a policy wants done beside its verdict. It is done after the event has been delivered or refused, in the order
//! in which it was asked for, whatever later policies say; not at all if the call fails or the connection is denied.
//! What is emitted here passes no policy.
//!
//! Emitting takes the capability `emit`; joining, leaving and disconnecting take `rooms`.
//!
//! ```
//! use sluice_plugin_sdk::{prelude::*, testing};
//! use serde_json::json;
//!
//! #[policy]
//! struct Lobby {}
//!
//! #[policy(grants(emit, rooms))]
//! impl Lobby {
//!     #[on_event("hello")]
//!     fn hello(&mut self, (name,): (String,)) -> Result<(), Denial> {
//!         effects::set_attribute("name", &name)?;
//!         effects::join("lobby")?;
//!         effects::emit(Target::Room("lobby"), "joined", &(name,))?;
//!         Ok(())
//!     }
//! }
//!
//! let mut lobby = testing::policy::<Lobby>(json!({})).unwrap();
//! lobby.socket("a").event("hello", json!(["alice"]));
//! assert_eq!(lobby.effects().len(), 3);
//! assert!(lobby.emitted("joined").iter().any(|args| *args == json!(["alice"])));
//! ```

use std::fmt;

use serde::Serialize;

use crate::{Denial, host, log, verdict};

/// Who gets what a policy emits.
///
/// ```
/// use sluice_plugin_sdk::Target;
///
/// assert_ne!(Target::Sender, Target::Room("lobby"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// The socket that is being served.
    Sender,
    /// Every other socket of the namespace.
    Others,
    /// Every socket of the namespace.
    All,
    /// Everyone in this room; no one is left out.
    Room(&'a str),
}

/// Why something will not be done, in words for the log. As a denial its code is `effect_failed`, and the words go to
/// the log instead of the client.
///
/// ```
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct Careless {}
///
/// #[policy] // asks for no capability
/// impl Careless {
///     #[on_event("hello")]
///     fn hello(&mut self) -> Result<(), Denial> {
///         effects::join("lobby")?;
///         Ok(())
///     }
/// }
///
/// let mut careless = testing::policy::<Careless>(json!({})).unwrap();
/// assert_eq!(careless.event("hello", json!([])).denial().unwrap().code, "effect_failed");
/// assert!(careless.logs()[0].1.contains("rooms"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectError(String);

/// Emits an event with these arguments, a tuple, an array or a list, which serde writes as a JSON array.
///
/// # Errors
///
/// When the policy may not, when the arguments are no array, or when there have been too many effects.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy(grants(emit))]
/// # impl Example {
/// #[on_event("*")]
/// fn event(&mut self) -> Result<(), Denial> {
///     effects::emit(Target::Others, "joined", &("alice", 3))?;
///     Ok(())
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.event("e", json!([])), Verdict::Pass);
/// assert_eq!(example.emitted("joined"), [json!(["alice", 3])]);
/// ```
pub fn emit<T: Serialize + ?Sized>(
    to: Target<'_>,
    event: &str,
    args: &T,
) -> Result<(), EffectError> {
    let text = verdict::array(args).map_err(EffectError)?;
    emit_text(to, event, &text)
}

/// The same with arguments that already are the text of a JSON array.
///
/// # Errors
///
/// As [`emit`].
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy(grants(emit))]
/// # impl Example {
/// #[on_event("*")]
/// fn event(&mut self) -> Result<(), Denial> {
///     effects::emit_text(Target::All, "tick", "[1]")?;
///     Ok(())
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.event("e", json!([])), Verdict::Pass);
/// assert_eq!(example.emitted("tick"), [json!([1])]);
/// ```
pub fn emit_text(to: Target<'_>, event: &str, args: &str) -> Result<(), EffectError> {
    host::emit(to, event, args).map_err(EffectError)
}

/// The socket that is being served joins a room; the policies for subscriptions are not asked.
///
/// # Errors
///
/// When the policy may not, when the name is no room's, or when there have been too many effects.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy(grants(rooms))]
/// # impl Example {
/// #[on_event("*")]
/// fn event(&mut self) -> Result<(), Denial> {
///     effects::join("lobby")?;
///     Ok(())
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.event("e", json!([])), Verdict::Pass);
/// assert_eq!(example.effects(), [testing::Effect::Join("lobby".into())]);
/// ```
pub fn join(room: &str) -> Result<(), EffectError> {
    host::join(room).map_err(EffectError)
}

/// The socket that is being served leaves a room.
///
/// # Errors
///
/// As [`join`].
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy(grants(rooms))]
/// # impl Example {
/// #[on_event("*")]
/// fn event(&mut self) -> Result<(), Denial> {
///     effects::leave("lobby")?;
///     Ok(())
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.event("e", json!([])), Verdict::Pass);
/// assert_eq!(example.effects(), [testing::Effect::Leave("lobby".into())]);
/// ```
pub fn leave(room: &str) -> Result<(), EffectError> {
    host::leave(room).map_err(EffectError)
}

/// Ends the socket that is being served.
///
/// # Errors
///
/// When the policy may not.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy(grants(rooms))]
/// # impl Example {
/// #[on_event("*")]
/// fn event(&mut self) -> Result<(), Denial> {
///     effects::disconnect()?;
///     Ok(())
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.event("e", json!([])), Verdict::Pass);
/// assert_eq!(example.effects(), [testing::Effect::Disconnect]);
/// ```
pub fn disconnect() -> Result<(), EffectError> {
    host::disconnect().map_err(EffectError)
}

/// Gives the socket an attribute, which every later call for it sees.
///
/// # Errors
///
/// When the name or the value is too long, or when there have been too many effects.
///
/// ```
/// # use sluice_plugin_sdk::{prelude::*, testing};
/// # use serde_json::json;
/// # #[policy]
/// # struct Example {}
/// # #[policy]
/// # impl Example {
/// #[on_event("*")]
/// fn event(&mut self) -> Result<(), Denial> {
///     let seen = current::attribute("seen").is_some();
///     effects::set_attribute("seen", "yes")?;
///     Ok(())
/// }
/// # }
/// # let mut example = testing::policy::<Example>(json!({})).unwrap();
/// # assert_eq!(example.event("e", json!([])), Verdict::Pass);
/// assert_eq!(example.effects().len(), 1);
/// ```
pub fn set_attribute(name: &str, value: &str) -> Result<(), EffectError> {
    host::set_attribute(name, value).map_err(EffectError)
}

impl fmt::Display for EffectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EffectError {}

impl From<EffectError> for Denial {
    fn from(error: EffectError) -> Self {
        log::error(format!("an effect was refused: {error}"));
        Self::new("effect_failed", "A policy could not do what it has to")
    }
}
