//! Sums of products where tensor cores don't help: the second pass of split sums, and all products in f32, exactly.

#include "product.cuh"

namespace product {

/// Adds up the parts of a split sum in their order and finishes the output: eight columns a lane.
template <class T> __device__ void join(const Args& a) {
    constexpr int COUNT = Lanes<T>::count;
    const int across = (a.columns + COUNT - 1) / COUNT;
    const int64 i = int64(blockIdx.x) * blockDim.x + threadIdx.x, line = i / across;
    if (line >= a.rows) return;
    const int row = int(line), column = int(i - line * across) * COUNT;
    float sum[COUNT] = {};
    const float* part = a.partial + int64(row) * a.columns + column;
    for (int s = 0; s < a.splits; s++, part += int64(a.rows) * a.columns) {
        if (a.columns % COUNT == 0) {
            float four[4];
#pragma unroll
            for (int j = 0; j < COUNT; j += 4) {
                load(part + j, four);
#pragma unroll
                for (int n = 0; n < 4; n++) sum[j + n] += four[n];
            }
        } else {
#pragma unroll
            for (int j = 0; j < COUNT; j++)
                if (column + j < a.columns) sum[j] += part[j];
        }
    }
    finish<T, COUNT>(a, row, column, sum);
}

/// Four values (position, k..k + 3) of the left matrix.
__device__ inline void four_inputs(const Source& s, int position, int k, float (&x)[4]) {
    if (s.wide) {
        if (k >= s.inner) return;
        const int tap = k / s.channels, at = pixel(s, position, tap);
        if (at >= 0) load(static_cast<const float*>(s.image) + int64(at) * s.channels + (k - tap * s.channels), x);
        return;
    }
#pragma unroll
    for (int i = 0; i < 4; i++) x[i] = input_at<float>(s, position, k + i);
}

/// Four values (row, column..column + 3) of a weight, of which `inside` are there.
__device__ inline void four_weights(const Term& t, int row, int column, int inside, float (&x)[4]) {
    if (t.wide && (t.kind == NATIVE || t.kind == SINGLE)) {
        if (inside > 0) load(static_cast<const float*>(t.weight) + int64(row) * t.columns + column, x);
        return;
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
        if (i < inside) x[i] = weight_at<float>(t, row, column + i);
}

/// A tile of 64 x 64 outputs in f32: 256 lanes of 4 x 4, without tensor cores. For the autoencoder, and for checks.
__device__ inline void exact(const Args& a) {
    constexpr int SIDE = 64, DEPTH = 16, PITCH = SIDE + 4;
    float* const left = reinterpret_cast<float*>(shared_memory());
    float* const right = left + DEPTH * PITCH;
    int row, column;
    tile_of_block(a.row_tiles, a.column_tiles, row, column);
    row *= SIDE, column *= SIDE;
    const int lane_row = int(threadIdx.x) / 16 * 4, lane_column = int(threadIdx.x) % 16 * 4;
    float sums[4][4] = {};
    for (int term = 0; term < a.count; term++) {
        const Term& t = a.terms[term];
        float of_term[4][4] = {};
        for (int start = 0; start < t.source.inner; start += DEPTH) {
            __syncthreads();
            {
                const int k = threadIdx.x % 4 * 4, line = threadIdx.x / 4;
                float x[4] = {};
                if (row + line < a.rows) four_inputs(t.source, row + line, start + k, x);
#pragma unroll
                for (int i = 0; i < 4; i++) left[(k + i) * PITCH + line] = x[i];
            }
            if (a.plain) {
                const int k = threadIdx.x / 16, n = column + threadIdx.x % 16 * 4, inner = start + k;
                float w[4] = {};
                if (inner < t.source.inner) {
                    const int tap = inner / t.source.channels;
                    four_weights(t, inner - tap * t.source.channels, tap * a.columns + n, a.columns - n, w);
                }
                store(right + k * PITCH + (n - column), w);
            } else {
                const int k = threadIdx.x % 4 * 4, n = threadIdx.x / 4;
                float w[4] = {};
                if (column + n < a.columns) four_weights(t, column + n, start + k, t.source.inner - (start + k), w);
#pragma unroll
                for (int i = 0; i < 4; i++) right[(k + i) * PITCH + n] = w[i];
            }
            __syncthreads();
#pragma unroll
            for (int k = 0; k < DEPTH; k++) {
                float x[4], y[4];
                load(left + k * PITCH + lane_row, x);
                load(right + k * PITCH + lane_column, y);
#pragma unroll
                for (int i = 0; i < 16; i++) of_term[i / 4][i % 4] += x[i / 4] * y[i % 4];
            }
        }
#pragma unroll
        for (int i = 0; i < 16; i++) sums[i / 4][i % 4] += t.scale * of_term[i / 4][i % 4];
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
        if (row + lane_row + i < a.rows && column + lane_column < a.columns)
            finish<float, 4>(a, row + lane_row + i, column + lane_column, sums[i]);
}

}  // namespace product

KERNEL(product_exact_f32, product::Args, 256, 2, product::exact)
KERNEL(product_join_bf16, product::Args, 256, 4, product::join<bf16>)
KERNEL(product_join_f16, product::Args, 256, 4, product::join<f16>)
