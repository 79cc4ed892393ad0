//! Every decision of a run, made before the first step and stored with its result.

use crate::{Error, Result, mode};
use caption::Family as PromptFamily;
use diffusion::{
    Family,
    checkpoint::{Architecture, Prediction},
    tokenizer::Tokenizer,
};
use protocol::{BaseBits, Crop, Mode, OptimizerName, Parameters, RecipeName, ResolvedParameter, Steps};
use std::fmt::Display;
use trainer::{OptimizerKind, Ramp, Recipe};

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
    /// Updates between sample pictures; 0 for none along the run.
    pub sample_every: u64,
    /// Prompts of the sample pictures.
    pub sample_prompts: Vec<String>,
    /// The mathematics.
    pub recipe: Recipe,
    /// Whether the base is of the older family, which knows no picture sizes.
    pub is_sd15: bool,
    /// How the base's prompts are written, for pictures that show the concept.
    pub family: PromptFamily,
    /// What the user asked for, for repeating the run.
    pub asked: Parameters,
}

impl Plan {
    /// Resolves every parameter for a mode, a base and a number of pictures.
    ///
    /// # Errors
    /// If a value cannot be used; the message says which and what to choose.
    pub fn resolve(name: &str, mode: Mode, base: &Architecture, pictures: usize, asked: &Parameters) -> Result<Self> {
        let velocity = matches!(base.prediction, Prediction::Velocity { .. });
        let mut recipe = match asked.recipe.unwrap_or_default() {
            RecipeName::Conceptd => Recipe::conceptd(velocity),
            RecipeName::Eden => Recipe::eden(),
        };
        let best = matches!(asked.steps, Some(Steps::Auto));
        recipe.steps = match asked.steps {
            Some(Steps::Count(steps)) => within("steps", steps, 1, 1_000_000)?,
            _ => mode::steps(mode, pictures),
        };
        if let Some(budget) = asked.time_budget {
            within("time_budget", budget, 1.0, 604_800.0)?;
        }
        recipe.batch_size = within("batch_size", asked.batch_size.unwrap_or(recipe.batch_size), 1, 256)?;
        recipe.rank = within("lora_rank", asked.lora_rank.unwrap_or(recipe.rank), 1, 1024)?;
        recipe.alpha = within("lora_alpha", asked.lora_alpha.unwrap_or(recipe.rank as f64), 1e-6, 1e6)?;
        if let Some(targets) = asked.lora_targets {
            recipe.targets = targets.name().into();
        }
        recipe.text_adapters = asked.lora_text_encoder.unwrap_or(recipe.text_adapters);
        diffusion::lora::Targets::named(&recipe.targets, recipe.text_adapters)?;
        recipe.tokens = within("token_count", asked.token_count.unwrap_or(recipe.tokens), 0, 75)?;
        recipe.optimizer = match asked.optimizer {
            None | Some(OptimizerName::Adamw) => OptimizerKind::AdamW,
            Some(OptimizerName::Prodigy) => OptimizerKind::Prodigy,
        };
        recipe.seed = asked.seed.unwrap_or(recipe.seed);
        rates(&mut recipe, asked)?;
        recipe.caption_dropout =
            within("caption_dropout", asked.caption_dropout.unwrap_or(recipe.caption_dropout), 0.0, 1.0)?;
        recipe.noise_offset = within("noise_offset", asked.noise_offset.unwrap_or(recipe.noise_offset), 0.0, 1.0)?;
        match (asked.snr_gamma, &mut recipe.snr) {
            (Some(0.0), snr) => *snr = None,
            (Some(gamma), Some(snr)) => snr.gamma = within("snr_gamma", gamma, 0.0, 1e6)?,
            _ => {}
        }
        let resolution = asked.resolution.unwrap_or(match base.family {
            Family::Sdxl => 1024,
            Family::Sd15 => 512,
        });
        if !resolution.is_multiple_of(64) || !(64..=4096).contains(&resolution) {
            return Err(parameter("resolution", resolution, "a multiple of 64 from 64 to 4096"));
        }
        let random_flip = match (mode, asked.random_flip) {
            (Mode::Face, Some(true)) => {
                return Err(parameter("random_flip", true, "false: faces are not symmetric and are never mirrored"));
            }
            (Mode::Face, _) => false,
            (_, flip) => flip.unwrap_or(true),
        };
        let save_every = asked.save_every.unwrap_or(recipe.steps.div_ceil(8));
        let sample_prompts = match asked.sample_prompt.is_empty() {
            true => mode::sample_prompts(mode).iter().map(|p| (*p).to_owned()).collect(),
            false => asked.sample_prompt.iter().map(|p| dataset::bind_concept(p, name)).collect(),
        };
        Ok(Self {
            mode,
            name: name.to_owned(),
            best,
            resolution,
            crop: asked.crop.unwrap_or_default(),
            random_flip,
            token_init: asked.token_init.clone().unwrap_or_else(|| "random".into()),
            save_every: within("save_every", save_every, 1, 1_000_000)?,
            sample_every: within("sample_every", asked.sample_every.unwrap_or(0), 0, 1_000_000)?,
            sample_prompts,
            recipe,
            is_sd15: base.family == Family::Sd15,
            family: PromptFamily::Unknown,
            asked: asked.clone(),
        })
    }

    /// Another number of updates, as if the user had asked for it.
    pub fn set_steps(&mut self, steps: u64) {
        self.recipe.steps = steps;
        self.asked.steps = Some(Steps::Count(steps));
        self.asked.time_budget = None;
        if self.asked.save_every.is_none() {
            self.save_every = steps.div_ceil(8);
        }
    }

    /// The decisions with their reasons, as they are shown and stored.
    pub fn reasons(&self) -> Vec<ResolvedParameter> {
        let (asked, recipe) = (&self.asked, &self.recipe);
        let mode = format!("default of {} mode", self.mode.name());
        let of = |parameter: &str, value: String, given: bool, otherwise: &str| {
            let why = if given { "you asked for it".to_owned() } else { otherwise.to_owned() };
            ResolvedParameter { parameter: parameter.to_owned(), value, why }
        };
        let recipe_name = format!("recipe {}", asked.recipe.unwrap_or_default().name());
        vec![
            of("steps", recipe.steps.to_string(), matches!(asked.steps, Some(Steps::Count(_))), &mode),
            of("resolution", self.resolution.to_string(), asked.resolution.is_some(), "what the base was made for"),
            of("batch_size", recipe.batch_size.to_string(), asked.batch_size.is_some(), &recipe_name),
            of("lora_rank", recipe.rank.to_string(), asked.lora_rank.is_some(), &recipe_name),
            of("lora_alpha", recipe.alpha.to_string(), asked.lora_alpha.is_some(), "equal to the rank"),
            of("lora_targets", recipe.targets.clone(), asked.lora_targets.is_some(), &recipe_name),
            of("token_count", recipe.tokens.to_string(), asked.token_count.is_some(), &recipe_name),
            of("optimizer", format!("{:?}", recipe.optimizer).to_lowercase(), asked.optimizer.is_some(), &recipe_name),
            of("learning_rate", recipe.unet_rate.ramp.to_string(), asked.learning_rate.is_some(), &recipe_name),
            of(
                "token_learning_rate",
                recipe.token_rate.ramp.to_string(),
                asked.token_learning_rate.is_some(),
                &recipe_name,
            ),
            of("caption_dropout", recipe.caption_dropout.to_string(), asked.caption_dropout.is_some(), &recipe_name),
            of("noise_offset", recipe.noise_offset.to_string(), asked.noise_offset.is_some(), &recipe_name),
            of("save_every", self.save_every.to_string(), asked.save_every.is_some(), "an eighth of the run"),
            of("random_flip", self.random_flip.to_string(), asked.random_flip.is_some(), &mode),
            of("crop", self.crop.name().to_owned(), asked.crop.is_some(), "a square from the middle"),
            of(
                "captioner",
                asked.captioner.clone().unwrap_or_else(|| "auto".into()),
                asked.captioner.is_some(),
                "pictures without a prompt are described where a captioner is installed",
            ),
            of("mask", asked.mask.unwrap_or_default().name().to_owned(), asked.mask.is_some(), &mode),
            of(
                "base_bits",
                asked.base_bits.map_or("auto", BaseBits::name).to_owned(),
                asked.base_bits.is_some(),
                "as many as the memory at hand allows; fewer change the result a little",
            ),
            of("seed", recipe.seed.to_string(), asked.seed.is_some(), "the default"),
        ]
    }
}

/// Fails if the tokens are to start as a word that has no tokens.
///
/// # Errors
/// Says so.
pub fn check_token_init(plan: &Plan) -> Result<()> {
    match plan.token_init.as_str() {
        "random" => Ok(()),
        word if Tokenizer::new(&[])?.words(word)?.is_empty() => {
            Err(parameter("token_init", word, "a word, or `random`"))
        }
        _ => Ok(()),
    }
}

/// Peak rates in place of the recipe's, their courses kept.
fn rates(recipe: &mut Recipe, asked: &Parameters) -> Result<()> {
    for (name, rate) in [("learning_rate", asked.learning_rate), ("token_learning_rate", asked.token_learning_rate)] {
        within(name, rate.unwrap_or_default(), 0.0, 10.0)?;
    }
    if recipe.optimizer == OptimizerKind::Prodigy {
        // Prodigy finds its own rate; what remains is a factor.
        recipe.unet_rate.ramp = Ramp::Constant(asked.learning_rate.unwrap_or(1.0));
        recipe.text_rate.ramp = recipe.unet_rate.ramp;
        recipe.token_rate.ramp = Ramp::Constant(asked.token_learning_rate.unwrap_or(1.0));
        return Ok(());
    }
    if let Some(rate) = asked.learning_rate {
        recipe.unet_rate.ramp = recipe.unet_rate.ramp.with_peak(rate);
    }
    if let Some(rate) = asked.token_learning_rate {
        recipe.token_rate.ramp = recipe.token_rate.ramp.with_peak(rate);
    }
    Ok(())
}

fn within<T: PartialOrd + Display>(name: &'static str, value: T, least: T, most: T) -> Result<T> {
    if value >= least && value <= most {
        return Ok(value);
    }
    Err(parameter(name, value, &format!("{least} to {most}")))
}

fn parameter(name: &'static str, value: impl Display, choices: &str) -> Error {
    Error::Parameter { name, value: value.to_string(), choices: choices.to_owned() }
}
