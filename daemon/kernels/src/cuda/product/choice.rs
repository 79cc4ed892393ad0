//! Which tiles a product is cut into and how its sum is split, by its shape and the GPU.

use super::{Arguments, KernelTerm};
use crate::{Result, cuda::Gpu};
use candle_core::DType;

/// The most memory that the parts of one split sum may take.
pub(super) const WORKSPACE: usize = 64 << 20;

/// A tile of the kernels; the list stands in `product.cu` too.
struct Tile {
    kernel: &'static str,
    rows: usize,
    columns: usize,
    /// Inner axis of a slice.
    depth: usize,
    threads: u32,
    /// Blocks that a multiprocessor has registers for.
    blocks: usize,
    /// Share of the tensor cores' speed that it reaches where nothing else holds it up, on a GeForce and on chips whose
    /// tensor cores take as much as shared memory gives.
    speed: (f64, f64),
}

const fn tile(
    kernel: &'static str,
    (rows, columns, depth): (usize, usize, usize),
    threads: u32,
    blocks: usize,
    speed: (f64, f64),
) -> Tile {
    Tile { kernel, rows, columns, depth, threads, blocks, speed }
}

const TILES: [Tile; 5] = [
    tile("product_broad", (128, 256, 32), 256, 1, (0.8, 0.8)),
    tile("product_square", (128, 128, 32), 256, 2, (0.85, 0.65)),
    tile("product_tall", (128, 64, 32), 128, 3, (0.8, 0.6)),
    tile("product_small", (64, 64, 64), 128, 3, (0.7, 0.5)),
    tile("product_thin", (64, 32, 64), 128, 5, (0.55, 0.35)),
];

/// What is known of a GPU.
#[derive(Clone, Copy)]
pub(super) struct Chip {
    pub capability: u32,
    pub multiprocessors: usize,
    pub shared_limit: usize,
}

impl Chip {
    pub fn of(gpu: &Gpu) -> Self {
        Self {
            capability: gpu.capability(),
            multiprocessors: gpu.multiprocessors() as usize,
            shared_limit: gpu.shared_limit() as usize,
        }
    }

    /// Blocks of so much shared memory that a multiprocessor holds at once, up to `most`.
    pub fn resident(&self, shared: usize, most: usize) -> usize {
        // From Ampere on the system takes 1 KiB a block; the limit of a block is what is left of the whole.
        let taken = if self.capability >= 80 { 1024 } else { 0 };
        ((self.shared_limit + taken) / (shared + taken)).clamp(1, most)
    }

    /// Stages of a pipeline: as many as cost no block; two where copies are not asynchronous.
    pub fn stages(&self, stage: usize, beside: usize, most: usize) -> usize {
        if self.capability < 80 {
            return 2;
        }
        let resident = |stages| self.resident(beside + stages * stage, most);
        if resident(4) == resident(3) && beside + 4 * stage <= self.shared_limit { 4 } else { 3 }
    }

    /// Multiplications of halves, added in f32, that a multiprocessor does in a cycle with such tiles.
    fn rate(&self, tile: &Tile) -> f64 {
        if matches!(self.capability, 80 | 90 | 100 | 103) { 1024.0 * tile.speed.1 } else { 256.0 * tile.speed.0 }
    }
}

/// A tile and how it is used.
struct Choice {
    tile: &'static Tile,
    splits: usize,
    stages: usize,
    cycles: f64,
}

impl Tile {
    fn stage(&self) -> usize {
        (self.rows + self.columns) * self.depth * 2
    }

    fn slices(&self, inner: &[usize]) -> usize {
        inner.iter().map(|inner| inner.div_ceil(self.depth)).sum()
    }

    /// The best split of a product `[rows, inner] x [inner, columns]` with these tiles.
    fn choose(&'static self, chip: Chip, rows: usize, columns: usize, inner: &[usize], table: usize) -> Choice {
        let stages = chip.stages(self.stage(), table, self.blocks);
        let resident = chip.resident(table + stages * self.stage(), self.blocks);
        let tiles = rows.div_ceil(self.rows) * columns.div_ceil(self.columns);
        let slices = self.slices(inner);
        let most = (WORKSPACE / (4 * rows * columns).max(1)).min(slices / 4).min(32);
        let cost =
            |splits: usize| self.cycles(chip, tiles, slices.div_ceil(splits.max(1)), splits, resident, rows * columns);
        let mut best = Choice { tile: self, splits: 1, stages, cycles: cost(1) };
        for splits in 2..=most {
            let cycles = cost(splits);
            // Only for a clear gain: a second pass costs a launch.
            if cycles < 0.9 * best.cycles {
                best = Choice { splits, cycles, ..best };
            }
        }
        best
    }

    /// Estimated cycles: of the tensor cores or of the L2 cache, and for no slice less than its loads take.
    fn cycles(&self, chip: Chip, tiles: usize, share: usize, splits: usize, resident: usize, outputs: usize) -> f64 {
        const LATENCY: f64 = 350.0;
        const BLOCK: f64 = 2000.0;
        const SECOND_PASS: f64 = 5000.0;
        const BYTES: f64 = 24.0;
        let turns = (tiles * splits).div_ceil(chip.multiprocessors);
        let rounds = turns.div_ceil(resident) as f64;
        let work = (self.rows * self.columns * self.depth) as f64 / chip.rate(self);
        let work = work.max(self.stage() as f64 / BYTES);
        let sum = share as f64 * (turns as f64 * work).max(rounds * LATENCY) + rounds * BLOCK;
        if splits == 1 {
            return sum;
        }
        sum + SECOND_PASS + (8 * splits * outputs) as f64 / (BYTES * chip.multiprocessors as f64)
    }
}

fn choose(chip: Chip, rows: usize, columns: usize, inner: &[usize], table: usize) -> Choice {
    let [first, rest @ ..] = TILES.each_ref().map(|tile| tile.choose(chip, rows, columns, inner, table));
    rest.into_iter().fold(first, |best, next| if next.cycles < best.cycles { next } else { best })
}

/// Runs the product that `arguments` describe.
pub(super) fn launch(gpu: &Gpu, dtype: DType, mut arguments: Arguments) -> Result<()> {
    let (rows, columns) = (arguments.rows as usize, arguments.columns as usize);
    if dtype == DType::F32 {
        const SIDE: usize = 64;
        (arguments.row_tiles, arguments.column_tiles) = (rows.div_ceil(SIDE) as i32, columns.div_ceil(SIDE) as i32);
        let blocks = arguments.row_tiles as u32 * arguments.column_tiles as u32;
        return gpu.launch("product_exact_f32", (blocks, 1, 1), 256, 2 * 16 * (SIDE as u32 + 4) * 4, &arguments);
    }
    let terms: &[KernelTerm] = &arguments.terms[..arguments.count as usize];
    let inner: Vec<usize> = terms.iter().map(|term| term.source.inner as usize).collect();
    let table = arguments.table as usize;
    let Choice { tile, splits, stages, .. } = choose(Chip::of(gpu), rows, columns, &inner, table);
    let slices = tile.slices(&inner);
    let share = slices.div_ceil(splits).max(1);
    let splits = slices.div_ceil(share).max(1);
    let (row_tiles, column_tiles) = (rows.div_ceil(tile.rows), columns.div_ceil(tile.columns));
    arguments.share = share as i32;
    arguments.splits = splits as i32;
    arguments.stages = stages as i32;
    (arguments.row_tiles, arguments.column_tiles) = (row_tiles as i32, column_tiles as i32);
    let partial = if splits > 1 { Some(gpu.empty((splits, rows, columns), DType::F32)?) } else { None };
    arguments.partial = partial.as_ref().map_or(0, crate::Tensor::address);
    let side = if arguments.plain == 1 { "_plain" } else { "" };
    let kernel = Gpu::named(&format!("{}{side}", tile.kernel), dtype)?;
    let shared = (table + stages * tile.stage()) as u32;
    let grid = ((row_tiles * column_tiles) as u32, splits as u32, 1);
    gpu.launch(&kernel, grid, tile.threads, shared, &arguments)?;
    if splits > 1 {
        const THREADS: usize = 256;
        let blocks = (rows * columns.div_ceil(8)).div_ceil(THREADS) as u32;
        gpu.launch(&Gpu::named("product_join", dtype)?, (blocks, 1, 1), THREADS as u32, 0, &arguments)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTX_3060: Chip = Chip { capability: 86, multiprocessors: 28, shared_limit: 99 << 10 };
    const H100: Chip = Chip { capability: 90, multiprocessors: 132, shared_limit: 227 << 10 };
    const RTX_2060: Chip = Chip { capability: 75, multiprocessors: 30, shared_limit: 64 << 10 };

    #[test]
    fn large_products_take_large_tiles_and_deep_ones_are_split() {
        for chip in [RTX_3060, RTX_2060, H100] {
            let large = choose(chip, 16384, 1280, &[1280, 32], 0);
            let expected = if chip.capability == 90 { "product_broad" } else { "product_square" };
            assert_eq!((large.tile.kernel, large.splits), (expected, 1));
            assert_eq!(choose(chip, 1024, 16, &[1280], 0).tile.kernel, "product_thin");
            let deep = choose(chip, 256, 1280, &[11520], 0);
            assert!(deep.splits > 1, "{} on {}", deep.tile.kernel, chip.capability);
        }
    }

    #[test]
    fn every_tile_fits_every_chip() {
        for chip in [RTX_3060, RTX_2060, H100] {
            for tile in &TILES {
                let stages = chip.stages(tile.stage(), 128, tile.blocks);
                assert!(128 + stages * tile.stage() <= chip.shared_limit, "{} on {}", tile.kernel, chip.capability);
            }
        }
        assert_eq!(RTX_3060.stages(TILES[1].stage(), 0, 2), 3);
        assert_eq!(RTX_3060.resident(3 * TILES[1].stage() + 128, 2), 2);
        assert_eq!(RTX_2060.resident(2 * TILES[1].stage(), 2), 2);
        assert_eq!(H100.stages(TILES[1].stage(), 128, 2), 4);
    }
}
