//! Pivotal tuning (Roich et al., arXiv 2106.05744, as concept trainers use the term): low-rank adapters of the UNet and new
//! token embeddings of the text encoders, learnt together by denoising the user's pictures.
//!
//! This crate knows one training step and everything that decides it. It knows no files, no HTTP, no jobs.

mod contexts;
mod draw;
mod error;
mod loss_scale;
mod objective;
mod optimizer;
mod rates;
mod recipe;
mod rng;
mod threads;
mod tokens;
mod trainables;
mod trainer;

pub use draw::{Draw, normalize_mask};
pub use error::{Error, Result};
pub use objective::{Objective, SnrNormal, SnrWeighting, VelocityWeight};
pub use optimizer::{Optimizer, OptimizerState};
pub use rates::{Ramp, Rate};
pub use recipe::{OptimizerKind, Recipe};
pub use rng::{Purpose, Rng};
pub use threads::with_threads;
pub use tokens::{TokenInit, TokenTarget, token_names};
pub use trainables::Trainables;
pub use trainer::{Batch, Losses, Pass, Rates, Trainer, scalar};
