//! `[telemetry]`: what the broker says about itself.

use tracing_subscriber::EnvFilter;

use super::nearest::nearest;
use super::section::Section;
use super::setting::names;
use super::traces::Traces;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Telemetry {
    /// Directives of `tracing_subscriber::EnvFilter`, checked.
    pub log: String,
    pub format: Format,
    pub traces: Traces,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Readable,
    Json,
}

names!(Format, "readable" => Format::Readable, "json" => Format::Json);

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Telemetry {
    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        let log: String = s.live(|s| {
            s.get(
                "log",
                "info",
                "What is logged: a level, or levels by module such as `info,sluice::edge=debug`.",
            )
        });
        let expected = "off, error, warn, info, debug or trace, or directives such as `info,sluice::edge=debug`";
        if let Some(level) = log.split(',').find_map(misspelt_level) {
            let what = format!("names no level; did you mean `{level}`?");
            s.complain("log", &what, Some(expected));
        } else if EnvFilter::builder().parse(&log).is_err() {
            s.complain("log", "is not a list of log directives", Some(expected));
        }
        let format = s.get("format", "readable", "The form of log lines.");
        Self {
            log,
            format,
            traces: Traces::read(s),
        }
    }
}

/// A lone word that is no level is a module's name to the filter, which would then log nothing else.
fn misspelt_level(directive: &str) -> Option<&'static str> {
    let directive = directive.trim();
    let lone = !directive.contains(['=', '[', ':']);
    let known = || {
        LEVELS
            .iter()
            .any(|level| directive.eq_ignore_ascii_case(level))
    };
    if !lone || known() {
        return None;
    }
    nearest(directive, LEVELS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_level_is_not_a_module() {
        assert_eq!(misspelt_level("inof"), Some("info"));
        assert_eq!(misspelt_level("infos"), Some("info"));
        assert_eq!(misspelt_level(" debugg"), Some("debug"));
        assert_eq!(misspelt_level("INFO"), None);
        assert_eq!(misspelt_level("hyper"), None);
        assert_eq!(misspelt_level("sluice::eror"), None);
    }
}
