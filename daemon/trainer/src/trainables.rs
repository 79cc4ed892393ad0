//! Everything that learns, and where it lies.

use crate::Result;
use diffusion::{
    Model,
    layer::{Parameter, Parameters, exact},
    lora::{self, Site},
};
use kernels::Tensor;
use std::ops::Range;

/// Everything that learns: adapters and token rows in one flat tensor, bound to their layers.
pub struct Trainables {
    /// The values.
    pub parameters: Parameters,
    /// Where adapters sit, text encoders first.
    pub sites: Vec<Site>,
    /// Token rows of each encoder.
    pub tokens: Vec<Parameter>,
    /// Elements of the text encoders' adapters.
    pub(crate) text: Range<usize>,
    /// Elements of the UNet's adapters.
    pub(crate) unet: Range<usize>,
    /// Elements of the token rows.
    pub(crate) rows: Range<usize>,
}

impl Trainables {
    /// Lays out adapters and token rows and binds them to `model`.
    ///
    /// `first(name, shape)` gives the first values of an adapter matrix, named `<model>.<path>.<down|up|magnitude>`.
    /// `rows` holds, for each encoder, the first rows of the new tokens (row major; none for a plain LoRA).
    ///
    /// # Errors
    /// If shapes do not fit the model.
    pub fn bind(
        model: &mut Model,
        sites: Vec<Site>,
        dora: bool,
        alpha: f64,
        mut first: impl FnMut(&str, &[usize]) -> Vec<f32>,
        rows: Vec<Vec<f32>>,
    ) -> Result<Self> {
        let (mut initial, mut text_end) = (Vec::new(), 0);
        let mut length = 0;
        for site in &sites {
            let shapes = [site.down_shape(), site.up_shape(), vec![site.out_channels]];
            for (name, shape) in site.names(dora).into_iter().zip(shapes) {
                let values = first(&name, &shape);
                length += values.len();
                initial.push((name, shape, values));
            }
            if site.path.model != "unet" {
                text_end = length;
            }
        }
        let adapters = initial.len();
        let widths: Vec<(String, usize)> =
            model.text.encoders().map(|(name, e)| (name.to_owned(), e.width())).collect();
        for ((name, width), values) in widths.into_iter().zip(rows) {
            initial.push((format!("tokens.{name}"), vec![values.len() / width, width], values));
        }
        let (dtype, device) = (exact(model.unet.compute()), model.unet.device().clone());
        let parameters = Parameters::new(initial, dtype, &device)?;
        let tokens = (adapters..parameters.entries().len())
            .map(|i| parameters.parameter(i))
            .collect::<diffusion::Result<Vec<_>>>()?;
        lora::attach(model, &sites, &parameters, |site| alpha / site.rank as f64)?;
        model.text.set_tokens(tokens.iter().cloned().map(Some));
        let rows = length..parameters.values().elem_count();
        Ok(Self { parameters, sites, tokens, text: 0..text_end, unet: text_end..length, rows })
    }

    /// The first values of adapters as peft's "gaussian" makes them: down normal with deviation 1 / rank, up zero.
    pub fn gaussian(seed: u64) -> impl FnMut(&str, &[usize]) -> Vec<f32> {
        // Tokens draw from the same purpose at step 0.
        let mut rng = crate::Rng::new(seed, 1, crate::Purpose::Init);
        move |name, shape| {
            let count = shape.iter().product();
            if !name.ends_with(".down") {
                return vec![0.0; count];
            }
            let deviation = 1.0 / shape[0] as f32;
            rng.normals(count).into_iter().map(|z| z * deviation).collect()
        }
    }

    /// The elements `range` of a flat tensor.
    pub(crate) fn part(&self, flat: &Tensor, range: &Range<usize>) -> Result<Tensor> {
        Ok(flat.narrow(0, range.start, range.len())?)
    }
}
