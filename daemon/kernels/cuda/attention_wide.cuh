//! Attention for deep heads (to 512 columns, the VAE's) on tensor cores: a block owns 32 rows, queries or keys, and
//! each of its eight warps a slice of 64 columns. Scores are sums over the slices, made by way of shared memory; the rest
//! is a warp's own.

#pragma once
#include "attention.cuh"

namespace attention {

constexpr int WIDE_ROWS = 32, WIDE_COLUMNS = 16, WIDE_THREADS = 256, SLICE = 64;
constexpr int WIDE_WARPS = WIDE_THREADS / 32, WIDE_GROUPS = WIDE_ROWS / 16;
/// Halves between rows of probabilities.
constexpr int WIDE_STRIDE = WIDE_COLUMNS + 8;
/// Elements of a warp's tile.
constexpr int WIDE_TILE = WIDE_COLUMNS * (SLICE + 8);

/// A block's shared memory.
template <class T> struct Wide {
    T tiles[WIDE_WARPS][2][WIDE_TILE];
    float partials[WIDE_WARPS][WIDE_ROWS][WIDE_COLUMNS];
    T p[2][WIDE_ROWS * WIDE_STRIDE];
    float factors[WIDE_ROWS];
};

typedef uint32_t WideRows[WIDE_GROUPS][SLICE / 16][4];
typedef float WideSums[WIDE_GROUPS][SLICE / 8][4];
typedef float WideScores[WIDE_GROUPS][WIDE_COLUMNS / 8][4];

/// The reducing lane's row, and the first of its two columns.
__device__ inline int wide_row() { return threadIdx.x / 8; }
__device__ inline int wide_column() { return threadIdx.x % 8 * 2; }

/// The warp's columns of a head's matrix.
template <class T>
__device__ inline Rows<T> slice(const void* matrix, int64 start, int rows, int depth, int width) {
    return {static_cast<const T*>(matrix) + start + warp() * SLICE, rows, depth - warp() * SLICE, width};
}

template <class T> __device__ inline void wide_copy(T (&to)[WIDE_TILE], const Rows<T>& from, int first) {
    copy_tile<SLICE, WIDE_COLUMNS, 32>(to, from, first, lane());
    copies_issued();
}

template <class T> __device__ inline void wide_load(WideRows& a, const Rows<T>& from, int first) {
#pragma unroll
    for (int m = 0; m < WIDE_GROUPS; m++) load_fragments<SLICE>(a[m], from, first + m * 16);
}

/// Puts the warp's share of the scores where the others find it.
template <class T> __device__ inline void wide_share(Wide<T>& shared, const WideScores& scores) {
#pragma unroll
    for (int m = 0; m < WIDE_GROUPS; m++)
#pragma unroll
        for (int n = 0; n < WIDE_COLUMNS / 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                shared.partials[warp()][m * 16 + lane() / 4 + i / 2 * 8][n * 8 + lane() % 4 * 2 + i % 2] =
                    scores[m][n][i];
}

/// The reducing lane's two scores.
template <class T> __device__ inline void wide_reduce(const Wide<T>& shared, float (&scores)[2]) {
    scores[0] = scores[1] = 0;
#pragma unroll
    for (int w = 0; w < WIDE_WARPS; w++)
#pragma unroll
        for (int j = 0; j < 2; j++) scores[j] += shared.partials[w][wide_row()][wide_column() + j];
}

template <class T> __device__ inline void wide_keep(T* p, const float (&x)[2]) {
    *reinterpret_cast<uint32_t*>(p + wide_row() * WIDE_STRIDE + wide_column()) = pack<T>(x[0], x[1]);
}

/// sums += p times the warp's tile.
template <class T> __device__ inline void wide_product(WideSums& sums, const T* p, const T (&tile)[WIDE_TILE]) {
    uint32_t a[WIDE_GROUPS][4];
#pragma unroll
    for (int m = 0; m < WIDE_GROUPS; m++)
        load_matrices(a[m], p + (m * 16 + lane() % 16) * WIDE_STRIDE + lane() / 16 * 8);
    multiply_columns<T, SLICE, WIDE_GROUPS>(sums, a, &tile[0]);
}

template <class T>
__device__ inline void wide_store(
    void* to, int64 start, const Rows<T>& like, const WideSums& sums, int first, float factor) {
#pragma unroll
    for (int m = 0; m < WIDE_GROUPS; m++)
        store_rows<T, SLICE>(
            static_cast<T*>(to) + start + warp() * SLICE, like, sums[m], first + m * 16, {factor, factor});
}

/// The sum over the eight lanes that share a row, in each of them.
__device__ inline float wide_sum(float x) {
    x = row_sum(x);
    return x + __shfl_xor_sync(0xffffffffu, x, 4);
}

/// Grid (ceil(queries / 32), heads, B); shared memory: a Wide.
template <class T> __device__ inline void wide_forward(const Forward& a) {
    Wide<T>& shared = *reinterpret_cast<Wide<T>*>(shared_memory());
    T(&k_tile)[WIDE_TILE] = shared.tiles[warp()][0];
    T(&v_tile)[WIDE_TILE] = shared.tiles[warp()][1];
    const Head head(a, blockIdx.z);
    const Rows<T> q = slice<T>(a.q, head.query_start, a.queries, a.depth, head.width);
    const Rows<T> k = slice<T>(a.k, head.key_start, a.keys, a.depth, head.width);
    const Rows<T> v = slice<T>(a.v, head.key_start, a.keys, a.depth, head.width);
    const int first = blockIdx.x * WIDE_ROWS;
    const int seen = a.causal && first + WIDE_ROWS < a.keys ? first + WIDE_ROWS : a.keys;
    const float scale = a.scale * LOG2_E;

    wide_copy(k_tile, k, 0);
    wide_copy(v_tile, v, 0);
    WideRows queries;
    wide_load(queries, q, first);
    WideSums output;
    clear(output);
    float largest = -INFINITE, sum = 0;
    for (int key = 0; key < seen; key += WIDE_COLUMNS) {
        copies_done<1>();
        WideScores scores;
        multiply_rows<T, SLICE, WIDE_COLUMNS, WIDE_GROUPS>(scores, queries, &k_tile[0]);
        wide_share(shared, scores);
        __syncthreads();
        wide_copy(k_tile, k, key + WIDE_COLUMNS);
        float p[2];
        wide_reduce(shared, p);
#pragma unroll
        for (int j = 0; j < 2; j++) {
            const int at = key + wide_column() + j;
            if (at >= a.keys || (a.causal && at > first + wide_row())) p[j] = -INFINITE;
        }
        float peak = row_max(fmaxf(largest, fmaxf(p[0], p[1])));
        peak = fmaxf(peak, __shfl_xor_sync(0xffffffffu, peak, 4));
        const float factor = power_of_two((largest - peak) * scale), shift = peak * scale;
        largest = peak;
#pragma unroll
        for (int j = 0; j < 2; j++) p[j] = power_of_two(fmaf(p[j], scale, -shift));
        sum = fmaf(sum, factor, p[0] + p[1]);
        wide_keep(shared.p[0], p);
        if (threadIdx.x % 8 == 0) shared.factors[wide_row()] = factor;
        copies_done<1>();
        __syncthreads();
#pragma unroll
        for (int m = 0; m < WIDE_GROUPS; m++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const float rescale = shared.factors[m * 16 + lane() / 4 + half * 8];
#pragma unroll
                for (int n = 0; n < SLICE / 8; n++) {
                    output[m][n][2 * half] *= rescale;
                    output[m][n][2 * half + 1] *= rescale;
                }
            }
        wide_product(output, shared.p[0], v_tile);
        __syncwarp();
        wide_copy(v_tile, v, key + WIDE_COLUMNS);
    }
    copies_done<0>();
    sum = wide_sum(sum);
    __syncthreads();
    if (threadIdx.x % 8 == 0) {
        shared.factors[wide_row()] = 1 / sum;
        const int row = first + wide_row();
        if (row < a.queries) a.log_sums[head.pair * a.queries + row] = largest * a.scale + logf(sum);
    }
    __syncthreads();
#pragma unroll
    for (int m = 0; m < WIDE_GROUPS; m++) {
        const float* factors = shared.factors + m * 16 + lane() / 4;
        store_rows<T, SLICE>(static_cast<T*>(a.o) + head.query_start + warp() * SLICE, q, output[m], first + m * 16,
            {factors[0], factors[8]});
    }
}

/// With `Keys` dk and dv, else dq and delta, which must be there for the keys. Grid (ceil(own rows / 32), heads, B);
/// shared memory: a Wide.
template <class T, bool Keys> __device__ inline void wide_backward(const Backward& a) {
    Wide<T>& shared = *reinterpret_cast<Wide<T>*>(shared_memory());
    T(&tile)[WIDE_TILE] = shared.tiles[warp()][0];
    T(&dual_tile)[WIDE_TILE] = shared.tiles[warp()][1];
    const Head head(a, blockIdx.z);
    const Rows<T> q = slice<T>(a.q, head.query_start, a.queries, a.depth, head.width);
    const Rows<T> k = slice<T>(a.k, head.key_start, a.keys, a.depth, head.width);
    const Rows<T> v = slice<T>(a.v, head.key_start, a.keys, a.depth, head.width);
    const Rows<T> grad = slice<T>(a.grad, head.query_start, a.queries, a.depth, head.width);
    const Rows<T>&own = Keys ? k : q, &own_dual = Keys ? v : grad, &other = Keys ? q : k, &dual = Keys ? grad : v;
    const int first = blockIdx.x * WIDE_ROWS;
    const int begin = Keys && a.causal ? first : 0;
    const int end = !Keys && a.causal && first + WIDE_ROWS < other.rows ? first + WIDE_ROWS : other.rows;
    const float scale = a.scale * LOG2_E;
    float* const deltas = a.delta + head.pair * a.queries;
    const float* const log_sums = a.log_sums + head.pair * a.queries;

    wide_copy(tile, other, begin);
    wide_copy(dual_tile, dual, begin);
    WideRows rows, dual_rows;
    wide_load(rows, own, first);
    wide_load(dual_rows, own_dual, first);
    float delta[2] = {0, 0}, shift[2] = {0, 0};
    if (!Keys) {
        const Rows<T> o = slice<T>(a.o, head.query_start, a.queries, a.depth, head.width);
#pragma unroll
        for (int m = 0; m < WIDE_GROUPS; m++) {
            uint32_t outputs[SLICE / 16][4];
            load_fragments<SLICE>(outputs, o, first + m * 16);
            const float top = fragment_product<T, SLICE, 0>(outputs, dual_rows[m]);
            const float bottom = fragment_product<T, SLICE, 1>(outputs, dual_rows[m]);
            if (lane() % 4 == 0) {
                shared.partials[warp()][m * 16 + lane() / 4][0] = top;
                shared.partials[warp()][m * 16 + lane() / 4 + 8][0] = bottom;
            }
        }
        __syncthreads();
#pragma unroll
        for (int w = 0; w < WIDE_WARPS; w++) delta[0] += shared.partials[w][wide_row()][0];
        __syncthreads();
        delta[1] = delta[0];
        const int row = first + wide_row();
        if (row < a.queries) {
            shift[0] = shift[1] = log_sums[row] * LOG2_E;
            if (threadIdx.x % 8 == 0) deltas[row] = delta[0];
        }
    }

    WideSums sums, dual_sums;
    clear(sums);
    clear(dual_sums);
    for (int at = begin; at < end; at += WIDE_COLUMNS) {
        if (Keys) {
#pragma unroll
            for (int j = 0; j < 2; j++) {
                const int query = at + wide_column() + j;
                shift[j] = query < a.queries ? log_sums[query] * LOG2_E : INFINITE;
                delta[j] = query < a.queries ? deltas[query] : 0;
            }
        }
        copies_done<0>();
        WideScores scores, dual_scores;
        multiply_rows<T, SLICE, WIDE_COLUMNS, WIDE_GROUPS>(scores, rows, &tile[0]);
        wide_share(shared, scores);
        multiply_rows<T, SLICE, WIDE_COLUMNS, WIDE_GROUPS>(dual_scores, dual_rows, &dual_tile[0]);
        __syncthreads();
        float p[2], ds[2];
        wide_reduce(shared, p);
#pragma unroll
        for (int j = 0; j < 2; j++) {
            const int mine = first + wide_row(), its = at + wide_column() + j;
            p[j] = power_of_two(fmaf(p[j], scale, -shift[j]));
            if ((!Keys && its >= a.keys) || (a.causal && (Keys ? mine > its : its > mine))) p[j] = 0;
        }
        if (Keys) wide_keep(shared.p[1], p);
        __syncthreads();
        wide_share(shared, dual_scores);
        __syncthreads();
        wide_reduce(shared, ds);
#pragma unroll
        for (int j = 0; j < 2; j++) ds[j] = p[j] * (ds[j] - delta[j]);
        wide_keep(shared.p[0], ds);
        __syncthreads();
        wide_product(sums, shared.p[0], tile);
        if constexpr (Keys) wide_product(dual_sums, shared.p[1], dual_tile);
        __syncwarp();
        wide_copy(tile, other, at + WIDE_COLUMNS);
        wide_copy(dual_tile, dual, at + WIDE_COLUMNS);
    }
    copies_done<0>();
    wide_store(Keys ? a.dk : a.dq, Keys ? head.key_start : head.query_start, own, sums, first, a.scale);
    if constexpr (Keys) wide_store(a.dv, head.key_start, own, dual_sums, first, 1);
}

}  // namespace attention
