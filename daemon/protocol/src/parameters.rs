//! The training parameters: one struct for flags, JSON, forms and stored recipes.

use crate::{BaseBits, Crop, MaskName, OptimizerName, RecipeName, TargetsName};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, str::FromStr};

/// What the pictures have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Mode {
    /// One person's face: never mirrored, since faces are not symmetric.
    Face,
    /// One thing or creature.
    Object,
    /// A way of drawing.
    Style,
}

impl Mode {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Face => "face",
            Self::Object => "object",
            Self::Style => "style",
        }
    }
}

/// How long a run is: a number of updates, or `"auto"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    /// So many updates; the last is delivered.
    Count(u64),
    /// By mode and number of pictures; the best snapshot is delivered.
    Auto,
}

impl FromStr for Steps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            number => number.parse().map(Self::Count).map_err(|_| "give a number of updates, or `auto`".into()),
        }
    }
}

impl Serialize for Steps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(steps) => serializer.serialize_u64(*steps),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Count(u64),
            Word(String),
        }
        match Either::deserialize(deserializer) {
            Ok(Either::Count(steps)) => Ok(Self::Count(steps)),
            Ok(Either::Word(word)) if word == "auto" => Ok(Self::Auto),
            _ => Err(de::Error::custom("give a number of updates, or \"auto\"")),
        }
    }
}

impl JsonSchema for Steps {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Steps".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1, "maximum": 1_000_000 }, { "const": "auto" }] })
    }
}

/// Every parameter of a training that has a default. What is left out is decided by mode, base and pictures; a plan
/// shows how, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct Parameters {
    /// Updates, or `auto`: by mode and number of pictures, and the best snapshot delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "updates", "examples" = [300, "auto"]))]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N|auto", conflicts_with = "time_budget"))]
    pub steps: Option<Steps>,
    /// Let training take about this long; in place of steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 604_800), extend("x-unit" = "seconds", "examples" = [600]))]
    #[cfg_attr(feature = "cli", arg(long, value_name = "TIME", value_parser = parse_duration))]
    pub time_budget: Option<f64>,
    /// Side of the training pictures [default: 1024 for XL, 512 for 1.5].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 64, max = 4096), extend("multipleOf" = 64, "x-unit" = "pixels", "examples" = [768]))]
    #[cfg_attr(feature = "cli", arg(long, value_name = "PIXELS"))]
    pub resolution: Option<usize>,
    /// Pictures in an update [default: 4].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256), extend("x-default" = 4))]
    #[cfg_attr(feature = "cli", arg(long))]
    pub batch_size: Option<usize>,
    /// Rank of the LoRA [default: 16].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024), extend("x-default" = 16))]
    #[cfg_attr(feature = "cli", arg(long))]
    pub lora_rank: Option<usize>,
    /// Scale of the LoRA [default: its rank].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.000_001, max = 1_000_000.0))]
    #[cfg_attr(feature = "cli", arg(long))]
    pub lora_alpha: Option<f64>,
    /// Which layers get a LoRA [default: eden].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "eden"))]
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    pub lora_targets: Option<TargetsName>,
    /// Whether the text encoders get a LoRA too [default: false].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = false))]
    #[cfg_attr(feature = "cli", arg(long))]
    pub lora_text_encoder: Option<bool>,
    /// New tokens; 0 makes a plain LoRA that is called by its name [default: 3].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 75), extend("x-default" = 3))]
    #[cfg_attr(feature = "cli", arg(long))]
    pub token_count: Option<usize>,
    /// `random`, or a word that the tokens start as [default: random].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), extend("x-default" = "random", "examples" = ["dog"]))]
    #[cfg_attr(feature = "cli", arg(long, value_name = "random|WORD"))]
    pub token_init: Option<String>,
    /// Peak learning rate of the LoRA [default: 3e-4].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10), extend("x-default" = 3e-4))]
    #[cfg_attr(feature = "cli", arg(long))]
    pub learning_rate: Option<f64>,
    /// Peak learning rate of the tokens [default: 1e-3].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10), extend("x-default" = 1e-3))]
    #[cfg_attr(feature = "cli", arg(long))]
    pub token_learning_rate: Option<f64>,
    /// The optimizer [default: adamw].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "adamw"))]
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    pub optimizer: Option<OptimizerName>,
    /// The set of defaults [default: conceptd].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "conceptd"))]
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    pub recipe: Option<RecipeName>,
    /// Everything random follows from this [default: 0].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64), extend("x-default" = 0))]
    #[cfg_attr(feature = "cli", arg(long))]
    pub seed: Option<u64>,
    /// Whether pictures are also seen mirrored; never for faces [default: true].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = true))]
    #[cfg_attr(feature = "cli", arg(long))]
    pub random_flip: Option<bool>,
    /// center, salience or face: a square from the middle, around what stands out or around the face; bucket: each picture's
    /// own proportions [default: center].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "center"))]
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    pub crop: Option<Crop>,
    /// Share of prompts that give way to the bare concept word [default: 0.1].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1), extend("x-default" = 0.1))]
    #[cfg_attr(feature = "cli", arg(long))]
    pub caption_dropout: Option<f64>,
    /// Shift of whole channels of the noise [default: 0.02; 0 for velocity models].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    #[cfg_attr(feature = "cli", arg(long))]
    pub noise_offset: Option<f64>,
    /// min-SNR's gamma; 0 weighs all timesteps alike [default: 5].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000), extend("x-default" = 5))]
    #[cfg_attr(feature = "cli", arg(long))]
    pub snr_gamma: Option<f64>,
    /// Updates between snapshots [default: an eighth of the run].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000), extend("x-unit" = "updates"))]
    #[cfg_attr(feature = "cli", arg(long))]
    pub save_every: Option<u64>,
    /// Updates between sample pictures along the run; 0 draws them at the end only [default: 0].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000), extend("x-unit" = "updates", "x-default" = 0))]
    #[cfg_attr(feature = "cli", arg(long))]
    pub sample_every: Option<u64>,
    /// Prompt of a sample picture; several may be given [default: four prompts of the mode].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 2000)))]
    #[cfg_attr(feature = "cli", arg(long, value_name = "TEXT"))]
    pub sample_prompt: Vec<String>,
    /// Who describes pictures that have no prompt: `auto` for the best installed captioner, `none`, or a captioner's id
    /// [default: auto].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), extend("x-default" = "auto"))]
    #[cfg_attr(feature = "cli", arg(long, value_name = "auto|none|ID"))]
    pub captioner: Option<String>,
    /// What the object is, in a word; captions that name it mean the concept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), extend("examples" = ["cat"]))]
    #[cfg_attr(feature = "cli", arg(long, value_name = "WORD"))]
    pub class_word: Option<String>,
    /// Which part of a picture is learnt most; a mask beside a picture comes first [default: auto].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "auto"))]
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    pub mask: Option<MaskName>,
    /// Bits of the frozen base; fewer take less memory, and change the result a little [default: as many as fit].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_enum, value_name = "16|8|4"))]
    pub base_bits: Option<BaseBits>,
}

impl Parameters {
    /// These, and where one is left out that of `before`.
    #[must_use]
    pub fn over(self, before: Self) -> Self {
        // One of the two lengths replaces the other.
        let own_length = self.steps.is_some() || self.time_budget.is_some();
        Self {
            steps: if own_length { self.steps } else { before.steps },
            time_budget: if own_length { self.time_budget } else { before.time_budget },
            resolution: self.resolution.or(before.resolution),
            batch_size: self.batch_size.or(before.batch_size),
            lora_rank: self.lora_rank.or(before.lora_rank),
            lora_alpha: self.lora_alpha.or(before.lora_alpha),
            lora_targets: self.lora_targets.or(before.lora_targets),
            lora_text_encoder: self.lora_text_encoder.or(before.lora_text_encoder),
            token_count: self.token_count.or(before.token_count),
            token_init: self.token_init.or(before.token_init),
            learning_rate: self.learning_rate.or(before.learning_rate),
            token_learning_rate: self.token_learning_rate.or(before.token_learning_rate),
            optimizer: self.optimizer.or(before.optimizer),
            recipe: self.recipe.or(before.recipe),
            seed: self.seed.or(before.seed),
            random_flip: self.random_flip.or(before.random_flip),
            crop: self.crop.or(before.crop),
            caption_dropout: self.caption_dropout.or(before.caption_dropout),
            noise_offset: self.noise_offset.or(before.noise_offset),
            snr_gamma: self.snr_gamma.or(before.snr_gamma),
            save_every: self.save_every.or(before.save_every),
            sample_every: self.sample_every.or(before.sample_every),
            sample_prompt: if self.sample_prompt.is_empty() { before.sample_prompt } else { self.sample_prompt },
            captioner: self.captioner.or(before.captioner),
            class_word: self.class_word.or(before.class_word),
            mask: self.mask.or(before.mask),
            base_bits: self.base_bits.or(before.base_bits),
        }
    }
}

/// Seconds of `90s`, `10m` or `2h`.
///
/// # Errors
/// If it is no time.
#[cfg(feature = "cli")]
pub fn parse_duration(text: &str) -> Result<f64, String> {
    let wrong = || "give a time such as 90s, 10m or 2h".to_owned();
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[number.len()..] {
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let seconds: f64 = number.parse().map_err(|_| wrong())?;
    if !(seconds.is_finite() && seconds > 0.0) {
        return Err("give a time above zero".into());
    }
    Ok(seconds * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_comes_from_before_and_lengths_exclude_each_other() {
        let before = Parameters { steps: Some(Steps::Count(9)), lora_rank: Some(4), ..Parameters::default() };
        let now = Parameters { time_budget: Some(60.0), seed: Some(1), ..Parameters::default() }.over(before);
        assert_eq!((now.steps, now.time_budget, now.lora_rank, now.seed), (None, Some(60.0), Some(4), Some(1)));
    }

    #[test]
    fn steps_are_a_number_or_auto() {
        let read = |text: &str| serde_json::from_str::<Steps>(text);
        assert_eq!(read("7").ok(), Some(Steps::Count(7)));
        assert_eq!(read("\"auto\"").ok(), Some(Steps::Auto));
        assert!(read("\"many\"").is_err() && read("-1").is_err() && read("1.5").is_err());
        assert!(serde_json::from_str::<Parameters>(r#"{"lora_rnak": 3}"#).is_err());
    }
}
