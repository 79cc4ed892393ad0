//! The time embedding, and in XL the embedded pooled text and sizes beside it.

use crate::{
    Error, Result,
    checkpoint::{Architecture, Scope},
    layer::{Extra, Gradients, Precision, Projection, Tape, exact},
};
use candle_core::DType;
use kernels::Activation::Silu;
use kernels::{Device, Tensor};

pub(super) struct TimeEmbedding {
    time: Mlp,
    added: Option<Mlp>,
    channels: usize,
    compute: DType,
    device: Device,
}

/// linear, SiLU, linear. Nothing in it is ever trained.
struct Mlp(Projection, Projection);

/// Channels of the embedding of each of the six sizes.
const SIZE_CHANNELS: usize = 256;

impl Mlp {
    fn load(scope: &Scope, precision: &Precision) -> Result<Self> {
        Ok(Self(Projection::linear(&scope.scope(0), precision)?, Projection::linear(&scope.scope(2), precision)?))
    }

    /// (output, hidden state before the nonlinearity).
    fn forward(&self, x: &Tensor, extra: Extra) -> Result<(Tensor, Tensor)> {
        let h = self.0.forward(x, Extra::default(), &mut Tape::off())?;
        Ok((self.1.forward(&kernels::activate(&h, Silu)?, extra, &mut Tape::off())?, h))
    }
}

impl TimeEmbedding {
    pub fn load(root: &Scope, architecture: &Architecture, precision: &Precision) -> Result<Self> {
        let added = super::pools_text(architecture).then(|| Mlp::load(&root.scope("label_emb.0"), precision));
        Ok(Self {
            time: Mlp::load(&root.scope("time_embed"), precision)?,
            added: added.transpose()?,
            channels: architecture.unet.model_channels,
            compute: precision.compute,
            device: precision.device.clone(),
        })
    }

    /// silu(time embedding + added embedding) `[B, time]`, which every residual block projects.
    pub fn forward(
        &self,
        timesteps: &[f64],
        pooled: Option<&Tensor>,
        time_ids: &[f32],
        tape: &mut Tape,
    ) -> Result<Tensor> {
        let x = self.sinusoids(timesteps, self.channels)?;
        let (mut embedding, _) = self.time.forward(&x, Extra::default())?;
        match (&self.added, pooled) {
            (None, _) => {}
            (Some(_), None) => return Err(Error::Invalid("bug: this UNet wants pooled text".into())),
            (Some(added), Some(pooled)) => {
                if time_ids.len() != 6 * timesteps.len() {
                    return Err(Error::Invalid(format!(
                        "bug: {} sizes for {} samples",
                        time_ids.len(),
                        timesteps.len()
                    )));
                }
                let sizes: Vec<f64> = time_ids.iter().map(|&x| f64::from(x)).collect();
                let sizes = self.sinusoids(&sizes, SIZE_CHANNELS)?.reshape((timesteps.len(), 6 * SIZE_CHANNELS))?;
                let (sum, hidden) =
                    added.forward(&kernels::concat_channels(pooled, &sizes)?, Extra::residual(&embedding))?;
                tape.push(&hidden);
                embedding = sum;
            }
        }
        tape.push(&embedding);
        Ok(kernels::activate(&embedding, Silu)?)
    }

    /// Drops what [`Self::forward`] saved, where the text side is not trained.
    pub fn skip(&self, tape: &mut Tape) -> Result<()> {
        (0..if self.added.is_some() { 2 } else { 1 }).try_for_each(|_| tape.pop().map(drop))
    }

    /// Zeros in the shape of what [`Self::backward`] takes.
    pub fn zero_gradient(&self, batch: usize) -> Result<Tensor> {
        Ok(Tensor::zeros((batch, self.time.1.out_channels()), self.compute, &self.device)?)
    }

    /// The gradient of the pooled text, given that of the result of [`Self::forward`].
    pub fn backward(&self, grad: &Tensor, tape: &mut Tape) -> Result<Tensor> {
        let added = self.added.as_ref().ok_or_else(|| Error::Invalid("bug: this UNet pools no text".into()))?;
        // The layers carry no adapters; the empty set of gradients is never touched.
        let none = crate::layer::Parameters::new(Vec::new(), exact(self.compute), &self.device)?.gradients()?;
        let back = |layer: &Projection, grad: &Tensor, grads: &Gradients| layer.backward(grad, &mut Tape::off(), grads);
        let grad = kernels::activate_backward(grad, &tape.pop()?, Silu)?;
        let grad = kernels::activate_backward(&back(&added.1, &grad, &none)?, &tape.pop()?, Silu)?;
        let grad = back(&added.0, &grad, &none)?;
        Ok(kernels::split_channels(&grad, grad.dim(1)? - 6 * SIZE_CHANNELS)?.0)
    }

    /// [cos, sin] of x exp(-ln(10000) i / half), half = channels / 2 (Vaswani et al., arXiv 1706.03762, in the order
    /// of Stable Diffusion). `[n] -> [n, channels]`.
    fn sinusoids(&self, values: &[f64], channels: usize) -> Result<Tensor> {
        let half = channels / 2;
        let angle = |value: &f64, i: usize| value * (-(10_000f64.ln()) * i as f64 / half as f64).exp();
        let row = |value: &f64| {
            let angles: Vec<f64> = (0..half).map(|i| angle(value, i)).collect();
            let (cos, sin) = (angles.iter().map(|a| a.cos()), angles.iter().map(|a| a.sin()));
            cos.chain(sin).collect::<Vec<_>>()
        };
        let flat: Vec<f64> = values.iter().flat_map(row).collect();
        Ok(Tensor::from_vec(flat, (values.len(), channels), &Device::Cpu)?
            .to_dtype(self.compute)?
            .to_device(&self.device)?)
    }
}
