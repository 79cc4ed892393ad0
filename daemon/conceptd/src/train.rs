//! `conceptd train`: by the running daemon where there is one, else here.

mod handover;
mod upload;

use crate::{
    Failure,
    client::{Daemon, eyes},
    interrupt,
    progress::Progress,
    scores,
    serve::{Flags, HomeFlag, settings},
    usage,
};
use anyhow::anyhow;
use clap::Args;
use concept::{Bundle, Manner, Observer, RunFolder, Stopwatch};
use protocol::{
    Courtesy, Device, ErrorCode, Event, Limits, MemoryLevel, Mode, Parameters, Part, Prediction, TrainTask,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

#[derive(Args)]
pub struct Train {
    /// Folders, zip or tar archives, or pictures.
    #[arg(required = true)]
    pub pictures: Vec<PathBuf>,
    /// What the concept is called, and called by in prompts.
    #[arg(long)]
    pub name: String,
    /// What the pictures have in common.
    #[arg(long, value_enum)]
    pub mode: Option<Mode>,
    /// The Stable Diffusion XL or 1.5 checkpoint to train on.
    #[arg(long)]
    pub base: PathBuf,
    /// The folder that receives the concept.
    #[arg(long)]
    pub out: PathBuf,
    #[command(flatten)]
    pub parameters: Parameters,
    /// Draw no previews.
    #[arg(long)]
    pub no_samples: bool,
    /// What the base predicts, where detection is wrong.
    #[arg(long, value_enum)]
    pub prediction: Option<Prediction>,
    /// A VAE file in place of the base's own.
    #[arg(long)]
    pub vae: Option<PathBuf>,
    /// What it is learnt on; the daemon has a setting of its own.
    #[arg(long, value_enum, default_value = "auto")]
    pub device: Device,
    /// Threads; 0 for one each core. Results do not depend on it.
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Begin with the weights of this concept.
    #[arg(long = "continue", value_name = "NAME.tar")]
    pub start: Option<PathBuf>,
    /// Repeat the recipe of this concept; other parameters still count.
    #[arg(long, value_name = "NAME.tar")]
    pub from: Option<PathBuf>,
    /// Go on where an interrupted run of this name stopped.
    #[arg(long)]
    pub resume: bool,
    /// Install it when it is done: into this host (its id, kind or folder), or into every known one. A daemon does that.
    #[arg(long, num_args = 0..=1, require_equals = true, value_name = "HOST", default_missing_value = "all")]
    pub install: Vec<String>,
    /// How the card is shared with hosts that draw [default: as the daemon is set].
    #[arg(long, value_enum)]
    pub courtesy: Option<Courtesy>,
    /// Do the work here, also where a daemon runs.
    #[arg(long)]
    pub local: bool,
    #[command(flatten)]
    pub home: HomeFlag,
    /// Say at the end where the time went. The work is done here, also where a daemon runs.
    #[arg(long)]
    pub timings: bool,
    /// Print events as lines of JSON.
    #[arg(long)]
    pub json: bool,
}

impl Train {
    pub fn run(self) -> Result<(), Failure> {
        interrupt::listen()?;
        if let Some(daemon) = self.daemon()
            && handover::train(&self, &daemon)?
        {
            return Ok(());
        }
        if !self.install.is_empty() || self.courtesy.is_some() {
            return Err(usage(anyhow!(
                "--install and --courtesy are the daemon's, which does not do this training; start one with `conceptd serve`, or \
                 leave them out"
            )));
        }
        trainer::with_threads(self.threads, || self.train())?
    }

    /// The daemon that can do this: what only makes sense beside the files of a run stays here.
    fn daemon(&self) -> Option<Daemon> {
        let stays = self.local
            || self.resume
            || self.no_samples
            || self.timings
            || self.threads != 0
            || self.device != Device::Auto
            || self.start.is_some()
            || self.from.is_some()
            || self.vae.is_some();
        if stays { None } else { Daemon::find(&self.home.home()) }
    }

    fn train(self) -> Result<(), Failure> {
        let safe = concept::safe_name(&self.name).map_err(usage)?;
        // Asked for by name, it is wanted or nothing is; said before anything is read.
        concept::device::choose(self.device).map_err(usage)?;
        let (before, their_mode) = match &self.from {
            None => (Parameters::default(), None),
            Some(path) => {
                let (parameters, mode) = concept::recipe_of(&Bundle::read(path)?)?;
                (parameters, Some(mode))
            }
        };
        let mode = self.mode.or(their_mode);
        let mode =
            mode.ok_or_else(|| usage(anyhow!("say what the pictures have in common: --mode face, object or style")))?;
        let stem = if self.resume { latest_run(&self.out, &safe) } else { concept::free_name(&self.out, &safe) };
        let (manner, mut progress) =
            (Manner { resume: self.resume, preview: !self.no_samples }, Progress::new(self.json));
        let home = self.home.home();
        let config = settings(&home, &Flags::default())?.config;
        let mut task = TrainTask {
            pictures: self.pictures,
            limits: Limits::default(),
            captions: BTreeMap::new(),
            masks: BTreeMap::new(),
            focuses: BTreeMap::new(),
            left_out: BTreeSet::new(),
            findings: BTreeMap::new(),
            eyes: eyes(&home, &config),
            name: self.name,
            stem,
            mode,
            base: self.base,
            vae: self.vae,
            prediction: self.prediction,
            parameters: self.parameters.over(before),
            continue_from: self.start,
            out: self.out,
            device: self.device,
            memory: MemoryLevel::default(),
            memory_budget: server::platform::memory_bytes() / 10 * 9,
            threads: self.threads,
        };
        if self.resume && !RunFolder::of(&task.out, &task.stem).exists() {
            progress.see(&Event::Note { text: "there is no run of this name to go on with: beginning anew".into() });
        }
        let folder = RunFolder::of(&task.out, &task.stem);
        let watch = if self.timings { Stopwatch::new(true) } else { Stopwatch::default() };
        let mut see = |event| progress.see(&event);
        let looked = watch.time(Part::Looking, || {
            preparation::before_training(&mut task, folder.path(), &mut see, &interrupt::asked)
        });
        match looked {
            Err(preparation::Error::Stopped) => return Err(concept::Error::Interrupted { step: 0 }.into()),
            result => result?,
        }
        let finished = concept::carry_out(&task, manner, &watch, &mut progress, &mut || scores::judge(&task));
        // Of a run that failed too: where its time went may be why.
        if let Some(timings) = watch.timings() {
            progress.see(&Event::Timings { timings });
        }
        if let Err(error) = &finished
            && error.code() == ErrorCode::OutOfMemory
            && folder.begun()
            && let Some(next) = folder.step_down(task.parameters.base_bits)?
        {
            let text = format!("run the same command with --resume: it goes on {}", next.words());
            progress.see(&Event::Note { text });
        }
        let finished = finished?;
        if !self.json {
            let hosts = concept::host_prompts(&finished.bundle, &finished.sample_prompt);
            let lora = format!("{}_lora", finished.bundle.stem);
            eprintln!("in ComfyUI:  {}   (with {lora} in a LoRA loader)\nin A1111:    {}", hosts.comfyui, hosts.a1111);
        }
        Ok(())
    }
}

/// The newest run of a name that is not finished, else the newest, else the plain name.
fn latest_run(out: &Path, stem: &str) -> String {
    let versions = std::iter::once(stem.to_owned()).chain((2..).map(|n| format!("{stem}-v{n}")));
    let is_done = |stem: &String| out.join(format!("{stem}.tar")).exists();
    let begun: Vec<String> = versions.take_while(|stem| RunFolder::of(out, stem).exists() || is_done(stem)).collect();
    let unfinished = begun.iter().rfind(|stem| !is_done(stem));
    unfinished.or(begun.last()).cloned().unwrap_or_else(|| stem.to_owned())
}
