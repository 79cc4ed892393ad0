//! Norms with frozen scale and shift.

use super::{Precision, Tape};
use crate::{Result, checkpoint::Scope};
use kernels::{Affine, Tensor};

/// Group norm over 32 groups, with SiLU behind it where `silu` is set.
pub struct GroupNorm {
    affine: Affine,
    silu: bool,
}

impl GroupNorm {
    /// Loads `scope.weight` and `scope.bias`.
    ///
    /// # Errors
    /// If a tensor cannot be loaded.
    pub fn load(scope: &Scope, epsilon: f64, silu: bool, precision: &Precision) -> Result<Self> {
        Ok(Self { affine: affine(scope, epsilon, precision)?, silu })
    }

    /// `x [B, H, W, C]` -> the same shape.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn forward(&self, x: &Tensor, tape: &mut Tape) -> Result<Tensor> {
        let (y, statistics) = kernels::group_norm(x, &self.affine, self.silu)?;
        tape.push(x);
        tape.push(&statistics);
        Ok(y)
    }

    /// The input gradient, plus `beside`: what passed beside this norm.
    ///
    /// # Errors
    /// If the passes do not match.
    pub fn backward(&self, grad: &Tensor, beside: Option<&Tensor>, tape: &mut Tape) -> Result<Tensor> {
        let (statistics, x) = (tape.pop()?, tape.pop()?);
        Ok(kernels::group_norm_backward(grad, &x, &statistics, &self.affine, self.silu, beside)?)
    }
}

/// Layer norm over channels.
pub struct LayerNorm(Affine);

impl LayerNorm {
    /// Loads `scope.weight` and `scope.bias`; epsilon is 1e-5.
    ///
    /// # Errors
    /// If a tensor cannot be loaded.
    pub fn load(scope: &Scope, precision: &Precision) -> Result<Self> {
        Ok(Self(affine(scope, 1e-5, precision)?))
    }

    /// `x [..., C]` -> the same shape.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn forward(&self, x: &Tensor, tape: &mut Tape) -> Result<Tensor> {
        tape.push(x);
        Ok(kernels::layer_norm(x, &self.0)?)
    }

    /// The input gradient plus `beside`: what passed beside this norm.
    ///
    /// # Errors
    /// If the passes do not match.
    pub fn backward(&self, grad: &Tensor, beside: &Tensor, tape: &mut Tape) -> Result<Tensor> {
        let x = tape.pop()?;
        Ok(kernels::layer_norm_backward(grad, &x, &self.0, beside)?)
    }
}

fn affine(scope: &Scope, epsilon: f64, precision: &Precision) -> Result<Affine> {
    let load = |name| scope.tensor(name, precision.exact(), &precision.device);
    Ok(Affine { scale: load("weight")?, shift: load("bias")?, epsilon })
}
