//! Opening files: what is detected, what is refused, and in which words.

use candle_core::{DType, Device, Tensor};
use diffusion::{
    Checkpoint, Error, Model, Vae,
    checkpoint::{Architecture, Overrides, Prediction, Source},
    layer::Precision,
    tensorfile,
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use synthetic::{Random, Stored};
use tempfile::TempDir;

type Tensors = BTreeMap<String, Tensor>;
type Keys<'a> = &'a [(&'a str, &'a [usize])];

/// Every tensor of a tiny checkpoint, zeros in place of the large token tables.
fn tiny(architecture: &Architecture) -> Tensors {
    let random = Random::new(architecture, 1, Stored::F16, 1.0);
    let tensor = |key: &str| {
        let info = random.info(key).expect("listed");
        match key.ends_with("token_embedding.weight") {
            true => Tensor::zeros(info.shape.as_slice(), DType::F16, &Device::Cpu).expect("zeros"),
            false => random.tensor(key).expect("random"),
        }
    };
    random.keys().into_iter().map(|key| (key.to_owned(), tensor(key))).collect()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, tensors: &Tensors, metadata: &[(&str, &str)]) -> PathBuf {
        let metadata = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.write_bytes(&tensorfile::serialize(tensors, &metadata).expect("serialised"))
    }

    fn write_bytes(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join("file with ümlauts.safetensors");
        fs::write(&path, bytes).expect("written");
        path
    }

    /// What opening a file with these (empty) tensors says.
    fn refusal(&self, keys: Keys) -> String {
        let tensor = |shape: &[usize]| Tensor::zeros(shape, DType::F16, &Device::Cpu).expect("zeros");
        refusal(&self.write(&keys.iter().map(|(key, shape)| ((*key).to_owned(), tensor(shape))).collect(), &[]))
    }
}

fn open(path: &Path) -> Result<Checkpoint, Error> {
    Checkpoint::open(path, Overrides::default())
}

fn refusal(path: &Path) -> String {
    match open(path) {
        Ok(_) => panic!("this file should have been refused"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn sizes_are_detected_from_shapes() {
    let folder = Folder::new();
    for wanted in [synthetic::tiny_xl(), synthetic::tiny_15()] {
        let mut tensors = tiny(&wanted);
        tensors.insert("model_ema.decay".into(), Tensor::new(0.5f32, &Device::Cpu).expect("an extra"));
        let checkpoint = open(&folder.write(&tensors, &[])).expect("a checkpoint");
        assert_eq!(*checkpoint.architecture(), wanted);
        Model::load(&checkpoint, &Precision::f32()).expect("a model");
        Vae::load(&checkpoint, &kernels::Device::Cpu).expect("a VAE");
    }
}

#[test]
fn the_published_sizes_have_the_published_tensors() {
    // Counts of the published files, two constants (position ids, logit scale) aside.
    assert_eq!(diffusion::checkpoint::tensors(&synthetic::sdxl()).len(), 2515 - 2);
    assert_eq!(diffusion::checkpoint::tensors(&synthetic::sd15()).len(), 1131 - 1);
    let values = |a: &Architecture| -> usize {
        let unet =
            diffusion::checkpoint::tensors(a).into_iter().filter(|(key, _)| key.starts_with("model.diffusion_model."));
        unet.map(|(_, shape)| shape.iter().product::<usize>()).sum()
    };
    assert_eq!((values(&synthetic::sdxl()), values(&synthetic::sd15())), (2_567_463_684, 859_520_964));
}

#[test]
fn prediction_comes_from_markers_metadata_or_the_user() {
    let folder = Folder::new();
    let tensors = tiny(&synthetic::tiny_xl());
    let detected = |markers: &[&str], metadata: &[(&str, &str)]| {
        let mut tensors = tensors.clone();
        for marker in markers {
            tensors.insert((*marker).to_owned(), Tensor::new(80f32, &Device::Cpu).expect("a marker"));
        }
        open(&folder.write(&tensors, metadata)).expect("a checkpoint").architecture().prediction
    };
    let velocity = |zero_terminal_snr| Prediction::Velocity { zero_terminal_snr };
    assert_eq!(detected(&[], &[]), Prediction::Epsilon);
    assert_eq!(detected(&["v_pred"], &[]), velocity(false));
    assert_eq!(detected(&["v_pred", "ztsnr"], &[]), velocity(true));
    assert_eq!(detected(&["edm_vpred.sigma_max"], &[]), velocity(true));
    assert_eq!(detected(&[], &[("modelspec.prediction_type", "v")]), velocity(false));
    assert_eq!(detected(&[], &[("modelspec.prediction_type", "epsilon")]), Prediction::Epsilon);
    let path = folder.write(&tensors, &[]);
    let overrides = Overrides { prediction: Some(velocity(true)), ..Overrides::default() };
    assert_eq!(Checkpoint::open(&path, overrides).expect("a checkpoint").architecture().prediction, velocity(true));
}

#[test]
fn a_file_cut_anywhere_is_called_truncated() {
    let folder = Folder::new();
    let bytes = tensorfile::serialize(&tiny(&synthetic::tiny_15()), &BTreeMap::new()).expect("serialised");
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let cuts = [
        9,
        100,
        header / 2,
        header - 1,
        header,
        header + 1,
        bytes.len() / 3,
        bytes.len() / 2,
        bytes.len() - 1000,
        bytes.len() - 1,
    ];
    for cut in cuts {
        let message = refusal(&folder.write_bytes(&bytes[..cut]));
        assert!(message.contains("truncated") && message.contains(&cut.to_string()), "cut at {cut}: {message}");
    }
}

#[test]
fn damaged_tensors_are_named() {
    let folder = Folder::new();
    let whole = tiny(&synthetic::tiny_15());
    let key = "model.diffusion_model.middle_block.1.proj_in.weight";

    let mut tensors = whole.clone();
    tensors.remove(key);
    let message = refusal(&folder.write(&tensors, &[]));
    assert!(message.contains(key) && message.contains("lacks 1 tensors"), "{message}");

    tensors.insert(key.into(), Tensor::zeros((3, 3), DType::F16, &Device::Cpu).expect("zeros"));
    let message = refusal(&folder.write(&tensors, &[]));
    assert!(message.contains(key) && message.contains("[3, 3]"), "{message}");

    // As in fp8 and quantised files, a type that is no float: refused on opening, not when the first such tensor is read.
    tensors.insert(key.into(), whole[key].to_dtype(DType::I64).expect("integers"));
    let message = refusal(&folder.write(&tensors, &[]));
    assert!(message.contains(key) && message.contains("I64") && message.contains("fp16"), "{message}");

    for bad in [f32::NAN, f32::INFINITY] {
        let shape = whole[key].dims();
        let damaged = (Tensor::ones(shape, DType::F32, &Device::Cpu).expect("ones") * f64::from(bad)).expect("scaled");
        tensors.insert(key.into(), damaged.to_dtype(DType::F16).expect("half"));
        let checkpoint = open(&folder.write(&tensors, &[])).expect("its shapes are right");
        let message = Model::load(&checkpoint, &Precision::f32()).err().expect("its values are not").to_string();
        assert!(message.contains(key) && message.contains("not finite"), "{message}");
    }
}

#[test]
fn other_models_are_refused_by_name() {
    let folder = Folder::new();
    let unet = ("model.diffusion_model.input_blocks.0.0.weight", &[32, 4, 3, 3][..]);
    let cases: &[(&str, Keys)] = &[
        ("SDXL refiner", &[unet, ("conditioner.embedders.0.model.ln_final.weight", &[8])]),
        (
            "inpainting",
            &[
                ("model.diffusion_model.input_blocks.0.0.weight", &[32, 9, 3, 3]),
                ("cond_stage_model.transformer.x", &[1]),
            ],
        ),
        (
            "InstructPix2Pix",
            &[
                ("model.diffusion_model.input_blocks.0.0.weight", &[32, 8, 3, 3]),
                ("cond_stage_model.transformer.x", &[1]),
            ],
        ),
        ("Stable Diffusion 2", &[unet, ("cond_stage_model.model.ln_final.weight", &[8])]),
        ("Stable Diffusion 3", &[("model.diffusion_model.joint_blocks.0.context_block.attn.qkv.weight", &[8, 8])]),
        ("Flux", &[("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", &[8, 8])]),
        ("Flux", &[("double_blocks.0.img_attn.qkv.weight", &[8, 8])]),
        ("LoRA", &[("lora_unet_input_blocks_4_1_proj_in.lora_down.weight", &[4, 8])]),
        ("LoRA", &[("unet.down_blocks.0.attn1.to_q.lora_A.weight", &[4, 8])]),
        ("text embedding", &[("clip_l", &[3, 8]), ("clip_g", &[3, 8])]),
        ("text embedding", &[("emb_params", &[3, 8])]),
        ("VAE", &[("encoder.conv_in.weight", &[8, 3, 3, 3]), ("decoder.conv_in.weight", &[8, 4, 3, 3])]),
        (
            "diffusers' layout",
            &[("down_blocks.0.resnets.0.conv1.weight", &[8]), ("up_blocks.0.x", &[8]), ("conv_in.weight", &[8])],
        ),
        ("text encoder", &[("text_model.encoder.layers.0.mlp.fc1.weight", &[8, 8])]),
        ("Playground 2.5", &[unet, ("edm_mean", &[1, 4, 1, 1]), ("edm_std", &[1, 4, 1, 1])]),
        ("ControlNet", &[("control_model.input_blocks.0.0.weight", &[8, 4, 3, 3])]),
        ("without its text encoders", &[unet]),
        ("not a Stable Diffusion checkpoint", &[("linear.weight", &[8, 8])]),
    ];
    for (name, keys) in cases {
        let message = folder.refusal(keys);
        assert!(message.contains(name) && message.contains("ümlauts"), "{name}: {message}");
    }
}

#[test]
fn other_kinds_of_file_are_refused_by_name() {
    let folder = Folder::new();
    let cases: &[(&str, &[u8])] = &[
        ("empty", b""),
        ("pickle", b"PK\x03\x04rest of a zip"),
        ("pickle", b"\x80\x02}q\x00"),
        ("GGUF", b"GGUF\x03\x00\x00\x00"),
        ("web page", b"<!DOCTYPE html><html>"),
        ("Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:0"),
        ("not a safetensors file", b"hello"),
        ("not a safetensors file", &[0xff; 64]),
        ("header is damaged", b"\x10\x00\x00\x00\x00\x00\x00\x00{\"a\": nonsense!!"),
    ];
    for (name, bytes) in cases {
        let message = refusal(&folder.write_bytes(bytes));
        assert!(message.contains(name), "{name}: {message}");
    }
    assert!(refusal(folder.0.path()).contains("folder"));
    assert!(refusal(&folder.0.path().join("absent.safetensors")).contains("absent"));
}

#[test]
fn parts_of_different_models_are_a_contradiction() {
    let folder = Folder::new();
    let mut tensors = tiny(&synthetic::tiny_15());
    for (key, tensor) in tiny(&Architecture {
        clip_l: diffusion::checkpoint::ClipDims { hidden: 128, layers: 2, mlp: 512, projection: None },
        ..synthetic::tiny_15()
    }) {
        if key.starts_with("cond_stage_model.") {
            tensors.insert(key, tensor);
        }
    }
    let message = refusal(&folder.write(&tensors, &[]));
    assert!(message.contains("width 64") && message.contains("write 128"), "{message}");
}

#[test]
fn a_vae_file_takes_the_place_of_the_checkpoints_own() {
    let folder = Folder::new();
    let vae_folder = Folder::new();
    let own = tiny(&synthetic::tiny_xl());
    let other = tiny(&Architecture {
        vae: diffusion::checkpoint::VaeDims { widths: vec![64, 32, 32, 64], res_blocks: 2 },
        ..synthetic::tiny_xl()
    });
    let path = folder.write(&own, &[]);
    for prefix in ["first_stage_model.", ""] {
        let part = other.iter().filter_map(|(key, tensor)| {
            let bare = key.strip_prefix("first_stage_model.")?;
            Some((format!("{prefix}{bare}"), tensor.clone()))
        });
        let vae = vae_folder.write(&part.collect(), &[]);
        let overrides = Overrides { vae: Some(&vae), ..Overrides::default() };
        let checkpoint = Checkpoint::open(&path, overrides).expect("a checkpoint");
        assert_eq!(checkpoint.architecture().vae.widths, [64, 32, 32, 64]);
        Vae::load(&checkpoint, &kernels::Device::Cpu).expect("the other VAE");
    }
    let overrides = Overrides { vae: Some(&path), ..Overrides::default() };
    assert!(Checkpoint::open(&path, overrides).is_ok(), "a whole checkpoint serves as a VAE file too");
    let diffusers = vae_folder.write_bytes(
        &tensorfile::serialize(
            &[(
                "encoder.down_blocks.0.resnets.0.conv1.weight".to_owned(),
                Tensor::zeros(1, DType::F16, &Device::Cpu).expect("zero"),
            )]
            .into(),
            &BTreeMap::new(),
        )
        .expect("serialised"),
    );
    let message = Checkpoint::open(&path, Overrides { vae: Some(&diffusers), ..Overrides::default() })
        .err()
        .expect("refused")
        .to_string();
    assert!(message.contains("diffusers' layout"), "{message}");
}
