//! Token lookup in a frozen table with new, trainable rows behind its end.

#include "elements.cuh"

namespace embedding {

using namespace elements;

struct Lookup {
    /// `[vocabulary, channels]`.
    const void* table;
    /// `[new, channels]`, the rows of ids from `vocabulary` on.
    const float* rows;
    /// `[length, channels]`.
    const void* positions;
    /// `[B, length]`.
    const uint32_t* ids;
    void* out;
    int64 count;
    int vocabulary, length, channels, wide;
};

template <class T, class Table> __device__ inline void lookup(const Lookup& a) {
    const Run r(a.channels);
    if (r.row >= a.count) return;
    const int64 id = a.ids[r.row], place = r.row % a.length;
    float x[RUN], position[RUN];
    if (id < a.vocabulary)
        read(static_cast<const Table*>(a.table) + id * a.channels + r.column, x, a.wide, r.count);
    else
        read(a.rows + (id - a.vocabulary) * a.channels + r.column, x, a.wide, r.count);
    read(static_cast<const T*>(a.positions) + place * a.channels + r.column, position, a.wide, r.count);
#pragma unroll
    for (int i = 0; i < RUN; i++) x[i] += position[i];
    write(static_cast<T*>(a.out) + r.row * a.channels + r.column, x, a.wide, r.count);
}
template <class T> __device__ void of_f32(const Lookup& a) { lookup<T, float>(a); }
template <class T> __device__ void of_bf16(const Lookup& a) { lookup<T, bf16>(a); }
template <class T> __device__ void of_f16(const Lookup& a) { lookup<T, f16>(a); }

struct Gradient {
    /// `[new, channels]`.
    float* target;
    /// `[count, channels]`.
    const void* grad;
    /// `[count]`.
    const uint32_t* ids;
    int count, vocabulary, channels;
};

/// A block's row and 256 of its channels: walks over the ids in their order, so that sums never change.
template <class T> __device__ void backward(const Gradient& a) {
    __shared__ uint32_t ids[THREADS];
    const uint32_t wanted = uint32_t(a.vocabulary) + blockIdx.x;
    const int channel = int(blockIdx.y * blockDim.x + threadIdx.x);
    float sum = 0;
    for (int first = 0; first < a.count; first += blockDim.x) {
        __syncthreads();
        if (first + int(threadIdx.x) < a.count) ids[threadIdx.x] = a.ids[first + threadIdx.x];
        __syncthreads();
        if (channel >= a.channels) continue;
        for (int i = 0; i < min(int(blockDim.x), a.count - first); i++)
            if (ids[i] == wanted) sum += widen(static_cast<const T*>(a.grad)[int64(first + i) * a.channels + channel]);
    }
    if (channel < a.channels) a.target[int64(blockIdx.x) * a.channels + channel] += sum;
}

}  // namespace embedding

ELEMENTS(embed_of_f32, embedding::Lookup, elements::THREADS, 4, embedding::of_f32)
ELEMENTS(embed_of_bf16, embedding::Lookup, elements::THREADS, 4, embedding::of_bf16)
ELEMENTS(embed_of_f16, embedding::Lookup, elements::THREADS, 4, embedding::of_f16)
ELEMENTS(embed_backward, embedding::Gradient, elements::THREADS, 4, embedding::backward)
