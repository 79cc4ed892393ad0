//! What the kernels of products share: their arguments, how an image is read through a window, how a weight is widened,
//! and what an output starts from.

#pragma once
#include "device.cuh"

namespace product {

/// Exact division of numbers below 2^31 by a number known to the host: a multiplication and a shift.
struct Divisor { uint32_t factor, shift; };
__device__ inline int divide(int x, Divisor by) {
    return int((unsigned long long)(uint32_t(x)) * by.factor >> by.shift);
}

/// How a weight is stored.
enum Kind { NATIVE = 0, SINGLE = 1, INT8 = 2, NF4 = 3, BF16 = 4, F16 = 5 };

/// The 16 levels of NF4 (QLoRA, arXiv 2305.14314, appendix E).
__constant__ float NF4_LEVELS[16] = {
    -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,
    -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f,
    0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f};

/// An image [images, height, width, channels] that is read through a window: row r of the left matrix is the output
/// position r = (image, y, x), its column k = (tap, channel).
struct Source {
    const void* image;
    int channels;
    /// taps * channels: the columns of the left matrix.
    int inner;
    int kernel;
    int height, width;
    int out_height, out_width;
    /// A tap reads pixel (out * step + turn * tap + shift) / stride, if that is whole and inside. Forward, step is the
    /// window's stride; turn = -1 reads against the window, as the input gradient does.
    int step, turn, shift, stride;
    /// Whether rows may be read 16 bytes at a time.
    int wide;
    Divisor by_width, by_height, by_kernel;
};

/// The pixel that a tap of an output position reads, or -1.
__device__ inline int pixel(const Source& s, int position, int tap) {
    const int tap_y = divide(tap, s.by_kernel), tap_x = tap - tap_y * s.kernel;
    const int line = divide(position, s.by_width), image = divide(line, s.by_height);
    int y = (line - image * s.out_height) * s.step + s.turn * tap_y + s.shift;
    int x = (position - line * s.out_width) * s.step + s.turn * tap_x + s.shift;
    if (y < 0 || x < 0 || tap_y >= s.kernel) return -1;
    if (s.stride > 1) {
        if (y % s.stride != 0 || x % s.stride != 0) return -1;
        y /= s.stride, x /= s.stride;
    }
    return y < s.height && x < s.width ? (image * s.height + y) * s.width + x : -1;
}

/// Element (position, k) of the left matrix, of a position inside it.
template <class T> __device__ inline T input_at(const Source& s, int position, int k) {
    if (k >= s.inner) return narrow<T>(0.0f);
    const int tap = k / s.channels, at = pixel(s, position, tap);
    return at < 0 ? narrow<T>(0.0f) : static_cast<const T*>(s.image)[int64(at) * s.channels + (k - tap * s.channels)];
}

/// One product of a sum.
struct Term {
    Source source;
    const void* weight;
    /// INT8: one factor a row; NF4: one for 64 values of the row-major matrix.
    const float* scales;
    float scale;
    int kind;
    /// Columns of the weight.
    int columns;
    /// Whether eight values of the weight may be read at once.
    int wide;
};

/// Value `column` of row `row` of a weight.
template <class T> __device__ inline float weight_at(const Term& t, int row, int column) {
    const int64 i = int64(row) * t.columns + column;
    switch (t.kind) {
        case SINGLE: return static_cast<const float*>(t.weight)[i];
        case INT8: return float(static_cast<const int8_t*>(t.weight)[i]) * t.scales[row];
        case NF4: return NF4_LEVELS[static_cast<const uint8_t*>(t.weight)[i >> 1] >> (i & 1) * 4 & 15] * t.scales[i >> 6];
        case BF16: return widen(static_cast<const bf16*>(t.weight)[i]);
        case F16: return widen(static_cast<const f16*>(t.weight)[i]);
        default: return widen(static_cast<const T*>(t.weight)[i]);
    }
}

constexpr int TERMS = 12;

/// The arguments of all kernels that sum products. T is the type of activations.
struct Args {
    /// T [rows, columns].
    void* output;
    /// f32 [splits, rows, columns]: where parts of the sum go if it is split; else null.
    float* partial;
    /// f32 [columns], T [samples, columns], T [rows, columns]; each may be null.
    const float* bias;
    const void* per_sample;
    const void* residual;
    Term terms[TERMS];
    int count;
    int rows, columns;
    /// Slices of the inner axis that a split sums; the number of splits.
    int share, splits;
    int row_tiles, column_tiles;
    /// Stages of the pipeline.
    int stages;
    /// Whether outputs may be read and written 16 bytes at a time.
    int wide;
    /// Whether the weights stand as [inner, columns], as backward products read them.
    int plain;
    /// Bytes before the stages in shared memory, where the levels of NF4 lie: 128, or 0 if no weight is so stored.
    int table;
    Divisor rows_per_sample;
};

/// Adds what output (row, column..column + Count) starts from and writes it. Wide: all of them are inside.
template <class T, int Count> __device__ inline void finish(const Args& a, int row, int column, float (&sum)[Count]) {
    const int64 at = int64(row) * a.columns + column;
    const int64 of_sample = a.per_sample ? int64(divide(row, a.rows_per_sample)) * a.columns + column : 0;
    const T* residual = static_cast<const T*>(a.residual);
    const T* per_sample = static_cast<const T*>(a.per_sample);
    T* output = static_cast<T*>(a.output);
    if (Count == Lanes<T>::count && a.wide) {
        float more[Lanes<T>::count];
        if (a.bias) {
            float four[4];
#pragma unroll
            for (int i = 0; i < Count / 4; i++) {
                load(a.bias + column + 4 * i, four);
#pragma unroll
                for (int j = 0; j < 4; j++) sum[4 * i + j] += four[j];
            }
        }
        if (a.per_sample) {
            load(per_sample + of_sample, more);
#pragma unroll
            for (int i = 0; i < Count; i++) sum[i] += more[i];
        }
        if (a.residual) {
            load(residual + at, more);
#pragma unroll
            for (int i = 0; i < Count; i++) sum[i] += more[i];
        }
        store(output + at, reinterpret_cast<const float(&)[Lanes<T>::count]>(sum));
        return;
    }
#pragma unroll
    for (int i = 0; i < Count; i++) {
        if (column + i >= a.columns) break;
        float x = sum[i];
        if (a.bias) x += a.bias[column + i];
        if (a.per_sample) x += widen(per_sample[of_sample + i]);
        if (a.residual) x += widen(residual[at + i]);
        output[at + i] = narrow<T>(x);
    }
}

/// The tile of this block: `group` rows of tiles at a time, column by column, so that blocks which run together share
/// rows of the left matrix and columns of the weights in the L2 cache.
__device__ inline void tile_of_block(int row_tiles, int column_tiles, int& row, int& column) {
    constexpr int group = 8;
    const int block = blockIdx.x, per_group = group * column_tiles, first = block / per_group * group;
    const int tall = min(group, row_tiles - first), inside = block % per_group;
    row = first + inside % tall;
    column = inside / tall;
}

// ---- tiles in shared memory ----------------------------------------------------------------------------------------

/// Offset in bytes of a 16-byte chunk in a tile whose rows have Chunks of them. Eight rows at one chunk, as well as
/// the chunks of adjacent rows, lie in different banks.
template <int Chunks> __device__ inline int swizzled(int row, int chunk) {
    constexpr int mask = Chunks < 8 ? Chunks - 1 : 7, shared_line = Chunks < 8 ? 8 / Chunks : 1;
    return (row * Chunks + (chunk ^ (row / shared_line & mask))) * 16;
}

/// Copies N chunks, or zeros. Chips without asynchronous copies read all before they write the first.
template <int N>
__device__ inline void copy_chunks(char* const (&to)[N], const void* const (&from)[N], const bool (&valid)[N]) {
#if defined(EMULATOR) || __CUDA_ARCH__ >= 800
#pragma unroll
    for (int i = 0; i < N; i++) copy_async(to[i], from[i], valid[i]);
#else
    Quad values[N];
#pragma unroll
    for (int i = 0; i < N; i++) values[i] = valid[i] ? *static_cast<const Quad*>(from[i]) : Quad{0, 0, 0, 0};
#pragma unroll
    for (int i = 0; i < N; i++) *reinterpret_cast<Quad*>(to[i]) = values[i];
#endif
}

/// Waits for the oldest stage of a pipeline.
__device__ inline void stage_done(int stages) {
    if (stages == 2) copies_done<0>();
    else if (stages == 3) copies_done<1>();
    else copies_done<2>();
}

}  // namespace product
