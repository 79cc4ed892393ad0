//! Trainable values. All of them lie in one flat tensor and their gradients in another, so that an optimizer, a clip or
//! a sum is one pass over memory; layers see views of their part.

use crate::{Error, Result};
use candle_core::DType;
use kernels::{Device, Tensor};
use std::ops::Range;

/// Name, shape and place of one trainable tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// A path such as `unet.mid_block.attentions.0.proj_in.down`.
    pub name: String,
    /// Its shape; matrices of convolutions are `[rows, kernel * kernel * in]`.
    pub shape: Vec<usize>,
    /// First element in the flat tensor.
    pub start: usize,
}

impl Entry {
    /// The elements of this entry in the flat tensor.
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.shape.iter().product::<usize>()
    }
}

/// All trainable values of a run.
pub struct Parameters {
    values: Tensor,
    entries: Vec<Entry>,
}

/// One trainable tensor: a view into [`Parameters`], which sees every update.
#[derive(Clone)]
pub struct Parameter {
    /// The current value.
    pub value: Tensor,
    start: usize,
}

/// Gradients of all parameters, laid out alike.
pub struct Gradients {
    values: Tensor,
}

impl Parameters {
    /// Lays out tensors of the given names, shapes and first values in order.
    ///
    /// # Errors
    /// If values and shape of one disagree.
    pub fn new(initial: Vec<(String, Vec<usize>, Vec<f32>)>, dtype: DType, device: &Device) -> Result<Self> {
        let (mut entries, mut flat) = (Vec::with_capacity(initial.len()), Vec::new());
        for (name, shape, values) in initial {
            let entry = Entry { name, shape, start: flat.len() };
            if entry.range().len() != values.len() {
                return Err(Error::Invalid(format!("bug: {} values for `{}`", values.len(), entry.name)));
            }
            flat.extend_from_slice(&values);
            entries.push(entry);
        }
        let count = flat.len();
        Ok(Self { values: Tensor::from_vec(flat, count, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?, entries })
    }

    /// The entries in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The flat tensor `[P]`.
    pub fn values(&self) -> &Tensor {
        &self.values
    }

    /// The view of entry `index`.
    ///
    /// # Errors
    /// If there is no such entry.
    pub fn parameter(&self, index: usize) -> Result<Parameter> {
        let entry = self.entries.get(index).ok_or_else(|| Error::Invalid(format!("bug: no parameter {index}")))?;
        let value = self.values.narrow(0, entry.start, entry.range().len())?.reshape(entry.shape.as_slice())?;
        Ok(Parameter { value, start: entry.start })
    }

    /// Zero gradients for these parameters.
    ///
    /// # Errors
    /// If the device has no memory.
    pub fn gradients(&self) -> Result<Gradients> {
        Ok(Gradients { values: self.values.zeros_like()? })
    }
}

impl Gradients {
    /// The flat tensor `[P]`.
    pub fn values(&self) -> &Tensor {
        &self.values
    }

    /// The gradient of one parameter, a view to add to.
    ///
    /// # Errors
    /// If the parameter is of another set.
    pub fn of(&self, parameter: &Parameter) -> Result<Tensor> {
        let count = parameter.value.elem_count();
        Ok(self.values.narrow(0, parameter.start, count)?.reshape(parameter.value.shape())?)
    }

    /// Back to zero.
    ///
    /// # Errors
    /// If the tensor cannot be written.
    pub fn clear(&self) -> Result<()> {
        Ok(kernels::clear(&self.values)?)
    }
}
