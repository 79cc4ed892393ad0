//! Drawing pictures with a model as it stands, whoever owns it.

use crate::{Error, Plan, Result, latents::pixels};
use diffusion::{
    Conditioning, Family, Model, Vae,
    sampler::{Guidance, Sampler, Steps, sample},
    schedule::NoiseSchedule,
};
use image::{RgbImage, imageops};
use kernels::Tensor;
use trainer::{Purpose, Rng};

/// What to draw.
#[derive(Clone, Debug)]
pub struct PictureRequest {
    /// May name concepts.
    pub prompt: String,
    /// What to keep away from.
    pub negative: String,
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Steps of the sampler.
    pub steps: usize,
    /// Strength of guidance; 1 is none.
    pub cfg: f64,
    /// Of the first picture; each next one has the next.
    pub seed: u64,
    /// How many.
    pub count: usize,
    /// A picture to start from, and how far to leave it (0..=1).
    pub init: Option<(RgbImage, f64)>,
}

/// Steps of a sample picture.
pub(crate) const SAMPLE_STEPS: usize = 24;

impl PictureRequest {
    /// The sample picture of a plan's prompt at this place: always of the same seed.
    pub(crate) fn sample(plan: &Plan, place: usize) -> Self {
        Self {
            prompt: plan.family.preview(&plan.sample_prompts[place]),
            negative: negative(plan).to_owned(),
            width: plan.resolution,
            height: plan.resolution,
            steps: SAMPLE_STEPS,
            cfg: 5.0,
            seed: plan.recipe.seed.wrapping_add(place as u64),
            count: 1,
            init: None,
        }
    }
}

/// What sample pictures keep away from: what users of such a base keep away from; nothing where nothing is known of it.
pub(crate) fn negative(plan: &Plan) -> &'static str {
    match plan.family {
        caption::Family::Unknown => "",
        family => family.negative(),
    }
}

/// What a picture is drawn with.
pub(crate) struct Brush<'a> {
    pub model: &'a Model,
    pub vae: &'a Vae,
    pub schedule: &'a NoiseSchedule,
}

impl Brush<'_> {
    /// Draws from encoded prompts; the request's own are not read. `stop` is asked behind each step.
    pub fn draw(
        &self,
        request: &PictureRequest,
        positive: &Conditioning,
        negative: &Conditioning,
        mut stop: impl FnMut() -> bool,
    ) -> Result<Vec<RgbImage>> {
        let (width, height) = (request.width, request.height);
        if width % 64 != 0 || height % 64 != 0 || width == 0 || height == 0 || width.max(height) > 4096 {
            return Err(Error::Invalid(format!(
                "{width} x {height}: both sides must be multiples of 64, at most 4096"
            )));
        }
        let (h, w) = (height / self.vae.factor(), width / self.vae.factor());
        let sizes = [height as f32, width as f32, 0.0, 0.0, height as f32, width as f32];
        let time_ids: &[f32] = if self.model.unet.family() == Family::Sdxl { &sizes } else { &[] };
        let guidance = Guidance { positive, negative, scale: request.cfg, time_ids };
        let (steps, device) = (Steps::karras(self.schedule, request.steps)?, self.model.unet.device());
        let (steps, start) = match &request.init {
            None => (steps, None),
            Some((picture, strength)) => {
                let picture = cover(picture, width as u32, height as u32);
                let latents = (self.vae.encode(&pixels(&picture)?)?.mean * self.vae.scale())?;
                (steps.last_share(*strength), Some(Tensor::from(latents).to_device(device)?))
            }
        };
        (0..request.count)
            .map(|i| {
                let values = Rng::new(request.seed.wrapping_add(i as u64), 0, Purpose::Samples).normals(h * w * 4);
                let noise = Tensor::from_vec(values, (1, h, w, 4), device)?;
                let mut x = kernels::scale(&noise, steps.sigmas[0])?;
                if let Some(start) = &start {
                    x = kernels::add(&x, start)?;
                }
                let (mut stopped, unet) = (false, &self.model.unet);
                let observe = |_, _: &Tensor| {
                    stopped = stop();
                    if stopped { Err(diffusion::Error::Invalid("stopped while drawing".into())) } else { Ok(()) }
                };
                let x = sample(unet, self.schedule, Sampler::DpmPlusPlus2M, &steps, &guidance, x, observe);
                match x {
                    Ok(x) => to_image(&self.vae.decode(&x)?),
                    Err(_) if stopped => Err(Error::StoppedDrawing),
                    Err(error) => Err(error.into()),
                }
            })
            .collect()
    }
}

/// The middle of a picture at a size, its proportions kept.
fn cover(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    let factor =
        f64::max(f64::from(width) / f64::from(picture.width()), f64::from(height) / f64::from(picture.height()));
    let scaled = |side: u32, least: u32| ((f64::from(side) * factor).round() as u32).max(least);
    let (w, h) = (scaled(picture.width(), width), scaled(picture.height(), height));
    let resized = imageops::resize(picture, w, h, imageops::FilterType::Lanczos3);
    imageops::crop_imm(&resized, (w - width) / 2, (h - height) / 2, width, height).to_image()
}

/// `[1, H, W, 3]` in -1..1 as a picture.
fn to_image(x: &Tensor) -> Result<RgbImage> {
    let (_, height, width, _) = x.dims4()?;
    let values = x.to_vec::<f32>()?;
    if !values.iter().all(|v| v.is_finite()) {
        return Err(Error::Invalid("the picture is not finite: the VAE or the concept is damaged".into()));
    }
    let bytes = values.iter().map(|v| ((v.clamp(-1.0, 1.0) + 1.0) * 127.5).round() as u8).collect();
    RgbImage::from_raw(width as u32, height as u32, bytes)
        .ok_or_else(|| Error::Invalid("bug: a picture of the wrong size".into()))
}
