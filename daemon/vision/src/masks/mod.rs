//! What belongs to the subject, as grey pictures: by salience ([`Salience`]) or by words ([`TextSegmenter`]).

mod clipseg;
mod salience;

use image::{GrayImage, RgbImage};

pub use clipseg::{Hard, TextSegmenter};
pub use salience::Salience;

use crate::error::{Error, Result};
use crate::session::Tensor;

/// Mean and deviation of the three channels over ImageNet, on which these models were trained.
const IMAGENET: ([f64; 3], [f64; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

/// Tells the subject from what is around it.
pub trait Segmenter: Send {
    /// A mask of the size of `picture`: 255 is the subject, 0 is not. All 0 when the model sees no difference anywhere.
    ///
    /// # Errors
    /// When the picture is empty, or the model fails or answers what no such model answers.
    fn mask(&mut self, picture: &RgbImage) -> Result<GrayImage>;
}

/// The numbers of `picture` as `(value / most - mean) / deviation`, channel by channel: `[1, 3, height, width]`.
fn normalised(picture: &RgbImage, most: f64, (mean, deviation): ([f64; 3], [f64; 3])) -> Tensor {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut values = Vec::with_capacity(3 * width * height);
    for channel in 0..3 {
        // There are only 256 answers.
        let table: [f32; 256] =
            std::array::from_fn(|value| ((value as f64 / most - mean[channel]) / deviation[channel]) as f32);
        values.extend(picture.pixels().map(|pixel| table[pixel.0[channel] as usize]));
    }
    Tensor::f32(&[1, 3, height, width], values)
}

/// The first map of a tensor whose last two dimensions are height and width: width, height and its numbers.
fn first_map(tensor: &Tensor) -> Option<(u32, u32, &[f32])> {
    let [.., height, width] = tensor.dims.as_slice() else { return None };
    let values = tensor.floats()?.get(..height.checked_mul(*width)?)?;
    let side = |length: usize| u32::try_from(length).ok().filter(|length| (1..=1 << 14).contains(length));
    Some((side(*width)?, side(*height)?, values))
}

fn sigmoid(value: f32) -> f32 {
    1.0 / (1.0 + (-value).exp())
}

fn not_empty(picture: &RgbImage) -> Result<()> {
    if picture.width() == 0 || picture.height() == 0 {
        return Err(Error::picture("the picture", "it has no pixels"));
    }
    Ok(())
}
