//! What nodes say to each other about themselves. In msgpack with named fields: a version that adds one is understood by
//! one that does not know it, and what a node does not know at all it passes over.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::fanout::nodes::NodeId;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Letter {
    pub from: NodeId,
    pub body: Body,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Body {
    /// A sign of life.
    Beat(Box<Beat>),
    /// The node leaves.
    Bye,
    /// Rooms that the sender has come to have members of, or has none of any more.
    Changes {
        after: u64,
        /// Keys as [`pack`] writes them.
        added: Bytes,
        removed: Bytes,
        /// How many changes these are; a room may have come and gone.
        count: u64,
        #[serde(default)]
        bucketed: bool,
    },
    /// The sender knows the receiver's rooms up to a change.
    Ack { version: u64 },
    /// The sender wants to be told all of the receiver's rooms.
    Want,
    /// A part of all rooms of the sender.
    Rooms {
        version: u64,
        part: u32,
        parts: u32,
        keys: Bytes,
        #[serde(default)]
        bucketed: bool,
    },
    /// A question for those who know the topic.
    Ask {
        id: u64,
        topic: String,
        question: Bytes,
    },
    /// A part of an answer; without parts: there is none.
    Answer {
        id: u64,
        part: u32,
        parts: u32,
        answer: Bytes,
    },
    /// Something to know for those who care about the topic.
    News { topic: String, news: Bytes },
}

/// How a node is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Beat {
    /// Others answer at once: the node is new, or was away.
    #[serde(default)]
    pub hello: bool,
    /// The receiver owes an acknowledgement.
    #[serde(default)]
    pub owed: bool,
    /// The latest version of frames that it reads.
    #[serde(default)]
    pub wire: u8,
    /// The last change of its rooms.
    #[serde(default)]
    pub rooms_version: u64,
    #[serde(flatten)]
    pub vitals: Vitals,
}

/// What a node says about itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Vitals {
    #[serde(default)]
    pub version: String,
    /// Milliseconds since 1970.
    #[serde(default)]
    pub started: u64,
    #[serde(default)]
    pub listen: String,
    #[serde(default)]
    pub admin: String,
    #[serde(default)]
    pub connections: u64,
    #[serde(default)]
    pub rooms: u64,
    /// Since it started.
    #[serde(default)]
    pub events: u64,
    #[serde(default)]
    pub deliveries: u64,
    #[serde(default)]
    pub draining: bool,
    /// Names and digests.
    #[serde(default)]
    pub policies: Vec<(String, String)>,
}

impl Letter {
    pub(super) fn write(&self) -> Option<Bytes> {
        // Texts, numbers and lists always have a form.
        rmp_serde::to_vec_named(self).ok().map(Bytes::from)
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(bytes).ok()
    }
}

/// Keys side by side, eight bytes each.
pub(super) fn pack(keys: impl Iterator<Item = u64>) -> Bytes {
    keys.flat_map(u64::to_le_bytes).collect::<Vec<_>>().into()
}

pub(super) fn unpack(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let (keys, _) = bytes.as_chunks();
    keys.iter().map(|key| u64::from_le_bytes(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_of_a_later_version_is_read() {
        #[derive(Serialize)]
        struct Later {
            from: u64,
            body: LaterBody,
            postscript: &'static str,
        }
        #[derive(Serialize)]
        enum LaterBody {
            Ack { version: u64, mood: &'static str },
            Dance,
        }
        let write = |body| {
            let later = Later {
                from: 7,
                body,
                postscript: "new",
            };
            rmp_serde::to_vec_named(&later).unwrap()
        };
        let ack = LaterBody::Ack {
            version: 3,
            mood: "good",
        };
        let letter = Letter::read(&write(ack)).unwrap();
        assert!(matches!(letter.body, Body::Ack { version: 3 }) && letter.from == NodeId(7));
        assert!(Letter::read(&write(LaterBody::Dance)).is_none());
    }

    #[test]
    fn letters_and_keys_come_back_as_they_were() {
        let vitals = Vitals {
            version: "1".to_owned(),
            policies: vec![("a".to_owned(), "sha256:0".to_owned())],
            ..Vitals::default()
        };
        let beat = Beat {
            hello: true,
            rooms_version: 9,
            vitals,
            ..Beat::default()
        };
        let letter = Letter {
            from: NodeId(1),
            body: Body::Beat(Box::new(beat.clone())),
        };
        let read = Letter::read(&letter.write().unwrap()).unwrap();
        assert!(matches!(read.body, Body::Beat(read) if *read == beat));
        let keys = [1, u64::MAX, 0];
        assert_eq!(unpack(&pack(keys.into_iter())).collect::<Vec<_>>(), keys);
    }
}
