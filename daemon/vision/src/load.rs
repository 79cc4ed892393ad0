//! Pictures from files as models expect them: upright, eight bits, RGB, alpha gone the way that the model's authors let it go.

use std::io;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits, Rgb, RgbImage, RgbaImage};

use crate::error::{Error, Result};

/// What becomes of transparency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpha {
    /// The picture is laid over white, as Pillow's `alpha_composite` and `paste` do it.
    White,
    /// Alpha is left out, whatever colours it hid.
    Drop,
}

/// No picture of more pixels along a side, and no decoder that asks for more memory (bytes).
const MAX_SIDE: u32 = 32_768;
const MAX_MEMORY: u64 = 1 << 30;

/// Opens a picture: turned upright as its EXIF data says, converted to eight bits and RGB.
///
/// # Errors
/// When the file can't be read, is no picture of a known format, or is too large.
pub fn open(path: &Path, alpha: Alpha) -> Result<RgbImage> {
    let name = path.display().to_string();
    let unreadable = |error: io::Error| Error::picture(&name, format!("it can't be read ({error})"));
    let broken = |error: image::ImageError| Error::picture(&name, format!("it can't be decoded ({error})"));
    let mut reader = ImageReader::open(path).and_then(|reader| reader.with_guessed_format()).map_err(unreadable)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    // A picture whose EXIF data is damaged is shown as it lies.
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    picture.apply_orientation(orientation);
    Ok(flatten(picture, alpha))
}

/// A decoded picture in eight bits and RGB.
pub fn flatten(picture: DynamicImage, alpha: Alpha) -> RgbImage {
    if picture.color().has_alpha() && alpha == Alpha::White {
        over_white(&picture.into_rgba8())
    } else {
        picture.into_rgb8()
    }
}

fn over_white(picture: &RgbaImage) -> RgbImage {
    let mut flat = RgbImage::new(picture.width(), picture.height());
    for (new, old) in flat.pixels_mut().zip(picture.pixels()) {
        let [r, g, b, a] = old.0.map(u32::from);
        *new = Rgb([blend(r, a), blend(g, a), blend(b, a)]);
    }
    flat
}

/// `value` over white, divided by 255 as Pillow's `Paste.c` does it; `AlphaComposite.c` gives the same for all values.
fn blend(value: u32, alpha: u32) -> u8 {
    let sum = value * alpha + 255 * (255 - alpha) + 128;
    (((sum >> 8) + sum) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_turned_upright() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/captioners/images/exif6_240x160.jpg");
        let upright = open(&path, Alpha::Drop).expect("a picture");
        // Orientation 6: the camera was held a quarter turn to the left.
        let lying = image::open(&path).expect("a picture").into_rgb8();
        assert_eq!((lying.dimensions(), upright.dimensions()), ((240, 160), (160, 240)));
        assert_eq!(upright, image::imageops::rotate90(&lying));
    }

    #[test]
    fn alpha_shows_white_or_is_left_out() {
        let pixel =
            |value, alpha| DynamicImage::ImageRgba8(RgbaImage::from_pixel(1, 1, image::Rgba([value, 0, 9, alpha])));
        assert_eq!(flatten(pixel(40, 0), Alpha::White).as_raw(), &[255, 255, 255]);
        assert_eq!(flatten(pixel(40, 255), Alpha::White).as_raw(), &[40, 0, 9]);
        assert_eq!(flatten(pixel(40, 128), Alpha::White).as_raw(), &[147, 127, 132]);
        assert_eq!(flatten(pixel(40, 0), Alpha::Drop).as_raw(), &[40, 0, 9]);
    }

    #[test]
    fn what_is_no_picture_is_an_error_that_names_it() {
        let error =
            open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"), Alpha::Drop).expect_err("no picture");
        assert!(matches!(&error, Error::Picture { picture, .. } if picture.ends_with("Cargo.toml")), "{error}");
    }
}
