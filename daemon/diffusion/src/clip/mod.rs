//! The text side: one or two CLIP encoders, and the conditions that they make for the UNet.

mod encoder;

pub use encoder::ClipEncoder;

use crate::{
    Checkpoint, Error, Family, Result,
    checkpoint::Architecture,
    layer::{Gradients, Parameter, Precision, Projection, Tape},
    lora::LayerPath,
    tokenizer::{LENGTH, TokenIds},
};
use candle_core::Tensor;
use encoder::Pooling;

/// The text encoders of a checkpoint.
pub struct TextEncoder {
    family: Family,
    l: ClipEncoder,
    g: Option<ClipEncoder>,
}

/// What the UNet is steered by.
#[derive(Clone)]
pub struct Conditioning {
    /// `[B, 77, C]`.
    pub context: Tensor,
    /// `[B, P]`, XL only.
    pub pooled: Option<Tensor>,
}

/// Token ids of a batch, row major `[B, 77]`.
#[derive(Clone, Debug, Default)]
pub struct TextBatch {
    /// For CLIP-L.
    pub l: Vec<u32>,
    /// For OpenCLIP-G.
    pub g: Vec<u32>,
}

impl TextBatch {
    /// Joins prompts to a batch.
    pub fn new(prompts: &[TokenIds]) -> Self {
        let join = |of: fn(&TokenIds) -> &Vec<u32>| prompts.iter().flat_map(|ids| of(ids).iter().copied()).collect();
        Self { l: join(|ids| &ids.l), g: join(|ids| &ids.g) }
    }

    /// Number of prompts.
    pub fn len(&self) -> usize {
        self.l.len() / LENGTH
    }

    /// Whether there is no prompt.
    pub fn is_empty(&self) -> bool {
        self.l.is_empty()
    }
}

impl TextEncoder {
    /// Loads the encoders of a checkpoint.
    ///
    /// # Errors
    /// If a tensor is missing or not finite.
    pub fn load(checkpoint: &Checkpoint, precision: &Precision) -> Result<Self> {
        let Architecture { family, clip_l, clip_g, .. } = checkpoint.architecture();
        let l = ClipEncoder::load_l(checkpoint, *family, clip_l, precision)?;
        let g = clip_g.as_ref().map(|dims| ClipEncoder::load_g(checkpoint, dims, precision)).transpose()?;
        Ok(Self { family: *family, l, g })
    }

    /// The encoders with the names that files give them: `clip_l` and, in XL, `clip_g`.
    pub fn encoders(&self) -> impl Iterator<Item = (&'static str, &ClipEncoder)> {
        std::iter::once(("clip_l", &self.l)).chain(self.g.as_ref().map(|g| ("clip_g", g)))
    }

    /// Gives each encoder its new token rows `[n, width]` (or takes them away), in the order of [`Self::encoders`].
    pub fn set_tokens(&mut self, rows: impl IntoIterator<Item = Option<Parameter>>) {
        let mut rows = rows.into_iter();
        self.l.tokens = rows.next().flatten();
        if let Some(g) = &mut self.g {
            g.tokens = rows.next().flatten();
        }
    }

    /// Whether anything here is trained.
    pub fn is_trainable(&mut self) -> bool {
        let mut trainable = self.encoders().any(|(_, encoder)| encoder.tokens.is_some());
        self.visit(&mut |_, layer| trainable |= layer.adapter.is_some());
        trainable
    }

    /// Shows every layer that an adapter can sit on.
    pub fn visit(&mut self, see: &mut dyn FnMut(&LayerPath, &mut Projection)) {
        let root = if self.family == Family::Sdxl { "te1" } else { "te" };
        self.l.visit(root, see);
        if let Some(g) = &mut self.g {
            g.visit("te2", see);
        }
    }

    /// Encodes prompts. XL: the states entering the last block of each encoder side by side, and the projected state of
    /// OpenCLIP-G at the first end mark. 1.5: the last state behind the final norm.
    ///
    /// # Errors
    /// If an id has no embedding.
    pub fn forward(&self, batch: &TextBatch, tape: &mut Tape) -> Result<Conditioning> {
        match &self.g {
            None => Ok(Conditioning { context: self.l.forward(&batch.l, Pooling::FinalNorm, tape)?.0, pooled: None }),
            Some(g) => {
                let (l, _) = self.l.forward(&batch.l, Pooling::None, tape)?;
                let (g, pooled) = g.forward(&batch.g, Pooling::Projected, tape)?;
                Ok(Conditioning { context: kernels::concat_channels(&l, &g)?, pooled })
            }
        }
    }

    /// Adds the gradients of everything trainable in the encoders, given those of their outputs.
    ///
    /// # Errors
    /// If the passes do not match.
    pub fn backward(&self, batch: &TextBatch, grad: &Conditioning, tape: &mut Tape, grads: &Gradients) -> Result<()> {
        let Some(g) = &self.g else {
            return self.l.backward(&batch.l, &grad.context, None, Pooling::FinalNorm, tape, grads);
        };
        let pooled =
            grad.pooled.as_ref().ok_or_else(|| Error::Invalid("bug: no gradient of the pooled text".into()))?;
        let (grad_l, grad_g) = kernels::split_channels(&grad.context, self.l.width())?;
        g.backward(&batch.g, &grad_g, Some(pooled), Pooling::Projected, tape, grads)?;
        self.l.backward(&batch.l, &grad_l, None, Pooling::None, tape, grads)
    }
}
