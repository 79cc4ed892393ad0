//! Attention on the GPU: the kernels that fit a head's depth, and how their work is cut into blocks.

use super::Gpu;
use crate::{Attended, Result, Tensor, view::same_shape};
use candle_core::{DType, Error};

/// Depths of heads that kernels of halves and of f32 are made for; a head takes the next.
const HALVES: [usize; 7] = [16, 32, 48, 64, 80, 160, 512];
const SINGLES: [usize; 3] = [64, 160, 512];
/// From this depth on, a block's warps share a head's columns.
const WIDE: usize = 512;
/// Blocks of the keys' kernel that fill any GPU. A constant, so that sums are the same on every GPU.
const ENOUGH_BLOCKS: usize = 256;

/// Twin of `attention::Forward`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Forward {
    q: u64,
    k: u64,
    v: u64,
    o: u64,
    log_sums: u64,
    heads: i32,
    queries: i32,
    keys: i32,
    depth: i32,
    causal: i32,
    scale: f32,
}

/// Twin of `attention::Backward`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Backward {
    q: u64,
    k: u64,
    v: u64,
    o: u64,
    grad: u64,
    log_sums: u64,
    delta: u64,
    dq: u64,
    dk: u64,
    dv: u64,
    partials: u64,
    heads: i32,
    queries: i32,
    keys: i32,
    depth: i32,
    causal: i32,
    splits: i32,
    scale: f32,
}

/// Twin of `attention::Sum`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Sum {
    partials: u64,
    dk: u64,
    dv: u64,
    size: i64,
    splits: i32,
}

/// What is attended to, and the kernels for it.
struct Plan {
    batch: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    /// Columns of a head.
    depth: usize,
    causal: bool,
    dtype: DType,
    /// Columns of the kernels' tiles.
    tile: usize,
}

impl Plan {
    fn new(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, causal: bool) -> Result<Self> {
        let ((batch, queries, width), (key_batch, keys, key_width)) = (q.dims3()?, k.dims3()?);
        same_shape("attention", k, v)?;
        if batch != key_batch
            || width != key_width
            || heads == 0
            || width % heads != 0
            || keys == 0
            || (causal && keys != queries)
        {
            return Err(Error::Msg(format!("attention: {:?} and {:?} do not fit {heads} heads", q.shape(), k.shape())));
        }
        let (depth, dtype) = (width / heads, q.dtype());
        let tiles = if dtype == DType::F32 { &SINGLES[..] } else { &HALVES };
        let Some(&tile) = tiles.iter().find(|&&tile| tile >= depth) else {
            return Err(Error::Msg(format!(
                "attention: heads of {depth} columns are deeper than the GPU's kernels take"
            )));
        };
        if dtype != DType::F32 && depth % 8 != 0 {
            return Err(Error::Msg(format!("attention: on the GPU, {depth} columns of a head are no multiple of 8")));
        }
        let plan = Self { batch, heads, queries, keys, depth, causal, dtype, tile };
        for tensor in [q, k, v] {
            plan.fits(tensor, dtype)?;
        }
        Ok(plan)
    }

    /// Checks a tensor's device and type; kernels see its address alone.
    fn fits(&self, tensor: &Tensor, dtype: DType) -> Result<()> {
        if tensor.gpu().is_none() || tensor.dtype() != dtype || (self.vectors() && !tensor.address().is_multiple_of(16))
        {
            return Err(Error::Msg(format!(
                "attention: {:?} of {:?} does not lie on the GPU beside {dtype:?}",
                tensor.shape(),
                tensor.dtype()
            )));
        }
        Ok(())
    }

    /// Whether the kernels read sixteen bytes at once.
    fn vectors(&self) -> bool {
        self.dtype != DType::F32
    }

    /// Whether a block has 32 rows and 256 lanes, not 64 and 128.
    fn wide(&self) -> bool {
        self.dtype == DType::F32 || self.tile == WIDE
    }

    fn threads(&self) -> u32 {
        if self.wide() { 256 } else { 128 }
    }

    /// Rows of a block of the backward kernels.
    fn rows(&self) -> usize {
        if self.wide() { 32 } else { 64 }
    }

    /// Queries of a block of the forward kernel: those of a block of 128 are as those of two blocks, but read keys and
    /// values once.
    fn forward_rows(&self, multiprocessors: usize) -> usize {
        let many = self.queries.div_ceil(128) * self.heads * self.batch >= 2 * multiprocessors;
        if matches!(self.tile, 48 | 64) && !self.wide() && many { 128 } else { self.rows() }
    }

    /// Rows of a tile in shared memory.
    fn tile_rows(&self) -> usize {
        if self.tile <= 80 { 64 } else { 32 }
    }

    /// Bytes of shared memory, also for the log-sums and deltas of two tiles where `statistics` are wanted.
    fn shared(&self, statistics: bool) -> u32 {
        let bytes = if self.dtype == DType::F32 {
            2 * 32 * 33 * 4
        } else if self.wide() {
            // Eight warps' tiles and shares of scores; probabilities and their gradients; factors of rows.
            8 * (2 * 16 * (64 + 8) * 2 + 32 * 16 * 4) + 2 * 32 * (16 + 8) * 2 + 32 * 4
        } else {
            4 * self.tile_rows() * ((self.tile + 8) * 2 + if statistics { 4 } else { 0 })
        };
        bytes as u32
    }

    /// Into how many shares the queries are split for dk and dv, so that few keys fill a GPU too.
    fn splits(&self) -> usize {
        if self.wide() || self.causal {
            return 1;
        }
        let blocks = self.keys.div_ceil(64) * self.heads * self.batch * self.passes();
        let tiles = self.queries.div_ceil(self.tile_rows());
        let share = tiles.div_ceil((ENOUGH_BLOCKS / blocks.max(1)).clamp(1, (tiles / 2).max(1)));
        tiles.div_ceil(share.max(1)).max(1)
    }

    /// Deep heads have a pass for dk and one for dv: both together do not fit into registers.
    fn passes(&self) -> usize {
        if !self.wide() && self.tile > 80 { 2 } else { 1 }
    }

    fn grid(&self, blocks: usize, passes: usize) -> (u32, u32, u32) {
        (blocks as u32, self.heads as u32, (self.batch * passes) as u32)
    }

    fn scale(&self) -> f32 {
        (1.0 / (self.depth as f64).sqrt()) as f32
    }

    fn kernel(&self, name: &str) -> Result<String> {
        Gpu::named(&format!("attention_{name}_d{}", self.tile), self.dtype)
    }
}

/// As [`crate::attention`].
pub fn attention(
    gpu: &Gpu,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
    causal: bool,
) -> Result<(Tensor, Tensor)> {
    let plan = Plan::new(q, k, v, heads, causal)?;
    let o = gpu.empty(q.shape().clone(), plan.dtype)?;
    let log_sums = gpu.empty((plan.batch, heads, plan.queries), DType::F32)?;
    let rows = plan.forward_rows(gpu.multiprocessors() as usize);
    let arguments = Forward {
        q: q.address(),
        k: k.address(),
        v: v.address(),
        o: o.address(),
        log_sums: log_sums.address(),
        heads: heads as i32,
        queries: plan.queries as i32,
        keys: plan.keys as i32,
        depth: plan.depth as i32,
        causal: i32::from(causal),
        scale: plan.scale(),
    };
    let kernel = Gpu::named(&format!("attention_forward_d{}_q{rows}", plan.tile), plan.dtype)?;
    let grid = plan.grid(plan.queries.div_ceil(rows), 1);
    gpu.launch(&kernel, grid, plan.threads(), plan.shared(false), &arguments)?;
    Ok((o, log_sums))
}

/// As [`crate::attention_backward`].
pub fn attention_backward(
    gpu: &Gpu,
    grad: &Tensor,
    attended: Attended,
    heads: usize,
    causal: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    let Attended { q, k, v, o, log_sums } = attended;
    let plan = Plan::new(q, k, v, heads, causal)?;
    for tensor in [grad, o] {
        same_shape("attention backward", tensor, q)?;
        plan.fits(tensor, plan.dtype)?;
    }
    plan.fits(log_sums, DType::F32)?;
    if log_sums.dims() != [plan.batch, heads, plan.queries] {
        return Err(Error::Msg(format!("attention backward: {:?} are no log-sums of {:?}", log_sums.dims(), q.dims())));
    }
    let [dq, dk, dv] = [q, k, v].map(|like| gpu.empty(like.shape().clone(), plan.dtype));
    let (dq, dk, dv) = (dq?, dk?, dv?);
    let delta = gpu.empty(log_sums.shape().clone(), DType::F32)?;
    let splits = plan.splits();
    let partials = gpu.empty(if splits > 1 { 2 * splits * k.elem_count() } else { 0 }, DType::F32)?;
    let arguments = Backward {
        q: q.address(),
        k: k.address(),
        v: v.address(),
        o: o.address(),
        grad: grad.address(),
        log_sums: log_sums.address(),
        delta: delta.address(),
        dq: dq.address(),
        dk: dk.address(),
        dv: dv.address(),
        partials: partials.address(),
        heads: heads as i32,
        queries: plan.queries as i32,
        keys: plan.keys as i32,
        depth: plan.depth as i32,
        causal: i32::from(causal),
        splits: splits as i32,
        scale: plan.scale(),
    };
    let (threads, rows) = (plan.threads(), plan.rows());
    let grid = plan.grid(plan.queries.div_ceil(rows), 1);
    gpu.launch(&plan.kernel("queries")?, grid, threads, plan.shared(false), &arguments)?;
    let grid = plan.grid(plan.keys.div_ceil(rows) * splits, plan.passes());
    gpu.launch(&plan.kernel("keys")?, grid, threads, plan.shared(true), &arguments)?;
    if splits > 1 {
        let sum = Sum {
            partials: partials.address(),
            dk: dk.address(),
            dv: dv.address(),
            size: k.elem_count() as i64,
            splits: splits as i32,
        };
        // 256 lanes of eight elements a block.
        let grid = (k.elem_count().div_ceil(2048) as u32, 2, 1);
        gpu.launch(&Gpu::named("attention_sum", plan.dtype)?, grid, 256, 0, &sum)?;
    }
    Ok((dq, dk, dv))
}
