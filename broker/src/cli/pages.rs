//! Lists that come in pages.

use clap::Args;
use serde_json::{Value, json};

use super::Exit;
use super::client::{Client, query};

/// As many as one answer lists.
const PAGE: usize = 10_000;

/// What is listed where nothing is said.
const SOME: usize = 100;

/// How much of a list is wanted.
#[derive(Debug, Args)]
pub(super) struct Extent {
    /// How many at most; 100 without this
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<usize>,
    /// All of them
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Extent {
    pub(super) const ALL: Self = Self {
        limit: None,
        all: true,
    };

    /// What the pages of a list say, as one answer. `items` is what the list is called in it.
    pub(super) fn list(
        &self,
        client: &Client,
        path: &str,
        filter: &[(&str, Option<&str>)],
        items: &str,
    ) -> Result<Value, Exit> {
        let mut left = match self.all {
            true => usize::MAX,
            false => self.limit.unwrap_or(SOME),
        };
        let mut listed = Vec::new();
        let mut silent = Vec::new();
        let mut next = None::<String>;
        loop {
            let limit = left.min(PAGE).to_string();
            let page = [("limit", Some(&*limit)), ("after", next.as_deref())];
            let query = query(&[filter, &page].concat());
            let mut answer = client.get(&format!("{path}{query}"))?;
            let page = taken(&mut answer[items]);
            left = left.saturating_sub(page.len());
            let is_empty = page.is_empty();
            listed.extend(page);
            for node in taken(&mut answer["silent"]) {
                if !silent.contains(&node) {
                    silent.push(node);
                }
            }
            next = answer["next"].as_str().map(str::to_owned);
            // A node that goes on without saying anything would be asked for ever.
            if next.is_none() || left == 0 || is_empty {
                answer[items] = listed.into();
                if !silent.is_empty() {
                    answer["silent"] = json!(silent);
                }
                return Ok(answer);
            }
        }
    }
}

fn taken(list: &mut Value) -> Vec<Value> {
    match list.take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..) => Ok(number),
        _ => Err("expected a number from 1".to_owned()),
    }
}
