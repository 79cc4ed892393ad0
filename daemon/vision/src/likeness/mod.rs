//! How alike two pictures are, and how well a picture shows what a prompt asks for: embeddings and their cosine.

mod clip;
mod dinov2;

use std::path::Path;

use candle_core::Tensor;
use image::{RgbImage, imageops};

use crate::checkpoint::failed;
use crate::error::{Error, Result};
use crate::resample::{ResampleFilter, resize_rgb};

pub use clip::{ClipImage, ClipScorer};
pub use dinov2::Dinov2;

/// Turns a picture into a direction: pictures of alike content point alike ways.
pub trait Embedder: Send {
    /// A vector of length one; always of the same number of values.
    ///
    /// # Errors
    /// When the model fails.
    fn embed(&mut self, picture: &RgbImage) -> Result<Vec<f32>>;
}

/// The cosine of the angle between two vectors: 1 for the same direction, 0 for nothing in common or vectors that can't be
/// compared (of different length, or zero).
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    if a.len() != b.len() {
        return 0.0;
    }
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let norm = (dot(a, a) * dot(b, b)).sqrt();
    if norm > 0.0 { (dot(a, b) / norm).clamp(-1.0, 1.0) as f32 } else { 0.0 }
}

/// The only row of `features`, made one long.
fn unit(features: &Tensor, path: &Path) -> Result<Vec<f32>> {
    let features: Vec<f32> = features.flatten_all().and_then(|all| all.to_vec1()).map_err(failed(path))?;
    let norm = features.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if !norm.is_finite() || norm == 0.0 {
        let reason = "it gave no usable numbers (is the file whole?)".to_owned();
        return Err(Error::Run { path: path.to_owned(), reason });
    }
    Ok(features.iter().map(|value| (f64::from(*value) / norm) as f32).collect())
}

/// Beyond this many times its short side, a long side never reaches the middle of the picture.
const MAX_ASPECT: u32 = 16;

/// The short side resized to `short`, then the middle `crop` x `crop`, as the image processors of transformers do it with
/// Pillow (`shortest_edge` and `center_crop`).
fn middle(picture: &RgbImage, short: u32, crop: u32) -> RgbImage {
    let cut = strip(picture);
    let picture = cut.as_ref().unwrap_or(picture);
    let (width, height) = picture.dimensions();
    let scaled = |long: u32, side: u32| (f64::from(short) * f64::from(long) / f64::from(side.max(1))) as u32;
    let (width, height) = if width <= height { (short, scaled(height, width)) } else { (scaled(width, height), short) };
    let resized = resize_rgb(picture, width, height, ResampleFilter::Bicubic);
    imageops::crop_imm(&resized, width.saturating_sub(crop) / 2, height.saturating_sub(crop) / 2, crop, crop).to_image()
}

/// The middle of a very long picture: resized whole, it would take more memory than there is.
fn strip(picture: &RgbImage) -> Option<RgbImage> {
    let (width, height) = picture.dimensions();
    let (wide, high) = (width.min(height.saturating_mul(MAX_ASPECT)), height.min(width.saturating_mul(MAX_ASPECT)));
    let cut = (wide, high) != (width, height);
    cut.then(|| imageops::crop_imm(picture, (width - wide) / 2, (height - high) / 2, wide, high).to_image())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_direction_has_a_cosine_of_one_whatever_the_length() {
        assert_eq!(cosine(&[3.0, 4.0], &[6.0, 8.0]), 1.0);
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 5.0]), 0.0);
        assert_eq!(cosine(&[1.0, 0.0], &[-2.0, 0.0]), -1.0);
    }

    #[test]
    fn what_cannot_be_compared_has_nothing_in_common() {
        assert_eq!(cosine(&[1.0], &[1.0, 0.0]), 0.0);
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), 0.0);
    }

    #[test]
    fn a_very_long_picture_is_cut_before_it_is_resized() {
        let long = RgbImage::from_fn(1, 30_000, |_, y| image::Rgb([u8::from((14_990..15_010).contains(&y)) * 255; 3]));
        let middle = middle(&long, 224, 224);
        assert_eq!(middle.dimensions(), (224, 224));
        assert!(middle.pixels().all(|pixel| pixel.0 == [255; 3]));
    }
}
