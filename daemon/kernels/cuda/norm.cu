//! Group norm with SiLU, and layer norm: forward, and the gradients of their inputs.
//!
//! A group norm is three passes: blocks take the moments of their rows, warps merge those of a sample's groups, blocks
//! normalise their rows. Deviations are taken from a value of the channel itself and merged around the common mean
//! (Chan, Golub, LeVeque 1983), so that no large squares cancel.

#include "elements.cuh"

namespace norms {

using namespace elements;

constexpr int GROUPS = 32;

struct Group {
    /// `[B, rows, channels]`.
    const void* x;
    const void* grad;
    /// Added to the gradient if there is one.
    const void* residual;
    void* out;
    /// `[B, chunks, 32, 2]`: mean and sum of squared deviations, or the sums of g and of g x-hat.
    float* partials;
    /// `[B, 32, 2]`: mean and reciprocal deviation.
    float* statistics;
    /// `[B, 32, 2]`: the means of g and of g x-hat.
    float* means;
    const float* scale;
    const float* shift;
    Split split;
    int chunks, batch, silu, wide;
    float epsilon;
};

/// A pair of values of each group, for the channels of a lane's run.
__device__ inline void spread(const float* pairs, const Walker& w, float (&left)[RUN], float (&right)[RUN]) {
    const int size = w.channels / GROUPS;
    int group = w.column / size, rest = w.column - group * size;
    pairs += int64(blockIdx.z) * GROUPS * 2;
#pragma unroll
    for (int i = 0; i < RUN; i++) {
        left[i] = pairs[2 * group], right[i] = pairs[2 * group + 1];
        if (++rest == size) rest = 0, group++;
    }
}

/// Two tables [down][channels] in shared memory, a run of each of the lane's own.
__device__ inline void share(const Walker& w, float* left, const float (&a)[RUN], const float (&b)[RUN]) {
    float* const right = left + w.down * w.channels;
    if (w.active) {
        write(left + w.line * w.channels + w.column, a, true);
        write(right + w.line * w.channels + w.column, b, true);
    }
    __syncthreads();
}

template <class T> __device__ void group_moments(const Group& a) {
    const Walker w(a.split);
    float first[RUN] = {}, sum[RUN] = {}, squares[RUN] = {};
    bool any = false;
    w.each(static_cast<const T*>(a.x), a.wide, [&](int64, const float (&x)[RUN]) {
#pragma unroll
        for (int i = 0; i < RUN; i++) {
            if (!any) first[i] = x[i];
            const float d = x[i] - first[i];
            sum[i] += d, squares[i] += d * d;
        }
        any = true;
    });
    const float seen = float(max(w.seen(w.line), 1));
#pragma unroll
    for (int i = 0; i < RUN; i++) {
        const float mean = sum[i] / seen;
        squares[i] -= sum[i] * mean;
        first[i] += mean;
    }
    float* const means = reinterpret_cast<float*>(shared_memory());
    float* const deviations = means + w.down * w.channels;
    share(w, means, first, squares);
    const int size = w.channels / GROUPS;
    const float count = float(w.end - w.first) * float(size);
    for (int group = warp(); group < GROUPS; group += int(blockDim.x) / 32) {
        float total = 0;
        for (int i = lane(); i < w.down * size; i += 32) {
            const int line = i / size, at = line * w.channels + group * size + i - line * size;
            total += float(w.seen(line)) * means[at];
        }
        const float mean = warp_sum(total) / count;
        float around = 0;
        for (int i = lane(); i < w.down * size; i += 32) {
            const int line = i / size, at = line * w.channels + group * size + i - line * size;
            const float d = means[at] - mean, n = float(w.seen(line));
            if (n > 0) around += deviations[at] + n * d * d;
        }
        around = warp_sum(around);
        if (lane() == 0) {
            float* const to = a.partials + ((int64(blockIdx.z) * gridDim.x + blockIdx.x) * GROUPS + group) * 2;
            to[0] = mean, to[1] = around;
        }
    }
}

/// A warp's group: merges the moments of all chunks.
__device__ inline void group_merge(const Group& a) {
    const int i = int(blockIdx.x * blockDim.x + threadIdx.x) / 32, sample = i / GROUPS, group = i % GROUPS;
    if (sample >= a.batch) return;
    const float* const partials = a.partials + (int64(sample) * a.chunks * GROUPS + group) * 2;
    const int size = a.split.channels / GROUPS, share = a.split.steps * a.split.down;
    const float count = float(a.split.rows) * float(size);
    float total = 0, around = 0;
    for (int c = lane(); c < a.chunks; c += 32)
        total += float(min(share, a.split.rows - c * share)) * partials[2 * GROUPS * c];
    const float mean = warp_sum(total) / float(a.split.rows);
    for (int c = lane(); c < a.chunks; c += 32) {
        const float d = partials[2 * GROUPS * c] - mean;
        around += partials[2 * GROUPS * c + 1] + float(min(share, a.split.rows - c * share) * size) * d * d;
    }
    around = warp_sum(around);
    if (lane() == 0) {
        a.statistics[2 * i] = mean;
        a.statistics[2 * i + 1] = 1.0f / sqrtf(around / count + a.epsilon);
    }
}

template <class T> __device__ void group_apply(const Group& a) {
    const Walker w(a.split);
    if (!w.active) return;
    float mean[RUN], factor[RUN], scale[RUN], shift[RUN];
    spread(a.statistics, w, mean, factor);
    read(a.scale + w.column, scale, a.wide), read(a.shift + w.column, shift, a.wide);
#pragma unroll
    for (int i = 0; i < RUN; i++) factor[i] *= scale[i];
    w.each(static_cast<const T*>(a.x), a.wide, [&](int64 at, const float (&x)[RUN]) {
        float y[RUN];
#pragma unroll
        for (int i = 0; i < RUN; i++) {
            const float z = (x[i] - mean[i]) * factor[i] + shift[i];
            y[i] = a.silu ? z * sigmoid<T>(z) : z;
        }
        write(static_cast<T*>(a.out) + at, y, a.wide);
    });
}

/// silu'(z).
template <class T> __device__ inline float silu_slope(float z) {
    const float s = sigmoid<T>(z);
    return s * (1.0f + z * (1.0f - s));
}

/// The sums of g = grad silu'(z) scale and of g x-hat.
template <class T> __device__ void group_slopes(const Group& a) {
    const Walker w(a.split);
    float sum[RUN] = {}, sum_hat[RUN] = {};
    if (w.active) {
        float mean[RUN], factor[RUN], scale[RUN], shift[RUN];
        spread(a.statistics, w, mean, factor);
        read(a.scale + w.column, scale, a.wide), read(a.shift + w.column, shift, a.wide);
        w.each(static_cast<const T*>(a.x), static_cast<const T*>(a.grad), a.wide,
            [&](int64, const float (&x)[RUN], const float (&grad)[RUN]) {
#pragma unroll
                for (int i = 0; i < RUN; i++) {
                    const float hat = (x[i] - mean[i]) * factor[i];
                    const float g = a.silu ? grad[i] * silu_slope<T>(hat * scale[i] + shift[i]) : grad[i];
                    sum[i] += g, sum_hat[i] += g * hat;
                }
            });
#pragma unroll
        for (int i = 0; i < RUN; i++) sum[i] *= scale[i], sum_hat[i] *= scale[i];
    }
    float* const sums = reinterpret_cast<float*>(shared_memory());
    share(w, sums, sum, sum_hat);
    const int size = w.channels / GROUPS;
    for (int group = warp(); group < GROUPS; group += int(blockDim.x) / 32) {
        float total = 0, total_hat = 0;
        for (int i = lane(); i < w.down * size; i += 32) {
            const int line = i / size, at = line * w.channels + group * size + i - line * size;
            total += sums[at], total_hat += sums[w.down * w.channels + at];
        }
        total = warp_sum(total), total_hat = warp_sum(total_hat);
        if (lane() == 0) {
            float* const to = a.partials + ((int64(blockIdx.z) * gridDim.x + blockIdx.x) * GROUPS + group) * 2;
            to[0] = total, to[1] = total_hat;
        }
    }
}

/// A warp's group: the means of g and of g x-hat.
__device__ inline void group_means(const Group& a) {
    const int i = int(blockIdx.x * blockDim.x + threadIdx.x) / 32, sample = i / GROUPS, group = i % GROUPS;
    if (sample >= a.batch) return;
    const float* const partials = a.partials + (int64(sample) * a.chunks * GROUPS + group) * 2;
    float total = 0, total_hat = 0;
    for (int c = lane(); c < a.chunks; c += 32)
        total += partials[2 * GROUPS * c], total_hat += partials[2 * GROUPS * c + 1];
    total = warp_sum(total), total_hat = warp_sum(total_hat);
    const float count = float(a.split.rows) * float(a.split.channels / GROUPS);
    if (lane() == 0) a.means[2 * i] = total / count, a.means[2 * i + 1] = total_hat / count;
}

/// dx = r (g - mean(g) - x-hat mean(g x-hat)) + residual.
template <class T> __device__ void group_backward(const Group& a) {
    const Walker w(a.split);
    if (!w.active) return;
    float mean[RUN], factor[RUN], mean_g[RUN], mean_hat[RUN], scale[RUN], shift[RUN];
    spread(a.statistics, w, mean, factor);
    spread(a.means, w, mean_g, mean_hat);
    read(a.scale + w.column, scale, a.wide), read(a.shift + w.column, shift, a.wide);
    w.each(static_cast<const T*>(a.x), static_cast<const T*>(a.grad), a.wide,
        [&](int64 at, const float (&x)[RUN], const float (&grad)[RUN]) {
            float dx[RUN] = {};
            if (a.residual) read(static_cast<const T*>(a.residual) + at, dx, a.wide);
#pragma unroll
            for (int i = 0; i < RUN; i++) {
                const float hat = (x[i] - mean[i]) * factor[i];
                const float g = a.silu ? grad[i] * silu_slope<T>(hat * scale[i] + shift[i]) : grad[i];
                dx[i] += factor[i] * (g * scale[i] - mean_g[i] - hat * mean_hat[i]);
            }
            write(static_cast<T*>(a.out) + at, dx, a.wide);
        });
}

struct Layer {
    /// `[rows, channels]`.
    const void* x;
    const void* grad;
    const void* residual;
    void* out;
    const float* scale;
    const float* shift;
    int64 rows;
    int channels, wide;
    float epsilon;
};

/// Keeps a lane's runs of a row: `Runs` of them in registers, or none, and then they are read again each time.
template <class T, int Runs> struct Row {
    const T* from;
    const Layer& a;
    float kept[Runs > 0 ? Runs : 1][RUN];

    __device__ Row(const void* tensor, int64 row, const Layer& a) : from(static_cast<const T*>(tensor) + row * a.channels), a(a) {
#pragma unroll
        for (int k = 0; k < Runs; k++) read(from + column(k), kept[k], a.wide, a.channels - column(k));
    }
    static __device__ int column(int k) { return (k * 32 + lane()) * RUN; }
    __device__ void get(int k, float (&values)[RUN]) const {
        if constexpr (Runs > 0) {
#pragma unroll
            for (int i = 0; i < RUN; i++) values[i] = kept[k][i];
        } else {
            read(from + column(k), values, a.wide, a.channels - column(k));
        }
    }
};

/// Calls `use(k, column, count)` for the lane's runs.
template <int Runs, class Use> __device__ inline void each_run(const Layer& a, Use use) {
    const auto call = [&](int k) {
        const int column = (k * 32 + lane()) * RUN;
        if (column < a.channels) use(k, column, min(RUN, a.channels - column));
    };
    if constexpr (Runs > 0) {
#pragma unroll
        for (int k = 0; k < Runs; k++) call(k);
    } else {
        for (int k = 0; k * 32 * RUN < a.channels; k++) call(k);
    }
}

/// Mean and reciprocal deviation of a row.
template <class T, int Runs> __device__ inline void moments(const Row<T, Runs>& x, const Layer& a, float& mean, float& factor) {
    float total = 0, around = 0, values[RUN];
    each_run<Runs>(a, [&](int k, int, int count) {
        x.get(k, values);
#pragma unroll
        for (int i = 0; i < RUN; i++)
            if (i < count) total += values[i];
    });
    mean = warp_sum(total) / float(a.channels);
    each_run<Runs>(a, [&](int k, int, int count) {
        x.get(k, values);
#pragma unroll
        for (int i = 0; i < RUN; i++)
            if (i < count) around += (values[i] - mean) * (values[i] - mean);
    });
    factor = 1.0f / sqrtf(warp_sum(around) / float(a.channels) + a.epsilon);
}

/// A warp's row.
template <class T, int Runs> __device__ void layer_forward(const Layer& a) {
    const int64 row = int64(blockIdx.x) * (blockDim.x / 32) + warp();
    if (row >= a.rows) return;
    const Row<T, Runs> x(a.x, row, a);
    float mean, factor;
    moments(x, a, mean, factor);
    each_run<Runs>(a, [&](int k, int column, int count) {
        float values[RUN], scale[RUN], shift[RUN];
        x.get(k, values);
        read(a.scale + column, scale, a.wide, count), read(a.shift + column, shift, a.wide, count);
#pragma unroll
        for (int i = 0; i < RUN; i++) values[i] = (values[i] - mean) * factor * scale[i] + shift[i];
        write(static_cast<T*>(a.out) + row * a.channels + column, values, a.wide, count);
    });
}

/// dx = residual + r (g - mean(g) - x-hat mean(g x-hat)) with g = grad scale.
template <class T, int Runs> __device__ void layer_backward(const Layer& a) {
    const int64 row = int64(blockIdx.x) * (blockDim.x / 32) + warp();
    if (row >= a.rows) return;
    const Row<T, Runs> x(a.x, row, a), grad(a.grad, row, a);
    float mean, factor, mean_g = 0, mean_hat = 0, values[RUN], grads[RUN], scale[RUN];
    moments(x, a, mean, factor);
    each_run<Runs>(a, [&](int k, int column, int count) {
        x.get(k, values), grad.get(k, grads);
        read(a.scale + column, scale, a.wide, count);
#pragma unroll
        for (int i = 0; i < RUN; i++) {
            // Behind a row's end the scale is zero.
            const float g = grads[i] * scale[i];
            mean_g += g, mean_hat += g * (values[i] - mean);
        }
    });
    mean_g = warp_sum(mean_g) / float(a.channels);
    mean_hat = warp_sum(mean_hat) * factor / float(a.channels);
    each_run<Runs>(a, [&](int k, int column, int count) {
        float dx[RUN];
        x.get(k, values), grad.get(k, grads);
        read(a.scale + column, scale, a.wide, count);
        read(static_cast<const T*>(a.residual) + row * a.channels + column, dx, a.wide, count);
#pragma unroll
        for (int i = 0; i < RUN; i++)
            dx[i] += factor * (grads[i] * scale[i] - mean_g - (values[i] - mean) * factor * mean_hat);
        write(static_cast<T*>(a.out) + row * a.channels + column, dx, a.wide, count);
    });
}

template <class T> __device__ void layer_3(const Layer& a) { layer_forward<T, 3>(a); }
template <class T> __device__ void layer_5(const Layer& a) { layer_forward<T, 5>(a); }
template <class T> __device__ void layer_any(const Layer& a) { layer_forward<T, 0>(a); }
template <class T> __device__ void layer_backward_3(const Layer& a) { layer_backward<T, 3>(a); }
template <class T> __device__ void layer_backward_5(const Layer& a) { layer_backward<T, 5>(a); }
template <class T> __device__ void layer_backward_any(const Layer& a) { layer_backward<T, 0>(a); }

}  // namespace norms

ELEMENTS(group_norm_moments, norms::Group, elements::WALKERS, 3, norms::group_moments)
KERNEL(group_norm_merge_f32, norms::Group, elements::THREADS, 4, norms::group_merge)
ELEMENTS(group_norm_apply, norms::Group, elements::WALKERS, 3, norms::group_apply)
ELEMENTS(group_norm_slopes, norms::Group, elements::WALKERS, 2, norms::group_slopes)
KERNEL(group_norm_means_f32, norms::Group, elements::THREADS, 4, norms::group_means)
ELEMENTS(group_norm_backward, norms::Group, elements::WALKERS, 2, norms::group_backward)
ELEMENTS(layer_norm_3, norms::Layer, elements::THREADS, 4, norms::layer_3)
ELEMENTS(layer_norm_5, norms::Layer, elements::THREADS, 3, norms::layer_5)
ELEMENTS(layer_norm_any, norms::Layer, elements::THREADS, 4, norms::layer_any)
ELEMENTS(layer_norm_backward_3, norms::Layer, elements::THREADS, 2, norms::layer_backward_3)
ELEMENTS(layer_norm_backward_5, norms::Layer, elements::THREADS, 2, norms::layer_backward_5)
ELEMENTS(layer_norm_backward_any, norms::Layer, elements::THREADS, 3, norms::layer_backward_any)
