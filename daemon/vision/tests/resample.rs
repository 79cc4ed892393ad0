//! Our resampling against Pillow's and OpenCV's, by digests of `tests/captioners/make_resample.py`.

mod runtime;

use image::{GrayImage, RgbImage};
use runtime::{cases, load};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use vision::resample::{ResampleFilter, resize_gray, resize_rgb};
use vision::wd14::Manner;

/// Old width and height, new width and height, channels, whether black and white, filter, digest.
type Resized = (u32, u32, u32, u32, usize, bool, String, String);

#[derive(Deserialize)]
struct Cases {
    pillow: Vec<Resized>,
    /// Old side, new side, whether black and white, digest.
    area: Vec<(u32, u32, bool, String)>,
}

/// The picture that the script draws.
fn drawn(width: u32, height: u32, channels: usize, hard: bool) -> Vec<u8> {
    let mut state = 12_345_u64;
    let mut value = || {
        state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
        let value = (state >> 16) as u8;
        match (hard, value > 127) {
            (false, _) => value,
            (true, bright) => u8::from(bright) * 255,
        }
    };
    (0..(width * height) as usize * channels).map(|_| value()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_filter_is_pillows_to_the_bit() {
    let all: Cases = load(&cases().join("resample/expected.json"));
    for (width, height, to_width, to_height, channels, hard, name, digest) in all.pillow {
        let filter = match name.as_str() {
            "box" => ResampleFilter::Box,
            "bilinear" => ResampleFilter::Bilinear,
            "bicubic" => ResampleFilter::Bicubic,
            "lanczos" => ResampleFilter::Lanczos,
            other => panic!("{other} is no filter"),
        };
        let pixels = drawn(width, height, channels, hard);
        let new = if channels == 1 {
            let picture = GrayImage::from_raw(width, height, pixels).expect("a picture");
            resize_gray(&picture, to_width, to_height, filter).into_raw()
        } else {
            let picture = RgbImage::from_raw(width, height, pixels).expect("a picture");
            resize_rgb(&picture, to_width, to_height, filter).into_raw()
        };
        assert_eq!(
            sha256(&new),
            digest,
            "{width}x{height} to {to_width}x{to_height}, {channels}, {name}, hard: {hard}"
        );
    }
}

#[test]
fn squares_that_shrink_in_kohyas_manner_are_opencvs_to_the_bit() {
    let all: Cases = load(&cases().join("resample/expected.json"));
    for (side, to, hard, digest) in all.area {
        let picture = RgbImage::from_raw(side, side, drawn(side, side, 3, hard)).expect("a picture");
        let small = Manner::Kohya.prepare(&picture, to);
        assert_eq!(sha256(small.as_raw()), digest, "{side} to {to}, hard: {hard}");
    }
}

#[test]
fn a_large_picture_does_not_take_long() {
    let picture = RgbImage::from_raw(4000, 3000, vec![127; 36_000_000]).expect("a picture");
    let start = std::time::Instant::now();
    let small = resize_rgb(&picture, 448, 448, ResampleFilter::Bicubic);
    let took = start.elapsed();
    assert!(small.pixels().all(|pixel| pixel.0 == [127; 3]));
    println!("12 megapixels in {} ms", took.as_millis());
    // A tenth of a second on an idle machine; loaded ones must pass too.
    assert!(took.as_secs_f64() < 5.0, "{took:?}");
}
