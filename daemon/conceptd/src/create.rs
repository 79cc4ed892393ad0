//! `conceptd create`: here from files, or by the running daemon from its library.

mod handover;

use crate::{Failure, client::Daemon, interrupt, serve::HomeFlag, usage};
use anyhow::{Context, anyhow};
use clap::Args;
use concept::{Applied, Bundle, Painter, PictureRequest, usual_side};
use image::ImageFormat;
use protocol::{Device, Prediction};
use std::{
    collections::HashSet,
    fs::File,
    path::{Path, PathBuf},
};

#[derive(Args)]
pub struct Create {
    /// What to draw; concepts are called by their names.
    prompt: String,
    /// The checkpoint to draw with; the running daemon also takes its name, or finds that of the concept.
    #[arg(long)]
    base: Option<PathBuf>,
    /// A concept, optionally with a strength: kojii.tar or kojii.tar:0.8, or a name or id of the running daemon's library. May
    /// be given several times.
    #[arg(long, value_name = "CONCEPT[:STRENGTH]")]
    concept: Vec<String>,
    /// What to keep away from.
    #[arg(long, default_value = "")]
    negative: String,
    /// In pixels [default: what the concept or the base was made for].
    #[arg(long)]
    width: Option<usize>,
    /// In pixels.
    #[arg(long)]
    height: Option<usize>,
    #[arg(long, default_value_t = 28)]
    steps: usize,
    /// Strength of guidance; 1 is none.
    #[arg(long, default_value_t = 6.0)]
    cfg: f64,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Pictures, each with the next seed.
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// A picture to start from.
    #[arg(long)]
    init_image: Option<PathBuf>,
    /// How far to leave that picture, 0 to 1.
    #[arg(long, default_value_t = 0.6)]
    init_strength: f64,
    /// What the base predicts, where detection is wrong.
    #[arg(long, value_enum)]
    prediction: Option<Prediction>,
    /// A VAE file in place of the base's own.
    #[arg(long)]
    vae: Option<PathBuf>,
    /// What it is drawn on; the daemon has a setting of its own.
    #[arg(long, value_enum, default_value = "auto")]
    device: Device,
    #[command(flatten)]
    home: HomeFlag,
    /// Threads; 0 for one each core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// The PNG to write; with --count above 1, -2, -3 ... are added.
    #[arg(long)]
    out: PathBuf,
}

impl Create {
    pub fn run(self) -> Result<(), Failure> {
        interrupt::listen()?;
        self.check().map_err(usage)?;
        if self.is_of_the_library() {
            let home = self.home.home();
            let daemon =
                Daemon::find(&home).ok_or_else(|| crate::client::ClientError::NoDaemon(home.path().to_owned()))?;
            return handover::create(&self, &daemon);
        }
        trainer::with_threads(self.threads, || self.create())?
    }

    /// Whether it needs what only a daemon knows: names of its concepts or of its checkpoints.
    fn is_of_the_library(&self) -> bool {
        let is_file = |concept: &String| split_strength(concept).is_ok_and(|(path, _)| is_bundle(path));
        // A path that leads nowhere is a mistake, not a name.
        let is_name = |base: &PathBuf| {
            let plain = base.components().count() == 1 && base.extension().is_none_or(|ending| ending != "safetensors");
            plain && !base.exists()
        };
        self.base.as_ref().is_none_or(is_name) || !self.concept.iter().all(is_file)
    }

    fn create(&self) -> Result<(), Failure> {
        let mut concepts = Vec::new();
        for argument in &self.concept {
            let (path, strength) = split_strength(argument).map_err(usage)?;
            concepts.push((Bundle::read(path)?, strength));
        }
        let Some(base) = &self.base else { return Err(usage(anyhow!("give a checkpoint: --base FILE"))) };
        let base = concept::open_checkpoint(base, self.vae.as_deref(), self.prediction)?;
        let mut painter = Painter::load(&base, &concept::device::to_draw(self.device, &base)?)?;
        if !concepts.is_empty() {
            let applied: Vec<Applied> =
                concepts.iter().map(|(bundle, strength)| Applied { bundle, strength: *strength }).collect();
            painter.apply(&applied)?;
        }
        let trained = concepts.iter().find_map(|(bundle, _)| bundle.resolution());
        let side = trained.unwrap_or_else(|| usual_side(&base));
        let init = match &self.init_image {
            None => None,
            Some(path) => Some((dataset::read_picture(path, &dataset::Limits::default())?, self.init_strength)),
        };
        let request = PictureRequest {
            prompt: self.prompt.clone(),
            negative: self.negative.clone(),
            width: self.width.unwrap_or(side),
            height: self.height.unwrap_or(side),
            steps: self.steps,
            cfg: self.cfg,
            seed: self.seed,
            count: self.count,
            init,
        };
        for (i, picture) in painter.draw(&request, interrupt::asked)?.iter().enumerate() {
            let path = numbered(&self.out, i);
            picture.save(&path).with_context(|| format!("cannot write {}", path.display()))?;
            println!("{}", path.display());
        }
        Ok(())
    }
}

impl Create {
    /// Fails now rather than behind the drawing.
    fn check(&self) -> anyhow::Result<()> {
        let within = |flag: &str, value: f64, least: f64, most: f64| match (least..=most).contains(&value) {
            true => Ok(()),
            false => Err(anyhow!("--{flag} {value}: choose {least} to {most}")),
        };
        within("count", self.count as f64, 1.0, 1000.0)?;
        within("steps", self.steps as f64, 1.0, 1000.0)?;
        within("cfg", self.cfg, 0.0, 100.0)?;
        within("init-strength", self.init_strength, 0.0, 1.0)?;
        for (flag, side) in [("width", self.width), ("height", self.height)] {
            if side.is_some_and(|side| side % 64 != 0 || !(64..=4096).contains(&side)) {
                return Err(anyhow!("--{flag}: choose a multiple of 64 from 64 to 4096"));
            }
        }
        let mut named = HashSet::new();
        for concept in &self.concept {
            let (path, _) = split_strength(concept)?;
            if !named.insert(path) {
                return Err(anyhow!(
                    "--concept {}: it is given twice; give it once, with its strength",
                    path.display()
                ));
            }
        }
        if ImageFormat::from_path(&self.out).is_err() {
            return Err(anyhow!("--out {}: end the name with .png", self.out.display()));
        }
        let probe = self.out.with_extension("part");
        File::create(&probe).with_context(|| format!("--out {}: cannot be written", self.out.display()))?;
        Ok(std::fs::remove_file(probe)?)
    }
}

/// Whether a concept is given as a file.
fn is_bundle(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tar")
}

/// `file.tar:0.8` or `name:0.8` as concept and strength. A colon may also be a drive's.
fn split_strength(argument: &str) -> anyhow::Result<(&Path, f64)> {
    if let Some((path, strength)) = argument.rsplit_once(':')
        && (path.ends_with(".tar") || strength.parse::<f64>().is_ok())
    {
        let strength: f64 =
            strength.parse().map_err(|_| anyhow!("--concept {argument}: `{strength}` is no strength"))?;
        if !(-4.0..=4.0).contains(&strength) {
            return Err(anyhow!("--concept {argument}: choose a strength from -4 to 4"));
        }
        return Ok((Path::new(path), strength));
    }
    Ok((Path::new(argument), 1.0))
}

/// `fox.png`, `fox-2.png`, ...
fn numbered(out: &Path, i: usize) -> PathBuf {
    if i == 0 {
        return out.to_owned();
    }
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let extension = out.extension().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!("{stem}-{}.{extension}", i + 1))
}
