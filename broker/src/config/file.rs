//! A configuration file as it was read: its values, and the lines they stand on where the format tells.

use std::collections::HashMap;
use std::path::Path;

use config::{ConfigError, FileFormat, Format, Map, Source, Value};
use toml::de::{DeTable, DeValue};

use super::problem::Problem;

/// What a file holds.
#[derive(Debug)]
pub(super) struct File {
    /// Its path, as problems name it.
    pub shown: String,
    pub values: Map<String, Value>,
    lines: HashMap<String, usize>,
}

impl File {
    /// Reads TOML, YAML or JSON, told apart by the extension. `None` means that `problems` has grown.
    pub(super) fn read(path: &Path, problems: &mut Vec<Problem>) -> Option<Self> {
        let shown = path.display().to_string();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let format = match extension {
            Some("toml") => FileFormat::Toml,
            Some("yaml" | "yml") => FileFormat::Yaml,
            Some("json") => FileFormat::Json,
            _ => {
                let what = "the extension has to be .toml, .yaml, .yml or .json";
                problems.push(Problem::of_source(shown, what));
                return None;
            }
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                problems.push(Problem::of_source(
                    shown,
                    format!("cannot be read: {error}"),
                ));
                return None;
            }
        };
        let text = text.trim_start_matches('\u{feff}');
        let mut lines = HashMap::new();
        if format == FileFormat::Toml && !read_lines(text, &shown, &mut lines, problems) {
            return None;
        }
        let mut values = match format.parse(Some(&shown), text) {
            Ok(values) => values,
            Err(error) => {
                // That error shows the value, which is not a table and may be a secret.
                let not_a_table = error.is::<ConfigError>() || error.is::<Box<ConfigError>>();
                let what = if not_a_table {
                    "holds no table of keys".to_owned()
                } else {
                    error.to_string()
                };
                problems.push(Problem::of_source(shown, what));
                return None;
            }
        };
        // The merger would take such a name apart: `server[9]` for a list.
        values.retain(|name, _| {
            let plain = is_plain(name);
            if !plain {
                problems.push(Problem::of_source(&shown, format!("unknown key `{name}`")));
            }
            plain
        });
        Some(Self {
            shown,
            values,
            lines,
        })
    }

    /// Where a key stands: the file with the line of the key or of the nearest table around it.
    pub(super) fn origin(&self, key: &str) -> String {
        let mut key = key;
        loop {
            if let Some(line) = self.lines.get(key) {
                return format!("{}:{line}", self.shown);
            }
            let cut = key.rfind(['.', '[']);
            match cut.and_then(|cut| key.get(..cut)) {
                Some(parent) => key = parent,
                None => return self.shown.clone(),
            }
        }
    }
}

/// One layer of the merged configuration.
#[derive(Debug, Clone)]
pub(super) struct Layer(pub Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// `server` and `listen` make `server.listen`; a name that would not be read back as one is quoted.
pub(super) fn join(parent: &str, name: &str) -> String {
    let name = if is_plain(name) {
        name.to_owned()
    } else {
        format!("{name:?}")
    };
    if parent.is_empty() {
        name
    } else {
        format!("{parent}.{name}")
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Notes the line of every key. `false` means that `problems` has grown: one for each place that is not TOML. The
/// parser's own error texts show the line, which may hold a secret; these do not.
fn read_lines(
    text: &str,
    shown: &str,
    lines: &mut HashMap<String, usize>,
    problems: &mut Vec<Problem>,
) -> bool {
    let (table, errors) = DeTable::parse_recoverable(text);
    let starts: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let line = |at: usize| starts.partition_point(|start| *start < at) + 1;
    if errors.is_empty() {
        note_table("", table.get_ref(), &line, lines);
        return true;
    }
    let mut errors = errors;
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    for error in errors {
        let origin = match error.span() {
            Some(span) => format!("{shown}:{}", line(span.start)),
            None => shown.to_owned(),
        };
        problems.push(Problem::of_source(origin, error.message()));
    }
    false
}

fn note_table(
    parent: &str,
    table: &DeTable<'_>,
    line: &impl Fn(usize) -> usize,
    lines: &mut HashMap<String, usize>,
) {
    for (name, value) in table {
        let key = join(parent, name.get_ref());
        lines.insert(key.clone(), line(name.span().start));
        note_value(&key, value.get_ref(), line, lines);
    }
}

fn note_value(
    key: &str,
    value: &DeValue<'_>,
    line: &impl Fn(usize) -> usize,
    lines: &mut HashMap<String, usize>,
) {
    match value {
        DeValue::Table(table) => note_table(key, table, line, lines),
        DeValue::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                let key = format!("{key}[{position}]");
                lines.insert(key.clone(), line(item.span().start));
                note_value(&key, item.get_ref(), line, lines);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> HashMap<String, usize> {
        let mut lines = HashMap::new();
        assert!(read_lines(text, "x", &mut lines, &mut Vec::new()));
        lines
    }

    #[test]
    fn knows_the_line_of_a_key() {
        let lines = lines(
            "[server]\nlisten = 1\n\n[server.cors]\norigins = [\n 'a',\n 'b']\n\n[[policy]]\nname = 'a'\n\
             [[policy]]\nname = 'b'\nconfig = { 'a.b' = 1 }\n[policy.on_error]\nevent = 1\n",
        );
        let expected = [
            ("server", 1),
            ("server.listen", 2),
            ("server.cors", 4),
            ("server.cors.origins", 5),
            ("server.cors.origins[1]", 7),
            ("policy[0]", 9),
            ("policy[0].name", 10),
            ("policy[1]", 11),
            ("policy[1].name", 12),
            ("policy[1].config.\"a.b\"", 13),
            ("policy[1].on_error", 14),
            ("policy[1].on_error.event", 15),
        ];
        for (key, line) in expected {
            assert_eq!(lines.get(key), Some(&line), "{key}");
        }
    }

    #[test]
    fn syntax_errors_show_no_text() {
        let mut problems = Vec::new();
        let text = "[admin]\ntoken = \"hunter2\nx = hunter3\n[admin\n";
        assert!(!read_lines(
            text,
            "x.toml",
            &mut HashMap::new(),
            &mut problems
        ));
        let all = format!("{problems:?}");
        assert!(problems.len() >= 2 && !all.contains("hunter"), "{all}");
        let origins: Vec<_> = problems
            .iter()
            .filter_map(|problem| problem.origin.as_deref())
            .collect();
        assert_eq!(origins[0], "x.toml:2", "{all}");
        assert!(origins.contains(&"x.toml:4"), "{all}");
    }
}
