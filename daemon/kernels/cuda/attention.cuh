//! What the attention kernels share: their arguments, and the two products on tensor cores that they are made of.
//!
//! A warp owns 16 rows (or a multiple) of one side of the score matrix, queries or keys, as fragments in registers; the
//! rows of the other side pass by in tiles of shared memory. Scores are the warp's rows times a tile's rows; what is
//! made of the scores goes from their accumulators straight into the next product, as in Dao (arXiv 2307.08691).

#pragma once
#include "device.cuh"

namespace attention {

constexpr float LOG2_E = 1.4426950408889634f;
constexpr float INFINITE = __builtin_inff();

struct Forward {
    /// `[B, queries, heads depth]`.
    const void* q;
    /// `[B, keys, heads depth]`.
    const void* k;
    const void* v;
    /// Like q.
    void* o;
    /// `[B, heads, queries]`.
    float* log_sums;
    int heads, queries, keys, depth;
    int causal;
    float scale;
};

struct Backward {
    const void* q;
    const void* k;
    const void* v;
    const void* o;
    const void* grad;
    const float* log_sums;
    /// `[B, heads, queries]`: rowsum(grad o), which the queries' kernel makes and the keys' kernel reads.
    float* delta;
    void* dq;
    void* dk;
    void* dv;
    /// `[splits, 2, B, keys, heads depth]`: shares of dk and dv, if the queries are split.
    float* partials;
    int heads, queries, keys, depth;
    int causal;
    int splits;
    float scale;
};

/// The block's head (y) and sample (z).
struct Head {
    int width;
    /// Index into `[B, heads]`.
    int64 pair;
    int64 query_start, key_start;

    template <class Args> __device__ Head(const Args& a, int sample) {
        width = a.heads * a.depth;
        pair = int64(sample) * a.heads + blockIdx.y;
        const int64 column = int64(blockIdx.y) * a.depth;
        query_start = int64(sample) * a.queries * width + column;
        key_start = int64(sample) * a.keys * width + column;
    }
};

/// A matrix of one head in global memory: `rows` rows of `depth` columns, `width` apart.
template <class T> struct Rows {
    const T* start;
    int rows, depth, width;
};

/// Halves between rows of a tile: an odd number of 16-byte units, so that eight rows meet all banks.
__device__ constexpr int stride(int depth) { return depth + 8; }

/// Rows first.. of a tile of `Count` rows, padded with zeros, by `Threads` lanes, of which this is `thread`.
template <int Depth, int Count, int Threads, class T>
__device__ inline void copy_tile(T* to, const Rows<T>& from, int first, int thread = threadIdx.x) {
    constexpr int quads = Depth / 8;
    static_assert(Count * quads % Threads == 0, "all lanes copy alike");
#pragma unroll
    for (int i = 0; i < Count * quads; i += Threads) {
        const int at = i + thread, row = at / quads, column = at % quads * 8;
        const bool valid = first + row < from.rows && column < from.depth;
        const int64 source = valid ? int64(first + row) * from.width + column : 0;
        copy_async(to + row * stride(Depth) + column, from.start + source, valid);
    }
}

/// Rows first..first + 16 as A fragments, padded with zeros.
template <int Depth, class T>
__device__ inline void load_fragments(uint32_t (&a)[Depth / 16][4], const Rows<T>& from, int first) {
    const int g = lane() / 4, t = lane() % 4;
#pragma unroll
    for (int step = 0; step < Depth / 16; step++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int row = first + g + i % 2 * 8, column = step * 16 + i / 2 * 8 + 2 * t;
            const bool valid = row < from.rows && column < from.depth;
            a[step][i] = valid ? *reinterpret_cast<const uint32_t*>(from.start + int64(row) * from.width + column) : 0;
        }
}

/// scores `[16, Columns]` = a `[16, Depth]` times the transposed tile `[Columns, Depth]`.
template <class T, int Depth, int Columns, int Groups>
__device__ inline void multiply_rows(
    float (&scores)[Groups][Columns / 8][4], const uint32_t (&a)[Groups][Depth / 16][4], const T* tile) {
#pragma unroll
    for (int m = 0; m < Groups; m++)
#pragma unroll
        for (int n = 0; n < Columns / 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) scores[m][n][i] = 0;
    // Callers may have had lanes go their own ways; fragments are read by the whole warp.
    __syncwarp();
    const T* at = tile + (lane() / 16 * 8 + lane() % 8) * stride(Depth) + lane() / 8 % 2 * 8;
#pragma unroll
    for (int step = 0; step < Depth / 16; step++)
#pragma unroll
        for (int n = 0; n < Columns / 16; n++) {
            uint32_t r[4];
            load_matrices(r, at + n * 16 * stride(Depth) + step * 16);
            const uint32_t even[2] = {r[0], r[1]}, odd[2] = {r[2], r[3]};
#pragma unroll
            for (int m = 0; m < Groups; m++) {
                mma<T>(scores[m][2 * n], a[m][step], even);
                mma<T>(scores[m][2 * n + 1], a[m][step], odd);
            }
        }
}

/// sums `[16, Depth]` += a `[16, 16]` times the tile's rows `[16, Depth]`.
template <class T, int Depth, int Groups>
__device__ inline void multiply_columns(
    float (&sums)[Groups][Depth / 8][4], const uint32_t (&a)[Groups][4], const T* tile) {
    const T* at = tile + (lane() / 8 % 2 * 8 + lane() % 8) * stride(Depth) + lane() / 16 * 8;
#pragma unroll
    for (int n = 0; n < Depth / 16; n++) {
        uint32_t r[4];
        load_matrices_transposed(r, at + n * 16);
        const uint32_t even[2] = {r[0], r[1]}, odd[2] = {r[2], r[3]};
#pragma unroll
        for (int m = 0; m < Groups; m++) {
            mma<T>(sums[m][2 * n], a[m], even);
            mma<T>(sums[m][2 * n + 1], a[m], odd);
        }
    }
}

/// sums `[16, Depth]` += p `[16, Columns]`, rounded to T, times the tile `[Columns, Depth]`.
template <class T, int Depth, int Columns, int Groups>
__device__ inline void multiply_columns(
    float (&sums)[Groups][Depth / 8][4], const float (&p)[Groups][Columns / 8][4], const T* tile) {
#pragma unroll
    for (int step = 0; step < Columns / 16; step++) {
        uint32_t a[Groups][4];
#pragma unroll
        for (int m = 0; m < Groups; m++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float(&pair)[4] = p[m][2 * step + i / 2];
                a[m][i] = pack<T>(pair[i % 2 * 2], pair[i % 2 * 2 + 1]);
            }
        multiply_columns<T, Depth, Groups>(sums, a, tile + step * 16 * stride(Depth));
    }
}

template <int Groups, int Count> __device__ inline void clear(float (&sums)[Groups][Count][4]) {
#pragma unroll
    for (int m = 0; m < Groups; m++)
#pragma unroll
        for (int n = 0; n < Count; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) sums[m][n][i] = 0;
}

/// Makes scores minus infinity but for columns from low(row) to below high(row), all counted from the warp's first.
template <int Groups, int Count, class Low, class High>
__device__ inline void mask(float (&scores)[Groups][Count][4], const Low& low, const High& high) {
#pragma unroll
    for (int m = 0; m < Groups; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int row = m * 16 + lane() / 4 + half * 8, shift = lane() % 4 * 2;
            const int from = low(row) - shift, to = high(row) - shift;
#pragma unroll
            for (int n = 0; n < Count; n++)
#pragma unroll
                for (int i = 0; i < 2; i++)
                    if (n * 8 + i < from || n * 8 + i >= to) scores[m][n][2 * half + i] = -INFINITE;
        }
}

/// Hides keys, the columns, that are beyond the end or that queries, the rows, must not see.
template <int Groups, int Count>
__device__ inline void mask_keys(float (&scores)[Groups][Count][4], int query, int key, int keys, int causal) {
    if (key + Count * 8 > keys || (causal && key + Count * 8 > query + 1))
        mask(scores, [](int) { return -8; }, [=](int row) {
            const int seen = query + row + 1;
            return (causal && seen < keys ? seen : keys) - key;
        });
}

/// Writes sums of rows first.. , times the factors of rows lane / 4 and + 8, to a matrix at `to` that is laid out like
/// another.
template <class T, int Depth>
__device__ inline void store_rows(
    T* to, const Rows<T>& like, const float (&sums)[Depth / 8][4], int first, const float (&factors)[2]) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int row = first + lane() / 4 + half * 8;
        if (row >= like.rows) continue;
        T* at = to + int64(row) * like.width;
#pragma unroll
        for (int n = 0; n < Depth / 8; n++) {
            const int column = n * 8 + lane() % 4 * 2;
            const float x = sums[n][2 * half] * factors[half], y = sums[n][2 * half + 1] * factors[half];
            if (column < like.depth) *reinterpret_cast<uint32_t*>(at + column) = pack<T>(x, y);
        }
    }
}

/// The sum over the four lanes that share a row of fragments, in each of them.
__device__ inline float row_sum(float x) {
    x += __shfl_xor_sync(0xffffffffu, x, 1);
    return x + __shfl_xor_sync(0xffffffffu, x, 2);
}
__device__ inline float row_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

/// The sums of products of two fragments' elements, of row lane / 4 + 8 Half, in the four lanes that share it.
template <class T, int Depth, int Half>
__device__ inline float fragment_product(const uint32_t (&a)[Depth / 16][4], const uint32_t (&b)[Depth / 16][4]) {
    float sum = 0;
#pragma unroll
    for (int step = 0; step < Depth / 16; step++)
#pragma unroll
        for (int i = Half; i < 4; i += 2) {
            sum = fmaf(low<T>(a[step][i]), low<T>(b[step][i]), sum);
            sum = fmaf(high<T>(a[step][i]), high<T>(b[step][i]), sum);
        }
    return row_sum(sum);
}

/// 2 to the power of x, to some 2 units in the last place; small results may become 0.
__device__ inline float power_of_two(float x) {
#ifdef EMULATOR
    return exp2f(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

}  // namespace attention
