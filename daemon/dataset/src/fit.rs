//! From a picture of any size to a training picture.

use crate::{Crop, Options};
use image::{
    GrayImage, RgbImage,
    imageops::{self, FilterType},
};

/// Where a picture of one size goes.
pub(crate) struct Geometry {
    resized: (u32, u32),
    target: (u32, u32),
    /// Left and top in the resized picture.
    pub crop: (u32, u32),
}

impl Geometry {
    /// `focus` is where the subject is: left, top, right, bottom, 0 to 1; the crop has it inside if that is possible.
    pub fn new(size: (u32, u32), options: &Options, focus: Option<[f32; 4]>) -> Self {
        let target = training_size(size, options.resolution as u32, options.crop);
        // Large enough to cover the target, rounded up.
        let factor = f64::max(f64::from(target.0) / f64::from(size.0), f64::from(target.1) / f64::from(size.1));
        let scaled = |side: u32, least: u32| ((f64::from(side) * factor).round() as u32).max(least);
        let resized = (scaled(size.0, target.0), scaled(size.1, target.1));
        Self { resized, target, crop: place(resized, target, focus) }
    }

    pub fn picture(&self, picture: &RgbImage) -> RgbImage {
        let resized = imageops::resize(picture, self.resized.0, self.resized.1, FilterType::Lanczos3);
        imageops::crop_imm(&resized, self.crop.0, self.crop.1, self.target.0, self.target.1).to_image()
    }

    pub fn mask(&self, mask: &GrayImage) -> GrayImage {
        let resized = imageops::resize(mask, self.resized.0, self.resized.1, FilterType::Triangle);
        imageops::crop_imm(&resized, self.crop.0, self.crop.1, self.target.0, self.target.1).to_image()
    }
}

/// A part of a picture, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Of its left side.
    pub x: u32,
    /// Of its top.
    pub y: u32,
    /// At least 1.
    pub width: u32,
    /// At least 1.
    pub height: u32,
}

/// Sides of the training picture that a picture becomes, in pixels.
pub fn training_size((width, height): (u32, u32), resolution: u32, crop: Crop) -> (u32, u32) {
    match crop {
        Crop::Center => (resolution, resolution),
        Crop::Bucket => bucket(width, height, resolution),
    }
}

/// The largest part of a picture with the proportions of `target` that has `focus` inside (left, top, right, bottom; 0 to 1
/// of the sides), as close to the middle as that allows. Of a focus that does not fit, the middle is in the middle; one
/// that is not a box within the picture does not count. This is what [`crate::scan`] cuts out before it resizes.
pub fn crop_window(size: (u32, u32), target: (u32, u32), focus: Option<[f32; 4]>) -> Window {
    let (width, height) = (size.0.max(1), size.1.max(1));
    let (across, down) = (f64::from(target.0.max(1)), f64::from(target.1.max(1)));
    let factor = f64::min(f64::from(width) / across, f64::from(height) / down);
    let side = |wanted: f64, most: u32| ((wanted * factor).round() as u32).clamp(1, most);
    let window = (side(across, width), side(down, height));
    let (x, y) = place((width, height), window, focus);
    Window { x, y, width: window.0, height: window.1 }
}

/// Left and top of a window within a picture that is not smaller.
fn place(size: (u32, u32), window: (u32, u32), focus: Option<[f32; 4]>) -> (u32, u32) {
    let focus = focus.filter(|sides| sides.iter().all(|side| side.is_finite()));
    let focus = focus.map(|sides| sides.map(|side| side.clamp(0.0, 1.0)));
    match focus.filter(|[left, top, right, bottom]| left < right && top < bottom) {
        Some([left, top, right, bottom]) => {
            (slide(size.0, window.0, left, right), slide(size.1, window.1, top, bottom))
        }
        None => ((size.0 - window.0) / 2, (size.1 - window.1) / 2),
    }
}

/// Where a window begins along one side: in the middle, or moved just so far that `from..to` (0 to 1) is inside.
fn slide(side: u32, window: u32, from: f32, to: f32) -> u32 {
    let free = side - window;
    let at = |part: f32| f64::from(part) * f64::from(side);
    let (first, last) = (at(to).ceil() - f64::from(window), at(from).floor());
    let start = match first <= last {
        true => f64::from(free / 2).clamp(first, last),
        false => ((at(from) + at(to) - f64::from(window)) / 2.0).round(),
    };
    start.clamp(0.0, f64::from(free)) as u32
}

/// The sides, multiples of 64, of at most the square's area and between 1:2 and 2:1, nearest to the picture's proportions.
fn bucket(width: u32, height: u32, resolution: u32) -> (u32, u32) {
    const STEP: u32 = 64;
    let wanted = (f64::from(width) / f64::from(height)).ln();
    let area = resolution * resolution;
    let mut best = (resolution, resolution);
    let distance = |(w, h): (u32, u32)| (f64::from(w) / f64::from(h)).ln() - wanted;
    for w in (STEP..=2 * resolution).step_by(STEP as usize) {
        let h = area / w / STEP * STEP;
        let fits = h >= STEP && w <= 2 * h && h <= 2 * w;
        if fits && distance((w, h)).abs() < distance(best).abs() - 1e-9 {
            best = (w, h);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_keep_area_and_proportions() {
        assert_eq!(bucket(1000, 1000, 1024), (1024, 1024));
        assert_eq!(bucket(1920, 1080, 1024), (1344, 768));
        assert_eq!(bucket(1080, 1920, 1024), (768, 1344));
        let (w, h) = bucket(9000, 100, 512);
        assert!(w <= 2 * h && w * h <= 512 * 512);
    }

    #[test]
    fn the_middle_is_cropped() {
        let options = Options::new(64, Crop::Center);
        let geometry = Geometry::new((200, 100), &options, None);
        assert_eq!((geometry.resized, geometry.target, geometry.crop), ((128, 64), (64, 64), (32, 0)));
        let small = Geometry::new((10, 30), &options, None);
        assert_eq!((small.resized, small.crop), ((64, 192), (0, 64)));
    }

    #[test]
    fn a_crop_moves_only_as_far_as_its_subject_asks() {
        let at = |focus| crop_window((300, 100), (64, 64), focus).x;
        assert_eq!(at(None), 100);
        assert_eq!(at(Some([0.4, 0.0, 0.6, 1.0])), 100, "inside already");
        assert_eq!(at(Some([0.1, 0.0, 0.3, 1.0])), 30, "its left side");
        assert_eq!(at(Some([0.7, 0.2, 0.9, 0.4])), 170, "its right side");
        assert_eq!(at(Some([0.0, 0.0, 0.5, 1.0])), 25, "too wide: its middle");
        for odd in [[0.9, 0.0, 0.1, 1.0], [f32::NAN, 0.0, 0.1, 1.0], [0.2, 0.5, 0.2, 0.5]] {
            assert_eq!(at(Some(odd)), 100, "no box: {odd:?}");
        }
        assert_eq!(at(Some([-3.0, -1.0, 0.2, 9.0])), 0, "beyond the picture");
        let tall = crop_window((100, 300), (64, 128), Some([0.0, 0.8, 1.0, 1.0]));
        assert_eq!(tall, Window { x: 0, y: 100, width: 100, height: 200 });
    }

    #[test]
    fn training_cuts_out_what_the_window_says() {
        for (size, focus) in [((640, 360), [0.05, 0.1, 0.3, 0.9]), ((333, 1000), [0.1, 0.8, 0.9, 0.95])] {
            for crop in [Crop::Center, Crop::Bucket] {
                let geometry = Geometry::new(size, &Options::new(512, crop), Some(focus));
                let window = crop_window(size, geometry.target, Some(focus));
                let factor = f64::from(geometry.resized.0) / f64::from(size.0);
                for (in_picture, resized) in [(window.x, geometry.crop.0), (window.y, geometry.crop.1)] {
                    let apart = (f64::from(in_picture) * factor - f64::from(resized)).abs();
                    assert!(apart <= 2.0 * factor.max(1.0), "{size:?} {crop:?}: {apart}");
                }
            }
        }
    }
}
