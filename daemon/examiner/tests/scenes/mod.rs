//! Pictures for tests: something like photographs, and drawings of flat colours.
#![allow(dead_code)]

use dataset::{Crop, Photo};
use examiner::{Examiner, PictureRecord, Seen, Settings, SharedWord};
use image::{ImageFormat, Rgb, RgbImage, codecs::jpeg::JpegEncoder};
use protocol::{DatasetReport, FindingCode, Mode};

/// A number between 0 and 1 that depends on all of these.
fn random(seed: u32, x: i32, y: i32) -> f32 {
    let mut value =
        seed.wrapping_mul(0x9e37_79b9) ^ (x as u32).wrapping_mul(0x85eb_ca6b) ^ (y as u32).wrapping_mul(0xc2b2_ae35);
    value = (value ^ (value >> 15)).wrapping_mul(0x2c1b_3c6d);
    value = (value ^ (value >> 12)).wrapping_mul(0x297a_2d39);
    ((value ^ (value >> 15)) >> 8) as f32 / (1 << 24) as f32
}

/// Random hills of about `size` pixels.
fn hills(seed: u32, x: f32, y: f32, size: f32) -> f32 {
    let (x, y) = (x / size, y / size);
    let (x0, y0) = (x.floor() as i32, y.floor() as i32);
    let smooth = |part: f32| part * part * (3.0 - 2.0 * part);
    let (fx, fy) = (smooth(x.fract()), smooth(y.fract()));
    let row = |y: i32| random(seed, x0, y) * (1.0 - fx) + random(seed, x0 + 1, y) * fx;
    row(y0) * (1.0 - fy) + row(y0 + 1) * fy
}

/// Something like a photograph: hills of all sizes with a few hard edges, noise, and light that differs from place to place.
pub fn photograph(seed: u32, width: u32, height: u32) -> RgbImage {
    let tint = [0, 1, 2].map(|c| 0.55 + 0.45 * random(seed + 900, c, 0));
    let side = width.min(height) as f32;
    RgbImage::from_fn(width, height, |px, py| {
        let (x, y) = (px as f32, py as f32);
        let mut level = 0.0;
        for (octave, size) in [0.61, 0.23, 0.083, 0.029].into_iter().enumerate() {
            level += hills(seed + octave as u32, x, y, (side * size).max(3.0)) * 0.5f32.powi(octave as i32);
        }
        // A fence of hard edges over a quarter of it, where the hills are high.
        if hills(seed + 50, x, y, side * 0.37) > 0.6 {
            level += if hills(seed + 51, x, y, side * 0.11) > 0.5 { 0.45 } else { -0.25 };
        }
        let noise = random(seed + 77, px as i32, py as i32) - 0.5;
        let hue = hills(seed + 60, x, y, side * 0.43);
        Rgb([0, 1, 2].map(|c| {
            let color = tint[c] * (1.0 - 0.5 * hue * (c == 2) as u8 as f32);
            (20.0 + 105.0 * level * color + 4.0 * noise).clamp(0.0, 245.0) as u8
        }))
    })
}

/// Smooth waves with a little noise, in which blocks show.
pub fn waves(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |px, py| {
        let (x, y) = (px as f32, py as f32);
        let level = 120.0 + 50.0 * (x / 23.0).sin() + 40.0 * (y / 19.0).cos() + 10.0 * ((x + 2.0 * y) / 7.0).sin();
        let noise = 12.0 * (random(5, px as i32, py as i32) - 0.5);
        Rgb([1.0, 0.9, 0.8].map(|color| ((level + noise) * color) as u8))
    })
}

/// A drawing of flat colours: a creature on a striped ground.
pub fn drawing(seed: u32, side: u32) -> RgbImage {
    let color = |i: i32| Rgb([0, 1, 2].map(|c| (30.0 + 200.0 * random(seed, i, c)) as u8));
    let (x0, y0) = (0.3 + 0.4 * random(seed, 8, 8), 0.3 + 0.4 * random(seed, 9, 9));
    RgbImage::from_fn(side, side, |px, py| {
        let (x, y) = (px as f32 / side as f32 - x0, py as f32 / side as f32 - y0);
        match (x * x + y * y).sqrt() {
            near if near < 0.07 => color(1),
            near if near < 0.2 => color(2),
            _ => color(3 + (py * 7 / side) as i32 % 2),
        }
    })
}

pub fn jpeg(picture: &RgbImage, quality: u8) -> RgbImage {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(picture).expect("encoded");
    image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).expect("decoded").to_rgb8()
}

pub fn brightened(picture: &RgbImage, factor: f32) -> RgbImage {
    let mut picture = picture.clone();
    picture.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|value| (f32::from(value) * factor).min(255.0) as u8));
    picture
}

pub fn photo(name: &str, image: RgbImage) -> Photo {
    let original = image.dimensions();
    let caption = Some("a caption".to_owned());
    Photo {
        name: name.to_owned(),
        image,
        mask: None,
        transparent: false,
        caption,
        repeats: 1,
        original,
        crop: (0, 0),
        digest: [0; 32],
    }
}

pub fn examiner(mode: Mode, resolution: u32) -> Examiner {
    Examiner::new(Settings { mode, resolution, crop: Crop::Center })
}

/// The report of pictures that no model has seen.
pub fn report(mode: Mode, resolution: u32, pictures: &[(&str, RgbImage)]) -> DatasetReport {
    let examiner = examiner(mode, resolution);
    let look = |(name, image): &(&str, RgbImage)| examiner.look(&photo(name, image.clone()), &Seen::default());
    examiner.report(pictures.iter().map(look).collect(), &[])
}

/// The codes of what is found about a picture.
pub fn codes(mode: Mode, resolution: u32, image: RgbImage) -> Vec<FindingCode> {
    report(mode, resolution, &[("a.png", image)]).pictures[0].findings.clone()
}

/// The report of good pictures of which each was seen in some way.
pub fn report_of(mode: Mode, records: Vec<PictureRecord>, words: &[SharedWord]) -> DatasetReport {
    examiner(mode, 512).report(records, words)
}

pub fn has(report: &DatasetReport, code: FindingCode) -> bool {
    report.findings.iter().any(|finding| finding.code == code)
}

/// The pictures of each finding of a code.
pub fn about(report: &DatasetReport, code: FindingCode) -> Vec<Vec<&str>> {
    let of_code = report.findings.iter().filter(|finding| finding.code == code);
    of_code.map(|finding| finding.pictures.iter().map(String::as_str).collect()).collect()
}
