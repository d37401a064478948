//! What is wrong with a configuration, collected so that one run shows all of it.

use std::fmt;

/// One mistake: where it is, what it is, what would be right and where the value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The full key, such as `policy[0].timeout`; empty where no key can be named (a file that cannot be read).
    pub key: String,
    /// What the key belongs to, such as ``policy `chat` ``, where a position alone says little.
    pub of: Option<String>,
    pub what: String,
    pub expected: Option<String>,
    /// A file with its line where that is known, or a variable; `None` for what is missing with no file at all.
    pub origin: Option<String>,
}

impl Problem {
    /// A problem of a whole source, not of a key in it.
    pub(super) fn of_source(origin: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            key: String::new(),
            of: None,
            what: what.into(),
            expected: None,
            origin: Some(origin.into()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            if let Some(origin) = &self.origin {
                write!(f, "{origin}: ")?;
            }
            return f.write_str(&self.what);
        }
        f.write_str(&self.key)?;
        if let Some(of) = &self.of {
            write!(f, " ({of})")?;
        }
        write!(f, ": {}", self.what)?;
        if let Some(expected) = &self.expected {
            write!(f, "; expected {expected}")?;
        }
        if let Some(origin) = &self.origin {
            write!(f, " [{origin}]")?;
        }
        Ok(())
    }
}

/// Every problem of a configuration, one a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Problems(pub(super) Vec<Problem>);

impl Problems {
    /// `Ok` when there is none.
    pub(super) fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The same, which are there because these keys have the values that the process runs by.
    pub(super) fn with(mut self, kept: &[&str]) -> Self {
        let kept = kept.join(", ");
        for problem in &mut self.0 {
            let what = format!(" (until a restart, which {kept} wait for)");
            problem.what.push_str(&what);
        }
        self
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
