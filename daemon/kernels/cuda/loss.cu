//! The ends of a diffusion step: mixing in noise, and the weighted squared error with its gradient.

#include "elements.cuh"

namespace loss {

using namespace elements;

/// Samples of one launch: their factors travel with the arguments.
constexpr int SAMPLES = 32;
/// Elements of a lane.
constexpr int FOUR = 4;

struct Noise {
    /// `[B, size]`.
    const void* x;
    const void* noise;
    void* out;
    int64 size;
    int wide;
    float signal_factors[SAMPLES];
    float noise_factors[SAMPLES];
};

/// signal x + factor noise; the grid's y is the sample.
template <class T> __device__ void add_noise(const Noise& a) {
    const int64 at = position();
    if (at >= a.size) return;
    const int64 start = blockIdx.y * a.size + at;
    const float signal = a.signal_factors[blockIdx.y], factor = a.noise_factors[blockIdx.y];
    float x[RUN], n[RUN];
    read(static_cast<const T*>(a.x) + start, x, a.wide, a.size - at);
    read(static_cast<const T*>(a.noise) + start, n, a.wide, a.size - at);
#pragma unroll
    for (int i = 0; i < RUN; i++) x[i] = signal * x[i] + factor * n[i];
    write(static_cast<T*>(a.out) + start, x, a.wide, a.size - at);
}

struct Error {
    /// `[B, size]`.
    const float* prediction;
    const float* target;
    /// `[B, size / channels]`, or null.
    const float* mask;
    float* grad;
    /// `[B, blocks]`.
    float* partials;
    int64 size;
    int channels, wide;
    /// What a sample's squared errors count.
    float weights[SAMPLES];
};

/// The gradient 2 weight mask (p - t), and each block's share of the loss; the grid's y is the sample.
__device__ inline void squared_error(const Error& a) {
    __shared__ float scratch[32];
    const int64 at = position<FOUR>(), start = blockIdx.y * a.size + at, left = a.size - at;
    const float weight = a.weights[blockIdx.y];
    float sum = 0;
    if (left > 0) {
        float p[FOUR], t[FOUR];
        read(a.prediction + start, p, a.wide, left), read(a.target + start, t, a.wide, left);
#pragma unroll
        for (int i = 0; i < FOUR; i++) {
            const float error = p[i] - t[i];
            float mask = 1.0f;
            if (a.mask && i < left) mask = a.mask[(blockIdx.y * a.size + at + i) / a.channels];
            sum += error * error * mask;
            p[i] = 2.0f * weight * mask * error;
        }
        write(a.grad + start, p, a.wide, left);
    }
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) a.partials[blockIdx.y * gridDim.x + blockIdx.x] = weight * sum;
}

}  // namespace loss

ELEMENTS(add_noise, loss::Noise, elements::THREADS, 4, loss::add_noise)
KERNEL(squared_error_f32, loss::Error, elements::THREADS, 4, loss::squared_error)
