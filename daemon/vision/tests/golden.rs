//! WD14 taggers and Florence-2 on tiny random models of their exact contracts, against Python: onnxruntime, Pillow, OpenCV and
//! transformers' `generate` (`tests/captioners`).

mod runtime;

use std::path::PathBuf;

use image::RgbImage;
use runtime::{cases, golden, load, open};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use vision::florence2::{Florence2, Options as Asked, Task};
use vision::load::Alpha;
use vision::runtime::Device;
use vision::wd14::{Manner, Options, Seen, Wd14, escape, tags_beside};
use vision::{Captioner, Tag};

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bgr(picture: &RgbImage) -> Vec<u8> {
    picture.pixels().flat_map(|pixel| [pixel.0[2], pixel.0[1], pixel.0[0]]).collect()
}

#[derive(Deserialize)]
struct TaggerCases {
    cases: Vec<TaggerCase>,
}

#[derive(Deserialize)]
struct TaggerCase {
    image: String,
    space: Prepared<Chosen>,
    kohya: Prepared<Nothing>,
    comfy: Prepared<Nothing>,
}

#[derive(Deserialize)]
struct Prepared<T> {
    probs: Vec<f32>,
    u8_sha256: String,
    #[serde(flatten)]
    chosen: T,
}

#[derive(Deserialize)]
struct Nothing {}

#[derive(Deserialize)]
struct Chosen {
    rating: String,
    general: Vec<(String, f32)>,
    character: Vec<(String, f32)>,
    mcut_general_tags: Vec<String>,
    mcut_character_tags: Vec<String>,
    caption_space: String,
    caption_character_first: String,
    caption_escaped: String,
    caption_kohya_csv_order: String,
}

fn tagger(options: Options) -> Wd14 {
    open();
    let model = cases().join("wd14/model.onnx");
    Wd14::open(&model, &tags_beside(&model), Device::Cpu).expect("the tagger opens").with(options)
}

/// How far probabilities may lie apart: decoders of JPEG differ by a few levels.
fn tolerance(image: &str) -> f32 {
    if image.ends_with(".jpg") { 2e-2 } else { 1e-4 }
}

fn assert_near(got: &[f32], wanted: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), wanted.len(), "{what}");
    let apart = got.iter().zip(wanted).map(|(got, wanted)| (got - wanted).abs()).fold(0.0, f32::max);
    assert!(apart <= tolerance, "{what}: {apart} apart");
}

fn names(tags: &[Tag]) -> Vec<&str> {
    tags.iter().map(|tag| tag.name.as_str()).collect()
}

fn words(tags: &[Tag]) -> Vec<String> {
    tags.iter().map(|tag| Manner::Space.words(&tag.name)).collect()
}

#[test]
fn pictures_are_prepared_to_the_bit_in_each_manner_and_give_the_same_probabilities() {
    let all: TaggerCases = load(&cases().join("wd14/expected.json"));
    for manner in [Manner::Space, Manner::Kohya, Manner::Comfy] {
        let mut tagger = tagger(Options::of(manner));
        for case in &all.cases {
            let name = format!("{} {manner:?}", case.image);
            let picture = golden(&cases(), &cases().join("wd14"), &case.image, manner.alpha());
            let (probs, sha) = match manner {
                Manner::Space => (&case.space.probs, &case.space.u8_sha256),
                Manner::Kohya => (&case.kohya.probs, &case.kohya.u8_sha256),
                Manner::Comfy => (&case.comfy.probs, &case.comfy.u8_sha256),
            };
            if !case.image.ends_with(".jpg") {
                assert_eq!(&sha256(&bgr(&manner.prepare(&picture, tagger.side()))), sha, "{name}");
            }
            let seen = tagger.see(&picture).expect("the tagger runs");
            assert_near(&seen.probabilities, probs, tolerance(&case.image), &name);
        }
    }
}

fn assert_same_tags(got: &[Tag], wanted: &[(String, f32)], tolerance: f32, what: &str) {
    assert_eq!(names(got), wanted.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), "{what}");
    let scores: Vec<f32> = got.iter().map(|tag| tag.score).collect();
    assert_near(&scores, &wanted.iter().map(|(_, score)| *score).collect::<Vec<_>>(), tolerance, what);
}

#[test]
fn the_same_tags_are_chosen_and_worded_as_in_python() {
    let all: TaggerCases = load(&cases().join("wd14/expected.json"));
    let (mut usual, mut widest) = (tagger(Options::default()), tagger(Options::widest_gap()));
    for case in &all.cases {
        let picture = golden(&cases(), &cases().join("wd14"), &case.image, Alpha::White);
        let (name, wanted) = (&case.image, &case.space.chosen);
        let seen: Seen = usual.see(&picture).expect("the tagger runs");
        assert_eq!(seen.rating.as_ref().map(|tag| &tag.name), Some(&wanted.rating), "{name}");
        assert_same_tags(&seen.general, &wanted.general, tolerance(name), name);
        assert_same_tags(&seen.character, &wanted.character, tolerance(name), name);
        assert_eq!(words(&seen.general).join(", "), wanted.caption_space, "{name}");
        let caption = usual.caption(&picture).expect("the tagger runs").expect("it is sure of something");
        assert_eq!(caption.text, wanted.caption_character_first, "{name}");
        assert_eq!(escape(&caption.text), wanted.caption_escaped, "{name}");
        let seen = widest.see(&picture).expect("the tagger runs");
        assert_eq!(names(&seen.general), wanted.mcut_general_tags, "{name}");
        assert_eq!(names(&seen.character), wanted.mcut_character_tags, "{name}");
    }
}

#[test]
fn kohyas_captions_are_in_the_order_of_the_list() {
    let all: TaggerCases = load(&cases().join("wd14/expected.json"));
    // The cases' captions were made with the pictures and the thresholds of the author's page.
    let mut tagger = tagger(Options::default());
    for case in &all.cases {
        let picture = golden(&cases(), &cases().join("wd14"), &case.image, Alpha::White);
        let seen = tagger.see(&picture).expect("the tagger runs");
        let words: Vec<String> = seen.in_order.iter().map(|tag| Manner::Kohya.words(&tag.name)).collect();
        assert_eq!(words.join(", "), case.space.chosen.caption_kohya_csv_order, "{}", case.image);
    }
}

#[derive(Deserialize)]
struct FlorenceCases {
    max_new_tokens: usize,
    cases: Vec<FlorenceCase>,
}

#[derive(Deserialize)]
struct FlorenceCase {
    image: String,
    task: String,
    greedy_ids: Vec<i64>,
    greedy_text: String,
    plain_greedy_ids: Vec<i64>,
    plain_greedy_text: String,
    beam3_ids: Vec<i64>,
    beam3_score: f32,
    beam3_text: String,
}

fn folder() -> PathBuf {
    cases().join("florence2")
}

#[test]
fn florence_says_token_for_token_what_transformers_says() {
    open();
    let all: FlorenceCases = load(&folder().join("expected.json"));
    let mut florence = Florence2::open(&folder(), Device::Cpu).expect("the model opens");
    for case in &all.cases {
        let name = format!("{} {}", case.image, case.task);
        let picture = golden(&cases(), &folder(), &case.image, Alpha::Drop);
        let task = Task::named(&case.task).expect("a task");
        let greedy = Asked { task, beams: 1, max_tokens: all.max_new_tokens };
        let said = florence.describe(&picture, &greedy).expect("the model runs");
        assert_eq!((&said.ids, &said.text), (&case.greedy_ids, &case.greedy_text), "{name}");

        let mut plain = florence.rules(&greedy);
        (plain.first, plain.no_repeat) = (None, 0);
        let said = florence.describe_by(&picture, task, &plain).expect("the model runs");
        assert_eq!((&said.ids, &said.text), (&case.plain_greedy_ids, &case.plain_greedy_text), "{name}");

        let said = florence.describe(&picture, &Asked { beams: 3, ..greedy }).expect("the model runs");
        assert_eq!((&said.ids, &said.text), (&case.beam3_ids, &case.beam3_text), "{name}");
        let score = said.score.expect("beams have a score");
        assert!((score - case.beam3_score).abs() < 1e-4, "{name}: {score} for {}", case.beam3_score);
    }
}

#[test]
fn a_caption_stops_between_two_tokens_when_the_caller_wants_it() {
    open();
    let steps = std::sync::atomic::AtomicUsize::new(0);
    let stop = move || steps.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= 3;
    let mut florence = Florence2::open(&folder(), Device::Cpu).expect("the model opens").until(stop);
    let error = florence.caption(&RgbImage::new(64, 64)).expect_err("it was cancelled");
    assert!(matches!(error, vision::Error::Cancelled), "{error}");
}

#[test]
fn models_of_16_bit_floats_say_the_same_where_nothing_is_close() {
    open();
    let all: FlorenceCases = load(&folder().join("expected.json"));
    // No rules are in the folder: Florence-2's own hold.
    let mut florence = Florence2::open(&cases().join("florence2_fp16"), Device::Cpu).expect("the model opens");
    let wide = |case: &&FlorenceCase| case.image == "faces_640x480.png" && case.task != "<MORE_DETAILED_CAPTION>";
    let wide: Vec<&FlorenceCase> = all.cases.iter().filter(wide).collect();
    assert_eq!(wide.len(), 2);
    for case in wide {
        let picture = golden(&cases(), &folder(), &case.image, Alpha::Drop);
        let task = Task::named(&case.task).expect("a task");
        let asked = |beams| Asked { task, beams, max_tokens: all.max_new_tokens };
        let greedy = florence.describe(&picture, &asked(1)).expect("the model runs");
        assert_eq!(greedy.ids, case.greedy_ids, "{}", case.task);
        let beams = florence.describe(&picture, &asked(3)).expect("the model runs");
        assert_eq!(beams.ids, case.beam3_ids, "{}", case.task);
    }
}
