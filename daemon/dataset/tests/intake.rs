//! What people really bring: every format, odd files, hostile archives.

mod found;

use dataset::{Captions, Crop, Error, Limits, Options, scan};
use found::{Dataset, Folder, encoded, load, options, picture, png, tar, zip};
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use std::{io::Write, path::PathBuf};

fn names(dataset: &Dataset) -> Vec<&str> {
    dataset.photos.iter().map(|photo| photo.name.as_str()).collect()
}

#[test]
fn every_picture_format_is_read() {
    let rgb = DynamicImage::from(picture(1));
    let alpha = DynamicImage::from(RgbaImage::from_pixel(80, 80, Rgba([255, 0, 0, 0])));
    let grey = DynamicImage::from(GrayImage::from_pixel(80, 80, Luma([77])));
    let deep = DynamicImage::from(image::ImageBuffer::<Rgb<u16>, _>::from_pixel(80, 80, Rgb([65535u16, 257, 0])));
    let folder = Folder::of(&[
        ("a.jpg", &encoded(&rgb, ImageFormat::Jpeg)),
        ("b.PNG", &encoded(&rgb, ImageFormat::Png)),
        ("c.webp", &encoded(&DynamicImage::from(picture(2)), ImageFormat::WebP)),
        ("d.bmp", &encoded(&DynamicImage::from(picture(3)), ImageFormat::Bmp)),
        ("e.tiff", &encoded(&DynamicImage::from(picture(4)), ImageFormat::Tiff)),
        ("f.gif", &encoded(&DynamicImage::from(picture(5)), ImageFormat::Gif)),
        ("g alpha.png", &encoded(&alpha, ImageFormat::Png)),
        ("h grey.png", &encoded(&grey, ImageFormat::Png)),
        ("i deep.png", &encoded(&deep, ImageFormat::Png)),
        ("j wrong name.jpg", &png(6)),
    ]);
    let dataset = folder.good();
    assert_eq!((dataset.photos.len(), dataset.skipped.len()), (10, 0), "{:?}", dataset.skipped);
    let middle = |i: usize| dataset.photos[i].image.get_pixel(32, 32).0;
    assert_eq!((middle(6), middle(7), middle(8)), ([255, 255, 255], [77, 77, 77], [255, 1, 0]));
    assert!(dataset.photos.iter().all(|photo| photo.image.dimensions() == (64, 64)));
    assert!(dataset.photos.iter().all(|photo| photo.transparent == (photo.name == "g alpha.png")));
    assert!(dataset.notes.is_empty(), "{:?}", dataset.notes);
}

#[test]
fn pictures_stand_upright() {
    let mut jpeg = encoded(
        &RgbImage::from_fn(96, 64, |x, _| if x < 48 { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) }).into(),
        ImageFormat::Jpeg,
    );
    // An EXIF segment behind the start mark: orientation 6, to be turned right by a quarter.
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let mut segment = vec![0xff, 0xe1];
    segment.extend(((exif.len() + 2) as u16).to_be_bytes());
    segment.extend(exif);
    jpeg.splice(2..2, segment);
    let dataset = Folder::of(&[("turned.jpg", &jpeg), ("other.png", &png(1))]).good();
    let turned = &dataset.photos[1];
    assert_eq!(turned.original, (64, 96));
    assert!(turned.image.get_pixel(32, 4)[0] > 200 && turned.image.get_pixel(32, 60)[2] > 200, "left became top");
}

#[test]
fn prompts_masks_and_repeats_find_their_pictures() {
    let mask =
        encoded(&GrayImage::from_fn(48, 36, |x, _| Luma([if x < 24 { 0 } else { 255 }])).into(), ImageFormat::Png);
    let folder = Folder::of(&[
        ("a.png", &png(1)),
        ("a.txt", "ein  Föhn\n".as_bytes()),
        ("a.caption", b"not this"),
        ("a.mask.png", &mask),
        ("b.png", &png(2)),
        ("b.caption", b"\xff\xfeh\0i\0"),
        ("10_zorb dog/c.png", &png(3)),
        ("lonely.mask.png", &mask),
        ("d.png", &png(4)),
        ("d.mask.png", b"broken"),
        ("RESULT.preview.png", &png(5)),
    ]);
    let dataset = folder.good();
    assert_eq!(names(&dataset), ["10_zorb dog/c.png", "a.png", "b.png", "d.png"]);
    let [c, a, b, d] = &dataset.photos[..] else { panic!("four") };
    assert_eq!(
        (a.caption.as_deref(), b.caption.as_deref(), c.caption.as_deref()),
        (Some("ein Föhn"), Some("hi"), None)
    );
    assert_eq!((a.repeats, c.repeats), (1, 10));
    let mask = a.mask.as_ref().expect("a mask");
    assert_eq!((mask.dimensions(), mask.get_pixel(5, 30)[0], mask.get_pixel(60, 30)[0]), ((64, 64), 0, 255));
    assert!(d.mask.is_none());
    for wanted in ["lonely.mask.png", "d.mask.png"] {
        assert!(dataset.notes.iter().any(|note| note.contains(wanted)), "{wanted}: {:?}", dataset.notes);
    }
}

#[test]
fn archives_in_folders_in_archives_are_opened() {
    let inner = zip(&[("deep/x.png", &png(1)), ("deep/x.txt", b"deep")]);
    let outer = zip(&[("folder/inner.zip", &inner), ("y.png", &png(2)), ("__MACOSX/._y.png", b"junk")]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&tar(&[("z.png", &png(3))])).expect("packed");
    let folder = Folder::of(&[
        ("some/outer.zip", &outer),
        ("t.tar.gz", &packed.finish().expect("packed")),
        ("u.tar", &tar(&[("w.png", &png(4))])),
    ]);
    let dataset = folder.good();
    assert_eq!(
        names(&dataset),
        ["some/outer.zip/folder/inner.zip/deep/x.png", "some/outer.zip/y.png", "t.tar.gz/z.png", "u.tar/w.png"]
    );
    assert_eq!(dataset.photos[0].caption.as_deref(), Some("deep"));
    assert!(dataset.skipped.is_empty());
}

#[test]
fn the_digest_is_of_what_is_learnt_and_not_of_names() {
    let a = Folder::of(&[("a.png", &png(1)), ("a.txt", b"one"), ("b.png", &png(2))]).good().digest();
    let packed = zip(&[("other/z.png", &png(1)), ("other/z.txt", b"one"), ("y.png", &png(2))]);
    assert_eq!(a, Folder::of(&[("archive.zip", &packed)]).good().digest());
    assert_ne!(a, Folder::of(&[("a.png", &png(1)), ("a.txt", b"two"), ("b.png", &png(2))]).good().digest());
    assert_ne!(a, Folder::of(&[("a.png", &png(1)), ("a.txt", b"one"), ("b.png", &png(3))]).good().digest());
}

#[test]
fn duplicates_count_once() {
    let dataset = Folder::of(&[("a.png", &png(1)), ("b.png", &png(1)), ("c.png", &png(2))]).good();
    assert_eq!(names(&dataset), ["a.png", "c.png"]);
    assert!(dataset.notes.iter().any(|note| note.contains("b.png") && note.contains("a.png")));
}

#[test]
fn unusable_files_are_named_with_the_fix() {
    let mut huge = png(1);
    // Width and height of the header; its checksum follows.
    huge[16..24].copy_from_slice(&[0, 0, 0x9c, 0x40, 0, 0, 0x9c, 0x40]);
    let checksum = crc32(&huge[12..29]);
    huge[29..33].copy_from_slice(&checksum.to_be_bytes());
    let whole = png(9);
    let tiny = encoded(&RgbImage::new(4, 4).into(), ImageFormat::Png);
    let folder = Folder::of(&[
        ("good.png", &png(1)),
        ("huge.png", &huge),
        ("empty.jpg", b""),
        ("text.png", b"this is no picture"),
        ("cut.png", &whole[..whole.len() / 2]),
        ("tiny.png", &tiny),
        ("phone.HEIC", b"x"),
        ("camera.nef", b"x"),
        ("clip.mp4", b"x"),
        ("old.rar", b"x"),
        ("notes.docx", b"x"),
        (".hidden.png", b"x"),
        ("Thumbs.db", b"x"),
    ]);
    let dataset = folder.good();
    assert_eq!(names(&dataset), ["good.png"]);
    let reason = |name: &str| dataset.skipped.iter().find(|s| s.name == name).map_or("", |s| s.reason.as_str());
    for (name, wanted) in [
        ("huge.png", "40000 x 40000"),
        ("empty.jpg", "empty"),
        ("text.png", "cannot be decoded"),
        ("cut.png", "cannot be decoded"),
        ("tiny.png", "too few"),
        ("phone.HEIC", "export it as JPEG"),
        ("camera.nef", "develop"),
        ("clip.mp4", "film"),
        ("old.rar", "zip"),
    ] {
        assert!(reason(name).contains(wanted), "{name}: `{}`", reason(name));
    }
    assert_eq!(dataset.skipped.len(), 9, "{:?}", dataset.skipped);
}

/// The checksum of PNG chunks.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn hostile_archives_do_no_harm() {
    let bomb = zip(&[("a.png", &vec![0; 3 << 20])]);
    assert!(bomb.len() < 10_000);
    let folder = Folder::of(&[("bomb.zip", &bomb)]);
    let limits = Limits { file_bytes: 1 << 20, ..Limits::default() };
    let error = load(&[folder.path()], &Options { limits, ..options() }).err().expect("refused").to_string();
    assert!(error.contains("bomb.zip") && error.contains("more than 1 MiB"), "{error}");

    let many: Vec<(String, Vec<u8>)> = (0..30).map(|i| (format!("{i}.txt"), vec![b'x'])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let folder = Folder::of(&[("many.zip", &zip(&many))]);
    let limits = Limits { entries: 20, ..Limits::default() };
    let error = load(&[folder.path()], &Options { limits, ..options() }).err().expect("refused").to_string();
    assert!(error.contains("more than 20 files"), "{error}");

    let mut nested = zip(&[("a.png", &png(1))]);
    for _ in 0..4 {
        nested = zip(&[("n.zip", &nested)]);
    }
    assert!(Folder::of(&[("n.zip", &nested)]).error().contains("nested more than 3 deep"));

    // Names that lead out are only names; nothing is written.
    let folder = Folder::of(&[("up.zip", &zip(&[("../../evil.png", &png(1)), ("/abs/root.png", &png(2))]))]);
    assert_eq!(names(&folder.good()), ["up.zip/abs/root.png", "up.zip/evil.png"]);
    assert!(!folder.path().parent().expect("a parent").join("evil.png").exists());

    let mut links = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    links.append_link(&mut header, "link.png", "/etc/passwd").expect("a link");
    assert!(Folder::of(&[("links.tar", &links.into_inner().expect("finished"))]).error().contains("no usable picture"));
}

#[test]
fn damaged_input_is_named() {
    assert!(Folder::of(&[("broken.zip", b"PK\x03\x04 and then nothing")]).error().contains("broken.zip is damaged"));
    let whole = tar(&[("a.png", &png(1))]);
    assert!(Folder::of(&[("cut.tar", &whole[..700])]).error().contains("cut.tar is damaged"));
    let error = load(&[PathBuf::from("/no/such/folder")], &options()).err().expect("refused").to_string();
    assert!(error.contains("no such file or folder"));
    assert!(Folder::of(&[]).error().contains("no usable picture among 0 files"));
    assert!(Folder::of(&[("a.heic", b"x")]).error().contains("a.heic"));
}

#[test]
fn names_may_hold_anything() {
    let folder = Folder::of(&[
        ("🦊 fuchs ümlaut.png", &png(1)),
        ("🦊 fuchs ümlaut.txt", "🦊".as_bytes()),
        ("日本/猫.png", &png(2)),
    ]);
    let dataset = folder.good();
    assert_eq!(names(&dataset), ["日本/猫.png", "🦊 fuchs ümlaut.png"]);
    assert_eq!(dataset.photos[1].caption.as_deref(), Some("🦊"));
}

#[test]
fn buckets_keep_each_pictures_proportions() {
    let folder =
        Folder::of(&[("wide.png", &encoded(&RgbImage::new(400, 200).into(), ImageFormat::Png)), ("b.png", &png(2))]);
    let dataset = load(&[folder.path()], &Options::new(256, Crop::Bucket)).expect("a data set");
    let wide = &dataset.photos[1];
    assert_eq!((wide.image.dimensions(), wide.original), ((320, 192), (400, 200)));
}

#[test]
fn given_captions_replace_those_beside_the_pictures() {
    let folder = Folder::of(&[("a.png", &png(1)), ("a.txt", b"one"), ("b.png", &png(2)), ("b.txt", b"two")]);
    let captions = Captions::from([("a.png".into(), Some("other".into())), ("b.png".into(), None)]);
    let mut seen = Vec::new();
    let found = scan(&[folder.path()], &options(), &captions, &mut |photo| {
        seen.push(photo.caption);
        Ok::<_, Error>(())
    });
    assert_eq!(seen, [Some("other".to_owned()), None]);
    assert_ne!(found.expect("found").digest(), folder.good().digest());
}
