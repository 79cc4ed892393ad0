//! Parameters with a few named values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which layers get a LoRA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum TargetsName {
    /// Query, key, value and output of every attention.
    Attn,
    /// Attention and the second convolution of every residual block.
    Eden,
    /// Attention, feed-forward and projections of the transformers.
    Transformer,
    /// Every layer.
    All,
}

impl TargetsName {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attn => "attn",
            Self::Eden => "eden",
            Self::Transformer => "transformer",
            Self::All => "all",
        }
    }
}

/// The optimizers to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum OptimizerName {
    /// AdamW.
    Adamw,
    /// Prodigy, which finds its own rate; the learning rates are then factors, 1 by default.
    Prodigy,
}

/// In how many bits the frozen base is kept while it is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum BaseBits {
    /// As it is computed with: halves on a GPU, single precision on the processor.
    #[serde(rename = "16")]
    #[cfg_attr(feature = "cli", value(name = "16"))]
    Sixteen,
    /// Row-wise int8: weights are off by about 1 %.
    #[serde(rename = "8")]
    #[cfg_attr(feature = "cli", value(name = "8"))]
    Eight,
    /// nf4: weights are off by about 9 %.
    #[serde(rename = "4")]
    #[cfg_attr(feature = "cli", value(name = "4"))]
    Four,
}

impl BaseBits {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sixteen => "16",
            Self::Eight => "8",
            Self::Four => "4",
        }
    }
}

/// The named sets of defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum RecipeName {
    /// Eden's character with corrections.
    #[default]
    Conceptd,
    /// Eden's behaviour.
    Eden,
}

impl RecipeName {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conceptd => "conceptd",
            Self::Eden => "eden",
        }
    }
}

/// How a picture becomes a training picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Crop {
    /// A square from the middle.
    #[default]
    Center,
    /// Its own proportions, at the area of the square.
    Bucket,
    /// A square around what stands out.
    Salience,
    /// A square around the face.
    Face,
}

impl Crop {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Center => "center",
            Self::Bucket => "bucket",
            Self::Salience => "salience",
            Self::Face => "face",
        }
    }
}

/// What a base predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Prediction {
    /// The noise.
    Epsilon,
    /// Velocity.
    Velocity,
    /// Velocity with a noise schedule that ends in pure noise.
    VelocityZtsnr,
}
