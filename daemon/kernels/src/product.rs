//! Linear maps and convolutions with frozen weights, and the gradients of the low-rank matrices beside them.
//!
//! One engine serves all: the output is a matrix `[positions, channels]`, split into tiles by its shape; each tile
//! starts from bias and residual and adds one product after another. A LoRA branch is one more product on the same tile,
//! so that it costs no pass of its own over a full-size tensor.

use crate::{
    Device, Result, Tensor, cuda,
    element::{Real, dispatch, vectorized},
    frozen::Frozen,
    matrix::{Matrix, Target, multiply, multiply_transposed},
    parallel::{Shared, for_each},
    patches::{Source, Window},
    quantized::Weight,
    view::{Slice, build, read, rows_and_channels, with_channels, write},
};
use candle_core::Error;

/// One product of a sum: `scale * input * weight^T` forward, `scale * input * weight` backward.
#[derive(Clone, Copy)]
pub struct Term<'a> {
    /// `[..., in]` forward; the gradient `[..., out]` backward.
    pub input: &'a Tensor,
    /// `[out, in]`, or `[out, kernel * kernel * in]` under a window; plain or quantized.
    pub weight: Weight<'a>,
    /// Factor of this product.
    pub scale: f64,
}

/// What an output starts from before products are added.
#[derive(Clone, Copy, Default)]
pub struct Init<'a> {
    /// `[out]`, added at every position.
    pub bias: Option<&'a Tensor>,
    /// `[batch, out]`, added at every position of its sample.
    pub per_sample: Option<&'a Tensor>,
    /// The shape of the output, added elementwise.
    pub residual: Option<&'a Tensor>,
}

/// `y = init + sum_i scale_i x_i W_i^T` over the last axis. Shapes: `x_i [..., in_i]`, `W_i [out, in_i]`, `y [..., out]`.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn linear(terms: &[Term], init: Init) -> Result<Tensor> {
    let first = first_term(terms)?;
    if let Some(gpu) = first.input.gpu() {
        return cuda::product::linear(gpu, terms, init);
    }
    let channels = first.weight.rows();
    dispatch!(first.input, "linear", T => {
        let products = terms.iter().map(|t| Product::<T>::rows(t, Side::Transposed)).collect::<Result<Vec<_>>>()?;
        sum_products(with_channels(first.input, channels), first.input.device(), &products, init)
    })
}

/// The input gradient of [`linear`]: `dx = residual + sum_i scale_i dy_i W_i`. Shapes: `dy_i [..., out_i]`,
/// `W_i [out_i, in]`, `residual, dx [..., in]`.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn linear_backward(terms: &[Term], residual: Option<&Tensor>) -> Result<Tensor> {
    let first = first_term(terms)?;
    if let Some(gpu) = first.input.gpu() {
        return cuda::product::linear_backward(gpu, terms, residual);
    }
    let channels = first.weight.cols();
    dispatch!(first.input, "linear backward", T => {
        let products = terms.iter().map(|t| Product::<T>::rows(t, Side::Plain)).collect::<Result<Vec<_>>>()?;
        let init = Init { residual, ..Init::default() };
        sum_products(with_channels(first.input, channels), first.input.device(), &products, init)
    })
}

/// A convolution plus products at single positions: `y = init + W * x + sum_i scale_i p_i W_i^T`.
///
/// Shapes: `x [B, H, W, in]`, weight `[out, kernel, kernel, in]` flattened to `[out, kernel * kernel * in]`,
/// `p_i [B, H', W', in_i]`, `y [B, H', W', out]`.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn convolve(patches: &Term, window: Window, points: &[Term], init: Init) -> Result<Tensor> {
    if let Some(gpu) = patches.input.gpu() {
        return cuda::product::convolve(gpu, patches, window, points, init);
    }
    let (batch, height, width, _) = patches.input.dims4()?;
    let shape = vec![batch, window.output(height), window.output(width), patches.weight.rows()];
    dispatch!(patches.input, "convolution", T => {
        let mut products = vec![Product::<T>::patches(patches, window)?];
        for term in points {
            products.push(Product::rows(term, Side::Transposed)?);
        }
        sum_products(shape, patches.input.device(), &products, init)
    })
}

/// The input gradient of [`convolve`] for an input of `height` x `width` pixels, summed over `terms`.
///
/// Every input pixel gathers the outputs that its taps reached, so that no two tasks write one address. At stride 2 a
/// quarter of the gathered values are not zero; the few downsampling layers do not repay a second path.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn convolve_backward(terms: &[Term], window: Window, height: usize, width: usize) -> Result<Tensor> {
    let first = first_term(terms)?;
    if let Some(gpu) = first.input.gpu() {
        return cuda::product::convolve_backward(gpu, terms, window, height, width);
    }
    let channels = first.weight.cols() / window.taps();
    let shape = vec![first.input.dim(0)?, height, width, channels];
    dispatch!(first.input, "convolution backward", T => {
        let products = terms.iter().map(|t| Product::<T>::spread(t, window, height, width)).collect::<Result<Vec<_>>>()?;
        sum_products(shape, first.input.device(), &products, Init::default())
    })
}

/// `target += scale a^T b`: the gradient of a trainable matrix. Shapes: `a [..., n]`, `b [..., k]`, `target [n, k]`.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn outer_add(target: &Tensor, a: &Tensor, b: &Tensor, scale: f64) -> Result<()> {
    outer_add_patches(target, a, b, scale, Window::POINT)
}

/// [`outer_add`] for the low-rank factor under a window: `b [B, H, W, k]` is seen through `window`.
/// `target [n, kernel * kernel * k]`.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn outer_add_patches(target: &Tensor, a: &Tensor, b: &Tensor, scale: f64, window: Window) -> Result<()> {
    if let Some(gpu) = a.gpu() {
        return cuda::product::outer_add_patches(gpu, target, a, b, scale, window);
    }
    dispatch!(a, "outer product", T => {
        let (values_a, values_b) = (read::<T>(a)?, read::<T>(b)?);
        let (positions, n) = rows_and_channels(a);
        let source = Source::new(b, window)?;
        let k = source.width();
        if source.positions() != positions || target.elem_count() != n * k {
            return Err(Error::Msg(format!("outer product: {:?} x {:?} into {:?}", a.shape(), b.shape(), target.shape())));
        }
        let left = Matrix::dense(&values_a, positions, n).transposed();
        let scale = T::from_f64(scale);
        write::<T>(target, |out| {
            // Split over columns only: each task adds all positions in order.
            let tile = tile_columns(n, k, positions);
            let shared = Shared::new(out);
            for_each(k.div_ceil(tile), |i| {
                let (start, count) = (i * tile, tile.min(k - i * tile));
                // SAFETY: tasks own disjoint columns of the exclusively borrowed target.
                let part = Target { start: unsafe { shared.at(start) }, rows: n, cols: count, row_stride: k };
                source.outer(left, &values_b, (start, count), scale, part);
            });
        })
    })
}

fn first_term<'a, 'b>(terms: &'a [Term<'b>]) -> Result<&'a Term<'b>> {
    terms.first().ok_or_else(|| Error::Msg("a sum of products needs at least one".into()))
}

/// Which way round the weight stands.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    /// `[in, out]`, as backward products read it.
    Plain,
    /// `[out, in]` transposed, as forward products read it.
    Transposed,
}

/// One product of a sum, its operands borrowed.
struct Product<'a, T> {
    input: Slice<'a, T>,
    source: Source,
    weight: Frozen<'a, T>,
    side: Side,
    scale: T,
}

impl<'a, T: Real> Product<'a, T> {
    fn rows(term: &Term<'a>, side: Side) -> Result<Self> {
        let weight = Frozen::new(term.weight)?;
        let source = Source::new(term.input, Window::POINT)?;
        let inner = if side == Side::Transposed { weight.cols } else { weight.rows };
        Self::checked(term, source, weight, side, inner)
    }

    fn patches(term: &Term<'a>, window: Window) -> Result<Self> {
        let weight = Frozen::new(term.weight)?;
        let source = Source::new(term.input, window)?;
        let inner = weight.cols / window.taps();
        Self::checked(term, source, weight, Side::Transposed, inner)
    }

    fn spread(term: &Term<'a>, window: Window, height: usize, width: usize) -> Result<Self> {
        if window == Window::POINT {
            return Self::rows(term, Side::Plain);
        }
        let weight = Frozen::new(term.weight)?;
        let forward = Source::new(term.input, window)?;
        if (window.output(height), window.output(width)) != (forward.height, forward.width_in) {
            return Err(Error::Msg(format!(
                "convolution backward: {:?} is no output of {height} x {width}",
                term.input.shape()
            )));
        }
        let source = Source { out_height: height, out_width: width, spread: true, ..forward };
        let inner = weight.rows;
        Self::checked(term, source, weight, Side::Plain, inner)
    }

    fn checked(term: &Term<'a>, source: Source, weight: Frozen<'a, T>, side: Side, inner: usize) -> Result<Self> {
        if source.channels != inner {
            return Err(Error::Msg(format!(
                "product: input {:?} does not fit weight [{}, {}]",
                term.input.shape(),
                weight.rows,
                weight.cols
            )));
        }
        Ok(Self { input: read(term.input)?, source, weight, side, scale: T::from_f64(term.scale) })
    }

    fn output_channels(&self) -> usize {
        match self.side {
            Side::Transposed => self.weight.rows,
            Side::Plain => self.weight.cols / self.source.window.taps(),
        }
    }

    /// Adds this product to one tile of the output (or writes it, if `add` is false).
    ///
    /// # Safety
    /// The tile must be valid and this task's alone.
    unsafe fn add_to(&self, tile: Target<T>, add: bool, row: usize, col: usize, space: &mut Workspace<T>) {
        let source = &self.source;
        let left = if source.is_plain() {
            Matrix::dense(&self.input, source.positions(), source.channels).row_block(row, tile.rows)
        } else {
            source.gather(&self.input, row, tile.rows, &mut space.patches);
            Matrix::dense(&space.patches, tile.rows, source.width())
        };
        if self.side == Side::Transposed {
            let right = self.weight.block((col, tile.cols), (0, self.weight.cols), &mut space.weight);
            // SAFETY: the caller's promise.
            return unsafe { multiply_transposed(tile, add, self.scale, left, right, &mut space.turned) };
        }
        // Backward through a window: tap by tap, since a tap's columns of the weight are not adjacent to the next row's.
        let (channels, taps) = (self.output_channels(), source.window.taps());
        for tap in 0..taps {
            let right = self.weight.block((0, self.weight.rows), (tap * channels + col, tile.cols), &mut space.weight);
            let left = left.col_block(tap * source.channels, source.channels);
            // SAFETY: the caller's promise.
            unsafe { multiply(tile, add || tap > 0, self.scale, left, right) };
        }
    }
}

/// Buffers that a task reuses.
struct Workspace<T> {
    patches: Vec<T>,
    weight: Vec<T>,
    turned: Vec<T>,
}

/// `init + sum of products`, tile by tile.
fn sum_products<T: Real>(shape: Vec<usize>, device: &Device, products: &[Product<T>], init: Init) -> Result<Tensor> {
    let cols = *shape.last().unwrap_or(&1);
    let rows = shape.iter().product::<usize>() / cols.max(1);
    for product in products {
        if product.source.positions() != rows || product.output_channels() != cols {
            return Err(Error::Msg(format!(
                "product: {} rows of {} do not fit output {shape:?}",
                product.source.positions(),
                product.output_channels()
            )));
        }
    }
    let bias = init.bias.map(read::<T>).transpose()?;
    let per_sample = init.per_sample.map(read::<T>).transpose()?;
    let residual = init.residual.map(read::<T>).transpose()?;
    let fits = |slice: &Option<Slice<T>>, len: usize| slice.as_ref().is_none_or(|s| s.len() == len);
    if !fits(&bias, cols) || !fits(&residual, rows * cols) || !fits(&per_sample, shape[0] * cols) {
        return Err(Error::Msg(format!("product: bias or residual does not fit output {shape:?}")));
    }
    let rows_per_sample = rows / shape[0].max(1);
    let starts = bias.is_some() || per_sample.is_some() || residual.is_some();

    let inner: usize = products.iter().map(|p| p.source.width()).sum();
    let half = products.iter().any(|p| p.weight.is_narrow());
    let patches = products.iter().any(|p| !p.source.is_plain());
    let (row_tile, col_tile) = tile_sizes(rows, cols, inner, half, patches);
    let row_tiles = rows.div_ceil(row_tile);
    build::<T, _>(shape, device, |out| {
        let shared = Shared::new(out);
        for_each(row_tiles * cols.div_ceil(col_tile), |i| {
            let (row, col) = (i % row_tiles * row_tile, i / row_tiles * col_tile);
            let (row_count, col_count) = (row_tile.min(rows - row), col_tile.min(cols - col));
            // SAFETY: tiles are disjoint parts of the exclusively borrowed output.
            let start = unsafe { shared.at(row * cols + col) };
            let tile = Target { start, rows: row_count, cols: col_count, row_stride: cols };
            if starts {
                vectorized(
                    #[inline(always)]
                    || {
                        for r in row..row + row_count {
                            // SAFETY: a row of this task's tile.
                            let line = unsafe { shared.part(r * cols + col, col_count) };
                            match &residual {
                                Some(values) => line.copy_from_slice(&values[r * cols + col..][..col_count]),
                                None => line.fill(T::ZERO),
                            }
                            if let Some(values) = &bias {
                                line.iter_mut().zip(&values[col..]).for_each(|(y, b)| *y += *b);
                            }
                            if let Some(values) = &per_sample {
                                let values = &values[r / rows_per_sample * cols + col..];
                                line.iter_mut().zip(values).for_each(|(y, b)| *y += *b);
                            }
                        }
                    },
                );
            }
            let mut space = Workspace { patches: Vec::new(), weight: Vec::new(), turned: Vec::new() };
            for (n, product) in products.iter().enumerate() {
                // SAFETY: the tile is this task's alone.
                unsafe { product.add_to(tile, starts || n > 0, row, col, &mut space) };
            }
        });
        Ok(())
    })
}

/// Tile of an output `[rows, cols]` whose every element costs `inner` multiplications: at least 4 million of them a
/// tile, more in large products, which have tiles enough for every core; near square, so that packing stays small.
fn tile_sizes(rows: usize, cols: usize, inner: usize, half: bool, patches: bool) -> (usize, usize) {
    const LEAST: usize = 2 << 20;
    const ENOUGH: usize = 12;
    let work = rows * cols * inner;
    let tiles = (work / LEAST).min((work / (32 * LEAST)).max(ENOUGH)).clamp(1, 128);
    let area = (rows * cols).div_ceil(tiles);
    // Patches are copied once a column tile, half weights converted once a row tile: lean away from what costs.
    let lean = if half { 16 } else { 2 };
    let mut row_tile = (area * lean).isqrt().next_multiple_of(16).clamp(64, 1024);
    if patches {
        row_tile = row_tile.clamp(64, 256);
    }
    let row_tile = row_tile.min(rows).max(1);
    let col_tile = (area / row_tile).next_multiple_of(48).max(if patches { 192 } else { 48 }).min(cols).max(1);
    (row_tile, col_tile)
}

/// Columns of one task of an outer product over `positions` rows.
fn tile_columns(n: usize, k: usize, positions: usize) -> usize {
    const WORK: usize = 2 << 20;
    let tasks = (n * k * positions / WORK).clamp(1, 64);
    k.div_ceil(tasks).next_multiple_of(16).min(k).max(1)
}
