//! `conceptd train` and `conceptd promote`.

use crate::{Failure, interrupt, outcome, progress::Progress, usage};
use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use concept::{Base, Bundle, Event, Horizon, Mode, Observer, Overrides, Plan, RunFolder, Setup};
use dataset::{Crop, Dataset, Limits, Options};
use diffusion::checkpoint::Prediction;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Fewest pictures of a concept.
const FEWEST: usize = 2;
#[derive(Clone, Copy, ValueEnum)]
pub enum ModeName {
    Face,
    Object,
    Style,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum PredictionName {
    Epsilon,
    Velocity,
    /// Velocity with a noise schedule that ends in pure noise.
    VelocityZtsnr,
}

#[derive(Clone, Copy, ValueEnum, PartialEq)]
pub enum DeviceName {
    Cpu,
    Cuda,
}

#[derive(Args)]
pub struct Train {
    /// Folders, zip or tar archives, or pictures.
    #[arg(required = true)]
    pictures: Vec<PathBuf>,
    /// What the concept is called, and called by in prompts.
    #[arg(long)]
    name: String,
    /// What the pictures have in common.
    #[arg(long, value_enum)]
    mode: Option<ModeName>,
    /// The Stable Diffusion XL or 1.5 checkpoint to train on.
    #[arg(long)]
    base: PathBuf,
    /// The folder that receives the concept.
    #[arg(long)]
    out: PathBuf,
    /// Updates, or `auto`: by mode and number of pictures, and the best snapshot delivered.
    #[arg(long, value_parser = parse_steps)]
    steps: Option<Horizon>,
    /// Side of the training pictures in pixels [default: 1024 for XL, 512 for 1.5].
    #[arg(long)]
    resolution: Option<usize>,
    /// Pictures in an update [default: 4].
    #[arg(long)]
    batch_size: Option<usize>,
    /// Rank of the LoRA [default: 16].
    #[arg(long)]
    lora_rank: Option<usize>,
    /// Scale of the LoRA [default: its rank].
    #[arg(long)]
    lora_alpha: Option<f64>,
    /// attn, eden, transformer or all [default: eden].
    #[arg(long)]
    lora_targets: Option<String>,
    /// Whether the text encoders get a LoRA too [default: false].
    #[arg(long)]
    lora_text_encoder: Option<bool>,
    /// New tokens; 0 makes a plain LoRA that is called by its name [default: 3].
    #[arg(long)]
    token_count: Option<usize>,
    /// `random`, or a word that the tokens start as [default: random].
    #[arg(long)]
    token_init: Option<String>,
    /// Peak learning rate of the LoRA.
    #[arg(long)]
    learning_rate: Option<f64>,
    /// Peak learning rate of the tokens.
    #[arg(long)]
    token_learning_rate: Option<f64>,
    /// adamw or prodigy [default: adamw].
    #[arg(long)]
    optimizer: Option<String>,
    /// conceptd or eden [default: conceptd].
    #[arg(long)]
    recipe: Option<String>,
    /// Everything random follows from this [default: 0].
    #[arg(long)]
    seed: Option<u64>,
    /// Whether pictures are also seen mirrored; never for faces [default: true].
    #[arg(long)]
    random_flip: Option<bool>,
    /// center: a square from the middle; bucket: each picture's own proportions [default: center].
    #[arg(long)]
    crop: Option<String>,
    /// Share of prompts that give way to the bare concept word [default: 0.1].
    #[arg(long)]
    caption_dropout: Option<f64>,
    /// Shift of whole channels of the noise [default: 0.02].
    #[arg(long)]
    noise_offset: Option<f64>,
    /// min-SNR's gamma; 0 weighs all timesteps alike [default: 5].
    #[arg(long)]
    snr_gamma: Option<f64>,
    /// Updates between snapshots [default: an eighth of the run].
    #[arg(long)]
    save_every: Option<u64>,
    /// Prompt of a preview picture; may be given several times.
    #[arg(long)]
    sample_prompt: Vec<String>,
    /// Draw no previews.
    #[arg(long)]
    no_samples: bool,
    /// What the base predicts, where detection is wrong.
    #[arg(long, value_enum)]
    prediction: Option<PredictionName>,
    /// A VAE file in place of the base's own.
    #[arg(long)]
    vae: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceName,
    /// Threads; 0 for one each core. Results do not depend on it.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Let the run take about this long, such as 90s, 10m or 2h; in place of --steps.
    #[arg(long, value_parser = parse_duration, conflicts_with = "steps")]
    time_budget: Option<Duration>,
    /// Begin with the weights of this concept.
    #[arg(long = "continue", value_name = "NAME.tar")]
    start: Option<PathBuf>,
    /// Repeat the recipe of this concept; other parameters still count.
    #[arg(long, value_name = "NAME.tar")]
    from: Option<PathBuf>,
    /// Go on where an interrupted run of this name stopped.
    #[arg(long)]
    resume: bool,
    /// Print events as lines of JSON.
    #[arg(long)]
    json: bool,
}

impl Train {
    pub fn run(self) -> Result<(), Failure> {
        if self.device == DeviceName::Cuda {
            return Err(usage(anyhow!("this build has no CUDA; leave --device out to train on the CPU")));
        }
        interrupt::listen()?;
        trainer::with_threads(self.threads, || self.train())?
    }

    fn train(&self) -> Result<(), Failure> {
        let safe = concept::safe_name(&self.name).map_err(usage)?;
        let from = self.from.as_deref().map(Bundle::read).transpose()?;
        let asked = self.overrides(from.as_ref())?;
        let mode = self.mode(from.as_ref())?;
        let stem = if self.resume { latest_run(&self.out, &safe) } else { concept::free_name(&self.out, &safe) };
        let mut progress = Progress::new(self.json);

        let base = self.base()?;
        let architecture = base.checkpoint.architecture();
        // Decided once before the pictures are read, for their size, and again when their number is known.
        let draft = Plan::resolve(&self.name, mode, architecture, 1, &asked).map_err(usage)?;
        let dataset = self.dataset(&draft, &mut progress)?;
        let plan = Plan::resolve(&self.name, mode, architecture, dataset.photos.len(), &asked).map_err(usage)?;
        let folder = RunFolder::of(&self.out, &stem);
        let mut setup = Setup {
            base: &base,
            dataset: &dataset,
            plan,
            stem,
            folder: folder.clone(),
            resume: self.resume,
            start: self.start.as_deref().map(Bundle::read).transpose()?,
            time_budget: self.time_budget,
        };
        if self.resume && folder.begun() {
            // A time budget was turned into a number of steps then.
            if let Some(steps) = folder.description()?["steps"].as_u64().filter(|_| self.time_budget.is_some()) {
                setup.plan.set_steps(steps);
                setup.time_budget = None;
            }
        }
        fs::create_dir_all(&self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        let (plan, stem) = (setup.plan.clone(), setup.stem.clone());
        let finished = concept::train(setup, &mut progress)?;
        concept::deliver(&finished.bundle, &self.out)?;
        outcome::write_report(&self.out, &plan, &stem, &finished)?;
        if !self.no_samples {
            progress.see(&Event::Stage { name: "pictures" });
            outcome::preview(&self.out, &base, &plan, &finished.bundle)?;
        }
        progress.see(&Event::Note { text: finished.verdict.clone() });
        let bundle = self.out.join(format!("{stem}.tar")).display().to_string();
        progress.see(&Event::Done { step: finished.step, bundle });
        if !self.json {
            let (comfy, a1111) = outcome::host_prompts(&finished.bundle, &plan.sample_prompts[0]);
            eprintln!("in ComfyUI:  {comfy}\nin A1111:    {a1111}");
        }
        Ok(())
    }

    fn base(&self) -> anyhow::Result<Base> {
        let prediction = self.prediction.map(|prediction| match prediction {
            PredictionName::Epsilon => Prediction::Epsilon,
            PredictionName::Velocity => Prediction::Velocity { zero_terminal_snr: false },
            PredictionName::VelocityZtsnr => Prediction::Velocity { zero_terminal_snr: true },
        });
        Ok(Base::open(&self.base, diffusion::checkpoint::Overrides { vae: self.vae.as_deref(), prediction })?)
    }

    fn mode(&self, from: Option<&Bundle>) -> Result<Mode, Failure> {
        match (self.mode, from.and_then(|bundle| bundle.metadata.get("conceptd.mode")).map(String::as_str)) {
            (Some(ModeName::Face), _) | (None, Some("face")) => Ok(Mode::Face),
            (Some(ModeName::Object), _) | (None, Some("object")) => Ok(Mode::Object),
            (Some(ModeName::Style), _) | (None, Some("style")) => Ok(Mode::Style),
            (None, _) => Err(usage(anyhow!("say what the pictures have in common: --mode face, object or style"))),
        }
    }

    /// What was asked here, over what the concept of --from was asked.
    fn overrides(&self, from: Option<&Bundle>) -> Result<Overrides, Failure> {
        let before = match from {
            None => Overrides::default(),
            Some(bundle) => {
                let made_with = bundle
                    .metadata
                    .get("conceptd.made_with")
                    .map(|text| serde_json::from_str::<serde_json::Value>(text));
                let asked =
                    made_with.and_then(Result::ok).and_then(|made| serde_json::from_value(made["asked"].clone()).ok());
                asked.ok_or_else(|| {
                    anyhow!("{}: it does not say how it was made; --from needs a concept of conceptd", bundle.stem)
                })?
            }
        };
        Ok(Overrides {
            steps: self.steps.or(before.steps),
            resolution: self.resolution.or(before.resolution),
            batch_size: self.batch_size.or(before.batch_size),
            lora_rank: self.lora_rank.or(before.lora_rank),
            lora_alpha: self.lora_alpha.or(before.lora_alpha),
            lora_targets: self.lora_targets.clone().or(before.lora_targets),
            lora_text_encoder: self.lora_text_encoder.or(before.lora_text_encoder),
            token_count: self.token_count.or(before.token_count),
            token_init: self.token_init.clone().or(before.token_init),
            learning_rate: self.learning_rate.or(before.learning_rate),
            token_learning_rate: self.token_learning_rate.or(before.token_learning_rate),
            optimizer: self.optimizer.clone().or(before.optimizer),
            recipe: self.recipe.clone().or(before.recipe),
            seed: self.seed.or(before.seed),
            random_flip: self.random_flip.or(before.random_flip),
            crop: self.crop.clone().or(before.crop),
            caption_dropout: self.caption_dropout.or(before.caption_dropout),
            noise_offset: self.noise_offset.or(before.noise_offset),
            snr_gamma: self.snr_gamma.or(before.snr_gamma),
            save_every: self.save_every.or(before.save_every),
            sample_prompt: if self.sample_prompt.is_empty() {
                before.sample_prompt
            } else {
                self.sample_prompt.clone()
            },
        })
    }

    fn dataset(&self, plan: &Plan, progress: &mut Progress) -> Result<Dataset, Failure> {
        let dataset = load_pictures(&self.pictures, plan.resolution, plan.crop)?;
        for skipped in &dataset.skipped {
            progress.see(&Event::Note { text: format!("skipped {}: {}", skipped.name, skipped.reason) });
        }
        for note in &dataset.notes {
            progress.see(&Event::Note { text: note.clone() });
        }
        let count = dataset.photos.len();
        if count < FEWEST {
            return Err(Failure::Failed(anyhow!(
                "only {count} usable picture: a concept needs at least {FEWEST}, better 4 to 30 that differ in everything but the concept"
            )));
        }
        Ok(dataset)
    }
}

/// Reads pictures as training does.
pub fn load_pictures(paths: &[PathBuf], resolution: usize, crop: Crop) -> Result<Dataset, Failure> {
    Ok(dataset::load(paths, &Options { resolution, crop, limits: Limits::default() })?)
}

/// The newest run of a name that can be resumed, else the plain name.
fn latest_run(out: &Path, stem: &str) -> String {
    let versions = std::iter::once(stem.to_owned()).chain((2..).map(|n| format!("{stem}-v{n}")));
    let begun =
        versions.take_while(|stem| RunFolder::of(out, stem).exists() || out.join(format!("{stem}.tar")).exists());
    begun.last().unwrap_or_else(|| stem.to_owned())
}

fn parse_steps(text: &str) -> Result<Horizon, String> {
    match text {
        "auto" => Ok(Horizon::Auto),
        number => number.parse().map(Horizon::Steps).map_err(|_| "give a number of updates, or `auto`".into()),
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[number.len()..] {
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("give a time such as 90s, 10m or 2h".into()),
    };
    let seconds: f64 = number.parse().map_err(|_| "give a time such as 90s, 10m or 2h".to_owned())?;
    Duration::try_from_secs_f64(seconds * unit).map_err(|_| "give a time above zero".into())
}
