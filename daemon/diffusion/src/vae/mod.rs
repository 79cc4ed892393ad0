//! The autoencoder (Esser et al., arXiv 2012.09841; Rombach et al., arXiv 2112.10752). It only ever runs forward, and
//! in f32: the published XL weights overflow in half precision.

mod block;
mod tiles;

use crate::{
    Checkpoint, Result,
    checkpoint::VaeDims,
    layer::{Extra, GroupNorm, Precision, Projection, Tape},
};
use block::{Middle, VaeBlock};
use kernels::{Device, Tensor, Window, cuda::OUT_OF_MEMORY};
pub(crate) use tiles::SIDES;

/// Pixels that a GPU encodes or decodes at once, at most: more than 1536 x 1536. Beyond, a card would have to work for
/// seconds without a pause, which Windows takes for a failure.
const WHOLE: usize = 5 << 19;

/// Between pixels and latents.
pub struct Vae {
    encoder: Encoder,
    decoder: Decoder,
    scale: f64,
    dims: VaeDims,
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
            dims: dims.clone(),
            device: device.clone(),
        })
    }

    /// Where it lies.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Pixels along the side of one latent.
    pub fn factor(&self) -> usize {
        self.dims.factor()
    }

    /// Factor between its latents and the UNet's.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// `image [B, H, W, 3]` in -1..1 -> the distribution of its latents. On a GPU pictures of more than [`WHOLE`] pixels are
    /// encoded in tiles; their size decides alone, so that a run which goes on learns from the same latents.
    ///
    /// # Errors
    /// If height or width is no multiple of [`Self::factor`].
    pub fn encode(&self, image: &Tensor) -> Result<LatentDistribution> {
        let ((batch, height, width, _), factor) = (image.dims4()?, self.factor());
        if height % factor != 0 || width % factor != 0 {
            return Err(crate::Error::Invalid(format!(
                "a picture of {width} x {height} cannot be encoded: both sides must be multiples of {factor}"
            )));
        }
        let moments = match self.device.is_cpu() || batch * height * width <= WHOLE {
            true => self.encoder.forward(&image.to_device(&self.device)?)?,
            false => tiles::tiled(image, SIDES[0], (factor, 1), &self.device, |tile| self.encoder.forward(tile))?,
        };
        let (mean, log_variance) = kernels::split_channels(&moments, VaeDims::LATENT)?;
        let (mean, log_variance) = (mean.host()?, log_variance.host()?);
        Ok(LatentDistribution { mean, std: log_variance.clamp(-30.0, 20.0)?.affine(0.5, 0.0)?.exp()? })
    }

    /// The UNet's latents `[B, h, w, 4]` -> `[B, H, W, 3]`, about -1..1, not clamped. In tiles on a GPU, if it has no memory
    /// for the whole or the picture has more than [`WHOLE`] pixels; in smaller ones if it has none for those.
    ///
    /// # Errors
    /// If the shape does not fit, or the memory not even a tile.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let (batch, height, width, _) = latents.dims4()?;
        let is_whole = self.device.is_cpu() || batch * height * width * self.factor() * self.factor() <= WHOLE;
        let mut sides = is_whole.then_some(height.max(width)).into_iter().chain(SIDES);
        let mut side = sides.next().unwrap_or_default();
        loop {
            match (self.decode_in_tiles(latents, side), sides.next()) {
                (Err(error), Some(next)) if error.to_string().contains(OUT_OF_MEMORY) => side = next,
                (decoded, _) => return decoded,
            }
        }
    }

    /// [`Self::decode`] in tiles of `side` latents.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn decode_in_tiles(&self, latents: &Tensor, side: usize) -> Result<Tensor> {
        let (_, height, width, _) = latents.dims4()?;
        let latents = kernels::scale(latents, 1.0 / self.scale)?;
        if height.max(width) <= side {
            return self.decoder.forward(&latents.to_device(&self.device)?);
        }
        tiles::tiled(&latents, side, (1, self.factor()), &self.device, |tile| self.decoder.forward(tile))
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

impl Encoder {
    /// `[B, H, W, 3]` -> means and logarithms of variances `[B, h, w, 8]`.
    fn forward(&self, image: &Tensor) -> Result<Tensor> {
        let tape = &mut Tape::off();
        let mut h = self.conv_in.forward(image, Extra::default(), tape)?;
        for step in &self.down {
            h = match step {
                Step::Block(block) => block.forward(h)?,
                Step::Resize(conv) => conv.forward(&h, Extra::default(), tape)?,
            };
        }
        let h = self.norm_out.forward(&self.middle.forward(h)?, tape)?;
        self.quant.forward(&self.conv_out.forward(&h, Extra::default(), tape)?, Extra::default(), tape)
    }
}

struct Decoder {
    post_quant: Projection,
    conv_in: Projection,
    middle: Middle,
    up: Vec<Step>,
    norm_out: GroupNorm,
    conv_out: Projection,
}

impl Decoder {
    /// Unscaled latents `[B, h, w, 4]` -> `[B, H, W, 3]`.
    fn forward(&self, latents: &Tensor) -> Result<Tensor> {
        let tape = &mut Tape::off();
        let h = self.post_quant.forward(latents, Extra::default(), tape)?;
        let mut h = self.middle.forward(self.conv_in.forward(&h, Extra::default(), tape)?)?;
        for step in &self.up {
            h = match step {
                Step::Block(block) => block.forward(h)?,
                Step::Resize(conv) => conv.forward(&kernels::upsample_nearest(&h)?, Extra::default(), tape)?,
            };
        }
        self.conv_out.forward(&self.norm_out.forward(&h, tape)?, Extra::default(), tape)
    }
}
