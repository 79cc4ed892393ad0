//! Every decision of a run, made before the first step and stored with its result.

use crate::{Error, Result, mode::Mode};
use dataset::Crop;
use diffusion::{
    Family,
    checkpoint::{Architecture, Prediction},
};
use serde::{Deserialize, Serialize};
use trainer::{OptimizerKind, Ramp, Recipe};

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Horizon {
    /// So many updates; the last is delivered.
    Steps(u64),
    /// By mode and number of pictures; the best snapshot is delivered.
    Auto,
}

/// What a user may decide; everything else is the mode's and the base's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overrides {
    /// Updates.
    pub steps: Option<Horizon>,
    /// Side of the training square in pixels.
    pub resolution: Option<usize>,
    /// Pictures in an update.
    pub batch_size: Option<usize>,
    /// Rank of the adapters.
    pub lora_rank: Option<usize>,
    /// Scale of the adapters; their rank by default.
    pub lora_alpha: Option<f64>,
    /// attn, eden, transformer or all.
    pub lora_targets: Option<String>,
    /// Whether the text encoders get adapters.
    pub lora_text_encoder: Option<bool>,
    /// New tokens; 0 trains a plain LoRA with the name as its trigger word.
    pub token_count: Option<usize>,
    /// `random` or a word.
    pub token_init: Option<String>,
    /// Peak rate of the UNet's adapters.
    pub learning_rate: Option<f64>,
    /// Peak rate of the tokens.
    pub token_learning_rate: Option<f64>,
    /// adamw or prodigy.
    pub optimizer: Option<String>,
    /// conceptd or eden.
    pub recipe: Option<String>,
    /// Everything random follows from this.
    pub seed: Option<u64>,
    /// Whether pictures are also seen mirrored.
    pub random_flip: Option<bool>,
    /// center or bucket.
    pub crop: Option<String>,
    /// Share of captions that give way to the bare concept word.
    pub caption_dropout: Option<f64>,
    /// Shift of whole channels of the noise.
    pub noise_offset: Option<f64>,
    /// min-SNR's gamma; 0 turns weighting by timestep off.
    pub snr_gamma: Option<f64>,
    /// Updates between snapshots.
    pub save_every: Option<u64>,
    /// Prompts of the preview pictures.
    pub sample_prompt: Vec<String>,
}

/// The resolved decisions. Two runs with equal plans, pictures and base give equal bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the pictures have in common.
    pub mode: Mode,
    /// The name as given.
    pub name: String,
    /// Whether the best snapshot is delivered instead of the last.
    pub best: bool,
    /// Side of the training square.
    pub resolution: usize,
    /// How pictures become that size.
    pub crop: Crop,
    /// Whether pictures are also seen mirrored.
    pub random_flip: bool,
    /// `random` or a word.
    pub token_init: String,
    /// Updates between snapshots.
    pub save_every: u64,
    /// Prompts of the preview pictures.
    pub sample_prompts: Vec<String>,
    /// The mathematics.
    pub recipe: Recipe,
    /// Whether the base is of the older family, which knows no picture sizes.
    pub is_sd15: bool,
    /// What the user asked for, for repeating the run.
    pub asked: Overrides,
}

/// A decision and why it was made.
#[derive(Clone, Debug, Serialize)]
pub struct Reason {
    /// The parameter.
    pub parameter: &'static str,
    /// Its value.
    pub value: String,
    /// Where it comes from.
    pub why: String,
}

impl Plan {
    /// Resolves every parameter for a mode, a base and a number of pictures.
    ///
    /// # Errors
    /// If a value cannot be used; the message says which and what to choose.
    pub fn resolve(name: &str, mode: Mode, base: &Architecture, pictures: usize, asked: &Overrides) -> Result<Self> {
        let velocity = matches!(base.prediction, Prediction::Velocity { .. });
        let mut recipe = match asked.recipe.as_deref() {
            None | Some("conceptd") => Recipe::conceptd(velocity),
            Some("eden") => Recipe::eden(),
            Some(other) => return Err(invalid("recipe", other, "conceptd or eden")),
        };
        let best = matches!(asked.steps, Some(Horizon::Auto));
        recipe.steps = match asked.steps {
            Some(Horizon::Steps(steps)) => within("steps", steps, 1, 1_000_000)?,
            _ => mode.steps(pictures),
        };
        recipe.batch_size = within("batch-size", asked.batch_size.unwrap_or(recipe.batch_size), 1, 256)?;
        recipe.rank = within("lora-rank", asked.lora_rank.unwrap_or(recipe.rank), 1, 1024)?;
        recipe.alpha = within("lora-alpha", asked.lora_alpha.unwrap_or(recipe.rank as f64), 1e-6, 1e6)?;
        recipe.targets = asked.lora_targets.clone().unwrap_or(recipe.targets);
        recipe.text_adapters = asked.lora_text_encoder.unwrap_or(recipe.text_adapters);
        diffusion::lora::Targets::named(&recipe.targets, recipe.text_adapters)?;
        recipe.tokens = within("token-count", asked.token_count.unwrap_or(recipe.tokens), 0, 75)?;
        recipe.optimizer = match asked.optimizer.as_deref() {
            None | Some("adamw") => OptimizerKind::AdamW,
            Some("prodigy") => OptimizerKind::Prodigy,
            Some(other) => return Err(invalid("optimizer", other, "adamw or prodigy")),
        };
        recipe.seed = asked.seed.unwrap_or(recipe.seed);
        rates(&mut recipe, asked)?;
        recipe.caption_dropout =
            within("caption-dropout", asked.caption_dropout.unwrap_or(recipe.caption_dropout), 0.0, 1.0)?;
        recipe.noise_offset = within("noise-offset", asked.noise_offset.unwrap_or(recipe.noise_offset), 0.0, 1.0)?;
        match (asked.snr_gamma, &mut recipe.snr) {
            (Some(0.0), snr) => *snr = None,
            (Some(gamma), Some(snr)) => snr.gamma = within("snr-gamma", gamma, 0.0, 1e6)?,
            _ => {}
        }
        let resolution = asked.resolution.unwrap_or(match base.family {
            Family::Sdxl => 1024,
            Family::Sd15 => 512,
        });
        if !resolution.is_multiple_of(64) || !(64..=4096).contains(&resolution) {
            return Err(invalid("resolution", &resolution.to_string(), "a multiple of 64 from 64 to 4096"));
        }
        let random_flip = match (mode, asked.random_flip) {
            (Mode::Face, Some(true)) => {
                return Err(Error::Invalid(
                    "--random-flip true: faces are not symmetric and are never mirrored; leave it out".into(),
                ));
            }
            (Mode::Face, _) => false,
            (_, flip) => flip.unwrap_or(true),
        };
        let crop = match asked.crop.as_deref() {
            None | Some("center") => Crop::Center,
            Some("bucket") => Crop::Bucket,
            Some(other) => return Err(invalid("crop", other, "center or bucket")),
        };
        let save_every = asked.save_every.unwrap_or(recipe.steps.div_ceil(8));
        let sample_prompts = match asked.sample_prompt.is_empty() {
            true => mode.sample_prompts().iter().map(|p| (*p).to_owned()).collect(),
            false => asked.sample_prompt.iter().map(|p| dataset::bind_concept(p, name)).collect(),
        };
        Ok(Self {
            mode,
            name: name.to_owned(),
            best,
            resolution,
            crop,
            random_flip,
            token_init: asked.token_init.clone().unwrap_or_else(|| "random".into()),
            save_every: within("save-every", save_every, 1, 1_000_000)?,
            sample_prompts,
            recipe,
            is_sd15: base.family == Family::Sd15,
            asked: asked.clone(),
        })
    }

    /// Another number of updates, as if the user had asked for it.
    pub fn set_steps(&mut self, steps: u64) {
        self.recipe.steps = steps;
        self.asked.steps = Some(Horizon::Steps(steps));
        if self.asked.save_every.is_none() {
            self.save_every = steps.div_ceil(8);
        }
    }

    /// The decisions with their reasons, as they are shown and stored.
    pub fn reasons(&self) -> Vec<Reason> {
        let (asked, recipe) = (&self.asked, &self.recipe);
        let mode = format!("default of {} mode", self.mode.name());
        let of = |parameter, value: String, given: bool, otherwise: &str| {
            let why = if given { "you asked for it".to_owned() } else { otherwise.to_owned() };
            Reason { parameter, value, why }
        };
        let recipe_name = format!("recipe {}", asked.recipe.as_deref().unwrap_or("conceptd"));
        vec![
            of("steps", recipe.steps.to_string(), matches!(asked.steps, Some(Horizon::Steps(_))), &mode),
            of("resolution", self.resolution.to_string(), asked.resolution.is_some(), "what the base was made for"),
            of("batch_size", recipe.batch_size.to_string(), asked.batch_size.is_some(), &recipe_name),
            of("lora_rank", recipe.rank.to_string(), asked.lora_rank.is_some(), &recipe_name),
            of("lora_alpha", recipe.alpha.to_string(), asked.lora_alpha.is_some(), "equal to the rank"),
            of("lora_targets", recipe.targets.clone(), asked.lora_targets.is_some(), &recipe_name),
            of("token_count", recipe.tokens.to_string(), asked.token_count.is_some(), &recipe_name),
            of("random_flip", self.random_flip.to_string(), asked.random_flip.is_some(), &mode),
            of("crop", format!("{:?}", self.crop).to_lowercase(), asked.crop.is_some(), "a square from the middle"),
            of("seed", recipe.seed.to_string(), asked.seed.is_some(), "the default"),
        ]
    }
}

/// Peak rates in place of the recipe's, their courses kept.
fn rates(recipe: &mut Recipe, asked: &Overrides) -> Result<()> {
    if recipe.optimizer == OptimizerKind::Prodigy {
        // Prodigy finds its own rate; what remains is a factor.
        recipe.unet_rate.ramp = Ramp::Constant(asked.learning_rate.unwrap_or(1.0));
        recipe.token_rate.ramp = Ramp::Constant(asked.token_learning_rate.unwrap_or(1.0));
        return Ok(());
    }
    if let Some(rate) = asked.learning_rate {
        let rate = within("learning-rate", rate, 0.0, 10.0)?;
        recipe.unet_rate.ramp = recipe.unet_rate.ramp.with_peak(rate);
    }
    if let Some(rate) = asked.token_learning_rate {
        let rate = within("token-learning-rate", rate, 0.0, 10.0)?;
        recipe.token_rate.ramp = recipe.token_rate.ramp.with_peak(rate);
    }
    Ok(())
}

fn within<T: PartialOrd + std::fmt::Display>(parameter: &str, value: T, least: T, most: T) -> Result<T> {
    if value >= least && value <= most {
        return Ok(value);
    }
    Err(invalid(parameter, &value.to_string(), &format!("{least} to {most}")))
}

fn invalid(parameter: &str, value: &str, choices: &str) -> Error {
    Error::Invalid(format!("--{parameter} {value}: choose {choices}"))
}
