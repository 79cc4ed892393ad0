//! Masks against Python (Pillow and ONNX Runtime; transformers) on the tiny models of `tests/captioners`.

mod runtime;

use std::fs;
use std::path::Path;

use image::{GrayImage, RgbImage};
use runtime::{cases, golden, load, open, real};
use serde::Deserialize;
use vision::load::{self as pictures, Alpha};
use vision::masks::{Hard, Salience, Segmenter, TextSegmenter};
use vision::runtime::Device;

fn grey(path: &Path) -> GrayImage {
    image::open(path).expect("a mask").into_luma8()
}

/// The greatest difference between two masks of one size.
fn apart(got: &GrayImage, wanted: &GrayImage) -> u8 {
    assert_eq!(got.dimensions(), wanted.dimensions());
    got.iter().zip(wanted.iter()).map(|(got, wanted)| got.abs_diff(*wanted)).max().unwrap_or(0)
}

#[derive(Deserialize)]
struct SalienceCases {
    cases: Vec<SalienceCase>,
}

#[derive(Deserialize)]
struct SalienceCase {
    model: String,
    image: String,
    mask_png: String,
}

fn masks_are_those_of_rembg_in(root: &Path) {
    let folder = root.join("u2net");
    let expected: SalienceCases = load(&folder.join("expected.json"));
    assert!(expected.cases.iter().any(|case| case.model.starts_with("birefnet")));
    for case in expected.cases {
        let mut model = Salience::open(&folder.join(&case.model), Device::Cpu).expect("a model for masks");
        let picture = golden(root, &folder, &case.image, Alpha::Drop);
        let mask = model.mask(&picture).expect("a mask");
        let levels = apart(&mask, &grey(&folder.join(&case.mask_png)));
        assert!(levels <= 1, "{} {}: {levels}", case.model, case.image);
    }
}

#[test]
fn masks_are_those_of_rembg() {
    open();
    masks_are_those_of_rembg_in(&cases());
}

#[test]
fn masks_are_those_of_rembg_in_other_cases() {
    if let Some(root) = real("CONCEPTD_GOLDEN", "golden cases in the layout of tests/captioners") {
        open();
        masks_are_those_of_rembg_in(&root);
    }
}

#[test]
fn is_net_is_centred_and_its_first_output_counts() {
    open();
    let folder = cases().join("isnet");
    let mut model = Salience::open(&folder.join("isnet-general-use.onnx"), Device::Cpu).expect("an IS-Net");
    for number in 0..2 {
        let picture = pictures::open(&folder.join(format!("picture{number}.png")), Alpha::Drop).expect("a picture");
        let levels = apart(&model.mask(&picture).expect("a mask"), &grey(&folder.join(format!("mask{number}.png"))));
        assert!(levels <= 1, "{number}: {levels}");
    }
}

#[test]
fn odd_pictures_end_in_a_mask_of_their_size_or_in_words() {
    open();
    let folder = cases().join("u2net");
    let mut model = Salience::open(&folder.join("u2netp.onnx"), Device::Cpu).expect("a u2netp");
    for (width, height) in [(1, 1), (3, 900), (900, 2)] {
        for level in [0, 255] {
            let picture = RgbImage::from_pixel(width, height, image::Rgb([level; 3]));
            assert_eq!(model.mask(&picture).expect("a mask").dimensions(), (width, height));
        }
    }
    let error = model.mask(&RgbImage::new(4, 0)).expect_err("an empty picture");
    assert!(error.to_string().contains("no pixels"), "{error}");
}

#[derive(Deserialize)]
struct TextCases {
    cases: Vec<TextCase>,
}

#[derive(Deserialize)]
struct TextCase {
    picture: String,
    text: String,
    ids: Vec<i64>,
    attention: Vec<i64>,
    soft: String,
    hard: String,
    covered: f32,
}

#[test]
fn clipseg_masks_what_transformers_masks() {
    open();
    let folder = cases().join("clipseg");
    let expected: TextCases = load(&folder.join("expected.json"));
    let mut model = TextSegmenter::open(&folder, Device::Cpu).expect("a CLIPSeg");
    for case in &expected.cases {
        let (ids, attention) = model.tokens(&case.text).expect("tokens");
        assert_eq!((&ids, &attention), (&case.ids, &case.attention), "{}", case.text);
        let picture = pictures::open(&folder.join(&case.picture), Alpha::Drop).expect("a picture");
        let soft = model.mask(&picture, &case.text).expect("a mask");
        let levels = apart(&soft, &grey(&folder.join(&case.soft)));
        assert!(levels <= 1, "{}: {levels}", case.text);
        let hard = model.hard_mask(&picture, &case.text, Hard::default()).expect("a mask");
        let wanted = grey(&folder.join(&case.hard));
        let differ = hard.iter().zip(wanted.iter()).filter(|(got, wanted)| got != wanted).count();
        // Eight bits lie between the steps here, floats there: a border may be a pixel off.
        assert!(differ * 100 < hard.len(), "{}: {differ} of {}", case.text, hard.len());
        let all = Hard { threshold: -1.0, ..Hard::default() };
        assert!(model.hard_mask(&picture, &case.text, all).expect("a mask").iter().all(|value| *value == 255));
    }
    // The cases tell something: text and picture change what is masked, and not all or nothing is.
    assert!(expected.cases.iter().filter(|case| (0.05..0.95).contains(&case.covered)).count() >= 3);
    let masks: Vec<Vec<u8>> = expected.cases.iter().map(|case| grey(&folder.join(&case.soft)).into_raw()).collect();
    assert!(masks[0] != masks[2] && masks[1] != masks[3]);
}

#[test]
fn texts_of_any_kind_have_77_tokens() {
    open();
    let model = TextSegmenter::open(&cases().join("clipseg"), Device::Cpu).expect("a CLIPSeg");
    let long = "é".repeat(1 << 20);
    for text in ["", " \n\t", "\0", "<|endoftext|><|startoftext|>", "👩‍🚀\u{301}\u{202e}", &long] {
        let (ids, attention) = model.tokens(text).expect("tokens");
        assert_eq!((ids.len(), attention.len()), (77, 77));
        assert!(attention.is_sorted_by(|a, b| a >= b) && attention[1] == 1);
    }
}

#[test]
fn other_models_and_damaged_ones_are_refused_by_name() {
    open();
    let folder = tempfile::tempdir().expect("a folder");
    let damaged = folder.path().join("model.onnx");
    let tokenizer = folder.path().join("tokenizer.json");
    let clipseg = cases().join("clipseg");
    let refused = |path: &Path, text: &str| {
        let error = Salience::open(path, Device::Cpu).err().expect("no model for masks").to_string();
        assert!(error.contains(text), "{error}");
    };
    refused(&cases().join("yunet").join("face_detection_yunet_2023mar.onnx.missing"), "no such file");
    refused(&clipseg.join("model.onnx"), "another model");
    refused(&cases().join("sface").join("face_recognition_sface_2021dec.onnx"), "another model");
    refused(&cases().join("yunet").join("face_detection_yunet_2023mar.onnx"), "another model");
    let whole = fs::read(cases().join("u2net").join("u2netp.onnx")).expect("a model");
    for part in [0, 7, whole.len() / 2, whole.len() - 1] {
        fs::write(&damaged, &whole[..part]).expect("written");
        refused(&damaged, "model.onnx");
    }
    let text = |expected: &str| {
        let error = TextSegmenter::open(folder.path(), Device::Cpu).err().expect("no CLIPSeg").to_string();
        assert!(error.contains(expected), "{error}");
    };
    fs::copy(cases().join("u2net").join("u2netp.onnx"), &damaged).expect("copied");
    text("input_ids");
    fs::copy(clipseg.join("model.onnx"), &damaged).expect("copied");
    text("tokenizer.json");
    for content in ["", "{}", "[1, 2", "{\"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}}"] {
        fs::write(&tokenizer, content).expect("written");
        text("tokenizer.json");
    }
    fs::copy(clipseg.join("tokenizer.json"), &tokenizer).expect("copied");
    assert!(TextSegmenter::open(folder.path(), Device::Cpu).is_ok());
}
