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
    pub fn new((width, height): (u32, u32), options: &Options) -> Self {
        let target = match options.crop {
            Crop::Center => (options.resolution as u32, options.resolution as u32),
            Crop::Bucket => bucket(width, height, options.resolution as u32),
        };
        // Large enough to cover the target, rounded up.
        let factor = f64::max(f64::from(target.0) / f64::from(width), f64::from(target.1) / f64::from(height));
        let scaled = |side: u32, least: u32| ((f64::from(side) * factor).round() as u32).max(least);
        let resized = (scaled(width, target.0), scaled(height, target.1));
        Self { resized, target, crop: ((resized.0 - target.0) / 2, (resized.1 - target.1) / 2) }
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
    use crate::Limits;

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
        let options = Options { resolution: 64, crop: Crop::Center, limits: Limits::default() };
        let geometry = Geometry::new((200, 100), &options);
        assert_eq!((geometry.resized, geometry.target, geometry.crop), ((128, 64), (64, 64), (32, 0)));
        let small = Geometry::new((10, 30), &options);
        assert_eq!((small.resized, small.crop), ((64, 192), (0, 64)));
    }
}
