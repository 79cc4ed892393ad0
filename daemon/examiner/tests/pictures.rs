//! What is found about single pictures.

mod scenes;

use examiner::{FaceBox, Seen};
use image::{GrayImage, Luma, Rgb, RgbImage, imageops};
use protocol::{DatasetReport, FindingCode, Mode, Severity, SubjectSource};
use scenes::{brightened, codes, drawing, examiner, has, jpeg, photo, photograph, waves};

#[test]
fn a_good_picture_is_not_complained_about() {
    for seed in 0..3 {
        assert_eq!(codes(Mode::Object, 512, photograph(seed, 900, 800)), [], "photograph {seed}");
        assert_eq!(codes(Mode::Style, 512, drawing(seed, 800)), [], "drawing {seed}");
        assert_eq!(codes(Mode::Style, 128, drawing(seed, 128)), [], "small drawing {seed}");
    }
}

#[test]
fn each_fault_has_its_code() {
    let sharp = photograph(3, 800, 800);
    let grey = imageops::grayscale(&sharp);
    let grey = RgbImage::from_fn(800, 800, |x, y| Rgb([grey.get_pixel(x, y)[0]; 3]));
    for (picture, resolution, code) in [
        (imageops::blur(&sharp, 2.5), 768, FindingCode::Blurred),
        (jpeg(&waves(780, 780), 10), 768, FindingCode::JpegBlocks),
        (brightened(&sharp, 3.5), 768, FindingCode::Overexposed),
        (brightened(&sharp, 0.35), 768, FindingCode::Underexposed),
        (grey, 768, FindingCode::Grey),
        (photograph(1, 700, 700), 1024, FindingCode::BelowResolution),
        (photograph(1, 600, 600), 512, FindingCode::SmallPicture),
        (photograph(1, 1800, 800), 512, FindingCode::ExtremeAspect),
        (photograph(1, 800, 1700), 512, FindingCode::ExtremeAspect),
        (RgbImage::from_pixel(800, 800, Rgb([250, 250, 250])), 768, FindingCode::Empty),
        (RgbImage::new(800, 800), 768, FindingCode::Empty),
    ] {
        let report = scenes::report(Mode::Object, resolution, &[("a.png", picture)]);
        assert!(has(&report, code), "{code:?}: {:?}", report.pictures);
    }
}

/// Blur of a large picture is gone when it is made smaller for training; of a small one it is not.
#[test]
fn blur_counts_in_training_pixels() {
    let soft = imageops::blur(&photograph(5, 1200, 1200), 2.0);
    assert!(codes(Mode::Object, 1200, soft.clone()).contains(&FindingCode::Blurred));
    assert!(!codes(Mode::Object, 512, soft).contains(&FindingCode::Blurred));
    assert!(!codes(Mode::Object, 768, jpeg(&waves(800, 800), 85)).contains(&FindingCode::JpegBlocks));
    assert!(!codes(Mode::Object, 256, jpeg(&waves(800, 800), 10)).contains(&FindingCode::JpegBlocks), "they blend");
}

fn look(mode: Mode, picture: RgbImage, seen: &Seen) -> DatasetReport {
    let examiner = examiner(mode, 512);
    examiner.report(vec![examiner.look(&photo("a.png", picture), seen)], &[])
}

fn face(x: f32, y: f32, side: f32) -> FaceBox {
    FaceBox { x, y, width: side * 0.8, height: side, score: 0.9 }
}

#[test]
fn faces_are_counted_and_measured_in_face_mode_only() {
    let good = [face(300.0, 200.0, 300.0)];
    let two = [face(100.0, 300.0, 200.0), face(500.0, 300.0, 180.0)];
    let passer_by = [face(300.0, 200.0, 300.0), face(20.0, 20.0, 40.0)];
    let small = [face(400.0, 400.0, 60.0)];
    for (faces, code) in [
        (&[][..], Some(FindingCode::NoFace)),
        (&two, Some(FindingCode::SeveralFaces)),
        (&small, Some(FindingCode::SmallFace)),
        (&good, None),
        (&passer_by, None),
    ] {
        let seen = Seen { faces: Some(faces), ..Seen::default() };
        let found = look(Mode::Face, photograph(2, 900, 900), &seen);
        assert_eq!(found.pictures[0].findings, code.into_iter().collect::<Vec<_>>(), "{faces:?}");
        assert_eq!(found.pictures[0].faces, Some(faces.len() as u32));
        assert_eq!(look(Mode::Object, photograph(2, 900, 900), &seen).pictures[0].findings, []);
    }
    assert_eq!(look(Mode::Face, photograph(2, 900, 900), &Seen::default()).pictures[0].findings, [], "nobody looked");
}

#[test]
fn a_subject_that_the_crop_cuts_off_is_said() {
    let wide = || photograph(4, 1400, 800);
    // The crop is from 300 to 1100.
    let at_side = [face(40.0, 200.0, 250.0)];
    let report = look(Mode::Face, wide(), &Seen { faces: Some(&at_side), ..Seen::default() });
    let cut = report.findings.iter().find(|finding| finding.code == FindingCode::SubjectOutsideCrop).expect("said");
    assert!(cut.severity == Severity::Serious && cut.message.contains("of the face"), "{cut:?}");
    assert_eq!(report.pictures[0].subject_source, Some(SubjectSource::Face));

    let mask = |left: u32| {
        GrayImage::from_fn(140, 80, |x, y| Luma([if (left..left + 40).contains(&x) && y > 20 { 255 } else { 0 }]))
    };
    for (left, outside) in [(0, true), (50, false), (100, true)] {
        let report = look(Mode::Object, wide(), &Seen { mask: Some(&mask(left)), ..Seen::default() });
        assert_eq!(has(&report, FindingCode::SubjectOutsideCrop), outside, "{left}");
        assert_eq!(report.pictures[0].subject_source, Some(SubjectSource::Mask));
    }

    // Without a model: something colourful at the side of a plain ground.
    let mut scene = RgbImage::from_fn(1400, 800, |x, y| Rgb([120, 150, 120 + ((x * 7 + y * 3) % 5) as u8]));
    imageops::replace(&mut scene, &photograph(9, 220, 300), 30, 250);
    let report = look(Mode::Object, scene, &Seen::default());
    assert!(has(&report, FindingCode::SubjectOutsideCrop), "{:?}", report.pictures);
    assert_eq!(report.pictures[0].subject_source, Some(SubjectSource::Salience));
}

#[test]
fn captions_and_transparency_are_told() {
    let examiner = examiner(Mode::Object, 512);
    let mut picture = photo("a.png", photograph(1, 900, 900));
    picture.transparent = true;
    let seen = Seen { caption_tokens: Some(90), ..Seen::default() };
    let report = examiner.report(vec![examiner.look(&picture, &seen)], &[]);
    assert_eq!(report.pictures[0].findings, [FindingCode::Transparent, FindingCode::CaptionTooLong]);
    assert!(report.findings.iter().any(|finding| finding.message.contains("90 tokens")));
}

/// Any size, any content, any nonsense from a model: a record, no panic, and numbers that JSON can hold.
#[test]
fn no_picture_breaks_the_examination() {
    let sizes = [(1, 1), (1, 400), (400, 1), (3, 3), (8, 9), (31, 77), (160, 161), (700, 40)];
    let odd = [f32::NAN, f32::INFINITY, -1e30, 0.0, 1e30];
    let faces: Vec<FaceBox> =
        odd.iter().map(|&v| FaceBox { x: v, y: 1.0, width: v, height: v.abs(), score: v }).collect();
    let masks = [GrayImage::new(0, 0), GrayImage::new(1, 1), GrayImage::from_pixel(50, 2, Luma([255]))];
    for (i, (width, height)) in sizes.into_iter().enumerate() {
        let noise =
            RgbImage::from_fn(width, height, |x, y| Rgb([(x * 97 + y * 31) as u8, (x * y * 7) as u8, (x ^ y) as u8]));
        for picture in [noise, RgbImage::new(width, height), photograph(i as u32, width, height)] {
            for mode in [Mode::Face, Mode::Object, Mode::Style] {
                let mask = &masks[i % masks.len()];
                let seen = Seen {
                    faces: Some(&faces),
                    mask: Some(mask),
                    embedding: Some(&odd),
                    caption_tokens: Some(usize::MAX),
                };
                let report = look(mode, picture.clone(), &seen);
                let measures = &report.pictures[0];
                let numbers = [measures.enlargement, measures.jpeg_steps, measures.brightness, measures.saturation];
                let boxes = measures.crop.iter().chain(measures.subject.iter().flatten());
                assert!(numbers.iter().chain(boxes).chain(&measures.edge_width).all(|v| v.is_finite()), "{measures:?}");
            }
        }
    }
}
