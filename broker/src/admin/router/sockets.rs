//! Who is where, moving them, and events to them.

use crate::admin::describe::{About, Parameter, header, text};
use crate::admin::query::{AFTER, LISTED};
use crate::admin::routes::Routes;
use crate::admin::{emit, sockets};
use crate::backend::{SocketInfo, Steered};

const NAMESPACE: Parameter = text("namespace", "The namespace; `/` without this.");
const ROOM: Parameter = text("room", "Only those in this room.");

pub(super) fn routes(routes: Routes) -> Routes {
    let about = |name, summary| About::new(name, "sockets", summary);
    let steers = |name, summary, example| {
        about(name, summary)
            .takes::<sockets::Body>(example)
            .answers::<Steered>("With how many sockets it was done.")
            .problems(&[(404, "There is no such namespace.")])
    };
    routes
        .get(
            "/api/v1/sockets",
            sockets::list,
            about("listSockets", "Sockets, on all nodes or on one")
                .parameters(&[
                    text("namespace", "Only those in this namespace."),
                    ROOM,
                    text("user", "Only those of this user."),
                    text("node", "Only those of this node."),
                    LISTED,
                    AFTER,
                ])
                .answers::<sockets::SocketList>("By namespace, the oldest first."),
        )
        .get(
            "/api/v1/sockets/{id}",
            sockets::show,
            about("showSocket", "One socket")
                .answers::<SocketInfo>("The socket.")
                .problems(&[(404, "No socket of this id is connected.")]),
        )
        .post(
            "/api/v1/sockets/join",
            sockets::join,
            steers(
                "join",
                "Has sockets join rooms, on all nodes",
                r#"{"users": ["alice"], "join": ["general"]}"#,
            ),
        )
        .post(
            "/api/v1/sockets/leave",
            sockets::leave,
            steers(
                "leave",
                "Has sockets leave rooms, on all nodes",
                r#"{"rooms": ["general"], "leave": ["general"]}"#,
            ),
        )
        .post(
            "/api/v1/sockets/disconnect",
            sockets::disconnect,
            steers(
                "disconnect",
                "Disconnects sockets, on all nodes",
                r#"{"users": ["mallory"], "close": true}"#,
            ),
        )
        .get(
            "/api/v1/presence",
            sockets::presence,
            about("presence", "Who is in a room, on all nodes")
                .parameters(&[
                    NAMESPACE,
                    text("room", "The room.").required(),
                    LISTED,
                    AFTER,
                ])
                .answers::<sockets::Present>("Its members, the oldest first."),
        )
        .get(
            "/api/v1/rooms",
            sockets::rooms,
            about("listRooms", "Rooms of a namespace, over all nodes")
                .parameters(&[
                    NAMESPACE,
                    text("prefix", "Only those whose names begin so."),
                    LISTED,
                    AFTER,
                ])
                .answers::<sockets::RoomList>("By name."),
        )
        .get(
            "/api/v1/namespaces",
            sockets::namespaces,
            about(
                "listNamespaces",
                "Namespaces that have sockets, over all nodes",
            )
            .answers::<sockets::NamespaceList>("By path."),
        )
        .post(
            "/api/v1/emit",
            emit::emit,
            about(
                "emit",
                "Sends an event, or several, to clients on all nodes",
            )
            .parameters(&[header(
                "Idempotency-Key",
                "The same request with the same key is done once within two minutes.",
            )])
            .takes::<emit::EmitRequest>(
                r#"{"rooms": ["general"], "event": "news", "args": [{"text": "hi"}]}"#,
            )
            .answers::<emit::EmitAnswer>("What became of it; of several, of each in its order.")
            .problems(&[(404, "There is no such namespace.")])
            .patient(),
        )
}
