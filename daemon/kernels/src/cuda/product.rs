//! Linear maps, convolutions and their input gradients on the GPU: one sum of products, its terms as kernels take them.

mod choice;
mod outer;
mod source;

use source::{Divisor, Source, View, counted};

pub use outer::outer_add_patches;

use super::Gpu;
use crate::{Init, Quantization, Quantized, Result, Tensor, Term, Window};
use candle_core::{DType, Error};

/// How a weight is stored.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// In the type of the activations.
    Native = 0,
    /// f32 beneath halves.
    Single = 1,
    /// Bytes with one f32 factor a row.
    Int8 = 2,
    /// Levels of NF4, two a byte, the lower four bits first, with one f32 factor for 64 values.
    Nf4 = 3,
    /// bf16, whatever the activations are.
    Bf16 = 4,
    /// f16, whatever the activations are.
    F16 = 5,
}

/// A weight matrix `[rows, columns]` on the GPU.
#[derive(Clone, Copy, Debug)]
struct Weight {
    /// How it is stored.
    kind: Kind,
    /// Address of its values.
    address: u64,
    /// Address of its factors if it is quantised.
    scales: u64,
    /// Size of the first axis.
    rows: usize,
    /// Size of all others.
    columns: usize,
}

impl Weight {
    /// A matrix as the weight of activations of type `compute`.
    fn of(weight: crate::Weight, compute: DType) -> Result<Self> {
        let tensor = match weight {
            crate::Weight::Plain(tensor) => tensor,
            crate::Weight::Quantized(matrix) => return Self::quantized(matrix),
        };
        let kind = match tensor.dtype() {
            same if same == compute => Kind::Native,
            DType::F32 => Kind::Single,
            DType::BF16 => Kind::Bf16,
            DType::F16 => Kind::F16,
            other => return Err(Error::Msg(format!("product: no GPU kernel reads weights of {other:?}"))),
        };
        if tensor.gpu().is_none() {
            return Err(Error::Msg("product: the weight is not on the GPU".into()));
        }
        let rows = tensor.dims().first().copied().unwrap_or(1);
        Ok(Self { kind, address: tensor.address(), scales: 0, rows, columns: tensor.elem_count() / rows.max(1) })
    }

    fn quantized(matrix: &Quantized) -> Result<Self> {
        let kind = match matrix.kind() {
            Quantization::Int8 => Kind::Int8,
            Quantization::Nf4 => Kind::Nf4,
        };
        if matrix.device().is_cpu() {
            return Err(Error::Msg("product: the weight is not on the GPU".into()));
        }
        let (address, scales) = (matrix.values().address(), matrix.scales().address());
        Ok(Self { kind, address, scales, rows: matrix.rows(), columns: matrix.cols() })
    }

    /// Whether eight values can be read at once where rows begin at multiples of eight.
    fn is_aligned(&self) -> bool {
        match self.kind {
            Kind::Native | Kind::Single => self.address.is_multiple_of(16),
            Kind::Int8 => self.address.is_multiple_of(8),
            Kind::Nf4 => self.address.is_multiple_of(4),
            Kind::Bf16 | Kind::F16 => false,
        }
    }
}

/// Which way round weights stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// `[inner, columns]`: backward.
    Plain,
    /// `[columns, inner]`: forward.
    Transposed,
}

/// One product of a sum.
#[derive(Clone, Copy)]
struct Product<'a> {
    /// What is multiplied, in the type of the activations.
    input: &'a Tensor,
    /// How it is read.
    view: View,
    /// What it is multiplied by.
    weight: Weight,
    /// Factor of the product.
    scale: f64,
}

impl<'a> Product<'a> {
    fn new(term: &Term<'a>, view: View) -> Result<Self> {
        let weight = Weight::of(term.weight, term.input.dtype())?;
        Ok(Self { input: term.input, view, weight, scale: term.scale })
    }
}

const TERMS: usize = 12;

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct KernelTerm {
    source: Source,
    weight: u64,
    scales: u64,
    scale: f32,
    kind: i32,
    columns: i32,
    wide: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Arguments {
    output: u64,
    partial: u64,
    bias: u64,
    per_sample: u64,
    residual: u64,
    terms: [KernelTerm; TERMS],
    count: i32,
    rows: i32,
    columns: i32,
    share: i32,
    splits: i32,
    row_tiles: i32,
    column_tiles: i32,
    stages: i32,
    wide: i32,
    plain: i32,
    table: i32,
    rows_per_sample: Divisor,
}

/// `init + sum_i scale_i A_i W_i` of shape `[batch, ..., columns]`, the terms' left matrices A_i `[rows, inner_i]`.
fn sum(gpu: &Gpu, shape: &[usize], side: Side, products: &[Product], init: Init) -> Result<Tensor> {
    let dtype = products
        .first()
        .map(|first| first.input.dtype())
        .ok_or_else(|| Error::Msg("a sum of products needs at least one".into()))?;
    let columns = shape.last().copied().unwrap_or(1);
    let rows = shape.iter().product::<usize>() / columns.max(1);
    let batch = shape.first().copied().unwrap_or(1).max(1);
    let output = gpu.empty(shape.to_vec(), dtype)?;
    let address = |tensor: Option<&Tensor>, dtype: DType, length: usize| match tensor {
        Some(t) if t.dtype() != dtype || t.elem_count() != length || t.gpu().is_none() => Err(Error::Msg(format!(
            "product: bias or residual {:?} of {:?} does not fit output {shape:?} of {dtype:?} on the GPU",
            t.shape(),
            t.dtype()
        ))),
        other => Ok(other.map_or(0, Tensor::address)),
    };
    let mut arguments = Arguments {
        output: output.address(),
        bias: address(init.bias, DType::F32, columns)?,
        per_sample: address(init.per_sample, dtype, batch * columns)?,
        residual: address(init.residual, dtype, rows * columns)?,
        rows: counted(rows, columns)? as i32,
        columns: columns as i32,
        plain: i32::from(side == Side::Plain),
        rows_per_sample: Divisor::new(rows / batch),
        ..Arguments::default()
    };
    let step = if dtype == DType::F32 { 4 } else { 8 };
    let addresses = arguments.output | arguments.bias | arguments.per_sample | arguments.residual;
    arguments.wide = i32::from(columns.is_multiple_of(step) && addresses.is_multiple_of(16));
    for product in products {
        let term = checked(product, side, shape, dtype)?;
        // A term without weight would only disturb the sum's units.
        if term.scale != 0.0 {
            let Some(place) = arguments.terms.get_mut(arguments.count as usize) else {
                return Err(Error::Msg(format!("product: more than {TERMS} terms")));
            };
            *place = term;
            arguments.count += 1;
        }
        if product.weight.kind == Kind::Nf4 {
            arguments.table = 128;
        }
    }
    if rows * columns > 0 {
        choice::launch(gpu, dtype, arguments)?;
    }
    Ok(output)
}

/// One term as the kernel takes it, if it fits the output.
fn checked(product: &Product, side: Side, shape: &[usize], dtype: DType) -> Result<KernelTerm> {
    let columns = shape.last().copied().unwrap_or(1);
    let Weight { kind, address, scales, rows, columns: length } = product.weight;
    let (source, positions) = Source::new(product.input, product.view)?;
    let taps = (source.kernel * source.kernel) as usize;
    let (inner, outputs) = match side {
        Side::Transposed => (length / taps, rows),
        Side::Plain => (rows, length / taps),
    };
    if product.input.gpu().is_none() || product.input.dtype() != dtype || source.channels as usize != inner {
        return Err(Error::Msg(format!(
            "product: input {:?} of {:?} does not fit weight [{rows}, {length}] in {dtype:?} on the GPU",
            product.input.shape(),
            product.input.dtype()
        )));
    }
    if positions * columns != shape.iter().product::<usize>() || outputs != columns {
        return Err(Error::Msg(format!("product: {positions} rows of {outputs} do not fit output {shape:?}")));
    }
    let wide = product.weight.is_aligned()
        && length.is_multiple_of(8)
        && (side == Side::Transposed || columns.is_multiple_of(8));
    Ok(KernelTerm {
        source,
        weight: address,
        scales,
        scale: product.scale as f32,
        kind: kind as i32,
        columns: counted(length, rows)? as i32,
        wide: i32::from(wide),
    })
}

fn first<'a, 'b>(terms: &'a [Term<'b>]) -> Result<&'a Term<'b>> {
    terms.first().ok_or_else(|| Error::Msg("a sum of products needs at least one".into()))
}

fn with_channels(tensor: &Tensor, channels: usize) -> Vec<usize> {
    let mut shape = tensor.dims().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = channels;
    }
    shape
}

/// [`crate::linear`] on the GPU.
pub fn linear(gpu: &Gpu, terms: &[Term], init: Init) -> Result<Tensor> {
    let first = first(terms)?;
    let products = terms.iter().map(|term| Product::new(term, View::Rows)).collect::<Result<Vec<_>>>()?;
    sum(gpu, &with_channels(first.input, first.weight.rows()), Side::Transposed, &products, init)
}

/// [`crate::linear_backward`] on the GPU.
pub fn linear_backward(gpu: &Gpu, terms: &[Term], residual: Option<&Tensor>) -> Result<Tensor> {
    let first = first(terms)?;
    let channels = first.weight.cols();
    let products = terms.iter().map(|term| Product::new(term, View::Rows)).collect::<Result<Vec<_>>>()?;
    let init = Init { residual, ..Init::default() };
    sum(gpu, &with_channels(first.input, channels), Side::Plain, &products, init)
}

/// [`crate::convolve`] on the GPU.
pub fn convolve(gpu: &Gpu, patches: &Term, window: Window, points: &[Term], init: Init) -> Result<Tensor> {
    let (batch, height, width, _) = patches.input.dims4()?;
    let shape = [batch, window.output(height), window.output(width), patches.weight.rows()];
    let mut products = vec![Product::new(patches, View::Patches(window))?];
    for term in points {
        products.push(Product::new(term, View::Rows)?);
    }
    sum(gpu, &shape, Side::Transposed, &products, init)
}

/// [`crate::convolve_backward`] on the GPU.
pub fn convolve_backward(gpu: &Gpu, terms: &[Term], window: Window, height: usize, width: usize) -> Result<Tensor> {
    let first = first(terms)?;
    let channels = first.weight.cols() / window.taps();
    let view = View::Spread(window, height, width);
    let products = terms.iter().map(|term| Product::new(term, view)).collect::<Result<Vec<_>>>()?;
    sum(gpu, &[first.input.dim(0)?, height, width, channels], Side::Plain, &products, Init::default())
}
