//! What belongs to what when pictures come from many places, and where the limits are.

mod found;

use dataset::{Crop, Limits, Options};
use found::{Dataset, Folder, encoded, load, options, picture, png, tar, zip};
use image::{GrayImage, ImageFormat, Luma, RgbImage};
use std::io::Write;

fn names(dataset: &Dataset) -> Vec<&str> {
    dataset.photos.iter().map(|photo| photo.name.as_str()).collect()
}

fn refusal(folder: &Folder, limits: Limits) -> String {
    folder.load(&Options { limits, ..options() }).err().expect("refused").to_string()
}

/// Folders and archives often call their files alike.
#[test]
fn prompts_stay_with_the_pictures_of_their_own_folder() {
    let one = Folder::of(&[("01.png", &png(1)), ("01.txt", b"first")]);
    let two = Folder::of(&[("01.png", &png(2)), ("01.txt", b"second"), ("02.png", &png(5))]);
    let captions = |dataset: &Dataset| -> Vec<Option<String>> {
        let mut photos: Vec<_> = dataset.photos.iter().collect();
        photos.sort_by_key(|photo| photo.image.get_pixel(0, 0)[2]);
        photos.into_iter().map(|photo| photo.caption.clone()).collect()
    };
    let wanted = [Some("first".to_owned()), Some("second".to_owned()), None];
    let dataset = load(&[one.path(), two.path()], &options()).expect("a data set");
    assert_eq!(captions(&dataset), wanted);
    let [a, b] = [("01.png", "01.txt", 1, "first"), ("01.png", "01.txt", 2, "second")]
        .map(|(picture, text, seed, prompt)| zip(&[(picture, &png(seed)), (text, prompt.as_bytes())]));
    let folder = Folder::of(&[("a.zip", &a), ("b.zip", &b), ("01.png", &png(5))]);
    assert_eq!(captions(&folder.good()), wanted);
    // A single archive's members go by their own names.
    assert_eq!(names(&load(&[folder.path().join("a.zip")], &options()).expect("a data set")), ["01.png"]);
}

#[test]
fn what_lies_beside_a_named_picture_belongs_to_it() {
    let mask = encoded(&GrayImage::from_pixel(96, 72, Luma([9])).into(), ImageFormat::Png);
    let folder = Folder::of(&[
        ("a.png", &png(1)),
        ("a.txt", b"one"),
        ("a.mask.png", &mask),
        ("b.jfif", &png(2)),
        ("b.caption", b"two"),
        ("c.png", &png(3)),
        ("d.xyz", b"?"),
    ]);
    let at = |name: &str| folder.path().join(name);
    let dataset = load(&[at("a.png"), at("b.jfif"), at("d.xyz")], &options()).expect("a data set");
    let captions: Vec<_> = dataset.photos.iter().map(|photo| photo.caption.as_deref()).collect();
    assert_eq!(captions, [Some("one"), Some("two")]);
    assert!(dataset.photos[0].mask.is_some() && dataset.photos[1].mask.is_none());
    assert!(dataset.skipped[0].name.ends_with("d.xyz") && dataset.skipped[0].reason.contains("ending"));
    assert_eq!(load(&[at("a.png")], &options()).expect("a data set").photos[0].caption.as_deref(), Some("one"));
}

#[test]
fn repeats_are_said_and_years_are_none() {
    let folder = Folder::of(&[("2024_summer/a.png", &png(1)), ("10_dog/b.png", &png(2)), ("10_dog/c.png", &png(3))]);
    let dataset = folder.good();
    assert_eq!(dataset.photos.iter().map(|photo| photo.repeats).collect::<Vec<_>>(), [10, 10, 1]);
    assert!(matches!(&dataset.notes[..], [note] if note.contains("`10_dog` counts 10 times")), "{:?}", dataset.notes);
}

/// Whoever checks a concept's pictures need not know how they were cropped.
#[test]
fn the_digest_does_not_depend_on_the_crop() {
    let mask = |side: u32| {
        encoded(&GrayImage::from_fn(96, 72, |x, _| Luma([if x < side { 0 } else { 255 }])).into(), ImageFormat::Png)
    };
    let of = |mask: &[u8], options: &Options| {
        let folder = Folder::of(&[("a.png", &png(1)), ("a.mask.png", mask)]);
        load(&[folder.path()], options).expect("a data set").digest()
    };
    let wide = Options::new(256, Crop::Bucket);
    assert_eq!(of(&mask(40), &options()), of(&mask(40), &wide));
    assert_ne!(of(&mask(40), &options()), of(&mask(41), &options()));
}

#[test]
fn a_mask_goes_to_every_picture_of_its_name() {
    let mask = encoded(&GrayImage::from_pixel(96, 72, Luma([9])).into(), ImageFormat::Png);
    let jpeg = encoded(&picture(2).into(), ImageFormat::Jpeg);
    let dataset = Folder::of(&[("a.jpg", &jpeg), ("a.mask.png", &mask), ("a.png", &png(1))]).good();
    assert!(dataset.photos.iter().all(|photo| photo.mask.is_some()) && dataset.notes.is_empty());
}

/// A decoder would show the missing half in grey.
#[test]
fn half_a_jpeg_is_skipped() {
    let whole = encoded(&picture(3).into(), ImageFormat::Jpeg);
    // Cameras append films, in which anything may stand.
    let more = [&whole[..], b"film \xff\xda\0\x08 and so on"].concat();
    let folder = Folder::of(&[("cut.jpg", &whole[..whole.len() * 2 / 3]), ("more.jpg", &more), ("a.png", &png(1))]);
    let dataset = folder.good();
    assert_eq!(names(&dataset), ["a.png", "more.jpg"]);
    assert!(matches!(&dataset.skipped[..], [skipped] if skipped.name == "cut.jpg" && skipped.reason.contains("ends")));
}

#[test]
fn strips_are_refused_before_they_fill_memory() {
    let strip = encoded(&RgbImage::new(8, 9000).into(), ImageFormat::Png);
    let dataset = Folder::of(&[("strip.png", &strip), ("a.png", &png(1))]).good();
    assert!(matches!(&dataset.skipped[..], [skipped] if skipped.reason.contains("8 x 9000")), "{:?}", dataset.skipped);
}

#[test]
fn limits_hold_across_archives_and_folders() {
    let many: Vec<(String, Vec<u8>)> = (0..30).map(|i| (format!("{i}.txt"), vec![b'x'])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let folder = Folder::of(&[("a.zip", &zip(&many[..15])), ("b.zip", &zip(&many[15..]))]);
    let limits = Limits { entries: 20, ..Limits::default() };
    let error = refusal(&folder, limits);
    assert!(error.contains("b.zip") && error.contains("more than 20 files"), "{error}");
    let folder = Folder::of(&many);
    let limits = Limits { entries: 20, ..Limits::default() };
    let error = refusal(&folder, limits);
    assert!(error.contains("more than 20 files"), "{error}");

    // What is no picture is unpacked as well, on the way to what lies behind it.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&tar(&[("filler.bin", &vec![0; 4 << 20]), ("a.png", &png(1))])).expect("packed");
    let folder = Folder::of(&[("filler.tar.gz", &packed.finish().expect("packed"))]);
    assert_eq!(names(&folder.good()), ["filler.tar.gz/a.png"]);
    let limits = Limits { total_bytes: 2 << 20, ..Limits::default() };
    let error = refusal(&folder, limits);
    assert!(error.contains("filler.tar.gz: it unpacks to more"), "{error}");

    let mut locked = zip(&[("a.png", &png(1))]);
    // The flag of encryption in both headers of the member.
    let central = locked.windows(4).position(|bytes| bytes == b"PK\x01\x02").expect("a directory");
    locked[6] |= 1;
    locked[central + 8] |= 1;
    assert!(
        refusal(&Folder::of(&[("locked.zip", &locked)]), Limits::default())
            .contains("locked.zip is locked by a password")
    );
}
