//! What DoRA needs beyond LoRA: factors of channels, what is added behind them, norms of a corrected matrix's rows.

#include "elements.cuh"

namespace dora {

using namespace elements;

struct Affine {
    /// `[B, ..., channels]`.
    const void* x;
    void* out;
    /// `[channels]` each, or null.
    const float* factor;
    const float* bias;
    /// `[B, channels]`, or null.
    const void* per_sample;
    /// Like x, or null.
    const void* residual;
    int64 rows, rows_per_sample;
    int channels, wide;
};

/// x factor + bias + per_sample + residual.
template <class T> __device__ void affine(const Affine& a) {
    const Run r(a.channels);
    if (r.row >= a.rows) return;
    const int64 at = r.row * a.channels + r.column;
    float x[RUN], y[RUN];
    read(static_cast<const T*>(a.x) + at, x, a.wide, r.count);
    const auto add = [&] {
#pragma unroll
        for (int i = 0; i < RUN; i++) x[i] += y[i];
    };
    if (a.factor) {
        read(a.factor + r.column, y, a.wide, r.count);
#pragma unroll
        for (int i = 0; i < RUN; i++) x[i] *= y[i];
    }
    if (a.bias) read(a.bias + r.column, y, a.wide, r.count), add();
    if (a.per_sample) {
        const int64 sample = r.row / a.rows_per_sample;
        read(static_cast<const T*>(a.per_sample) + sample * a.channels + r.column, y, a.wide, r.count), add();
    }
    if (a.residual) read(static_cast<const T*>(a.residual) + at, y, a.wide, r.count), add();
    write(static_cast<T*>(a.out) + at, x, a.wide, r.count);
}

struct Quotient {
    const float* above;
    const float* below;
    float* out;
    int64 size;
    int wide;
};

__device__ inline void divide(const Quotient& a) {
    const int64 at = position<4>();
    if (at >= a.size) return;
    float x[4], y[4];
    read(a.above + at, x, a.wide, a.size - at), read(a.below + at, y, a.wide, a.size - at);
#pragma unroll
    for (int i = 0; i < 4; i++) x[i] /= y[i];
    write(a.out + at, x, a.wide, a.size - at);
}

struct Norms {
    /// `[rows, columns]`.
    const void* weight;
    /// `[rows, rank]`.
    const float* up;
    /// `[rank, columns]`.
    const float* down;
    /// `[rows]`.
    float* norms;
    int rows, columns, rank, wide;
    float scale;
};

/// Rows of a block: `down` is read once for all of them.
constexpr int ROWS = 4;

/// The norms of the rows of W + scale up down.
template <class T> __device__ void row_norms(const Norms& a) {
    __shared__ float scratch[32];
    float* const up = reinterpret_cast<float*>(shared_memory());
    const int first = int(blockIdx.x) * ROWS, count = min(ROWS, a.rows - first);
    for (int i = threadIdx.x; i < ROWS * a.rank; i += blockDim.x) {
        const int row = i % ROWS, r = i / ROWS;
        up[i] = row < count ? a.scale * a.up[int64(first + row) * a.rank + r] : 0.0f;
    }
    __syncthreads();
    float squares[ROWS] = {};
    for (int column = int(threadIdx.x) * RUN; column < a.columns; column += int(blockDim.x) * RUN) {
        float low_rank[ROWS][RUN] = {}, down[RUN];
        for (int r = 0; r < a.rank; r++) {
            read(a.down + int64(r) * a.columns + column, down, a.wide, a.columns - column);
#pragma unroll
            for (int row = 0; row < ROWS; row++)
#pragma unroll
                for (int i = 0; i < RUN; i++) low_rank[row][i] += up[r * ROWS + row] * down[i];
        }
#pragma unroll
        for (int row = 0; row < ROWS; row++) {
            if (row >= count) break;
            float w[RUN];
            read(static_cast<const T*>(a.weight) + int64(first + row) * a.columns + column, w, a.wide, a.columns - column);
#pragma unroll
            for (int i = 0; i < RUN; i++) squares[row] += (w[i] + low_rank[row][i]) * (w[i] + low_rank[row][i]);
        }
    }
#pragma unroll
    for (int row = 0; row < ROWS; row++) {
        const float sum = block_sum(squares[row], scratch);
        if (threadIdx.x == 0 && row < count) a.norms[first + row] = sqrtf(sum);
    }
}

}  // namespace dora

ELEMENTS(channel_affine, dora::Affine, elements::THREADS, 4, dora::affine)
KERNEL(divide_f32, dora::Quotient, elements::THREADS, 4, dora::divide)
ELEMENTS(row_norms, dora::Norms, elements::THREADS, 2, dora::row_norms)
