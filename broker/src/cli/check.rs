//! `sluice check`: a configuration that is not started.

mod plan;
mod suspicions;
mod text;

use super::{Exit, Source};
use plan::Plan;

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    source: Source,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    /// What a valid configuration would run.
    pub(super) fn run(&self) -> Result<String, Exit> {
        let loaded = self.source.load()?;
        let (pipelines, failed) = crate::app::check(loaded.clone())?;
        let plan = Plan::of(&loaded, &pipelines, &failed);
        match self.json {
            true => Ok(format!("{:#}\n", serde_json::json!(plan))),
            false => Ok(plan.to_string()),
        }
    }
}
