//! `sluice reload`: a node follows its configuration, and everything else on disk, now.

use clap::Args;
use serde_json::Value;

use super::Exit;
use super::client::Asking;
use super::table::{row, table, text};

#[derive(Debug, Args)]
pub(super) struct Reload {
    #[command(flatten)]
    asking: Asking,
}

impl Reload {
    pub(super) fn run(&self) -> Result<String, Exit> {
        let answer = self.asking.client()?.post("/api/v1/reload")?;
        Ok(self.asking.shown(&answer, show))
    }
}

/// A line for each key that has changed, or waits, and for each policy that does not load.
fn show(answer: &Value) -> String {
    let rows = |list: &str, what: &str| {
        let changes = answer[list].as_array().into_iter().flatten();
        let rows = changes.map(|it| {
            row([
                what,
                &text(&it["key"]),
                &text(&it["old"]),
                &text(&it["new"]),
            ])
        });
        rows.collect::<Vec<_>>()
    };
    let mut all = rows("changes", "changed");
    all.extend(rows("restart_needed", "needs a restart"));
    let failed = answer["failed"].as_array().into_iter().flatten();
    let failed: String = failed
        .map(|it| format!("not loaded: {}\n", text(it)))
        .collect();
    let changed = match answer["changed"] == true {
        true => "changed\n",
        false => "nothing has changed\n",
    };
    if !all.is_empty() {
        all.insert(0, row(["", "key", "old", "new"]));
    }
    [table(&all), failed, changed.to_owned()].concat()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tells_each_key() {
        let nothing = json!({"changed": false, "changes": [], "restart_needed": [], "failed": []});
        assert_eq!(show(&nothing), "nothing has changed\n");
        let some = json!({
            "changed": true,
            "changes": [{"key": "telemetry.log", "old": "info", "new": "debug"}],
            "restart_needed": [{"key": "server.path", "old": "/a", "new": null}],
            "failed": ["policy `x`: no"],
        });
        let lines: Vec<_> = show(&some)
            .lines()
            .map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let expected = [
            "key old new",
            "changed telemetry.log info debug",
            "needs a restart server.path /a -",
            "not loaded: policy `x`: no",
            "changed",
        ];
        assert_eq!(lines, expected);
    }
}
