//! `conceptd grid`: snapshots of a run at several strengths, always from the same seed.

use crate::{Failure, interrupt, promote::run_of};
use anyhow::Context;
use clap::Args;
use concept::{Applied, Bundle, Painter, PictureRequest, usual_side};
use protocol::Device;
use std::path::PathBuf;

#[derive(Args)]
pub struct Grid {
    /// The concept (`OUT/NAME.tar`) or its run (`OUT/.NAME.run`).
    run: PathBuf,
    /// The checkpoint to draw with.
    #[arg(long)]
    base: PathBuf,
    /// What to draw; the concept is called by its name.
    #[arg(long, default_value = "<concept>")]
    prompt: String,
    /// A strength; may be given several times.
    #[arg(long, default_values_t = [0.5, 0.75, 1.0])]
    strength: Vec<f64>,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Steps of the sampler.
    #[arg(long, default_value_t = 24)]
    steps: usize,
    #[arg(long, default_value_t = 5.0)]
    cfg: f64,
    /// Threads; 0 for one each core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// What it is drawn on.
    #[arg(long, value_enum, default_value = "auto")]
    device: Device,
    /// The PNG to write.
    #[arg(long)]
    out: PathBuf,
}

impl Grid {
    pub fn run(self) -> Result<(), Failure> {
        interrupt::listen()?;
        trainer::with_threads(self.threads, || self.draw())?
    }

    fn draw(&self) -> Result<(), Failure> {
        let (folder, _, _) = run_of(&self.run)?;
        let base = concept::open_checkpoint(&self.base, None, None)?;
        let mut painter = Painter::load(&base, &concept::device::to_draw(self.device, &base)?)?;
        let mut rows = Vec::new();
        for step in folder.snapshots()? {
            let bundle = Bundle::read(&folder.snapshot_file(step))?;
            let side = bundle.resolution().unwrap_or_else(|| usual_side(&base));
            let mut row = Vec::new();
            for &strength in &self.strength {
                painter.apply(&[Applied { bundle: &bundle, strength }])?;
                let request = PictureRequest {
                    prompt: self.prompt.clone(),
                    negative: String::new(),
                    width: side,
                    height: side,
                    steps: self.steps,
                    cfg: self.cfg,
                    seed: self.seed,
                    count: 1,
                    init: None,
                };
                row.extend(painter.draw(&request, interrupt::asked)?);
            }
            rows.push((format!("step {step}"), row));
        }
        let columns: Vec<String> = self.strength.iter().map(|strength| format!("strength {strength}")).collect();
        let grid = concept::label_grid(&rows, &columns);
        grid.save(&self.out).with_context(|| format!("cannot write {}", self.out.display()))?;
        println!("{}", self.out.display());
        Ok(())
    }
}
