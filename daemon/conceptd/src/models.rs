//! `conceptd models`: checkpoints in the configured folders.

use crate::{
    Failure,
    client::{Daemon, Reach, page, print_json},
    serve::{Flags, settings},
    table::{size, table, word},
};
use clap::Args;
use protocol::ModelView;

#[derive(Args)]
pub struct Models {
    #[command(flatten)]
    reach: Reach,
}

impl Models {
    /// Lists them, with a daemon or without.
    pub fn run(self) -> Result<(), Failure> {
        let home = self.reach.home.home();
        let models: Vec<ModelView> = match Daemon::find(&home) {
            Some(daemon) => daemon.all("/v1/models")?,
            None => server::models_of(&home, &settings(&home, &Flags::default())?.config),
        };
        if self.reach.json {
            return Ok(print_json(&page(&models)?)?);
        }
        if models.is_empty() {
            println!(
                "there are no checkpoints; put one into {}, or name its folder as `models` in {}",
                home.models().display(),
                home.config_file().display()
            );
            return Ok(());
        }
        let row = |model: &ModelView| {
            let kind = model.family.map_or_else(|| "-".into(), word);
            let kind = if model.nonstandard { format!("{kind}, own sizes") } else { kind };
            let told = model.problem.clone().unwrap_or_else(|| model.path.clone());
            vec![model.name.clone(), kind, size(model.bytes), told]
        };
        let rows: Vec<_> = models.iter().map(row).collect();
        print!("{}", table(&["NAME", "KIND", "SIZE", "PATH OR PROBLEM"], &rows));
        Ok(())
    }
}
