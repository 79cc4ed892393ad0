//! The autoencoder (Esser et al., arXiv 2012.09841; Rombach et al., arXiv 2112.10752). It only ever runs forward, and
//! in f32: the published XL weights overflow in half precision.

mod block;

use crate::{
    Checkpoint, Result,
    checkpoint::VaeDims,
    layer::{Extra, GroupNorm, Precision, Projection, Tape},
};
use block::{Middle, VaeBlock};
use kernels::{Device, Tensor, Window};

/// Between pixels and latents.
pub struct Vae {
    encoder: Encoder,
    decoder: Decoder,
    scale: f64,
    factor: usize,
    device: Device,
}

/// What the encoder says of a picture: a normal distribution for every latent, `[B, h, w, 4]` each, unscaled.
#[derive(Clone)]
pub struct LatentDistribution {
    /// Means.
    pub mean: candle_core::Tensor,
    /// Standard deviations.
    pub std: candle_core::Tensor,
}

impl Vae {
    /// Loads the VAE of a checkpoint (or the one that replaces it), in f32.
    ///
    /// # Errors
    /// If a tensor is missing or not finite.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self> {
        let precision = Precision { device: device.clone(), ..Precision::f32() };
        let (dims, root) = (&checkpoint.architecture().vae, checkpoint.vae_scope());
        let conv = |name: &str, window| Projection::conv(&root.scope(name), window, &precision);
        let norm = |name: &str| GroupNorm::load(&root.scope(name), 1e-6, true, &precision);
        let block = |name: String| VaeBlock::load(&root.scope(name), &precision);
        let middle = |side: &str| Middle::load(&root.scope(format!("{side}.mid")), &precision);
        let levels = dims.widths.len();

        let mut down = Vec::new();
        for level in 0..levels {
            for i in 0..dims.res_blocks {
                down.push(Step::Block(block(format!("encoder.down.{level}.block.{i}"))?));
            }
            if level + 1 < levels {
                down.push(Step::Resize(conv(&format!("encoder.down.{level}.downsample.conv"), DOWN)?));
            }
        }
        let mut up = Vec::new();
        for level in (0..levels).rev() {
            for i in 0..=dims.res_blocks {
                up.push(Step::Block(block(format!("decoder.up.{level}.block.{i}"))?));
            }
            if level > 0 {
                up.push(Step::Resize(conv(&format!("decoder.up.{level}.upsample.conv"), Window::SAME3)?));
            }
        }
        Ok(Self {
            encoder: Encoder {
                conv_in: conv("encoder.conv_in", Window::SAME3)?,
                down,
                middle: middle("encoder")?,
                norm_out: norm("encoder.norm_out")?,
                conv_out: conv("encoder.conv_out", Window::SAME3)?,
                quant: conv("quant_conv", Window::POINT)?,
            },
            decoder: Decoder {
                post_quant: conv("post_quant_conv", Window::POINT)?,
                conv_in: conv("decoder.conv_in", Window::SAME3)?,
                middle: middle("decoder")?,
                up,
                norm_out: norm("decoder.norm_out")?,
                conv_out: conv("decoder.conv_out", Window::SAME3)?,
            },
            scale: checkpoint.architecture().family.latent_scale(),
            factor: dims.factor(),
            device: device.clone(),
        })
    }

    /// Where it lies.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Pixels along the side of one latent.
    pub fn factor(&self) -> usize {
        self.factor
    }

    /// Factor between its latents and the UNet's.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// `image [B, H, W, 3]` in -1..1 -> the distribution of its latents.
    ///
    /// # Errors
    /// If height or width is no multiple of [`Self::factor`].
    pub fn encode(&self, image: &Tensor) -> Result<LatentDistribution> {
        let (_, height, width, _) = image.dims4()?;
        if height % self.factor != 0 || width % self.factor != 0 {
            let factor = self.factor;
            return Err(crate::Error::Invalid(format!(
                "a picture of {width} x {height} cannot be encoded: both sides must be multiples of {factor}"
            )));
        }
        let tape = &mut Tape::off();
        let e = &self.encoder;
        let mut h = e.conv_in.forward(&image.to_device(&self.device)?, Extra::default(), tape)?;
        for step in &e.down {
            h = match step {
                Step::Block(block) => block.forward(&h)?,
                Step::Resize(conv) => conv.forward(&h, Extra::default(), tape)?,
            };
        }
        let h = e.norm_out.forward(&e.middle.forward(&h)?, tape)?;
        let moments = e.quant.forward(&e.conv_out.forward(&h, Extra::default(), tape)?, Extra::default(), tape)?;
        let (mean, log_variance) = kernels::split_channels(&moments, VaeDims::LATENT)?;
        let (mean, log_variance) = (mean.host()?, log_variance.host()?);
        Ok(LatentDistribution { mean, std: log_variance.clamp(-30.0, 20.0)?.affine(0.5, 0.0)?.exp()? })
    }

    /// The UNet's latents `[B, h, w, 4]` -> `[B, H, W, 3]`, about -1..1, not clamped.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let tape = &mut Tape::off();
        let d = &self.decoder;
        let latents = kernels::scale(&latents.to_device(&self.device)?, 1.0 / self.scale)?;
        let h = d.post_quant.forward(&latents, Extra::default(), tape)?;
        let mut h = d.middle.forward(&d.conv_in.forward(&h, Extra::default(), tape)?)?;
        for step in &d.up {
            h = match step {
                Step::Block(block) => block.forward(&h)?,
                Step::Resize(conv) => conv.forward(&kernels::upsample_nearest(&h)?, Extra::default(), tape)?,
            };
        }
        d.conv_out.forward(&d.norm_out.forward(&h, tape)?, Extra::default(), tape)
    }
}

impl LatentDistribution {
    /// The UNet's latents: (mean + std noise) scale.
    ///
    /// # Errors
    /// If `noise` has another shape.
    pub fn sample(&self, noise: &candle_core::Tensor, scale: f64) -> Result<candle_core::Tensor> {
        Ok(((&self.mean + (&self.std * noise)?)? * scale)?)
    }
}

/// Zeros only below and to the right.
const DOWN: Window = Window { kernel: 3, stride: 2, before: 0, after: 1 };

enum Step {
    Block(VaeBlock),
    Resize(Projection),
}

struct Encoder {
    conv_in: Projection,
    down: Vec<Step>,
    middle: Middle,
    norm_out: GroupNorm,
    conv_out: Projection,
    quant: Projection,
}

struct Decoder {
    post_quant: Projection,
    conv_in: Projection,
    middle: Middle,
    up: Vec<Step>,
    norm_out: GroupNorm,
    conv_out: Projection,
}
