//! Attention in exact f32 arithmetic, for checks against the CPU: tiled, but plain. A block owns 32 rows, queries or
//! keys, and goes over the other side 32 rows at a time, and over the columns of a head 32 at a time.

#pragma once
#include "attention.cuh"

namespace attention {

constexpr int PLAIN = 32, PLAIN_THREADS = 256;
typedef float PlainTile[PLAIN][PLAIN + 1];

/// What a lane computes of a 32 x 32 tile: rows 2 (i / 16) and + 1, columns i % 16 and + 16.
typedef float PlainPart[2][2];
__device__ inline int plain_row(int i) { return threadIdx.x / 16 * 2 + i; }
__device__ inline int plain_column(int j) { return threadIdx.x % 16 + j * 16; }

__device__ inline void plain_load(PlainTile& tile, const Rows<float>& from, int first, int column) {
#pragma unroll
    for (int i = threadIdx.x; i < PLAIN * PLAIN; i += PLAIN_THREADS) {
        const int row = first + i / PLAIN, at = column + i % PLAIN;
        const bool valid = row < from.rows && at < from.depth;
        tile[i / PLAIN][i % PLAIN] = valid ? from.start[int64(row) * from.width + at] : 0;
    }
}

/// scores = rows of a times rows of b.
__device__ inline void plain_scores(PlainPart& scores, const Rows<float>& a, int a_first, const Rows<float>& b,
    int b_first, PlainTile& left, PlainTile& right) {
    scores[0][0] = scores[0][1] = scores[1][0] = scores[1][1] = 0;
    for (int column = 0; column < a.depth; column += PLAIN) {
        __syncthreads();
        plain_load(left, a, a_first, column);
        plain_load(right, b, b_first, column);
        __syncthreads();
#pragma unroll 8
        for (int x = 0; x < PLAIN; x++)
#pragma unroll
            for (int i = 0; i < 2; i++)
#pragma unroll
                for (int j = 0; j < 2; j++)
                    scores[i][j] = fmaf(left[plain_row(i)][x], right[plain_column(j)][x], scores[i][j]);
    }
}

/// sums += p, which goes by `tile`, times rows of b.
template <int Chunks>
__device__ inline void plain_product(
    PlainPart (&sums)[Chunks], const PlainPart& p, const Rows<float>& b, int first, PlainTile& tile, PlainTile& right) {
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 2; i++)
#pragma unroll
        for (int j = 0; j < 2; j++) tile[plain_row(i)][plain_column(j)] = p[i][j];
#pragma unroll
    for (int chunk = 0; chunk < Chunks; chunk++) {
        if (chunk * PLAIN >= b.depth) break;
        __syncthreads();
        plain_load(right, b, first, chunk * PLAIN);
        __syncthreads();
#pragma unroll 4
        for (int x = 0; x < PLAIN; x++)
#pragma unroll
            for (int i = 0; i < 2; i++)
#pragma unroll
                for (int j = 0; j < 2; j++)
                    sums[chunk][i][j] = fmaf(tile[plain_row(i)][x], right[x][plain_column(j)], sums[chunk][i][j]);
    }
}

template <int Chunks> __device__ inline void plain_clear(PlainPart (&sums)[Chunks]) {
#pragma unroll
    for (int chunk = 0; chunk < Chunks; chunk++)
        sums[chunk][0][0] = sums[chunk][0][1] = sums[chunk][1][0] = sums[chunk][1][1] = 0;
}

template <int Chunks>
__device__ inline void plain_store(
    float* to, const Rows<float>& like, const PlainPart (&sums)[Chunks], int first, const float (&factors)[2]) {
#pragma unroll
    for (int chunk = 0; chunk < Chunks; chunk++)
#pragma unroll
        for (int i = 0; i < 2; i++)
#pragma unroll
            for (int j = 0; j < 2; j++) {
                const int row = first + plain_row(i), column = chunk * PLAIN + plain_column(j);
                if (row < like.rows && column < like.depth)
                    to[int64(row) * like.width + column] = sums[chunk][i][j] * factors[i];
            }
}

/// The sum over the sixteen lanes that share rows, in each of them.
__device__ inline float plain_sum(float x) {
#pragma unroll
    for (int i = 8; i > 0; i >>= 1) x += __shfl_xor_sync(0xffffffffu, x, i);
    return x;
}

/// Grid (ceil(queries / 32), heads, B); shared memory: 2 plain tiles; depth at most 32 Chunks.
template <int Chunks> __device__ inline void plain_forward(const Forward& a) {
    PlainTile* const tiles = reinterpret_cast<PlainTile*>(shared_memory());
    const Head head(a, blockIdx.z);
    const Rows<float> q{static_cast<const float*>(a.q) + head.query_start, a.queries, a.depth, head.width};
    const Rows<float> k{static_cast<const float*>(a.k) + head.key_start, a.keys, a.depth, head.width};
    const Rows<float> v{static_cast<const float*>(a.v) + head.key_start, a.keys, a.depth, head.width};
    const int first = blockIdx.x * PLAIN, seen = a.causal && first + PLAIN < a.keys ? first + PLAIN : a.keys;
    PlainPart output[Chunks];
    plain_clear(output);
    float largest[2] = {-INFINITE, -INFINITE}, sum[2] = {0, 0};
    for (int key = 0; key < seen; key += PLAIN) {
        PlainPart p;
        plain_scores(p, q, first, k, key, tiles[0], tiles[1]);
#pragma unroll
        for (int i = 0; i < 2; i++) {
            float peak = largest[i];
#pragma unroll
            for (int j = 0; j < 2; j++) {
                const int at = key + plain_column(j);
                p[i][j] = at >= a.keys || (a.causal && at > first + plain_row(i)) ? -INFINITE : p[i][j] * a.scale;
                peak = fmaxf(peak, p[i][j]);
            }
#pragma unroll
            for (int x = 8; x > 0; x >>= 1) peak = fmaxf(peak, __shfl_xor_sync(0xffffffffu, peak, x));
            const float factor = expf(largest[i] - peak);
            largest[i] = peak;
#pragma unroll
            for (int j = 0; j < 2; j++) p[i][j] = expf(p[i][j] - peak);
            sum[i] = fmaf(sum[i], factor, plain_sum(p[i][0] + p[i][1]));
#pragma unroll
            for (int chunk = 0; chunk < Chunks; chunk++) {
                output[chunk][i][0] *= factor;
                output[chunk][i][1] *= factor;
            }
        }
        plain_product(output, p, v, key, tiles[0], tiles[1]);
    }
#pragma unroll
    for (int i = 0; i < 2; i++)
        if (threadIdx.x % 16 == 0 && first + plain_row(i) < a.queries)
            a.log_sums[head.pair * a.queries + first + plain_row(i)] = largest[i] + logf(sum[i]);
    plain_store(static_cast<float*>(a.o) + head.query_start, q, output, first, {1 / sum[0], 1 / sum[1]});
}

/// With `Keys` dk and dv, else dq and delta, which must be there for the keys. Grid (ceil(own rows / 32), heads, B);
/// shared memory: 2 plain tiles.
template <int Chunks, bool Keys> __device__ inline void plain_backward(const Backward& a) {
    PlainTile* const tiles = reinterpret_cast<PlainTile*>(shared_memory());
    const Head head(a, blockIdx.z);
    const Rows<float> q{static_cast<const float*>(a.q) + head.query_start, a.queries, a.depth, head.width};
    const Rows<float> k{static_cast<const float*>(a.k) + head.key_start, a.keys, a.depth, head.width};
    const Rows<float> v{static_cast<const float*>(a.v) + head.key_start, a.keys, a.depth, head.width};
    const Rows<float> grad{static_cast<const float*>(a.grad) + head.query_start, a.queries, a.depth, head.width};
    const Rows<float>&own = Keys ? k : q, &own_dual = Keys ? v : grad, &other = Keys ? q : k, &dual = Keys ? grad : v;
    const int first = blockIdx.x * PLAIN;
    float* const deltas = a.delta + head.pair * a.queries;
    const float* const log_sums = a.log_sums + head.pair * a.queries;

    float delta[2], log_sum[2];
    if (!Keys) {
        const float* o = static_cast<const float*>(a.o) + head.query_start;
#pragma unroll
        for (int i = 0; i < 2; i++) {
            const int row = first + plain_row(i);
            delta[i] = log_sum[i] = 0;
            if (row < a.queries) {
                log_sum[i] = log_sums[row];
                for (int column = threadIdx.x % 16; column < a.depth; column += 16) {
                    const int64 at = int64(row) * grad.width + column;
                    delta[i] = fmaf(grad.start[at], o[at], delta[i]);
                }
            }
            delta[i] = plain_sum(delta[i]);
            if (row < a.queries && threadIdx.x % 16 == 0) deltas[row] = delta[i];
        }
    }
    PlainPart sums[Chunks], dual_sums[Keys ? Chunks : 1];
    plain_clear(sums);
    plain_clear(dual_sums);
    const int begin = Keys && a.causal ? first : 0;
    const int end = !Keys && a.causal && first + PLAIN < other.rows ? first + PLAIN : other.rows;
    for (int at = begin; at < end; at += PLAIN) {
        PlainPart p, ds;
        plain_scores(p, own, first, other, at, tiles[0], tiles[1]);
        plain_scores(ds, own_dual, first, dual, at, tiles[0], tiles[1]);
#pragma unroll
        for (int i = 0; i < 2; i++)
#pragma unroll
            for (int j = 0; j < 2; j++) {
                const int mine = first + plain_row(i), its = at + plain_column(j);
                const int query = Keys ? its : mine, key = Keys ? mine : its;
                if (query >= a.queries || key >= a.keys || (a.causal && key > query)) {
                    p[i][j] = ds[i][j] = 0;
                    continue;
                }
                p[i][j] = expf(p[i][j] * a.scale - (Keys ? log_sums[query] : log_sum[i]));
                ds[i][j] = p[i][j] * (ds[i][j] - (Keys ? deltas[query] : delta[i]));
            }
        plain_product(sums, ds, other, at, tiles[0], tiles[1]);
        if constexpr (Keys) plain_product(dual_sums, p, dual, at, tiles[0], tiles[1]);
    }
    plain_store(static_cast<float*>(Keys ? a.dk : a.dq) + (Keys ? head.key_start : head.query_start), own, sums,
        first, {a.scale, a.scale});
    if constexpr (Keys) plain_store(static_cast<float*>(a.dv) + head.key_start, own, dual_sums, first, {1, 1});
}

}  // namespace attention
