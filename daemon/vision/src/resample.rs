//! Pillow's resampling of 8-bit pictures, to the bit: models were trained on it, and others differ at hard edges.
//!
//! As in Pillow 12 (`Resample.c`): a horizontal pass, then a vertical one, each with coefficients in fixed point of 22
//! bits and a clamp to 8 bits after it. (Pillow 13 chooses the order of the passes by size.)

use std::borrow::Cow;
use std::f64::consts::PI;

use image::{GrayImage, ImageBuffer, Pixel, RgbImage};

/// What weighs the pixels around a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResampleFilter {
    /// The mean of the pixels that a new one covers (Pillow's BOX).
    Box,
    /// A triangle (BILINEAR).
    Bilinear,
    /// Keys' cubic with a = -0.5 (BICUBIC).
    Bicubic,
    /// A sinc windowed by a sinc, three lobes (LANCZOS).
    Lanczos,
}

impl ResampleFilter {
    /// How far the filter reaches, in pixels of the smaller picture.
    fn support(self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let distance = x.abs();
        match self {
            Self::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Self::Bilinear => (1.0 - distance).max(0.0),
            // Pillow's own order of operations, since the last bit counts.
            Self::Bicubic if distance < 1.0 => ((-0.5 + 2.0) * distance - (-0.5 + 3.0)) * distance * distance + 1.0,
            Self::Bicubic if distance < 2.0 => (((distance - 5.0) * distance + 8.0) * distance - 4.0) * -0.5,
            Self::Bicubic => 0.0,
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * PI;
    x.sin() / x
}

/// A picture of `width` x `height`, as `Image.resize` of Pillow makes it of an RGB one.
pub fn resize_rgb(picture: &RgbImage, width: u32, height: u32, filter: ResampleFilter) -> RgbImage {
    resize::<_, 3>(picture, width, height, filter)
}

/// A picture of `width` x `height`, as `Image.resize` of Pillow makes it of a grey (L) one.
pub fn resize_gray(picture: &GrayImage, width: u32, height: u32, filter: ResampleFilter) -> GrayImage {
    resize::<_, 1>(picture, width, height, filter)
}

fn resize<P, const N: usize>(
    picture: &ImageBuffer<P, Vec<u8>>,
    width: u32,
    height: u32,
    filter: ResampleFilter,
) -> ImageBuffer<P, Vec<u8>>
where
    P: Pixel<Subpixel = u8>,
{
    let (old_width, old_height) = picture.dimensions();
    if old_width == 0 || old_height == 0 || width == 0 || height == 0 {
        return ImageBuffer::new(width, height);
    }
    let mut pixels = Cow::Borrowed(picture.as_raw());
    if width != old_width {
        pixels = Cow::Owned(across::<N>(&pixels, old_width as usize, &taps(old_width, width, filter)));
    }
    if height != old_height {
        pixels = Cow::Owned(down(&pixels, width as usize * N, &taps(old_height, height, filter)));
    }
    ImageBuffer::from_raw(width, height, pixels.into_owned()).expect("bug: the passes give width x height pixels")
}

/// The pixels that one new pixel is made of: from where, and their weights in fixed point.
struct Taps {
    start: usize,
    weights: Vec<i32>,
}

/// Binary places of a weight: 32, less 8 for the value and 2 for weights beyond one.
const PRECISION: u32 = 32 - 8 - 2;

/// `precompute_coeffs` and `normalize_coeffs_8bpc` of Pillow.
fn taps(from: u32, to: u32, filter: ResampleFilter) -> Vec<Taps> {
    let scale = f64::from(from) / f64::from(to);
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    let inverse = 1.0 / stretch;
    (0..to)
        .map(|index| {
            let center = (f64::from(index) + 0.5) * scale;
            // Casts truncate, as in C, and stop at zero where C clamps afterwards.
            let start = (center - support + 0.5) as u32;
            let end = ((center + support + 0.5) as u32).min(from);
            let weights: Vec<f64> =
                (start..end).map(|x| filter.weight((f64::from(x) - center + 0.5) * inverse)).collect();
            let sum: f64 = weights.iter().sum();
            let norm = |weight: f64| if sum == 0.0 { weight } else { weight / sum };
            Taps { start: start as usize, weights: weights.iter().map(|weight| fixed(norm(*weight))).collect() }
        })
        .collect()
}

fn fixed(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << PRECISION);
    if weight < 0.0 { (scaled - 0.5) as i32 } else { (scaled + 0.5) as i32 }
}

const HALF: i32 = 1 << (PRECISION - 1);

fn clamp(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// The horizontal pass over rows of `width` pixels of N values.
fn across<const N: usize>(pixels: &[u8], width: usize, taps: &[Taps]) -> Vec<u8> {
    let mut new = Vec::with_capacity(pixels.len() / width * taps.len());
    for row in pixels.chunks_exact(width * N) {
        for tap in taps {
            let mut sums = [HALF; N];
            let (around, _) = row[tap.start * N..].as_chunks::<N>();
            for (pixel, weight) in around.iter().zip(&tap.weights) {
                for channel in 0..N {
                    sums[channel] += i32::from(pixel[channel]) * weight;
                }
            }
            new.extend(sums.map(clamp));
        }
    }
    new
}

/// The vertical pass over rows of `stride` values.
fn down(pixels: &[u8], stride: usize, taps: &[Taps]) -> Vec<u8> {
    let mut new = Vec::with_capacity(stride * taps.len());
    let mut sums = vec![HALF; stride];
    for tap in taps {
        sums.fill(HALF);
        let rows = pixels[tap.start * stride..].chunks_exact(stride);
        for (row, weight) in rows.zip(&tap.weights) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += i32::from(*value) * weight;
            }
        }
        new.extend(sums.iter().map(|sum| clamp(*sum)));
    }
    new
}
