//! A stack of transformer blocks over the pixels of an image.

use super::{Flow, attention::Attention};
use crate::{
    Result,
    checkpoint::Scope,
    layer::{Extra, GroupNorm, LayerNorm, Precision, Projection, Tape},
    lora::LayerPath,
};
use kernels::Tensor;

pub(super) struct SpatialTransformer {
    norm: GroupNorm,
    proj_in: Projection,
    blocks: Vec<TransformerBlock>,
    proj_out: Projection,
}

impl SpatialTransformer {
    pub fn load(scope: &Scope, depth: usize, heads: usize, precision: &Precision) -> Result<Self> {
        let linear = |name: &str| -> Result<Projection> {
            // A linear map in XL, a 1 x 1 convolution in 1.5; channels-last makes them one.
            Projection::linear(&scope.scope(name), precision)
        };
        let block = |i| TransformerBlock::load(&scope.scope(format!("transformer_blocks.{i}")), heads, precision);
        Ok(Self {
            norm: GroupNorm::load(&scope.scope("norm"), 1e-6, false, precision)?,
            proj_in: linear("proj_in")?,
            blocks: (0..depth).map(block).collect::<Result<_>>()?,
            proj_out: linear("proj_out")?,
        })
    }

    /// `x [B, H, W, C]`, `context [B, M, D]` -> `[B, H, W, C]`.
    pub fn forward(&self, x: &Tensor, context: &Tensor, tape: &mut Tape) -> Result<Tensor> {
        let (batch, height, width, channels) = x.dims4()?;
        let h = self.norm.forward(x, tape)?.reshape((batch, height * width, channels))?;
        let mut h = self.proj_in.forward(&h, Extra::default(), tape)?;
        for block in &self.blocks {
            h = block.forward(&h, context, tape)?;
        }
        let h = h.reshape(x.shape())?;
        self.proj_out.forward(&h, Extra::residual(x), tape)
    }

    pub fn backward(&self, grad: &Tensor, tape: &mut Tape, flow: &mut Flow) -> Result<Tensor> {
        let (batch, height, width, channels) = grad.dims4()?;
        let mut h = self.proj_out.backward(grad, tape, flow.grads)?.reshape((batch, height * width, channels))?;
        for block in self.blocks.iter().rev() {
            h = block.backward(&h, tape, flow)?;
        }
        let h = self.proj_in.backward(&h, tape, flow.grads)?.reshape(grad.shape())?;
        self.norm.backward(&h, Some(grad), tape)
    }

    pub fn visit(&mut self, path: &LayerPath, see: &mut dyn FnMut(&LayerPath, &mut Projection)) {
        see(&path.child("proj_in"), &mut self.proj_in);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            block.visit(&path.child(&format!("transformer_blocks.{i}")), see);
        }
        see(&path.child("proj_out"), &mut self.proj_out);
    }
}

struct TransformerBlock {
    norm1: LayerNorm,
    attn1: Attention,
    norm2: LayerNorm,
    attn2: Attention,
    norm3: LayerNorm,
    /// To the two halves of GEGLU.
    ff_in: Projection,
    ff_out: Projection,
}

impl TransformerBlock {
    fn load(scope: &Scope, heads: usize, precision: &Precision) -> Result<Self> {
        let norm = |name: &str| LayerNorm::load(&scope.scope(name), precision);
        Ok(Self {
            norm1: norm("norm1")?,
            attn1: Attention::load(&scope.scope("attn1"), heads, precision)?,
            norm2: norm("norm2")?,
            attn2: Attention::load(&scope.scope("attn2"), heads, precision)?,
            norm3: norm("norm3")?,
            ff_in: Projection::linear(&scope.scope("ff.net.0.proj"), precision)?,
            ff_out: Projection::linear(&scope.scope("ff.net.2"), precision)?,
        })
    }

    fn forward(&self, x: &Tensor, context: &Tensor, tape: &mut Tape) -> Result<Tensor> {
        tape.block(&[x, context], |tape| self.run(x, context, tape))
    }

    fn run(&self, x: &Tensor, context: &Tensor, tape: &mut Tape) -> Result<Tensor> {
        let y = self.norm1.forward(x, tape)?;
        let x = self.attn1.forward(&y, &y, x, tape)?;
        let y = self.norm2.forward(&x, tape)?;
        let x = self.attn2.forward(&y, context, &x, tape)?;
        let y = self.norm3.forward(&x, tape)?;
        let h = self.ff_in.forward(&y, Extra::default(), tape)?;
        tape.push(&h);
        self.ff_out.forward(&kernels::geglu(&h)?, Extra::residual(&x), tape)
    }

    fn backward(&self, grad: &Tensor, tape: &mut Tape, flow: &mut Flow) -> Result<Tensor> {
        tape.unwind_block(
            |[x, context], tape| self.run(x, context, tape),
            |tape| {
                let through = self.ff_out.backward(grad, tape, flow.grads)?;
                let through = kernels::geglu_backward(&through, &tape.pop()?)?;
                let through = self.ff_in.backward(&through, tape, flow.grads)?;
                let grad = self.norm3.backward(&through, grad, tape)?;
                let through = self.attn2.backward_text(&grad, tape, flow)?;
                let grad = self.norm2.backward(&through, &grad, tape)?;
                let through = self.attn1.backward_self(&grad, tape, flow)?;
                self.norm1.backward(&through, &grad, tape)
            },
        )
    }

    fn visit(&mut self, path: &LayerPath, see: &mut dyn FnMut(&LayerPath, &mut Projection)) {
        self.attn1.visit(&path.child("attn1"), see);
        self.attn2.visit(&path.child("attn2"), see);
        see(&path.child("ff.net.0.proj"), &mut self.ff_in);
        see(&path.child("ff.net.2"), &mut self.ff_out);
    }
}
