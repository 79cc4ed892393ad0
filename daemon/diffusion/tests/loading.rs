//! Weights straight from a mapped file beside weights by way of tensors of the stored type.

use candle_core::DType;
use diffusion::{
    Checkpoint, Conditioning, Model,
    checkpoint::{MappedFile, Source, TensorInfo},
    layer::{Precision, Tape},
};
use kernels::{Device, Tensor};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    sync::Arc,
    time::Instant,
};
use synthetic::{Random, Stored};

/// A file whose bytes nobody sees.
struct Hidden(MappedFile);

impl Source for Hidden {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn info(&self, key: &str) -> Option<&TensorInfo> {
        self.0.info(key)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys()
    }

    fn metadata(&self, key: &str) -> Option<&str> {
        self.0.metadata(key)
    }

    fn tensor(&self, key: &str) -> diffusion::Result<candle_core::Tensor> {
        self.0.tensor(key)
    }
}

fn model(path: &Path, hidden: bool, frozen: DType) -> Model {
    let file = MappedFile::open(path).expect("a file");
    let source: Arc<dyn Source> = if hidden { Arc::new(Hidden(file)) } else { Arc::new(file) };
    let precision = Precision { frozen, ..Precision::f32() };
    Model::load(&Checkpoint::of(source).expect("a checkpoint"), &precision).expect("a model")
}

#[test]
fn both_ways_give_the_same_model() {
    let folder = tempfile::tempdir().expect("a folder");
    for stored in [Stored::F16, Stored::F32] {
        let path = folder.path().join("tiny.safetensors");
        let mut out = BufWriter::new(File::create(&path).expect("created"));
        Random::new(&synthetic::tiny_15(), 5, stored, 1.0).write(&mut out).expect("written");
        out.flush().expect("flushed");
        for frozen in [DType::F32, DType::BF16] {
            let predict = |hidden: bool| -> Vec<f32> {
                let model = model(&path, hidden, frozen);
                let width = model.text.encoders().map(|(_, encoder)| encoder.width()).sum::<usize>();
                let context = Tensor::ones((1, 77, width), DType::F32, &Device::Cpu).expect("a context");
                let x = Tensor::ones((1, 16, 16, 4), DType::F32, &Device::Cpu).expect("latents");
                let text = Conditioning { context, pooled: None };
                let predicted = model.unet.forward(&x, &[300.0], &text, &[], &mut Tape::off());
                predicted.and_then(|p| Ok(p.to_vec()?)).expect("a prediction")
            };
            assert_eq!(predict(false), predict(true), "{stored:?} {frozen:?}");
        }
    }
}

/// Run with `CHECKPOINT=file ... --ignored --nocapture` on a quiet machine, the file in the system's cache.
#[test]
#[ignore = "measures"]
fn how_long_both_ways_take() {
    let path = std::env::var_os("CHECKPOINT").expect("CHECKPOINT names a file");
    for round in 0..2 {
        for hidden in [true, false] {
            let begun = Instant::now();
            drop(model(path.as_ref(), hidden, DType::BF16));
            let way = if hidden { "by way of tensors" } else { "straight" };
            println!("round {round}: {way}: {:.2} s", begun.elapsed().as_secs_f64());
        }
    }
}
