//! Real photographs, where there are any: the folder `skimage/data` of the wheel `scikit-image`, named by
//! `CONCEPTD_REAL`. `CONCEPTD_SHEETS` may name a folder that the sheet is written to, to be looked at.

mod scenes;

use dataset::{Captions, Crop, Error, Options, crop_window, scan};
use examiner::{FaceBox, PictureRecord, Preview, Seen, face_mask, in_words, sheets};
use image::{RgbImage, imageops};
use protocol::{FindingCode, Mode};
use scenes::{about, brightened, examiner, has, jpeg, photo};
use std::path::PathBuf;

const NAMES: [&str; 5] = ["astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg"];

fn photographs() -> Option<Vec<(String, RgbImage)>> {
    let Some(folder) = std::env::var_os("CONCEPTD_REAL").map(PathBuf::from) else {
        eprintln!("skipped: CONCEPTD_REAL names no folder");
        return None;
    };
    let mut pictures = Vec::new();
    let paths: Vec<PathBuf> = NAMES.iter().map(|name| folder.join(name)).collect();
    scan(&paths, &Options::new(0, Crop::Center), &Captions::new(), &mut |photo| {
        let name = photo.name.rsplit('/').next().unwrap_or_default().to_owned();
        pictures.push((name, photo.image));
        Ok::<_, Error>(())
    })
    .expect("photographs");
    Some(pictures)
}

/// At their own resolution, so that only what is meant is found.
fn codes(picture: &RgbImage) -> Vec<FindingCode> {
    let side = picture.width().min(picture.height());
    scenes::codes(Mode::Object, side, picture.clone())
        .into_iter()
        .filter(|code| *code != FindingCode::SmallPicture)
        .collect()
}

#[test]
fn faults_of_photographs_are_found_and_nothing_else() {
    let Some(photographs) = photographs() else { return };
    for (name, picture) in &photographs {
        assert_eq!(codes(picture), [], "{name} as it was taken");
        assert_eq!(codes(&jpeg(picture, 75)), [], "{name}, JPEG 75");
        assert_eq!(codes(&imageops::blur(picture, 1.0)), [], "{name}, slightly soft");
        for (fault, code) in [
            (imageops::blur(picture, 2.0), FindingCode::Blurred),
            (imageops::blur(picture, 5.0), FindingCode::Blurred),
            (jpeg(picture, 10), FindingCode::JpegBlocks),
            (brightened(picture, 0.2), FindingCode::Underexposed),
        ] {
            assert!(codes(&fault).contains(&code), "{name}: {code:?}");
        }
        // The rocket stands before a dark sky.
        let bright = codes(&brightened(picture, 2.5)).contains(&FindingCode::Overexposed);
        assert_eq!(bright, !name.starts_with("rocket"), "{name}");
    }
}

#[test]
fn photographs_are_recognised_and_told_apart() {
    let Some(photographs) = photographs() else { return };
    let mut set = Vec::new();
    for (name, picture) in &photographs {
        let (width, height) = picture.dimensions();
        let part = imageops::crop_imm(picture, width / 10, height / 20, width * 9 / 10, height * 9 / 10).to_image();
        let small = imageops::resize(picture, width / 2, height / 2, imageops::FilterType::Triangle);
        for (how, changed) in [
            ("", picture.clone()),
            (" bright", brightened(picture, 1.4)),
            (" jpeg", jpeg(picture, 10)),
            (" mirrored", imageops::flip_horizontal(picture)),
            (" part", part),
            (" small", small),
            (" soft", imageops::blur(picture, 3.0)),
        ] {
            set.push((format!("{name}{how}"), changed));
        }
    }
    let set: Vec<(&str, RgbImage)> = set.iter().map(|(name, image)| (name.as_str(), image.clone())).collect();
    let report = scenes::report(Mode::Object, 512, &set);
    let groups = about(&report, FindingCode::NearDuplicate);
    assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [7; 5], "{groups:?}");
}

/// The astronaut's face as a detector gives it.
#[test]
fn the_sheet_of_photographs_can_be_looked_at() {
    let Some(photographs) = photographs() else { return };
    let examiner = examiner(Mode::Face, 512);
    let face = [FaceBox { x: 172.0, y: 74.0, width: 96.0, height: 128.0, score: 0.99 }];
    let (mut records, mut previews): (Vec<PictureRecord>, Vec<Preview>) = Default::default();
    for (i, (name, picture)) in photographs.iter().enumerate() {
        let faces = if i == 0 { &face[..] } else { &[] };
        let record = examiner.look(&photo(name, picture.clone()), &Seen { faces: Some(faces), ..Seen::default() });
        let window = crop_window(picture.dimensions(), (512, 512), record.focus());
        let mask = face_mask(picture.dimensions(), faces).mask;
        previews.push(Preview::new(name, picture, window, Some(&mask)));
        records.push(record);
    }
    let report = examiner.report(records, &[]);
    assert_eq!(about(&report, FindingCode::NoFace).len(), 4);
    assert!(!has(&report, FindingCode::SmallFace), "{}", in_words(&report));
    let pages = sheets("photographs", &previews, &report);
    if let Some(folder) = std::env::var_os("CONCEPTD_SHEETS") {
        pages[0].save(PathBuf::from(folder).join("photographs.png")).expect("written");
        println!("{}", in_words(&report));
    }
}
