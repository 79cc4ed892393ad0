//! What kernels that wait for memory share: runs of elements, rows dealt out to the lanes of a block, sums of columns.

#pragma once
#include "device.cuh"

namespace elements {

using f32 = float;

/// Elements that a lane handles at once: sixteen bytes of halves.
constexpr int RUN = 8;
/// Lanes of a block that takes a run each.
constexpr int THREADS = 256;
/// Lanes of a block that walks over rows: whole rows of an eighth of most models' channels fit in.
constexpr int WALKERS = 320;

/// N elements, in parts of sixteen bytes if `wide`: then the address is aligned. Behind the first `count` come zeros.
template <class T, int N> __device__ inline void read(const T* from, float (&to)[N], bool wide, int64 count = N) {
    if (wide && count >= N) {
#pragma unroll
        for (int i = 0; i < N; i += Lanes<T>::count)
            load(from + i, reinterpret_cast<float(&)[Lanes<T>::count]>(to[i]));
    } else {
#pragma unroll
        for (int i = 0; i < N; i++) to[i] = i < count ? widen(from[i]) : 0.0f;
    }
}

/// The first `count` of N elements.
template <class T, int N> __device__ inline void write(T* to, const float (&from)[N], bool wide, int64 count = N) {
    if (wide && count >= N) {
#pragma unroll
        for (int i = 0; i < N; i += Lanes<T>::count)
            store(to + i, reinterpret_cast<const float(&)[Lanes<T>::count]>(from[i]));
    } else {
#pragma unroll
        for (int i = 0; i < N; i++)
            if (i < count) to[i] = narrow<T>(from[i]);
    }
}

/// Where the lane's N elements of a flat tensor begin.
template <int N = RUN> __device__ inline int64 position() {
    return (int64(blockIdx.x) * blockDim.x + threadIdx.x) * N;
}

/// The lane's run in rows of `channels`; no run crosses the end of a row.
struct Run {
    int64 row;
    int column, count;

    __device__ explicit Run(int channels) {
        const uint32_t across = uint32_t(channels + RUN - 1) / RUN, i = blockIdx.x * blockDim.x + threadIdx.x;
        const uint32_t line = i / across;
        row = line, column = int(i - line * across) * RUN;
        count = min(RUN, channels - column);
    }
};

/// How the rows of a sample are dealt out: blocks of `down` rows of `across` lanes each take `steps` rows a lane.
struct Split {
    int rows, channels, across, down, steps;
};

/// A lane's column of runs in its block's share of a sample: the sample is the grid's z, the share its x, and where
/// channels are many, the grid's y is a slice of them.
struct Walker {
    int column, count, line, first, end, down, channels;
    int64 start;
    bool active;

    __device__ explicit Walker(const Split& s) : down(s.down), channels(s.channels) {
        line = int(threadIdx.x) / s.across;
        column = (int(blockIdx.y) * s.across + int(threadIdx.x) - line * s.across) * RUN;
        count = min(RUN, s.channels - column);
        active = line < s.down && count > 0;
        first = int(blockIdx.x) * s.steps * s.down;
        end = min(first + s.steps * s.down, s.rows);
        start = int64(blockIdx.z) * s.rows * s.channels + column;
    }

    /// Rows that the lanes of `line` see.
    __device__ int seen(int line) const { return end - first > line ? (end - first - line + down - 1) / down : 0; }

    /// Calls `use(position, x)` for each row with the lane's run of it; two rows are loaded at once.
    template <class T, class Use> __device__ void each(const T* x, bool wide, Use use) const {
        constexpr int AHEAD = 2;
        if (!active) return;
        for (int row = first + line; row < end; row += AHEAD * down) {
            float xs[AHEAD][RUN];
#pragma unroll
            for (int k = 0; k < AHEAD; k++)
                if (row + k * down < end) read(x + start + int64(row + k * down) * channels, xs[k], wide, count);
#pragma unroll
            for (int k = 0; k < AHEAD; k++)
                if (row + k * down < end) use(start + int64(row + k * down) * channels, xs[k]);
        }
    }
    /// The same of two tensors, a row of each at once.
    template <class T, class Use> __device__ void each(const T* x, const T* y, bool wide, Use use) const {
        if (!active) return;
        for (int row = first + line; row < end; row += down) {
            const int64 at = start + int64(row) * channels;
            float xs[RUN], ys[RUN];
            read(x + at, xs, wide, count), read(y + at, ys, wide, count);
            use(at, xs, ys);
        }
    }
};

/// e^x, to T's precision.
template <class T> __device__ inline float exponential(float x) { return sizeof(T) == 4 ? expf(x) : __expf(x); }
/// 1 / (1 + e^-x), to T's precision.
template <class T> __device__ inline float sigmoid(float x) {
    const float y = 1.0f + exponential<T>(-x);
    return sizeof(T) == 4 ? 1.0f / y : __fdividef(1.0f, y);
}

}  // namespace elements

/// A kernel for each type of activations.
#define ELEMENTS(name, Args, threads, blocks, ...) \
    KERNEL(name##_f32, Args, threads, blocks, __VA_ARGS__<float>) \
    KERNEL(name##_bf16, Args, threads, blocks, __VA_ARGS__<bf16>) \
    KERNEL(name##_f16, Args, threads, blocks, __VA_ARGS__<f16>)
