//! Gradients of trainable matrices on the GPU: outer products summed over positions.

use super::{
    Source, View,
    choice::{Chip, WORKSPACE},
};
use crate::{Result, Tensor, Window, cuda::Gpu};
use candle_core::{DType, Error};

#[repr(C)]
#[derive(Clone, Copy)]
struct Arguments {
    left: u64,
    target: u64,
    partial: u64,
    right: Source,
    scale: f32,
    positions: i32,
    rows: i32,
    columns: i32,
    share: i32,
    splits: i32,
    row_tiles: i32,
    column_tiles: i32,
    stages: i32,
    wide: i32,
}

/// A tile of the kernels; the list stands in `product_outer.cu` too.
struct Tile {
    kernel: &'static str,
    rows: usize,
    columns: usize,
    threads: u32,
    /// Blocks that a multiprocessor has registers for.
    blocks: usize,
}

/// Positions of a slice.
const DEPTH: usize = 32;
const FLAT: Tile = Tile { kernel: "outer_flat", rows: 32, columns: 128, threads: 128, blocks: 5 };
const HIGH: Tile = Tile { kernel: "outer_high", rows: 128, columns: 32, threads: 128, blocks: 5 };
const WIDE: Tile = Tile { kernel: "outer_wide", rows: 64, columns: 128, threads: 128, blocks: 3 };
const LONG: Tile = Tile { kernel: "outer_long", rows: 128, columns: 64, threads: 128, blocks: 3 };
const EXACT: Tile = Tile { kernel: "outer_exact", rows: 32, columns: 32, threads: 256, blocks: 4 };

fn tile(rows: usize, columns: usize, dtype: DType) -> &'static Tile {
    match () {
        () if dtype == DType::F32 => &EXACT,
        () if rows <= FLAT.rows => &FLAT,
        () if columns <= HIGH.columns => &HIGH,
        () if rows <= columns => &WIDE,
        () => &LONG,
    }
}

/// [`crate::outer_add_patches`] on the GPU; the target is f32.
pub fn outer_add_patches(gpu: &Gpu, target: &Tensor, a: &Tensor, b: &Tensor, scale: f64, window: Window) -> Result<()> {
    let dtype = a.dtype();
    let rows = a.dims().last().copied().unwrap_or(1);
    let positions = a.elem_count() / rows.max(1);
    let (right, seen) = Source::new(b, View::Patches(window))?;
    let columns = right.inner as usize;
    let fits = b.dtype() == dtype && target.dtype() == DType::F32 && [a, b, target].iter().all(|t| t.gpu().is_some());
    if seen != positions || target.elem_count() != rows * columns || !fits {
        return Err(Error::Msg(format!(
            "outer product: {:?} x {:?} of {dtype:?} into {:?} on the GPU",
            a.shape(),
            b.shape(),
            target.shape()
        )));
    }
    if positions * rows * columns == 0 {
        return Ok(());
    }
    let tile = tile(rows, columns, dtype);
    let (row_tiles, column_tiles) = (rows.div_ceil(tile.rows), columns.div_ceil(tile.columns));
    let chip = Chip::of(gpu);
    let stage = (tile.rows + tile.columns) * DEPTH * 2;
    let stages = chip.stages(stage, 0, tile.blocks);
    let shared = if dtype == DType::F32 { 2 * DEPTH * (tile.columns + 2) * 4 } else { stages * stage };
    let wanted = chip.multiprocessors * chip.resident(shared, tile.blocks);
    let (share, splits) = split(positions, rows * columns, row_tiles * column_tiles, wanted);
    let partial = if splits > 1 { Some(gpu.empty((splits, rows, columns), DType::F32)?) } else { None };
    let arguments = Arguments {
        left: a.address(),
        target: target.address(),
        partial: partial.as_ref().map_or(0, Tensor::address),
        right,
        scale: scale as f32,
        positions: positions as i32,
        rows: rows as i32,
        columns: columns as i32,
        share: share as i32,
        splits: splits as i32,
        row_tiles: row_tiles as i32,
        column_tiles: column_tiles as i32,
        stages: stages as i32,
        wide: i32::from(rows.is_multiple_of(8) && a.address().is_multiple_of(16)),
    };
    let grid = ((row_tiles * column_tiles) as u32, splits as u32, 1);
    gpu.launch(&Gpu::named(tile.kernel, dtype)?, grid, tile.threads, shared as u32, &arguments)?;
    if splits > 1 {
        let blocks = (rows * columns).div_ceil(32) as u32;
        gpu.launch("outer_join_f32", (blocks, 1, 1), 256, 1024, &arguments)?;
    }
    Ok(())
}

/// Positions of a split and the number of splits: enough to occupy the GPU about once, each long enough to be worth its
/// part of the second pass, all parts together within the workspace.
fn split(positions: usize, elements: usize, tiles: usize, wanted: usize) -> (usize, usize) {
    const LEAST: usize = 8 * DEPTH;
    let most = (positions / LEAST).min(WORKSPACE / (4 * elements)).clamp(1, 1024);
    let splits = (wanted / tiles).clamp(1, most);
    let share = positions.div_ceil(splits).next_multiple_of(DEPTH);
    (share, positions.div_ceil(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_cover_all_positions_and_fit_the_workspace() {
        for (positions, elements, tiles) in [(65_536, 16 * 2880, 23), (77, 16 * 1280, 10), (65_536, 1 << 24, 512)] {
            let (share, splits) = split(positions, elements, tiles, 256);
            assert!(share * splits >= positions && share * (splits - 1) < positions);
            assert!(splits == 1 || 4 * splits * elements <= WORKSPACE);
            assert_eq!(share % DEPTH, 0);
        }
    }
}
