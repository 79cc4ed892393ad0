//! What a checkpoint is: the sizes that its models are built from.

/// The two families that are trained here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Stable Diffusion 1.x: one text encoder, 8 heads everywhere.
    Sd15,
    /// Stable Diffusion XL: two text encoders, pooled text and sizes as conditions, heads of 64.
    Sdxl,
}

impl Family {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sd15 => "Stable Diffusion 1.5",
            Self::Sdxl => "Stable Diffusion XL",
        }
    }

    /// Factor between the VAE's latents and those of the UNet.
    pub fn latent_scale(self) -> f64 {
        match self {
            Self::Sd15 => 0.18215,
            Self::Sdxl => 0.13025,
        }
    }
}

/// What the UNet predicts, and the end of its noise schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Prediction {
    /// The noise.
    Epsilon,
    /// v = sqrt(abar) noise - sqrt(1 - abar) x0 (Salimans and Ho, arXiv 2202.00512).
    Velocity {
        /// Whether the schedule is rescaled so that its last step is pure noise (Lin et al., arXiv 2305.08891).
        zero_terminal_snr: bool,
    },
}

/// Sizes of everything in a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Which model it is.
    pub family: Family,
    /// What its UNet predicts.
    pub prediction: Prediction,
    /// The denoiser.
    pub unet: UnetDims,
    /// The autoencoder.
    pub vae: VaeDims,
    /// OpenAI's CLIP.
    pub clip_l: ClipDims,
    /// OpenCLIP, in XL only.
    pub clip_g: Option<ClipDims>,
}

impl Architecture {
    /// The sizes of the published model of a family (predicting noise).
    pub fn published(family: Family) -> Self {
        let clip = |hidden, layers, projection| ClipDims { hidden, layers, mlp: 4 * hidden, projection };
        let xl = family == Family::Sdxl;
        Self {
            family,
            prediction: Prediction::Epsilon,
            unet: UnetDims {
                model_channels: 320,
                widths: if xl { vec![320, 640, 1280] } else { vec![320, 640, 1280, 1280] },
                res_blocks: 2,
                depths: if xl { vec![0, 2, 10] } else { vec![1, 1, 1, 0] },
                middle_depth: if xl { 10 } else { 1 },
                context: if xl { 2048 } else { 768 },
                added: xl.then_some(2816),
                linear_projections: xl,
            },
            vae: VaeDims { widths: vec![128, 256, 512, 512], res_blocks: 2 },
            clip_l: clip(768, 12, None),
            clip_g: xl.then(|| clip(1280, 32, Some(1280))),
        }
    }

    /// Whether the sizes of UNet and text encoders are the published ones, so that concepts fit other checkpoints of the
    /// family.
    pub fn is_standard(&self) -> bool {
        let Self { unet, clip_l, clip_g, .. } = Self::published(self.family);
        let unet = UnetDims { linear_projections: self.unet.linear_projections, ..unet };
        (&self.unet, &self.clip_l, &self.clip_g) == (&unet, &clip_l, &clip_g)
    }
}

/// Sizes of a UNet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnetDims {
    /// Channels of the first convolution and of the sinusoidal time embedding.
    pub model_channels: usize,
    /// Channels of each level.
    pub widths: Vec<usize>,
    /// Residual blocks of a level on the way down.
    pub res_blocks: usize,
    /// Transformer blocks behind each residual block of a level; 0 for none.
    pub depths: Vec<usize>,
    /// Transformer blocks in the middle.
    pub middle_depth: usize,
    /// Width of the text context.
    pub context: usize,
    /// Width of the pooled text with the embedded sizes; XL only.
    pub added: Option<usize>,
    /// Whether a transformer's outer projections are stored as linear maps (else as 1 x 1 convolutions).
    pub linear_projections: bool,
}

impl UnetDims {
    /// Attention heads at a width.
    pub fn heads(&self, family: Family, width: usize) -> usize {
        match family {
            Family::Sd15 => 8,
            Family::Sdxl => (width / 64).max(1),
        }
    }

    /// Width of the time embedding.
    pub fn time(&self) -> usize {
        4 * self.model_channels
    }
}

/// Sizes of an autoencoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaeDims {
    /// Channels of each level, from pixels to latents.
    pub widths: Vec<usize>,
    /// Residual blocks of an encoder level (the decoder has one more).
    pub res_blocks: usize,
}

impl VaeDims {
    /// Latent channels.
    pub const LATENT: usize = 4;

    /// Pixels along the side of one latent.
    pub fn factor(&self) -> usize {
        1 << (self.widths.len() - 1)
    }
}

/// Sizes of a CLIP text encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipDims {
    /// Width of its states.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Inner width of its feed-forward parts.
    pub mlp: usize,
    /// Width of its projected, pooled output, if it has one.
    pub projection: Option<usize>,
}

impl ClipDims {
    /// Heads of 64.
    pub fn heads(&self) -> usize {
        (self.hidden / 64).max(1)
    }
}
