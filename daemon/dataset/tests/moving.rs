//! Animations and films: sharp frames of them, spread evenly, one at a time.

mod found;

use dataset::{Captions, Crop, Error, Limits, Options, scan};
use found::{Dataset, Folder, encoded, load, options, png};
use image::{
    DynamicImage, ExtendedColorType, Frame, GrayImage, ImageEncoder, ImageFormat, Luma, Rgba, RgbaImage,
    codecs::{gif::GifEncoder, webp::WebPEncoder},
};

fn names(dataset: &Dataset) -> Vec<&str> {
    dataset.photos.iter().map(|photo| photo.name.as_str()).collect()
}

/// A square that wanders from left to right over grass.
fn scene(step: u32) -> RgbaImage {
    RgbaImage::from_fn(96, 72, |x, y| {
        let inside = x >= step && x < step + 24 && (24..48).contains(&y);
        if inside { Rgba([220, 30, 30, 255]) } else { Rgba([40, 120 + (x % 3) as u8 * 20, 40, 255]) }
    })
}

fn gif(frames: impl IntoIterator<Item = RgbaImage>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 30);
    encoder.encode_frames(frames.into_iter().map(Frame::new)).expect("encoded");
    drop(encoder);
    bytes
}

/// The RIFF of animated WebP, made of still ones: `VP8X`, `ANIM`, then an `ANMF` a frame.
fn webp(frames: &[RgbaImage]) -> Vec<u8> {
    let chunk = |name: &[u8; 4], content: &[u8]| {
        let padding = vec![0; content.len() % 2];
        [name, &(content.len() as u32).to_le_bytes()[..], content, &padding].concat()
    };
    let (width, height) = frames[0].dimensions();
    let side = |side: u32| (side - 1).to_le_bytes()[..3].to_vec();
    let mut content = b"WEBP".to_vec();
    content.extend(chunk(b"VP8X", &[&[0b10, 0, 0, 0][..], &side(width), &side(height)].concat()));
    content.extend(chunk(b"ANIM", &[0; 6]));
    for frame in frames {
        let mut still = Vec::new();
        let encoder = WebPEncoder::new_lossless(&mut still);
        encoder.write_image(frame, width, height, ExtendedColorType::Rgba8).expect("encoded");
        let place = [&[0; 6][..], &side(width), &side(height), &[100, 0, 0, 0]].concat();
        content.extend(chunk(b"ANMF", &[&place[..], &still[12..]].concat()));
    }
    chunk(b"RIFF", &content)
}

#[test]
fn an_animation_gives_frames_that_share_what_lies_beside_it() {
    let mask = encoded(&GrayImage::from_pixel(96, 72, Luma([9])).into(), ImageFormat::Png);
    // Each place is shown three times, so that every eighth of the film has one of its own.
    let steps = || (0..24).map(|i| scene(i / 3 * 9));
    let folder = Folder::of(&[
        ("clip.gif", &gif(steps())),
        ("clip.txt", b"a square on grass"),
        ("clip.mask.png", &mask),
        ("film.webp", &webp(&steps().collect::<Vec<_>>())),
        ("two.gif", &gif([scene(5), scene(5), scene(50), scene(50)])),
    ]);
    let dataset = folder.good();
    let wanted = |file: &str, count: usize| (1..=count).map(|i| format!("{file}#{i:02}")).collect::<Vec<_>>();
    let of = |file: &str| names(&dataset).into_iter().filter(|name| name.starts_with(file)).collect::<Vec<_>>();
    assert_eq!(of("clip.gif"), wanted("clip.gif", 8));
    assert_eq!(of("film.webp"), wanted("film.webp", 8));
    assert_eq!(of("two.gif"), wanted("two.gif", 2));
    for photo in dataset.photos.iter().filter(|photo| photo.name.starts_with("clip")) {
        assert_eq!((photo.caption.as_deref(), photo.mask.is_some()), (Some("a square on grass"), true));
    }
    assert!(dataset.notes.is_empty(), "{:?}", dataset.notes);
}

#[test]
fn frames_are_spread_over_the_whole_animation() {
    let folder = Folder::of(&[("clip.webp", &webp(&(0..24).map(|i| scene(i * 3)).collect::<Vec<_>>()))]);
    let mut options = Options::new(0, Crop::Center);
    options.frames.most = 4;
    let dataset = load(&[folder.path()], &options).expect("a data set");
    let left = |photo: &dataset::Photo| (0..96).find(|&x| photo.image.get_pixel(x, 30)[0] > 200).expect("a square");
    let at: Vec<u32> = dataset.photos.iter().map(left).collect();
    assert!(
        at.len() == 4 && at[0] < 18 && (18..36).contains(&at[1]) && (36..54).contains(&at[2]) && at[3] >= 54,
        "{at:?}"
    );
}

#[test]
fn an_animation_that_does_not_move_is_one_picture() {
    let folder = Folder::of(&[("still.gif", &gif([scene(9)])), ("same.gif", &gif((0..9).map(|_| scene(30))))]);
    let dataset = folder.good();
    assert_eq!(names(&dataset), ["same.gif", "still.gif"]);
}

#[test]
fn captions_go_to_single_frames_too() {
    let folder = Folder::of(&[("a.gif", &gif([scene(0), scene(40)])), ("a.txt", b"beside")]);
    let captions = Captions::from([("a.gif#02".into(), Some("its own".into()))]);
    let mut seen = Vec::new();
    scan(&[folder.path()], &options(), &captions, &mut |photo| {
        seen.push((photo.name, photo.caption));
        Ok::<_, Error>(())
    })
    .expect("a data set");
    let wanted = [("a.gif#01", "beside"), ("a.gif#02", "its own")];
    assert_eq!(seen, wanted.map(|(name, caption)| (name.to_owned(), Some(caption.to_owned()))));
}

#[test]
fn damaged_and_oversized_animations_do_no_harm() {
    let whole = gif((0..12).map(|i| scene(i * 6)));
    let mut huge = whole.clone();
    huge[6..10].copy_from_slice(&[0xff; 4]);
    let cut = &whole[..whole.len() / 2];
    let folder = Folder::of(&[("cut.gif", cut), ("huge.gif", &huge), ("head.gif", &whole[..20]), ("a.png", &png(1))]);
    let dataset = folder.good();
    assert!(dataset.photos.iter().any(|photo| photo.name == "cut.gif#01"), "{:?}", names(&dataset));
    assert!(dataset.notes.iter().any(|note| note.starts_with("cut.gif: the animation is damaged behind frame")));
    let skipped: Vec<&str> = dataset.skipped.iter().map(|skipped| skipped.name.as_str()).collect();
    assert_eq!(skipped, ["head.gif", "huge.gif"], "{:?}", dataset.skipped);
    assert!(dataset.skipped[1].reason.contains("65535 x 65535"), "{:?}", dataset.skipped);
}

/// Bytes turned over here and there must give frames or a reason.
#[test]
fn no_damage_breaks_reading() {
    let frames: Vec<RgbaImage> = (0..4).map(|i| scene(i * 20)).collect();
    let mut state = 0x2545_f491_u32;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below
    };
    let still = encoded(&DynamicImage::from(scene(3)), ImageFormat::WebP);
    for sound in [gif(frames.clone()), webp(&frames), still] {
        for _ in 0..60 {
            let mut bytes = sound.clone();
            for _ in 0..=random(6) {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            bytes.truncate(bytes.len() - random(3) * random(bytes.len() / 3));
            let folder = Folder::of(&[("x.gif", &bytes), ("a.png", &png(1))]);
            let limits = Limits { pixels: 1_000_000, ..Limits::default() };
            let dataset = folder.load(&Options { limits, ..options() }).expect("a data set");
            assert!(dataset.photos.len() + dataset.skipped.len() >= 2);
        }
    }
}

#[test]
fn a_film_without_ffmpeg_is_skipped_with_the_fix() {
    let folder = Folder::of(&[("a.webm", b"x"), ("a.png", &png(1)), ("empty.mp4", b"")]);
    let mut options = options();
    options.frames.ffmpeg = folder.path().join("no such program");
    let dataset = folder.load(&options).expect("a data set");
    let reasons: Vec<&str> = dataset.skipped.iter().map(|skipped| skipped.reason.as_str()).collect();
    assert!(reasons[0].contains("install ffmpeg") && reasons[1].contains("empty"), "{reasons:?}");
}

#[test]
fn a_made_mask_counts_where_the_user_gave_none_and_a_focus_moves_the_crop() {
    let mask = |level| encoded(&GrayImage::from_pixel(96, 72, Luma([level])).into(), ImageFormat::Png);
    let made = Folder::of(&[("m.png", &mask(100)), ("broken.png", b"?")]);
    let folder = Folder::of(&[
        ("a.png", &png(1)),
        ("a.mask.png", &mask(9)),
        ("b.png", &png(2)),
        ("c.png", &png(3)),
        ("d.png", &png(4)),
    ]);
    let mut options = Options::new(64, Crop::Center);
    for (name, file) in [("a.png", "m.png"), ("b.png", "m.png"), ("c.png", "broken.png")] {
        options.masks.insert(name.into(), made.path().join(file));
    }
    options.focuses.insert("d.png".into(), [0.8, 0.1, 1.0, 0.9]);
    let dataset = folder.load(&options).expect("a data set");
    let level = |i: usize| dataset.photos[i].mask.as_ref().map(|mask| mask.get_pixel(3, 3)[0]);
    assert_eq!([0, 1, 2, 3].map(level), [Some(9), Some(100), None, None]);
    assert!(matches!(&dataset.notes[..], [note] if note.contains("c.png") && note.contains("without a mask")));
    // 96 x 72 becomes 85 x 64.
    assert_eq!(dataset.photos.iter().map(|photo| photo.crop).collect::<Vec<_>>(), [(10, 0), (10, 0), (10, 0), (21, 0)]);
    assert_ne!(dataset.digest(), folder.good().digest(), "a mask is learnt from");
}
