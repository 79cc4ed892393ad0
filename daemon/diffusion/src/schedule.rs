//! The noise schedule that Stable Diffusion was trained with (Ho et al., arXiv 2006.11239; betas as in latent diffusion).

use crate::checkpoint::Prediction;

/// Training timesteps.
pub const TIMESTEPS: usize = 1000;

/// abar for every training timestep.
#[derive(Clone, Debug)]
pub struct NoiseSchedule {
    /// Share of the signal's variance that is left at each timestep, falling.
    pub abar: Vec<f64>,
    /// What the model predicts under it.
    pub prediction: Prediction,
}

impl NoiseSchedule {
    /// The schedule of a checkpoint.
    pub fn new(prediction: Prediction) -> Self {
        let mut abar = scaled_linear(0.00085, 0.012);
        if let Prediction::Velocity { zero_terminal_snr: true } = prediction {
            rescale_to_zero_terminal_snr(&mut abar);
        }
        Self { abar, prediction }
    }

    /// Whether the model predicts velocity.
    pub fn is_velocity(&self) -> bool {
        matches!(self.prediction, Prediction::Velocity { .. })
    }

    /// The factors (signal, noise) of x_t = signal x_0 + noise n.
    pub fn mix(&self, timestep: usize) -> (f64, f64) {
        (self.abar[timestep].sqrt(), (1.0 - self.abar[timestep]).sqrt())
    }

    /// Signal-to-noise ratio abar / (1 - abar).
    pub fn snr(&self, timestep: usize) -> f64 {
        self.abar[timestep] / (1.0 - self.abar[timestep])
    }

    /// sqrt((1 - abar) / abar). Where the terminal SNR is zero, abar is clamped to 2^-24 first, as diffusers samples.
    pub fn sigma(&self, timestep: usize) -> f64 {
        let abar = self.abar[timestep].max(2f64.powi(-24));
        ((1.0 - abar) / abar).sqrt()
    }

    /// Sigma between training timesteps: linear in log sigma.
    pub fn sigma_at(&self, timestep: f64) -> f64 {
        let t = timestep.clamp(0.0, (TIMESTEPS - 1) as f64);
        let (low, share) = (t.floor() as usize, t.fract());
        let high = (low + 1).min(TIMESTEPS - 1);
        ((1.0 - share) * self.sigma(low).ln() + share * self.sigma(high).ln()).exp()
    }

    /// The training timestep of a sigma: the inverse of [`Self::sigma_at`].
    pub fn timestep_of(&self, sigma: f64) -> f64 {
        let high = (0..TIMESTEPS).find(|&t| self.sigma(t) >= sigma).unwrap_or(TIMESTEPS - 1);
        if high == 0 {
            return 0.0;
        }
        let (below, above) = (self.sigma(high - 1).ln(), self.sigma(high).ln());
        (high - 1) as f64 + ((sigma.ln() - below) / (above - below)).clamp(0.0, 1.0)
    }
}

/// cumprod(1 - beta), beta = linspace(sqrt(start), sqrt(end))^2. Rounded to f32 at each step where diffusers' scheduler
/// rounds (torch accumulates the product in f64), so that abar is bit for bit the reference's.
fn scaled_linear(start: f64, end: f64) -> Vec<f64> {
    let (first, last) = (start.sqrt() as f32, end.sqrt() as f32);
    let step = (last - first) / (TIMESTEPS - 1) as f32;
    let mut product = 1f64;
    (0..TIMESTEPS)
        .map(|i| {
            // torch.linspace counts from the nearer end.
            let root =
                if i < TIMESTEPS / 2 { first + step * i as f32 } else { last - step * (TIMESTEPS - 1 - i) as f32 };
            product *= f64::from(1.0 - root * root);
            f64::from(product as f32)
        })
        .collect()
}

/// Algorithm 1 of Lin et al., arXiv 2305.08891: sqrt(abar) shifted and scaled so that it ends at zero.
fn rescale_to_zero_terminal_snr(abar: &mut [f64]) {
    let (first, last) = (abar[0].sqrt(), abar[abar.len() - 1].sqrt());
    for value in abar {
        *value = ((value.sqrt() - last) * first / (first - last)).powi(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_has_stable_diffusions_ends() {
        let schedule = NoiseSchedule::new(Prediction::Epsilon);
        assert!((schedule.abar[0] - 0.99915).abs() < 1e-6);
        assert!((schedule.sigma(999) - 14.6146).abs() < 1e-3, "{}", schedule.sigma(999));
        assert!(schedule.abar.windows(2).all(|w| w[1] < w[0]));
    }

    #[test]
    fn zero_terminal_snr_ends_in_pure_noise_and_keeps_the_start() {
        let plain = NoiseSchedule::new(Prediction::Epsilon);
        let zero = NoiseSchedule::new(Prediction::Velocity { zero_terminal_snr: true });
        assert_eq!(zero.abar[999], 0.0);
        assert!((zero.abar[0] - plain.abar[0]).abs() < 1e-12);
        assert!((zero.sigma(999) - 4096.0).abs() < 1.0);
    }

    #[test]
    fn sigma_and_timestep_are_inverse() {
        let schedule = NoiseSchedule::new(Prediction::Epsilon);
        for t in [0.0, 0.25, 17.5, 500.0, 998.75, 999.0] {
            assert!((schedule.timestep_of(schedule.sigma_at(t)) - t).abs() < 1e-6, "t = {t}");
        }
    }
}
