//! Detectors, recognisers and masks from files with bits turned over: an error or an answer, never a panic.

mod runtime;

use std::fs;
use std::path::Path;

use image::RgbImage;
use runtime::{cases, open};
use vision::Result;
use vision::faces::{CenterFace, Face, FaceDetector, FaceEmbedder, Yunet};
use vision::masks::{Salience, Segmenter, TextSegmenter};
use vision::runtime::Device;

/// Copies of `whole` with one to eight bits turned over, the same in every run (xorshift64).
fn damaged(whole: &[u8], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % limit as u64) as usize
    };
    std::iter::repeat_n(whole.to_vec(), count).map(move |mut file| {
        for _ in 0..=below(8) {
            let place = below(file.len());
            file[place] ^= 1 << below(8);
        }
        file
    })
}

fn picture() -> RgbImage {
    RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8 * 6, y as u8 * 8, 90]))
}

/// How many of `count` damaged copies of a file are refused, when opened or when asked.
fn refused(whole: &Path, count: usize, path: &Path, attempt: &dyn Fn() -> Result<()>) -> usize {
    let whole = fs::read(whole).expect("a file");
    damaged(&whole, count)
        .filter(|file| {
            fs::write(path, file).expect("written");
            attempt().is_err()
        })
        .count()
}

#[test]
fn damaged_models_of_faces() {
    open();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.onnx");
    let face = Face {
        x: 0.0,
        y: 0.0,
        width: 30.0,
        height: 30.0,
        score: 1.0,
        landmarks: [[10.0, 10.0], [25.0, 11.0], [17.0, 15.0], [11.0, 22.0], [24.0, 23.0]],
    };
    let yunet = || Yunet::open(&path, Device::Cpu)?.faces(&picture()).map(drop);
    let centerface = || CenterFace::open(&path, Device::Cpu)?.faces(&picture()).map(drop);
    let sface = || FaceEmbedder::open(&path, Device::Cpu)?.embed(&picture(), &face).map(drop);
    let mut errors = refused(&cases().join("yunet/face_detection_yunet_2026may.onnx"), 40, &path, &yunet);
    errors += refused(&cases().join("centerface/centerface.onnx"), 80, &path, &centerface);
    errors += refused(&cases().join("sface/face_recognition_sface_2021dec.onnx"), 40, &path, &sface);
    assert!(errors > 0);
}

#[test]
fn damaged_models_of_masks_and_tokenizers() {
    open();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.onnx");
    let salience = || Salience::open(&path, Device::Cpu)?.mask(&picture()).map(drop);
    let clipseg = || TextSegmenter::open(folder.path(), Device::Cpu)?.mask(&picture(), "a red cup").map(drop);
    let mut errors = refused(&cases().join("u2net/u2netp.onnx"), 40, &path, &salience);
    let tokenizer = folder.path().join("tokenizer.json");
    fs::copy(cases().join("clipseg/tokenizer.json"), &tokenizer).expect("copied");
    errors += refused(&cases().join("clipseg/model.onnx"), 20, &path, &clipseg);
    assert!(errors > 0);
    fs::copy(cases().join("clipseg/model.onnx"), &path).expect("copied");
    assert!(refused(&cases().join("clipseg/tokenizer.json"), 20, &tokenizer, &clipseg) > 0);
}
