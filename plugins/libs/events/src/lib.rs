//! Which events the rules of a policy are about: `event` of an entry names one or several, and every name is an interest
//! of its own, whose number has to lead back to the entry.

use std::collections::BTreeSet;

use serde::Deserialize;

/// `event` of an entry.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "the name of an event, a glob, or a list of them"
)]
pub enum Names {
    /// A text.
    One(String),
    /// A list of them.
    Many(Vec<String>),
}

impl Names {
    /// The names, of which there has to be one. `at` is where the entry stands in the configuration.
    ///
    /// # Errors
    ///
    /// For the operator: the list is empty.
    pub fn into_list(self, at: &str) -> Result<Vec<String>, String> {
        match self {
            Self::One(name) => Ok(vec![name]),
            Self::Many(names) if names.is_empty() => Err(format!("`{at}.event` is empty")),
            Self::Many(names) => Ok(names),
        }
    }
}

/// The entries in the order of their names.
#[derive(Debug, Default)]
pub struct Order {
    seen: BTreeSet<String>,
    entries: usize,
    entry_of_name: Vec<usize>,
}

impl Order {
    /// Takes note of the names of the next entry.
    ///
    /// # Errors
    ///
    /// For the operator: a name has been there before.
    pub fn add(&mut self, at: &str, names: &[String]) -> Result<(), String> {
        for name in names {
            if !self.seen.insert(name.clone()) {
                return Err(format!(
                    "`{at}.event`: {name:?} is there twice; the second never counts"
                ));
            }
            self.entry_of_name.push(self.entries);
        }
        self.entries += 1;
        Ok(())
    }

    /// The entry that each name belongs to.
    #[must_use]
    pub fn entry_of_name(self) -> Vec<usize> {
        self.entry_of_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(json: &str) -> Result<Vec<String>, String> {
        let names: Names = serde_json::from_str(json).map_err(|error| error.to_string())?;
        names.into_list("events[2]")
    }

    #[test]
    fn an_entry_is_about_one_event_or_several() {
        assert_eq!(names(r#""a""#).unwrap(), ["a"]);
        assert_eq!(names(r#"["a","b*"]"#).unwrap(), ["a", "b*"]);
        assert_eq!(names("[]").unwrap_err(), "`events[2].event` is empty");
        assert!(names("1").unwrap_err().contains("or a list of them"));
    }

    #[test]
    fn every_name_leads_back_to_its_entry() {
        let list = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let mut order = Order::default();
        order.add("events[0]", &list(&["a", "b"])).unwrap();
        order.add("events[1]", &list(&["c"])).unwrap();
        let twice = order.add("events[2]", &list(&["d", "a"])).unwrap_err();
        assert!(
            twice.contains("events[2]") && twice.contains("\"a\""),
            "{twice}"
        );
        let mut order = Order::default();
        order.add("events[0]", &list(&["a", "b"])).unwrap();
        order.add("events[1]", &list(&["c"])).unwrap();
        assert_eq!(order.entry_of_name(), [0, 0, 1]);
    }
}
