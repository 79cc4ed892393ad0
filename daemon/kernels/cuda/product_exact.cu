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

/// A tile of 64 x 64 outputs in f32: 256 lanes of 4 x 4, element by element, without tensor cores. For checks.
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
            for (int i = threadIdx.x; i < SIDE * DEPTH; i += blockDim.x) {
                const int k = i % DEPTH, line = i / DEPTH;
                left[k * PITCH + line] = row + line < a.rows ? input_at<float>(t.source, row + line, start + k) : 0.0f;
            }
            for (int i = threadIdx.x; i < SIDE * DEPTH; i += blockDim.x) {
                const int k = a.plain ? i / SIDE : i % DEPTH, n = a.plain ? i % SIDE : i / DEPTH;
                float value = 0.0f;
                if (column + n < a.columns && start + k < t.source.inner) {
                    const int tap = (start + k) / t.source.channels, at_row = start + k - tap * t.source.channels;
                    value = a.plain ? weight_at<float>(t, at_row, tap * a.columns + column + n)
                                    : weight_at<float>(t, column + n, start + k);
                }
                right[k * PITCH + n] = value;
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
