//! The files of a concept: keys that hosts know, and a model that reads them back.

use candle_core::{DType, Device, Tensor};
use diffusion::{
    Checkpoint, Family, Model,
    checkpoint::Architecture,
    clip::TextBatch,
    layer::{Parameters, Precision, Tape},
    lora::{self, Naming, Targets},
    tokenizer::{LENGTH, Tokenizer},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use synthetic::{Random, Stored};

fn model(architecture: &Architecture) -> Model {
    let checkpoint = Checkpoint::of(Arc::new(Random::new(architecture, 2, Stored::F32, 1.0))).expect("a checkpoint");
    Model::load(&checkpoint, &Precision::f32()).expect("a model")
}

/// Adapters on everything that can have one, with arbitrary values.
fn adapted(architecture: &Architecture, alpha: f64) -> (Model, Vec<lora::Site>, Parameters) {
    let mut model = model(architecture);
    let sites = lora::sites(&mut model, &Targets::named("all", true).expect("targets"), 2);
    let values =
        |shape: &[usize]| (0..shape.iter().product()).map(|i: usize| ((i * 37) % 101) as f32 / 1000.0 - 0.05).collect();
    let initial = sites.iter().flat_map(|site| {
        let shapes = [site.down_shape(), site.up_shape()];
        site.names(false)
            .into_iter()
            .zip(shapes)
            .map(|(name, shape)| (name, shape.clone(), values(&shape)))
            .collect::<Vec<_>>()
    });
    let parameters = Parameters::new(initial.collect(), DType::F32, &kernels::Device::Cpu).expect("parameters");
    lora::attach(&mut model, &sites, &parameters, |site| alpha / site.rank as f64).expect("attached");
    (model, sites, parameters)
}

fn predict(model: &Model, family: Family) -> Vec<f32> {
    let ids = Tokenizer::new(&[]).expect("a tokenizer").encode("a red fox").expect("ids");
    let text = model.text.forward(&TextBatch::new(&[ids]), &mut Tape::off()).expect("text");
    let x = Tensor::ones((1, 8, 8, 4), DType::F32, &Device::Cpu).expect("latents");
    let sizes = [64.0; 6];
    let sizes = if family == Family::Sdxl { &sizes[..] } else { &[] };
    let y = model.unet.forward(&x.into(), &[500.0], &text, sizes, &mut Tape::off()).expect("a prediction");
    y.to_vec().expect("f32")
}

#[test]
fn an_exported_lora_reads_back_to_the_same_model() {
    for architecture in [synthetic::tiny_xl(), synthetic::tiny_15()] {
        let family = architecture.family;
        let (trained, sites, parameters) = adapted(&architecture, 1.5);
        let expected = predict(&trained, family);
        assert_ne!(expected, predict(&model(&architecture), family));
        for naming in [Naming::Host, Naming::Diffusers] {
            let tensors = lora::export(&sites, &parameters, 1.5, naming, family).expect("exported");
            assert_eq!(tensors.len(), 3 * sites.len());
            let mut fresh = model(&architecture);
            let _values = lora::apply(&mut fresh, &tensors, 1.0).expect("applied");
            assert_eq!(expected, predict(&fresh, family), "{naming:?}");
            lora::detach(&mut fresh);
            assert_eq!(predict(&model(&architecture), family), predict(&fresh, family));
        }
    }
}

/// Hosts resolve XL's UNet by the checkpoint's own paths, and text encoders by those of transformers.
#[test]
fn keys_for_hosts_are_the_checkpoints_own_paths() {
    let architecture = synthetic::tiny_xl();
    let (_, sites, parameters) = adapted(&architecture, 2.0);
    let tensors = lora::export(&sites, &parameters, 2.0, Naming::Host, Family::Sdxl).expect("exported");
    let layers: BTreeSet<String> = diffusion::checkpoint::tensors(&architecture)
        .into_iter()
        .filter_map(|(key, _)| {
            let path = key.strip_prefix("model.diffusion_model.")?.strip_suffix(".weight")?;
            Some(format!("lora_unet_{}", path.replace('.', "_")))
        })
        .collect();
    let text = |i: usize, layer: usize, name: &str| format!("lora_te{i}_text_model_encoder_layers_{layer}_{name}");
    let mut text_keys = BTreeSet::new();
    for (i, layer) in [(1, 0), (1, 1), (2, 0), (2, 1)] {
        for name in
            ["self_attn_q_proj", "self_attn_k_proj", "self_attn_v_proj", "self_attn_out_proj", "mlp_fc1", "mlp_fc2"]
        {
            text_keys.insert(text(i, layer, name));
        }
    }
    for key in tensors.keys() {
        let (stem, part) = key.split_once('.').expect("a part");
        assert!(layers.contains(stem) || text_keys.remove(stem) || stem.starts_with("lora_te"), "{key}");
        assert!(["lora_down.weight", "lora_up.weight", "alpha"].contains(&part), "{key}");
    }
    assert!(text_keys.is_empty(), "missing {text_keys:?}");
    let conv = &tensors["lora_unet_input_blocks_1_0_out_layers_3.lora_down.weight"];
    assert_eq!(conv.dims(), [2, 32, 3, 3]);
    assert_eq!(tensors["lora_unet_input_blocks_1_0_out_layers_3.lora_up.weight"].dims(), [32, 2, 1, 1]);
    assert_eq!(tensors["lora_unet_input_blocks_1_0_out_layers_3.alpha"].dims(), [0usize; 0]);
}

#[test]
fn a_lora_of_another_base_is_refused_by_key() {
    let architecture = synthetic::tiny_15();
    let (_, sites, parameters) = adapted(&architecture, 2.0);
    let tensors = lora::export(&sites, &parameters, 2.0, Naming::Host, Family::Sd15).expect("exported");
    let refuse = |tensors: &BTreeMap<String, Tensor>| {
        lora::apply(&mut model(&architecture), tensors, 1.0).err().expect("refused").to_string()
    };
    let mut foreign = tensors.clone();
    foreign.insert(
        "lora_unet_nowhere.lora_down.weight".into(),
        Tensor::zeros((2, 2), DType::F32, &Device::Cpu).expect("zeros"),
    );
    assert!(refuse(&foreign).contains("lora_unet_nowhere"));
    let (key, tensor) = tensors.iter().find(|(key, _)| key.ends_with("lora_up.weight")).expect("an up matrix");
    let mut partial = tensors.clone();
    partial.remove(key);
    assert!(refuse(&partial).contains("lora_up.weight"));
    let mut wide = tensors.clone();
    wide.insert(key.clone(), Tensor::cat(&[tensor, tensor], 0).expect("twice as tall"));
    assert!(refuse(&wide).contains("wrong shape"));
}

#[test]
fn targets_choose_layers_by_the_ends_of_their_paths() {
    let mut model = model(&synthetic::tiny_xl());
    let mut count =
        |name: &str, text: bool| lora::sites(&mut model, &Targets::named(name, text).expect("targets"), 4).len();
    // 17 transformer blocks of 8 attention and 2 feed-forward layers in 11 transformers; 17 residual blocks.
    assert_eq!((count("attn", false), count("eden", false)), (136, 153));
    assert_eq!((count("transformer", false), count("transformer", true)), (136 + 34 + 22, 136 + 34 + 22 + 24));
    assert!(Targets::named("most", false).is_err());
    assert_eq!(LENGTH, 77);
}
