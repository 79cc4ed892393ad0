//! Moving and adding: sums of tensors, joined and split channels, doubled pixels, picked rows, axes in another order,
//! other types, sums over rows.

#include "elements.cuh"

namespace arrange {

using namespace elements;

constexpr int PARTS = 8;

struct Sum {
    const void* parts[PARTS];
    void* out;
    int64 size;
    int count, wide;
};

template <class T> __device__ void add_all(const Sum& a) {
    const int64 at = position();
    if (at >= a.size) return;
    float sum[RUN] = {};
#pragma unroll
    for (int k = 0; k < PARTS; k++) {
        if (k >= a.count) break;
        float part[RUN];
        read(static_cast<const T*>(a.parts[k]) + at, part, a.wide, a.size - at);
#pragma unroll
        for (int i = 0; i < RUN; i++) sum[i] += part[i];
    }
    write(static_cast<T*>(a.out) + at, sum, a.wide, a.size - at);
}

/// Of one tensor to another, which may be the same.
struct Flat {
    const void* from;
    void* to;
    int64 size;
    int wide;
    float factor;
};

template <class T> __device__ void scale(const Flat& a) {
    const int64 at = position();
    if (at >= a.size) return;
    float x[RUN];
    read(static_cast<const T*>(a.from) + at, x, a.wide, a.size - at);
#pragma unroll
    for (int i = 0; i < RUN; i++) x[i] *= a.factor;
    write(static_cast<T*>(a.to) + at, x, a.wide, a.size - at);
}

/// to += from.
template <class To, class From> __device__ inline void accumulate(const Flat& a) {
    const int64 at = position();
    if (at >= a.size) return;
    float x[RUN], y[RUN];
    read(static_cast<const From*>(a.from) + at, x, a.wide, a.size - at);
    read(static_cast<const To*>(a.to) + at, y, a.wide, a.size - at);
#pragma unroll
    for (int i = 0; i < RUN; i++) y[i] += x[i];
    write(static_cast<To*>(a.to) + at, y, a.wide, a.size - at);
}
template <class T> __device__ void accumulate_same(const Flat& a) { accumulate<T, T>(a); }

template <class To, class From> __device__ inline void cast(const Flat& a) {
    const int64 at = position();
    if (at >= a.size) return;
    float x[RUN];
    read(static_cast<const From*>(a.from) + at, x, a.wide, a.size - at);
    write(static_cast<To*>(a.to) + at, x, a.wide, a.size - at);
}

struct Channels {
    /// `[rows, a]`.
    void* left;
    /// `[rows, b]`.
    void* right;
    /// `[rows, a + b]`.
    void* joined;
    int64 rows;
    int left_channels, right_channels, wide;
};

/// The lane's run of the left or right part: its address there and in the joined rows.
template <class T> struct Side {
    T* part;
    T* whole;
    int count;

    __device__ explicit Side(const Channels& a) {
        const uint32_t left = uint32_t(a.left_channels + RUN - 1) / RUN, right = uint32_t(a.right_channels + RUN - 1) / RUN;
        const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x, line = i / (left + right), run = i - line * (left + right);
        const bool second = run >= left;
        const int channels = second ? a.right_channels : a.left_channels, column = int(second ? run - left : run) * RUN;
        part = static_cast<T*>(second ? a.right : a.left) + int64(line) * channels + column;
        whole = static_cast<T*>(a.joined) + int64(line) * (a.left_channels + a.right_channels) + column
            + (second ? a.left_channels : 0);
        count = line < a.rows ? min(RUN, channels - column) : 0;
    }
};

template <class T> __device__ void concat(const Channels& a) {
    const Side<T> s(a);
    float x[RUN];
    read(s.part, x, a.wide, s.count);
    write(s.whole, x, a.wide, s.count);
}

template <class T> __device__ void split(const Channels& a) {
    const Side<T> s(a);
    float x[RUN];
    read(s.whole, x, a.wide, s.count);
    write(s.part, x, a.wide, s.count);
}

struct Image {
    const void* from;
    void* to;
    /// Pixels of the small image, over all samples.
    int64 pixels;
    /// Of the small image.
    int width;
    int channels, wide;
};

/// Offsets of a lane's run: in the small image, and of the upper left of four pixels in the large one.
struct Doubled {
    int64 small, large, below;
    int count;

    __device__ explicit Doubled(const Image& a) {
        const Run r(a.channels);
        const int64 line = r.row / a.width, x = r.row - line * a.width;
        small = r.row * a.channels + r.column;
        large = (4 * line * a.width + 2 * x) * a.channels + r.column;
        below = int64(2) * a.width * a.channels;
        count = r.row < a.pixels ? r.count : 0;
    }
};

template <class T> __device__ void upsample(const Image& a) {
    const Doubled d(a);
    if (d.count == 0) return;
    float x[RUN];
    read(static_cast<const T*>(a.from) + d.small, x, a.wide, d.count);
    T* const to = static_cast<T*>(a.to) + d.large;
    write(to, x, a.wide, d.count), write(to + a.channels, x, a.wide, d.count);
    write(to + d.below, x, a.wide, d.count), write(to + d.below + a.channels, x, a.wide, d.count);
}

template <class T> __device__ void upsample_backward(const Image& a) {
    const Doubled d(a);
    if (d.count == 0) return;
    const T* const from = static_cast<const T*>(a.from) + d.large;
    float x[4][RUN];
    read(from, x[0], a.wide, d.count), read(from + a.channels, x[1], a.wide, d.count);
    read(from + d.below, x[2], a.wide, d.count), read(from + d.below + a.channels, x[3], a.wide, d.count);
#pragma unroll
    for (int i = 0; i < RUN; i++) x[0][i] = x[0][i] + x[1][i] + x[2][i] + x[3][i];
    write(static_cast<T*>(a.to) + d.small, x[0], a.wide, d.count);
}

struct Pick {
    const void* from;
    void* to;
    /// `[B]`.
    const uint32_t* index;
    /// Rows of the tensor that the lanes write.
    int64 rows;
    int length, channels, wide;
};

/// `[B, length, C]` -> the rows of `index`, `[B, C]`.
template <class T> __device__ void gather(const Pick& a) {
    const Run r(a.channels);
    if (r.row >= a.rows) return;
    float x[RUN];
    const int64 row = r.row * a.length + a.index[r.row];
    read(static_cast<const T*>(a.from) + row * a.channels + r.column, x, a.wide, r.count);
    write(static_cast<T*>(a.to) + r.row * a.channels + r.column, x, a.wide, r.count);
}

/// `[B, C]` -> `[B, length, C]`, zeros but for the rows of `index`.
template <class T> __device__ void scatter(const Pick& a) {
    const Run r(a.channels);
    if (r.row >= a.rows) return;
    const int64 sample = r.row / a.length;
    float x[RUN] = {};
    if (r.row - sample * a.length == a.index[sample])
        read(static_cast<const T*>(a.from) + sample * a.channels + r.column, x, a.wide, r.count);
    write(static_cast<T*>(a.to) + r.row * a.channels + r.column, x, a.wide, r.count);
}

constexpr int AXES = 5;

struct Copy {
    const void* from;
    void* to;
    int64 count;
    /// In elements, outer axes first; missing axes are in front.
    int64 strides[AXES];
    int sizes[AXES];
    int axes;
};

/// Elements of any kind in an order of their own: a lane's element of the output.
template <class Element> __device__ void copy(const Copy& a) {
    const int64 at = position<1>();
    if (at >= a.count) return;
    int64 offset = 0, wide_rest = at;
    uint32_t rest = uint32_t(at);
    const bool narrow_count = a.count <= 0x7fffffff;
#pragma unroll
    for (int axis = AXES - 1; axis >= 0; axis--) {
        if (AXES - axis > a.axes) break;
        if (narrow_count) {
            const uint32_t size = uint32_t(a.sizes[axis]), next = rest / size;
            offset += int64(rest - next * size) * a.strides[axis], rest = next;
        } else {
            const int64 next = wide_rest / a.sizes[axis];
            offset += (wide_rest - next * a.sizes[axis]) * a.strides[axis], wide_rest = next;
        }
    }
    static_cast<Element*>(a.to)[at] = static_cast<const Element*>(a.from)[offset];
}

struct Columns {
    /// `[B, rows, channels]`.
    const void* x;
    /// Multiplied with x before it is summed, if there is one.
    const void* y;
    /// `[B, chunks, channels]`.
    float* partials;
    Split split;
    int wide;
};

/// Sums over the rows of a block's share.
template <class T, bool Product> __device__ inline void columns(const Columns& a) {
    const Walker w(a.split);
    float sum[RUN] = {};
    if constexpr (Product)
        w.each(static_cast<const T*>(a.x), static_cast<const T*>(a.y), a.wide,
            [&](int64, const float (&x)[RUN], const float (&y)[RUN]) {
#pragma unroll
                for (int i = 0; i < RUN; i++) sum[i] += x[i] * y[i];
            });
    else
        w.each(static_cast<const T*>(a.x), a.wide, [&](int64, const float (&x)[RUN]) {
#pragma unroll
            for (int i = 0; i < RUN; i++) sum[i] += x[i];
        });
    float* const sums = reinterpret_cast<float*>(shared_memory());
    const int width = a.split.across * RUN;
    if (w.line < w.down) write(sums + int(threadIdx.x) * RUN, sum, true);
    __syncthreads();
    const int first = int(blockIdx.y) * width;
    for (int c = threadIdx.x; c < width && first + c < w.channels; c += blockDim.x) {
        float total = 0;
        for (int line = 0; line < w.down; line++) total += sums[line * width + c];
        a.partials[(int64(blockIdx.z) * gridDim.x + blockIdx.x) * w.channels + first + c] = total;
    }
}
template <class T> __device__ void column_sums(const Columns& a) { columns<T, false>(a); }
template <class T> __device__ void column_products(const Columns& a) { columns<T, true>(a); }

struct Totals {
    /// `[B, chunks, channels]`.
    const float* partials;
    /// `[B, channels]`.
    void* out;
    int channels, chunks;
};

/// Adds the chunks: 32 channels a block, of which eight warps take every eighth chunk each.
template <class T> __device__ void column_totals(const Totals& a) {
    __shared__ float parts[8][32];
    const int channel = int(blockIdx.x) * 32 + lane();
    const float* const from = a.partials + int64(blockIdx.y) * a.chunks * a.channels + channel;
    float sum = 0;
    if (channel < a.channels)
        for (int c = warp(); c < a.chunks; c += 8) sum += from[int64(c) * a.channels];
    parts[warp()][lane()] = sum;
    __syncthreads();
    if (warp() > 0 || channel >= a.channels) return;
    sum = 0;
    for (int i = 0; i < 8; i++) sum += parts[i][lane()];
    static_cast<T*>(a.out)[int64(blockIdx.y) * a.channels + channel] = narrow<T>(sum);
}

}  // namespace arrange

ELEMENTS(add_all, arrange::Sum, elements::THREADS, 4, arrange::add_all)
ELEMENTS(scale, arrange::Flat, elements::THREADS, 4, arrange::scale)
ELEMENTS(accumulate, arrange::Flat, elements::THREADS, 4, arrange::accumulate_same)
// Into sums of f32.
KERNEL(accumulate_wide_bf16, arrange::Flat, elements::THREADS, 4, arrange::accumulate<float, bf16>)
KERNEL(accumulate_wide_f16, arrange::Flat, elements::THREADS, 4, arrange::accumulate<float, f16>)
KERNEL(cast_f32_bf16, arrange::Flat, elements::THREADS, 4, arrange::cast<bf16, float>)
KERNEL(cast_f32_f16, arrange::Flat, elements::THREADS, 4, arrange::cast<f16, float>)
KERNEL(cast_bf16_f32, arrange::Flat, elements::THREADS, 4, arrange::cast<float, bf16>)
KERNEL(cast_bf16_f16, arrange::Flat, elements::THREADS, 4, arrange::cast<f16, bf16>)
KERNEL(cast_f16_f32, arrange::Flat, elements::THREADS, 4, arrange::cast<float, f16>)
KERNEL(cast_f16_bf16, arrange::Flat, elements::THREADS, 4, arrange::cast<bf16, f16>)
ELEMENTS(concat_channels, arrange::Channels, elements::THREADS, 4, arrange::concat)
ELEMENTS(split_channels, arrange::Channels, elements::THREADS, 4, arrange::split)
ELEMENTS(upsample, arrange::Image, elements::THREADS, 4, arrange::upsample)
ELEMENTS(upsample_backward, arrange::Image, elements::THREADS, 4, arrange::upsample_backward)
ELEMENTS(gather_rows, arrange::Pick, elements::THREADS, 4, arrange::gather)
ELEMENTS(scatter_rows, arrange::Pick, elements::THREADS, 4, arrange::scatter)
// By the bits of an element.
KERNEL(copy_strided_8, arrange::Copy, elements::THREADS, 4, arrange::copy<uint8_t>)
KERNEL(copy_strided_16, arrange::Copy, elements::THREADS, 4, arrange::copy<uint16_t>)
KERNEL(copy_strided_32, arrange::Copy, elements::THREADS, 4, arrange::copy<uint32_t>)
KERNEL(copy_strided_128, arrange::Copy, elements::THREADS, 4, arrange::copy<Quad>)
ELEMENTS(column_sums, arrange::Columns, elements::WALKERS, 3, arrange::column_sums)
ELEMENTS(column_products, arrange::Columns, elements::WALKERS, 3, arrange::column_products)
ELEMENTS(column_totals, arrange::Totals, elements::THREADS, 4, arrange::column_totals)
