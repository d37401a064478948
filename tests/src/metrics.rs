//! Numbers from the text that Prometheus reads.

/// One reading of `/metrics`.
#[derive(Debug)]
pub struct Metrics(String);

impl Metrics {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    /// The sum over all series of `name` that carry these labels; 0 where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.0
            .lines()
            .filter_map(|line| value(line, name, labels))
            .sum()
    }

    /// Whether a series of this name is there at all.
    pub fn has(&self, name: &str) -> bool {
        self.0.lines().any(|line| value(line, name, &[]).is_some())
    }
}

/// The value of one line, if it is of the series that is asked for.
fn value(line: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let rest = line.strip_prefix(name)?;
    let (labelled, number) = match rest.strip_prefix('{') {
        Some(inner) => inner.rsplit_once("} ")?,
        None => ("", rest.strip_prefix(' ')?),
    };
    let carries = |(key, wanted): &(&str, &str)| labelled.contains(&format!("{key}=\"{wanted}\""));
    if !labels.iter().all(carries) {
        return None;
    }
    number.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed_by_label() {
        let metrics = Metrics::new(
            "# TYPE a counter\na_total{x=\"1\",y=\"p\"} 2\na_total{x=\"1\",y=\"q\"} 3\na_total{x=\"2\",y=\"p\"} 5\nb 7\n".into(),
        );
        assert_eq!(metrics.sum("a_total", &[]), 10.0);
        assert_eq!(metrics.sum("a_total", &[("x", "1")]), 5.0);
        assert_eq!(metrics.sum("a_total", &[("x", "1"), ("y", "q")]), 3.0);
        assert_eq!(metrics.sum("b", &[]), 7.0);
        assert!(!metrics.has("a"));
        assert!(metrics.has("b"));
    }
}
