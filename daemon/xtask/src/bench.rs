//! One training step, timed: the same work and the same line of JSON as the PyTorch benchmark beside which it runs.

mod beside;

use crate::process;
use anyhow::Result;
use candle_core::DType;
use clap::{Args, ValueEnum};
use diffusion::{
    Checkpoint, Family, Model,
    checkpoint::{Architecture, Prediction},
    clip::TextBatch,
    layer::Precision,
    lora::{self, Targets},
    schedule::NoiseSchedule,
    tokenizer::{BEGIN, END, LENGTH, VOCABULARY},
};
use kernels::{Device, Quantization, Tensor, cuda::Gpu};
use serde_json::json;
use std::{path::PathBuf, sync::Arc, time::Instant};
use synthetic::{Random, Stored};
use trainer::{
    Batch, Draw, Objective, Optimizer, Purpose, Rates, Rng, SnrNormal, SnrWeighting, Trainables, Trainer,
    VelocityWeight,
};

/// The models that are timed.
#[derive(Clone, Copy, ValueEnum)]
pub enum Config {
    Tinyxl,
    Sdxl,
    Sd15,
}

impl Config {
    pub fn architecture(self) -> Architecture {
        match self {
            Self::Tinyxl => synthetic::tiny_xl(),
            Self::Sdxl => synthetic::sdxl(),
            Self::Sd15 => synthetic::sd15(),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Tinyxl => "tinyxl",
            Self::Sdxl => "sdxl",
            Self::Sd15 => "sd15",
        }
    }

    /// The side of the pictures that it was made for.
    pub fn resolution(self) -> usize {
        match self {
            Self::Tinyxl => 128,
            Self::Sdxl => 1024,
            Self::Sd15 => 512,
        }
    }
}

#[derive(Clone, Copy, ValueEnum, PartialEq)]
enum Type {
    F32,
    Bf16,
}

#[derive(Clone, Copy, ValueEnum)]
enum Bits {
    #[value(name = "8")]
    Eight,
    #[value(name = "4")]
    Four,
}

#[derive(Clone, Copy, ValueEnum, PartialEq)]
enum Place {
    Cpu,
    Cuda,
}

impl Bits {
    fn quantization(self) -> Quantization {
        match self {
            Self::Eight => Quantization::Int8,
            Self::Four => Quantization::Nf4,
        }
    }
}

#[derive(Args)]
pub struct Bench {
    /// Sizes of the model; its weights are random.
    #[arg(long, value_enum, default_value = "tinyxl")]
    config: Config,
    /// Side of the pictures in pixels [default: 128 tinyxl, 512 sd15, 1024 sdxl].
    #[arg(long)]
    res: Option<usize>,
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// Type of the frozen weights. On the CPU activations are f32 in any case.
    #[arg(long, value_enum, default_value = "f32")]
    dtype: Type,
    #[arg(long, value_enum, default_value = "cpu")]
    device: Place,
    #[arg(long, default_value_t = 5)]
    steps: usize,
    #[arg(long, default_value_t = 1)]
    warmup: usize,
    #[arg(long, default_value_t = 16)]
    rank: usize,
    #[arg(long, default_value = "eden")]
    targets: String,
    /// Keep frozen matrices in so few bits.
    #[arg(long, value_enum)]
    base_bits: Option<Bits>,
    /// Keep only each block's input and run blocks again backward.
    #[arg(long)]
    grad_checkpoint: bool,
    /// Threads; 0 for one each core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Run the PyTorch step too, in turns with ours, by this Python, which must have torch and diffusers.
    #[arg(long, value_name = "PYTHON")]
    beside: Option<PathBuf>,
    /// The PyTorch step [default: tests/bench/bench_torch.py].
    #[arg(long, requires = "beside")]
    script: Option<PathBuf>,
    /// In what PyTorch computes its adapters: `f32` as peft does, or `base`, in the type of the base as we do on a GPU.
    #[arg(long, default_value = "f32", value_parser = ["f32", "base"])]
    lora_compute: String,
    /// Rounds of each.
    #[arg(long, default_value_t = 3, requires = "beside")]
    rounds: usize,
    /// Time every kernel of the GPU by itself and print the longest; the step becomes slower.
    #[arg(long, conflicts_with = "beside")]
    profile: bool,
    /// Also with torch.compile: `full` or `blocks`.
    #[arg(long, requires = "beside")]
    compile: Option<String>,
}

impl Bench {
    pub fn run(&self) -> Result<()> {
        if let Some(python) = &self.beside {
            return self.beside(python);
        }
        trainer::with_threads(self.threads, || self.measure())?
    }

    fn measure(&self) -> Result<()> {
        let start = Instant::now();
        let (name, architecture) = (self.config.name(), self.config.architecture());
        let res = self.res.unwrap_or_else(|| self.config.resolution());
        let unet_params: usize = diffusion::checkpoint::tensors(&architecture)
            .iter()
            .filter(|(key, _)| key.starts_with("model.diffusion_model."))
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum();
        let device = match self.device {
            Place::Cpu => Device::Cpu,
            Place::Cuda => Device::cuda(0)?,
        };
        let mut trainer = self.trainer(&architecture, &device)?;
        device.synchronize()?;
        let build_s = start.elapsed().as_secs_f64();
        let lora_params: usize = {
            let entries = trainer.trainables().parameters.entries().iter();
            entries.filter(|entry| entry.name.starts_with("unet.")).map(|entry| entry.range().len()).sum()
        };

        let (mut forward, mut backward, mut optimizer, mut total, mut cpu) = (vec![], vec![], vec![], vec![], vec![]);
        let (mut first, mut loss) = (None, 0.0);
        for step in 0..self.warmup + self.steps {
            let batch = self.batch(&architecture, res, step as u64)?;
            let cpu_before = process::usage()?.cpu_seconds;
            let t0 = Instant::now();
            let (losses, pass) = trainer.forward(&batch, true)?;
            device.synchronize()?;
            let t1 = Instant::now();
            trainer.backward(&batch, pass, 1.0)?;
            let penalty = trainer.penalize(true)?;
            device.synchronize()?;
            let t2 = Instant::now();
            trainer.update(Rates { unet: 1e-4, text: 0.0, tokens: 1e-3 })?;
            device.synchronize()?;
            let t3 = Instant::now();
            loss = f64::from(kernels::add(&losses.image, &penalty)?.to_scalar::<f32>()?);
            first.get_or_insert((t3 - t0).as_secs_f64());
            if step + 1 == self.warmup {
                device.gpu().iter().for_each(|gpu| gpu.forget_peak());
                device.gpu().iter().filter(|_| self.profile).for_each(|gpu| gpu.begin_profile());
            }
            if step >= self.warmup {
                forward.push((t1 - t0).as_secs_f64());
                backward.push((t2 - t1).as_secs_f64());
                optimizer.push((t3 - t2).as_secs_f64());
                total.push((t3 - t0).as_secs_f64());
                cpu.push(process::usage()?.cpu_seconds - cpu_before);
            }
        }
        let peak = match device.gpu().map(Gpu::usage) {
            Some(usage) => usage.peak as u64,
            None => process::usage()?.peak_bytes,
        };
        for (kernel, count, seconds) in device.gpu().map(Gpu::profile).unwrap_or_default().iter().take(40) {
            eprintln!("{:9.3} ms  {count:6} x  {kernel}", 1e3 * seconds);
        }
        let round = |x: f64, digits: i32| (x * 10f64.powi(digits)).round() / 10f64.powi(digits);
        let line = json!({
            "config": name, "res": res, "batch": self.batch, "dtype": if self.dtype == Type::F32 { "f32" } else { "bf16" },
            "device": device.gpu().map_or("cpu", |gpu| gpu.description().name.as_str()), "torch": null, "engine": concat!("conceptd ", env!("CARGO_PKG_VERSION")),
            "threads": rayon::current_num_threads(), "grad_checkpoint": self.grad_checkpoint, "compile": null,
            "base_bits": self.base_bits.map(|bits| bits.quantization().bits()), "targets": self.targets, "rank": self.rank, "lora_compute": if device.is_cpu() { "f32" } else { "base" }, "text": true, "channels_last": true,
            "lora_modules": trainer.trainables().sites.len(), "lora_params": lora_params, "unet_params": unet_params,
            "steps": self.steps, "step_s": round(median(&mut total), 4), "fwd_s": round(median(&mut forward), 4),
            "bwd_s": round(median(&mut backward), 4), "opt_s": round(median(&mut optimizer), 4),
            "min_step_s": round(total.first().copied().unwrap_or(f64::NAN), 4), "cpu_s": round(median(&mut cpu), 4),
            "peak_mem_gib": round(peak as f64 / f64::from(1 << 30), 3),
            "mem_kind": if device.is_cpu() { "max RSS" } else { "most in tensors" },
            "saved_mib": round(trainer.saved_bytes() as f64 / f64::from(1 << 20), 1),
            "build_s": round(build_s, 2), "first_step_s": round(first.unwrap_or(f64::NAN), 2), "loss": round(loss, 6),
        });
        println!("{line}");
        Ok(())
    }

    fn trainer(&self, architecture: &Architecture, device: &Device) -> Result<Trainer> {
        let checkpoint = Checkpoint::of(Arc::new(Random::new(architecture, 0, Stored::F32, 1.0)))?;
        let frozen = if self.dtype == Type::F32 { DType::F32 } else { DType::BF16 };
        // The CPU computes in f32 whatever the weights are; a GPU in the type of the weights.
        let compute = if device.is_cpu() { DType::F32 } else { frozen };
        let precision =
            Precision { compute, frozen, quantized: self.base_bits.map(Bits::quantization), device: device.clone() };
        let mut model = Model::load(&checkpoint, &precision)?;
        let sites = lora::sites(&mut model, &Targets::named(&self.targets, false)?, self.rank);
        let mut rng = Rng::new(0, 0, Purpose::Init);
        let rows = model.text.encoders().map(|(_, e)| e.width()).collect::<Vec<_>>();
        let rows = rows.into_iter().map(|w| rng.normals(3 * w).iter().map(|z| z * 0.0139).collect()).collect();
        let first = |name: &str, shape: &[usize]| {
            let deviation = if name.ends_with("down") { 1.0 / self.rank as f32 } else { 1e-3 };
            rng.normals(shape.iter().product()).iter().map(|z| z * deviation).collect()
        };
        let trainables = Trainables::bind(&mut model, sites, false, self.rank as f64, first, rows)?;
        let snr = SnrWeighting { gamma: 5.0, normal: SnrNormal::Batch, velocity: VelocityWeight::PlusOne };
        let schedule = NoiseSchedule::new(Prediction::Epsilon);
        let objective = Objective { schedule, snr: Some(snr), l1: 0.03, token_std: 0.01 };
        let (adapters, tokens) = (Optimizer::adamw(0.004), Optimizer::adamw(0.0));
        Ok(Trainer::new(model, trainables, objective, adapters, tokens, self.grad_checkpoint)?)
    }

    /// A begin mark, words, three new tokens among them, an end mark at 20; random latents, noise, mask and timesteps.
    fn batch(&self, architecture: &Architecture, res: usize, step: u64) -> Result<Batch> {
        let (size, draw) = (res / architecture.vae.factor(), Draw::new(1, step));
        let shape = (self.batch, size, size, 4);
        let mut rng = Rng::new(2, 0, Purpose::Order);
        let (mut l, mut g) = (Vec::new(), Vec::new());
        for _ in 0..self.batch {
            let mut ids: Vec<u32> = (0..LENGTH).map(|_| rng.below(BEGIN as usize) as u32).collect();
            ids[0] = BEGIN;
            ids[20..].fill(END);
            (0..3).for_each(|i| ids[4 + i] = (VOCABULARY + i) as u32);
            l.extend_from_slice(&ids);
            ids[21..].fill(0);
            g.extend_from_slice(&ids);
        }
        let mask: Vec<f32> = (0..self.batch * size * size).map(|_| rng.uniform() as f32).collect();
        let side = res as f32;
        let time_ids = match architecture.family {
            Family::Sdxl => [1024.0, 1024.0, 0.0, 0.0, side, side].repeat(self.batch),
            Family::Sd15 => Vec::new(),
        };
        Ok(Batch {
            latents: Draw::new(0, 0).latent_noise(shape)?.into(),
            noise: draw.noise(shape, 0.0)?.into(),
            mask: Some(Tensor::from_vec(mask, (self.batch, size, size, 1), &Device::Cpu)?),
            mask_means: vec![0.5; self.batch],
            timesteps: draw.timesteps(self.batch),
            text: TextBatch { l, g, chunks: 1 },
            time_ids,
        })
    }
}

/// The median; sorts the values.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n => (values[(n - 1) / 2] + values[n / 2]) / 2.0,
    }
}
