//! The three ways in which people prepare pictures for WD14 taggers; each gives slightly other probabilities.

use image::{Rgb, RgbImage, imageops};

use super::area;
use crate::load::Alpha;
use crate::resample::{ResampleFilter, resize_rgb};

/// Whose way of preparing pictures and of reading tags is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manner {
    /// The model author's page (`SmilingWolf/wd-tagger`): white square, then bicubic.
    #[default]
    Space,
    /// kohya's sd-scripts (`tag_images_by_wd14_tagger.py`): white square, then area means or, for small ones, Lanczos.
    Kohya,
    /// ComfyUI-WD14-Tagger: alpha dropped, Lanczos, then centred on a white square.
    Comfy,
}

impl Manner {
    /// What becomes of transparency in this manner.
    pub fn alpha(self) -> Alpha {
        match self {
            Self::Space | Self::Kohya => Alpha::White,
            Self::Comfy => Alpha::Drop,
        }
    }

    /// The picture as a square of `side` pixels.
    pub fn prepare(self, picture: &RgbImage, side: u32) -> RgbImage {
        match self {
            Self::Space => {
                let square = on_white(picture, longest(picture));
                resize_rgb(&square, side, side, ResampleFilter::Bicubic)
            }
            Self::Kohya => {
                let square = on_white(picture, longest(picture));
                if square.width() >= side {
                    area::shrink(&square, side)
                } else {
                    resize_rgb(&square, side, side, ResampleFilter::Lanczos)
                }
            }
            Self::Comfy => {
                let ratio = f64::from(side) / f64::from(longest(picture));
                // Python's `int` cuts off, also where the product falls short of a whole number by its last bit.
                let scaled = |old: u32| ((f64::from(old) * ratio) as u32).clamp(1, side);
                let (width, height) = (scaled(picture.width()), scaled(picture.height()));
                on_white(&resize_rgb(picture, width, height, ResampleFilter::Lanczos), side)
            }
        }
    }
}

fn longest(picture: &RgbImage) -> u32 {
    picture.width().max(picture.height()).max(1)
}

/// A picture in the middle of a white square, half a pixel to the upper left where it can't be exact.
fn on_white(picture: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    if width == side && height == side {
        return picture.clone();
    }
    let mut square = RgbImage::from_pixel(side, side, Rgb([255; 3]));
    imageops::replace(&mut square, picture, i64::from((side - width) / 2), i64::from((side - height) / 2));
    square
}
