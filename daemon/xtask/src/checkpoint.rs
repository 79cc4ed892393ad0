//! Random checkpoints as files, and looking into checkpoints.

use crate::{bench::Config, process};
use anyhow::{Context, Result, bail};
use candle_core::DType;
use clap::Args;
use diffusion::{
    Checkpoint, Model, TextEncoder, Vae,
    checkpoint::Overrides,
    clip::TextBatch,
    layer::{Precision, Tape},
    tokenizer::Tokenizer,
};
use sha2::{Digest, Sha256};
use std::{fs::File, io::BufWriter, io::Write, path::PathBuf, time::Instant};
use synthetic::{Random, Stored};

#[derive(Args)]
pub struct RandomCheckpoint {
    /// Sizes of the model.
    #[arg(long, value_enum, default_value = "tinyxl")]
    config: Config,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file to write, f16.
    out: PathBuf,
}

impl RandomCheckpoint {
    pub fn run(&self) -> Result<()> {
        let mut out =
            BufWriter::new(File::create(&self.out).with_context(|| format!("cannot write {}", self.out.display()))?);
        Random::new(&self.config.architecture(), self.seed, Stored::F16, 1.0).write(&mut out)?;
        out.flush()?;
        println!("{}", self.out.display());
        Ok(())
    }
}

#[derive(Args)]
pub struct Inspect {
    /// The checkpoint.
    file: PathBuf,
    /// Also load the text encoders and encode a prompt.
    #[arg(long)]
    prompt: Option<String>,
    /// A VAE file in place of the checkpoint's own.
    #[arg(long)]
    vae: Option<PathBuf>,
    /// Also time what a training does first: the digest, and loading text encoders, UNet and VAE.
    #[arg(long)]
    load: bool,
    /// Type of the frozen weights that `--load` makes: f32 as on the CPU, bf16 as on a GPU.
    #[arg(long, default_value = "f32")]
    dtype: String,
}

impl Inspect {
    pub fn run(&self) -> Result<()> {
        let start = Instant::now();
        let report = |what: &str, since: Instant| -> Result<()> {
            let peak = process::usage()?.peak_bytes as f64 / f64::from(1 << 30);
            println!("{what}: {:.2} s, peak memory {peak:.2} GiB", since.elapsed().as_secs_f64());
            Ok(())
        };
        let overrides = Overrides { vae: self.vae.as_deref(), prediction: None };
        let checkpoint = Checkpoint::open(&self.file, overrides)?;
        println!("{}", checkpoint.architecture().family.name());
        println!("{:#?}", checkpoint.architecture());
        report("opened", start)?;
        if self.load {
            self.load(&checkpoint, &report)?;
        }
        let Some(prompt) = &self.prompt else { return Ok(()) };
        let start = Instant::now();
        // Half weights stay half in memory; they are widened as they are used.
        let precision = Precision { frozen: DType::F16, ..Precision::f32() };
        let text = TextEncoder::load(&checkpoint, &precision)?;
        report("text encoders loaded", start)?;
        let start = Instant::now();
        let ids = Tokenizer::new(&[])?.encode(prompt)?;
        let encoded = text.forward(&TextBatch::new(&[ids]), &mut Tape::off())?;
        println!(
            "context {:?}, pooled {:?}",
            encoded.context.dims(),
            encoded.pooled.as_ref().map(|pooled| pooled.dims())
        );
        report("prompt encoded", start)
    }

    /// What each part of loading takes. The file should be in the system's cache, or twice asked.
    fn load(&self, checkpoint: &Checkpoint, report: &dyn Fn(&str, Instant) -> Result<()>) -> Result<()> {
        let start = Instant::now();
        let (mut file, mut hasher) = (File::open(&self.file)?, Sha256::new());
        std::io::copy(&mut file, &mut hasher)?;
        hasher.finalize();
        report("digest", start)?;
        let frozen = match self.dtype.as_str() {
            "f32" => DType::F32,
            "bf16" => DType::BF16,
            other => bail!("weights of type `{other}`: choose f32 or bf16"),
        };
        let precision = Precision { frozen, ..Precision::f32() };
        let start = Instant::now();
        let model = Model::load(checkpoint, &precision)?;
        report("text encoders and UNet loaded", start)?;
        drop(model);
        let start = Instant::now();
        Vae::load(checkpoint, &kernels::Device::Cpu)?;
        report("VAE loaded", start)
    }
}
