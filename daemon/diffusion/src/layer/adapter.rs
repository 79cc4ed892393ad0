//! Low-rank adapters: LoRA (Hu et al., arXiv 2106.09685) and, for comparison with references, DoRA (arXiv 2402.09353).

use super::Parameter;

/// A trainable correction of one frozen matrix W `[out, in]`: W + scale up down.
#[derive(Clone)]
pub struct Adapter {
    /// `[rank, in]`; for a convolution `in` counts every tap.
    pub down: Parameter,
    /// `[out, rank]`.
    pub up: Parameter,
    /// DoRA's magnitudes `[out]`: W + scale up down, its rows rescaled to these norms.
    pub magnitude: Option<Parameter>,
    /// alpha / rank, times the strength at which it is applied.
    pub scale: f64,
}
