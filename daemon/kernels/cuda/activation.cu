//! Pointwise nonlinearities and GEGLU, with their gradients.

#include "elements.cuh"

namespace activation {

using namespace elements;

/// As Rust's `Activation` orders them.
enum Kind { SILU, GELU, QUICK_GELU };
constexpr float QUICK = 1.702f;

struct Pointwise {
    const void* x;
    /// Of the output, for the gradient of the input.
    const void* grad;
    void* out;
    int64 count;
    int kind, wide;
};

/// Phi(x), the normal distribution.
__device__ inline float normal(float x) { return 0.5f * (1.0f + erff(x * 0.7071067811865476f)); }
/// d gelu / dx = Phi(x) + x phi(x).
template <class T> __device__ inline float gelu_slope(float x) {
    return normal(x) + x * 0.3989422804014327f * exponential<T>(-0.5f * x * x);
}

/// x sigmoid(k x) with k = 1 or 1.702, or its slope.
template <class T, bool Slope> __device__ inline float swish(float x, float k) {
    const float s = sigmoid<T>(k * x);
    return Slope ? s * (1.0f + k * x * (1.0f - s)) : x * s;
}

template <class T, bool Slope> __device__ inline void pointwise(const Pointwise& a) {
    const int64 at = position();
    if (at >= a.count) return;
    float x[RUN], y[RUN], grad[RUN];
    read(static_cast<const T*>(a.x) + at, x, a.wide, a.count - at);
    if (Slope) read(static_cast<const T*>(a.grad) + at, grad, a.wide, a.count - at);
    if (a.kind == GELU) {
#pragma unroll
        for (int i = 0; i < RUN; i++) y[i] = Slope ? gelu_slope<T>(x[i]) : x[i] * normal(x[i]);
    } else {
        const float k = a.kind == SILU ? 1.0f : QUICK;
#pragma unroll
        for (int i = 0; i < RUN; i++) y[i] = swish<T, Slope>(x[i], k);
    }
    if (Slope) {
#pragma unroll
        for (int i = 0; i < RUN; i++) y[i] *= grad[i];
    }
    write(static_cast<T*>(a.out) + at, y, a.wide, a.count - at);
}

template <class T> __device__ void forward(const Pointwise& a) { pointwise<T, false>(a); }
template <class T> __device__ void backward(const Pointwise& a) { pointwise<T, true>(a); }

struct Geglu {
    /// `[rows, 2 width]`: h beside g.
    const void* x;
    /// `[rows, width]`.
    const void* grad;
    /// `[rows, width]`, or the gradient `[rows, 2 width]`.
    void* out;
    int64 rows;
    int width, wide;
};

/// h gelu(g).
template <class T> __device__ void geglu(const Geglu& a) {
    const Run r(a.width);
    if (r.row >= a.rows) return;
    const T* const x = static_cast<const T*>(a.x) + r.row * 2 * a.width + r.column;
    float h[RUN], g[RUN];
    read(x, h, a.wide, r.count), read(x + a.width, g, a.wide, r.count);
#pragma unroll
    for (int i = 0; i < RUN; i++) h[i] *= g[i] * normal(g[i]);
    write(static_cast<T*>(a.out) + r.row * a.width + r.column, h, a.wide, r.count);
}

template <class T> __device__ void geglu_backward(const Geglu& a) {
    const Run r(a.width);
    if (r.row >= a.rows) return;
    const int64 at = r.row * 2 * a.width + r.column;
    const T* const x = static_cast<const T*>(a.x) + at;
    float h[RUN], g[RUN], grad[RUN];
    read(x, h, a.wide, r.count), read(x + a.width, g, a.wide, r.count);
    read(static_cast<const T*>(a.grad) + r.row * a.width + r.column, grad, a.wide, r.count);
#pragma unroll
    for (int i = 0; i < RUN; i++) {
        h[i] *= grad[i] * gelu_slope<T>(g[i]);
        grad[i] *= g[i] * normal(g[i]);
    }
    write(static_cast<T*>(a.out) + at, grad, a.wide, r.count);
    write(static_cast<T*>(a.out) + at + a.width, h, a.wide, r.count);
}

}  // namespace activation

ELEMENTS(activate, activation::Pointwise, elements::THREADS, 4, activation::forward)
ELEMENTS(activate_backward, activation::Pointwise, elements::THREADS, 4, activation::backward)
ELEMENTS(geglu, activation::Geglu, elements::THREADS, 4, activation::geglu)
ELEMENTS(geglu_backward, activation::Geglu, elements::THREADS, 4, activation::geglu_backward)
