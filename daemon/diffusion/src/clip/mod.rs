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
use encoder::Pooling;
use kernels::{Device, Tensor};

/// The text encoders of a checkpoint.
pub struct TextEncoder {
    family: Family,
    l: ClipEncoder,
    g: Option<ClipEncoder>,
}

/// What the UNet is steered by.
#[derive(Clone)]
pub struct Conditioning {
    /// `[B, K * 77, C]`: the states of all K parts of a prompt in a row.
    pub context: Tensor,
    /// `[B, P]`, XL only.
    pub pooled: Option<Tensor>,
}

/// Token ids of a batch, row major `[B, K, 77]`.
#[derive(Clone, Debug)]
pub struct TextBatch {
    /// For CLIP-L.
    pub l: Vec<u32>,
    /// For OpenCLIP-G.
    pub g: Vec<u32>,
    /// Parts of each prompt, K.
    pub chunks: usize,
}

impl Conditioning {
    /// Joins the conditions of prompts of one length to those of a batch.
    ///
    /// # Errors
    /// If there are none, or their shapes differ.
    pub fn joined(parts: &[&Self]) -> Result<Self> {
        let context: Vec<Tensor> = parts.iter().map(|part| part.context.clone()).collect();
        let pooled: Vec<Tensor> = parts.iter().filter_map(|part| part.pooled.clone()).collect();
        let pooled = (!pooled.is_empty()).then(|| Tensor::cat(&pooled));
        Ok(Self { context: Tensor::cat(&context)?, pooled: pooled.transpose()? })
    }

    /// The same on a device.
    ///
    /// # Errors
    /// If it has no memory.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let pooled = self.pooled.as_ref().map(|pooled| pooled.to_device(device)).transpose()?;
        Ok(Self { context: self.context.to_device(device)?, pooled })
    }
}

impl TextBatch {
    /// Joins prompts to a batch; shorter ones get empty parts.
    pub fn new(prompts: &[TokenIds]) -> Self {
        let chunks = prompts.iter().map(TokenIds::chunks).max().unwrap_or(1);
        let (l, g) = prompts
            .iter()
            .map(|ids| ids.clone().padded(chunks))
            .map(|ids| (ids.l, ids.g))
            .unzip::<_, _, Vec<_>, Vec<_>>();
        Self { l: l.concat(), g: g.concat(), chunks }
    }

    /// Number of prompts.
    pub fn len(&self) -> usize {
        self.l.len() / LENGTH / self.chunks
    }

    /// Each prompt as a batch of its own.
    pub fn singles(&self) -> impl Iterator<Item = Self> {
        let size = self.chunks * LENGTH;
        (0..self.len()).map(move |i| {
            let part = |ids: &[u32]| ids.get(i * size..(i + 1) * size).unwrap_or_default().to_vec();
            Self { l: part(&self.l), g: part(&self.g), chunks: self.chunks }
        })
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

    /// Gives the memory of the encoders back, where everything that will be asked of them is known. Their new token rows stay.
    ///
    /// # Errors
    /// If the device fails.
    pub fn unload(&mut self) -> Result<()> {
        self.l.unload()?;
        self.g.as_mut().map_or(Ok(()), ClipEncoder::unload)
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
        let (context, pooled) = match &self.g {
            None => self.l.forward(&batch.l, Pooling::FinalNorm, tape)?,
            Some(g) => {
                let (l, _) = self.l.forward(&batch.l, Pooling::None, tape)?;
                let (g, pooled) = g.forward(&batch.g, Pooling::Projected, tape)?;
                (kernels::concat_channels(&l, &g)?, pooled)
            }
        };
        let (rows, _, width) = context.dims3()?;
        let context = context.reshape((rows / batch.chunks, batch.chunks * LENGTH, width))?;
        Ok(Conditioning { context, pooled: pooled.map(|pooled| first_parts(&pooled, batch.chunks)).transpose()? })
    }

    /// Adds the gradients of everything trainable in the encoders, given those of their outputs.
    ///
    /// # Errors
    /// If the passes do not match.
    pub fn backward(&self, batch: &TextBatch, grad: &Conditioning, tape: &mut Tape, grads: &Gradients) -> Result<()> {
        let width = grad.context.dim(2)?;
        let context = grad.context.reshape((batch.len() * batch.chunks, LENGTH, width))?;
        let Some(g) = &self.g else {
            return self.l.backward(&batch.l, &context, None, Pooling::FinalNorm, tape, grads);
        };
        let pooled =
            grad.pooled.as_ref().ok_or_else(|| Error::Invalid("bug: no gradient of the pooled text".into()))?;
        let pooled = from_first_parts(pooled, batch.chunks)?;
        let (grad_l, grad_g) = kernels::split_channels(&context, self.l.width())?;
        g.backward(&batch.g, &grad_g, Some(&pooled), Pooling::Projected, tape, grads)?;
        self.l.backward(&batch.l, &grad_l, None, Pooling::None, tape, grads)
    }
}

/// Of the pooled states of all parts, `[B * K, P]`, those of the first parts, `[B, P]`: what hosts give XL for a long prompt.
fn first_parts(pooled: &Tensor, chunks: usize) -> Result<Tensor> {
    let (rows, width) = pooled.dims2()?;
    let first = vec![0; rows / chunks];
    Ok(kernels::gather_rows(&pooled.reshape((rows / chunks, chunks, width))?, &first)?)
}

/// The gradient of what [`first_parts`] took from.
fn from_first_parts(grad: &Tensor, chunks: usize) -> Result<Tensor> {
    let (prompts, width) = grad.dims2()?;
    if chunks == 1 {
        return Ok(grad.clone());
    }
    Ok(kernels::scatter_rows(grad, &vec![0; prompts], chunks)?.reshape((prompts * chunks, width))?)
}
