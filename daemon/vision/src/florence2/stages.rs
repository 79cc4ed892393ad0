//! Each stage of Florence-2 against the golden cases: tokens, pixels, image vectors, the encoder's view, logits.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::decoder::Decoder;
use super::*;
use crate::load::{self, Alpha};
use crate::resample::{ResampleFilter, resize_rgb};
use crate::runtime;

#[derive(Deserialize)]
struct Cases {
    tokenizer_cases: Vec<Tokens>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Tokens {
    text: String,
    ids: Vec<i64>,
    decoded: String,
}

#[derive(Deserialize)]
struct Case {
    image: String,
    task: String,
    resized_u8_sha256: String,
    pixel_values: Probe,
    input_ids: Vec<i64>,
    image_features: Probe,
    last_hidden_state: Probe,
    first_step_logits: Probe,
    second_step_logits: Probe,
    greedy_ids: Vec<i64>,
}

/// A tensor, told by some of its values and its mean.
#[derive(Deserialize)]
struct Probe {
    shape: Vec<usize>,
    mean: f64,
    index: Vec<usize>,
    value: Vec<f32>,
}

impl Probe {
    fn check(&self, values: &[f32], what: &str) {
        assert_eq!(values.len(), self.shape.iter().product::<usize>(), "{what}");
        for (index, wanted) in self.index.iter().zip(&self.value) {
            assert!((values[*index] - wanted).abs() < 1e-3, "{what}: {} for {wanted}", values[*index]);
        }
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
        assert!((mean - self.mean).abs() < 1e-4, "{what}: mean {mean} for {}", self.mean);
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/captioners")
}

fn cases() -> Cases {
    let text = std::fs::read_to_string(folder().join("florence2/expected.json")).expect("the cases");
    serde_json::from_str(&text).expect("cases")
}

#[test]
fn texts_become_the_same_tokens_and_words_again() {
    let text = Text::open(&folder().join("florence2/tokenizer.json")).expect("the tokenizer opens");
    for case in cases().tokenizer_cases {
        assert_eq!(text.ids(&case.text).expect("tokens"), case.ids, "{:?}", case.text);
        if !case.text.contains("<loc_") {
            assert_eq!(text.words(&case.ids).expect("words"), case.decoded.trim(), "{:?}", case.text);
        }
    }
}

#[test]
fn every_stage_gives_what_the_reference_gives() {
    let library =
        std::env::var_os("ORT_DYLIB_PATH").expect("ORT_DYLIB_PATH names ONNX Runtime; `cargo xtask test` sets it");
    runtime::open(library.as_ref()).expect("ONNX Runtime loads");
    let mut model = Florence2::open(&folder().join("florence2"), Device::Cpu).expect("the model opens");
    for case in cases().cases {
        let name = format!("{} {}", case.image, case.task);
        let picture = load::open(&folder().join("images").join(&case.image), Alpha::Drop).expect("a picture");
        let square = resize_rgb(&picture, 768, 768, ResampleFilter::Bicubic);
        let digest: String = Sha256::digest(square.as_raw()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, case.resized_u8_sha256, "{name}");

        let question = model.text.ids(Task::named(&case.task).expect("a task").prompt()).expect("tokens");
        assert_eq!(question, case.input_ids, "{name}");
        let pixels = prepare::pixels(&picture, model.parts.side);
        case.pixel_values.check(&pixels, &name);
        let image = model.parts.see(pixels).expect("the picture's vectors");
        case.image_features.check(image.floats().expect("floats"), &name);
        let words = model.parts.embed(&question).expect("the question's vectors");
        let hidden = model.parts.encode(image, words).expect("the encoder runs");
        case.last_hidden_state.check(hidden.floats().expect("floats"), &name);

        let parts = &mut model.parts;
        let mut decoder = Decoder::new(&mut parts.decoder, &mut parts.embed, &hidden, 1).expect("a decoder");
        let first = decoder.next(&[0], &case.greedy_ids[..1]).expect("the first step");
        case.first_step_logits.check(&first, &name);
        let second = decoder.next(&[0], &case.greedy_ids[1..2]).expect("the second step");
        case.second_step_logits.check(&second, &name);
    }
}
