//! Gradients of low-rank matrices: target [n, k] += scale a^T b, summed over all positions, b seen through a window.
//!
//! The target is small and the sum long, so that positions are split among blocks. Their parts are added to the target
//! by a second kernel, in a fixed order.

#include "product.cuh"

namespace product {

struct OuterArgs {
    /// T [positions, rows].
    const void* left;
    /// f32 [rows, columns], added to.
    float* target;
    /// f32 [splits, rows, columns]; null if nothing is split.
    float* partial;
    /// b [images, height, width, channels]; its inner axis is the columns.
    Source right;
    float scale;
    int positions;
    int rows, columns;
    /// Positions of a split, a multiple of the slices' depth; the number of splits.
    int share, splits;
    int row_tiles, column_tiles;
    int stages;
    /// Whether `left` may be read 16 bytes at a time.
    int wide;
};

/// A block's rows and columns, a slice's positions, and a warp's rows and columns.
template <int Rows, int Columns, int WarpRows, int WarpColumns> struct OuterTile {
    static constexpr int rows = Rows, columns = Columns, depth = 32, warp_rows = WarpRows, warp_columns = WarpColumns;
    static constexpr int threads = Rows / WarpRows * (Columns / WarpColumns) * 32;
    static constexpr int stage = (Rows + Columns) * depth * 2;
};

/// Brings positions `start..` to a stage: as many as a slice has, zeros from `end` on. `tap` is that of the lane's columns.
template <class T, class Tile>
__device__ inline void outer_issue(const OuterArgs& a, int row, int column, int tap, int start, int end, char* stage) {
    constexpr int chunks_a = Tile::rows / 8, jump_a = Tile::threads / chunks_a, count_a = Tile::depth / jump_a;
    constexpr int chunks_b = Tile::columns / 8, jump_b = Tile::threads / chunks_b, count_b = Tile::depth / jump_b;
    const int line_a = int(threadIdx.x) / chunks_a, chunk_a = int(threadIdx.x) % chunks_a;
    const int line_b = int(threadIdx.x) / chunks_b, chunk_b = int(threadIdx.x) % chunks_b;
    char* const stage_b = stage + Tile::rows * Tile::depth * 2;
    const T* const left = static_cast<const T*>(a.left);
    if (a.wide) {
        char* to[count_a];
        const void* from[count_a];
        bool inside[count_a];
#pragma unroll
        for (int i = 0; i < count_a; i++) {
            const int position = start + line_a + i * jump_a, at = row + chunk_a * 8;
            inside[i] = position < end && at < a.rows;
            to[i] = stage + swizzled<chunks_a>(line_a + i * jump_a, chunk_a);
            from[i] = left + (inside[i] ? int64(position) * a.rows + at : 0);
        }
        copy_chunks(to, from, inside);
    } else {
#pragma unroll 1
        for (int i = 0; i < 8 * count_a; i++) {
            const int line = line_a + i / 8 * jump_a, at = row + chunk_a * 8 + i % 8;
            T* to = reinterpret_cast<T*>(stage + swizzled<chunks_a>(line, chunk_a)) + i % 8;
            *to = start + line < end && at < a.rows ? left[int64(start + line) * a.rows + at] : narrow<T>(0.0f);
        }
    }
    const Source& s = a.right;
    if (s.wide) {
        char* to[count_b];
        const void* from[count_b];
        bool inside[count_b];
        const int at = column + chunk_b * 8, channel = at - tap * s.channels;
#pragma unroll
        for (int i = 0; i < count_b; i++) {
            const int position = start + line_b + i * jump_b;
            const int found = position < end && at < a.columns ? pixel(s, position, tap) : -1;
            inside[i] = found >= 0;
            to[i] = stage_b + swizzled<chunks_b>(line_b + i * jump_b, chunk_b);
            from[i] = static_cast<const T*>(s.image) + (inside[i] ? int64(found) * s.channels + channel : 0);
        }
        copy_chunks(to, from, inside);
    } else {
#pragma unroll 1
        for (int i = 0; i < 8 * count_b; i++) {
            const int line = line_b + i / 8 * jump_b;
            T* to = reinterpret_cast<T*>(stage_b + swizzled<chunks_b>(line, chunk_b)) + i % 8;
            *to = start + line < end ? input_at<T>(s, start + line, column + chunk_b * 8 + i % 8) : narrow<T>(0.0f);
        }
    }
}

/// One tile of the target, or of one split of its sum. The grid is [tiles, splits].
template <class T, class Tile> __device__ void outer(const OuterArgs& a) {
    constexpr int M = Tile::warp_rows / 16, N = Tile::warp_columns / 8;
    char* const ring = shared_memory();
    const int row = int(blockIdx.x) / a.column_tiles * Tile::rows, column = int(blockIdx.x) % a.column_tiles * Tile::columns;
    const int warp_row = warp() / (Tile::columns / Tile::warp_columns) * Tile::warp_rows;
    const int warp_column = warp() % (Tile::columns / Tile::warp_columns) * Tile::warp_columns;
    const int tap = (column + int(threadIdx.x) % (Tile::columns / 8) * 8) / a.right.channels;
    int next = blockIdx.y * a.share;
    const int end = min(next + a.share, a.positions), count = (end - next + Tile::depth - 1) / Tile::depth;
    for (int i = 0; i < a.stages - 1; i++, next += Tile::depth) {
        if (next < end) outer_issue<T, Tile>(a, row, column, tap, next, end, ring + i * Tile::stage);
        copies_issued();
    }
    float sums[M][N][4] = {};
    int reads = 0, writes = a.stages - 1;
    for (int i = 0; i < count; i++, next += Tile::depth) {
        stage_done(a.stages);
        __syncthreads();
        if (next < end) outer_issue<T, Tile>(a, row, column, tap, next, end, ring + writes * Tile::stage);
        copies_issued();
        __syncwarp();
        const char* const stage = ring + reads * Tile::stage;
        const char* const stage_b = stage + Tile::rows * Tile::depth * 2;
#pragma unroll
        for (int k = 0; k < Tile::depth / 16; k++) {
            uint32_t left[M][4], right[N / 2][4];
#pragma unroll
            for (int n = 0; n < N / 2; n++) {
                const int line = 16 * k + (lane() & 15), chunk = warp_column / 8 + 2 * n + (lane() >> 4);
                load_matrices_transposed(right[n], stage_b + swizzled<Tile::columns / 8>(line, chunk));
            }
#pragma unroll
            for (int m = 0; m < M; m++) {
                const int line = 16 * k + (lane() & 7) + (lane() >> 4) * 8, chunk = warp_row / 8 + 2 * m + (lane() >> 3 & 1);
                load_matrices_transposed(left[m], stage + swizzled<Tile::rows / 8>(line, chunk));
            }
#pragma unroll
            for (int m = 0; m < M; m++)
#pragma unroll
                for (int n = 0; n < N; n++)
                    mma<T>(sums[m][n], left[m], {right[n / 2][n % 2 * 2], right[n / 2][n % 2 * 2 + 1]});
        }
        if (++reads == a.stages) reads = 0;
        if (++writes == a.stages) writes = 0;
    }
    copies_done<0>();
    float* const to = a.partial ? a.partial + int64(blockIdx.y) * a.rows * a.columns : a.target;
#pragma unroll
    for (int i = 0; i < M * N * 4; i++) {
        const int m = i / (4 * N), n = i / 4 % N, e = i % 4;
        const int at_row = row + warp_row + 16 * m + lane() / 4 + e / 2 * 8;
        const int at_column = column + warp_column + 8 * n + 2 * (lane() % 4) + e % 2;
        if (at_row >= a.rows || at_column >= a.columns) continue;
        float* const at = to + int64(at_row) * a.columns + at_column;
        *at = a.partial ? sums[m][n][e] : *at + a.scale * sums[m][n][e];
    }
}

/// Adds the parts of a split sum to the target: 32 elements a block, each of its eight warps an eighth of the parts.
__device__ inline void outer_join(const OuterArgs& a) {
    float* const sums = reinterpret_cast<float*>(shared_memory());
    const int64 i = int64(blockIdx.x) * 32 + lane(), all = int64(a.rows) * a.columns;
    float sum = 0.0f;
    if (i < all) {
#pragma unroll 4
        for (int s = warp(); s < a.splits; s += 8) sum += a.partial[s * all + i];
    }
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (warp() > 0 || i >= all) return;
#pragma unroll
    for (int w = 1; w < 8; w++) sum += sums[w * 32 + lane()];
    a.target[i] += a.scale * sum;
}

/// 32 x 32 elements of the target, or of one split of their sum, in f32: 256 lanes of 2 x 2.
__device__ inline void outer_exact(const OuterArgs& a) {
    constexpr int SIDE = 32, DEPTH = 32, PITCH = SIDE + 2;
    float* const left = reinterpret_cast<float*>(shared_memory());
    float* const right = left + DEPTH * PITCH;
    const int row = int(blockIdx.x) / a.column_tiles * SIDE, column = int(blockIdx.x) % a.column_tiles * SIDE;
    const int start = blockIdx.y * a.share, end = min(start + a.share, a.positions);
    const int lane_row = int(threadIdx.x) / 16 * 2, lane_column = int(threadIdx.x) % 16 * 2;
    float sums[2][2] = {};
    for (int first = start; first < end; first += DEPTH) {
        __syncthreads();
        for (int i = threadIdx.x; i < SIDE * DEPTH; i += blockDim.x) {
            const int n = i % SIDE, line = i / SIDE, position = first + line;
            const float* from = static_cast<const float*>(a.left) + int64(position) * a.rows + row + n;
            left[line * PITCH + n] = position < end && row + n < a.rows ? *from : 0.0f;
            right[line * PITCH + n] = position < end ? input_at<float>(a.right, position, column + n) : 0.0f;
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < DEPTH; k++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                sums[i / 2][i % 2] += left[k * PITCH + lane_row + i / 2] * right[k * PITCH + lane_column + i % 2];
    }
    float* const to = a.partial ? a.partial + int64(blockIdx.y) * a.rows * a.columns : a.target;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const int at_row = row + lane_row + i / 2, at_column = column + lane_column + i % 2;
        if (at_row >= a.rows || at_column >= a.columns) continue;
        float* const at = to + int64(at_row) * a.columns + at_column;
        *at = a.partial ? sums[i / 2][i % 2] : *at + a.scale * sums[i / 2][i % 2];
    }
}

using OuterFlat = OuterTile<32, 128, 32, 32>;
using OuterHigh = OuterTile<128, 32, 32, 32>;
using OuterWide = OuterTile<64, 128, 32, 64>;
using OuterLong = OuterTile<128, 64, 64, 32>;

}  // namespace product

#define OUTER(T) \
    KERNEL(outer_flat_##T, product::OuterArgs, 128, 4, product::outer<T, product::OuterFlat>) \
    KERNEL(outer_high_##T, product::OuterArgs, 128, 4, product::outer<T, product::OuterHigh>) \
    KERNEL(outer_wide_##T, product::OuterArgs, 128, 3, product::outer<T, product::OuterWide>) \
    KERNEL(outer_long_##T, product::OuterArgs, 128, 3, product::outer<T, product::OuterLong>)
OUTER(bf16)
OUTER(f16)
#undef OUTER
KERNEL(outer_exact_f32, product::OuterArgs, 256, 2, product::outer_exact)
KERNEL(outer_join_f32, product::OuterArgs, 256, 4, product::outer_join)
