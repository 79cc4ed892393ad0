//! What a training step has to do: multiplications and bytes moved, by part, from sizes alone.
//!
//! The walk mirrors the passes of [`crate::UNet`] and [`crate::TextEncoder`] line by line, as [`crate::plan`] does for
//! memory; a test holds its multiplications against those that the kernels make.
//!
//! Counted are the multiplications of matrix products (each with its addition two operations); what norms, activations and
//! losses compute is small beside what they move. A causal mask and zeros at an image's edge save nothing here. Bytes are
//! what must pass between memory and processor if each operation reads its inputs once and writes its output once: a
//! group norm reads twice, for statistics and result; attention moves no scores.

mod walk;

use crate::{checkpoint::Architecture, plan::StepShape};
use std::{
    collections::BTreeMap,
    ops::{Add, AddAssign},
};

/// A part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Frozen convolutions of the UNet.
    Convolutions,
    /// Its frozen linear maps.
    Linear,
    /// Its attention, without the projections.
    Attention,
    /// Its norms, activations, joins and resizings.
    Elementwise,
    /// All low-rank adapters.
    Adapters,
    /// The text encoders.
    Text,
    /// Penalties and AdamW over everything trainable.
    Optimizer,
}

impl Part {
    /// Every part, in the order of tables.
    pub const ALL: [Self; 7] = [
        Self::Convolutions,
        Self::Linear,
        Self::Attention,
        Self::Elementwise,
        Self::Adapters,
        Self::Text,
        Self::Optimizer,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Convolutions => "convolutions",
            Self::Linear => "linear maps",
            Self::Attention => "attention",
            Self::Elementwise => "norms, elementwise",
            Self::Adapters => "adapters",
            Self::Text => "text encoders",
            Self::Optimizer => "optimizer",
        }
    }
}

/// Work of one part of one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Multiplications of matrix products.
    pub multiplications: u64,
    /// Bytes read and written.
    pub bytes: u64,
}

impl Add for Work {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { multiplications: self.multiplications + other.multiplications, bytes: self.bytes + other.bytes }
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// Work of one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passes {
    /// The forward pass.
    pub forward: Work,
    /// What recomputation runs forward again.
    pub again: Work,
    /// The backward pass, and for [`Part::Optimizer`] the update.
    pub backward: Work,
}

impl Passes {
    /// All of them.
    pub fn total(&self) -> Work {
        self.forward + self.again + self.backward
    }
}

/// Bytes of one value.
#[derive(Clone, Copy, Debug)]
pub struct Widths {
    /// Of an activation: 2 in half precision.
    pub activation: usize,
    /// Of a frozen weight.
    pub frozen: usize,
}

/// What one step does, by part. Everything is learnt that `step` has adapters for, and new tokens if `step.text`.
pub fn account(architecture: &Architecture, step: &StepShape, widths: Widths) -> BTreeMap<Part, Passes> {
    walk::step(architecture, step, widths)
}

/// The sum over all parts.
pub fn total(parts: &BTreeMap<Part, Passes>) -> Passes {
    parts.values().fold(Passes::default(), |sum, part| Passes {
        forward: sum.forward + part.forward,
        again: sum.again + part.again,
        backward: sum.backward + part.backward,
    })
}

/// Seconds below which no machine with these peaks can stay, if every part uses one of them fully and the other meanwhile:
/// the larger of operations / `operations` and bytes / `bytes`, both per second.
pub fn floor(work: Work, operations: f64, bytes: f64) -> f64 {
    (2.0 * work.multiplications as f64 / operations).max(work.bytes as f64 / bytes)
}
