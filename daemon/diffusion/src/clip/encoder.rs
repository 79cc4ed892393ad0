//! A CLIP text encoder (Radford et al., arXiv 2103.00020): causal transformer with pre-norms.

use crate::{
    Checkpoint, Family, Result,
    checkpoint::{CLIP_G_PREFIX, ClipDims, Scope, clip_l_prefix},
    layer::{Extra, Gradients, LayerNorm, Parameter, Precision, Projection, Tape},
    lora::LayerPath,
    tokenizer::{END, LENGTH, VOCABULARY},
};
use kernels::{Activation, Attended, Tensor};

/// One text encoder.
pub struct ClipEncoder {
    width: usize,
    table: Tensor,
    positions: Tensor,
    /// Trainable rows of new tokens, `[n, width]`.
    pub tokens: Option<Parameter>,
    blocks: Vec<Block>,
    final_norm: LayerNorm,
    projection: Option<Projection>,
}

/// What an encoder hands out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// The state entering the last block, which is not run.
    None,
    /// The last state behind the final norm.
    FinalNorm,
    /// The state entering the last block, and the projected, normed last state at the first end mark.
    Projected,
}

impl ClipEncoder {
    pub(super) fn load_l(
        checkpoint: &Checkpoint,
        family: Family,
        dims: &ClipDims,
        precision: &Precision,
    ) -> Result<Self> {
        let root = checkpoint.scope(clip_l_prefix(family));
        let blocks =
            (0..dims.layers).map(|i| Block::load_l(&root.scope(format!("encoder.layers.{i}")), dims, precision));
        let embeddings = root.scope("embeddings");
        let positions = embeddings.tensor("position_embedding.weight", precision.compute, &precision.device)?;
        Ok(Self {
            width: dims.hidden,
            table: embeddings.tensor("token_embedding.weight", precision.frozen, &precision.device)?,
            positions,
            tokens: None,
            blocks: blocks.collect::<Result<_>>()?,
            final_norm: LayerNorm::load(&root.scope("final_layer_norm"), precision)?,
            projection: None,
        })
    }

    pub(super) fn load_g(checkpoint: &Checkpoint, dims: &ClipDims, precision: &Precision) -> Result<Self> {
        let root = checkpoint.scope(CLIP_G_PREFIX);
        let blocks =
            (0..dims.layers).map(|i| Block::load_g(&root.scope(format!("transformer.resblocks.{i}")), dims, precision));
        // Stored as [width, projection] and used as x W: transposed with respect to a linear layer.
        let projection = root.tensor("text_projection", precision.frozen, &precision.device)?.permute(&[1, 0])?;
        Ok(Self {
            width: dims.hidden,
            table: root.tensor("token_embedding.weight", precision.frozen, &precision.device)?,
            positions: root.tensor("positional_embedding", precision.compute, &precision.device)?,
            tokens: None,
            blocks: blocks.collect::<Result<_>>()?,
            final_norm: LayerNorm::load(&root.scope("ln_final"), precision)?,
            projection: Some(Projection::of(projection, None)),
        })
    }

    /// Width of its states.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Gives the memory of everything frozen back; nothing can be encoded any more.
    pub(super) fn unload(&mut self) -> Result<()> {
        let nothing = Tensor::zeros((1, self.width), self.table.dtype(), self.table.device())?;
        (self.table, self.positions) = (nothing.clone(), nothing);
        self.blocks = Vec::new();
        self.projection = None;
        Ok(())
    }

    /// The frozen token table `[49408, width]`.
    pub fn table(&self) -> &Tensor {
        &self.table
    }

    pub(super) fn visit(&mut self, root: &str, see: &mut dyn FnMut(&LayerPath, &mut Projection)) {
        for (i, block) in self.blocks.iter_mut().enumerate() {
            let path = LayerPath::text(root, &format!("text_model.encoder.layers.{i}"));
            let attention = [
                ("q_proj", &mut block.q),
                ("k_proj", &mut block.k),
                ("v_proj", &mut block.v),
                ("out_proj", &mut block.out),
            ];
            for (name, layer) in attention {
                see(&path.child(&format!("self_attn.{name}")), layer);
            }
            see(&path.child("mlp.fc1"), &mut block.fc1);
            see(&path.child("mlp.fc2"), &mut block.fc2);
        }
    }

    pub(super) fn forward(&self, ids: &[u32], pooling: Pooling, tape: &mut Tape) -> Result<(Tensor, Option<Tensor>)> {
        if self.blocks.is_empty() {
            return Err(no_blocks());
        }
        let rows = self.tokens.as_ref().map(|tokens| &tokens.value);
        let mut x = kernels::embed(&self.table, rows, &self.positions, ids)?;
        let (last, earlier) = self.blocks.split_last().ok_or_else(no_blocks)?;
        for block in earlier {
            x = block.forward(&x, tape)?;
        }
        match pooling {
            Pooling::None => Ok((x, None)),
            Pooling::FinalNorm => {
                x = last.forward(&x, tape)?;
                Ok((self.final_norm.forward(&x, tape)?, None))
            }
            Pooling::Projected => {
                let projection = self.projection.as_ref().ok_or_else(no_blocks)?;
                let y = kernels::gather_rows(&last.forward(&x, tape)?, &ends(ids))?;
                let y = self.final_norm.forward(&y, tape)?;
                Ok((x, Some(projection.forward(&y, Extra::default(), tape)?)))
            }
        }
    }

    pub(super) fn backward(
        &self,
        ids: &[u32],
        grad: &Tensor,
        grad_pooled: Option<&Tensor>,
        pooling: Pooling,
        tape: &mut Tape,
        grads: &Gradients,
    ) -> Result<()> {
        let (last, earlier) = self.blocks.split_last().ok_or_else(no_blocks)?;
        let mut grad = grad.clone();
        match (pooling, grad_pooled, &self.projection) {
            (Pooling::Projected, Some(pooled), Some(projection)) => {
                let through = projection.backward(pooled, tape, grads)?;
                let through = self.final_norm.backward(&through, &through.zeros_like()?, tape)?;
                let through = kernels::scatter_rows(&through, &ends(ids), LENGTH)?;
                grad = kernels::add(&grad, &last.backward(&through, tape, grads)?)?;
            }
            (Pooling::FinalNorm, ..) => {
                grad = self.final_norm.backward(&grad, &grad.zeros_like()?, tape)?;
                grad = last.backward(&grad, tape, grads)?;
            }
            _ => {}
        }
        for block in earlier.iter().rev() {
            grad = block.backward(&grad, tape, grads)?;
        }
        match &self.tokens {
            Some(tokens) => Ok(kernels::embed_backward(&grads.of(tokens)?, &grad, ids, VOCABULARY)?),
            None => Ok(()),
        }
    }
}

fn no_blocks() -> crate::Error {
    crate::Error::Invalid("bug: a text encoder without layers, or one that was unloaded".into())
}

/// Position of the first end mark in each prompt.
fn ends(ids: &[u32]) -> Vec<usize> {
    ids.chunks(LENGTH).map(|ids| ids.iter().position(|&id| id == END).unwrap_or(LENGTH - 1)).collect()
}

struct Block {
    norm1: LayerNorm,
    q: Projection,
    k: Projection,
    v: Projection,
    out: Projection,
    norm2: LayerNorm,
    fc1: Projection,
    fc2: Projection,
    heads: usize,
    activation: Activation,
}

impl Block {
    fn load_l(scope: &Scope, dims: &ClipDims, precision: &Precision) -> Result<Self> {
        let linear = |name: &str| Projection::linear(&scope.scope(name), precision);
        Ok(Self {
            norm1: LayerNorm::load(&scope.scope("layer_norm1"), precision)?,
            q: linear("self_attn.q_proj")?,
            k: linear("self_attn.k_proj")?,
            v: linear("self_attn.v_proj")?,
            out: linear("self_attn.out_proj")?,
            norm2: LayerNorm::load(&scope.scope("layer_norm2"), precision)?,
            fc1: linear("mlp.fc1")?,
            fc2: linear("mlp.fc2")?,
            heads: dims.heads(),
            activation: Activation::QuickGelu,
        })
    }

    fn load_g(scope: &Scope, dims: &ClipDims, precision: &Precision) -> Result<Self> {
        let linear = |name: &str| Projection::linear(&scope.scope(name), precision);
        // One fused matrix, its rows q, k, v.
        let mut fused = Projection::fused(scope, "attn.in_proj", 3, precision)?.into_iter();
        let mut next = || fused.next().ok_or_else(no_blocks);
        Ok(Self {
            norm1: LayerNorm::load(&scope.scope("ln_1"), precision)?,
            q: next()?,
            k: next()?,
            v: next()?,
            out: linear("attn.out_proj")?,
            norm2: LayerNorm::load(&scope.scope("ln_2"), precision)?,
            fc1: linear("mlp.c_fc")?,
            fc2: linear("mlp.c_proj")?,
            heads: dims.heads(),
            activation: Activation::Gelu,
        })
    }

    fn forward(&self, x: &Tensor, tape: &mut Tape) -> Result<Tensor> {
        tape.block(&[x], |tape| self.run(x, tape))
    }

    fn run(&self, x: &Tensor, tape: &mut Tape) -> Result<Tensor> {
        let y = self.norm1.forward(x, tape)?;
        let q = self.q.forward(&y, Extra::default(), tape)?;
        let k = self.k.forward(&y, Extra::default(), tape)?;
        let v = self.v.forward(&y, Extra::default(), tape)?;
        let (o, log_sums) = kernels::attention(&q, &k, &v, self.heads, true)?;
        [&q, &k, &v, &o, &log_sums].into_iter().for_each(|t| tape.push(t));
        let x = self.out.forward(&o, Extra::residual(x), tape)?;
        let y = self.norm2.forward(&x, tape)?;
        let h = self.fc1.forward(&y, Extra::default(), tape)?;
        tape.push(&h);
        self.fc2.forward(&kernels::activate(&h, self.activation)?, Extra::residual(&x), tape)
    }

    fn backward(&self, grad: &Tensor, tape: &mut Tape, grads: &Gradients) -> Result<Tensor> {
        tape.unwind_block(|[x], tape| self.run(x, tape), |tape| self.unwind(grad, tape, grads))
    }

    fn unwind(&self, grad: &Tensor, tape: &mut Tape, grads: &Gradients) -> Result<Tensor> {
        let through = self.fc2.backward(grad, tape, grads)?;
        let through = kernels::activate_backward(&through, &tape.pop()?, self.activation)?;
        let through = self.fc1.backward(&through, tape, grads)?;
        let grad = self.norm2.backward(&through, grad, tape)?;

        let through = self.out.backward(&grad, tape, grads)?;
        let (log_sums, o, v, k, q) = (tape.pop()?, tape.pop()?, tape.pop()?, tape.pop()?, tape.pop()?);
        let attended = Attended { q: &q, k: &k, v: &v, o: &o, log_sums: &log_sums };
        let (dq, dk, dv) = kernels::attention_backward(&through, attended, self.heads, true)?;
        let dv = self.v.gradient(&dv, tape, grads)?;
        let dk = self.k.gradient(&dk, tape, grads)?;
        let dq = self.q.gradient(&dq, tape, grads)?;
        let through = Projection::input_gradient(&[(&self.q, &dq), (&self.k, &dk), (&self.v, &dv)], None)?;
        self.norm1.backward(&through, &grad, tape)
    }
}
