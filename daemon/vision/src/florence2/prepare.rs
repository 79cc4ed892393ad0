//! Pictures as Florence-2 was trained on them: squashed to a square, RGB, ImageNet's mean and deviation taken out.

use image::RgbImage;

use crate::resample::{ResampleFilter, resize_rgb};

const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f64; 3] = [0.229, 0.224, 0.225];

/// `pixel_values` of one picture, `[3, side, side]` (the repository's `preprocessor_config.json`).
pub(super) fn pixels(picture: &RgbImage, side: u32) -> Vec<f32> {
    let square = resize_rgb(picture, side, side, ResampleFilter::Bicubic);
    let mut values = Vec::with_capacity(3 * square.as_raw().len());
    for channel in 0..3 {
        let normal: [f32; 256] =
            std::array::from_fn(|level| ((level as f64 / 255.0 - MEAN[channel]) / DEVIATION[channel]) as f32);
        values.extend(square.pixels().map(|pixel| normal[usize::from(pixel.0[channel])]));
    }
    values
}
