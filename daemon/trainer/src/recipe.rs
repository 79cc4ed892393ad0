//! The numbers that decide a run, in two named sets.

use crate::{
    objective::{SnrNormal, SnrWeighting, VelocityWeight},
    optimizer::Optimizer,
    rates::{Ramp, Rate},
};

/// The optimizers to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptimizerKind {
    /// AdamW.
    AdamW,
    /// Prodigy, which finds its own rate.
    Prodigy,
}

/// Everything about the mathematics of a run that is not its data.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Updates.
    pub steps: u64,
    /// Pictures in an update.
    pub batch_size: usize,
    /// Rank of the adapters.
    pub rank: usize,
    /// Adapters act with alpha / rank.
    pub alpha: f64,
    /// A choice of [`diffusion::lora::Targets::named`].
    pub targets: String,
    /// Whether the text encoders get adapters too.
    pub text_adapters: bool,
    /// New tokens; zero trains a plain LoRA.
    pub tokens: usize,
    /// Which optimizer.
    pub optimizer: OptimizerKind,
    /// Rate of the UNet's adapters.
    pub unet_rate: Rate,
    /// Rate of the text encoders' adapters.
    pub text_rate: Rate,
    /// Rate of the tokens.
    pub token_rate: Rate,
    /// Decay of the adapters.
    pub lora_weight_decay: f64,
    /// Weighting by timestep.
    pub snr: Option<SnrWeighting>,
    /// Shift of whole channels of the noise.
    pub noise_offset: f64,
    /// Share of captions that give way to the bare concept word.
    pub caption_dropout: f64,
    /// Factor of the mean absolute adapter value.
    pub l1: f64,
    /// Factor of the tokens' deviation from the vocabulary's spread.
    pub token_std: f64,
    /// Whether the tokens' rate counts whole epochs, as Eden does, in place of updates.
    pub whole_epochs: bool,
    /// Whether the timesteps of an update are spread evenly over the schedule.
    pub stratified: bool,
    /// Largest norm of the gradient, if it is clipped.
    pub clip_norm: Option<f64>,
    /// Least weight of masked-out background; masks then have mean one. `None`: masks are used as they are.
    pub mask_floor: Option<f32>,
    /// Everything random follows from this.
    pub seed: u64,
}

impl Recipe {
    /// Eden's behaviour with its defaults, as the golden cases hold it.
    pub fn eden() -> Self {
        let rate = |ramp| Rate { ramp, tail: 0.0 };
        Self {
            steps: 300,
            batch_size: 4,
            rank: 16,
            alpha: 16.0,
            targets: "eden".into(),
            text_adapters: false,
            tokens: 3,
            optimizer: OptimizerKind::AdamW,
            unet_rate: rate(Ramp::Exponential { from: 5e-5, to: 3e-4 }),
            text_rate: rate(Ramp::Constant(1e-5)),
            token_rate: rate(Ramp::Polynomial { peak: 1e-3, power: 1.7, freeze: 0.7 }),
            lora_weight_decay: 0.004,
            snr: Some(SnrWeighting { gamma: 5.0, normal: SnrNormal::Batch, velocity: VelocityWeight::PlusOne }),
            noise_offset: 0.02,
            caption_dropout: 0.1,
            l1: 0.03,
            token_std: 0.01,
            whole_epochs: true,
            stratified: false,
            clip_norm: None,
            mask_floor: None,
            seed: 0,
        }
    }

    /// The default: Eden's character with corrections. `velocity` says that the base predicts velocity.
    ///
    /// min-SNR is divided by the schedule's mean weight, so that accumulation does not change the recipe; velocity models
    /// get the corrected weight and no noise offset; the UNet's rate falls to zero over the last quarter; no L1, which
    /// lies far below what Adam notices; masks have mean one and a floor; the timesteps of an update are spread evenly; the
    /// tokens' rate falls with the updates.
    pub fn conceptd(velocity: bool) -> Self {
        let eden = Self::eden();
        Self {
            snr: Some(SnrWeighting {
                gamma: 5.0,
                normal: SnrNormal::Schedule,
                velocity: VelocityWeight::OverSnrPlusOne,
            }),
            noise_offset: if velocity { 0.0 } else { eden.noise_offset },
            unet_rate: Rate { tail: 0.25, ..eden.unet_rate },
            text_rate: Rate { tail: 0.25, ..eden.text_rate },
            l1: 0.0,
            whole_epochs: false,
            stratified: true,
            mask_floor: Some(0.2),
            ..eden
        }
    }

    /// The optimizer of the adapters.
    pub fn lora_optimizer(&self) -> Optimizer {
        match self.optimizer {
            OptimizerKind::AdamW => Optimizer::adamw(self.lora_weight_decay),
            OptimizerKind::Prodigy => Optimizer::prodigy(self.lora_weight_decay, 1.05),
        }
    }

    /// The optimizer of the tokens. Their estimate may grow without limit.
    pub fn token_optimizer(&self) -> Optimizer {
        match self.optimizer {
            OptimizerKind::AdamW => Optimizer::adamw(0.0),
            OptimizerKind::Prodigy => Optimizer::prodigy(0.0, f64::INFINITY),
        }
    }
}
