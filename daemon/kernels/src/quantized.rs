//! Frozen matrices in eight or four bits: a quarter and an eighth of f32, widened block by block where products read them.
//!
//! Both store a scale of the absolute maximum beside the values, so that zeros stay zeros and the largest value of each
//! group stays what it is.
//!
//! | kind | scale | largest error of a value |
//! |---|---|---|
//! | [`Quantization::Int8`] | one a row | absmax of the row / 254 |
//! | [`Quantization::Nf4`] | one for 64 values | 0.152 absmax of the 64 (half of the widest gap between levels) |
//!
//! A product errs by at most the sum of |input| times these bounds; rounding errors of f32 come on top, some 1e-7 of the
//! values. For normally distributed weights in rows of 1280 the errors' root mean square is 0.8 % and 9.3 % of the
//! weights' own (`tests/quantized.rs` measures that, and holds values and products to the bounds).

use crate::{
    Device, Result, Tensor,
    frozen::Frozen,
    parallel::for_each_chunk,
    view::{Slice, read},
};
use candle_core::{DType, Error};

/// How a matrix is stored in fewer bits than any float type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantization {
    /// Eight bits: whole numbers from -127 to 127 (two's complement), times an f32 scale for each row.
    Int8,
    /// Four bits: sixteen levels at quantiles of the normal distribution, NormalFloat of QLoRA (Dettmers et al., arXiv
    /// 2305.14314, appendix E), times an f32 scale for each 64 values in a row of the row-major matrix. Two values a byte,
    /// the one of even index in the low four bits.
    Nf4,
}

/// Values that share a scale in four bits.
pub const NF4_BLOCK: usize = 64;

/// The levels of four bits. Zero is one of them, and so are -1 and 1.
const NF4_LEVELS: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// Blocks that one task quantizes.
const BLOCKS_PER_TASK: usize = 512;

impl Quantization {
    /// Bits of a value, scales left out.
    pub fn bits(self) -> usize {
        match self {
            Self::Int8 => 8,
            Self::Nf4 => 4,
        }
    }

    /// (bytes of values, number of scales) of a matrix `[rows, cols]`.
    fn sizes(self, rows: usize, cols: usize) -> (usize, usize) {
        match self {
            Self::Int8 => (rows * cols, rows),
            Self::Nf4 => ((rows * cols).div_ceil(2), (rows * cols).div_ceil(NF4_BLOCK)),
        }
    }

    /// Bytes of a matrix `[rows, cols]`, scales included.
    pub fn bytes(self, rows: usize, cols: usize) -> usize {
        let (values, scales) = self.sizes(rows, cols);
        values + scales * size_of::<f32>()
    }

    /// The largest error of a value in a group whose absolute maximum is `absmax`: a row of eight bits, 64 values of four.
    pub fn error_bound(self, absmax: f32) -> f32 {
        match self {
            Self::Int8 => absmax / 254.0,
            Self::Nf4 => absmax * (1.0 - 0.696_192_8) / 2.0,
        }
    }
}

/// A frozen matrix `[rows, cols]` in few bits.
#[derive(Clone, Debug)]
pub struct Quantized {
    kind: Quantization,
    rows: usize,
    cols: usize,
    /// Bytes: `[rows * cols]`, or half as many.
    values: Tensor,
    /// f32: `[rows]`, or one for each [`NF4_BLOCK`].
    scales: Tensor,
}

impl Quantized {
    /// Stores a matrix of any float type that lies on the CPU; of more axes than two, all but the first are columns.
    ///
    /// # Errors
    /// If it lies elsewhere or is not contiguous.
    pub fn new(weight: &Tensor, kind: Quantization) -> Result<Self> {
        let wide = if weight.dtype() == DType::F64 { weight.to_dtype(DType::F32)? } else { weight.clone() };
        let frozen = Frozen::<f32>::new(&wide)?;
        let (rows, cols) = (frozen.rows, frozen.cols);
        let (bytes, count) = kind.sizes(rows, cols);
        let (mut values, mut scales) = (vec![0u8; bytes], vec![0f32; count]);
        match kind {
            Quantization::Int8 => {
                let (pairs, width) =
                    (values.chunks_mut(cols.max(1)).zip(&mut scales), crate::parallel::rows_per_task(cols));
                let mut pairs: Vec<_> = pairs.collect();
                for_each_chunk(&mut pairs, width, |task, pairs| {
                    let mut scratch = Vec::new();
                    for (i, (out, scale)) in pairs.iter_mut().enumerate() {
                        let row = frozen.block((task * width + i, 1), (0, cols), &mut scratch);
                        **scale = into_int8(&row.data[..cols], out);
                    }
                });
            }
            Quantization::Nf4 => {
                // One row of all values: blocks do not heed where the matrix breaks its lines.
                let flat = frozen.flat();
                let (total, half) = (flat.cols, NF4_BLOCK / 2);
                let mut pairs: Vec<_> = values.chunks_mut(half).zip(&mut scales).collect();
                for_each_chunk(&mut pairs, BLOCKS_PER_TASK, |task, pairs| {
                    let mut scratch = Vec::new();
                    for (i, (out, scale)) in pairs.iter_mut().enumerate() {
                        let start = (task * BLOCKS_PER_TASK + i) * NF4_BLOCK;
                        let count = NF4_BLOCK.min(total - start);
                        let block = flat.block((0, 1), (start, count), &mut scratch);
                        **scale = into_nf4(&block.data[..count], out);
                    }
                });
            }
        }
        let cpu = Device::Cpu;
        Ok(Self {
            kind,
            rows,
            cols,
            values: Tensor::from_vec(values, bytes, &cpu)?,
            scales: Tensor::from_vec(scales, count, &cpu)?,
        })
    }

    /// How it is stored.
    pub fn kind(&self) -> Quantization {
        self.kind
    }

    /// Outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs of each.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The stored bytes, u8.
    pub fn values(&self) -> &Tensor {
        &self.values
    }

    /// The scales, f32.
    pub fn scales(&self) -> &Tensor {
        &self.scales
    }

    /// Where it lies.
    pub fn device(&self) -> &Device {
        self.values.device()
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.kind.bytes(self.rows, self.cols)
    }

    /// On another device.
    ///
    /// # Errors
    /// If the device has no memory.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(Self { values: self.values.to_device(device)?, scales: self.scales.to_device(device)?, ..self.clone() })
    }

    /// As f32 `[rows, cols]`, on the CPU.
    ///
    /// # Errors
    /// If the GPU fails.
    pub fn widen(&self) -> Result<Tensor> {
        let here = self.to_device(&Device::Cpu)?;
        let packed = Packed::new(&here)?;
        let mut out = vec![0f32; self.rows * self.cols];
        if self.cols > 0 {
            for_each_chunk(&mut out, self.cols, |row, out| packed.read(row, 0, out));
        }
        Tensor::from_vec(out, (self.rows, self.cols), &Device::Cpu)
    }
}

/// Rounds a row to multiples of its scale, which it returns.
fn into_int8(row: &[f32], out: &mut [u8]) -> f32 {
    let absmax = row.iter().fold(0f32, |most, x| most.max(x.abs()));
    let scale = absmax / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    for (out, &x) in out.iter_mut().zip(row) {
        // Saturates where 1 / scale is not exact or, for a scale below the normal range, infinite.
        *out = ((x * inverse).round() as i8).max(-127).cast_unsigned();
    }
    scale
}

/// Rounds at most [`NF4_BLOCK`] values to the nearest levels of their absolute maximum, which it returns.
fn into_nf4(block: &[f32], out: &mut [u8]) -> f32 {
    let absmax = block.iter().fold(0f32, |most, x| most.max(x.abs()));
    for (out, pair) in out.iter_mut().zip(block.chunks(2)) {
        let code = |x: Option<&f32>| x.map_or(ZERO, |&x| if absmax > 0.0 { nearest(x / absmax) } else { ZERO });
        *out = code(pair.first()) | code(pair.get(1)) << 4;
    }
    absmax
}

/// The code of zero.
const ZERO: u8 = 7;

/// The code of the level nearest to `x`.
fn nearest(x: f32) -> u8 {
    // As many levels lie below as midpoints between neighbours do.
    NF4_LEVELS.windows(2).filter(|pair| x > (pair[0] + pair[1]) / 2.0).count() as u8
}

/// Both levels of a byte.
static NF4_PAIRS: [[f32; 2]; 256] = {
    let mut pairs = [[0f32; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [NF4_LEVELS[byte & 15], NF4_LEVELS[byte >> 4]];
        byte += 1;
    }
    pairs
};

/// A quantized matrix on the CPU, borrowed for reading.
pub(crate) struct Packed<'a> {
    kind: Quantization,
    cols: usize,
    values: Slice<'a, u8>,
    scales: Slice<'a, f32>,
}

impl<'a> Packed<'a> {
    pub fn new(matrix: &'a Quantized) -> Result<Self> {
        let (values, scales) = (read::<u8>(&matrix.values)?, read::<f32>(&matrix.scales)?);
        if (values.len(), scales.len()) != matrix.kind.sizes(matrix.rows, matrix.cols) {
            return Err(Error::Msg("bug: a quantized matrix has another size than its values".into()));
        }
        Ok(Self { kind: matrix.kind, cols: matrix.cols, values, scales })
    }

    /// Widens the values of `row` from column `col` on.
    pub fn read(&self, row: usize, col: usize, out: &mut [f32]) {
        let start = row * self.cols + col;
        match self.kind {
            Quantization::Int8 => {
                let scale = self.scales[row];
                for (out, &byte) in out.iter_mut().zip(&self.values[start..]) {
                    *out = f32::from(byte.cast_signed()) * scale;
                }
            }
            Quantization::Nf4 => {
                let mut at = start;
                let mut rest = out;
                while !rest.is_empty() {
                    let count = (NF4_BLOCK - at % NF4_BLOCK).min(rest.len());
                    let (part, after) = rest.split_at_mut(count);
                    self.read_block(at, part);
                    (at, rest) = (at + count, after);
                }
            }
        }
    }

    /// Widens values that share a scale.
    fn read_block(&self, mut at: usize, mut out: &mut [f32]) {
        let scale = self.scales[at / NF4_BLOCK];
        if at % 2 == 1 {
            out[0] = NF4_PAIRS[usize::from(self.values[at / 2])][1] * scale;
            (at, out) = (at + 1, &mut out[1..]);
        }
        for (pair, &byte) in out.chunks_mut(2).zip(&self.values[at / 2..]) {
            for (out, level) in pair.iter_mut().zip(NF4_PAIRS[usize::from(byte)]) {
                *out = level * scale;
            }
        }
    }
}

/// A frozen matrix as a product takes it.
#[derive(Clone, Copy, Debug)]
pub enum Weight<'a> {
    /// Floats of any type, `[out, in]`; of more axes than two, all but the first are columns.
    Plain(&'a Tensor),
    /// Few bits.
    Quantized(&'a Quantized),
}

impl<'a> From<&'a Tensor> for Weight<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        Self::Plain(tensor)
    }
}

impl<'a> From<&'a Quantized> for Weight<'a> {
    fn from(matrix: &'a Quantized) -> Self {
        Self::Quantized(matrix)
    }
}

impl Weight<'_> {
    /// Outputs.
    pub fn rows(&self) -> usize {
        match self {
            Self::Plain(tensor) => tensor.dims().first().copied().unwrap_or(1),
            Self::Quantized(matrix) => matrix.rows,
        }
    }

    /// Inputs of each output, every tap of a window counted.
    pub fn cols(&self) -> usize {
        match self {
            Self::Plain(tensor) => tensor.elem_count() / self.rows().max(1),
            Self::Quantized(matrix) => matrix.cols,
        }
    }
}
