//! Pictures as the UNet sees them, encoded once: the distribution of each picture's latents, upright and mirrored.

use crate::{Result, mode::Mode, plan::Plan, prompts::training_prompt};
use candle_core::{Device, Tensor};
use dataset::{Dataset, Photo};
use diffusion::{Vae, vae::LatentDistribution};
use image::imageops;

/// A picture ready for training.
pub(crate) struct Example {
    upright: LatentDistribution,
    mirrored: Option<LatentDistribution>,
    /// `[1, h, w, 1]`, and its mirror image.
    mask: Option<(Tensor, Tensor)>,
    /// Its prompt, with `<concept>` in it.
    pub prompt: String,
    /// Original height and width, crop top and left, target height and width.
    pub time_ids: [f32; 6],
    pub repeats: usize,
    /// Name for messages.
    pub name: String,
}

impl Example {
    /// (distribution, mask) upright or mirrored.
    pub fn view(&self, flipped: bool) -> (&LatentDistribution, Option<&Tensor>) {
        match (&self.mirrored, flipped) {
            (Some(mirrored), true) => (mirrored, self.mask.as_ref().map(|(_, mirrored)| mirrored)),
            _ => (&self.upright, self.mask.as_ref().map(|(upright, _)| upright)),
        }
    }

    /// Height and width of its latents.
    pub fn size(&self) -> (usize, usize) {
        let dims = self.upright.mean.dims();
        (dims[1], dims[2])
    }
}

/// Encodes every picture. `seen` is called behind each.
pub(crate) fn encode(
    dataset: &Dataset,
    vae: &Vae,
    plan: &Plan,
    name: &str,
    mode: Mode,
    mut seen: impl FnMut() -> Result<()>,
) -> Result<Vec<Example>> {
    let mut examples = Vec::with_capacity(dataset.photos.len());
    for photo in &dataset.photos {
        examples.push(encode_one(photo, vae, plan, training_prompt(photo.caption.as_deref(), name, mode))?);
        seen()?;
    }
    Ok(examples)
}

fn encode_one(photo: &Photo, vae: &Vae, plan: &Plan, prompt: String) -> Result<Example> {
    let upright = vae.encode(&pixels(&photo.image)?)?;
    let mirrored = match plan.random_flip {
        true => Some(vae.encode(&pixels(&imageops::flip_horizontal(&photo.image))?)?),
        false => None,
    };
    let finite = |d: &LatentDistribution| -> Result<bool> {
        Ok(d.mean.flatten_all()?.to_vec1::<f32>()?.iter().all(|x| x.is_finite()))
    };
    if !finite(&upright)? {
        return Err(crate::Error::Invalid(format!(
            "{}: the VAE gives values that are not finite; try another with --vae",
            photo.name
        )));
    }
    let (width, height) = photo.image.dimensions();
    let (original_width, original_height) = photo.original;
    let mask = photo.mask.as_ref().map(|mask| -> Result<(Tensor, Tensor)> {
        let (w, h) = (width / vae.factor() as u32, height / vae.factor() as u32);
        let small = imageops::resize(mask, w, h, imageops::FilterType::Triangle);
        let values = |image: &image::GrayImage| -> Result<Tensor> {
            let values: Vec<f32> = image.as_raw().iter().map(|&b| f32::from(b) / 255.0).collect();
            let values = match plan.recipe.mask_floor {
                Some(floor) => trainer::normalize_mask(&values, floor)?,
                None => values,
            };
            Ok(Tensor::from_vec(values, (1, h as usize, w as usize, 1), &Device::Cpu)?)
        };
        Ok((values(&small)?, values(&imageops::flip_horizontal(&small))?))
    });
    Ok(Example {
        upright,
        mirrored,
        mask: mask.transpose()?,
        prompt,
        time_ids: [
            // At least the target: hosts never send less when they draw.
            original_height.max(height) as f32,
            original_width.max(width) as f32,
            photo.crop.1 as f32,
            photo.crop.0 as f32,
            height as f32,
            width as f32,
        ],
        repeats: photo.repeats.max(1),
        name: photo.name.clone(),
    })
}

/// `[1, H, W, 3]` in -1..1.
pub(crate) fn pixels(image: &image::RgbImage) -> Result<Tensor> {
    let (width, height) = image.dimensions();
    let values: Vec<f32> = image.as_raw().iter().map(|&b| f32::from(b) / 127.5 - 1.0).collect();
    Ok(Tensor::from_vec(values, (1, height as usize, width as usize, 3), &Device::Cpu)?)
}
