//! A residual block: two convolutions behind group norms, the time embedding added between them.

use super::Flow;
use crate::{
    Result,
    checkpoint::Scope,
    layer::{Extra, Gradient, GroupNorm, Precision, Projection, Tape},
    lora::LayerPath,
};
use kernels::{Tensor, Window};

pub(super) struct ResBlock {
    norm1: GroupNorm,
    conv1: Projection,
    time: Projection,
    norm2: GroupNorm,
    conv2: Projection,
    shortcut: Option<Projection>,
}

impl ResBlock {
    pub fn load(scope: &Scope, precision: &Precision) -> Result<Self> {
        let conv = |name: &str, window| Projection::conv(&scope.scope(name), window, precision);
        let shortcut = scope.has("skip_connection.weight").then(|| conv("skip_connection", Window::POINT));
        Ok(Self {
            norm1: GroupNorm::load(&scope.scope("in_layers.0"), 1e-5, true, precision)?,
            conv1: conv("in_layers.2", Window::SAME3)?,
            time: Projection::linear(&scope.scope("emb_layers.1"), precision)?,
            norm2: GroupNorm::load(&scope.scope("out_layers.0"), 1e-5, true, precision)?,
            conv2: conv("out_layers.3", Window::SAME3)?,
            shortcut: shortcut.transpose()?,
        })
    }

    /// `x [B, H, W, in]`, `embedding [B, time]` = silu(time embedding) -> `[B, H, W, out]`.
    pub fn forward(&self, x: &Tensor, embedding: &Tensor, tape: &mut Tape) -> Result<Tensor> {
        tape.block(&[x, embedding], |tape| self.run(x, embedding, tape))
    }

    fn run(&self, x: &Tensor, embedding: &Tensor, tape: &mut Tape) -> Result<Tensor> {
        let time = self.time.forward(embedding, Extra::default(), tape)?;
        let h = self.norm1.forward(x, tape)?;
        let h = self.conv1.forward(&h, Extra { per_sample: Some(&time), residual: None }, tape)?;
        let h = self.norm2.forward(&h, tape)?;
        let Some(shortcut) = &self.shortcut else {
            return self.conv2.forward(&h, Extra::residual(x), tape);
        };
        let beside = shortcut.forward(x, Extra::default(), tape)?;
        self.conv2.forward(&h, Extra::residual(&beside), tape)
    }

    /// The gradient of `x`; that of the embedding goes into `flow`.
    pub fn backward(&self, grad: &Tensor, tape: &mut Tape, flow: &mut Flow) -> Result<Tensor> {
        tape.unwind_block(
            |[x, embedding], tape| self.run(x, embedding, tape),
            |tape| {
                let unwound = self.unwind(grad, tape, flow)?;
                let through = Projection::input_gradient(&[(&self.conv1, &unwound.conv1)], None)?;
                let beside = match (&self.shortcut, &unwound.shortcut) {
                    (Some(shortcut), Some(gradient)) => &Projection::input_gradient(&[(shortcut, gradient)], None)?,
                    _ => grad,
                };
                let x = self.norm1.backward(&through, Some(beside), tape)?;
                self.unwind_time(&unwound.h, tape, flow)?;
                Ok(x)
            },
        )
    }

    /// Like [`Self::backward`] for a block whose input needs no gradient.
    pub fn backward_first(&self, grad: &Tensor, tape: &mut Tape, flow: &mut Flow) -> Result<()> {
        tape.unwind_block(
            |[x, embedding], tape| self.run(x, embedding, tape),
            |tape| {
                let unwound = self.unwind(grad, tape, flow)?;
                // What the first norm saved.
                tape.pop()?;
                tape.pop()?;
                self.unwind_time(&unwound.h, tape, flow)
            },
        )
    }

    /// Backward from the output to the first convolution.
    fn unwind(&self, grad: &Tensor, tape: &mut Tape, flow: &Flow) -> Result<Unwound> {
        let through = self.conv2.backward(grad, tape, flow.grads)?;
        let shortcut = self.shortcut.as_ref().map(|shortcut| shortcut.gradient(grad, tape, flow.grads)).transpose()?;
        let h = self.norm2.backward(&through, None, tape)?;
        Ok(Unwound { conv1: self.conv1.gradient(&h, tape, flow.grads)?, shortcut, h })
    }

    fn unwind_time(&self, h: &Tensor, tape: &mut Tape, flow: &mut Flow) -> Result<()> {
        if self.time.adapter.is_none() && flow.embedding.is_none() {
            return Ok(());
        }
        let gradient = self.time.gradient(&kernels::sum_space(h)?, tape, flow.grads)?;
        if let Some(embedding) = &flow.embedding {
            flow.embedding = Some(Projection::input_gradient(&[(&self.time, &gradient)], Some(embedding))?);
        }
        Ok(())
    }

    pub fn visit(&mut self, path: &LayerPath, see: &mut dyn FnMut(&LayerPath, &mut Projection)) {
        see(&path.both("in_layers.2", "conv1"), &mut self.conv1);
        see(&path.both("emb_layers.1", "time_emb_proj"), &mut self.time);
        see(&path.both("out_layers.3", "conv2"), &mut self.conv2);
        if let Some(shortcut) = &mut self.shortcut {
            see(&path.both("skip_connection", "conv_shortcut"), shortcut);
        }
    }
}

/// Gradients halfway through a block.
struct Unwound {
    conv1: Gradient,
    shortcut: Option<Gradient>,
    /// Of the state behind the first convolution.
    h: Tensor,
}
