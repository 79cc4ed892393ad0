//! BLIP gives the tokens and the captions that transformers gives, and refuses what is no BLIP.

mod published;

use std::fs;

use candle_core::Device;
use image::RgbImage;
use serde::Deserialize;
use vision::blip::{Blip, BlipOptions};
use vision::{Captioner, Error};

use published::{copy, damaged, edit, folder, picture};

#[derive(Deserialize)]
struct Expected {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    size: (u32, u32),
    prefix: String,
    no_repeat: usize,
    max_new: usize,
    ids: Vec<u32>,
    text: String,
}

#[test]
fn tokens_and_captions_are_those_of_transformers() {
    let folder = folder("blip");
    let expected: Expected = published::expected("blip");
    assert!(expected.cases.len() >= 16);
    let mut blip = Blip::open(&folder, &Device::Cpu).expect("a sound model");
    for case in expected.cases {
        let options = BlipOptions { prefix: case.prefix, max_new: case.max_new, no_repeat: case.no_repeat };
        blip = blip.with_options(options.clone());
        let picture = picture(case.size);
        let ids = blip.ids(&picture).expect("tokens");
        assert_eq!(ids, case.ids, "{:?} {options:?}", case.size);
        assert_eq!(blip.text(&ids).expect("text"), case.text.trim());
        let caption = blip.caption(&picture).expect("a caption").map(|caption| caption.text);
        assert_eq!(caption, Some(case.text.trim().to_owned()).filter(|text| !text.is_empty()));
    }
}

#[test]
fn a_caption_ends_where_the_model_has_no_more_places() {
    let blip = Blip::open(&folder("blip"), &Device::Cpu).expect("a sound model");
    let options = BlipOptions { max_new: usize::MAX >> 1, no_repeat: 0, ..BlipOptions::default() };
    let mut blip = blip.with_options(options);
    let longest = [(64, 96), (333, 257), (7, 5)].map(|size| blip.ids(&picture(size)).expect("tokens").len());
    assert!(longest.iter().all(|length| *length <= 48), "{longest:?}");
    assert!(longest.contains(&48), "{longest:?}");
}

#[test]
fn a_prefix_beyond_all_places_is_refused() {
    let blip = Blip::open(&folder("blip"), &Device::Cpu).expect("a sound model");
    let options = BlipOptions { prefix: "a cat ".repeat(40), ..BlipOptions::default() };
    let error = blip.with_options(options).ids(&picture((8, 8))).expect_err("too long");
    assert!(matches!(error, Error::Model { .. }) && error.to_string().contains("81 tokens"), "{error}");
}

#[test]
fn fields_with_defaults_may_be_missing_and_wrong_ones_are_named() {
    let whole = folder("blip");
    for (field, value, said) in [
        ("/text_config/num_attention_heads", "0", "num_attention_heads` is 0"),
        ("/text_config/num_attention_heads", "5", "does not divide hidden_size (32)"),
        ("/text_config/hidden_size", "1000000000000", "hidden_size` is 1000000000000"),
        ("/text_config/vocab_size", "-3", "vocab_size` is -3"),
        ("/text_config/hidden_act", "\"swish\"", "hidden_act` is `swish`"),
        ("/text_config/bos_token_id", "120", "bos_token_id` is 120"),
        ("/text_config/max_position_embeddings", "64", "position_embeddings.weight"),
        ("/vision_config/patch_size", "0", "patch_size` is 0"),
        ("/vision_config/patch_size", "7", "does not divide image_size (48)"),
        ("/vision_config/layer_norm_eps", "\"x\"", "layer_norm_eps"),
        ("/vision_config", "[]", "vision_config` is no object"),
        ("/model_type", "\"clip\"", "model_type` is `clip`"),
    ] {
        let copy = copy(&whole);
        edit(copy.path(), field, value);
        let error =
            Blip::open(copy.path(), &Device::Cpu).err().unwrap_or_else(|| panic!("{field} = {value} was taken"));
        assert!(matches!(error, Error::Model { .. }) && error.to_string().contains(said), "{field}: {error}");
    }
    let copy = copy(&whole);
    edit(copy.path(), "/text_config/layer_norm_eps", "null");
    edit(copy.path(), "/vision_config/layer_norm_eps", "null");
    edit(copy.path(), "/text_config/hidden_act", "null");
    edit(copy.path(), "/text_config/encoder_hidden_size", "768");
    let mut blip = Blip::open(copy.path(), &Device::Cpu).expect("defaults");
    let mut as_given = Blip::open(&whole, &Device::Cpu).expect("a sound model");
    let picture = picture((40, 40));
    assert_eq!(blip.ids(&picture).expect("tokens"), as_given.ids(&picture).expect("tokens"));
}

#[test]
fn a_picture_without_pixels_is_refused() {
    let mut blip = Blip::open(&folder("blip"), &Device::Cpu).expect("a sound model");
    assert!(matches!(blip.caption(&RgbImage::new(0, 3)), Err(Error::Picture { .. })));
}

#[test]
fn a_missing_file_is_named() {
    for name in ["model.safetensors", "config.json", "tokenizer.json"] {
        let copy = copy(&folder("blip"));
        fs::remove_file(copy.path().join(name)).expect("removed");
        let error = Blip::open(copy.path(), &Device::Cpu).err().expect("a file is missing");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn damaged_files_give_errors_and_no_panics() {
    let picture = picture((40, 40));
    let (mut refused, mut taken) = (0, 0);
    for copy in damaged("blip") {
        match Blip::open(copy.path(), &Device::Cpu) {
            Ok(mut blip) => {
                drop(blip.caption(&picture));
                taken += 1;
            }
            Err(error) => {
                assert!(matches!(error, Error::Model { .. }), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > taken, "{refused} {taken}");
}
