//! The denoiser of Stable Diffusion 1.5 and XL (Rombach et al., arXiv 2112.10752; Podell et al., arXiv 2307.01952).
//!
//! Modules carry the checkpoint's names. Activations are channels-last, `[B, H, W, C]`, so that a transformer's tokens
//! are the same memory as its image.

mod attention;
mod resblock;
mod time;
mod transformer;

use crate::{
    Checkpoint, Conditioning, Error, Family, Result,
    checkpoint::{Architecture, Scope, UNET_PREFIX},
    layer::{Extra, Gradients, GroupNorm, Precision, Projection, Tape, exact},
    lora::LayerPath,
};
use candle_core::DType;
use kernels::{Device, Tensor, Window};
use resblock::ResBlock;
use time::TimeEmbedding;
use transformer::SpatialTransformer;

/// The denoiser.
pub struct UNet {
    family: Family,
    time: TimeEmbedding,
    conv_in: Projection,
    input_blocks: Vec<InputBlock>,
    middle: (ResBlock, Option<SpatialTransformer>, ResBlock),
    output_blocks: Vec<OutputBlock>,
    norm_out: GroupNorm,
    conv_out: Projection,
    compute: DType,
    device: Device,
}

enum InputBlock {
    Res(ResBlock, Option<SpatialTransformer>),
    Down(Projection),
}

struct OutputBlock {
    res: ResBlock,
    transformer: Option<SpatialTransformer>,
    up: Option<Projection>,
    /// Channels of the incoming state; the rest of the block's input is the skip connection.
    channels: usize,
}

const DOWN: Window = Window { kernel: 3, stride: 2, before: 1, after: 1 };

/// The input that a gradient flows into while it passes backward through the UNet.
pub(crate) struct Flow<'a> {
    /// Gradients of trainables.
    pub grads: &'a Gradients,
    /// Gradient of the context, if the text side is trained.
    pub context: Option<Tensor>,
    /// Gradient of silu(time embedding), if the text side is trained and the model pools text.
    pub embedding: Option<Tensor>,
}

impl UNet {
    /// Loads the UNet of a checkpoint.
    ///
    /// # Errors
    /// If a tensor is missing or not finite.
    pub fn load(checkpoint: &Checkpoint, precision: &Precision) -> Result<Self> {
        let architecture = checkpoint.architecture();
        let (dims, root) = (&architecture.unet, checkpoint.scope(UNET_PREFIX));
        let res = |at: &str| ResBlock::load(&root.scope(at), precision);
        let transformer = |at: &str, width: usize, depth: usize| -> Result<Option<SpatialTransformer>> {
            if depth == 0 {
                return Ok(None);
            }
            SpatialTransformer::load(&root.scope(at), depth, dims.heads(architecture.family, width), precision)
                .map(Some)
        };
        let conv = |scope: Scope, window| Projection::conv(&scope, window, precision);
        let (mut input_blocks, mut skips) = (Vec::new(), vec![dims.model_channels]);
        for (level, &width) in dims.widths.iter().enumerate() {
            for _ in 0..dims.res_blocks {
                let at = format!("input_blocks.{}", input_blocks.len() + 1);
                let inside = transformer(&format!("{at}.1"), width, dims.depths[level])?;
                input_blocks.push(InputBlock::Res(res(&format!("{at}.0"))?, inside));
                skips.push(width);
            }
            if level + 1 < dims.widths.len() {
                let at = root.scope(format!("input_blocks.{}.0.op", input_blocks.len() + 1));
                input_blocks.push(InputBlock::Down(conv(at, DOWN)?));
                skips.push(width);
            }
        }
        let mut channels = dims.widths.last().copied().unwrap_or(dims.model_channels);
        let middle = (
            res("middle_block.0")?,
            transformer("middle_block.1", channels, dims.middle_depth)?,
            res("middle_block.2")?,
        );
        let mut output_blocks = Vec::new();
        for (level, &width) in dims.widths.iter().enumerate().rev() {
            for i in 0..=dims.res_blocks {
                let at = format!("output_blocks.{}", output_blocks.len());
                let inside = transformer(&format!("{at}.1"), width, dims.depths[level])?;
                let place = if inside.is_some() { 2 } else { 1 };
                let up = (level > 0 && i == dims.res_blocks)
                    .then(|| conv(root.scope(format!("{at}.{place}.conv")), Window::SAME3))
                    .transpose()?;
                output_blocks.push(OutputBlock { res: res(&format!("{at}.0"))?, transformer: inside, up, channels });
                channels = width;
            }
        }
        Ok(Self {
            family: architecture.family,
            time: TimeEmbedding::load(&root, architecture, precision)?,
            conv_in: conv(root.scope("input_blocks.0.0"), Window::SAME3)?,
            input_blocks,
            middle,
            output_blocks,
            norm_out: GroupNorm::load(&root.scope("out.0"), 1e-5, true, precision)?,
            conv_out: conv(root.scope("out.2"), Window::SAME3)?,
            compute: precision.compute,
            device: precision.device.clone(),
        })
    }

    /// Type of its activations.
    pub fn compute(&self) -> DType {
        self.compute
    }

    /// Where it lies.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The family that it belongs to.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Predicts the noise (or the velocity) in `x`.
    ///
    /// Shapes: `x [B, H, W, 4]` with H and W multiples of the deepest level's stride; `timesteps [B]`;
    /// `time_ids [B, 6]` row major (original height and width, crop top and left, target height and width; XL only);
    /// result `[B, H, W, 4]`.
    ///
    /// # Errors
    /// If the shapes do not fit the model.
    pub fn forward(
        &self,
        x: &Tensor,
        timesteps: &[f64],
        text: &Conditioning,
        time_ids: &[f32],
        tape: &mut Tape,
    ) -> Result<Tensor> {
        self.check_size(x)?;
        let embedding = self.time.forward(timesteps, text.pooled.as_ref(), time_ids, tape)?;
        let mut h = self.conv_in.forward(&x.to_dtype(self.compute)?, Extra::default(), tape)?;
        let mut skips = vec![h.clone()];
        for block in &self.input_blocks {
            h = match block {
                InputBlock::Down(conv) => conv.forward(&h, Extra::default(), tape)?,
                InputBlock::Res(res, transformer) => {
                    let h = res.forward(&h, &embedding, tape)?;
                    attend(transformer.as_ref(), h, &text.context, tape)?
                }
            };
            skips.push(h.clone());
        }
        h = self.middle.0.forward(&h, &embedding, tape)?;
        h = attend(self.middle.1.as_ref(), h, &text.context, tape)?;
        h = self.middle.2.forward(&h, &embedding, tape)?;
        for block in &self.output_blocks {
            let skip = skips.pop().ok_or_else(|| Error::Invalid("bug: the UNet ran out of skip connections".into()))?;
            h = block.res.forward(&kernels::concat_channels(&h, &skip)?, &embedding, tape)?;
            h = attend(block.transformer.as_ref(), h, &text.context, tape)?;
            if let Some(up) = &block.up {
                h = up.forward(&kernels::upsample_nearest(&h)?, Extra::default(), tape)?;
            }
        }
        let h = self.norm_out.forward(&h, tape)?;
        Ok(self.conv_out.forward(&h, Extra::default(), tape)?.to_dtype(exact(self.compute))?)
    }

    /// Adds the gradients of all adapters, given that of the prediction, and returns that of the text if `text` asks.
    ///
    /// # Errors
    /// If the passes do not match.
    pub fn backward(
        &self,
        grad: &Tensor,
        text: Option<&Conditioning>,
        tape: &mut Tape,
        grads: &Gradients,
    ) -> Result<Option<Conditioning>> {
        let mut flow = Flow { grads, context: None, embedding: None };
        if let Some(text) = text {
            flow.context = Some(text.context.zeros_like()?);
            if text.pooled.is_some() {
                flow.embedding = Some(self.time.zero_gradient(text.context.dim(0)?)?);
            }
        }
        let mut grad = self.conv_out.backward(&grad.to_dtype(self.compute)?, tape, grads)?;
        grad = self.norm_out.backward(&grad, None, tape)?;
        let mut skips = Vec::with_capacity(self.output_blocks.len());
        for block in self.output_blocks.iter().rev() {
            if let Some(up) = &block.up {
                grad = kernels::upsample_nearest_backward(&up.backward(&grad, tape, grads)?)?;
            }
            grad = unattend(block.transformer.as_ref(), grad, tape, &mut flow)?;
            let (state, skip) = kernels::split_channels(&block.res.backward(&grad, tape, &mut flow)?, block.channels)?;
            skips.push(skip);
            grad = state;
        }
        grad = self.middle.2.backward(&grad, tape, &mut flow)?;
        grad = unattend(self.middle.1.as_ref(), grad, tape, &mut flow)?;
        grad = self.middle.0.backward(&grad, tape, &mut flow)?;
        let mut skips = skips.into_iter().rev();
        for (i, block) in self.input_blocks.iter().enumerate().rev() {
            if let Some(skip) = skips.next() {
                grad = kernels::add(&grad, &skip)?;
            }
            match block {
                InputBlock::Down(conv) => grad = conv.backward(&grad, tape, grads)?,
                InputBlock::Res(res, transformer) => {
                    grad = unattend(transformer.as_ref(), grad, tape, &mut flow)?;
                    if i == 0 && !self.conv_in_is_trained() {
                        // Nothing trainable lies before the first block: its input needs no gradient.
                        res.backward_first(&grad, tape, &mut flow)?;
                    } else {
                        grad = res.backward(&grad, tape, &mut flow)?;
                    }
                }
            }
        }
        if self.conv_in_is_trained() {
            if let Some(skip) = skips.next() {
                grad = kernels::add(&grad, &skip)?;
            }
            self.conv_in.gradient(&grad, tape, grads)?;
        }
        let Some(context) = flow.context else {
            self.time.skip(tape)?;
            return Ok(None);
        };
        if flow.embedding.is_none() {
            self.time.skip(tape)?;
        }
        let pooled = flow.embedding.map(|grad| self.time.backward(&grad, tape)).transpose()?;
        Ok(Some(Conditioning { context, pooled }))
    }

    fn conv_in_is_trained(&self) -> bool {
        self.conv_in.adapter.is_some()
    }

    fn check_size(&self, x: &Tensor) -> Result<()> {
        let (_, height, width, _) = x.dims4()?;
        let downs = self.input_blocks.iter().filter(|block| matches!(block, InputBlock::Down(_))).count();
        let multiple = 1 << downs;
        if height % multiple == 0 && width % multiple == 0 {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "latents of {height} x {width} do not fit the UNet: both sides must be multiples of {multiple} (pictures: of {})",
            8 * multiple
        )))
    }

    /// Shows every layer that an adapter can sit on, with its names in both conventions.
    pub fn visit(&mut self, see: &mut dyn FnMut(&LayerPath, &mut Projection)) {
        let mut level = 0;
        let mut in_level = 0;
        see(&LayerPath::unet("input_blocks.0.0", "conv_in"), &mut self.conv_in);
        for (i, block) in self.input_blocks.iter_mut().enumerate() {
            let n = i + 1;
            match block {
                InputBlock::Down(conv) => {
                    let ours = format!("down_blocks.{level}.downsamplers.0.conv");
                    see(&LayerPath::unet(&format!("input_blocks.{n}.0.op"), &ours), conv);
                    (level, in_level) = (level + 1, 0);
                }
                InputBlock::Res(res, transformer) => {
                    let at = |kind: &str| format!("down_blocks.{level}.{kind}.{in_level}");
                    res.visit(&LayerPath::unet(&format!("input_blocks.{n}.0"), &at("resnets")), see);
                    if let Some(transformer) = transformer {
                        transformer.visit(&LayerPath::unet(&format!("input_blocks.{n}.1"), &at("attentions")), see);
                    }
                    in_level += 1;
                }
            }
        }
        self.middle.0.visit(&LayerPath::unet("middle_block.0", "mid_block.resnets.0"), see);
        if let Some(transformer) = &mut self.middle.1 {
            transformer.visit(&LayerPath::unet("middle_block.1", "mid_block.attentions.0"), see);
        }
        self.middle.2.visit(&LayerPath::unet("middle_block.2", "mid_block.resnets.1"), see);
        let per_level = self.output_blocks.len() / (level + 1);
        for (n, block) in self.output_blocks.iter_mut().enumerate() {
            let (level, i) = (n / per_level, n % per_level);
            let at = |kind: &str| format!("up_blocks.{level}.{kind}.{i}");
            block.res.visit(&LayerPath::unet(&format!("output_blocks.{n}.0"), &at("resnets")), see);
            let mut place = 1;
            if let Some(transformer) = &mut block.transformer {
                transformer.visit(&LayerPath::unet(&format!("output_blocks.{n}.1"), &at("attentions")), see);
                place = 2;
            }
            if let Some(up) = &mut block.up {
                let ours = format!("up_blocks.{level}.upsamplers.0.conv");
                see(&LayerPath::unet(&format!("output_blocks.{n}.{place}.conv"), &ours), up);
            }
        }
        see(&LayerPath::unet("out.2", "conv_out"), &mut self.conv_out);
    }
}

fn attend(transformer: Option<&SpatialTransformer>, h: Tensor, context: &Tensor, tape: &mut Tape) -> Result<Tensor> {
    transformer.map_or(Ok(h.clone()), |transformer| transformer.forward(&h, context, tape))
}

fn unattend(
    transformer: Option<&SpatialTransformer>,
    grad: Tensor,
    tape: &mut Tape,
    flow: &mut Flow,
) -> Result<Tensor> {
    transformer.map_or(Ok(grad.clone()), |transformer| transformer.backward(&grad, tape, flow))
}

/// Whether an architecture's denoiser pools text.
pub(crate) fn pools_text(architecture: &Architecture) -> bool {
    architecture.unet.added.is_some()
}
