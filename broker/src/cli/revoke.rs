//! `sluice revoke`: users and tokens that are kept out.

use clap::Args;
use serde_json::{Value, json};

use super::client::{Asking, query};
use super::pages::Extent;
use super::table::{left_out, row, table, text};
use super::{Exit, tell};

const REVOCATIONS: &str = "/api/v1/revocations";

#[derive(Debug, Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    asking: Asking,
    /// Keep this user out, and end the user's sockets
    #[arg(long, conflicts_with_all = ["token_id", "limit", "all"])]
    user: Option<String>,
    /// Keep out who comes with the token of this id
    #[arg(long, value_name = "ID", conflicts_with_all = ["limit", "all"])]
    token_id: Option<String>,
    /// Only in this namespace
    #[arg(long, value_name = "PATH")]
    namespace: Option<String>,
    /// For how long, such as 12h; 24h without this
    #[arg(long = "for", value_name = "TIME", conflicts_with = "until")]
    ttl: Option<String>,
    /// Until when, such as 2030-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// For operators; clients are not told
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Take it back
    #[arg(long, conflicts_with_all = ["ttl", "until", "reason"])]
    lift: bool,
    /// List who is kept out
    #[arg(long, conflicts_with_all = ["user", "token_id", "namespace", "ttl", "until", "reason", "lift"])]
    list: bool,
    #[command(flatten)]
    extent: Extent,
}

impl Revoke {
    pub(super) fn run(&self) -> Result<String, Exit> {
        if self.list {
            let client = self.asking.client()?;
            let answer = self.extent.list(&client, REVOCATIONS, &[], "revocations")?;
            tell(&left_out(&answer));
            return Ok(self.asking.shown(&answer, list));
        }
        if self.user.is_none() && self.token_id.is_none() {
            return Err(Exit::Usage(
                "nobody is named: give --user or --token-id, or --list".to_owned(),
            ));
        }
        let client = self.asking.client()?;
        let (answer, done) = match self.lift {
            true => {
                let path = format!("{REVOCATIONS}{}", self.target());
                (client.delete(&path)?, "let in again")
            }
            false => (client.post_json(REVOCATIONS, &self.body())?, "kept out"),
        };
        Ok(self.asking.shown(&answer, |it| changed(it, done)))
    }

    fn target(&self) -> String {
        query(&[
            ("user", self.user.as_deref()),
            ("token_id", self.token_id.as_deref()),
            ("namespace", self.namespace.as_deref()),
        ])
    }

    fn body(&self) -> Value {
        let fields = [
            ("user", &self.user),
            ("token_id", &self.token_id),
            ("namespace", &self.namespace),
            ("ttl", &self.ttl),
            ("until", &self.until),
            ("reason", &self.reason),
        ];
        let said = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)));
        json!(said.collect::<std::collections::BTreeMap<_, _>>())
    }
}

fn whom(revocation: &Value) -> String {
    match revocation["user"].is_string() {
        true => format!("user {}", text(&revocation["user"])),
        false => format!("token {}", text(&revocation["token_id"])),
    }
}

fn changed(answer: &Value, done: &str) -> String {
    let revocation = &answer["revocation"];
    let until = match done {
        "kept out" => format!(" until {}", text(&revocation["until"])),
        _ => String::new(),
    };
    format!(
        "{} {done}{until}: {} sockets ended\n{}",
        whom(revocation),
        text(&answer["sockets"]),
        left_out(answer)
    )
}

fn list(answer: &Value) -> String {
    let mut rows = vec![row(["WHO", "NAMESPACE", "SINCE", "UNTIL", "REASON"])];
    for it in answer["revocations"].as_array().into_iter().flatten() {
        rows.push(row([
            &whom(it),
            &text(&it["namespace"]),
            &text(&it["at"]),
            &text(&it["until"]),
            &text(&it["reason"]),
        ]));
    }
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_kept_out_is_said() {
        let it = json!({"user": "mallory", "until": "2030-01-31T12:00:00Z", "namespace": null});
        let answer = json!({"revocation": it, "sockets": 2, "silent": ["n2"]});
        assert_eq!(
            changed(&answer, "kept out"),
            "user mallory kept out until 2030-01-31T12:00:00Z: 2 sockets ended\nnode n2 did not answer\n"
        );
        assert!(list(&json!({"revocations": [it]})).contains("user mallory"));
    }
}
