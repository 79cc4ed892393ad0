//! What the callers of kernels that wait for memory share: checks, grids, and how rows are dealt out to blocks.

use crate::{Result, Tensor};
use candle_core::{DType, Error};

/// Elements that a lane handles at once.
pub const RUN: usize = 8;
/// Lanes of a block that takes a run each.
pub const THREADS: u32 = 256;
/// Lanes of a block that walks over rows, at most.
const WALKERS: usize = 320;

/// The address of a tensor that has `count` elements of `dtype`: all that a kernel sees of it.
pub fn address(operation: &str, tensor: &Tensor, dtype: DType, count: usize) -> Result<u64> {
    if tensor.gpu().is_none() || tensor.dtype() != dtype || tensor.elem_count() != count {
        return Err(Error::Msg(format!(
            "{operation}: {:?} of {:?} where {count} elements of {dtype:?} on the GPU are wanted",
            tensor.shape(),
            tensor.dtype()
        )));
    }
    Ok(tensor.address())
}

/// [`address`] of a tensor that may be absent: then zero.
pub fn address_if(operation: &str, tensor: Option<&Tensor>, dtype: DType, count: usize) -> Result<u64> {
    tensor.map_or(Ok(0), |tensor| address(operation, tensor, dtype, count))
}

/// Whether sixteen bytes can be moved at once: rows of `channels` are whole runs of `run`, and addresses are aligned.
pub fn wide(channels: usize, run: usize, addresses: &[u64]) -> i32 {
    i32::from(channels.is_multiple_of(run) && addresses.iter().all(|address| address.is_multiple_of(16)))
}

/// The grid whose lanes take `run` of `count` elements each.
pub fn flat(operation: &str, count: usize, run: usize) -> Result<(u32, u32, u32)> {
    let blocks = count.div_ceil(run * THREADS as usize);
    if blocks > 1 << 23 {
        return Err(Error::Msg(format!("{operation}: {count} elements are more than a GPU kernel counts")));
    }
    Ok((blocks as u32, 1, 1))
}

/// The grid whose lanes take a run each in rows of `channels`; no run crosses the end of a row.
pub fn by_rows(operation: &str, rows: usize, channels: usize) -> Result<(u32, u32, u32)> {
    number(operation, channels)?;
    flat(operation, rows * channels.div_ceil(RUN), 1)
}

/// `value` as kernels hold it.
pub fn number(operation: &str, value: usize) -> Result<i32> {
    i32::try_from(value).map_err(|_| Error::Msg(format!("{operation}: {value} is more than a GPU kernel counts")))
}

/// How the rows of a sample are dealt out: blocks of `down` rows of `across` lanes each take `steps` rows a lane.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Split {
    rows: i32,
    channels: i32,
    across: i32,
    down: i32,
    steps: i32,
}

impl Split {
    /// For `batch` samples of `rows` rows. By the shape alone, so that sums are the same on every GPU.
    pub fn new(operation: &str, batch: usize, rows: usize, channels: usize, most_steps: usize) -> Result<Self> {
        /// Blocks that fill any GPU.
        const ENOUGH: usize = 1024;
        number(operation, rows.saturating_mul(2))?;
        if batch > usize::from(u16::MAX) {
            return Err(Error::Msg(format!("{operation}: {batch} samples are more than a GPU kernel counts")));
        }
        let across = channels.div_ceil(RUN).clamp(1, WALKERS);
        let down = WALKERS / across;
        let steps = (batch * rows).div_ceil(down * ENOUGH).clamp(4, most_steps);
        Ok(Self {
            rows: rows as i32,
            channels: number(operation, channels)?,
            across: across as i32,
            down: down as i32,
            steps: steps as i32,
        })
    }

    /// Blocks along a sample's rows.
    pub fn chunks(&self) -> usize {
        (self.rows as usize).div_ceil((self.down * self.steps) as usize)
    }

    /// The grid for all samples.
    pub fn grid(&self, batch: usize) -> (u32, u32, u32) {
        let slices = (self.channels as usize).div_ceil(self.across as usize * RUN);
        (self.chunks() as u32, slices as u32, batch as u32)
    }

    /// Lanes of a block, whole warps.
    pub fn threads(&self) -> u32 {
        ((self.across * self.down) as u32).next_multiple_of(32)
    }

    /// Bytes of `tables` tables of a number for each of the block's rows and channels.
    pub fn shared(&self, tables: usize) -> u32 {
        (tables * (self.across * self.down) as usize * RUN * size_of::<f32>()) as u32
    }

    /// Whether a block holds whole rows.
    pub fn is_whole(&self) -> bool {
        self.channels <= self.across * RUN as i32
    }
}

#[cfg(test)]
mod tests {
    use super::Split;

    #[test]
    fn rows_are_dealt_out_by_their_shape() -> crate::Result<()> {
        let split = Split::new("test", 2, 4096, 320, 32)?;
        assert_eq!((split.threads(), split.grid(2)), (320, (128, 1, 2)));
        let split = Split::new("test", 1, 1 << 20, 128, 32)?;
        assert_eq!((split.down, split.steps), (20, 32));
        let split = Split::new("test", 1, 100, 5000, 32)?;
        assert_eq!((split.is_whole(), split.grid(1)), (false, (25, 2, 1)));
        Ok(())
    }
}
