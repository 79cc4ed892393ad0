//! Faces in pictures: where they are ([`Yunet`], [`CenterFace`]) and how alike two of them are ([`FaceEmbedder`]).

mod centerface;
mod decoding;
mod freed;
mod overlap;
mod sface;
mod yunet;

use std::borrow::Cow;

use image::RgbImage;

pub use centerface::CenterFace;
pub use sface::{FaceEmbedder, SAME_PERSON, aligned, cosine};
pub use yunet::Yunet;

use crate::error::{Error, Result};
use crate::resample::{ResampleFilter, resize_rgb};
use crate::session::Tensor;

/// One face, in pixels of the picture that was given. Parts of it may lie outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Face {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
    /// How sure the model is, 0 to 1.
    pub score: f32,
    /// Right eye, left eye, nose, right and left corner of the mouth, as the person has them: the right eye is mostly on the left.
    pub landmarks: [[f32; 2]; 5],
}

impl Face {
    /// As a row of `cv2.FaceDetectorYN`: x, y, width, height, five landmarks (x, y), score.
    pub fn row(&self) -> [f32; 15] {
        let mut row = [0.0; 15];
        row[..4].copy_from_slice(&[self.x, self.y, self.width, self.height]);
        row[4..14].copy_from_slice(self.landmarks.as_flattened());
        row[14] = self.score;
        row
    }

    /// The face in a picture whose sides are `x` and `y` times as long.
    fn scaled(mut self, x: f32, y: f32) -> Self {
        (self.x, self.width) = (self.x * x, self.width * x);
        (self.y, self.height) = (self.y * y, self.height * y);
        self.landmarks = self.landmarks.map(|[px, py]| [px * x, py * y]);
        self
    }
}

/// Finds faces.
pub trait FaceDetector: Send {
    /// The faces in `picture`, the surest first; none is an answer, not an error.
    ///
    /// # Errors
    /// When the picture is empty, or the model fails or answers what no such model answers.
    fn faces(&mut self, picture: &RgbImage) -> Result<Vec<Face>>;
}

/// The numbers (0 to 255) of `picture`, channel by channel in the order `channels` of RGB, with black to the right and
/// below up to `width` x `height`: `[1, 3, height, width]`.
fn planes(picture: &RgbImage, width: u32, height: u32, channels: [usize; 3]) -> Tensor {
    let (wide, high) = (width as usize, height as usize);
    let mut values = vec![0.0; 3 * wide * high];
    for (plane, channel) in values.chunks_exact_mut(wide * high).zip(channels) {
        for (row, line) in plane.chunks_exact_mut(wide).zip(picture.rows()) {
            for (value, pixel) in row.iter_mut().zip(line) {
                *value = f32::from(pixel.0[channel]);
            }
        }
    }
    Tensor::f32(&[1, 3, high, wide], values)
}

/// `picture` at `scale` (1 and less), bilinear as in Pillow.
fn shrunk(picture: &RgbImage, scale: f64) -> Cow<'_, RgbImage> {
    let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let (width, height) = (side(picture.width()), side(picture.height()));
    if (width, height) == picture.dimensions() {
        return Cow::Borrowed(picture);
    }
    Cow::Owned(resize_rgb(picture, width, height, ResampleFilter::Bilinear))
}

/// The scale at which `picture` fits into a square of `side` pixels; never above 1.
fn fit(picture: &RgbImage, side: u32) -> f64 {
    (f64::from(side) / f64::from(picture.width().max(picture.height()))).min(1.0)
}

fn not_empty(picture: &RgbImage) -> Result<()> {
    if picture.width() == 0 || picture.height() == 0 {
        return Err(Error::picture("the picture", "it has no pixels"));
    }
    Ok(())
}
