//! Drawing: Euler and DPM++ 2M with classifier-free guidance.

use crate::{
    Conditioning, Error, Result, UNet,
    layer::Tape,
    schedule::{NoiseSchedule, TIMESTEPS},
};
use kernels::Tensor;

/// A solver of the sampling equation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampler {
    /// Euler's method in sigma (Karras et al., arXiv 2206.00364, as diffusers' EulerDiscreteScheduler).
    Euler,
    /// The second-order multistep solver of Lu et al., arXiv 2211.01095, in the form of k-diffusion's `dpmpp_2m`.
    DpmPlusPlus2M,
}

/// The timesteps of a run and their sigmas (one more: the last is zero).
#[derive(Clone, Debug)]
pub struct Steps {
    /// Falling, from the noisiest.
    pub timesteps: Vec<f64>,
    /// Falling to zero; one longer than `timesteps`.
    pub sigmas: Vec<f64>,
}

impl Steps {
    /// "Trailing" spacing (Lin et al., arXiv 2305.08891): t_i = round(1000 - i 1000 / count) - 1.
    ///
    /// # Errors
    /// If `count` is not in 1..=1000.
    pub fn trailing(schedule: &NoiseSchedule, count: usize) -> Result<Self> {
        if !(1..=TIMESTEPS).contains(&count) {
            return Err(Error::Invalid(format!("{count} sampling steps: choose 1 to {TIMESTEPS}")));
        }
        let spacing = TIMESTEPS as f64 / count as f64;
        let timestep = |i: usize| (TIMESTEPS as f64 - i as f64 * spacing).round_ties_even() as usize - 1;
        let timesteps: Vec<usize> = (0..count).map(timestep).collect();
        let sigmas = timesteps.iter().map(|&t| schedule.sigma(t)).chain([0.0]).collect();
        Ok(Self { timesteps: timesteps.iter().map(|&t| t as f64).collect(), sigmas })
    }

    /// The spacing of Karras et al. (arXiv 2206.00364, equation 5, rho 7): most steps where the picture's details form. For
    /// schedules that end in pure noise, whose first sigma is no number to start from, trailing spacing instead.
    ///
    /// # Errors
    /// If `count` is not in 1..=1000.
    pub fn karras(schedule: &NoiseSchedule, count: usize) -> Result<Self> {
        const RHO: f64 = 7.0;
        const PURE_NOISE: f64 = 100.0;
        let (most, least) = (schedule.sigma(TIMESTEPS - 1), schedule.sigma(0));
        if count < 3 || most > PURE_NOISE {
            return Self::trailing(schedule, count);
        }
        if count > TIMESTEPS {
            return Err(Error::Invalid(format!("{count} sampling steps: choose 1 to {TIMESTEPS}")));
        }
        let (from, to) = (most.powf(1.0 / RHO), least.powf(1.0 / RHO));
        let sigma = |i: usize| (from + i as f64 / (count - 1) as f64 * (to - from)).powf(RHO);
        let sigmas: Vec<f64> = (0..count).map(sigma).collect();
        let timesteps = sigmas.iter().map(|&sigma| schedule.timestep_of(sigma)).collect();
        Ok(Self { timesteps, sigmas: sigmas.into_iter().chain([0.0]).collect() })
    }

    /// Only the last `share` (0..=1) of the steps, as a picture given to start from leaves them.
    pub fn last_share(self, share: f64) -> Self {
        let count = self.timesteps.len();
        let skip = count - ((count as f64 * share.clamp(0.0, 1.0)).round() as usize).clamp(1, count);
        Self { timesteps: self.timesteps[skip..].to_vec(), sigmas: self.sigmas[skip..].to_vec() }
    }
}

/// What a picture is drawn from.
pub struct Guidance<'a> {
    /// The prompt's conditions, `[B, ...]`.
    pub positive: &'a Conditioning,
    /// The negative prompt's; of the same shape where it is as long, and then both are asked at once.
    pub negative: &'a Conditioning,
    /// e = negative + scale (positive - negative) (Ho and Salimans, arXiv 2207.12598).
    pub scale: f64,
    /// `[B, 6]` row major; XL only.
    pub time_ids: &'a [f32],
}

/// Solves from `x [B, h, w, 4]`, which holds noise of deviation `steps.sigmas[0]` (on a picture or on nothing), to a clean
/// latent. `observe(step, x)` sees the state behind each step and may stop the run with an error.
///
/// # Errors
/// If shapes do not fit, or `observe` stops.
pub fn sample(
    unet: &UNet,
    schedule: &NoiseSchedule,
    sampler: Sampler,
    steps: &Steps,
    guidance: &Guidance,
    x: Tensor,
    mut observe: impl FnMut(usize, &Tensor) -> Result<()>,
) -> Result<Tensor> {
    let mut x = x;
    let text = Text::of(guidance, x.dim(0)?)?;
    let mut earlier: Option<(Tensor, f64)> = None;
    for (i, &timestep) in steps.timesteps.iter().enumerate() {
        let (sigma, next) = (steps.sigmas[i], steps.sigmas[i + 1]);
        let denoised = denoise(unet, schedule, &text, &x, timestep, sigma)?;
        x = match sampler {
            // x += (next - sigma) (x - denoised) / sigma
            Sampler::Euler => combine(&x, next / sigma, &denoised, 1.0 - next / sigma)?,
            Sampler::DpmPlusPlus2M => {
                let step = dpm_plus_plus_2m(&x, &denoised, earlier.as_ref(), sigma, next)?;
                earlier = Some((denoised, sigma));
                step
            }
        };
        observe(i, &x)?;
    }
    Ok(x)
}

/// In lambda = -ln sigma: x' = (next / sigma) x - (e^-h - 1) d, d extrapolated from the last two denoised states.
fn dpm_plus_plus_2m(
    x: &Tensor,
    denoised: &Tensor,
    earlier: Option<&(Tensor, f64)>,
    sigma: f64,
    next: f64,
) -> Result<Tensor> {
    let Some((before, before_sigma)) = earlier.filter(|_| next > 0.0) else {
        return combine(x, next / sigma, denoised, 1.0 - next / sigma);
    };
    let (h, h_before) = ((sigma / next).ln(), (before_sigma / sigma).ln());
    let weight = h / (2.0 * h_before);
    let d = combine(denoised, 1.0 + weight, before, -weight)?;
    combine(x, next / sigma, &d, -(-h).exp_m1())
}

/// What the UNet is asked in each step.
enum Text<'a> {
    /// Without guidance: the prompt alone.
    Alone(&'a Guidance<'a>),
    /// Both prompts as one batch, the positive first: every weight is read once for both, and a GPU has twice the rows.
    Joined { both: Conditioning, time_ids: Vec<f32>, scale: f64 },
    /// One after the other, since they are not equally long.
    Apart(&'a Guidance<'a>),
}

impl<'a> Text<'a> {
    fn of(guidance: &'a Guidance<'a>, batch: usize) -> Result<Self> {
        let Guidance { positive, negative, scale, time_ids } = guidance;
        if *scale == 1.0 {
            return Ok(Self::Alone(guidance));
        }
        if positive.context.dims() != negative.context.dims() || positive.context.dim(0)? != batch {
            return Ok(Self::Apart(guidance));
        }
        let join = |a: &Tensor, b: &Tensor| Tensor::cat(&[a.clone(), b.clone()]);
        let pooled = positive.pooled.as_ref().zip(negative.pooled.as_ref()).map(|(a, b)| join(a, b)).transpose()?;
        let both = Conditioning { context: join(&positive.context, &negative.context)?, pooled };
        Ok(Self::Joined { both, time_ids: time_ids.repeat(2), scale: *scale })
    }

    /// The guided prediction for `input [B, h, w, 4]`.
    fn predict(&self, unet: &UNet, input: &Tensor, timestep: f64) -> Result<Tensor> {
        let batch = input.dim(0)?;
        let alone = |text: &Conditioning, time_ids: &[f32]| {
            unet.forward(input, &vec![timestep; batch], text, time_ids, &mut Tape::off())
        };
        match self {
            Self::Alone(guidance) => alone(guidance.positive, guidance.time_ids),
            Self::Joined { both, time_ids, scale } => {
                let twice = Tensor::cat(&[input.clone(), input.clone()])?;
                let predicted = unet.forward(&twice, &vec![timestep; 2 * batch], both, time_ids, &mut Tape::off())?;
                let (positive, negative) = (predicted.narrow(0, 0, batch)?, predicted.narrow(0, batch, batch)?);
                combine(&positive, *scale, &negative, 1.0 - scale)
            }
            Self::Apart(Guidance { positive, negative, scale, time_ids }) => {
                combine(&alone(positive, time_ids)?, *scale, &alone(negative, time_ids)?, 1.0 - scale)
            }
        }
    }
}

/// The guided estimate of the clean latent.
fn denoise(
    unet: &UNet,
    schedule: &NoiseSchedule,
    text: &Text,
    x: &Tensor,
    timestep: f64,
    sigma: f64,
) -> Result<Tensor> {
    let input = kernels::scale(x, 1.0 / (sigma * sigma + 1.0).sqrt())?;
    let predicted = text.predict(unet, &input, timestep)?;
    if schedule.is_velocity() {
        // x0 = x / (sigma^2 + 1) - sigma / sqrt(sigma^2 + 1) v
        let square = sigma * sigma + 1.0;
        combine(x, 1.0 / square, &predicted, -sigma / square.sqrt())
    } else {
        combine(x, 1.0, &predicted, -sigma)
    }
}

/// a x + b y.
fn combine(x: &Tensor, a: f64, y: &Tensor, b: f64) -> Result<Tensor> {
    let batch = x.dim(0)?;
    Ok(kernels::add_noise(x, y, &vec![a; batch], &vec![b; batch])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Prediction;

    /// Data of deviation `s` around zero has the ideal denoiser x s^2 / (s^2 + sigma^2) and a known solution:
    /// x(sigma) proportional to sqrt(s^2 + sigma^2). Steps are even in log sigma.
    fn error_after(count: i32, second_order: bool) -> f64 {
        let (s, first, last) = (0.8f64, 14.6f64, 0.1f64);
        let sigma_of = |i: i32| first * (last / first).powf(f64::from(i) / f64::from(count));
        let mut x = Tensor::from_vec(vec![first], (1, 1, 1, 1), &kernels::Device::Cpu).expect("noise");
        let mut earlier: Option<(Tensor, f64)> = None;
        for i in 0..count {
            let (sigma, next) = (sigma_of(i), sigma_of(i + 1));
            let denoised = kernels::scale(&x, s * s / (s * s + sigma * sigma)).expect("denoised");
            let before = earlier.as_ref().filter(|_| second_order);
            x = dpm_plus_plus_2m(&x, &denoised, before, sigma, next).expect("a step");
            earlier = Some((denoised, sigma));
        }
        let exact = first * ((s * s + last * last) / (s * s + first * first)).sqrt();
        (x.to_scalar::<f64>().expect("one value") / exact - 1.0).abs()
    }

    #[test]
    fn the_multistep_solver_is_of_second_order() {
        let (coarse, fine) = (error_after(40, true), error_after(80, true));
        assert!(fine < coarse / 3.0, "halving the steps must quarter the error: {coarse:e} {fine:e}");
        assert!(coarse < error_after(40, false) / 3.0, "and beat the first order");
    }

    #[test]
    fn karras_steps_run_from_the_first_sigma_to_the_last() {
        let schedule = NoiseSchedule::new(Prediction::Epsilon);
        let steps = Steps::karras(&schedule, 20).expect("steps");
        let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(close(steps.sigmas[0], schedule.sigma(999)) && close(steps.sigmas[19], schedule.sigma(0)));
        assert!(close(steps.timesteps[0], 999.0) && close(steps.timesteps[19], 0.0) && steps.sigmas[20] == 0.0);
        assert!(steps.sigmas.windows(2).all(|pair| pair[1] < pair[0]));
        let zero = NoiseSchedule::new(Prediction::Velocity { zero_terminal_snr: true });
        assert_eq!(Steps::karras(&zero, 20).expect("steps").timesteps[1], 949.0);
    }

    #[test]
    fn trailing_steps_begin_at_the_last_timestep_and_end_at_zero() {
        let schedule = NoiseSchedule::new(Prediction::Epsilon);
        let steps = Steps::trailing(&schedule, 8).expect("steps");
        assert_eq!(steps.timesteps, [999.0, 874.0, 749.0, 624.0, 499.0, 374.0, 249.0, 124.0]);
        assert_eq!(steps.sigmas.last(), Some(&0.0));
        let half = steps.last_share(0.5);
        assert_eq!((half.timesteps.len(), half.sigmas.len(), half.timesteps[0]), (4, 5, 499.0));
        assert!(Steps::trailing(&schedule, 0).is_err() && Steps::trailing(&schedule, 1001).is_err());
    }
}
