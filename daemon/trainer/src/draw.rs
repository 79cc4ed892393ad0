//! What a step draws at random, from the generator of (seed, step, purpose).

use crate::{
    Error, Result,
    rng::{Purpose, Rng},
};
use candle_core::{Device, Tensor};
use diffusion::schedule::TIMESTEPS;

/// The random draws of one step.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    seed: u64,
    step: u64,
}

impl Draw {
    /// The draws of `step` in the run of `seed`.
    pub fn new(seed: u64, step: u64) -> Self {
        Self { seed, step }
    }

    fn rng(&self, purpose: Purpose) -> Rng {
        Rng::new(self.seed, self.step, purpose)
    }

    /// Uniform training timesteps.
    pub fn timesteps(&self, count: usize) -> Vec<usize> {
        let mut rng = self.rng(Purpose::Timesteps);
        (0..count).map(|_| rng.below(TIMESTEPS)).collect()
    }

    /// One uniform timestep in each of `count` equal parts of the schedule, in random order: every update sees all noise
    /// levels, so that its loss and gradient scatter less.
    pub fn stratified_timesteps(&self, count: usize) -> Vec<usize> {
        let mut rng = self.rng(Purpose::Timesteps);
        let order = rng.permutation(count);
        let part = |i: usize, u: f64| ((i as f64 + u) / count as f64 * TIMESTEPS as f64) as usize;
        order.into_iter().map(|i| part(i, rng.uniform()).min(TIMESTEPS - 1)).collect()
    }

    /// Which of `count` pictures are seen mirrored.
    pub fn flips(&self, count: usize) -> Vec<bool> {
        let mut rng = self.rng(Purpose::Flips);
        (0..count).map(|_| rng.uniform() < 0.5).collect()
    }

    /// Normal noise `[B, h, w, C]`; with `offset`, each channel of each sample is shifted by offset times a normal value
    /// (Guttenberg 2023, "noise offset"), so that pictures may become darker or brighter as a whole.
    ///
    /// # Errors
    /// If the device has no memory.
    pub fn noise(&self, shape: (usize, usize, usize, usize), offset: f64) -> Result<Tensor> {
        let (batch, height, width, channels) = shape;
        let mut values = self.rng(Purpose::Noise).normals(batch * height * width * channels);
        if offset != 0.0 {
            let shifts = self.rng(Purpose::NoiseOffset).normals(batch * channels);
            for (i, value) in values.iter_mut().enumerate() {
                let (sample, channel) = (i / (height * width * channels), i % channels);
                *value += offset as f32 * shifts[sample * channels + channel];
            }
        }
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    /// Normal values for sampling latents from their distribution.
    ///
    /// # Errors
    /// If the device has no memory.
    pub fn latent_noise(&self, shape: (usize, usize, usize, usize)) -> Result<Tensor> {
        let (batch, height, width, channels) = shape;
        let values = self.rng(Purpose::Latents).normals(batch * height * width * channels);
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    /// Which of `count` captions give way to the bare concept word.
    pub fn dropped_captions(&self, count: usize, share: f64) -> Vec<bool> {
        let mut rng = self.rng(Purpose::Captions);
        (0..count).map(|_| rng.uniform() < share).collect()
    }
}

/// The mask that a step weighs errors with: at least `floor`, and one on average, so that the loss keeps its scale.
///
/// # Errors
/// If the mask is empty or not finite.
pub fn normalize_mask(mask: &[f32], floor: f32) -> Result<Vec<f32>> {
    let raised: Vec<f32> = mask.iter().map(|m| m.max(floor)).collect();
    let mean = raised.iter().sum::<f32>() / raised.len() as f32;
    if !mean.is_finite() || mean <= 0.0 {
        return Err(Error::Invalid("a mask must have values, and at least one above zero".into()));
    }
    Ok(raised.iter().map(|m| m / mean).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_keeps_the_background_and_the_scale() {
        let mask = normalize_mask(&[0.0, 0.0, 1.0, 1.0], 0.2).expect("a good mask");
        assert!((mask.iter().sum::<f32>() / 4.0 - 1.0).abs() < 1e-6);
        assert!((mask[0] / mask[3] - 0.2).abs() < 1e-6);
        assert!(normalize_mask(&[], 0.2).is_err());
    }

    #[test]
    fn noise_offset_moves_whole_channels() {
        let draw = Draw::new(1, 1);
        let plain = draw.noise((1, 2, 2, 4), 0.0).expect("noise");
        let shifted = draw.noise((1, 2, 2, 4), 0.5).expect("noise");
        let moved =
            shifted.sub(&plain).expect("same shape").reshape((4, 4)).expect("4 pixels").to_vec2::<f32>().expect("f32");
        for pixel in &moved {
            for (a, b) in pixel.iter().zip(&moved[0]) {
                assert!((a - b).abs() < 1e-6 && a.abs() > 1e-6);
            }
        }
    }

    #[test]
    fn captions_drop_at_about_the_share() {
        let dropped = Draw::new(3, 0).dropped_captions(10_000, 0.1).iter().filter(|d| **d).count();
        assert!((900..1100).contains(&dropped), "{dropped}");
    }
}
