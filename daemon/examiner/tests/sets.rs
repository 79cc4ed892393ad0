//! What is found about sets of pictures, and that it is the same however they are looked at.

mod scenes;

use dataset::Window;
use examiner::{PictureRecord, Preview, Seen, SharedWord, in_words, sheets};
use image::{GrayImage, Luma, Rgb, RgbImage, imageops};
use protocol::{FindingCode, Mode, Severity};
use rayon::prelude::*;
use scenes::{about, brightened, drawing, examiner, has, jpeg, photo, photograph, report, report_of};

#[test]
fn the_same_picture_is_recognised_however_it_was_changed() {
    let a = photograph(1, 400, 350);
    let part = imageops::crop_imm(&a, 30, 20, 350, 310).to_image();
    let small = imageops::resize(&a, 200, 175, imageops::FilterType::Triangle);
    let set = [
        ("a.png", a.clone()),
        ("blurred.png", imageops::blur(&a, 2.0)),
        ("bright.png", brightened(&a, 1.3)),
        ("b.png", photograph(2, 400, 350)),
        ("c.png", photograph(3, 400, 350)),
        ("c mirrored.png", imageops::flip_horizontal(&photograph(3, 400, 350))),
        ("d.png", photograph(4, 350, 400)),
        ("jpeg.png", jpeg(&a, 10)),
        ("part.png", part),
        ("small.png", small),
    ];
    let report = report(Mode::Object, 512, &set);
    let wanted = [
        vec!["a.png", "blurred.png", "bright.png", "jpeg.png", "part.png", "small.png"],
        vec!["c mirrored.png", "c.png"],
    ];
    assert_eq!(about(&report, FindingCode::NearDuplicate), wanted);
    let mirrored = |finding: &&protocol::Finding| finding.message.contains("mirrored");
    assert_eq!(report.findings.iter().filter(mirrored).count(), 1);
    assert!(
        report
            .pictures
            .iter()
            .find(|picture| picture.name == "small.png")
            .is_some_and(|picture| { picture.findings.contains(&FindingCode::NearDuplicate) })
    );
}

#[test]
fn different_pictures_are_not_taken_for_the_same() {
    let photographs: Vec<(String, RgbImage)> =
        (0..24).map(|i| (format!("{i:02}.png"), photograph(i + 100, 200, 180))).collect();
    let drawings: Vec<(String, RgbImage)> = (0..24).map(|i| (format!("{i:02}.png"), drawing(i, 256))).collect();
    for set in [photographs, drawings] {
        let set: Vec<(&str, RgbImage)> = set.iter().map(|(name, image)| (name.as_str(), image.clone())).collect();
        let report = report(Mode::Style, 256, &set);
        assert_eq!(about(&report, FindingCode::NearDuplicate), Vec::<Vec<&str>>::new());
        assert!(!has(&report, FindingCode::MixedStyles) && !has(&report, FindingCode::FewPictures));
    }
}

fn records(count: u32, seen: impl Fn(u32) -> Vec<f32>) -> Vec<PictureRecord> {
    let examiner = examiner(Mode::Object, 512);
    let look = |i: u32| {
        let embedding = seen(i);
        let seen = Seen { embedding: (!embedding.is_empty()).then_some(&embedding[..]), ..Seen::default() };
        examiner.look(&photo(&format!("{i:02}.png"), photograph(i + 40, 300, 300)), &seen)
    };
    (0..count).map(look).collect()
}

#[test]
fn the_number_of_pictures_is_judged_by_mode_and_without_repeats() {
    let severity = |mode, count| {
        let report = report_of(mode, records(count, |_| Vec::new()), &[]);
        report.findings.iter().find(|finding| finding.code == FindingCode::FewPictures).map(|finding| finding.severity)
    };
    assert_eq!(severity(Mode::Face, 1), Some(Severity::Serious));
    assert_eq!(severity(Mode::Object, 3), Some(Severity::Warning));
    assert_eq!(severity(Mode::Object, 4), None);
    assert_eq!((severity(Mode::Style, 5), severity(Mode::Style, 12)), (Some(Severity::Warning), Some(Severity::Info)));
    let twins: Vec<PictureRecord> = records(1, |_| Vec::new()).into_iter().cycle().take(9).collect();
    let report = report_of(Mode::Object, twins, &[]);
    assert!(report.findings.iter().any(|finding| finding.message.contains("9 pictures, 1 of them really different")));
    assert!(report.verdict.contains("should not be trained yet"), "{}", report.verdict);
    assert!(report_of(Mode::Object, Vec::new(), &[]).verdict.contains("no pictures"));
}

#[test]
fn a_background_that_is_always_the_same_is_told() {
    let before = |ground: &dyn Fn(u32) -> RgbImage| -> Vec<(String, RgbImage)> {
        let scene = |i: u32| {
            let mut scene = ground(i);
            imageops::replace(&mut scene, &photograph(i, 150, 150), 50 + i64::from(i) * 15, 110);
            (format!("{i}.png"), scene)
        };
        (0..6).map(scene).collect()
    };
    let one_wall = |_| RgbImage::from_fn(400, 400, |x, y| Rgb([180, 160, 130 + (x * 3 + y) as u8 % 9]));
    let places = |i: u32| photograph(i + 500, 400, 400);
    for (set, alike) in [(before(&one_wall), true), (before(&places), false)] {
        let set: Vec<(&str, RgbImage)> = set.iter().map(|(name, image)| (name.as_str(), image.clone())).collect();
        let found = report(Mode::Object, 512, &set);
        assert_eq!(has(&found, FindingCode::LittleVariety), alike, "{:#?}", found.findings);
        assert!(!has(&report(Mode::Style, 512, &set), FindingCode::LittleVariety));
    }
}

#[test]
fn embeddings_say_when_pictures_are_alike_or_of_two_styles() {
    let alike = records(6, |i| (0..8).map(|k| 1.0 + 0.01 * ((i * 5 + k) % 7) as f32).collect());
    assert!(has(&report_of(Mode::Object, alike, &[]), FindingCode::LittleVariety));
    let varied = records(6, |i| (0..8).map(|k| ((i * 5 + k * k * 3) % 7) as f32 - 3.0).collect());
    assert!(!has(&report_of(Mode::Object, varied, &[]), FindingCode::LittleVariety));
    let two =
        records(8, |i| (0..8).map(|k| if (k < 4) == (i < 3) { 1.0 + (i + k) as f32 * 0.02 } else { 0.1 }).collect());
    let report = report_of(Mode::Style, two, &[]);
    assert_eq!(about(&report, FindingCode::MixedStyles), [["00.png", "01.png", "02.png"]]);
}

#[test]
fn drawings_among_photographs_are_another_style() {
    let mut set: Vec<(String, RgbImage)> = (0..7).map(|i| (format!("p{i}.png"), photograph(i, 300, 300))).collect();
    set.extend((0..3).map(|i| (format!("d{i}.png"), drawing(i, 300))));
    let set: Vec<(&str, RgbImage)> = set.iter().map(|(name, image)| (name.as_str(), image.clone())).collect();
    assert_eq!(about(&report(Mode::Style, 512, &set), FindingCode::MixedStyles), [["d0.png", "d1.png", "d2.png"]]);
    assert!(!has(&report(Mode::Object, 512, &set), FindingCode::MixedStyles));
}

#[test]
fn captions_are_looked_at_together() {
    let word = |word: &str, count| SharedWord { word: word.to_owned(), count };
    let report = report_of(Mode::Object, records(6, |_| Vec::new()), &[word("shirt", 6), word("tree", 2)]);
    let said: Vec<&str> = report.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert!(said.iter().any(|said| said.contains("\"shirt\" stands in every caption")), "{said:?}");
    assert!(!said.iter().any(|said| said.contains("tree")));

    let examiner = examiner(Mode::Object, 512);
    let look = |i: u32| {
        let mut photo = photo(&format!("{i}.png"), photograph(i, 300, 300));
        photo.caption = (i != 2).then(|| "a cat".to_owned());
        examiner.look(&photo, &Seen::default())
    };
    let report = examiner.report((0..5).map(look).collect(), &[]);
    assert_eq!(about(&report, FindingCode::CaptionsMissing), [["2.png"]]);
}

/// Order and threads change nothing, and what matters most comes first.
#[test]
fn a_report_depends_on_the_pictures_alone() {
    let set: Vec<(String, RgbImage)> = (0..12)
        .map(|i| match i % 4 {
            0 => (format!("{i:02}.png"), photograph(i / 8, 350, 250)),
            1 => (format!("{i:02}.png"), imageops::blur(&photograph(i, 300, 300), 3.0)),
            2 => (format!("{i:02}.png"), drawing(i, 400)),
            _ => (format!("{i:02}.png"), RgbImage::new(300, 300)),
        })
        .collect();
    let examiner = examiner(Mode::Style, 512);
    let of = |threads: usize, turned: bool| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let look =
                |(name, image): &(String, RgbImage)| examiner.look(&photo(name, image.clone()), &Seen::default());
            let mut records: Vec<PictureRecord> = set.par_iter().map(look).collect();
            if turned {
                records.reverse();
            }
            examiner.report(records, &[])
        })
    };
    let report = of(1, false);
    assert!(report == of(4, false) && report == of(3, true));
    assert!(report.findings.is_sorted_by(|a, b| a.severity >= b.severity));
    let text = in_words(&report);
    assert!(text.starts_with(&report.verdict) && text.contains("serious: 03.png, 07.png, 11.png:"), "{text}");
}

#[test]
fn a_sheet_shows_every_picture_with_its_crop_and_mask() {
    let picture = RgbImage::from_pixel(300, 200, Rgb([90, 90, 90]));
    let mask = GrayImage::from_fn(300, 200, |x, _| Luma([if x < 150 { 255 } else { 0 }]));
    let window = Window { x: 50, y: 0, width: 200, height: 200 };
    let previews: Vec<Preview> =
        (0..104).map(|i| Preview::new(&format!("{i}.png"), &picture, window, Some(&mask))).collect();
    let report = report(Mode::Object, 512, &[("0.png", picture)]);
    let pages = sheets("a set", &previews, &report);
    assert_eq!(pages.len(), 2);
    let count = |color: [u8; 3]| pages[1].pixels().filter(|pixel| pixel.0 == color).count();
    assert!(count([255, 204, 64]) > 4 * 600, "crops are outlined");
    assert!(count([90, 90, 90]) > 4 * 50 * 100, "what counts is as it was");
    assert!(pages[1].pixels().filter(|pixel| pixel[2] > pixel[0] + 60).count() > 4 * 50 * 100, "what does not is blue");
    assert!(sheets("none", &[], &report).is_empty());
    for (width, height) in [(1, 1), (2, 3000), (3000, 2)] {
        let window = Window { x: 0, y: 0, width: 1, height: 1 };
        let preview =
            Preview::new("a very long name of a picture with ümläuts.png", &RgbImage::new(width, height), window, None);
        assert_eq!(sheets("x", &[preview], &report).len(), 1);
    }
}
