//! From bytes to upright sRGB pixels. Sizes are checked in the header, before anything is decoded.

use crate::Limits;
use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, Limits as DecoderLimits, RgbImage, RgbaImage,
};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use std::io::Cursor;

/// Longer sides than this, in short ones, are refused.
const STRIP: u32 = 20;

/// Upright sRGB pixels.
pub(crate) struct Decoded {
    pub image: RgbImage,
    /// Whether something was transparent, which is white now.
    pub transparent: bool,
}

/// Decodes a picture, of an animation the first; the error says why not, and what to do.
pub(crate) fn picture(bytes: &[u8], limits: &Limits, note: &mut dyn FnMut(&str)) -> Result<Decoded, String> {
    let (image, profile) = open(bytes, limits)?;
    let Decoded { image: mut pixels, transparent } = over_white(&image);
    if let Some(profile) = profile
        && let Err(reason) = to_srgb(&mut pixels, &profile)
    {
        note(&format!("its colour profile is not used ({reason}); taken as sRGB"));
    }
    Ok(Decoded { image: pixels, transparent })
}

/// Decodes a mask: white counts.
pub(crate) fn mask(bytes: &[u8], limits: &Limits) -> Result<GrayImage, String> {
    Ok(open(bytes, limits)?.0.to_luma8())
}

/// A picture and its colour profile.
type Opened = (DynamicImage, Option<Vec<u8>>);

fn open(bytes: &[u8], limits: &Limits) -> Result<Opened, String> {
    check_file(bytes, limits)?;
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    if reader.format() == Some(ImageFormat::Jpeg) && jpeg_is_cut(bytes) {
        return Err("the file ends in the middle of the picture; copy or download it again".into());
    }
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    prepare(&mut decoder, limits)?;
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten();
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    image.apply_orientation(orientation);
    Ok((image, profile))
}

pub(crate) fn damaged(error: image::ImageError) -> String {
    format!("it cannot be decoded ({error}); save it again as PNG or JPEG")
}

/// Refuses files that are empty or too large.
pub(crate) fn check_file(bytes: &[u8], limits: &Limits) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("the file is empty; copy it again".into());
    }
    if bytes.len() as u64 > limits.file_bytes {
        return Err(format!("the file is larger than {} MiB; save it smaller", limits.file_bytes >> 20));
    }
    Ok(())
}

/// Checks what the header says before anything is decoded, and bounds the decoder's memory.
pub(crate) fn prepare(decoder: &mut impl ImageDecoder, limits: &Limits) -> Result<(), String> {
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.pixels {
        return Err(format!(
            "{width} x {height} pixels are more than {} million; save it smaller",
            limits.pixels / 1_000_000
        ));
    }
    if width < 8 || height < 8 {
        return Err(format!("{width} x {height} pixels are too few"));
    }
    // Enlarged until its short side fits, a strip would fill any memory.
    if width.max(height) / width.min(height) >= STRIP {
        return Err(format!("{width} x {height} pixels are a strip; cut out the part that matters"));
    }
    let mut memory = DecoderLimits::default();
    memory.max_alloc = Some(limits.pixels.saturating_mul(16));
    decoder.set_limits(memory).map_err(damaged)
}

/// Whether a JPEG ends before its end mark. Decoders fill what is missing with grey, which would be learnt.
fn jpeg_is_cut(bytes: &[u8]) -> bool {
    // Segments and scans are followed from the front: thumbnails before the picture and films behind it have marks too.
    let mut at = 2;
    while let Some(offset) = bytes.get(at..).and_then(|rest| rest.windows(2).position(is_mark)) {
        at += offset;
        match bytes[at + 1] {
            END => return false,
            _ => match bytes.get(at + 2..at + 4) {
                Some(length) => at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => return true,
            },
        }
    }
    true
}

const END: u8 = 0xd9;

/// Not a stuffed byte, a restart or padding, which stand inside of compressed data.
fn is_mark(pair: &[u8]) -> bool {
    pair[0] == 0xff && !matches!(pair[1], 0 | 0x01 | 0xd0..=0xd7 | 0xff)
}

/// Transparency over white, in 8 bits.
fn over_white(image: &DynamicImage) -> Decoded {
    match image.color().has_alpha() {
        true => flat(&image.to_rgba8()),
        false => Decoded { image: image.to_rgb8(), transparent: false },
    }
}

/// Transparency over white.
pub(crate) fn flat(rgba: &RgbaImage) -> Decoded {
    let mut image = RgbImage::new(rgba.width(), rgba.height());
    let mut transparent = false;
    for (to, from) in image.pixels_mut().zip(rgba.pixels()) {
        let alpha = u32::from(from[3]);
        transparent |= alpha < 255;
        for c in 0..3 {
            to[c] = ((u32::from(from[c]) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        }
    }
    Decoded { image, transparent }
}

fn to_srgb(pixels: &mut RgbImage, profile: &[u8]) -> Result<(), String> {
    let profile = ColorProfile::new_from_slice(profile).map_err(|error| format!("{error:?}"))?;
    match profile.color_space {
        DataColorSpace::Rgb => {}
        // The decoder has made grey and print colours into RGB already.
        DataColorSpace::Gray => return Ok(()),
        other => return Err(format!("it describes {other:?} colours")),
    }
    let srgb = ColorProfile::new_srgb();
    let transform = profile.create_transform_8bit(Layout::Rgb, &srgb, Layout::Rgb, TransformOptions::default());
    let transform = transform.map_err(|error| format!("{error:?}"))?;
    let source = pixels.as_raw().clone();
    transform.transform(&source, pixels).map_err(|error| format!("{error:?}"))
}
