//! Attention forward on tensor cores: each warp keeps its queries, their output and their running softmax in registers
//! while keys and values pass by (Dao, arXiv 2307.08691, algorithm 1).

#pragma once
#include "attention.cuh"

namespace attention {

constexpr int THREADS = 128;

/// Rows of a tile in shared memory: two buffers of two tiles stay within 48 KB.
__device__ constexpr int tile_rows(int depth) { return depth <= 80 ? 64 : 32; }

/// Grid (ceil(queries / (64 Groups)), heads, B); shared memory: 4 tiles.
template <class T, int Depth, int Groups> __device__ inline void forward(const Forward& a) {
    constexpr int columns = tile_rows(Depth), tile = columns * stride(Depth);
    T* const tiles = reinterpret_cast<T*>(shared_memory());
    const Head head(a, blockIdx.z);
    const Rows<T> q{static_cast<const T*>(a.q) + head.query_start, a.queries, a.depth, head.width};
    const Rows<T> k{static_cast<const T*>(a.k) + head.key_start, a.keys, a.depth, head.width};
    const Rows<T> v{static_cast<const T*>(a.v) + head.key_start, a.keys, a.depth, head.width};

    const int block_end = int(blockIdx.x + 1) * 64 * Groups;
    const int first = block_end - 64 * Groups + warp() * 16 * Groups;
    const int seen = a.causal && block_end < a.keys ? block_end : a.keys;
    const int count = (seen + columns - 1) / columns;
    const float scale = a.scale * LOG2_E;

    copy_tile<Depth, columns, THREADS>(tiles, k, 0);
    copy_tile<Depth, columns, THREADS>(tiles + tile, v, 0);
    copies_issued();

    uint32_t queries[Groups][Depth / 16][4];
    float output[Groups][Depth / 8][4], largest[Groups][2], sum[Groups][2];
    clear(output);
#pragma unroll
    for (int m = 0; m < Groups; m++) {
        load_fragments<Depth>(queries[m], q, first + m * 16);
        largest[m][0] = largest[m][1] = -INFINITE;
        sum[m][0] = sum[m][1] = 0;
    }

    for (int step = 0; step < count; step++) {
        const T* now = tiles + step % 2 * 2 * tile;
        copies_done<0>();
        __syncthreads();
        if (step + 1 < count) {
            T* next = tiles + (step + 1) % 2 * 2 * tile;
            copy_tile<Depth, columns, THREADS>(next, k, (step + 1) * columns);
            copy_tile<Depth, columns, THREADS>(next + tile, v, (step + 1) * columns);
        }
        copies_issued();
        if (first >= a.queries) continue;

        float scores[Groups][columns / 8][4];
        multiply_rows<T, Depth, columns, Groups>(scores, queries, now);
        mask_keys(scores, first, step * columns, a.keys, a.causal);
#pragma unroll
        for (int m = 0; m < Groups; m++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                float peak = largest[m][half];
#pragma unroll
                for (int n = 0; n < columns / 8; n++)
                    peak = fmaxf(peak, fmaxf(scores[m][n][2 * half], scores[m][n][2 * half + 1]));
                // Every row sees key 0, so that from the first tile on the peak is a number.
                peak = row_max(peak);
                const float factor = power_of_two((largest[m][half] - peak) * scale), shift = peak * scale;
                largest[m][half] = peak;
                float part = 0;
#pragma unroll
                for (int n = 0; n < columns / 8; n++)
#pragma unroll
                    for (int i = 2 * half; i < 2 * half + 2; i++) {
                        scores[m][n][i] = power_of_two(fmaf(scores[m][n][i], scale, -shift));
                        part += scores[m][n][i];
                    }
                sum[m][half] = fmaf(sum[m][half], factor, part);
#pragma unroll
                for (int n = 0; n < Depth / 8; n++) {
                    output[m][n][2 * half] *= factor;
                    output[m][n][2 * half + 1] *= factor;
                }
            }
        multiply_columns<T, Depth, columns, Groups>(output, scores, now + tile);
    }
    if (first >= a.queries) return;

#pragma unroll
    for (int m = 0; m < Groups; m++) {
        float total[2];
#pragma unroll
        for (int half = 0; half < 2; half++) {
            total[half] = row_sum(sum[m][half]);
            const int row = first + m * 16 + lane() / 4 + half * 8;
            if (lane() % 4 == 0 && row < a.queries)
                a.log_sums[head.pair * a.queries + row] = largest[m][half] * a.scale + logf(total[half]);
        }
        T* const o = static_cast<T*>(a.o) + head.query_start;
        store_rows<T, Depth>(o, q, output[m], first + m * 16, {1 / total[0], 1 / total[1]});
    }
}

}  // namespace attention
