//! `sluice emit`: an event to clients.

use clap::Args;
use serde_json::{Value, json};

use super::Exit;
use super::client::Asking;
use super::table::{left_out, row, table, text};

#[derive(Debug, Args)]
pub(super) struct Emit {
    #[command(flatten)]
    asking: Asking,
    /// The namespace, such as /
    namespace: String,
    /// The event's name
    event: String,
    /// The event's arguments, each as JSON: a text in quotes
    #[arg(value_name = "JSON")]
    args: Vec<String>,
    /// Take the arguments as texts, and not as JSON
    #[arg(long)]
    text: bool,
    /// Only to the sockets in this room (repeatable)
    #[arg(long, value_name = "ROOM")]
    room: Vec<String>,
    /// Only to the socket of this id (repeatable)
    #[arg(long, value_name = "SOCKET")]
    socket: Vec<String>,
    /// Only to the sockets of this user (repeatable)
    #[arg(long, value_name = "USER")]
    user: Vec<String>,
    /// But not to those in this room, or of this id (repeatable)
    #[arg(long, value_name = "ROOM")]
    except: Vec<String>,
    /// Have the clients answer, and wait this long for them, such as 5s; for as long as is configured without a time
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true)]
    ack: Option<Option<String>>,
    /// Skip clients that take nothing at the moment
    #[arg(long)]
    volatile: bool,
    /// The key by which the node knows a request that is sent again
    #[arg(long, value_name = "KEY")]
    id: Option<String>,
}

impl Emit {
    pub(super) fn run(&self) -> Result<String, Exit> {
        let body = self.body()?;
        let answer = self.asking.client()?.post_json("/api/v1/emit", &body)?;
        Ok(self.asking.shown(&answer, show))
    }

    fn body(&self) -> Result<Value, Exit> {
        let args = self.args.iter().enumerate();
        let args = args.map(|(place, arg)| self.argument(place, arg));
        let args = args.collect::<Result<Vec<_>, _>>()?;
        let mut body = json!({"namespace": self.namespace, "event": self.event, "args": args});
        // A socket is in the room of its id.
        let rooms: Vec<_> = self.room.iter().chain(&self.socket).collect();
        if !rooms.is_empty() {
            body["rooms"] = json!(rooms);
        }
        if !self.user.is_empty() {
            body["users"] = json!(self.user);
        }
        if !self.except.is_empty() {
            body["except"] = json!(self.except);
        }
        match &self.ack {
            None => {}
            Some(None) => body["ack"] = true.into(),
            Some(Some(time)) => body["ack"] = json!({"timeout": time}),
        }
        if self.volatile {
            body["volatile"] = true.into();
        }
        if let Some(id) = &self.id {
            body["id"] = json!(id);
        }
        Ok(body)
    }

    fn argument(&self, place: usize, arg: &str) -> Result<Value, Exit> {
        if self.text {
            return Ok(arg.into());
        }
        serde_json::from_str(arg).map_err(|error| {
            Exit::Usage(format!(
                "argument {} is not JSON: {error}; a text is written '\"in quotes\"', or with --text",
                place + 1
            ))
        })
    }
}

fn show(answer: &Value) -> String {
    let mut out = format!("handed to {} clients\n", text(&answer["deliveries"]));
    if let Some(acks) = answer["acks"].as_array() {
        let mut rows = vec![row(["SOCKET", "NODE", "ANSWER"])];
        for ack in acks {
            rows.push(["socket", "node", "args"].map(|it| text(&ack[it])).to_vec());
        }
        if !acks.is_empty() {
            out += &format!("\n{}", table(&rows));
        }
        out += &format!(
            "{} answered, {} did not\n",
            acks.len(),
            text(&answer["missing"])
        );
    }
    out + &left_out(answer)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        emit: Emit,
    }

    fn body(line: &[&str]) -> Result<Value, Exit> {
        let line = ["emit"].iter().chain(line);
        Line::try_parse_from(line).unwrap().emit.body()
    }

    #[test]
    fn the_line_is_the_request() {
        assert_eq!(
            body(&["/", "news", "{\"a\":1}", "null"]).unwrap(),
            json!({"namespace": "/", "event": "news", "args": [{"a": 1}, null]})
        );
        let all = [
            "/a",
            "x",
            "5",
            "--text",
            "--room",
            "r",
            "--socket",
            "s",
            "--user",
            "u",
            "--except",
            "e",
            "--ack=2s",
            "--volatile",
            "--id",
            "k",
        ];
        assert_eq!(
            body(&all).unwrap(),
            json!({
                "namespace": "/a", "event": "x", "args": ["5"], "rooms": ["r", "s"], "users": ["u"],
                "except": ["e"], "ack": {"timeout": "2s"}, "volatile": true, "id": "k",
            })
        );
        assert_eq!(body(&["/", "x", "--ack", "1"]).unwrap()["ack"], true);
        assert!(matches!(body(&["/", "x", "hi"]), Err(Exit::Usage(_))));
    }
}
