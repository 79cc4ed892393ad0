//! The layer that everything else is made of: a frozen linear map at every position or under a window, with an optional
//! adapter.

use super::{Adapter, Gradients, Precision, Tape, matrix::Matrix};
use crate::{Result, checkpoint::Scope};
use kernels::{Init, Tensor, Term, Weight, Window};

/// y = W x + b, at every position (`window` absent) or as a convolution.
pub struct Projection {
    matrix: Matrix,
    bias: Option<Tensor>,
    window: Option<Window>,
    /// Whether the file stores this as a convolution (1 x 1 ones run as linear maps).
    is_conv: bool,
    /// The trainable correction, if this layer is a target.
    pub adapter: Option<Adapter>,
}

/// What is added to a projection's output on the way.
#[derive(Clone, Copy, Default)]
pub struct Extra<'a> {
    /// `[B, out]`, at every position of a sample.
    pub per_sample: Option<&'a Tensor>,
    /// The output's shape.
    pub residual: Option<&'a Tensor>,
}

impl<'a> Extra<'a> {
    /// Only a residual.
    pub fn residual(residual: &'a Tensor) -> Self {
        Self { residual: Some(residual), per_sample: None }
    }
}

/// The output gradient of a projection on its way to the input.
pub struct Gradient {
    /// `[..., out]`.
    output: Tensor,
    /// `[..., rank]`, the gradient of the adapter's inner values.
    inner: Option<Tensor>,
    /// Spatial size of the input under a window.
    size: (usize, usize),
}

impl Projection {
    /// Loads `scope.weight` and, if there is one, `scope.bias` as a linear map. A 1 x 1 convolution is one too.
    ///
    /// # Errors
    /// If a tensor cannot be loaded.
    pub fn linear(scope: &Scope, precision: &Precision) -> Result<Self> {
        let (matrix, is_conv) = Matrix::load(scope, precision)?;
        Ok(Self { matrix, bias: bias(scope, precision)?, window: None, is_conv, adapter: None })
    }

    /// Loads `scope.weight [out, in, k, k]` and `scope.bias` as a convolution; k = 1 becomes a linear map.
    ///
    /// # Errors
    /// If a tensor cannot be loaded.
    pub fn conv(scope: &Scope, window: Window, precision: &Precision) -> Result<Self> {
        let (matrix, _) = Matrix::load(scope, precision)?;
        let window = (window.kernel > 1).then_some(window);
        Ok(Self { matrix, bias: bias(scope, precision)?, window, is_conv: true, adapter: None })
    }

    /// Linear maps that a file stores as one, `scope.{name}_weight` and `scope.{name}_bias`: `parts` equal parts of the rows.
    ///
    /// # Errors
    /// If a tensor cannot be loaded.
    pub fn fused(scope: &Scope, name: &str, parts: usize, precision: &Precision) -> Result<Vec<Self>> {
        let bias = scope.tensor(&format!("{name}_bias"), precision.exact(), &precision.device)?;
        let rows = bias.elem_count() / parts;
        let matrices = Matrix::load_parts(scope, &format!("{name}_weight"), parts, precision)?;
        let part = |(i, matrix): (usize, Matrix)| -> Result<Self> {
            let bias = bias.narrow(0, i * rows, rows)?;
            Ok(Self { matrix, bias: Some(bias), window: None, is_conv: false, adapter: None })
        };
        matrices.into_iter().enumerate().map(part).collect()
    }

    /// A linear map of tensors at hand.
    pub fn of(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { matrix: Matrix::Plain(weight), bias, window: None, is_conv: false, adapter: None }
    }

    /// Outputs.
    pub fn out_channels(&self) -> usize {
        self.matrix.weight().rows()
    }

    /// Inputs per output, every tap counted.
    pub fn fan_in(&self) -> usize {
        self.matrix.weight().cols()
    }

    /// Side of the kernel if the file stores this layer as a convolution.
    pub fn conv_kernel(&self) -> Option<usize> {
        self.is_conv.then(|| self.window.map_or(1, |w| w.kernel))
    }

    /// The frozen matrix `[out, in]`.
    pub fn weight(&self) -> Weight<'_> {
        self.matrix.weight()
    }

    /// `x [..., in]` -> `[..., out]`, plus `extra`.
    ///
    /// # Errors
    /// If shapes do not fit.
    pub fn forward(&self, x: &Tensor, extra: Extra, tape: &mut Tape) -> Result<Tensor> {
        let init = Init { bias: self.bias.as_ref(), per_sample: extra.per_sample, residual: extra.residual };
        let base = Term { input: x, weight: self.weight(), scale: 1.0 };
        let Some(adapter) = &self.adapter else {
            return self.apply(&base, &[], init);
        };
        let inner = self.apply(&Term { weight: (&adapter.down.value).into(), ..base }, &[], Init::default())?;
        let low_rank = Term { input: &inner, weight: (&adapter.up.value).into(), scale: adapter.scale };
        tape.push(x);
        tape.push(&inner);
        let Some(magnitude) = &adapter.magnitude else {
            return self.apply(&base, &[low_rank], init);
        };
        let direction = self.apply(&base, &[low_rank], Init::default())?;
        let norms = kernels::row_norms(self.weight(), &adapter.up.value, &adapter.down.value, adapter.scale)?;
        let factor = magnitude.value.div(&norms)?;
        tape.push(&direction);
        tape.push(&norms);
        Ok(kernels::add_init(&kernels::scale_channels(&direction, &factor)?, init)?)
    }

    fn apply(&self, base: &Term, points: &[Term], init: Init) -> Result<Tensor> {
        if let Some(window) = self.window {
            return Ok(kernels::convolve(base, window, points, init)?);
        }
        let terms: Vec<Term> = std::iter::once(*base).chain(points.iter().copied()).collect();
        Ok(kernels::linear(&terms, init)?)
    }

    /// The input gradient of `grad [..., out]`, with the adapter's gradients added to `grads`.
    ///
    /// # Errors
    /// If the passes do not match.
    pub fn backward(&self, grad: &Tensor, tape: &mut Tape, grads: &Gradients) -> Result<Tensor> {
        let gradient = self.gradient(grad, tape, grads)?;
        Self::input_gradient(&[(self, &gradient)], None)
    }

    /// The first half of the backward pass: the adapter's gradients. The second half is [`Self::input_gradient`],
    /// which may be left out where nothing trainable lies further up.
    ///
    /// # Errors
    /// If the passes do not match.
    pub fn gradient(&self, grad: &Tensor, tape: &mut Tape, grads: &Gradients) -> Result<Gradient> {
        let size = match self.window {
            Some(window) => (grad.dim(1)? * window.stride, grad.dim(2)? * window.stride),
            None => (0, 0),
        };
        let Some(adapter) = &self.adapter else {
            return Ok(Gradient { output: grad.clone(), inner: None, size });
        };
        let mut output = grad.clone();
        if let Some(magnitude) = &adapter.magnitude {
            let (norms, direction) = (tape.pop()?, tape.pop()?);
            let slope = kernels::channel_product(grad, &direction)?.div(&norms)?;
            kernels::accumulate(&grads.of(magnitude)?, &slope)?;
            output = kernels::scale_channels(grad, &magnitude.value.div(&norms)?)?;
        }
        let (inner, x) = (tape.pop()?, tape.pop()?);
        kernels::outer_add(&grads.of(&adapter.up)?, &output, &inner, adapter.scale)?;
        let up = Term { input: &output, weight: (&adapter.up.value).into(), scale: adapter.scale };
        let inner = kernels::linear_backward(&[up], None)?;
        let window = self.window.unwrap_or(Window::POINT);
        kernels::outer_add_patches(&grads.of(&adapter.down)?, &inner, &x, 1.0, window)?;
        Ok(Gradient { output, inner: Some(inner), size })
    }

    /// The gradient of one input that all the given projections read, summed, plus `beside`.
    ///
    /// # Errors
    /// If the projections read inputs of different shapes.
    pub fn input_gradient(parts: &[(&Self, &Gradient)], beside: Option<&Tensor>) -> Result<Tensor> {
        let mut terms = Vec::with_capacity(2 * parts.len());
        for (projection, gradient) in parts {
            terms.push(Term { input: &gradient.output, weight: projection.weight(), scale: 1.0 });
            if let (Some(adapter), Some(inner)) = (&projection.adapter, &gradient.inner) {
                terms.push(Term { input: inner, weight: (&adapter.down.value).into(), scale: 1.0 });
            }
        }
        match parts {
            [(Self { window: Some(window), .. }, Gradient { size: (height, width), .. }), ..] => {
                Ok(kernels::convolve_backward(&terms, *window, *height, *width)?)
            }
            _ => Ok(kernels::linear_backward(&terms, beside)?),
        }
    }
}

fn bias(scope: &Scope, precision: &Precision) -> Result<Option<Tensor>> {
    if !scope.has("bias") {
        return Ok(None);
    }
    scope.tensor("bias", precision.exact(), &precision.device).map(Some)
}
