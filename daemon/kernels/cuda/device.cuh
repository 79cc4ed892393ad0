//! What every kernel stands on: number types, warp and tensor-core operations, and the macro that exports a kernel.
//!
//! The same sources compile twice: by nvcc for the GPU, and by a C++ compiler against `emulator/machine.h`, which runs
//! blocks, warps and lanes on the CPU, so that every kernel is tested on machines without a GPU. So kernels use only what
//! stands here: no NVIDIA header, no intrinsic of their own.
//!
//! Conventions: a kernel takes one struct of arguments, by value, whose twin in Rust is `#[repr(C)]`; pointers come
//! first in it, then 64-bit and 32-bit numbers. Element counts of whole tensors are `long long`.

#pragma once

#ifdef EMULATOR
#include "emulator/machine.h"
#else
typedef unsigned int uint32_t;
typedef unsigned short uint16_t;
typedef unsigned char uint8_t;
typedef signed char int8_t;
/// Exports `body`, a kernel template's instance, as `name`: at most `threads` lanes a block, `blocks` of them at once.
#define KERNEL(name, Args, threads, blocks, ...) \
    extern "C" __global__ void __launch_bounds__(threads, blocks) name(const __grid_constant__ Args a) { __VA_ARGS__(a); }
/// The block's dynamic shared memory, aligned to 128 bytes.
__device__ inline char* shared_memory() {
    extern __shared__ __align__(128) char memory[];
    return memory;
}
#endif

typedef long long int64;

// ---- numbers ------------------------------------------------------------------------------------------------------

struct bf16 { uint16_t bits; };
struct f16 { uint16_t bits; };

/// Sixteen bytes, the widest load and store.
struct alignas(16) Quad { uint32_t x, y, z, w; };

__device__ inline float bits_to_float(uint32_t bits) { float x; memcpy(&x, &bits, 4); return x; }
__device__ inline uint32_t float_to_bits(float x) { uint32_t bits; memcpy(&bits, &x, 4); return bits; }

__device__ inline float widen(float x) { return x; }
__device__ inline float widen(bf16 x) { return bits_to_float(uint32_t(x.bits) << 16); }
__device__ inline float widen(f16 x) {
#ifdef EMULATOR
    return half_bits_to_float(x.bits);
#else
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
#endif
}

/// Rounds to nearest, ties to even.
template <class T> __device__ inline T narrow(float x);
template <> __device__ inline float narrow<float>(float x) { return x; }
template <> __device__ inline bf16 narrow<bf16>(float x) {
#if !defined(EMULATOR) && __CUDA_ARCH__ >= 800
    bf16 y;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
#else
    uint32_t bits = float_to_bits(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return bf16{uint16_t(bits >> 16 | 0x40)};
    return bf16{uint16_t((bits + 0x7fffu + (bits >> 16 & 1)) >> 16)};
#endif
}
template <> __device__ inline f16 narrow<f16>(float x) {
    f16 y;
#ifdef EMULATOR
    y.bits = float_to_half_bits(x);
#else
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#endif
    return y;
}

/// Two halves in one register: the lower address is the lower half, as fragments want it.
template <class T> __device__ inline uint32_t pack(float low, float high) {
    return uint32_t(narrow<T>(low).bits) | uint32_t(narrow<T>(high).bits) << 16;
}
template <class T> __device__ inline float low(uint32_t pair) { return widen(T{uint16_t(pair & 0xffff)}); }
template <class T> __device__ inline float high(uint32_t pair) { return widen(T{uint16_t(pair >> 16)}); }

/// Elements of T in a Quad.
template <class T> struct Lanes { static constexpr int count = 16 / sizeof(T); };

/// Reads Lanes<T>::count elements from a 16-byte aligned address.
template <class T> __device__ inline void load(const T* from, float (&to)[Lanes<T>::count]) {
    union { Quad quad; T values[Lanes<T>::count]; } u;
    u.quad = *reinterpret_cast<const Quad*>(from);
#pragma unroll
    for (int i = 0; i < Lanes<T>::count; i++) to[i] = widen(u.values[i]);
}
/// Writes Lanes<T>::count elements to a 16-byte aligned address.
template <class T> __device__ inline void store(T* to, const float (&from)[Lanes<T>::count]) {
    union { Quad quad; T values[Lanes<T>::count]; } u;
#pragma unroll
    for (int i = 0; i < Lanes<T>::count; i++) u.values[i] = narrow<T>(from[i]);
    *reinterpret_cast<Quad*>(to) = u.quad;
}

// ---- lanes and warps ----------------------------------------------------------------------------------------------

__device__ inline int lane() { return threadIdx.x & 31; }
__device__ inline int warp() { return threadIdx.x >> 5; }

/// The sum over the warp, in every lane.
__device__ inline float warp_sum(float x) {
#pragma unroll
    for (int i = 16; i > 0; i >>= 1) x += __shfl_xor_sync(0xffffffffu, x, i);
    return x;
}

/// The sum over a block of up to 1024 lanes, in every lane; `scratch` is 32 floats of shared memory. All lanes must call.
__device__ inline float block_sum(float x, float* scratch) {
    x = warp_sum(x);
    __syncthreads();
    if (lane() == 0) scratch[warp()] = x;
    __syncthreads();
    x = lane() < int(blockDim.x + 31) / 32 ? scratch[lane()] : 0.0f;
    return warp_sum(x);
}

// ---- tensor cores -------------------------------------------------------------------------------------------------

#ifndef EMULATOR
__device__ inline uint32_t shared_address(const void* pointer) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}
#endif

/// D[16 x 8] += A[16 x 16] B[16 x 8] in f32, the fragments as PTX's mma.m16n8k16 lays them out: with g = lane / 4 and
/// t = lane % 4, a holds rows g, g + 8, g, g + 8 at columns 2t, 2t, 2t + 8, 2t + 8 (pairs); b holds column g at rows 2t
/// and 2t + 8 (pairs); d holds (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1). T is bf16 (sm_80 on) or f16.
template <class T> __device__ inline void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);

#ifdef EMULATOR
template <class T> inline void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    emulate_mma(d, a, b, [](uint16_t bits) { return widen(T{bits}); });
}
#else
template <> __device__ inline void mma<bf16>(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    __trap();  // chips before sm_80 compute in f16
#endif
}
template <> __device__ inline void mma<f16>(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
#pragma unroll
    for (int half = 0; half < 2; half++)
        asm volatile(
            "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(a[2 * half]), "r"(a[2 * half + 1]), "r"(b[half]));
#endif
}
#endif

/// Four 8 x 8 matrices of 16-bit elements from shared memory: lane i gives the address of row i % 8 of matrix i / 8
/// (16 bytes, aligned); register m of a lane gets row lane / 4, columns 2 (lane % 4) and + 1 of matrix m.
__device__ inline void load_matrices(uint32_t (&r)[4], const void* row) {
#ifdef EMULATOR
    emulate_ldmatrix(r, row, false);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
#endif
}
/// [`load_matrices`] transposed: register m of a lane gets rows 2 (lane % 4) and + 1 of column lane / 4 of matrix m.
__device__ inline void load_matrices_transposed(uint32_t (&r)[4], const void* row) {
#ifdef EMULATOR
    emulate_ldmatrix(r, row, true);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
#endif
}

// ---- copies that run beside the arithmetic --------------------------------------------------------------------------

/// Copies 16 bytes from global to shared memory, or zeros if not `valid`; done after the matching [`copies_done`].
__device__ inline void copy_async(void* to, const void* from, bool valid) {
#if defined(EMULATOR)
    emulate_copy(to, from, valid);
#elif __CUDA_ARCH__ < 800
    *static_cast<Quad*>(to) = valid ? *static_cast<const Quad*>(from) : Quad{0, 0, 0, 0};
#else
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :: "r"(shared_address(to)), "l"(from), "r"(valid ? 16 : 0) : "memory");
#endif
}
/// Ends a group of copies.
__device__ inline void copies_issued() {
#if defined(EMULATOR)
    emulate_commit();
#elif __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
/// Waits until at most `Pending` groups are under way; other lanes' copies need a __syncthreads() besides.
template <int Pending> __device__ inline void copies_done() {
#if defined(EMULATOR)
    emulate_wait(Pending);
#elif __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" :: "n"(Pending) : "memory");
#endif
}
