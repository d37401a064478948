//! The two text forms of the metrics.

use std::fmt::Write;

/// OpenMetrics, as prometheus-client writes it, in the older form of Prometheus: what a scraper that does not ask
/// for OpenMetrics can read. There, a counter's description has the name of its samples; there are no units, no
/// infos and no end mark.
pub(super) fn classic(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            // The name depends on the type, which comes next.
            help = described.split_once(' ');
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|typed| typed.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "gauge" | "histogram" => ("", kind),
                _ => ("", "untyped"),
            };
            if let Some((_, words)) = help.take() {
                // Writing to a string does not fail.
                let _ = writeln!(text, "# HELP {name}{suffix} {words}");
            }
            let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_a_scraper_of_old_reads() {
        let text = "# HELP a Words, more.\n# TYPE a counter\na_total 1\n\
                    # HELP b_seconds Time.\n# TYPE b_seconds histogram\n# UNIT b_seconds seconds\nb_seconds_sum 1.0\n\
                    # HELP c Info.\n# TYPE c info\nc_info{v=\"1\"} 1\n# EOF\n";
        assert_eq!(
            classic(text),
            "# HELP a_total Words, more.\n# TYPE a_total counter\na_total 1\n\
             # HELP b_seconds Time.\n# TYPE b_seconds histogram\nb_seconds_sum 1.0\n\
             # HELP c_info Info.\n# TYPE c_info gauge\nc_info{v=\"1\"} 1\n"
        );
    }
}
