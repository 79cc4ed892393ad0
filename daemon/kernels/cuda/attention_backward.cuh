//! Attention backward on tensor cores, without atomics: one kernel whose warps own queries and make dq, one whose warps
//! own keys and make dk and dv; both make the scores again (Dao et al., arXiv 2205.14135, algorithm 4, taken apart).

#pragma once
#include "attention_forward.cuh"

namespace attention {

/// Columns of scores that are in registers at once.
__device__ constexpr int score_columns(int depth) { return depth <= 80 ? 32 : 16; }

/// dq and delta. Grid (ceil(queries / 64), heads, B); shared memory: 4 tiles.
template <class T, int Depth> __device__ inline void backward_queries(const Backward& a) {
    constexpr int rows = tile_rows(Depth), tile = rows * stride(Depth), columns = score_columns(Depth);
    T* const tiles = reinterpret_cast<T*>(shared_memory());
    const Head head(a, blockIdx.z);
    const Rows<T> q{static_cast<const T*>(a.q) + head.query_start, a.queries, a.depth, head.width};
    const Rows<T> k{static_cast<const T*>(a.k) + head.key_start, a.keys, a.depth, head.width};
    const Rows<T> v{static_cast<const T*>(a.v) + head.key_start, a.keys, a.depth, head.width};
    const Rows<T> o{static_cast<const T*>(a.o) + head.query_start, a.queries, a.depth, head.width};
    const Rows<T> grad{static_cast<const T*>(a.grad) + head.query_start, a.queries, a.depth, head.width};

    const int block_end = int(blockIdx.x + 1) * 64, first = block_end - 64 + warp() * 16;
    const int seen = a.causal && block_end < a.keys ? block_end : a.keys;
    const int count = (seen + rows - 1) / rows;
    const float scale = a.scale * LOG2_E;

    copy_tile<Depth, rows, THREADS>(tiles, k, 0);
    copy_tile<Depth, rows, THREADS>(tiles + tile, v, 0);
    copies_issued();

    uint32_t queries[1][Depth / 16][4], grads[1][Depth / 16][4];
    load_fragments<Depth>(queries[0], q, first);
    load_fragments<Depth>(grads[0], grad, first);
    uint32_t outputs[Depth / 16][4];
    load_fragments<Depth>(outputs, o, first);
    const float delta[2] = {
        fragment_product<T, Depth, 0>(outputs, grads[0]), fragment_product<T, Depth, 1>(outputs, grads[0])};
    float shift[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int row = first + lane() / 4 + half * 8;
        const bool valid = row < a.queries;
        shift[half] = valid ? a.log_sums[head.pair * a.queries + row] * LOG2_E : 0;
        if (valid && lane() % 4 == 0) a.delta[head.pair * a.queries + row] = delta[half];
    }

    float sums[1][Depth / 8][4];
    clear(sums);
    for (int step = 0; step < count; step++) {
        const T* now = tiles + step % 2 * 2 * tile;
        copies_done<0>();
        __syncthreads();
        if (step + 1 < count) {
            T* next = tiles + (step + 1) % 2 * 2 * tile;
            copy_tile<Depth, rows, THREADS>(next, k, (step + 1) * rows);
            copy_tile<Depth, rows, THREADS>(next + tile, v, (step + 1) * rows);
        }
        copies_issued();
        if (first >= a.queries) continue;
#pragma unroll
        for (int part = 0; part < rows; part += columns) {
            const int key = step * rows + part;
            if (key >= a.keys || (a.causal && key > first + 15)) break;
            float p[1][columns / 8][4], ds[1][columns / 8][4];
            multiply_rows<T, Depth, columns, 1>(p, queries, now + part * stride(Depth));
            multiply_rows<T, Depth, columns, 1>(ds, grads, now + tile + part * stride(Depth));
            mask_keys(p, first, key, a.keys, a.causal);
#pragma unroll
            for (int n = 0; n < columns / 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++)
                    ds[0][n][i] =
                        power_of_two(fmaf(p[0][n][i], scale, -shift[i / 2])) * (ds[0][n][i] - delta[i / 2]);
            multiply_columns<T, Depth, columns, 1>(sums, ds, now + part * stride(Depth));
        }
    }
    if (first < a.queries)
        store_rows<T, Depth>(static_cast<T*>(a.dq) + head.query_start, q, sums[0], first, {a.scale, a.scale});
}

/// Which gradients a block of [`backward_keys`] makes: accumulators of both do not fit if heads are deep.
enum Share { DK = 1, DV = 2, BOTH = 3 };

template <class T, int Depth, int Wanted> __device__ inline void backward_keys_share(const Backward& a, int sample) {
    constexpr int rows = tile_rows(Depth), tile = rows * stride(Depth), columns = score_columns(Depth);
    T* const tiles = reinterpret_cast<T*>(shared_memory());
    // Of each of two buffers: log-sums (base 2) of a tile's queries, then their deltas.
    float* const statistics = reinterpret_cast<float*>(tiles + 4 * tile);
    const Head head(a, sample);
    const Rows<T> q{static_cast<const T*>(a.q) + head.query_start, a.queries, a.depth, head.width};
    const Rows<T> k{static_cast<const T*>(a.k) + head.key_start, a.keys, a.depth, head.width};
    const Rows<T> v{static_cast<const T*>(a.v) + head.key_start, a.keys, a.depth, head.width};
    const Rows<T> grad{static_cast<const T*>(a.grad) + head.query_start, a.queries, a.depth, head.width};

    const int block_first = int(blockIdx.x) / a.splits * 64, split = int(blockIdx.x) % a.splits;
    const int first = block_first + warp() * 16;
    const int all = (a.queries + rows - 1) / rows, share = (all + a.splits - 1) / a.splits;
    const int unseen = a.causal ? block_first / rows : 0;
    const int begin = split * share > unseen ? split * share : unseen;
    const int end = (split + 1) * share < all ? (split + 1) * share : all;
    const float scale = a.scale * LOG2_E;

    // A query beyond the end has an infinite sum: its probabilities are 0.
    auto statistic = [&](int step) {
        const int i = threadIdx.x, row = step * rows + i % rows;
        if (i >= 2 * rows) return 0.0f;
        if (row >= a.queries) return i < rows ? INFINITE : 0.0f;
        const int64 at = head.pair * a.queries + row;
        return i < rows ? a.log_sums[at] * LOG2_E : a.delta[at];
    };
    auto copy = [&](int step) {
        T* to = tiles + step % 2 * 2 * tile;
        copy_tile<Depth, rows, THREADS>(to, q, step * rows);
        copy_tile<Depth, rows, THREADS>(to + tile, grad, step * rows);
    };
    auto keep = [&](int step, float x) {
        if (threadIdx.x < 2 * rows) statistics[step % 2 * 2 * rows + threadIdx.x] = x;
    };

    if (begin < end) {
        copy(begin);
        keep(begin, statistic(begin));
    }
    copies_issued();
    uint32_t keys[1][Depth / 16][4], values[1][Depth / 16][4];
    load_fragments<Depth>(keys[0], k, first);
    if (Wanted & DK) load_fragments<Depth>(values[0], v, first);
    float dk[1][Depth / 8][4], dv[1][Depth / 8][4];
    clear(dk);
    clear(dv);

    for (int step = begin; step < end; step++) {
        const T* now = tiles + step % 2 * 2 * tile;
        const float* sums = statistics + step % 2 * 2 * rows + lane() % 4 * 2;
        copies_done<0>();
        __syncthreads();
        float next = 0;
        if (step + 1 < end) {
            copy(step + 1);
            next = statistic(step + 1);
        }
        copies_issued();
        if (first < a.keys) {
#pragma unroll
            for (int part = 0; part < rows; part += columns) {
                const int query = step * rows + part;
                if (query >= a.queries) break;
                if (a.causal && query + columns <= first) continue;
                float p[1][columns / 8][4];
                multiply_rows<T, Depth, columns, 1>(p, keys, now + part * stride(Depth));
                if (a.causal && query < first + 15)
                    mask(p, [=](int row) { return first + row - query; }, [](int) { return columns + 8; });
#pragma unroll
                for (int n = 0; n < columns / 8; n++)
#pragma unroll
                    for (int i = 0; i < 4; i++)
                        p[0][n][i] = power_of_two(fmaf(p[0][n][i], scale, -sums[part + n * 8 + i % 2]));
                if (Wanted & DV) multiply_columns<T, Depth, columns, 1>(dv, p, now + tile + part * stride(Depth));
                if (Wanted & DK) {
                    float ds[1][columns / 8][4];
                    multiply_rows<T, Depth, columns, 1>(ds, values, now + tile + part * stride(Depth));
#pragma unroll
                    for (int n = 0; n < columns / 8; n++)
#pragma unroll
                        for (int i = 0; i < 4; i++)
                            ds[0][n][i] = p[0][n][i] * (ds[0][n][i] - sums[rows + part + n * 8 + i % 2]);
                    multiply_columns<T, Depth, columns, 1>(dk, ds, now + part * stride(Depth));
                }
            }
        }
        keep(step + 1, next);
    }
    if (first >= a.keys) return;

    if (a.splits == 1) {
        if (Wanted & DK)
            store_rows<T, Depth>(static_cast<T*>(a.dk) + head.key_start, k, dk[0], first, {a.scale, a.scale});
        if (Wanted & DV) store_rows<T, Depth>(static_cast<T*>(a.dv) + head.key_start, v, dv[0], first, {1, 1});
        return;
    }
    const int64 size = int64(gridDim.z) / (Wanted == BOTH ? 1 : 2) * a.keys * head.width;
    float* const partial = a.partials + 2 * split * size + head.key_start;
#pragma unroll
    for (int n = 0; n < Depth / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int row = first + lane() / 4 + i / 2 * 8, column = n * 8 + lane() % 4 * 2 + i % 2;
            if (row >= a.keys || column >= a.depth) continue;
            if (Wanted & DK) partial[int64(row) * head.width + column] = dk[0][n][i] * a.scale;
            if (Wanted & DV) partial[size + int64(row) * head.width + column] = dv[0][n][i];
        }
}

/// dk and dv; delta must be there. Grid (ceil(keys / 64) splits, heads, B), twice B for deep heads; shared memory: 4
/// tiles and 4 floats a tile row.
template <class T, int Depth> __device__ inline void backward_keys(const Backward& a) {
    if constexpr (Depth <= 80)
        backward_keys_share<T, Depth, BOTH>(a, blockIdx.z);
    else if (blockIdx.z % 2 == 0)
        backward_keys_share<T, Depth, DK>(a, blockIdx.z / 2);
    else
        backward_keys_share<T, Depth, DV>(a, blockIdx.z / 2);
}

struct Sum {
    /// `[splits, 2, size]`.
    const float* partials;
    void* dk;
    void* dv;
    int64 size;
    int splits;
};

/// dk and dv from the shares of [`backward_keys`]. Grid (ceil(size / (256 Lanes<T>::count)), 2).
template <class T> __device__ inline void sum_partials(const Sum& a) {
    constexpr int count = Lanes<T>::count;
    const int64 at = (int64(blockIdx.x) * blockDim.x + threadIdx.x) * count;
    if (at >= a.size) return;
    float total[count] = {};
    for (int split = 0; split < a.splits; split++) {
        const float* from = a.partials + (2 * split + blockIdx.y) * a.size + at;
#pragma unroll
        for (int i = 0; i < count; i += 4) {
            float x[4];
            load(from + i, x);
#pragma unroll
            for (int j = 0; j < 4; j++) total[i + j] += x[j];
        }
    }
    store(static_cast<T*>(blockIdx.y ? a.dv : a.dk) + at, total);
}

}  // namespace attention
