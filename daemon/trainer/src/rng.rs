//! Randomness that is a function of (seed, step, purpose, index): a resumed run draws what the undisturbed one drew, and
//! every device sees the same numbers.

use std::f64::consts::TAU;

/// What a number is drawn for. Each purpose has a sequence of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// First values of adapters and tokens.
    Init = 1,
    /// Order of pictures.
    Order = 2,
    /// Timesteps.
    Timesteps = 3,
    /// Noise to be predicted.
    Noise = 4,
    /// Offset of that noise.
    NoiseOffset = 5,
    /// Sampling of latents from their distribution.
    Latents = 6,
    /// Dropping of captions.
    Captions = 7,
    /// Flips.
    Flips = 8,
    /// Held-out loss.
    Validation = 9,
    /// Pictures.
    Samples = 10,
}

/// A counter-based generator: Philox 4x32-10 (Salmon et al., SC 2011).
#[derive(Clone, Debug)]
pub struct Rng {
    key: [u32; 2],
    step: u64,
    purpose: u32,
    index: u32,
    buffer: [u32; 4],
    used: usize,
}

impl Rng {
    /// The sequence of one purpose in one step of a run.
    pub fn new(seed: u64, step: u64, purpose: Purpose) -> Self {
        let key = [seed as u32, (seed >> 32) as u32];
        Self { key, step, purpose: purpose as u32, index: 0, buffer: [0; 4], used: 4 }
    }

    fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            let counter = [self.index, self.purpose, self.step as u32, (self.step >> 32) as u32];
            self.buffer = philox(counter, self.key);
            self.index = self.index.wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.buffer[self.used - 1]
    }

    /// Uniform in [0, 1), 53 bits.
    pub fn uniform(&mut self) -> f64 {
        let bits = (u64::from(self.next_u32()) << 32 | u64::from(self.next_u32())) >> 11;
        bits as f64 / (1u64 << 53) as f64
    }

    /// Uniform in 0..`count` (which must not be 0).
    pub fn below(&mut self, count: usize) -> usize {
        ((self.uniform() * count as f64) as usize).min(count - 1)
    }

    /// `count` values of the standard normal distribution (Box and Muller 1958).
    pub fn normals(&mut self, count: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(count + 1);
        while values.len() < count {
            let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
            let (sin, cos) = (TAU * self.uniform()).sin_cos();
            values.push((radius * cos) as f32);
            values.push((radius * sin) as f32);
        }
        values.truncate(count);
        values
    }

    /// The numbers 0..`count` in random order (Fisher and Yates).
    pub fn permutation(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for i in (1..count).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let (a, b) = (u64::from(counter[0]) * 0xD251_1F53, u64::from(counter[2]) * 0xCD9E_8D57);
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that come with Random123.
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = ([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]);
        assert_eq!(philox(pi.0, pi.1), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn normals_have_mean_zero_and_deviation_one() {
        let values = Rng::new(7, 3, Purpose::Noise).normals(100_000);
        let mean = values.iter().sum::<f32>() / 1e5;
        let variance = values.iter().map(|x| x * x).sum::<f32>() / 1e5;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn sequences_differ_by_seed_step_and_purpose_and_repeat_otherwise() {
        let draw = |seed, step, purpose| Rng::new(seed, step, purpose).normals(4);
        let one = draw(1, 2, Purpose::Noise);
        assert_eq!(one, draw(1, 2, Purpose::Noise));
        for other in [draw(2, 2, Purpose::Noise), draw(1, 3, Purpose::Noise), draw(1, 2, Purpose::Latents)] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_permutation_has_every_number_once() {
        let mut order = Rng::new(1, 1, Purpose::Order).permutation(50);
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }
}
