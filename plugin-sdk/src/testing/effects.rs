//! What a policy has had done beside its verdicts, as a test sees it.

use serde_json::Value;

use crate::Target;

/// Something that a policy has had done; see [`effects`](crate::effects).
///
/// ```
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use sluice_plugin_sdk::testing::{Audience, Effect};
/// use serde_json::json;
///
/// #[policy]
/// struct Hello {}
///
/// #[policy(grants(emit))]
/// impl Hello {
///     #[on_event("hello")]
///     fn hello(&mut self) -> Result<Verdict, Denial> {
///         effects::emit(Target::Others, "arrived", &[current::socket_id()])?;
///         Ok(Verdict::Drop)
///     }
/// }
///
/// let mut hello = testing::policy::<Hello>(json!({})).unwrap();
/// hello.event("hello", json!([]));
/// let args = json!(["socket-1"]);
/// assert_eq!(hello.effects(), [Effect::Emit { to: Audience::Others, event: "arrived".into(), args }]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// An event was emitted.
    Emit {
        /// To whom.
        to: Audience,
        /// Its name.
        event: String,
        /// Its arguments, an array.
        args: Value,
    },
    /// The socket joined a room.
    Join(String),
    /// The socket left a room.
    Leave(String),
    /// The socket was ended. The harness goes on with it until the test says that it disconnects.
    Disconnect,
    /// The socket was given an attribute.
    SetAttribute {
        /// Its name.
        name: String,
        /// Its text.
        value: String,
    },
}

/// Who got what was emitted; a [`Target`] that owns its room.
///
/// ```
/// use sluice_plugin_sdk::{Target, testing::Audience};
///
/// assert_eq!(Audience::from(Target::Room("lobby")), Audience::Room("lobby".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// The socket that was being served.
    Sender,
    /// Every other socket of the namespace.
    Others,
    /// Every socket of the namespace.
    All,
    /// Everyone in this room.
    Room(String),
}

impl From<Target<'_>> for Audience {
    fn from(target: Target<'_>) -> Self {
        match target {
            Target::Sender => Self::Sender,
            Target::Others => Self::Others,
            Target::All => Self::All,
            Target::Room(room) => Self::Room(room.to_owned()),
        }
    }
}
