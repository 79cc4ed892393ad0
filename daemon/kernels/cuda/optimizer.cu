//! Updates and sums over all trainable values at once, and the spread of table rows.

#include "elements.cuh"

namespace optimizer {

using namespace elements;

/// Elements of a lane.
constexpr int FOUR = 4;
/// Runs of a lane where blocks sum.
constexpr int STEPS = 4;

/// The sum over a block, in every lane; `scratch` is 32 numbers of shared memory. All lanes must call.
__device__ inline double block_sum(double x, double* scratch) {
#pragma unroll
    for (int i = 16; i > 0; i >>= 1) x += __shfl_xor_sync(0xffffffffu, x, i);
    __syncthreads();
    if (lane() == 0) scratch[warp()] = x;
    __syncthreads();
    x = lane() < int(blockDim.x + 31) / 32 ? scratch[lane()] : 0.0;
#pragma unroll
    for (int i = 16; i > 0; i >>= 1) x += __shfl_xor_sync(0xffffffffu, x, i);
    return x;
}

struct AdamW {
    float* values;
    const float* grads;
    float* first;
    float* second;
    int64 size;
    int wide;
    float beta1, beta2, rest1, rest2, keep, rate, root, epsilon;
};

__device__ inline void adamw(const AdamW& a) {
    const int64 at = position<FOUR>(), left = a.size - at;
    if (left <= 0) return;
    float p[FOUR], g[FOUR], m[FOUR], v[FOUR];
    read(a.values + at, p, a.wide, left), read(a.grads + at, g, a.wide, left);
    read(a.first + at, m, a.wide, left), read(a.second + at, v, a.wide, left);
#pragma unroll
    for (int i = 0; i < FOUR; i++) {
        m[i] = a.beta1 * m[i] + a.rest1 * g[i];
        v[i] = a.beta2 * v[i] + a.rest2 * g[i] * g[i];
        p[i] = p[i] * a.keep - a.rate * m[i] / (sqrtf(v[i]) * a.root + a.epsilon);
    }
    write(a.values + at, p, a.wide, left);
    write(a.first + at, m, a.wide, left), write(a.second + at, v, a.wide, left);
}

struct Moments {
    const float* values;
    const float* grads;
    const float* initial;
    float* first;
    float* second;
    float* sum;
    /// `[blocks, 2]`.
    float* partials;
    int64 size;
    int wide;
    float beta1, beta2, beta3, g1, g2, g3;
};

/// Moves the moments; a block's shares of the sums of g (p0 - p) and of |s|.
__device__ inline void prodigy_moments(const Moments& a) {
    __shared__ float scratch[32];
    float numerator = 0, size = 0;
    for (int step = 0; step < STEPS; step++) {
        const int64 at = ((int64(blockIdx.x) * STEPS + step) * blockDim.x + threadIdx.x) * FOUR, left = a.size - at;
        if (left <= 0) break;
        float p[FOUR], p0[FOUR], g[FOUR], m[FOUR], v[FOUR], s[FOUR];
        read(a.values + at, p, a.wide, left), read(a.initial + at, p0, a.wide, left);
        read(a.grads + at, g, a.wide, left), read(a.first + at, m, a.wide, left);
        read(a.second + at, v, a.wide, left), read(a.sum + at, s, a.wide, left);
#pragma unroll
        for (int i = 0; i < FOUR; i++) {
            numerator += g[i] * (p0[i] - p[i]);
            m[i] = a.beta1 * m[i] + a.g1 * g[i];
            v[i] = a.beta2 * v[i] + a.g2 * g[i] * g[i];
            s[i] = a.beta3 * s[i] + a.g3 * g[i];
            size += fabsf(s[i]);
        }
        write(a.first + at, m, a.wide, left), write(a.second + at, v, a.wide, left), write(a.sum + at, s, a.wide, left);
    }
    numerator = ::block_sum(numerator, scratch), size = ::block_sum(size, scratch);
    if (threadIdx.x == 0) a.partials[2 * blockIdx.x] = numerator, a.partials[2 * blockIdx.x + 1] = size;
}

struct Update {
    float* values;
    const float* first;
    const float* second;
    int64 size;
    int wide;
    float keep, rate, epsilon;
};

__device__ inline void prodigy_update(const Update& a) {
    const int64 at = position<FOUR>(), left = a.size - at;
    if (left <= 0) return;
    float p[FOUR], m[FOUR], v[FOUR];
    read(a.values + at, p, a.wide, left);
    read(a.first + at, m, a.wide, left), read(a.second + at, v, a.wide, left);
#pragma unroll
    for (int i = 0; i < FOUR; i++) p[i] = p[i] * a.keep - a.rate * m[i] / (sqrtf(v[i]) + a.epsilon);
    write(a.values + at, p, a.wide, left);
}

struct Parts {
    const float* x;
    /// `[blocks]`.
    float* partials;
    int64 size;
    int wide;
};

/// A block's share of the sum of |x| or x^2.
template <bool Squared> __device__ inline void sum(const Parts& a) {
    __shared__ float scratch[32];
    float sum = 0;
    for (int step = 0; step < STEPS; step++) {
        const int64 at = ((int64(blockIdx.x) * STEPS + step) * blockDim.x + threadIdx.x) * FOUR, left = a.size - at;
        if (left <= 0) break;
        float x[FOUR];
        read(a.x + at, x, a.wide, left);
#pragma unroll
        for (int i = 0; i < FOUR; i++) sum += Squared ? x[i] * x[i] : fabsf(x[i]);
    }
    sum = ::block_sum(sum, scratch);
    if (threadIdx.x == 0) a.partials[blockIdx.x] = sum;
}

struct Total {
    /// `[count, columns]`.
    const float* partials;
    /// `[columns]`: one of the two.
    double* exact;
    float* rounded;
    int64 count;
    int columns;
};

/// Adds blocks' shares in f64; a block for each column.
__device__ inline void total(const Total& a) {
    __shared__ double scratch[32];
    double sum = 0;
    for (int64 i = threadIdx.x; i < a.count; i += blockDim.x) sum += double(a.partials[i * a.columns + blockIdx.x]);
    sum = block_sum(sum, scratch);
    if (threadIdx.x > 0) return;
    if (a.exact) a.exact[blockIdx.x] = sum;
    if (a.rounded) a.rounded[blockIdx.x] = float(sum);
}

struct Sign {
    float* grads;
    const float* values;
    int64 size;
    int wide;
    float factor;
};

__device__ inline void add_sign(const Sign& a) {
    const int64 at = position<FOUR>(), left = a.size - at;
    if (left <= 0) return;
    float g[FOUR], x[FOUR];
    read(a.grads + at, g, a.wide, left), read(a.values + at, x, a.wide, left);
#pragma unroll
    for (int i = 0; i < FOUR; i++) g[i] += x[i] > 0 ? a.factor : x[i] < 0 ? -a.factor : 0.0f;
    write(a.grads + at, g, a.wide, left);
}

struct Spread {
    /// `[rows, channels]`.
    const void* table;
    /// `[rows]`.
    float* deviations;
    int64 rows;
    int channels, wide;
};

/// A warp's row: its unbiased standard deviation.
template <class T> __device__ void row_std(const Spread& a) {
    const int64 row = int64(blockIdx.x) * (blockDim.x / 32) + warp();
    if (row >= a.rows) return;
    const T* const from = static_cast<const T*>(a.table) + row * a.channels;
    float mean = 0, around = 0, x[RUN];
    for (int c = lane() * RUN; c < a.channels; c += 32 * RUN) {
        read(from + c, x, a.wide, a.channels - c);
#pragma unroll
        for (int i = 0; i < RUN; i++) mean += x[i];
    }
    mean = warp_sum(mean) / float(a.channels);
    for (int c = lane() * RUN; c < a.channels; c += 32 * RUN) {
        read(from + c, x, a.wide, a.channels - c);
#pragma unroll
        for (int i = 0; i < RUN; i++)
            if (c + i < a.channels) around += (x[i] - mean) * (x[i] - mean);
    }
    around = warp_sum(around);
    if (lane() == 0) a.deviations[row] = sqrtf(around / float(a.channels - 1));
}

struct Penalty {
    /// `[rows, channels]`.
    const float* rows;
    float* grads;
    /// `[rows]`: shares of the loss.
    float* partials;
    /// `share` is the penalty's factor over variance and number of rows.
    double mean, share;
    int channels;
};

/// A block's row: share (mean - std)^2, and its gradient 2 share (std - mean) (x - center) / ((C - 1) std).
__device__ inline void std_penalty(const Penalty& a) {
    __shared__ double scratch[32];
    const float* const row = a.rows + int64(blockIdx.x) * a.channels;
    double sum = 0, squares = 0;
    for (int c = threadIdx.x; c < a.channels; c += blockDim.x) sum += double(row[c]);
    const double center = block_sum(sum, scratch) / a.channels;
    for (int c = threadIdx.x; c < a.channels; c += blockDim.x) squares += (row[c] - center) * (row[c] - center);
    const double std = sqrt(block_sum(squares, scratch) / (a.channels - 1)), off = std - a.mean;
    const double slope = 2.0 * a.share * off / ((a.channels - 1) * std);
    float* const grads = a.grads + int64(blockIdx.x) * a.channels;
    for (int c = threadIdx.x; c < a.channels; c += blockDim.x) grads[c] += float(slope * (row[c] - center));
    if (threadIdx.x == 0) a.partials[blockIdx.x] = float(a.share * off * off);
}

}  // namespace optimizer

KERNEL(adamw_f32, optimizer::AdamW, elements::THREADS, 4, optimizer::adamw)
KERNEL(prodigy_moments_f32, optimizer::Moments, elements::THREADS, 4, optimizer::prodigy_moments)
KERNEL(prodigy_update_f32, optimizer::Update, elements::THREADS, 4, optimizer::prodigy_update)
KERNEL(absolute_sum_f32, optimizer::Parts, elements::THREADS, 4, optimizer::sum<false>)
KERNEL(squared_sum_f32, optimizer::Parts, elements::THREADS, 4, optimizer::sum<true>)
KERNEL(total_f32, optimizer::Total, elements::THREADS, 4, optimizer::total)
KERNEL(add_sign_f32, optimizer::Sign, elements::THREADS, 4, optimizer::add_sign)
ELEMENTS(row_std, optimizer::Spread, elements::THREADS, 4, optimizer::row_std)
KERNEL(std_penalty_f32, optimizer::Penalty, elements::THREADS, 4, optimizer::std_penalty)
