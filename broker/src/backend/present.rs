//! Who is in a room, over all nodes, as its members are told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Sockets;
use super::sockets::Listed;
use crate::event::hidden;
use crate::fanout::Member;

/// Members that one answer names: a list that people look at.
const MAX_MEMBERS: usize = 1000;

/// Questions of clients that all nodes are asked at a time; further ones wait for their turn.
pub(super) const MAX_ASKING: usize = 32;

/// How long they wait for it.
const TURN: Duration = Duration::from_secs(5);

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Present {
    pub socket: String,
    #[serde(default)]
    pub user: Option<String>,
}

/// Which room is meant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Question {
    namespace: String,
    room: String,
}

impl Sockets {
    /// Who is in a room that is watched: whoever joins or leaves after he was looked at is told of. `None`: too many
    /// clients ask.
    pub(crate) async fn present(&self, namespace: &str, room: &str) -> Option<Listed<Present>> {
        let turn = tokio::time::timeout(TURN, self.asking.acquire());
        // It is never closed.
        let _turn = turn.await.ok()?.ok()?;
        // Others first have to know that somebody watches.
        self.known(namespace, &[hidden::watching(room)]).await;
        let question = Question {
            namespace: namespace.to_owned(),
            room: room.to_owned(),
        };
        let here = self.present_here(question.clone());
        let elsewhere = self.others.ask("present", &question, Duration::ZERO);
        let (mut listed, elsewhere) = tokio::join!(here, elsewhere);
        elsewhere.answers.into_iter().for_each(|it| listed.add(it));
        listed.silent.extend(elsewhere.silent);
        listed.items.sort_unstable();
        Some(listed.cut_to(MAX_MEMBERS))
    }

    pub(super) async fn present_here(&self, question: Question) -> Listed<Present> {
        let each = self.broker.fanout.each(move |home| {
            let Question { namespace, room } = &question;
            // A socket is in the room of its name, and does not join or leave it.
            let is_in = |it: &Member| it.client.rooms.lock().contains(room.as_str());
            let found = home.find(Some(namespace), Some(room), MAX_MEMBERS + 1, is_in);
            found.iter().map(Present::of).collect::<Vec<_>>()
        });
        Listed::cut(
            each.await.into_iter().flatten().flatten().collect(),
            MAX_MEMBERS,
        )
    }
}

impl Present {
    fn of(member: &Member) -> Self {
        let identity = member.client.identity.read();
        Self {
            socket: member.client.peer.name.to_string(),
            user: identity.user.as_deref().map(str::to_owned),
        }
    }
}
