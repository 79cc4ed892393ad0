//! What a training step has to do, by part, and the time below which a machine of given peaks cannot do it.

use crate::bench::Config;
use anyhow::Result;
use candle_core::DType;
use clap::{Args, ValueEnum};
use diffusion::{
    account::{Part, Passes, Widths, Work, account, floor, total},
    lora::Targets,
    plan::StepShape,
};
use kernels::{Device, Init, Tensor, Term};
use rayon::prelude::*;
use std::time::Instant;

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Type {
    F32,
    Bf16,
}

#[derive(Args)]
pub struct Account {
    /// Sizes of the model.
    #[arg(long, value_enum, default_value = "sdxl")]
    config: Config,
    /// Side of the pictures in pixels [default: 128 tinyxl, 512 sd15, 1024 sdxl].
    #[arg(long)]
    res: Option<usize>,
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// Type of activations.
    #[arg(long, value_enum, default_value = "bf16")]
    dtype: Type,
    /// Type of frozen weights [default: that of activations].
    #[arg(long, value_enum)]
    frozen: Option<Type>,
    #[arg(long, default_value_t = 16)]
    rank: usize,
    #[arg(long, default_value = "eden")]
    targets: String,
    /// No new tokens: nothing flows back into the text encoders.
    #[arg(long)]
    no_text: bool,
    /// Blocks run again backward.
    #[arg(long)]
    recompute: bool,
    /// Most operations per second, in 10^12; an H100's in bf16, dense, unless said otherwise.
    #[arg(long, default_value_t = 989.0)]
    tflops: f64,
    /// Most bytes moved per second, in 10^9; an H100's unless said otherwise.
    #[arg(long, default_value_t = 3350.0)]
    gbs: f64,
    /// Take this machine's processor instead: a large f32 product and a copy are timed.
    #[arg(long)]
    here: bool,
}

impl Account {
    pub fn run(&self) -> Result<()> {
        let (operations, bytes) = if self.here { peaks()? } else { (self.tflops * 1e12, self.gbs * 1e9) };
        let architecture = self.config.architecture();
        let res = self.res.unwrap_or_else(|| self.config.resolution());
        let side = res / architecture.vae.factor();
        let step = StepShape {
            batch: self.batch,
            height: side,
            width: side,
            chunks: 1,
            targets: Targets::named(&self.targets, false)?,
            rank: self.rank,
            text: !self.no_text,
            recompute: self.recompute,
        };
        let width = |dtype: Type| if dtype == Type::F32 { 4 } else { 2 };
        let widths = Widths { activation: width(self.dtype), frozen: width(self.frozen.unwrap_or(self.dtype)) };
        let parts = account(&architecture, &step, widths);
        let recompute = if self.recompute { ", recomputed" } else { "" };
        println!(
            "{} {res} px, batch {}, rank {} ({}){recompute}; values of {} bytes, frozen weights of {}; peaks {:.2} T operations/s, \
             {:.0} GB/s",
            self.config.name(),
            self.batch,
            self.rank,
            self.targets,
            widths.activation,
            widths.frozen,
            operations / 1e12,
            bytes / 1e9
        );
        println!("{:20}{:>26}   {:>26}   {:>9}  bound by", "", "10^9 operations", "10^6 bytes moved", "floor ms");
        println!("{:20}{1:>8} {2:>8} {3:>8}   {1:>8} {2:>8} {3:>8}", "", "forward", "again", "backward");
        let mut floors = 0.0;
        for part in Part::ALL {
            let passes = parts.get(&part).copied().unwrap_or_default();
            // Each pass by itself: one may be bound by operations and another by memory.
            let seconds: f64 =
                [passes.forward, passes.again, passes.backward].map(|work| floor(work, operations, bytes)).iter().sum();
            floors += seconds;
            println!(
                "{}   {:9.2}  {}",
                line(part.name(), &passes),
                1e3 * seconds,
                bound(passes.total(), operations, bytes)
            );
        }
        let all = total(&parts);
        println!("{}   {:9.2}", line("all", &all), 1e3 * floors);
        let work = all.total();
        println!(
            "operations alone: {:.2} ms; bytes alone: {:.2} ms",
            2e3 * work.multiplications as f64 / operations,
            1e3 * work.bytes as f64 / bytes
        );
        Ok(())
    }
}

fn line(name: &str, passes: &Passes) -> String {
    let all = [passes.forward, passes.again, passes.backward];
    let [a, b, c] = all.map(|work| format!("{:.0}", 2e-9 * work.multiplications as f64));
    let [d, e, f] = all.map(|work| format!("{:.0}", 1e-6 * work.bytes as f64));
    format!("{name:20}{a:>8} {b:>8} {c:>8}   {d:>8} {e:>8} {f:>8}")
}

fn bound(work: Work, operations: f64, bytes: f64) -> &'static str {
    if 2.0 * work.multiplications as f64 / operations > work.bytes as f64 / bytes { "operations" } else { "memory" }
}

/// This processor's operations and bytes per second, the best of several tries: a product of square f32 matrices by the
/// library beneath all of ours, and a copy far larger than any cache.
fn peaks() -> Result<(f64, f64)> {
    const SIDE: usize = 2048;
    const VALUES: usize = 64 << 20;
    const TRIES: usize = 7;
    let fastest = |work: &mut dyn FnMut() -> Result<()>| -> Result<f64> {
        let mut best = f64::INFINITY;
        for _ in 0..TRIES {
            let begun = Instant::now();
            work()?;
            best = best.min(begun.elapsed().as_secs_f64());
        }
        Ok(best)
    };
    let matrix = Tensor::ones((SIDE, SIDE), DType::F32, &Device::Cpu)?;
    let product = fastest(&mut || {
        kernels::linear(&[Term { input: &matrix, weight: (&matrix).into(), scale: 1.0 }], Init::default())?;
        Ok(())
    })?;
    let (from, mut to) = (vec![1f32; VALUES], vec![0f32; VALUES]);
    let part = VALUES / rayon::current_num_threads();
    let copy = fastest(&mut || {
        to.par_chunks_mut(part).zip(from.par_chunks(part)).for_each(|(to, from)| to.copy_from_slice(from));
        Ok(())
    })?;
    Ok((2.0 * (SIDE as f64).powi(3) / product, 2.0 * (VALUES * size_of::<f32>()) as f64 / copy))
}
