//! CLIP and DINOv2 give the embeddings that transformers gives, and refuse what they can't be made of.

mod published;

use candle_core::Device;
use image::RgbImage;
use serde::Deserialize;
use vision::Error;
use vision::likeness::{ClipImage, ClipScorer, Dinov2, Embedder, cosine};

use published::{copy, damaged, edit, expected, folder, picture};

#[derive(Deserialize)]
struct Expected {
    images: Vec<Image>,
    #[serde(default)]
    texts: Vec<Text>,
}

#[derive(Deserialize)]
struct Image {
    size: (u32, u32),
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    embedding: Vec<f32>,
}

fn assert_near(mine: &[f32], theirs: &[f32], what: &str) {
    assert_eq!(mine.len(), theirs.len());
    let worst = mine.iter().zip(theirs).map(|(mine, theirs)| (mine - theirs).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-4, "{what}: {worst}");
    assert!((mine.iter().map(|value| value * value).sum::<f32>() - 1.0).abs() < 1e-5);
}

#[test]
fn clip_sees_pictures_as_transformers_does() {
    let expected: Expected = expected("clip");
    let mut clip = ClipImage::open(&folder("clip"), &Device::Cpu).expect("a sound model");
    for case in &expected.images {
        assert_near(
            &clip.embed(&picture(case.size)).expect("an embedding"),
            &case.embedding,
            &format!("{:?}", case.size),
        );
    }
    let (one, other) = (&expected.images[0].embedding, &expected.images[1].embedding);
    assert!(cosine(one, other) < 0.999, "the cases are too much alike to show anything");
}

#[test]
fn clip_reads_texts_as_transformers_does() {
    let expected: Expected = expected("clip");
    let mut clip = ClipScorer::open(&folder("clip"), &Device::Cpu).expect("a sound model");
    for case in &expected.texts {
        assert_near(&clip.text(&case.text).expect("an embedding"), &case.embedding, &case.text);
    }
    let (image, text) = (&expected.images[0], &expected.texts[1]);
    let score = clip.score(&picture(image.size), &text.text).expect("a score");
    assert!((score - cosine(&image.embedding, &text.embedding)).abs() < 1e-4);
    assert_near(&clip.embed(&picture(image.size)).expect("an embedding"), &image.embedding, "through the scorer");
}

#[test]
fn dinov2_sees_pictures_as_transformers_does() {
    let expected: Expected = expected("dinov2");
    let mut dinov2 = Dinov2::open(&folder("dinov2"), &Device::Cpu).expect("a sound model");
    for case in &expected.images {
        assert_near(
            &dinov2.embed(&picture(case.size)).expect("an embedding"),
            &case.embedding,
            &format!("{:?}", case.size),
        );
    }
    let (one, other) = (&expected.images[0].embedding, &expected.images[1].embedding);
    assert!(cosine(one, other) < 0.999, "the cases are too much alike to show anything");
}

#[test]
fn a_picture_without_pixels_is_refused_and_one_of_a_single_pixel_taken() {
    let clip = ClipImage::open(&folder("clip"), &Device::Cpu).expect("a sound model");
    let dinov2 = Dinov2::open(&folder("dinov2"), &Device::Cpu).expect("a sound model");
    let mut both: [Box<dyn Embedder>; 2] = [Box::new(clip), Box::new(dinov2)];
    for model in &mut both {
        for size in [(0, 0), (0, 5), (5, 0)] {
            let error = model.embed(&RgbImage::new(size.0, size.1)).expect_err("no pixels");
            assert!(matches!(error, Error::Picture { .. }), "{error}");
        }
        assert!(model.embed(&RgbImage::new(1, 1)).is_ok());
        assert!(model.embed(&RgbImage::new(1, 30_000)).is_ok());
    }
}

#[test]
fn a_clip_that_is_built_otherwise_is_refused() {
    for (field, value, said) in [
        ("/text_config/hidden_act", "\"gelu\"", "only `quick_gelu`"),
        ("/text_config/layer_norm_eps", "0.01", "layer_norm_eps` is 0.01"),
        ("/text_config/num_attention_heads", "0", "num_attention_heads` is 0"),
        ("/text_config/vocab_size", "100", "token_embedding.weight"),
        ("/projection_dim", "0", "projection_dim` is 0"),
        ("/projection_dim", "13", "visual_projection.weight"),
        ("/vision_config/num_channels", "1", "num_channels` is 1"),
        ("/vision_config/num_hidden_layers", "65", "num_hidden_layers` is 65"),
        ("/vision_config/image_size", "64", "position_embedding.weight"),
        ("/model_type", "\"siglip\"", "model_type` is `siglip`"),
    ] {
        let copy = copy(&folder("clip"));
        edit(copy.path(), field, value);
        let error =
            ClipScorer::open(copy.path(), &Device::Cpu).err().unwrap_or_else(|| panic!("{field} = {value} was taken"));
        assert!(matches!(error, Error::Model { .. }) && error.to_string().contains(said), "{field}: {error}");
    }
}

#[test]
fn a_dinov2_that_is_built_otherwise_is_refused() {
    for (field, value, said) in [
        ("/use_swiglu_ffn", "true", "use_swiglu_ffn` is true"),
        ("/model_type", "\"dinov2_with_registers\"", "model_type` is `dinov2_with_registers`"),
        ("/mlp_ratio", "4", "mlp.fc1.weight"),
        ("/patch_size", "49", "does not divide 224"),
        ("/num_attention_heads", "7", "does not divide hidden_size"),
    ] {
        let copy = copy(&folder("dinov2"));
        edit(copy.path(), field, value);
        let error =
            Dinov2::open(copy.path(), &Device::Cpu).err().unwrap_or_else(|| panic!("{field} = {value} was taken"));
        assert!(matches!(error, Error::Model { .. }) && error.to_string().contains(said), "{field}: {error}");
    }
}

#[test]
fn damaged_files_give_errors_and_no_panics() {
    let picture = picture((40, 40));
    let (mut refused, mut taken) = (0, 0);
    for copy in damaged("clip") {
        match ClipScorer::open(copy.path(), &Device::Cpu) {
            Ok(mut clip) => {
                drop(clip.score(&picture, "a cat"));
                taken += 1;
            }
            Err(_) => refused += 1,
        }
    }
    for copy in damaged("dinov2") {
        match Dinov2::open(copy.path(), &Device::Cpu) {
            Ok(mut dinov2) => {
                drop(dinov2.embed(&picture));
                taken += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > taken, "{refused} {taken}");
}
