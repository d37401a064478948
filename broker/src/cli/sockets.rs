//! `sluice sockets`, `rooms`, `join`, `leave` and `disconnect`: who is where, and moving them.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};

use clap::Args;
use serde_json::{Value, json};

use super::client::{Asking, Client, piece};
use super::pages::Extent;
use super::table::{ago, facts, left_out, row, table, text, words};
use super::{Exit, tell};

const SOCKETS: &str = "/api/v1/sockets";

#[derive(Debug, Args)]
pub(super) struct Sockets {
    #[command(flatten)]
    asking: Asking,
    /// Show this one in full
    #[arg(conflicts_with_all = ["namespace", "room", "user", "at", "limit", "all"])]
    id: Option<String>,
    /// Only those in this namespace
    #[arg(long, value_name = "PATH")]
    namespace: Option<String>,
    /// Only those in this room
    #[arg(long)]
    room: Option<String>,
    /// Only those of this user
    #[arg(long)]
    user: Option<String>,
    /// Only those of this node
    #[arg(long = "node", value_name = "NODE")]
    at: Option<String>,
    #[command(flatten)]
    extent: Extent,
}

#[derive(Debug, Args)]
pub(super) struct Rooms {
    #[command(flatten)]
    asking: Asking,
    /// The namespace
    #[arg(long, value_name = "PATH", default_value = "/")]
    namespace: String,
    /// Only those whose names begin so
    #[arg(long)]
    prefix: Option<String>,
    #[command(flatten)]
    extent: Extent,
}

/// Whom something is done with.
#[derive(Debug, Args)]
struct Whom {
    /// The namespace
    #[arg(long, value_name = "PATH", default_value = "/")]
    namespace: String,
    /// The sockets in this room (repeatable)
    #[arg(long, value_name = "ROOM")]
    room: Vec<String>,
    /// The sockets of this user (repeatable)
    #[arg(long, value_name = "USER")]
    user: Vec<String>,
    /// But not those in this room, or of this id (repeatable)
    #[arg(long, value_name = "ROOM")]
    except: Vec<String>,
    /// Every socket of the namespace
    #[arg(long, conflicts_with_all = ["room", "user"])]
    all: bool,
}

#[derive(Debug, Args)]
pub(super) struct Disconnect {
    #[command(flatten)]
    asking: Asking,
    /// The ids of sockets
    #[arg(value_name = "SOCKET", conflicts_with = "all")]
    socket: Vec<String>,
    #[command(flatten)]
    whom: Whom,
    /// With everything else that their clients have on the same connection
    #[arg(long)]
    close: bool,
    /// Do not ask whether it is meant, however many it is
    #[arg(long, short)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct Move {
    #[command(flatten)]
    asking: Asking,
    /// The rooms that they join, or leave
    #[arg(required = true, value_name = "TARGET")]
    target: Vec<String>,
    /// The socket of this id (repeatable)
    #[arg(long, value_name = "SOCKET", conflicts_with = "all")]
    socket: Vec<String>,
    #[command(flatten)]
    whom: Whom,
}

impl Sockets {
    pub(super) fn run(&self) -> Result<String, Exit> {
        let client = self.asking.client()?;
        if let Some(id) = &self.id {
            let socket = client.get(&format!("{SOCKETS}/{}", piece(id)))?;
            return Ok(self.asking.shown(&socket, show));
        }
        let filter = [
            ("namespace", self.namespace.as_deref()),
            ("room", self.room.as_deref()),
            ("user", self.user.as_deref()),
            ("node", self.at.as_deref()),
        ];
        let answer = self.extent.list(&client, SOCKETS, &filter, "sockets")?;
        tell(&left_out(&answer));
        Ok(self.asking.shown(&answer, list))
    }
}

impl Rooms {
    pub(super) fn run(&self) -> Result<String, Exit> {
        let filter = [
            ("namespace", Some(&*self.namespace)),
            ("prefix", self.prefix.as_deref()),
        ];
        let client = self.asking.client()?;
        let answer = self
            .extent
            .list(&client, "/api/v1/rooms", &filter, "rooms")?;
        tell(&left_out(&answer));
        Ok(self.asking.shown(&answer, list_rooms))
    }
}

impl Disconnect {
    pub(super) fn run(&self) -> Result<String, Exit> {
        let mut body = self.whom.body(&self.socket)?;
        body["close"] = self.close.into();
        let client = self.asking.client()?;
        if !self.yes && self.is_many() && std::io::stdin().is_terminal() {
            let count = self.whom.count(&client, &self.socket)?;
            if count > 1 && !confirmed(&format!("disconnect up to {count} sockets?"))? {
                return Ok("nothing was done\n".to_owned());
            }
        }
        let answer = client.post_json(&format!("{SOCKETS}/disconnect"), &body)?;
        Ok(self.asking.shown(&answer, |it| steered(it, "disconnected")))
    }

    /// It may be more than one.
    fn is_many(&self) -> bool {
        let whom = &self.whom;
        self.socket.len() != 1 || whom.all || !whom.room.is_empty() || !whom.user.is_empty()
    }
}

impl Move {
    pub(super) fn join(&self) -> Result<String, Exit> {
        self.run("join", "joined")
    }

    pub(super) fn leave(&self) -> Result<String, Exit> {
        self.run("leave", "left")
    }

    fn run(&self, what: &str, done: &str) -> Result<String, Exit> {
        let mut body = self.whom.body(&self.socket)?;
        body[what] = json!(self.target);
        let client = self.asking.client()?;
        let answer = client.post_json(&format!("{SOCKETS}/{what}"), &body)?;
        Ok(self.asking.shown(&answer, |it| steered(it, done)))
    }
}

impl Whom {
    /// The request's part of it. To name nobody is a slip more often than it means everybody.
    fn body(&self, sockets: &[String]) -> Result<Value, Exit> {
        let is_named = !(sockets.is_empty() && self.room.is_empty() && self.user.is_empty());
        if !is_named && !self.all {
            return Err(Exit::Usage(
                "nobody is named: give the id of a socket, --room, --user, or --all".to_owned(),
            ));
        }
        let mut body = json!({"namespace": self.namespace});
        for (field, names) in [
            ("sockets", sockets),
            ("rooms", &self.room),
            ("users", &self.user),
            ("except", &self.except),
        ] {
            if !names.is_empty() {
                body[field] = json!(names);
            }
        }
        Ok(body)
    }

    /// How many there are, nearly: those who are excepted are among them.
    fn count(&self, client: &Client, sockets: &[String]) -> Result<usize, Exit> {
        let namespace = Some(&*self.namespace);
        let mut found: BTreeSet<String> = sockets.iter().cloned().collect();
        let rooms = self.room.iter().map(|it| ("room", Some(&**it)));
        let users = self.user.iter().map(|it| ("user", Some(&**it)));
        let everyone = self.all.then_some(("room", None));
        for filter in rooms.chain(users).chain(everyone) {
            let filter = [("namespace", namespace), filter];
            let answer = Extent::ALL.list(client, SOCKETS, &filter, "sockets")?;
            let listed = answer["sockets"].as_array().into_iter().flatten();
            found.extend(listed.filter_map(|it| it["id"].as_str().map(str::to_owned)));
        }
        Ok(found.len())
    }
}

/// Asks the person at the terminal.
fn confirmed(question: &str) -> Result<bool, Exit> {
    let mut err = std::io::stderr().lock();
    let asked = write!(err, "{question} [y/N] ").and_then(|()| err.flush());
    let mut line = String::new();
    let read = asked.and_then(|()| std::io::stdin().read_line(&mut line));
    read.map_err(|error| Exit::Failed(error.into()))?;
    Ok(["y", "yes"].contains(&line.trim().to_lowercase().as_str()))
}

fn list(answer: &Value) -> String {
    let mut rows = vec![row([
        "ID",
        "NAMESPACE",
        "USER",
        "ADDRESS",
        "TRANSPORT",
        "ROOMS",
        "SINCE",
        "NODE",
    ])];
    for socket in answer["sockets"].as_array().into_iter().flatten() {
        let rooms = socket["rooms"].as_array().map_or(0, Vec::len);
        rows.push(row([
            &text(&socket["id"]),
            &text(&socket["namespace"]),
            &text(&socket["user"]),
            &text(&socket["address"]),
            &text(&socket["transport"]),
            &rooms.to_string(),
            &ago(&socket["since"]),
            &text(&socket["node"]),
        ]));
    }
    table(&rows)
}

fn show(socket: &Value) -> String {
    let mut shown = vec![
        ("id", text(&socket["id"])),
        ("namespace", text(&socket["namespace"])),
        ("user", text(&socket["user"])),
        ("address", text(&socket["address"])),
        ("transport", text(&socket["transport"])),
        ("since", text(&socket["since"])),
        ("node", text(&socket["node"])),
        ("certificate", text(&socket["certificate"])),
        ("rooms", words(&socket["rooms"])),
    ];
    for (name, value) in socket["attributes"].as_object().into_iter().flatten() {
        shown.push((
            "attribute",
            format!("{}: {}", text(&json!(name)), text(value)),
        ));
    }
    facts(&shown)
}

fn list_rooms(answer: &Value) -> String {
    let mut rows = vec![row(["NAME", "SOCKETS", "NODES"])];
    for room in answer["rooms"].as_array().into_iter().flatten() {
        let nodes = room["nodes"].as_object().map_or(0, serde_json::Map::len);
        rows.push(row([
            &text(&room["name"]),
            &text(&room["sockets"]),
            &nodes.to_string(),
        ]));
    }
    table(&rows)
}

fn steered(answer: &Value, done: &str) -> String {
    let refused = match answer["refused"].as_u64() {
        None | Some(0) => String::new(),
        Some(refused) => {
            format!(", {refused} joins refused: those are in as many rooms as they may")
        }
    };
    format!(
        "{} sockets {done}{refused}\n{}",
        text(&answer["sockets"]),
        left_out(answer)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whom(all: bool, room: &[&str]) -> Whom {
        Whom {
            namespace: "/".to_owned(),
            room: room.iter().map(|&it| it.to_owned()).collect(),
            user: Vec::new(),
            except: Vec::new(),
            all,
        }
    }

    #[test]
    fn nobody_is_not_everybody() {
        assert!(matches!(whom(false, &[]).body(&[]), Err(Exit::Usage(_))));
        assert_eq!(
            whom(true, &[]).body(&[]).unwrap(),
            json!({"namespace": "/"})
        );
        let some = whom(false, &["r"]).body(&["s".to_owned()]).unwrap();
        assert_eq!(
            some,
            json!({"namespace": "/", "sockets": ["s"], "rooms": ["r"]})
        );
    }

    #[test]
    fn a_socket_is_a_line() {
        let shown = list(&json!({"sockets": [
            {"id": "abc", "namespace": "/", "user": null, "rooms": ["a", "b"], "address": "::1"},
        ]}));
        let cells: Vec<_> = shown.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells, ["abc", "/", "-", "::1", "-", "2", "-", "-"]);
    }
}
