//! What a step minimises: the weighted squared error of the prediction, and penalties on the trainables.

use diffusion::{Result, schedule::NoiseSchedule};
use kernels::{Tensor, WeightedError};

/// min-SNR weighting (Hang et al., arXiv 2303.09556).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SnrWeighting {
    /// Ratios above this count as this.
    pub gamma: f64,
    /// What weights are divided by.
    pub normal: SnrNormal,
    /// The weight of velocity models.
    pub velocity: VelocityWeight,
}

/// What min-SNR weights are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnrNormal {
    /// Their mean over the batch, as Eden does: at batch one the weight is always one.
    Batch,
    /// Their mean over the schedule: four steps of one weigh as one step of four.
    Schedule,
}

/// The min-SNR weight of velocity models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VelocityWeight {
    /// min(snr, gamma) / snr + 1, as Eden (and diffusers at first) wrote it.
    PlusOne,
    /// min(snr, gamma) / (snr + 1): the weight that makes it equal to the epsilon form.
    OverSnrPlusOne,
}

/// The loss of a step.
#[derive(Clone, Debug)]
pub struct Objective {
    /// Noise levels and prediction type.
    pub schedule: NoiseSchedule,
    /// Weighting by timestep, if any.
    pub snr: Option<SnrWeighting>,
    /// Factor of the mean absolute value of the adapters.
    pub l1: f64,
    /// Factor of the deviation of token rows from the vocabulary's spread.
    pub token_std: f64,
}

impl Objective {
    /// What the model should predict, given clean latents and noise `[B, h, w, 4]`.
    ///
    /// # Errors
    /// If shapes disagree.
    pub fn target(&self, latents: &Tensor, noise: &Tensor, timesteps: &[usize]) -> Result<Tensor> {
        if !self.schedule.is_velocity() {
            return Ok(noise.clone());
        }
        // v = sqrt(abar) noise - sqrt(1 - abar) x0
        let (signal, noise_part): (Vec<f64>, Vec<f64>) = timesteps.iter().map(|&t| self.schedule.mix(t)).unzip();
        let minus: Vec<f64> = noise_part.iter().map(|s| -s).collect();
        Ok(kernels::add_noise(noise, latents, &signal, &minus)?)
    }

    /// The weighted error of a prediction. `mask_means` are those of the masks of this batch (1 without a mask): without
    /// min-SNR each sample is divided by its mask's mean over the batch's, as Eden does.
    ///
    /// # Errors
    /// If shapes disagree.
    pub fn error(
        &self,
        prediction: &Tensor,
        target: &Tensor,
        mask: Option<&Tensor>,
        mask_means: &[f64],
        timesteps: &[usize],
    ) -> Result<WeightedError> {
        let weights = match &self.snr {
            Some(snr) => self.snr_weights(snr, timesteps),
            None => {
                let mean = mask_means.iter().sum::<f64>() / mask_means.len() as f64;
                mask_means.iter().map(|m| mean / m).collect()
            }
        };
        Ok(kernels::weighted_squared_error(prediction, target, mask, &weights)?)
    }

    fn snr_weights(&self, rule: &SnrWeighting, timesteps: &[usize]) -> Vec<f64> {
        let weights: Vec<f64> = timesteps.iter().map(|&t| self.snr_weight(rule, t)).collect();
        let normal = match rule.normal {
            SnrNormal::Batch => weights.iter().sum::<f64>() / weights.len() as f64,
            SnrNormal::Schedule => {
                let all = self.schedule.abar.len();
                (0..all).map(|t| self.snr_weight(rule, t)).sum::<f64>() / all as f64
            }
        };
        weights.iter().map(|w| w / normal).collect()
    }

    fn snr_weight(&self, rule: &SnrWeighting, timestep: usize) -> f64 {
        let snr = self.schedule.snr(timestep);
        // min(snr, gamma) / snr, which is one down to a ratio of zero.
        let share = if snr <= rule.gamma { 1.0 } else { rule.gamma / snr };
        match (self.schedule.is_velocity(), rule.velocity) {
            (false, _) => share,
            (true, VelocityWeight::PlusOne) => share + 1.0,
            (true, VelocityWeight::OverSnrPlusOne) => snr.min(rule.gamma) / (snr + 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diffusion::checkpoint::Prediction;

    fn objective(prediction: Prediction, normal: SnrNormal, velocity: VelocityWeight) -> Objective {
        let snr = Some(SnrWeighting { gamma: 5.0, normal, velocity });
        Objective { schedule: NoiseSchedule::new(prediction), snr, l1: 0.0, token_std: 0.0 }
    }

    #[test]
    fn schedule_normalisation_does_not_depend_on_the_batch() {
        let objective = objective(Prediction::Epsilon, SnrNormal::Schedule, VelocityWeight::PlusOne);
        let rule = objective.snr.expect("set above");
        let together = objective.snr_weights(&rule, &[3, 500, 900]);
        let alone: Vec<f64> = [3, 500, 900].iter().flat_map(|&t| objective.snr_weights(&rule, &[t])).collect();
        assert_eq!(together, alone);
        let mean = (0..1000).flat_map(|t| objective.snr_weights(&rule, &[t])).sum::<f64>() / 1000.0;
        assert!((mean - 1.0).abs() < 1e-12);
    }

    #[test]
    fn velocity_with_zero_terminal_snr_has_finite_weights() {
        let prediction = Prediction::Velocity { zero_terminal_snr: true };
        for weight in [VelocityWeight::OverSnrPlusOne, VelocityWeight::PlusOne] {
            let objective = objective(prediction, SnrNormal::Schedule, weight);
            let rule = objective.snr.expect("set above");
            assert!((0..1000).all(|t| objective.snr_weights(&rule, &[t])[0].is_finite()));
        }
    }
}
