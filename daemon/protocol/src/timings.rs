//! Where the time of a training went.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of a training's time. Each second belongs to one part only: what a part does inside another is the inner one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Looking at pictures: captions, masks.
    Looking,
    /// Opening the device: driver and kernels.
    Device,
    /// Opening the base and its digest.
    Base,
    /// Loading weights: VAE, text encoders, UNet.
    Model,
    /// Reading pictures.
    Pictures,
    /// Encoding them with the VAE.
    Latents,
    /// Putting batches together.
    Batches,
    /// Forward passes of updates.
    Forward,
    /// Backward passes of updates.
    Backward,
    /// Penalties, clipping, optimizers.
    Update,
    /// Measuring the held-out error.
    HeldOut,
    /// Writing states, snapshots and results.
    Writing,
    /// Drawing samples along the way.
    Samples,
    /// Drawing base beside concept at the end.
    Preview,
    /// Drawing and judging snapshots at the end.
    Scoring,
    /// Everything else.
    Rest,
}

impl Part {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Looking => "looking at pictures",
            Self::Device => "opening the device",
            Self::Base => "opening the base, its digest",
            Self::Model => "loading weights",
            Self::Pictures => "reading pictures",
            Self::Latents => "encoding latents",
            Self::Batches => "putting batches together",
            Self::Forward => "steps: forward",
            Self::Backward => "steps: backward",
            Self::Update => "steps: update",
            Self::HeldOut => "measuring held-out error",
            Self::Writing => "writing",
            Self::Samples => "drawing samples",
            Self::Preview => "drawing the preview",
            Self::Scoring => "scoring snapshots",
            Self::Rest => "everything else",
        }
    }
}

/// The time of one part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartTime {
    /// Which.
    pub part: Part,
    /// Seconds in all.
    pub seconds: f64,
    /// How often it began.
    pub times: u64,
}

/// The whole time of a training: its parts add up to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timings {
    /// Seconds from beginning to end.
    pub seconds: f64,
    /// Whether each part waited for the GPU; without, work that was asked for in one part may be waited for in a later one.
    pub waited: bool,
    /// The parts that took time, in the order of a training.
    pub parts: Vec<PartTime>,
}
